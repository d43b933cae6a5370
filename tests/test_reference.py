"""Official tables: told by their content, read whole, kept atomically, put over the shipped ones, refused in words."""

from __future__ import annotations

import csv
import io
import multiprocessing
import zipfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import xlsxwriter
from click.testing import CliRunner

import therapy_audit as ta
from therapy_audit import config, engine, pipeline, reference, resources
from therapy_audit.cli import cli
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# Layouts as downloaded; codes are real, dates and values are made up.
PTP_HEADER = [
    ["A notice of copyright", "", "", "", "", "", ""],
    ["A title", "", "", "", "", "", ""],
    ["Column 1", "Column 2", "*=older", "First", "Last", "Modifier", "Why"],
    ["", "", "than that", "day", "day", "0=no", ""],
    ["", "", "", "", "*=none", "1=yes", ""],
    ["", "", "", "", "", "9=neither", ""],
]
EDITS = [
    ["00100", "36000", "*", "19960101", "*", "1", "not therapy"],
    ["97140", "97530", "", "20150101", "20191231", "1", "M\x92s \xa7"],
    ["97530", "97116", "", "20200101", "20200101", "9", "withdrawn"],
    ["97530", "97116", "", "20201001", "*", "1", ""],
    ["97140", "97124", "", "20201001", "*", "0", ""],
    ["97110", "97112", "", "20210101", "20210101", "1", "never in force"],
]
FEES_TITLE = "2026 National Physician Fee Schedule Relative Value File July Release"
GPCI_HEADER = [
    "Medicare Administrative Contractor (MAC)", "State", "Locality Number", "Locality Name",
    "2027 PW GPCI (without 1.0 Floor)", "2027 PW GPCI (with 1.0 Floor)***", "2027 PE GPCI", "2027 MP GPCI",
]  # fmt: skip
CLAIMS = """\
Claim ID,Line,Patient ID,Payer,DOS,CPT,Modifiers,Units,Charge,Allowed
C1,1,P1,MEDICARE,8/3/2026,97530,GP,1,80,30
C1,2,P1,MEDICARE,8/3/2026,97116,GP,1,80,30
"""


def ptp(edits: Sequence[Sequence[str]] = EDITS) -> bytes:
    return "".join("\t".join(row) + "\r\n" for row in [*PTP_HEADER, *edits]).encode("latin-1")


def text(rows: Sequence[Sequence[str]]) -> bytes:
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode("latin-1")


def mue(services: str = "Practitioner Services", units: str = "7") -> bytes:
    return text(
        [
            ["A notice of\n\ncopyright, over lines", "", "", ""],
            ["HCPCS/\nCPT Code", f"{services} MUE Values", "MUE Adjudication Indicator", "MUE Rationale"],
            ["0001U", "1", "2 by day", "-"],
            ["97110", units, "3 by day, too", "-"],
            ["G0283", "1", "2 by day", "-"],
        ]
    )


def fees(title: str = FEES_TITLE, work: str = "0.50", factor: str = "33.4009", *, inserted: bool = False) -> bytes:
    """The stacked header, with a column before the others where a year has one more."""
    header = [
        ["", "", title], ["", "", "RELEASED 06/30/2026"],
        ["", "", "", "", "NOT USED", "", "", "", "", "", "", ""],
        ["", "", "", "", "FOR", "", "", "NON-FAC", "", "", "", ""],
        ["", "", "", "STATUS", "MEDICARE", "WORK", "NON-FAC", "NA", "FACILITY", "MP", "MULT", "CONV"],
        ["HCPCS", "MOD", "DESCRIPTION", "CODE", "PAYMENT", "RVU", "PE RVU", "INDICATOR", "PE RVU", "RVU", "PROC"],
    ]  # fmt: skip
    header[-1].append("FACTOR")
    rows = [
        ["00100", "", "-", "J", "", "0.00", "0.00", "", "0.00", "0.00", "9", factor],
        ["97110", "", "-", "A", "", work, "0.40", "", "9.99", "0.01", "5", factor],
        ["97110", "26", "-", "A", "", "9.99", "9.99", "", "9.99", "0.01", "5", factor],
        ["20560", "", "-", "A", "", "0.32", "0.43", "", "9.99", "0.03", "0", factor],
    ]
    if inserted:
        header, rows = ([[*row[:3], "", *row[3:]] for row in part] for part in (header, rows))
    return text([*header, *rows])


