"""Files of every form load to the same contract rows, and every row is accounted for."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pytest
import xlsxwriter

from therapy_audit import intake
from therapy_audit.errors import AuditError
from therapy_audit.intake import read
from therapy_audit.resources import folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = (
    "claim_id, claim_line_number, patient_id, payer, service_date, hcpcs_code, modifiers, units, charge_amount, "
    "allowed_amount"
)


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(tmp_path / "audit.duckdb", config={"threads": 1}) as connection:
        connection.execute((folder("sql") / "schema.sql").read_text(encoding="utf-8"))
        yield connection


def load(con: duckdb.DuckDBPyConnection, tmp_path: Path, mapping: str = "", **texts: str | bytes) -> None:
    """Load one text per input kind, as <kind>.csv."""
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "mapping.yaml").write_text(mapping)
    mappings = (tmp_path / "mapping.yaml",) if mapping else ()
    intake.load(con, intake.Inputs({name: (str(tmp_path / f"{name}.csv"),) for name in texts}, mappings))


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    return con.execute(query).fetchall()


def column(con: duckdb.DuckDBPyConnection, name: str, table: str = "claim_line") -> list[object]:
    return [value for (value,) in rows(con, f"SELECT {name} FROM {table} ORDER BY source_row, rowid")]


def refused(con: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return rows(con, "SELECT source_row, column_name, value_class FROM quarantine ORDER BY source_row")


def reconciles(con: duckdb.DuckDBPyConnection) -> bool:
    return rows(con, "FROM intake_file WHERE rows_in <> rows_loaded + rows_quarantined") == []


def notices(con: duckdb.DuckDBPyConnection) -> str:
    return " | ".join(str(notice) for (notice,) in rows(con, "SELECT unnest(notices) FROM intake_file"))


HEADER = [
    "Claim #",
    "Patient Name",
    "Acct #",
    "DOS",
    "CPT",
    "Mod 1",
    "Mod 2",
    "Units",
    "Charges",
    "Allowed",
    "Insurance",
]
TABLE = [
    ["C1", "Zoe", "P1", "2026-01-13", "97110", "GP", "KX", "2", "100.00", "60.50", "Medicare Part B"],
    ["C1", "Zoe", "P1", "2026-01-13", "97140", "GP", "59", "1", "1050.00", "40.00", "Medicare Part B"],
    ["C2", "Yann", "P2", "2026-01-14", "97530", "GO", "", "1", "55.25", "", "Aetna"],
]
EXPECTED = [
    (
        "C1",
        1,
        "P1",
        "Medicare Part B",
        date(2026, 1, 13),
        "97110",
        ["GP", "KX"],
        2,
        Decimal("100.00"),
        Decimal("60.50"),
    ),
    (
        "C1",
        2,
        "P1",
        "Medicare Part B",
        date(2026, 1, 13),
        "97140",
        ["GP", "59"],
        1,
        Decimal("1050.00"),
        Decimal("40.00"),
    ),
    ("C2", 1, "P2", "Aetna", date(2026, 1, 14), "97530", ["GO"], 1, Decimal("55.25"), None),
]


def delimited(delimiter: str, records: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(records)
    return text.getvalue()


def write(form: str, path: Path) -> None:
    records = [HEADER, *TABLE]
    text = delimited(",", records)
    objects = [dict(zip(HEADER, row, strict=True)) for row in TABLE]
    match form:
        case "csv":
            path.write_text(text)
        case "csv.gz":
            path.write_bytes(gzip.compress(text.encode()))
        case "tsv":
            path.write_text(delimited("\t", records))
        case "txt":
            path.write_text(delimited("|", records))
        case "semicolon.csv":
            path.write_text(delimited(";", records))
        case "bom.csv":
            path.write_text(text, encoding="utf-8-sig")
        case "utf16.csv":
            path.write_text(text, encoding="utf-16")
        case "utf16le.csv":
            path.write_text(text, encoding="utf-16-le")
        case "cp1252.csv":
            path.write_text(text.replace("Zoe", "Zoë"), encoding="cp1252")
        case "cr.csv":
            path.write_bytes(text.replace("\r\n", "\r").encode())
        case "title.csv":
            path.write_text(f"Report generated 2026-02-01\r\nAll clinics, all payers\r\n{text}\r\n,,,,,,,,,,\r\n\r\n")
        case "spaces.csv":
            path.write_text(delimited(",", [[f" {cell}\u00a0" for cell in record] for record in records]))
        case "trailing.csv":
            path.write_text(text.replace("\r\n", ",\r\n").replace(",\r\n", "\r\n", 1))
        case "parquet":
            values = ", ".join("(" + ", ".join(f"'{cell}'" for cell in row) + ")" for row in TABLE)
            names = ", ".join(f'"{name}"' for name in HEADER)
            with duckdb.connect() as con:
                con.execute(
                    "COPY (SELECT * REPLACE (DOS::DATE AS DOS, Units::DOUBLE AS Units) "
                    f"FROM (VALUES {values}) t({names})) TO '{path}'"
                )
        case "xlsx":
            with xlsxwriter.Workbook(path) as book:
                book.add_worksheet("About").write_row(0, 0, ["Nothing to see"])
                sheet = book.add_worksheet("Lines")
                sheet.write_row(0, 0, HEADER)
                day = book.add_format({"num_format": "mm/dd/yyyy"})
                for number, row in enumerate(TABLE, 1):
                    for place, cell in enumerate(row):
                        if HEADER[place] == "DOS":
                            sheet.write_datetime(number, place, date.fromisoformat(cell), day)
                        elif cell.replace(".", "").isdigit():
                            sheet.write_number(number, place, float(cell))
                        else:
                            sheet.write(number, place, cell)
        case "json":
            path.write_text(json.dumps({"exported": ["2026-02-01"], "claims": objects}))
        case "jsonl":
            path.write_text("\n".join(map(json.dumps, objects)) + "\n\n")
        case "nested.json":
            claims = [
                {key: value for key, value in objects[start].items() if key in HEADER[:4] + HEADER[10:]}
                | {"lines": [{key: one[key] for key in HEADER[4:10]} for one in objects[start:end]]}
                for start, end in ((0, 2), (2, 3))
            ]
            path.write_text(json.dumps(claims))
        case "lists.csv":
            visits = [
                [
                    "C1",
                    "Zoe",
                    "P1",
                    "2026-01-13",
                    "{97110,97140}",
                    "GP,KX;GP,59",
                    "",
                    "{2,1}",
                    "100.00;1050.00",
                    "60.50;40.00",
                    "Medicare Part B",
                ],
                TABLE[2],
            ]
            path.write_text(delimited(",", [HEADER, *visits]))


FORMS = [
    "csv", "csv.gz", "tsv", "txt", "semicolon.csv", "bom.csv", "utf16.csv", "utf16le.csv", "cp1252.csv", "cr.csv",
    "title.csv", "spaces.csv", "trailing.csv", "parquet", "xlsx", "json", "jsonl", "nested.json", "lists.csv",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_loads_the_same_rows(con: duckdb.DuckDBPyConnection, tmp_path: Path, form: str) -> None:
    write(form, tmp_path / f"export.{form}")
    intake.load(con, intake.Inputs({"claims": (str(tmp_path / "export.*"),)}))
    assert rows(con, f"SELECT {LINE} FROM claim_line ORDER BY 1, 2") == EXPECTED
    assert rows(con, "FROM quarantine") == []
    assert reconciles(con)
    ((source_file, sha256, byte_count),) = con.execute(
        "SELECT source_file, sha256, byte_count FROM intake_file"
    ).fetchall()
    assert source_file == f"export.{form}" + ("#Lines" if form == "xlsx" else "")
    assert (len(sha256), byte_count) == (64, (tmp_path / f"export.{form}").stat().st_size)
    assert "Zo" not in str(rows(con, "FROM claim_line"))


def test_source_row_is_the_row_of_the_spreadsheet(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    text = (
        'title\nClaim,Patient ID,DOS,CPT,Note\n1,P,2026-01-01,97110,"two\nlines"\n\n2,P,2026-01-02\n,,\n,,,,\n'
        '3,P,2026-01-03,97110,5" step\n4,P,2026-01-04,97110,x,y\n5,P,2026-01-05,97110,z'
    )
    load(con, tmp_path, claims=text)
    assert rows(con, "SELECT claim_id, source_row FROM claim_line ORDER BY 1") == [("1", 3), ("3", 8), ("5", 10)]
    assert rows(con, "SELECT source_row, reason FROM quarantine ORDER BY 1") == [
        (5, "the row has 3 fields where the header has 5; quote fields that hold the delimiter"),
        (9, "the row has 6 fields where the header has 5; quote fields that hold the delimiter"),
    ]
    assert rows(con, "SELECT rows_in, rows_loaded, rows_quarantined FROM intake_file") == [(5, 3, 2)]


def cells(name: str, *values: str) -> str:
    """Return a claim export with one row per value of one column; each row is another claim."""
    defaults = {
        "Claim": "",
        "Patient ID": "P1",
        "DOS": "2026-01-13",
        "CPT": "97110",
        "Mods": "GP",
        "Units": "1",
        "Charge": "10",
    }
    defaults.setdefault(name, "")
    lines = [defaults | {"Claim": f"C{number}", name: value} for number, value in enumerate(values)]
    return delimited("|", [list(defaults), *(list(line.values()) for line in lines)]).replace("\r\n", "\n")


CODE_CELLS = {
    "97110.": ("97110", ["GP"]),
    " 97110-GP": ("97110", ["GP"]),
    "CPT 97110": ("97110", ["GP"]),
    "97110 - some description, each 15 min": ("97110", ["GP"]),
    "97110.0": ("97110", ["GP"]),
    "97140-59": ("97140", ["GP", "59"]),
    "97140:GP:59 Manual therapy": ("97140", ["GP", "59"]),
    "97110KX": ("97110", ["GP", "KX"]),
    "97110 KX": ("97110", ["GP", "KX"]),
    "97110 TE": ("97110", ["GP"]),  # an abbreviation of the exercise, not a modifier
    "Therapeutic exercise (97110)": ("97110", ["GP"]),
    "g0283": ("G0283", ["GP"]),
    "0552T": ("0552T", ["GP"]),
}


def test_code_cells(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims=cells("CPT", *CODE_CELLS))
    found = rows(con, "SELECT hcpcs_code, modifiers FROM claim_line ORDER BY source_row")
    assert dict(zip(CODE_CELLS, found, strict=True)) == CODE_CELLS


CODE_LISTS = [
    "{97110,97140}",
    "[97110; 97140]",
    "97110 97140",
    '["97110","97140"]',
    "97110/97140",
    "97110 - a, 97140 - b",
]


def test_code_lists(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims=cells("CPT", *CODE_LISTS).replace("|1|10", "|2;1|30"))
    found = rows(
        con,
        "SELECT claim_line_number, hcpcs_code, modifiers, units, charge_amount FROM claim_line ORDER BY source_row, 1",
    )
    assert found == [(1, "97110", ["GP"], 2, None), (2, "97140", ["GP"], 1, None)] * len(CODE_LISTS)
    assert "charge_amount: a single value for several codes in 6 rows" in notices(con)


def test_units_beside_codes(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims=cells("CPT", "97110 x2, 97140 (1)", "97110 X 2; 97140 x1").replace("|1|10", "||30"))
    assert column(con, "units") == [2, 1, 2, 1]


def test_codes_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims=cells("CPT", "", "exercise", "971101", "97110, see also 97112", "1234"))
    assert [place for _, place, _ in refused(con)] == ["hcpcs_code"] * 5
    assert reconciles(con)


def test_single_units_for_several_codes_are_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims=cells("CPT", "97110;97140", "97110"))
    assert refused(con) == [(2, "units", "digits")]
    assert column(con, "hcpcs_code") == ["97110"]


@pytest.mark.parametrize(
    ("name", "contract", "values", "expected"),
    [
        (
            "Mods",
            "modifiers",
            ["GP,KX", "GP KX", "GPKX", "{gp,59.0}", "00", "", "59.0"],
            [["GP", "KX"]] * 3 + [["GP", "59"], [], [], ["59"]],
        ),
        ("Units", "units", ["2", "2.0", " 2 units", "0", ""], [2, 2, 2, 0, None]),
        (
            "Charge",
            "charge_amount",
            ["$1,234.50", "(12.00)", "-12.00", "12", ""],
            [Decimal(x) for x in ("1234.50", "-12.00", "-12.00", "12")] + [None],
        ),
        ("Rendering NPI", "rendering_npi", ["1234567893.0", "123"], ["1234567893", "123"]),
        (
            "Discipline",
            "discipline",
            ["Physical Therapy", "ot", "ST", "PT - Outpatient", "chiropractic"],
            ["PT", "OT", "SLP", "PT", None],
        ),
        ("Dx 1", "diagnosis_codes", ["M54.5, m25.511", ""], [["M54.5", "M25.511"], []]),
        ("Acct #", "patient_id", ["1001.0"], ["P1"]),
    ],
)
def test_cells(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, contract: str, values: list[str], expected: list[object]
) -> None:
    load(con, tmp_path, claims=cells(name, *values))
    assert column(con, contract) == expected
    assert refused(con) == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Mods", ["G", "GP,KXX"]),
        ("Units", ["-1", "1.5", "10000", "1,2", "x"]),
        ("Charge", ["abc", "1.2.3", "99999999999"]),
        ("DOS", ["", "soon", "2026-02-30", "1950-01-01"]),
    ],
)
def test_cells_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, values: list[str]) -> None:
    load(con, tmp_path, claims=cells(name, *values))
    assert rows(con, "FROM claim_line") == []
    assert rows(con, "SELECT rows_in, rows_quarantined FROM intake_file") == [(len(values), len(values))]
    assert not any(
        value and len(value) > 3 and value in str(rows(con, "SELECT reason FROM quarantine")) for value in values
    )


@pytest.mark.parametrize(
    ("values", "expected", "told"),
    [
        (["2026-01-05", "20260105", "2026/1/5", "2026-01-05T10:00:00Z", "2026-01-05 00:00:00"], date(2026, 1, 5), ""),
        (
            ["Jan 5, 2026", "05-Jan-2026", "5 January 2026", "Mon, Jan 5, 2026", "05JAN26", "46027"],
            date(2026, 1, 5),
            "",
        ),
        (["1/5/2026", "01/05/26", "1-5-2026", "1/5/2026 3:45 PM"], date(2026, 1, 5), "month first; no row proves it"),
        (["5.1.2026", "05.01.26"], date(2026, 1, 5), "day first, as dates with dots"),
    ],
)
def test_dates(con: duckdb.DuckDBPyConnection, tmp_path: Path, values: list[str], expected: date, told: str) -> None:
    load(con, tmp_path, claims=cells("DOS", *values))
    assert column(con, "service_date") == [expected] * len(values)
    assert told in notices(con)


def test_one_order_of_day_and_month_per_column(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims=cells("DOS", "5/1/2026", "13/1/2026", "14/1/2026", "1/15/2026"))
    # 5/1 could be read either way where both orders are proven: it is refused, not guessed.
    assert column(con, "service_date") == [date(2026, 1, 13), date(2026, 1, 14)]
    assert refused(con) == [(2, "service_date", "date"), (5, "service_date", "date")]
    assert "read day first, as 2 rows prove; 1 rows in the other order were refused" in notices(con)


def test_dates_that_either_order_reads_follow_the_rows_that_prove_one(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    load(con, tmp_path, claims=cells("DOS", "5/1/2026", "13/1/2026"))
    assert column(con, "service_date") == [date(2026, 1, 5), date(2026, 1, 13)]


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_ROWS", 1)
    monkeypatch.setattr(read, "_BLOCK", 512)
    monkeypatch.setattr(read, "_BATCH", 3)


@pytest.mark.parametrize(("later", "day_first"), [("1/2/2026", False), ("25/1/2026", True), ("1/25/2026", False)])
def test_dates_of_all_batches_are_read_in_the_order_that_any_of_them_proves(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: str, *, day_first: bool
) -> None:
    small_batches(monkeypatch)
    load(con, tmp_path, claims=cells("DOS", *["5/1/2026"] * 40, later))
    assert set(column(con, "service_date")[:40]) == {date(2026, 1, 5) if day_first else date(2026, 5, 1)}
    assert rows(con, "SELECT rows_in, rows_loaded FROM intake_file") == [(41, 41)]


@pytest.mark.parametrize("form", ["csv", "jsonl", "xlsx"])
def test_batches_give_what_the_whole_file_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    header = ["Note ID", "Patient ID", "DOS", "Discipline", "CPT", "Minutes", "Start Time", "Note", "Objective"]
    kinds = [
        ["PT", "97110", "15", "9:00", "Said 'fine',\nand left", ""],
        ["ot", "97110, 97530", "10;20", "9:05", '5" step, "cued"', "as ever"],
        ["unheard of", "97110;97140", "30", "never", "", "é"],
        ["PT", "", "x", "", "No code", "NULL"],
    ]
    records = [
        [f"N{n // 2}", f"P{n // 2 % 7}", f"2026-01-{n % 2 + 1 if n % 50 == 0 else 5:02d}", *kinds[n % 4]]
        for n in range(60)
    ]
    records = [*records, records[3], records[40], ["", *records[5][1:]]]
    path = tmp_path / f"notes.{form}"
    if form == "csv":
        text = delimited(",", [header, *records]).replace('"5"" step, ""cued"""', '5" step')
        path.write_text(text + "N1,P1,2026-01-05,PT,97110,15,,,,too,many\n\n")
    elif form == "jsonl":
        path.write_text("\n".join(json.dumps(dict(zip(header, record, strict=True))) for record in records))
    else:
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for number, record in enumerate([header, *records]):
                sheet.write_row(number, 0, record)
    found = []
    for name in ("whole", "batches"):
        if name == "batches":
            small_batches(monkeypatch)
        with duckdb.connect(tmp_path / name) as other:
            other.execute((folder("sql") / "schema.sql").read_text(encoding="utf-8"))
            intake.load(other, intake.Inputs({"notes": (str(path),)}, ()))
            tables = ("visit_note", "note_service", "quarantine", "intake_file")
            found.append([rows(other, f"SELECT * FROM {table} ORDER BY ALL") for table in tables])
    assert found[0] == found[1]
    assert all(found[0])


