"""The quality suites: what they find, what they never show, and that they stay on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from therapy_audit import quality, resources
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "CANARY"  # stands for whatever a patient's record holds
CONTRACT_TABLES = (
    *("claim_line", "visit_note", "note_service", "plan_of_care", "authorization", "provider"),
    *("patient_opening_balance", "remittance", "remittance_claim", "remittance_line", "remittance_adjustment"),
    *("remittance_remark", "remittance_provider_adjustment", "x12_imbalance", "x12_problem"),
    *("review", "quarantine", "intake_file"),
)
# One clean row per table; each case below replaces some columns of it.
CLEAN: dict[str, dict[str, Any]] = {
    "claim_line": {
        "claim_id": "C1",
        "claim_line_number": 1,
        "patient_id": "P1",
        "payer": "MEDICARE",
        "service_date": "2026-02-03",
        "hcpcs_code": "97110",
        "modifiers": ["GP", "59"],
        "units": 2,
        "charge_amount": 90,
        "allowed_amount": 60,
        "paid_amount": 48,
        "rendering_npi": "1234567893",
        "discipline": "PT",
        "diagnosis_codes": [],
        "claim_frequency_code": "1",
    },
    "visit_note": {
        "note_id": "N1",
        "patient_id": "P1",
        "service_date": "2026-02-03",
        "discipline": "PT",
        "note_type": "daily",
        "total_timed_minutes": 30,
        "total_minutes": 40,
        "signed_date": "2026-02-03",
    },
    "note_service": {
        "note_id": "N1",
        "service_number": 1,
        "patient_id": "P1",
        "service_date": "2026-02-03",
        "hcpcs_code": "97110",
        "minutes": 30,
        "assistant_minutes": 0,
        "start_time": "09:00",
        "stop_time": "09:30",
        "assist_level": "minimal",
        "cue_level": "none",
    },
    "plan_of_care": {
        "plan_of_care_id": "K1",
        "patient_id": "P1",
        "discipline": "PT",
        "start_date": "2026-01-01",
        "end_date": "2026-03-31",
    },
    "authorization": {
        "authorization_id": "A1",
        "patient_id": "P1",
        "discipline": "PT",
        "start_date": "2026-01-01",
        "end_date": "2026-03-31",
        "visits_authorized": 12,
        "units_authorized": 48,
    },
    "review": {"finding_id": "0123456789abcdef", "disposition": "confirmed"},
    "provider": {"npi": "1234567893", "discipline": "PT", "credential": "PT"},
    "patient_opening_balance": {"patient_id": "P1", "year": 2026, "pool": "PT+SLP", "amount": 100},
    "remittance": {"remittance_id": "R1", "payer": "MEDICARE", "paid_amount": 48, "paid_date": "2026-03-01"},
    "remittance_claim": {
        "remittance_id": "R1",
        "remittance_claim_number": 1,
        "claim_id": "C1",
        "claim_status_code": "1",
        "paid_amount": 48,
    },
    "remittance_remark": {"remittance_id": "R1", "remittance_claim_number": 1, "remark_code": "N640"},
    "remittance_provider_adjustment": {"remittance_id": "R1", "adjustment_number": 1, "amount": 5},
    "x12_imbalance": {"check_name": "payment", "remittance_id": "R1", "expected": 48, "found": 43},
    "x12_problem": {"code": "units", "sentence": "SVC05 is not a whole number of units."},
    "remittance_line": {
        "remittance_id": "R1",
        "remittance_line_number": 1,
        "claim_id": "C1",
        "service_date": "2026-02-03",
        "paid_date": "2026-03-01",
        "hcpcs_code": "97110",
        "modifiers": ["GP"],
        "units": 2,
        "paid_amount": 48,
    },
    "remittance_adjustment": {
        "remittance_id": "R1",
        "remittance_line_number": 1,
        "adjustment_number": 1,
        "group_code": "CO",
        "reason_code": "45",
        "amount": 30,
    },
    "intake_file": {
        "source_file": "claims.csv",
        "input": "claims",
        "sha256": "a",
        "byte_count": 1,
        "rows_in": 10,
        "rows_loaded": 9,
        "rows_quarantined": 1,
        "notices": [],
    },
    "quarantine": {"source_file": "claims.csv", "contract_table": "claim_line", "reason": "No date."},
}
Rows = dict[str, list[dict[str, Any]]]


def build(database: Path, rows: Rows) -> Path:
    """Fill a database with the contract tables; without NOT NULL, so that the suites stand on their own."""
    with duckdb.connect(str(database)) as con:
        schema = resources.folder("sql").joinpath("schema.sql").read_text(encoding="utf-8")
        for statement in duckdb.extract_statements(schema):
            if "CREATE TABLE" in statement.query:
                con.execute(statement.query.replace("NOT NULL", ""))
        for table in CONTRACT_TABLES:
            for number, row in enumerate(rows.get(table, []), start=2):
                place = {} if table == "intake_file" else {"source_file": "claims.csv", "source_row": number}
                given = place | row
                columns = ", ".join(given)
                con.execute(
                    f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join("?" * len(given))})', list(given.values())
                )
    return database


def failed(result: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(row["table"], row["check"], row["severity"]) for row in result["checks"] if not row["success"]}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    rows = {name: [row] for name, row in CLEAN.items()}
    return quality.check(build(tmp_path_factory.mktemp("clean") / "audit.duckdb", rows))


def test_clean_tables_pass_every_check(clean: dict[str, Any]) -> None:
    assert not failed(clean)
    assert clean["success"]
    assert clean["not_given"] == []


def test_every_contract_table_has_a_suite(clean: dict[str, Any]) -> None:
    assert set(CONTRACT_TABLES) <= set(clean["results"])
    for suite in quality.load():
        assert len(clean["results"][suite.table]["results"]) == len(suite.checks)


# Table, the changes that make its rows, and what must fail: suite and check, severity.
FAULTS: list[tuple[str, list[dict[str, Any]], str, str]] = [
    ("claim_line", [{}, {}], "claim_line.key_unique", "critical"),
    ("claim_line", [{"patient_id": None}], "claim_line.expect_column_values_to_not_be_null", "critical"),
    ("claim_line", [{"patient_id": ""}], "claim_line.expect_column_value_lengths_to_be_between", "critical"),
    ("claim_line", [{"discipline": CANARY}], "claim_line.expect_column_values_to_be_in_set", "critical"),
    ("claim_line", [{"claim_frequency_code": "5"}], "claim_line.expect_column_values_to_be_in_set", "warning"),
    ("claim_line", [{"modifiers": ["GP", "59X"]}], "claim_line.modifiers_two_characters", "warning"),
    ("claim_line", [{"modifiers": ["G", "P59"]}], "claim_line.modifiers_two_characters", "warning"),
    ("claim_line", [{"modifiers": [""]}], "claim_line.modifiers_two_characters", "warning"),
    ("claim_line", [{"hcpcs_code": CANARY}], "claim_line.hcpcs_code_shape", "warning"),
    ("claim_line", [{"hcpcs_code": CANARY}], "claim_line.hcpcs_codes_mostly_shaped", "critical"),
    ("claim_line", [{"service_date": "1926-02-03"}], "claim_line.service_date_plausible", "warning"),
    ("claim_line", [{"service_date": "2926-02-03"}], "claim_line.service_dates_mostly_plausible", "critical"),
    ("claim_line", [{"units": -1}], "claim_line.expect_column_values_to_be_between", "warning"),
    ("claim_line", [{"allowed_amount": -1}], "claim_line.expect_column_values_to_be_between", "warning"),
    ("claim_line", [{"rendering_npi": "1234567890"}], "npi.npi_check_digit", "warning"),
    ("claim_line", [{"rendering_npi": CANARY}], "npi.npi_shape", "warning"),
    ("claim_line", [{"rendering_npi": "1245319599"}], "npi.rendering_clinician_known", "info"),
    ("claim_line", [{"patient_id": "P2"}], "claim_visit.visits_have_notes", "warning"),
    ("claim_line", [{"patient_id": "P2"}], "visit_note.visit_was_billed", "info"),
    ("visit_note", [], "visit_note.expect_table_row_count_to_be_between", "warning"),
    ("visit_note", [{}, {}], "visit_note.key_unique", "critical"),
    ("visit_note", [{"note_type": CANARY}], "visit_note.expect_column_values_to_be_in_set", "critical"),
    ("visit_note", [{"service_date": "2025-02-03"}], "visit_note.dates_overlap_claims", "warning"),
    ("visit_note", [{"total_minutes": 1441}], "visit_note.expect_column_values_to_be_between", "warning"),
    (
        "visit_note",
        [{"total_timed_minutes": 41, "total_minutes": 40}],
        "visit_note.timed_minutes_within_total",
        "warning",
    ),
    ("visit_note", [{"signed_date": "2020-02-02"}], "visit_note.signed_on_or_after_visit", "warning"),
    ("note_service", [{}, {}], "note_service.key_unique", "critical"),
    ("note_service", [{"note_id": CANARY}], "note_service.note_known", "critical"),
    ("note_service", [{"note_id": "N1", "patient_id": CANARY}], "note_service.same_visit_as_note", "critical"),
    ("note_service", [{"assist_level": CANARY}], "note_service.expect_column_values_to_be_in_set", "critical"),
    ("note_service", [{"assistant_minutes": 31}], "note_service.assistant_minutes_within_minutes", "warning"),
    ("note_service", [{"stop_time": "08:00"}], "note_service.stops_after_it_starts", "warning"),
    ("plan_of_care", [{"end_date": "2025-12-31"}], "plan_of_care.dates_in_order_and_plausible", "warning"),
    ("authorization", [{}, {}], "authorization.key_unique", "critical"),
    ("authorization", [{"patient_id": CANARY}], "authorization.patient_known", "info"),
    ("provider", [{}, {}], "provider.expect_column_values_to_be_unique", "critical"),
    (
        "patient_opening_balance",
        [{"pool": CANARY}],
        "patient_opening_balance.expect_column_values_to_be_in_set",
        "critical",
    ),
    ("remittance", [{}, {}], "remittance.key_unique", "critical"),
    ("remittance_claim", [{"remittance_id": CANARY}], "remittance_claim.remittance_known", "critical"),
    ("remittance_claim", [{"claim_status_code": CANARY}], "remittance_claim.claim_status_shape", "warning"),
    ("remittance_remark", [{"remark_code": CANARY}], "remittance_remark.remark_code_shape", "warning"),
    ("x12_imbalance", [{"check_name": "group_transactions"}], "x12_imbalance.envelope_counts_agree", "warning"),
    ("x12_problem", [{"code": "missing_iea"}], "x12_problem.file_whole", "warning"),
    ("remittance_line", [{"claim_id": CANARY}], "remittance_line.claims_mostly_known", "warning"),
    ("remittance_line", [{"paid_date": "2026-02-02"}], "remittance_line.dates_plausible", "warning"),
    (
        "remittance_adjustment",
        [{"group_code": CANARY}],
        "remittance_adjustment.expect_column_values_to_be_in_set",
        "critical",
    ),
    ("remittance_adjustment", [{"reason_code": CANARY}], "remittance_adjustment.reason_code_shape", "warning"),
    ("remittance_adjustment", [{"remittance_id": CANARY}], "remittance_adjustment.remittance_line_known", "critical"),
    ("intake_file", [{"rows_in": 11}], "intake_file.rows_reconcile", "critical"),
    (
        "intake_file",
        [{"rows_loaded": 0, "rows_quarantined": 10}],
        "intake_file.file_not_wholly_quarantined",
        "critical",
    ),
    ("intake_file", [{"rows_loaded": 7, "rows_quarantined": 3}], "intake_file.quarantine_below_a_fifth", "warning"),
    ("intake_file", [{}, {"source_file": "again.csv"}], "intake_file.file_given_once", "warning"),
    ("intake_file", [], "intake_file.expect_table_row_count_to_be_between", "critical"),
    ("quarantine", [], "intake_file.quarantine_has_reasons", "critical"),
    ("quarantine", [{"source_file": "other.csv"}], "quarantine.file_known", "critical"),
]


Round = tuple[Rows, list[tuple[str, str, set[str]]]]


def plan_rounds() -> list[Round]:
    """Put faults that do not touch each other into one database: a run of all suites costs a second."""
    rounds: list[Round] = []
    for table, changes, name, severity in FAULTS:
        columns = {column for change in changes for column in change}
        for rows, _ in rounds:
            given = rows.get(table)
            if given is None:
                rows[table] = changes
                break
            if len(changes) == len(given) == 1 and not columns & given[0].keys():
                rows[table] = [given[0] | changes[0]]
                break
        else:
            rounds.append(({table: changes}, []))
            rows = rounds[-1][0]
        next(expected for its_rows, expected in rounds if its_rows is rows).append((name, severity, columns))
    return rounds


@pytest.mark.parametrize(("changes", "expected"), plan_rounds())
def test_each_fault_is_found(changes: Rows, expected: list[tuple[str, str, set[str]]], tmp_path: Path) -> None:
    rows = {name: [row] for name, row in CLEAN.items()}
    rows |= {table: [CLEAN[table] | change for change in given] for table, given in changes.items()}
    result = quality.check(build(tmp_path / "audit.duckdb", rows))
    found = {
        (f"{row['table']}.{row['check']}", row["severity"], row["column"])
        for row in result["checks"]
        if not row["success"]
    }
    for name, severity, changed in expected:
        columns = {column for check, its_severity, column in found if (check, its_severity) == (name, severity)}
        assert columns, name
        if ".expect_column" in name and changed:
            assert columns & changed, name
    assert CANARY not in json.dumps(result)
    assert not [row for row in result["checks"] if row["observed"] == "could not be run"]
    assert (
        result["success"]
        == (result["critical_failures"] == 0)
        == ("critical" not in {severity for _, severity, _ in found})
    )


def test_warnings_do_not_stop_a_run_and_empty_optional_tables_are_not_given(tmp_path: Path) -> None:
    rows = {name: [CLEAN[name]] for name in ("claim_line", "intake_file", "quarantine")}
    result = quality.check(build(tmp_path / "audit.duckdb", rows))
    assert failed(result) == {("visit_note", "expect_table_row_count_to_be_between", "warning")}
    assert result["success"]
    assert {"note_service", "provider", "remittance_line", "claim_visit"} <= set(result["not_given"])


def test_row_counts_are_held_against_the_previous_run(tmp_path: Path) -> None:
    rows = {name: [row] for name, row in CLEAN.items()} | {"provider": []}
    database = build(tmp_path / "audit.duckdb", rows)
    result = quality.check(database, previous={"claim_line": 2, "visit_note": 3, "provider": 40, "note_service": 0})
    drifted = {row["table"]: row["success"] for row in result["checks"] if row["check"] == "row_count_drift"}
    assert drifted == {"claim_line": True, "visit_note": False, "provider": False}
    assert result["success"]


def test_written_results_are_the_same_bytes_on_every_run(clean: dict[str, Any], tmp_path: Path) -> None:
    rows = {name: [row] for name, row in CLEAN.items()}
    quality.write(clean, tmp_path / "first")
    quality.write(quality.check(build(tmp_path / "elsewhere.duckdb", rows)), tmp_path / "second")
    first, second = ({f.name: f.read_bytes() for f in (tmp_path / name).iterdir()} for name in ("first", "second"))
    assert first == second
    assert {"summary.json", "claim_line.json"} <= first.keys()
    assert not any(b".duckdb" in content for content in first.values())


def test_data_docs_are_pages_without_values(tmp_path: Path) -> None:
    rows = {name: [row] for name, row in CLEAN.items()} | {"provider": [CLEAN["provider"] | {"discipline": CANARY}]}
    quality.check(build(tmp_path / "audit.duckdb", rows), data_docs=tmp_path / "docs")
    pages = list((tmp_path / "docs").rglob("*.html"))
    assert (tmp_path / "docs" / "index.html") in pages
    assert not any(CANARY in page.read_text(encoding="utf-8") for page in pages)


def test_no_network(tmp_path: Path) -> None:
    """A fresh process, import included, that may not look up or connect to anything."""
    database = build(tmp_path / "audit.duckdb", {name: [row] for name, row in CLEAN.items()})
    script = """