def gpci(header: Sequence[str] = GPCI_HEADER) -> bytes:
    rows = [
        ["ADDENDUM E. FINAL CY 2027 INDICES BY MEDICARE LOCALITY"], [""], header,
        ["10112", "AL", "00", "ALABAMA", "0.980", "1.000", "0.900", "0.600"],
        ["02102", "AK", "01", "ALASKA*", "1.500", "1.500", "1.100", "0.500"],
        [""], ["* A footnote on the floor, 1.0 of 2027"],
    ]  # fmt: skip
    return text(rows)


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return path


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def workbook(path: Path, rows: Sequence[Sequence[str]], *, numbers: bool = True) -> Path:
    """Write rows as Excel keeps them: what looks like a number is one, and loses its leading noughts."""
    with xlsxwriter.Workbook(str(path), {"strings_to_numbers": numbers}) as book:
        book.add_worksheet("Readme").write(0, 0, "nothing here")
        sheet = book.add_worksheet("Table")
        for n, row in enumerate(rows):
            sheet.write_row(n, 0, row)
    return path


def rows_of(folder: Path, table: str, where: str = "true") -> list[Any]:
    with engine.connect() as con:
        engine.prepare_codes(con, folder)
        return con.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY ALL").fetchall()


def refused(files: Path | Sequence[Path], folder: Path, **given: Any) -> str:
    with pytest.raises(AuditError) as caught:
        reference.load([files] if isinstance(files, Path) else files, folder, **given)
    assert str(caught.value).endswith(".")
    assert not folder.exists() or not [path for path in folder.iterdir() if path.name != ".lock"]
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "reference"


def test_ptp_replaces_the_setting_it_is_for(tmp_path: Path, folder: Path) -> None:
    file = put(tmp_path / "ccipra-v322r0-f1.TXT", ptp())
    (one,) = reference.load([file], folder)
    assert (one.edition.edition, one.edition.covers_from, one.edition.covers_to) == (
        "2026 Q3 (v322)", date(1996, 1, 1), date(2026, 9, 30),
    )  # fmt: skip
    assert (one.rows_in, one.edition.rows) == (6, 3)
    far = date(9999, 12, 31)
    assert rows_of(folder, "ncci_pair", "setting = 'practitioner'") == [
        ("practitioner", "97140", "97124", 0, date(2020, 10, 1), far),
        ("practitioner", "97140", "97530", 1, date(2015, 1, 1), date(2019, 12, 31)),
        ("practitioner", "97530", "97116", 1, date(2020, 10, 1), far),
    ]
    assert len(rows_of(folder, "ncci_pair", "setting = 'hospital'")) > 1000
    assert rows_of(folder, "reference_edition", "reference = 'ncci_pair' AND setting = 'practitioner'")[0][2:5] == (
        "2026 Q3 (v322)", date(1996, 1, 1), date(2026, 9, 30),
    )  # fmt: skip
    twin = resources.parsed((folder / "ncci_pair.practitioner.yaml").read_text(encoding="utf-8"))
    assert {"setting", "title", "source", "edition", "covers", "official_file", "licence", "files"} <= set(twin)
    assert [(item["name"], item["rows_in"], item["rows_kept"]) for item in twin["files"]] == [(file.name, 6, 3)]
    assert b"rationale" not in (folder / "ncci_pair.practitioner.parquet").read_bytes()
    assert [path.name for path in folder.iterdir() if path.name[0] == "."] == [".lock"]


def test_all_keeps_every_code(tmp_path: Path, folder: Path) -> None:
    (one,) = reference.load([put(tmp_path / "ccioph-v322r0-f1.txt", ptp())], folder, everything=True)
    assert (one.edition.setting, one.edition.rows) == ("hospital", 4)
    assert ("hospital", "00100", "36000") in {row[:3] for row in rows_of(folder, "ncci_pair")}


