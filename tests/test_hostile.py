"""Hostile input: what an attacker or an accident can put into a file, and what becomes of each.

Each file is refused with one sentence (exit code 2), or its bad rows are in quarantine and the others loaded; nothing
else may come out of it. The files are made here: none of them is kept.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import zipfile
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from openpyxl import load_workbook

import therapy_audit as ta
from therapy_audit import config, engine, intake, pipeline, reference, rules, verify
from therapy_audit.cli import main
from therapy_audit.errors import AuditError
from therapy_audit.intake import expanding, read
from therapy_audit.notes import lexicon
from therapy_audit.report import tables
from therapy_audit.sampling import book
from workbooks import NEEDED, content_of, ods, ods_row, packed, workbook, xlsb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REFUSED = pytest.mark.promise("A hostile file is refused with one sentence, before memory or disk is spent on it")
ROWS = pytest.mark.promise("A hostile row is loaded or in quarantine, and rows in are the sum of both")
SHOWN = pytest.mark.promise("What a file holds is never a formula, script, element or control character in an output")
PATHS = pytest.mark.promise("No name or link in the input decides where something is written")
LOCKED = pytest.mark.promise("SQL of a user's own rule, or of a report from elsewhere, reads and writes no file")

HEADER = "Claim,Line,Patient ID,Payer,DOS,CPT,Mod 1,Units,Charge,Allowed\n"


def claim(number: int = 1, **cells: str) -> str:
    row = {
        "claim": f"C{number}", "line": "1", "patient": "P1", "payer": "AETNA", "day": "2026-03-02", "code": "97530",
        "modifier": "GP", "units": "2", "charge": "100", "allowed": "60",
    } | cells  # fmt: skip
    return ",".join(row.values()) + "\n"


def load(path: Path, kind: str = "claims", mapping: Path | None = None) -> tuple[Any, list[tuple[int, str, str]]]:
    """Return (rows in, loaded, quarantined) and the quarantined rows: number, column, reason."""
    with engine.connect(threads=1) as con:
        engine.create_tables(con)
        intake.load(con, intake.Inputs({kind: (str(path),)}, (mapping,) if mapping else ()))
        counts = con.execute(
            "SELECT sum(rows_in)::INT, sum(rows_loaded)::INT, sum(rows_quarantined)::INT FROM intake_file"
        ).fetchone()
        refused = con.execute("SELECT source_row, column_name, reason FROM quarantine ORDER BY ALL").fetchall()
    assert counts
    assert counts[0] == counts[1] + counts[2]
    return counts, refused


# Files -----------------------------------------------------------------------------------------------------------


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def sparse(path: Path, size: int) -> Path:
    """Write a good header and a first row, then nothing but NUL bytes: they take no room on the disk."""
    with path.open("wb") as file:
        file.write((HEADER + claim()).encode())
        file.truncate(size)
    return path


def zipped(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content))
    return path


def bomb_of_cells(path: Path) -> Path:
    cell = b'<row><c t="inlineStr"><is><t>' + b" " * (1 << 20) + b"</t></is></c></row>"
    return workbook(path, (cell for _ in range(70)))


def parquet(path: Path, columns: int) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: ["x"] for name in (*NEEDED, *map(str, range(columns)))}), path)
    return path


def climbing(path: Path) -> Path:
    with zipfile.ZipFile(path / "slip.xlsx", "w") as file:
        file.writestr("../../slipped.txt", "x")
    return path / "slip.xlsx"


def damaged(path: Path) -> Path:
    """Change a byte of the packed sheet: the workbook opens, its sheet does not."""
    content = bytearray(workbook(path / "damaged.xlsx", iter(())).read_bytes())
    content[content.index(b"xl/worksheets/sheet1.xml") + 60] ^= 0xFF
    return written(path / "damaged.xlsx", bytes(content))


def linked(path: Path) -> Path:
    (path / "loop.csv").symlink_to(path / "loop.csv")
    return path / "loop.csv"


def piped(path: Path) -> Path:
    os.mkfifo(path / "pipe.csv")
    return path / "pipe.csv"


def foldered(path: Path) -> Path:
    (path / "folder.csv").mkdir()
    return path / "folder.csv"


def laughing(levels: int = 9) -> str:
    """Nine lines that stand for a thousand million words."""
    lines = [f"  - &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(levels)]
    return "\n".join(["  - &a [ha, ha, ha, ha, ha, ha, ha, ha, ha]", *lines]) + "\n"


WIDE = ",".join(NEEDED)
FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "100,000 columns": (
        lambda p: written(p / "wide.csv", f"{WIDE},{','.join(f'x{n}' for n in range(100_000))}\n" + "1," * 100_000),
        "the header has more than 2,048 columns",
    ),
    "10,000,000 columns": (
        lambda p: written(p / "wide.csv", f"{WIDE},{'a,' * 10_000_000}\n"),
        "the header has more than 2,048 columns",
    ),
    "one column too many": (
        lambda p: written(
            p / "wide.csv", ",".join([*NEEDED, *map(str, range(2_044))]) + "\nC1,P1,2026-03-02,97530,1\n"
        ),
        "the header has more than 2,048 columns",
    ),
    "20,000 keys of an object": (
        lambda p: written(p / "wide.jsonl", json.dumps(dict.fromkeys([*NEEDED, *map(str, range(20_000))], "1"))),
        "the header has more than 2,048 columns",
    ),
    "3,000 columns of Parquet": (
        lambda p: parquet(p / "wide.parquet", 3_000),
        "the header has more than 2,048 columns",
    ),
    "a header longer than 1 MiB": (
        lambda p: written(p / "long.csv", "A" * 2_000_000 + "," + HEADER + claim()),
        "the header is longer than 1,048,576 bytes; look for a cell that holds a file",
    ),
    "a cell of 34 MB": (
        lambda p: written(p / "cell.csv", HEADER + claim() + claim(2, payer="A" * 34_000_000)),
        "a record is longer than 16,777,216 bytes, the most that is read",
    ),
    "a quoted cell of 34 MB": (
        lambda p: written(p / "cell.csv", HEADER + claim() + claim(2, payer='"' + "A\n" * 17_000_000 + '"')),
        "a record is longer than 16,777,216 bytes, the most that is read",
    ),
    "a cell of 2 GiB, or of so much of it that it is known": (
        lambda p: sparse(p / "cell.csv", 1 << 26),
        "a record is longer than 16,777,216 bytes, the most that is read",
    ),
    "an object of 20 MB": (
        lambda p: written(p / "cell.jsonl", '{"Claim": "' + "A" * 20_000_000 + '"}\n'),
        "a record is longer than 16,777,216 bytes, the most that is read",
    ),
    "JSON of 1 GiB": (
        lambda p: sparse(p / "large.json", (1 << 30) + 1),
        "a JSON array of more than 1,073,741,824 bytes is not read; give it as JSON Lines",
    ),
    "100,000 brackets": (lambda p: written(p / "deep.json", "[" * 100_000), "no JSON object in it"),
    "50,000 objects in each other": (
        lambda p: written(p / "deep.jsonl", '{"Claim":' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}"),
        "no header for patient_id, service_date, hcpcs_code",
    ),
    "a gzip bomb": (
        lambda p: zipped(p / "bomb.csv.gz", HEADER.encode() + (b"A" * 100 + b"\n") * 800_000),
        "the file expands to more than 200 times its size",
    ),
    "a zip bomb": (lambda p: bomb_of_cells(p / "bomb.xlsx"), "the workbook expands to 73,4"),
    "a cell in the last row and column": (
        lambda p: workbook(p / "far.xlsx", iter(()), far="XFD1048576"),
        "reaches to a cell so far off that 17,179,869,184 places lie before it",
    ),
    "a cell in the last row of many": (
        lambda p: workbook(p / "far.xlsx", iter(()), far="CV1000000"),
        "reaches to a cell so far off that 100,000,000 places lie before it",
    ),
    "a cell of ODS in as many rows and columns as there may be": (
        lambda p: ods(p / "far.ods", ods_row("x", rows=1_048_575, columns=16_384)),
        "reaches to a cell so far off that 17,179,869,184 places lie before it",
    ),
    "a cell of ODS behind empty ones": (
        lambda p: ods(p / "far.ods", ods_row((), rows=100_000) + ods_row("x", before=600)),
        "reaches to a cell so far off that 60,101,202 places lie before it",
    ),
    "ODS with XML that names itself": (
        lambda p: ods(p / "laugh.ods", ods_row(["&a;"]), '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'),
        "the workbook declares XML entities",
    ),
    "a cell of XLSB in the last row and column": (
        lambda p: xlsb(p / "far.xlsb", {1_048_575: {16_383: "x"}}),
        "reaches to a cell so far off that 17,179,869,184 places lie before it",
    ),
    "ODS whose sheet does not end": (
        lambda p: packed(
            p / "open.ods", "ods", [content_of(ods(p / "whole.ods", ""), "ods").partition(b"</table:t")[0]]
        ),
        "the workbook's XML is damaged",
    ),
    "ODS cut short": (
        lambda p: written(p / "cut.ods", ods(p / "whole.ods", "").read_bytes()[:-30]),
        "the workbook cannot be opened",
    ),
    "XLSB at which its reader panics": (
        lambda p: xlsb(p / "short.xlsb", {}, size=b""),
        "the workbook cannot be opened",
    ),
    "XLSB without its sheet": (
        lambda p: written(
            p / "cut.xlsb", xlsb(p / "whole.xlsb", {}).read_bytes().replace(b"sheet1.bin", b"sheet2.bin")
        ),
        "the workbook cannot be opened",
    ),
    "one NUL": (lambda p: written(p / "nul.csv", b"\0"), "no header for "),
    "members that climb out of the zip": (climbing, "the workbook cannot be opened"),
    "a zip whose sheet is damaged": (damaged, "the workbook cannot be opened"),
    "a zip cut short": (
        lambda p: written(p / "cut.xlsx", workbook(p / "whole.xlsx", iter(())).read_bytes()[:-30]),
        "the workbook cannot be opened",
    ),
    "half a letter of UTF-16": (
        lambda p: written(p / "half.csv", b"\xff\xfe" + (HEADER + claim()).encode("utf-16-le") + b"\x00\xd8A\x00"),
        "the file cannot be read (UnicodeDecodeError)",
    ),
    "nothing but NUL": (lambda p: written(p / "nul.csv", b"\0" * 5000), "no header for "),
    "a link to itself": (linked, "'loop.csv' matches no file"),
    "a pipe": (piped, "'pipe.csv' matches no file"),
    "a folder": (foldered, "'folder.csv' matches no file"),
}


@REFUSED
@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    make, words = FILES[name]
    with pytest.raises(AuditError) as caught:
        load(make(tmp_path))
    said = str(caught.value)
    assert words in said
    assert said.endswith(".")
    assert "\n" not in said
    assert capfd.readouterr().err == ""
    assert not (tmp_path.parent / "slipped.txt").exists()


@pytest.mark.parametrize("columns", [read.MOST_COLUMNS])
def test_as_many_columns_as_there_may_be(tmp_path: Path, columns: int) -> None:
    header = ",".join([*NEEDED, *map(str, range(columns - 5))])
    row = ",".join(["C1", "P1", "2026-03-02", "97530", "1", *"1" * (columns - 5)])
    assert load(written(tmp_path / "wide.csv", f"{header}\n{row}\n"))[0] == (1, 1, 0)


def test_the_longest_record(tmp_path: Path) -> None:
    long = "A" * (read.LONGEST - 200)
    assert load(written(tmp_path / "long.csv", HEADER + claim() + claim(2, payer=long)))[0] == (2, 2, 0)


def test_a_sheet_that_is_large_and_honest(tmp_path: Path) -> None:
    path = workbook(tmp_path / "far.xlsx", iter(()), far="Z1000000")
    expanding.check_workbook(path, "far.xlsx", most_places=26 * 1_048_576)
    with pytest.raises(AuditError, match="26,000,000 places"):
        expanding.check_workbook(path, "far.xlsx", most_places=26_000_000 - 1)


@ROWS
def test_other_forms_of_workbooks_are_read_as_xlsx_is(tmp_path: Path) -> None:
    """With what LibreOffice writes behind a table: the rest of its row, and of its rows, as one cell each."""
    row = ["C1", "P1", "2026-03-02", "97530", "1"]
    rest = '<table:table-cell table:number-columns-repeated="16379"/>'
    full = ods_row(row).replace("</table:table-row>", f"{rest}</table:table-row>")
    end = f'<table:table-row table:number-rows-repeated="1048573">{rest}</table:table-row>'
    assert load(ods(tmp_path / "good.ods", full + end))[0] == (1, 1, 0)
    assert load(ods(tmp_path / "bad.ods", full + ods_row(["C2", "P1", "never", "97530", "1"])))[0] == (2, 1, 1)
    assert load(xlsb(tmp_path / "good.xlsb", {1: dict(enumerate(row))}))[0] == (1, 1, 0)


YAMLS = {
    "a thousand million laughs": (
        "input: claims\nignore:\n" + laughing(),
        "it has an alias, *a, which is not read here",
    ),
    "a list within itself": ("input: claims\nignore: &a [*a]\n", "it has an alias, *a, which is not read here"),
    "20,000 brackets": ("input: " + "[" * 20_000, "it nests more than 20 levels deep"),
    "two million letters": ("input: claims  # " + "a" * 2_000_000, "it is longer than 1,048,576 characters"),
    "code": ("input: !!python/object/apply:os.system ['id']\n", "not valid YAML"),
    "NUL": ("input: cl\0aims", "not valid YAML"),
    "a date that is none": ("input: claims\nmatch: 2026-13-45\n", "a date or number in it cannot be read"),
    "a key that is a list": ("? [a, b]\n: c\ninput: claims\n", "not valid YAML"),
    "a date form that is none": ("input: claims\ndates: {service_date: '%Q%Q%'}\n", "which is no form of dates"),
    "SQL": ('input: claims\ncolumns: {"units\'); DROP TABLE claim_line; --": Units}\n', "is not a column of claims"),
}


@REFUSED
@pytest.mark.parametrize("name", YAMLS)
def test_a_hostile_mapping_is_refused(tmp_path: Path, name: str) -> None:
    text, words = YAMLS[name]
    with pytest.raises(AuditError) as caught:
        load(written(tmp_path / "claims.csv", HEADER + claim()), mapping=written(tmp_path / "mapping.yaml", text))
    assert words in str(caught.value)
    assert str(caught.value).startswith("mapping.yaml")


@REFUSED
@pytest.mark.parametrize("name", [name for name in YAMLS if name not in ("a date form that is none", "SQL")])
def test_other_hostile_yaml_is_refused(tmp_path: Path, name: str) -> None:
    text, words = YAMLS[name]
    for reading in (
        lambda: rules.rule("own.x", text, {}, (), (), "x.yaml"),
        lambda: rules.parameter("x", text, "x.yaml"),
    ):
        with pytest.raises(AuditError, match=r"x\.yaml: not readable as YAML") as caught:
            reading()
        assert words in str(caught.value) or words == "not valid YAML"
    if name == "a thousand million laughs":
        written(tmp_path / "functional_goal.yaml", text)
        with pytest.raises(AuditError, match=r"functional_goal\.yaml: not read, since it has an alias"):
            lexicon.load(tmp_path)


TOMLS: dict[str, str | bytes] = {
    "brackets": "period = " + "[" * 20_000,
    "a number of 5,000 digits": "report_rows = " + "9" * 5_000,
    "NaN": "[parameters]\n'clinic.episode_gap_days' = nan\n",
    "infinity": "[parameters]\n'clinic.episode_gap_days' = inf\n",
    "no UTF-8": b"period = '\xff'",
    "NUL": "period = '\0'",
    "a date": "as_of = 2026-04-15",
    "a path for a period": "period = '../../etc'",
    "a list for a word": "[unit_method]\naetna = ['cms']\n",
    "a list of lists": "[required_modifiers]\naetna = [['discipline']]\n",
}


@REFUSED
@pytest.mark.parametrize("name", TOMLS)
def test_a_hostile_audit_toml_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(AuditError):
        config.settled(config.read(written(tmp_path / "audit.toml", TOMLS[name])))


@REFUSED
def test_other_workbooks_are_looked_at_as_well(tmp_path: Path) -> None:
    far = workbook(tmp_path / "far.xlsx", iter(()), far="XFD1048576")
    for opening in (book.read, lambda path: reference.load([path], tmp_path / "reference")):
        with pytest.raises(AuditError, match="places lie before it"):
            opening(far)
    with zipfile.ZipFile(tmp_path / "official.zip", "w") as archive:
        archive.write(far, "mue_practitioner.xlsx")
    with pytest.raises(AuditError, match="places lie before it"):
        reference.load([tmp_path / "official.zip"], tmp_path / "reference")
    with pytest.raises(AuditError, match="places lie before it"):
        load(far, kind="reviews")


TOLD = {"generated_at": "2026-04-01", "run": {"inputs": {}}, "settings": {}}
MANIFESTS: dict[str, tuple[str, str]] = {
    "brackets": ("[" * 100_000, "this is no report folder"),
    "a pair of other keys": (
        json.dumps(TOLD | {"settings": {"pairs": [{"plan": "cigna", "drop": 1}]}}),
        "does not say how to run it again",
    ),
    "a name of 5,000 letters": (
        json.dumps(TOLD | {"run": {"inputs": {"claims": {"claims.csv": "a" * 5_000}}}}),
        "does not say how to run it again",
    ),
}


@REFUSED
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_hostile_manifest_is_refused(tmp_path: Path, name: str) -> None:
    text, words = MANIFESTS[name]
    written(tmp_path / "findings.parquet", "PAR1PAR1")
    written(tmp_path / "manifest.json", text)
    days = {"period_start": "2026-03-01", "period_end": "2026-03-31"}
    written(tmp_path / "summary.json", json.dumps({"period": "2026-03"} | days))
    with pytest.raises(AuditError, match=words):
        verify.verify(tmp_path)


# Rows ------------------------------------------------------------------------------------------------------------

READ = ""  # the row is loaded
CELLS: dict[str, list[tuple[str, str]]] = {
    "day": [
        ("0000-01-01", "outside 1990 to 2100"), ("0001-01-01", "outside 1990 to 2100"),
        ("1989-12-31", "outside 1990 to 2100"), ("1990-01-01", READ), ("2100-12-31", READ),
        ("2101-01-01", "outside 1990 to 2100"), ("9999-12-31", "outside 1990 to 2100"),
        ("10000-01-01", "no date"), ("-2026-01-01", "no date"), ("2026-02-30", "no date"), ("2026-13-01", "no date"),
        ("infinity", "no date"), ("epoch", "no date"), ("now", "no date"), ("today", "no date"),
        ("NaN", "service_date is empty"), ("99999999999999999999", "no date"), ("2026-03-02T25:61:61", READ),
        ("\u0662\u0660\u0662\u0666-03-02", "no date"),
    ],
    "units": [
        ("9999", READ), ("10000", "not a whole number"), ("1000000000000", "not a whole number"),
        ("1e12", "not a whole number"), ("-1", "not a whole number"), ("inf", "not a whole number"),
        ("1.5", "not a whole number"), ("0x10", "not a whole number"), ("99999999999999999999999999", "not a whole"),
        ("²", "not a whole number"), ("\u0661", "not a whole number"),
    ],
    "charge": [
        ("-5", READ), ("(5.00)", READ), ("-0", READ), ("9999999999.99", READ), ("99999999999.99", "not an amount"),
        ("inf", "not an amount"), ("-inf", "not an amount"), ("1e308", "not an amount"), ("--5", "not an amount"),
        ("1.2.3", "not an amount"), ("0x1f", "not an amount"), ("\u0665", "not an amount"),
    ],
    "modifier": [("'; DROP TABLE claim_line; --", "a modifier is not two"), ("=1+1", "a modifier is not two")],
    "code": [("'; DROP TABLE claim_line; --", "no procedure code in it"), ("97530'--", READ)],
    "payer": [
        ("'; DROP TABLE claim_line; --", READ), ("=HYPERLINK(1)", READ), ("<script>alert(1)</script>", READ),
        ("x\0y", "a NUL character stands in the row"), ("\x1b[2J", READ), ("A" * 100_000, READ),
    ],
    "claim": [("../../../etc/passwd", READ), ("' OR '1'='1", READ), ("a\0b", "a NUL character stands in the row")],
    "patient": [("NULL", "patient_id is empty"), ("\u202e\u200f", "patient_id is empty"), ("P' OR '1'='1", READ)],
}  # fmt: skip


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """What became of each cell of CELLS, all of one file."""
    path = tmp_path_factory.mktemp("cells") / "claims.csv"
    tried = [(column, value) for column, values in CELLS.items() for value, _ in values]
    written(path, HEADER + "".join(claim(n, **{column: value}) for n, (column, value) in enumerate(tried)))
    counts, refused = load(path)
    assert counts[0] == len(tried)
    reasons = {row: reason for row, _, reason in refused}
    return {one: reasons.get(n + 2, READ) for n, one in enumerate(tried)}


@ROWS
@pytest.mark.parametrize(
    ("column", "value", "words"),
    [(column, value, words) for column, values in CELLS.items() for value, words in values],
    ids=lambda text: text[:20].encode("unicode_escape").decode(),
)
def test_a_hostile_cell(cells: dict[tuple[str, str], str], column: str, value: str, words: str) -> None:
    reason = cells[column, value]
    assert words in reason
    assert bool(words) == bool(reason)
    assert len(value) < 5 or value not in reason


GOOD = '{"Claim":"C1","Patient ID":"P1","DOS":"2026-03-02","CPT":"97530","Units":1'


@ROWS
@pytest.mark.parametrize(
    ("name", "content", "counts"),
    [
        ("headers.csv", HEADER.replace("Payer", "Payer'); DROP TABLE claim_line; --") + claim(), (1, 1, 0)),
        ("headers.csv", HEADER.replace("Mod 1", '"x"" UNION SELECT 1; --"') + claim(), (1, 1, 0)),
        ("headers.csv", HEADER.replace("Payer", "Pay\0er\u202e") + claim(), (1, 1, 0)),
        ("latin.csv", (HEADER + claim()).encode() + b"C2,1,P\xff\xfe,A,2026-03-02,97530,GP,1,1,1\n", (2, 2, 0)),
        ("ragged.csv", HEADER + claim() + "C2,1\n" + claim(3).strip() + ",,,,\n", (3, 1, 2)),
        ("keys.jsonl", GOOD + ',"a\\"\\\\\'b":1,"$..*":2,"x\\u0000y":3,"\\\\":4}', (1, 1, 0)),
        ("nan.jsonl", GOOD + '}\n{"Claim":NaN}\n', (1, 1, 0)),
        ("nul.jsonl", GOOD.replace("C1", "C\\u0000") + "}\n", (1, 0, 1)),
        ("lone.jsonl", GOOD + '}\n"\\ud800"\n', (2, 1, 1)),
    ],
)  # fmt: skip
def test_a_hostile_header_or_line(tmp_path: Path, name: str, content: str | bytes, counts: tuple[int, ...]) -> None:
    found, _ = load(written(tmp_path / name, content))
    assert found == counts


@ROWS
def test_direction_marks_are_no_part_of_a_value(tmp_path: Path) -> None:
    for name in ("claims.csv", "claims.jsonl"):
        marked = {
            "Claim": "C1",
            "Patient ID": "\u2067P\u202e1\u2069",
            "DOS": "2026-03-02",
            "CPT": "97530",
            "Units": "1",
        }
        lines = [",".join(marked), ",".join(marked.values())] if name.endswith("csv") else [json.dumps(marked)]
        path = written(tmp_path / name, "\n".join(lines) + "\n")
        with engine.connect(threads=1) as con:
            engine.create_tables(con)
            intake.load(con, intake.Inputs({"claims": (str(path),)}))
            assert con.execute("SELECT patient_id FROM claim_line").fetchall() == [("P1",)]


# What comes out ----------------------------------------------------------------------------------------------------

TEXTS = [
    '=HYPERLINK("http://198.51.100.1")', "+1+1", "-2+3", "@SUM(A1)", "\uff1d1+1", "<script>alert(1)</script>",
    "</script><script>alert(1)//", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "{{ 7 * 7 }}",
    "{% raw %}", "javascript:alert(1)", "../../../../etc/passwd", "'; DROP TABLE claim_line; --", "\x1b[2J\x1b]0;x\x07",
    "\u202e\u2067drawrof", "%s%n", "${x}", "]]>", "<!--", "&lt;b&gt;",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pipeline.Result:
    """One audit of claims, notes and clinicians whose every text is one of TEXTS, with note text in the report."""
    folder = tmp_path_factory.mktemp("hostile")
    names = ["Claim", "Line", "Patient ID", "Payer", "DOS", "CPT", "Mod 1", "Units", "Charge", "Allowed", "NPI"]
    rows: list[list[str]] = [names]
    notes = [["Note ID", "Patient ID", "DOS", "CPT", "Minutes", "NPI", "Discipline", "Note"]]
    for n, text in enumerate(TEXTS):
        npi = f"1{n:09}"
        rows.append([text, "1", f"P{text}", text, "2026-03-02", "97530", "", "9999", "-5", "9999999.99", npi])
        notes.append([text, f"P{text}", "2026-03-02", "97530", "10", npi, "PT", f"{text} walked; {text}"])
    providers = [["NPI", "Provider Name", "Credential"], *([f"1{n:09}", text, "PT"] for n, text in enumerate(TEXTS))]
    for name, table in (("=claims<b>.csv", rows), ("notes.csv", notes), ("providers.csv", providers)):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(table)
    chosen = config.Config(
        inputs={
            "claims": (str(folder / "=claims<b>.csv"),),
            "notes": (str(folder / "notes.csv"),),
            "providers": (str(folder / "providers.csv"),),
        },
        payers={"*": "medicare_part_b"},
        output=folder / "reports" / "report",
        quality="warn",
        with_text=True,
    )
    return pipeline.run(chosen)


class Elements(HTMLParser):
    """Collects what a browser would make elements and handlers of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def page_is_safe(text: str) -> None:
    found = Elements()
    found.feed(text)
    assert not found.handlers
    assert not found.tags & {"img", "iframe", "object", "embed", "base"}
    ours = re.compile(r"https://|#|letter-|[a-z_]+[.](csv|parquet|xlsx)$")  # the files beside the page
    assert all(map(ours.match, found.links))
    assert "Content-Security-Policy" in text
    assert "<script>alert" not in text
    assert "\x1b" not in text.replace("\\x1b", "")