def test_a_mapping_says_the_date_form(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, "input: claims\ndates: {service_date: '%d/%m/%Y'}\n", claims=cells("DOS", "5/1/2026"))
    assert column(con, "service_date") == [date(2026, 1, 5)]


def test_a_mapping_places_headers(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    mapping = "input: claims\nmatch: claims*.csv\ncolumns: {units: How Many, modifiers: [A, B]}\nignore: [Charge]\n"
    load(
        con, tmp_path, mapping, claims="Patient ID,DOS,CPT,Units,How Many,A,B,Charge\nP,2026-01-01,97110,9,2,GP,KX,5\n"
    )
    assert rows(con, "SELECT units, modifiers, charge_amount FROM claim_line") == [(2, ["GP", "KX"], None)]


def test_duplicates_and_used_keys(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    header = "Claim,Line,Patient ID,DOS,CPT,Units\n"
    (tmp_path / "a.csv").write_text(
        header
        + "C1,1,P,2026-01-01,97110,1\nC1,1,P,2026-01-01,97110,1\nC1,1,P,2026-01-01,97110,2\nC2,1,P,2026-01-01,97110,1\n"
    )
    (tmp_path / "b.csv").write_text(
        header
        + "C1,1,P,1/1/2026,97110,1.0\nC3,,P,2026-01-01,97110,1\nC3,,P,2026-01-01,97140,1\nC3,,P,2026-01-01,97140,1\n"
    )
    intake.load(con, intake.Inputs({"claims": (str(tmp_path / "*.csv"), str(tmp_path / "a.csv"))}))
    assert rows(con, "SELECT claim_id, claim_line_number, hcpcs_code FROM claim_line ORDER BY ALL") == [
        ("C1", 1, "97110"), ("C2", 1, "97110"), ("C3", 1, "97110"), ("C3", 2, "97140"),
    ]  # fmt: skip
    assert rows(con, "SELECT source_file, source_row, reason FROM quarantine ORDER BY ALL") == [
        ("a.csv", 3, "exact duplicate of a.csv row 2"),
        ("a.csv", 4, "claim and line number already used by a.csv row 2, with other content"),
        ("b.csv", 2, "exact duplicate of a.csv row 2"),
        ("b.csv", 5, "exact duplicate of b.csv row 4"),
    ]
    assert reconciles(con)


def test_missing_claim_id_and_numbers_are_made(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims="MRN,DOS,CPT\nP,2026-01-01,97110\nP,2026-01-01,97140\nP,2026-01-02,97110\n")
    assert rows(con, "SELECT claim_id, claim_line_number FROM claim_line ORDER BY source_row") == [
        ("P-20260101", 1),
        ("P-20260101", 2),
        ("P-20260102", 1),
    ]


NOTES = """Note ID,MRN,Visit Date,Discipline,CPT,Minutes,Note Type,Assist Level,Subjective,Assessment,\
Total Timed Minutes,Intervention,Start Time,Credential,Signed Date
N1,P1,2026-01-13,PT,97110,23,Daily Note,CGA,ok,good,38,therex,2:05 PM,"PT, DPT",2026-01-13 15:01:00
N1,P1,2026-01-13,PT,97140,0:15,Daily Note,Min A x2,ok,good,,manual,,PT,
N2,P1,2026-01-15,OT,97110; 97530,38,PN,blah,s,a,,x,,COTA/L,
N3,P1,2026-01-15,OT,,,Discharge Summary,,s,a,,,,Orthotist,
N3,P2,2026-01-15,OT,,,Discharge Summary,,s,a,,,,,
,P4,2026-01-16,OT,97530,15,Re-Eval,Mod I,,,,,,,
"""


def test_notes(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, notes=NOTES)
    assert rows(
        con,
        "SELECT note_id, note_type, total_timed_minutes, clinician_credential, signed_date, text, source_row "
        "FROM visit_note ORDER BY source_row",
    ) == [
        ("N1", "daily", 38, "PT", date(2026, 1, 13), "ok\ngood", 2),
        ("N2", "progress_report", 38, "OTA", None, "s\na", 4),
        ("N3", "discharge", None, "ORTHOTIST", None, "s\na", 5),
        ("P4-20260116-OT", "reevaluation", None, None, None, None, 7),
    ]
    assert rows(
        con,
        "SELECT note_id, service_number, hcpcs_code, minutes, start_time, assist_level, text "
        "FROM note_service ORDER BY 1, 2",
    ) == [
        ("N1", 1, "97110", 23, time(14, 5), "contact_guard", "therex"),
        ("N1", 2, "97140", 15, None, "minimal", "manual"),
        ("N2", 1, "97110", None, None, None, "x"),
        ("N2", 2, "97530", None, None, None, "x"),
        ("P4-20260116-OT", 1, "97530", 15, None, "modified_independent", None),
    ]
    assert rows(con, "SELECT source_row, reason FROM quarantine") == [
        (6, "the note has another patient or date in notes.csv row 5")
    ]
    assert "assist_level: a wording that is not known in 2 rows" in notices(con)
    assert reconciles(con)


def test_other_inputs(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(
        con,
        tmp_path,
        providers='NPI,Name,Title\n1234567893.0,Z,"PT, DPT"\n',
        plans_of_care="Patient ID,Cert Start,Cert End,MD Signature Date\nP1,1/13/2026,4/12/2026,\n",
        authorizations="Auth #,MRN,From,To,Authorized Visits\nA1,P1,2026-01-01,2026-03-31,12\n",
        opening_balances='Patient ID,Year,Pool,Amount Used\nP1,2026,PT/SLP,"$1,200.00"\nP1,2026,dental,1\n',
        remittances="Check #,Claim #,CPT,Mod 1,Paid,"
        "Adj Group 1,Adj Reason 1,Adj Amount 1,Adj Group 2,Adj Reason 2,Adj Amount 2\n"
        "77,C1,97110,GP,30.00,CO,45,12.00,PR,2,7.50\n77,C1,97140,GP,10.00,,,,,CO-97,5\n",
    )
    assert rows(con, "SELECT npi, credential FROM provider") == [("1234567893", "PT")]
    assert rows(con, "SELECT plan_of_care_id, start_date, end_date, certified_date FROM plan_of_care") == [
        ("P1-20260113", date(2026, 1, 13), date(2026, 4, 12), None)
    ]
    assert rows(con, 'SELECT authorization_id, visits_authorized FROM "authorization"') == [("A1", 12)]
    assert rows(con, "SELECT pool, amount FROM patient_opening_balance") == [("PT+SLP", Decimal("1200.00"))]
    assert rows(con, "SELECT remittance_line_number, hcpcs_code, paid_amount FROM remittance_line ORDER BY 1") == [
        (1, "97110", Decimal(30)),
        (2, "97140", Decimal(10)),
    ]
    adjustments = "remittance_line_number, adjustment_number, group_code, reason_code, amount"
    assert rows(con, f"SELECT {adjustments} FROM remittance_adjustment ORDER BY 1, 2") == [
        (1, 1, "CO", "45", Decimal(12)), (1, 2, "PR", "2", Decimal("7.50")), (2, 1, "CO", "97", Decimal(5)),
    ]  # fmt: skip
    assert refused(con) == [(3, "pool", "letters")]
    assert reconciles(con)


def test_adjustments_in_one_cell(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, remittances="Claim ID,Adjustments\nC1,CO-45:12.00;PR-2:20.00\nC2,nothing\n")
    assert rows(con, "SELECT group_code, reason_code, amount FROM remittance_adjustment ORDER BY 1") == [
        ("CO", "45", Decimal(12)),
        ("PR", "2", Decimal(20)),
    ]
    assert refused(con) == [(3, "adjustments", "letters")]


def test_adjustments_in_one_cell_stand_before_columns_beside_it(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    header = "remittance_id,claim_id,adjustments,adjustment_reason_code,adjustment_amount"
    load(con, tmp_path, remittances=f"{header}\nR1,C1,CO-45:12.00,45,12.00\n")
    assert rows(con, "SELECT group_code, reason_code, amount FROM remittance_adjustment") == [
        ("CO", "45", Decimal("12.00"))
    ]


def test_bad_json_lines_are_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    services = '[{"cpt": "97110", "minutes": 15}, {"cpt": "97140", "minutes": 10}]'
    good = f'{{"mrn": "P1", "dos": "2026-01-13", "services": {services}}}'
    (tmp_path / "notes.jsonl").write_text(
        f'{good}\n{{"mrn": \n\n[1]\n{{"mrn": "P2", "dos": "2026-01-14", "services": []}}\n'
    )
    intake.load(con, intake.Inputs({"notes": (str(tmp_path / "notes.jsonl"),)}))
    assert rows(con, "SELECT note_id, hcpcs_code, minutes FROM note_service ORDER BY 2") == [
        ("P1-20260113", "97110", 15),
        ("P1-20260113", "97140", 10),
    ]
    assert column(con, "source_row", "visit_note") == [1, 5]
    assert [row for row, *_ in refused(con)] == [2, 4]
    assert rows(con, "SELECT rows_in, rows_loaded FROM intake_file") == [(4, 2)]


def test_files_of_one_name_stay_apart(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for folder_name, claim in (("north", "C1"), ("south", "C2")):
        (tmp_path / folder_name).mkdir()
        (tmp_path / folder_name / "claims.csv").write_text(f"Claim,MRN,DOS,CPT\n{claim},P,2026-01-01,97110\n")
    intake.load(con, intake.Inputs({"claims": (str(tmp_path / "*" / "claims.csv"),)}))
    assert rows(con, "SELECT source_file FROM intake_file ORDER BY 1") == [("claims.csv",), ("south/claims.csv",)]


def test_nothing_of_the_intake_stays_behind(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims=cells("CPT", "97110"))
    assert rows(con, "SELECT database_name FROM duckdb_databases() WHERE NOT internal") == [("audit",)]
    assert not list(tmp_path.glob(".intake*"))


def test_a_proposed_mapping_loads(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "export_2026-01.csv"
    path.write_text("Claim,Patient Name,MRN,DOS,CPT Cod,Unitz,Zebra\nC1,Zoe,P1,1/13/2026,97110,2,x\n")
    text = intake.propose(path, "claims")
    assert 'match: "export_*.csv"' in text
    assert '# hcpcs_code: REQUIRED, no header found; nearest: "CPT Cod"' in text
    assert '# could not be placed: "Unitz"; perhaps units' in text
    assert 'ignore: ["Patient Name"]' in text
    load(
        con,
        tmp_path,
        text.replace("columns:\n", 'columns:\n  hcpcs_code: "CPT Cod"\n').replace(path.stem[:7], "cla"),
        claims=path.read_text(),
    )
    assert column(con, "hcpcs_code") == ["97110"]


def test_a_proposal_guesses_the_input_and_shows_rows(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(NOTES)
    text = intake.propose(tmp_path / "x.csv")
    assert "input: notes" in text
    assert "#   note_id=N1, patient_id=P1, service_date=2026-01-13" in text
    assert "text=ok good" in text
    assert all(
        not line or line.startswith(("#", " ", "input:", "match:", "columns:", "ignore:")) for line in text.splitlines()
    )


def test_all_bad_files_are_named_at_once(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Claim,MRN\nC1,P1\n")
    (tmp_path / "b.pdf").write_text("x")
    with pytest.raises(AuditError) as caught:
        intake.load(
            con,
            intake.Inputs(
                {"claims": (str(tmp_path / "a.csv"), str(tmp_path / "b.pdf"), "none/*.csv"), "notes": ("no.csv",)}
            ),
        )
    assert len(str(caught.value).splitlines()) == 4


def test_a_year_has_four_digits(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    claims = "Claim,MRN,DOS,CPT\nC1,P,2026-01-01,97110\n"
    load(con, tmp_path, claims=claims, opening_balances="MRN,Year,Pool,Amount\nP,26,OT,100\nP,2026,OT,100\n")
    assert rows(con, "SELECT year FROM patient_opening_balance") == [(2026,)]
    assert [name for _, name, _ in refused(con)] == ["year"]