def test_parts_load_together_from_zips_and_the_text_is_preferred(tmp_path: Path, folder: Path) -> None:
    book = workbook(tmp_path / "book.xlsx", [["not", "read"]]).read_bytes()
    name = "medicare-ncci-2026q3-practitioner-ptp-edits-ccipra-v322r0-f{}.zip"
    files = [
        zipped(
            tmp_path / name.format(part),
            **{f"ccipra-v322r0-f{part}__TXT": ptp(EDITS[part : part + 1]), f"ccipra-v322r0-f{part}__xlsx": book},
        )
        for part in (1, 3, 4)
    ]
    (one,) = reference.load(files, folder)
    assert (one.rows_in, one.edition.rows) == (3, 3)
    assert [notice for notice in one.notices if "f1, f3, f4, not f2" in notice]
    (one,) = reference.load([zipped(tmp_path / "f2.zip", **{"ccipra-v322r0-f2__txt": ptp(EDITS[:5])}), *files], folder)
    assert not one.notices
    # Rows that two parts share count once.
    assert one.edition.rows == len(rows_of(folder, "ncci_pair", "setting = 'practitioner'"))


def test_text_workbook_and_zip_give_the_same_tables(tmp_path: Path, folder: Path) -> None:
    content = {"ccipra-v322r0-f1": ptp(), "MCR_MUE_Eff_07-01-2026": mue(), "PPRRVU26": fees(), "GPCI": gpci()}
    files: dict[str, list[Path]] = {"text": [], "workbook": [], "zip": []}
    for name, given in content.items():
        lines = io.StringIO(given.decode("latin-1"), newline="")
        rows = [*csv.reader(lines, delimiter="\t" if name.startswith("cci") else ",")]
        files["text"].append(put(tmp_path / f"{name}.txt", given))
        files["workbook"].append(workbook(tmp_path / f"{name}.xlsx", rows))
        inner = workbook(tmp_path / "inner.xlsx", rows, numbers=False).read_bytes()
        files["zip"].append(zipped(tmp_path / f"{name}.zip", **{f"{name}__xlsx": inner}))
    found = []
    for form, given_files in files.items():
        loaded = reference.load(given_files, folder / form, everything=True)
        found.append([Path(str(one.edition.path)).read_bytes() for one in loaded])
    assert len(found[0]) == 4
    assert found[0] == found[1] == found[2]


def test_edits_that_cannot_be_read_are_counted(tmp_path: Path, folder: Path) -> None:
    broken = [*EDITS, ["97140", "97112", "", "20260231", "*", "1", ""], ["97140", "97", "", ""], ["9714"]]
    (one,) = reference.load([put(tmp_path / "ccipra-v322r0-f1.txt", ptp(broken))], folder)
    assert (one.rows_in, one.edition.rows) == (9, 3)
    assert [notice for notice in one.notices if "3 rows could not be read" in notice]


def test_changes_are_told_by_pair(tmp_path: Path, folder: Path) -> None:

    def load(edits: Sequence[Sequence[str]], version: str) -> reference.Loaded:
        return reference.load([put(tmp_path / f"ccipra-{version}r0-f1.txt", ptp(edits))], folder)[0]

    first = load(EDITS, "v321").changes
    assert first.before == "2024 Q3 (v302), shipped"
    after = [
        ["97140", "97530", "", "20150101", "20191231", "1", ""],
        ["97530", "97116", "", "20201001", "20260630", "1", ""],
        ["97140", "97124", "", "20201001", "*", "1", ""],
        ["97113", "97022", "", "20260701", "*", "1", ""],
    ]
    changes = load(after, "v322").changes
    assert (changes.added, changes.ended, changes.changed) == (1, 1, 1)
    assert changes.examples == (
        "97530 with 97116: ended 2026-06-30",
        "97140 with 97124: modifier indicator 0 to 1",
        "97113 with 97022: added",
    )
    assert changes.before == "2026 Q2 (v321), loaded"
    again = load(after, "v322").changes
    assert (again.added, again.ended, again.changed, again.examples) == (0, 0, 0, ())
    back = load(EDITS, "v321")
    assert [notice for notice in back.notices if "newer" in notice]