@SHOWN
def test_the_report_holds_no_element_of_the_data(run: pipeline.Result) -> None:
    text = (run.folder / "report.html").read_text(encoding="utf-8")
    page_is_safe(text)
    data = text[text.index('id="data"') :] if 'id="data"' in text else text[text.rindex("<script") :]
    assert "\\u003cscript>alert(1)" in data


@SHOWN
@pytest.mark.parametrize(
    "name",
    ["findings", "documentation", "clinician_profiles", "denials", "risk", "reconciliation", "coverage", "quarantine"],
)
def test_a_csv_holds_no_formula(run: pipeline.Result, name: str) -> None:
    with (run.folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) > 1 or name in ("denials", "quarantine")
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r", "\uff1d")), cell
        assert not cell.startswith("-") or float(cell) < 0


@SHOWN
def test_the_workbook_holds_no_formula(run: pipeline.Result) -> None:
    kinds = set()
    for sheet in load_workbook(run.folder / "findings.xlsx"):
        for cell in (cell for row in sheet.iter_rows() for cell in row):
            kinds.add(cell.data_type)
            if cell.data_type == "s":
                assert not str(cell.value).startswith(("=", "+", "-", "@", "\uff1d")), cell.value
            assert cell.hyperlink is None
    assert "f" not in kinds