import pathlib, sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"):
        raise RuntimeError(event)
sys.addaudithook(refuse)
from therapy_audit import quality
print(quality.check(pathlib.Path(sys.argv[1]))["success"])
"""
    done = subprocess.run([sys.executable, "-c", script, database], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


WHOLE = {"expect": "expect_column_values_to_not_be_null", "column": "claim_id", "severity": "info", "why": "Because."}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "unknown key colour; the known ones are .*column.*mostly"),
        ({"expect": "expect_miracles"}, "no expectation 'expect_miracles'"),
        ({"mostly": 3}, "mostly"),
        ({"severity": "fatal"}, "severity is one of critical, warning, info"),
        ({"why": None}, "at least the keys expect, severity and why"),
    ],
)
def test_a_wrong_check_is_named(change: dict[str, Any], message: str) -> None:
    entry = {key: value for key, value in (WHOLE | change).items() if value is not None}
    with pytest.raises(AuditError, match=message):
        quality.expectation("here", quality.parse("claim_line", yaml.safe_dump({"checks": [entry]})).checks[0])


def test_a_suite_with_an_unknown_key_is_named() -> None:
    with pytest.raises(AuditError, match="unknown key optionl; the known ones are optional, rows, checks"):
        quality.parse("claim_line", yaml.safe_dump({"optionl": True, "checks": [WHOLE]}))
