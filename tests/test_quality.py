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
    *("patient_opening_balance", "remittance_line", "remittance_adjustment", "quarantine", "intake_file"),
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
    "provider": {"npi": "1234567893", "discipline": "PT", "credential": "PT"},
    "patient_opening_balance": {"patient_id": "P1", "year": 2026, "pool": "PT+SLP", "amount": 100},
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
        for table in CONTRACT_TABLES:
            schema = resources.folder("sql").joinpath("schema.sql").read_text(encoding="utf-8")
            for statement in duckdb.extract_statements(schema):
                if statement.query.lstrip().startswith((f"CREATE TABLE {table} ", f'CREATE TABLE "{table}" ')):
                    con.execute(statement.query.replace("NOT NULL", ""))
            for number, row in enumerate(rows.get(table, []), start=2):
                place = {} if table == "intake_file" else {"source_file": "claims.csv", "source_row": number}
                given = place | row
                columns = ", ".join(given)
                con.execute(
                    f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join("?" * len(given))})', list(given.values())
                )
    return database


def faulty(table: str, changes: list[dict[str, Any]]) -> Rows:
    """Return the clean rows, with one row of `table` for each of the changes."""
    return {name: [row] for name, row in CLEAN.items()} | {table: [CLEAN[table] | change for change in changes]}


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


# table, the rows' changes, and what must fail: name and severity.
FAULTS = [
    ("claim_line", [{}, {}], "key_unique", "critical"),
    ("claim_line", [{"patient_id": None}], "expect_column_values_to_not_be_null", "critical"),
    ("claim_line", [{"patient_id": ""}], "expect_column_value_lengths_to_be_between", "critical"),
    ("claim_line", [{"discipline": CANARY}], "expect_column_values_to_be_in_set", "critical"),
    ("claim_line", [{"claim_frequency_code": "5"}], "expect_column_values_to_be_in_set", "warning"),
    ("claim_line", [{"modifiers": ["GP", "59X"]}], "modifiers_two_characters", "warning"),
    ("claim_line", [{"modifiers": ["G", "P59"]}], "modifiers_two_characters", "warning"),
    ("claim_line", [{"modifiers": [""]}], "modifiers_two_characters", "warning"),
    ("claim_line", [{"hcpcs_code": CANARY}], "hcpcs_code_shape", "warning"),
    ("claim_line", [{"hcpcs_code": CANARY}], "hcpcs_codes_mostly_shaped", "critical"),
    ("claim_line", [{"service_date": "1926-02-03"}], "service_date_plausible", "warning"),
    ("claim_line", [{"service_date": "2926-02-03"}], "service_dates_mostly_plausible", "critical"),
    ("claim_line", [{"units": -1}], "expect_column_values_to_be_between", "warning"),
    ("claim_line", [{"allowed_amount": -1}], "expect_column_values_to_be_between", "warning"),
    ("claim_line", [{"rendering_npi": "1234567890"}], "npi_check_digit", "warning"),
    ("claim_line", [{"rendering_npi": CANARY}], "npi_shape", "warning"),
    ("claim_line", [{"rendering_npi": "1245319599"}], "rendering_clinician_known", "info"),
    ("claim_line", [{"patient_id": "P2"}], "visits_have_notes", "warning"),
    ("claim_line", [{"patient_id": "P2"}], "visit_was_billed", "info"),
    ("visit_note", [], "expect_table_row_count_to_be_between", "warning"),
    ("visit_note", [{}, {}], "key_unique", "critical"),
    ("visit_note", [{"note_type": CANARY}], "expect_column_values_to_be_in_set", "critical"),
    ("visit_note", [{"service_date": "2025-02-03"}], "dates_overlap_claims", "warning"),
    ("visit_note", [{"total_minutes": 1441}], "expect_column_values_to_be_between", "warning"),
    ("visit_note", [{"total_timed_minutes": 41}], "timed_minutes_within_total", "warning"),
    ("visit_note", [{"signed_date": "2026-02-02"}], "signed_on_or_after_visit", "warning"),
    ("note_service", [{}, {}], "key_unique", "critical"),
    ("note_service", [{"note_id": CANARY}], "note_known", "critical"),
    ("note_service", [{"patient_id": CANARY}], "same_visit_as_note", "critical"),
    ("note_service", [{"assist_level": CANARY}], "expect_column_values_to_be_in_set", "critical"),
    ("note_service", [{"assistant_minutes": 31}], "assistant_minutes_within_minutes", "warning"),
    ("note_service", [{"stop_time": "08:00"}], "stops_after_it_starts", "warning"),
    ("plan_of_care", [{"end_date": "2025-12-31"}], "dates_in_order_and_plausible", "warning"),
    ("authorization", [{}, {}], "key_unique", "critical"),
    ("authorization", [{"patient_id": CANARY}], "patient_known", "info"),
    ("provider", [{}, {}], "expect_column_values_to_be_unique", "critical"),
    ("patient_opening_balance", [{"pool": CANARY}], "expect_column_values_to_be_in_set", "critical"),
    ("remittance_line", [{"claim_id": CANARY}], "claims_mostly_known", "warning"),
    ("remittance_line", [{"paid_date": "2026-02-02"}], "dates_plausible", "warning"),
    ("remittance_adjustment", [{"group_code": CANARY}], "expect_column_values_to_be_in_set", "critical"),
    ("remittance_adjustment", [{"reason_code": CANARY}], "reason_code_shape", "warning"),
    ("remittance_adjustment", [{"remittance_id": CANARY}], "remittance_line_known", "critical"),
    ("intake_file", [], "expect_table_row_count_to_be_between", "critical"),
    ("intake_file", [{"rows_in": 11}], "rows_reconcile", "critical"),
    ("intake_file", [{"rows_loaded": 0, "rows_quarantined": 10}], "file_not_wholly_quarantined", "critical"),
    ("intake_file", [{"rows_loaded": 7, "rows_quarantined": 3}], "quarantine_below_a_fifth", "warning"),
    ("intake_file", [{}, {"source_file": "again.csv"}], "file_given_once", "warning"),
    ("quarantine", [], "quarantine_has_reasons", "critical"),
    ("quarantine", [{"source_file": "other.csv"}], "file_known", "critical"),
]


def test_each_fault_is_found(tmp_path: Path) -> None:
    """All faults are tried in few databases: GX's own time per run is what a test here costs."""
    missing = set()
    databases: list[tuple[Rows, set[tuple[str, str]]]] = []
    for table, changes, name, severity in FAULTS:
        databases.append((faulty(table, changes), {(name, severity)}))
    for number, (rows, expected) in enumerate(databases):
        result = quality.check(build(tmp_path / f"{number}.duckdb", rows))
        found = {(name, severity) for _, name, severity in failed(result)}
        missing |= {(number, *item) for item in expected - found}
        assert CANARY not in json.dumps(result), FAULTS[number]
        assert not [row for row in result["checks"] if row["observed"] == "could not be run"]
        assert result["success"] == (result["critical_failures"] == 0)
    assert not missing