@SHOWN
@pytest.mark.parametrize("command", ["letters", "summary", "workpaper", "sample"])
def test_what_goes_to_people_is_as_safe(
    run: pipeline.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {
        "letters": ["letters", str(run.folder), "--with-text"],
        "summary": ["summary", str(run.folder)],
        "workpaper": ["workpaper", TEXTS[5], str(run.folder), "--with-text"],
        "sample": ["sample", str(run.folder), "--size", "5", "--seed", "1", "--amount", "allowed"],
    }[command]
    monkeypatch.setattr("sys.argv", ["therapy-audit", *asked])
    main()
    pages = list(tmp_path.rglob("*.html"))
    assert pages
    for page in pages:
        page_is_safe(page.read_text(encoding="utf-8"))
    if command == "sample":
        for line in csv.reader((tmp_path / "sample" / "frame.csv").read_text(encoding="utf-8").splitlines()):
            assert not any(cell.startswith(("=", "+", "@")) for cell in line)


@SHOWN
def test_a_terminal_is_told_nothing_that_it_obeys(
    run: pipeline.Result, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
    assert found["inputs"][0]["source_file"] == "=claims<b>.csv"
    with engine.reading(run.folder / "audit.duckdb") as con:
        ids = con.execute("SELECT finding_id FROM finding WHERE contains(claim_id, chr(27)) LIMIT 3").fetchall()
    assert ids
    for (finding_id,) in ids:
        monkeypatch.setattr(
            "sys.argv", ["therapy-audit", "explain", finding_id, "--run", str(run.folder), "--with-text"]
        )
        main()
    told = capsys.readouterr().out
    assert "]0;x" in told
    assert "\x1b" not in told
    assert "\u202e" not in told


@PATHS
def test_only_the_report_was_written(run: pipeline.Result) -> None:
    parent = run.folder.parent
    assert sorted(path.name for path in parent.iterdir()) == [".report.lock", "report"]
    assert sorted(path.name for path in parent.parent.iterdir()) == [
        "=claims<b>.csv",
        "notes.csv",
        "providers.csv",
        "reports",
    ]
    allowed = {"html", "xlsx", "csv", "parquet", "json", "duckdb", ""}
    assert {path.name.rpartition(".")[2] if "." in path.name else "" for path in run.folder.iterdir()} <= allowed


@ROWS
def test_every_hostile_row_is_accounted_for(run: pipeline.Result) -> None:
    for one in json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))["inputs"]:
        assert one["rows_in"] == len(TEXTS)
        assert one["rows_in"] == one["rows_loaded"] + one["rows_quarantined"]


