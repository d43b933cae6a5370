"""Each broken file of tests/errors gives one sentence: what is wrong, what would be right, and no value of it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from therapy_audit import intake
from therapy_audit.errors import AuditError
from therapy_audit.resources import folder

BROKEN = Path(__file__).parent / "errors"
GOOD = "Claim,Patient ID,DOS,CPT,Qty,Units\nC1,P1,2026-01-13,97110,1,1\n"
HEADERS_ARE = "its headers are 'Claim', 'Patient ID', 'DOS'"
WORDS = {
    "unknown_form.pdf": "this kind of file is not read; give CSV, TSV, Parquet, XLSX, JSON or JSONL",
    "empty.csv": "the file is empty; export it again with its header row",
    "blank.csv": "the file is empty; export it again with its header row",
    "required_header_missing.csv": f"{HEADERS_ARE}, 'Units'. Run `therapy-audit map required_header_missing.csv`",
    "header_row_missing.csv": "which claims must have; none of the 5 cells of its first row is a known header",
    "quotation_never_closed.csv": "a quotation mark is never closed, so that the rows below it cannot be told apart",
    "not_parquet.parquet": "the file is not readable as Parquet; export it again",
    "not_a_workbook.xlsx": "the workbook cannot be opened; save it again as XLSX, without a password",
    "workbook_empty.xlsx": "the workbook holds no rows; export it again with its header row",
    "workbook_without_claims.xlsx": f"#Visits: no header for hcpcs_code, which claims must have; {HEADERS_ARE}. Run",
    "no_objects.json": "no JSON object in it; give an array of objects or one object per line",
    "no_objects.jsonl": "no JSON object in it; give an array of objects or one object per line",
    "cut_off.csv.gz": "the file cannot be read (OSError); check that it is whole and that you may read it",
    "cut_off_utf16.csv": "the file cannot be read (UnicodeDecodeError); check that it is whole",
    "mapping_not_yaml.yaml": "line 3: the mapping is not valid YAML; `therapy-audit map FILE` writes one",
    "mapping_not_a_mapping.yaml": "a mapping is a YAML mapping with the keys input, match, columns, dates, ignore",
    "mapping_unknown_key.yaml": "unknown key 'colums'; a mapping's keys are input, match, columns, dates, ignore",
    "mapping_unknown_input.yaml": "'input' must be one of claims, notes, providers",
    "mapping_unknown_column.yaml": "'unitz' is not a column of claims; its columns are claim_id, claim_line_number",
    "mapping_several_headers.yaml": "'units' takes one header; several are read only for modifiers, diagnosis_codes",
    "mapping_date_of_no_date.yaml": "'dates' has 'units', which is not a date column",
    "mapping_header_not_in_file.yaml": "'units' is mapped to 'No Such Header', but the file has no such header",
    "mapping_columns_not_a_mapping.yaml": "'columns' and 'dates' each map contract columns to headers or date formats",
    "mapping_ignore_not_a_list.yaml": "'ignore' is a list of headers",
}


def error(tmp_path: Path, inputs: intake.Inputs) -> str:
    with duckdb.connect(tmp_path / "audit.duckdb", config={"threads": 1}) as con:
        con.execute((folder("sql") / "schema.sql").read_text(encoding="utf-8"))
        with pytest.raises(AuditError) as caught:
            intake.load(con, inputs)
        assert con.execute("SELECT database_name FROM duckdb_databases() WHERE NOT internal").fetchall() == [("audit",)]
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(path.name for path in BROKEN.iterdir()))
def test_broken_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "claims.csv").write_text(GOOD)
    is_mapping = name.endswith(".yaml")
    claims = tmp_path / "claims.csv" if is_mapping else BROKEN / name
    said = error(tmp_path, intake.Inputs({"claims": (str(claims),)}, (BROKEN / name,) if is_mapping else ()))
    assert WORDS[name] in said
    assert said.startswith((name, "workbook"))
    assert len(said.splitlines()) == 1
    assert not any(value in said for value in ("C1", "P1", "97110", "2026-01", str(BROKEN.parent)))


def test_every_message_has_its_file() -> None:
    assert set(WORDS) == {path.name for path in BROKEN.iterdir()}


def test_input_that_does_not_exist(tmp_path: Path) -> None:
    said = error(tmp_path, intake.Inputs({"claim": ("x.csv",)}))
    assert said.startswith("'claim' is not an input; the inputs are claims, notes, providers, plans_of_care, ")


def test_glob_that_matches_nothing(tmp_path: Path) -> None:
    assert (
        error(tmp_path, intake.Inputs({"claims": (str(tmp_path / "*.csv"),)}))
        == "claims: '*.csv' matches no file; check the path."
    )


def test_proposal_of_an_unknown_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(AuditError, match="no header of it is known; say which input it is: claims, notes"):
        intake.propose(tmp_path / "x.csv")


NOTES = "Note ID,Patient ID,DOS,CPT,Minutes,Start Time,Stop Time,Credential\nN1,P1,2026-01-13,97110,15,09:00,09:15,PT\n"
BILLED = "Claim,Line,Patient ID,DOS,CPT,Units,Payer,Charge,Allowed,POS\nC1,1,P1,2026-01-13,97110,1,MEDICARE,80,29,11\n"


@pytest.mark.parametrize(
    ("given", "content", "held", "flag"),
    [("claims", NOTES, "notes", "--notes"), ("notes", BILLED, "claims", "--claims")],
)
def test_a_file_of_another_input_is_refused(tmp_path: Path, given: str, content: str, held: str, flag: str) -> None:
    for name, text in (("claims.csv", GOOD), ("given.csv", content)):
        (tmp_path / name).write_text(text)
    files = {"claims": (str(tmp_path / "claims.csv"),)} | {given: (str(tmp_path / "given.csv"),)}
    assert error(tmp_path, intake.Inputs(files)) == (
        f"given.csv: by its headers this file holds {held}, not {given}; give it with {flag}, "
        "or name its columns in a mapping."
    )


def test_a_combined_export_may_be_given_as_both(tmp_path: Path) -> None:
    (tmp_path / "both.csv").write_text(
        "Note ID,Patient ID,DOS,CPT,Minutes,Start Time,Stop Time,Credential,Units\n"
        "N1,P1,2026-01-13,97110,15,09:00,09:15,PT,1\n"
    )
    with duckdb.connect(tmp_path / "audit.duckdb", config={"threads": 1}) as con:
        con.execute((folder("sql") / "schema.sql").read_text(encoding="utf-8"))
        intake.load(con, intake.Inputs({name: (str(tmp_path / "both.csv"),) for name in ("claims", "notes")}))
        loaded = con.execute("SELECT (SELECT count(*) FROM claim_line), (SELECT count(*) FROM visit_note)").fetchall()
    assert loaded == [(1, 1)]