def test_same_files_give_the_same_bytes(tmp_path: Path, folder: Path) -> None:
    file = put(tmp_path / "ccipra-v322r0-f1.txt", ptp())
    for name in ("a", "b"):
        reference.load([file], folder / name, everything=True)
    for suffix in ("parquet", "yaml"):
        one, other = (folder / name / f"ncci_pair.practitioner.{suffix}" for name in ("a", "b"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("name", "edition", "last"),
    [
        ("ccipra-v300r0-f1.txt", "2024 Q1 (v300)", date(2024, 3, 31)),
        ("ccipra-v313r0-f1.txt", "2025 Q4 (v313)", date(2025, 12, 31)),
        ("ccipra-v320r1-f1.txt", "2026 Q1 (v320r1)", date(2026, 3, 31)),
        ("CCIPRA-V330R0-F1.TXT", "2027 Q1 (v330)", date(2027, 3, 31)),
        ("2026-q2 practitioner edits [1].txt", "2026 Q2", date(2026, 6, 30)),
    ],
)
def test_quarter_is_told_by_the_name(tmp_path: Path, folder: Path, name: str, edition: str, last: date) -> None:
    (one,) = reference.load([put(tmp_path / name, ptp())], folder)
    assert (one.edition.edition, one.edition.covers_to) == (edition, last)


def test_what_the_name_does_not_tell_is_asked_for(tmp_path: Path, folder: Path) -> None:
    file = put(tmp_path / "edits.txt", ptp())
    assert "--setting" in refused(file, folder)
    assert "--effective" in refused(file, folder, setting="hospital")
    (one,) = reference.load([file], folder, setting="hospital", effective=date(2026, 4, 1))
    assert (one.edition.name, one.edition.edition) == ("ncci_pair.hospital", "2026 Q2")


def test_mue_setting_is_told_by_the_header(tmp_path: Path, folder: Path) -> None:
    files = [
        put(tmp_path / "MCR_MUE_A_Eff_10-01-2026.csv", mue()),
        put(tmp_path / "MCR_MUE_B_Eff_10-01-2026.csv", mue("Outpatient Hospital Services", "3")),
    ]
    loaded = {one.edition.setting: one for one in reference.load(files, folder)}
    assert {one.edition.covers_to for one in loaded.values()} == {date(2026, 12, 31)}
    assert rows_of(folder, "mue", "hcpcs_code = '97110'") == [
        ("hospital", "97110", 3, 3, date(2026, 10, 1), date(9999, 12, 31)),
        # A quarter's table says nothing of those before it: what is shipped stays for them.
        ("hospital", "97110", 8, 3, date(2024, 7, 1), date(2026, 9, 30)),
        ("practitioner", "97110", 6, 3, date(2024, 7, 1), date(2026, 9, 30)),
        ("practitioner", "97110", 7, 3, date(2026, 10, 1), date(9999, 12, 31)),
    ]
    assert not rows_of(folder, "mue", "hcpcs_code = '0001U'")
    assert [words for words in loaded["practitioner"].changes.examples if words.startswith("97110: units 6 to 7")]


@pytest.mark.parametrize("inserted", [False, True])
def test_fee_schedule_columns_are_found_by_the_stacked_header(tmp_path: Path, folder: Path, inserted: bool) -> None:
    file = put(tmp_path / "PPRRVU2026_Jul_nonQPP.csv", fees(inserted=inserted))
    (one,) = reference.load([file], folder)
    assert (one.edition.name, one.edition.edition, one.rows_in) == ("relative_value.2026-07", "2026 July", 4)
    assert [[str(cell) for cell in row] for row in rows_of(folder, "relative_value", "year(effective_to) = 2026")] == [
        ["20560", "2026-01-01", "2026-12-31", "0.3200", "0.4300", "0.0300", "False", "33.4009"],
        ["97110", "2026-01-01", "2026-12-31", "0.5000", "0.4000", "0.0100", "True", "33.4009"],
    ]
    (edition,) = rows_of(folder, "reference_edition", "reference = 'relative_value'")
    assert edition[2:5] == ("2019 to 2025; 2026 July", date(2019, 1, 1), date(2026, 12, 31))


def test_releases_of_a_year_stand_from_their_month_and_the_first_from_january(tmp_path: Path, folder: Path) -> None:
    def started() -> list[str]:
        rows = rows_of(folder, "relative_value", "hcpcs_code = '97110' AND year(effective_to) = 2026")
        return [str(row[1]) for row in rows]

    (july,) = reference.load([put(tmp_path / "jul.csv", fees())], folder)
    assert (started(), july.edition.covers_from) == (["2026-01-01"], date(2026, 1, 1))
    reference.load([put(tmp_path / "jan.csv", fees(FEES_TITLE.replace("July", "January"), "0.45"))], folder)
    assert started() == ["2026-01-01", "2026-07-01"]
    (again,) = reference.load([put(tmp_path / "jul.csv", fees(work="0.46"))], folder)
    assert "97110: work 0.5 to 0.46" in again.changes.examples
    # 2025 is still the shipped one.
    assert rows_of(folder, "relative_value", "hcpcs_code = '97112' AND year(effective_from) = 2025")


def test_nonqpp_is_preferred_and_qpp_is_read_alone(tmp_path: Path, folder: Path) -> None:
    both = zipped(
        tmp_path / "RVU26C.zip",
        PPRRVU2026_Jul_QPP__csv=fees(factor="33.5675"),
        PPRRVU2026_Jul_nonQPP__csv=fees(),
        GPCI2026__csv=text(
            [[cell.replace("2027", "2026") for cell in GPCI_HEADER], ["1112", "CA", "5", "SF", *"1111"]]
        ),
        RVU26C__pdf=b"%PDF",
        **{"26LOCCO__csv": b"a,b\r\n1,2\r\n"},
    )
    loaded = reference.load([both], folder)
    assert [one.edition.name for one in loaded] == ["gpci.2026", "relative_value.2026-07"]
    factor = "SELECT DISTINCT conversion_factor FROM relative_value WHERE year(effective_to) = 2026"
    assert not loaded[1].notices
    with engine.connect() as con:
        engine.prepare_codes(con, folder)
        assert str(con.execute(factor).fetchall()) == "[(Decimal('33.4009'),)]"
        assert con.execute("SELECT locality FROM gpci ORDER BY ALL").fetchall() == [("01112-05",), ("national",)]
    (alone,) = reference.load([put(tmp_path / "PPRRVU2026_Jul_QPP.csv", fees(factor="33.5675"))], folder)
    assert alone.edition.edition == "2026 July (QPP)"
    assert [notice for notice in alone.notices if "qualifying" in notice]


def test_gpci_adds_its_year(tmp_path: Path, folder: Path) -> None:
    (one,) = reference.load([put(tmp_path / "any name.csv", gpci())], folder)
    assert (one.edition.name, one.rows_in, one.notices) == ("gpci.2027", 2, ())
    (alabama,) = rows_of(folder, "gpci", "locality = '10112-00' AND year(effective_from) = 2027")
    assert [str(cell) for cell in alabama[1:]] == [
        "Alabama", "2027-01-01", "2027-12-31", "1.000", "0.900", "0.600",
    ]  # fmt: skip
    assert rows_of(folder, "gpci", "locality = 'national'")
    assert len(rows_of(folder, "gpci", "year(effective_from) = 2026")) == 109
    assert rows_of(folder, "reference_edition", "reference = 'gpci'")[0][2:5] == (
        "2026; 2027", date(2026, 1, 1), date(2027, 12, 31),
    )  # fmt: skip


def truncated(path: Path) -> Path:
    whole = zipped(path, **{"ccipra-v322r0-f1__txt": ptp()}).read_bytes()
    return put(path, whole[: len(whole) // 2])


def hurt(path: Path) -> Path:
    whole = bytearray(zipped(path, **{"ccipra-v322r0-f1__txt": ptp()}).read_bytes())
    whole[60:90] = bytes(30)
    return put(path, bytes(whole))


def encrypted(path: Path) -> Path:
    whole = bytearray(zipped(path, **{"ccipra-v322r0-f1__txt": ptp()}).read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(mark) + place] |= 1
    return put(path, bytes(whole))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda to: to / "none.zip", "cannot be read"),
        (lambda to: to, "folder"),
        (lambda to: put(to / "ccipra-v322r0-f1.txt", b""), "empty"),
        (lambda to: put(to / "ccipra-v322r0-f1.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "neither text"),
        (lambda to: put(to / "claims.csv", CLAIMS.encode()), "this is not NCCI"),
        (lambda to: put(to / "ptp.zip", b"<!DOCTYPE html><html>"), "web page"),
        (lambda to: put(to / "ccipra-v322r0-f1.txt", ptp([])), "no row in it"),
        (lambda to: put(to / "ccipra-v322r0-f1.txt", ptp([["97140", "97530", "soon"]])), "no row in it"),
        (lambda to: put(to / "ccipra-v322r0-f1.txt", ptp(EDITS[:1])), "no therapy code"),
        (lambda to: zipped(to / "a.zip", notes__txt=b"hello"), "holds no table (notes.txt)"),
        (lambda to: zipped(to / "a.zip"), "holds no table"),
        (lambda to: truncated(to / "a.zip"), "cut short"),
        (lambda to: hurt(to / "a.zip"), "cut short"),
        (lambda to: encrypted(to / "a.zip"), "encrypted"),
        (lambda to: put(to / "a.xlsx", zipped(to / "b.zip", **{"xl/workbook__xml": b"x"}).read_bytes()), "workbook"),
        (lambda to: put(to / "MCR_MUE_Eff_07-01-2026.csv", mue("DME Supplier Services")), "DME"),
        (lambda to: put(to / "MCD_MUE_Eff_07-01-2026.csv", mue()), "Medicaid"),
        (lambda to: put(to / "mue.csv", mue()), "--effective"),
        (lambda to: put(to / "MCR_MUE_Eff_07-01-2026.csv", mue() + b'"' + b"x" * (1 << 25)), "quotation mark"),
        (lambda to: put(to / "a.csv", fees("2026 National Physician Fee Schedule")), "--effective"),
        (lambda to: put(to / "a.csv", fees().replace(b"MULT", b"MANY")), "no column for multiple procedure"),
    ],
)  # fmt: skip
def test_wrong_files_are_refused_in_a_sentence(tmp_path: Path, folder: Path, make: Any, words: str) -> None:
    assert words in refused(make(tmp_path), folder)


def test_one_wrong_file_of_several_loads_none(tmp_path: Path, folder: Path) -> None:
    good = put(tmp_path / "MCR_MUE_Eff_07-01-2026.csv", mue())
    other = put(tmp_path / "MCR_MUE_Eff_04-01-2026.csv", mue())
    assert "several editions" in refused([good, other], folder)
    # This one is found out only while it is read, after the first was written aside.
    refused([good, put(tmp_path / "ccipra-v322r0-f1.txt", ptp([]))], folder)


def test_damaged_or_foreign_tables_are_told_and_can_be_loaded_anew(tmp_path: Path, folder: Path) -> None:
    file = put(tmp_path / "ccipra-v322r0-f1.txt", ptp())
    reference.load([file], folder)
    table, twin = (folder / f"ncci_pair.practitioner.{suffix}" for suffix in ("parquet", "yaml"))
    whole = {path: path.read_bytes() for path in (table, twin)}
    for path, content in (
        (table, whole[table][:-9]), (table, b""), (twin, b"a: ["), (twin, b"\xff"), (twin, b"edition: 1"), (twin, None),
        (table, None), (folder / "mine.parquet", b"PAR1"), (folder / "mue.hospital.parquet", whole[table]),
    ):  # fmt: skip
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        with pytest.raises(AuditError, match=r"load the official file again|take it out of the folder"):
            reference.loaded_editions(folder)
        reference.load([file], folder) if path == table else path.unlink(missing_ok=True)
        for one, was in whole.items():
            assert path != table or one.read_bytes() == was
            one.write_bytes(was)
    for path in (table, twin):
        (folder / path.name.replace("practitioner", "hospital")).write_bytes(whole[path])
    with pytest.raises(AuditError, match=r"practitioner\.parquet|hospital\.parquet"):
        rows_of(folder, "ncci_pair")


def _load_in_a_process(file: Path, folder: Path) -> None:
    reference.load([file], folder)


def test_two_loads_at_once_do_no_harm(tmp_path: Path, folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    jobs = [
        context.Process(
            target=_load_in_a_process, args=(put(tmp_path / f"{name}-v322r0-f1.txt", ptp(EDITS * 500)), folder)
        )
        for name in ("ccipra", "ccipra", "ccioph")
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert [job.exitcode for job in jobs] == [0, 0, 0]
    assert [one.name for one in reference.loaded_editions(folder)] == ["ncci_pair.hospital", "ncci_pair.practitioner"]


def test_leftovers_of_a_killed_load_do_not_count(tmp_path: Path, folder: Path) -> None:
    (folder / ".loading").mkdir(parents=True)
    put(folder / ".loading" / "ncci_pair.practitioner.parquet", b"half")
    assert reference.loaded_editions(folder) == []
    reference.load([put(tmp_path / "ccipra-v322r0-f1.txt", ptp())], folder)
    assert not (folder / ".loading").exists()


def test_run_judges_by_the_loaded_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a [b] folder" / "reference"
    toml = folder.parent / "audit.toml"
    folder.parent.mkdir()
    put(folder.parent / "claims.csv", CLAIMS.encode())
    put(toml, b'output = "out"\n[inputs]\nclaims = "claims.csv"\n')
    ended = [[*edit[:4], "20260630", *edit[5:]] if edit[3] == "20201001" else edit for edit in EDITS]
    assert config.read(toml).reference is None

    def state(**given: Any) -> set[tuple[str, str]]:
        result = pipeline.run(pipeline.from_inputs(config.read(toml), **given))
        with ta.open(result.folder) as audit:
            return {
                (str(row["rule"]), str(row["reference_state"]))
                for _, row in audit.findings().iterrows()
                if "ncci_pair" in str(row["rule"])
            }

    # The shipped table has this pair until 2019 only.
    reference.load([put(tmp_path / "ccipra-v322r0-f1.txt", ptp())], folder)
    assert config.read(toml).reference == folder
    assert state() == {("medicare.ncci_pair_without_modifier", "current")}
    reference.load([put(tmp_path / "ccipra-v322r0-f1.txt", ptp(ended))], folder)
    # A folder in the current folder counts where none is beside audit.toml; one that was named must be there.
    (tmp_path / "elsewhere").mkdir()
    folder.rename(tmp_path / "elsewhere" / "reference")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert state() == set()
    with pytest.raises(AuditError, match="no such folder"):
        state(reference=tmp_path / "none")


def test_command_line_loads_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "ccipra-v322r0-f1.txt", ptp())
    put(tmp_path / "audit.toml", b'reference = "tables"\n')
    loaded = CliRunner().invoke(cli, ["reference", "load", "ccipra-v322r0-f1.txt"], catch_exceptions=False)
    assert loaded.exit_code == 0
    assert "ncci_pair.practitioner: 2026 Q3 (v322), covers 1996-01-01 to 2026-09-30" in loaded.output
    assert "6 rows read, 3 kept in" in loaded.output
    assert "Since 2024 Q3 (v302), shipped:" in loaded.output
    assert "Note: of ncci_pair.practitioner there is f1, not f2, f3, f4;" in loaded.output
    put(tmp_path / "tables" / "waiting.zip", b"")
    listed = CliRunner().invoke(cli, ["reference", "list"], catch_exceptions=False).output
    practitioner = next(line for line in listed.splitlines() if "2026 Q3 (v322)" in line)
    assert practitioner.split()[-3:] == ["3", "rows", "loaded"]
    assert sum(line.endswith("shipped") for line in listed.splitlines()) == 5
    assert "waiting.zip" in listed
    other = CliRunner().invoke(cli, ["reference", "list", "--folder", "none"])
    assert isinstance(other.exception, AuditError)


def test_official_excerpts_load(folder: Path) -> None:
    excerpts = Path(__file__).resolve().parents[2] / "shared" / "cms-formats"
    files = sorted(excerpts.glob("*.*"))
    if not files:
        pytest.skip("no excerpts of the official files here")
    loaded = {one.edition.name: one for one in reference.load(files, folder, everything=True)}
    assert {name: one.edition.rows for name, one in loaded.items()} == {
        "ncci_pair.practitioner": 5, "mue.practitioner": 4, "relative_value.2026-07": 3, "gpci.2026": 109,
    }  # fmt: skip
    assert loaded["gpci.2026"].changes.examples == ()
    assert not [notice for one in loaded.values() for notice in one.notices if "could not be read" in notice]