@SHOWN
def test_a_csv_is_as_duckdb_would_write_it(tmp_path: Path) -> None:
    """Exports leave through Arrow; what reads them shall see no difference."""
    texts = [*TEXTS, "", " ", ",", '"', '""', "a\nb", "a\rb", "a\r\nb", "#", "NULL", "é", "a;b", "\t"]
    with engine.connect(threads=1) as con:
        con.execute(
            "CREATE TABLE cell AS SELECT unnest($1::VARCHAR[]) AS text, NULL::VARCHAR AS nothing,"
            " 1.50::DECIMAL(8, 2) AS d, DATE '2026-03-02' AS day, TRUE AS yes, ['GP', 'K,X'] AS list,"
            " 0.1::DOUBLE AS f, 12::HUGEINT AS h",
            [texts],
        )
        con.execute(f"COPY (FROM cell ORDER BY text) TO '{tmp_path}/duckdb.csv' (FORMAT csv, HEADER)")
        tables.write_rows(con, "SELECT * FROM cell ORDER BY text", tmp_path / "ours.csv")
        tables.write_rows(con, "SELECT * FROM cell ORDER BY text", tmp_path / "ours.parquet")
        same = con.execute(
            f"SELECT count(*) FROM (FROM cell EXCEPT ALL FROM read_parquet('{tmp_path}/ours.parquet'))"
        ).fetchall()
    assert same == [(0,)]
    assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "duckdb.csv").read_bytes()


# Links -------------------------------------------------------------------------------------------------------------


@PATHS
def test_a_link_is_no_report_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "report").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError, match="this is a symbolic link"), pipeline.replaced(tmp_path / "report"):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


@PATHS
@pytest.mark.parametrize("name", [".report.building", ".report.previous", "report.refused"])
def test_a_link_in_place_of_a_folder_of_ours_is_removed_and_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("kept")
    (tmp_path / name).symlink_to(tmp_path / "precious")
    with pipeline.replaced(tmp_path / "report") as building:
        (building / "manifest.json").write_text("{}")
    assert (tmp_path / "precious" / "file").read_text() == "kept"
    assert (tmp_path / "report" / "manifest.json").is_file()
    assert not (tmp_path / name).is_symlink()


@PATHS
def test_rules_of_ones_own_are_files_with_plain_names(tmp_path: Path) -> None:
    folder = tmp_path / "my_rules"
    folder.mkdir()
    (folder / "linked.sql").symlink_to("/etc/passwd")
    with pytest.raises(AuditError, match=r"linked\.sql: this is a symbolic link; put the file itself"):
        rules.load(folder)
    (folder / "linked.sql").unlink()
    for name in ("x'; DROP TABLE rule; --.yaml", "a b.sql", "..yaml"):
        written(folder / name, "title: x\n")
        with pytest.raises(AuditError, match="name it with letters, digits, _ and - only"):
            rules.load(folder)
        (folder / name).unlink()


# SQL ---------------------------------------------------------------------------------------------------------------

RULE = """\
title: A rule that reaches out
severity: error
direction: compliance
grain: line
plans: ["*"]
effective_from: 2020-01-01
message: "x"
references: [{title: none}]
"""
READING = "SELECT claim_id, claim_line_number, 0.00 AS amount_at_risk FROM in_scope($rule)"
SQL = {
    "a text": (READING + " WHERE EXISTS (SELECT * FROM read_text('/etc/hostname'))", "its SQL reaches for a file"),
    "a CSV": (READING + " CROSS JOIN read_csv('/etc/hostname')", "its SQL reaches for a file"),
    "Parquet": (READING + " CROSS JOIN 'x.parquet'", "its SQL reaches for a file"),
    "the names of files": (READING + " CROSS JOIN glob('/etc/*')", "its SQL reaches for a file"),
    "a web page": (
        READING + " CROSS JOIN read_csv('https://198.51.100.1/x.csv')",
        "its SQL reaches for a file",
    ),
    "what is written": (f"COPY ({READING}) TO 'x.csv'", "its SQL must be one SELECT"),
    "two statements": (f"{READING}; SELECT 1", "its SQL must be one SELECT"),
    "what closes our parenthesis": (f"{READING}); DROP TABLE rule; SELECT * FROM (SELECT 1", "its SQL or a condition"),
    "a setting": ("SET threads = 1", "its SQL must be one SELECT"),
    "another database": ("ATTACH 'x.duckdb'", "its SQL must be one SELECT"),
    "an extension": ("INSTALL httpfs", "its SQL must be one SELECT"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each rule of SQL, all tried at once; one more has its SQL in a condition of its YAML."""
    folder = tmp_path_factory.mktemp("own") / "my_rules"
    folder.mkdir()
    for number, (sql, _) in enumerate(SQL.values()):
        written(folder / f"r{number:02}.yaml", RULE)
        written(folder / f"r{number:02}.sql", f"-- x, read by in_scope($rule)\n{sql}\n")
    for name, line in {
        "applies": "applies_to: EXISTS (FROM read_text('/etc/hostname'))",
        "broken": "applies_to: 'TRUE); DROP TABLE rule; SELECT (1'",
        "requires": "requires: {\"units IS NULL THEN 'x' END; DROP TABLE rule; --\": no units}",
    }.items():
        written(folder / f"{name}.yaml", RULE + line + "\n")
        written(folder / f"{name}.sql", f"-- x\n{READING}\n")
    ruleset = rules.load(folder)
    with pytest.raises(AuditError) as caught:
        engine.try_own(ruleset)
    return {line.partition(":")[0].removeprefix("own."): line for line in str(caught.value).splitlines()}


@LOCKED
@pytest.mark.parametrize("name", SQL)
def test_a_rule_of_ones_own_reads_the_audits_tables_only(told: dict[str, str], name: str) -> None:
    assert SQL[name][1] in told[f"r{list(SQL).index(name):02}"]


@LOCKED
@pytest.mark.parametrize(
    ("name", "words"),
    [("applies", "its SQL reaches for a file"), ("broken", "one condition"), ("requires", "which is no column")],
)
def test_a_condition_of_ones_own_is_one_condition(told: dict[str, str], name: str, words: str) -> None:
    assert words in told[name]


@LOCKED
def test_where_it_is_run_all_the_same_it_is_an_error_and_no_pass() -> None:
    """As if it had not been tried before: on the data the rule fails, and says of what kind the failure was."""
    one = rules.rule("own.x", RULE, {"own.x": "-- x\n" + SQL["a text"][0]}, ["aetna"], (), "my_rules/x.yaml")
    with engine.connect() as con:
        engine.prepare(con, rules.RuleSet((one,), (), (), ()))
        con.execute("INSERT INTO audit_period VALUES (DATE '2026-01-01', DATE '2026-12-31', NULL)")
        engine.build_models(con)
        engine.lock(con)
        assert engine.run_rules(con, [one]) == {"own.x": "PermissionException"}
        assert con.execute("SELECT rule, findings, passed FROM coverage").fetchall() == [("own.x", 0, 0)]


OUTSIDE = [
    "FROM read_text('/etc/hostname')", "FROM read_csv('/etc/hostname')", "FROM glob('/etc/*')", "FROM '/etc/hostname'",
    "COPY (SELECT 1) TO 'x.csv'", "ATTACH 'x.duckdb'", "INSTALL httpfs", "LOAD httpfs", "SET threads = 1",
    "SET enable_external_access = true", "EXPORT DATABASE 'x'", "FROM read_blob('/proc/self/environ')",
    "FROM parquet_metadata('/etc/hostname')", "FROM sniff_csv('/etc/hostname')", "FROM read_json('/etc/hostname')",
    "COPY (SELECT 1) TO '/dev/stdout'", "FROM read_csv('https://198.51.100.1/x')", "CREATE SECRET x (TYPE s3)",
]  # fmt: skip


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A database on disk, locked as a run locks its own."""
    with engine.connect(tmp_path_factory.mktemp("locked") / "x.duckdb", threads=1, memory_limit="40MB") as con:
        engine.lock(con)
        yield con


@LOCKED
@pytest.mark.parametrize("sql", OUTSIDE)
def test_a_locked_database_reaches_nothing(closed: Any, sql: str) -> None:
    with pytest.raises(duckdb.Error):
        closed.execute(sql)


def test_a_locked_database_still_spills(closed: Any) -> None:
    closed.execute("CREATE TEMP TABLE much AS SELECT range, md5(range::VARCHAR) AS x FROM range(1_000_000) ORDER BY x")
    assert closed.execute("SELECT count(*) > 0 FROM duckdb_temporary_files()").fetchall() == [(True,)]
    assert closed.execute("SELECT count(*) FROM much").fetchall() == [(1_000_000,)]


@LOCKED
def test_a_report_from_elsewhere_reads_no_file_of_ours(tmp_path: Path) -> None:
    """Its database may hold a view of that name: our own SQL would run it."""
    folder = tmp_path / "report"
    folder.mkdir()
    with duckdb.connect(folder / "audit.duckdb") as con:
        con.execute("CREATE VIEW coverage AS SELECT content AS rule FROM read_text('/etc/hostname')")
    with ta.open(folder, locked=True) as audit, pytest.raises(duckdb.PermissionException):
        audit.coverage()
    with engine.reading(folder / "audit.duckdb") as con, pytest.raises(duckdb.PermissionException):
        con.execute("FROM coverage")
    with ta.open(folder) as first, ta.open(folder, locked=True) as second:  # a notebook's own comes first
        assert len(first.coverage()) == len(second.coverage()) == 1


# What is heard at once -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (["1/2/2026", "13/2/2026"], "service_date: read day first, as 1 rows prove"),
        (["13/2/2026", "14/2/2026", "2/13/2026"], "1 rows in the other order were refused"),
        (["1/2/2026", "2/13/2026"], ""),
    ],
)
def test_one_date_that_turns_a_column_is_said_at_once(tmp_path: Path, days: list[str], words: str) -> None:
    path = written(tmp_path / "claims.csv", HEADER + "".join(claim(n, day=day) for n, day in enumerate(days)))
    with engine.connect(threads=1) as con:
        engine.create_tables(con)
        intake.load(con, intake.Inputs({"claims": (str(path),)}))
        heard = pipeline.heard_at_once(con)
    assert words in "".join(heard)
    assert bool(heard) == bool(words)
