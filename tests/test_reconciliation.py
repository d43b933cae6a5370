"""An export as clinics have them reconciles to the visit: each service with what became of it, and each fault once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from therapy_audit import engine, intake, rules
from therapy_audit.notes import store
from therapy_audit.report import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

DIRTY = Path(__file__).parent / "dirty"


@pytest.fixture(scope="module")
def audit() -> Iterator[duckdb.DuckDBPyConnection]:
    ruleset = rules.load()
    with engine.connect() as con:
        engine.prepare(con, ruleset)
        intake.load(
            con, intake.Inputs({name: (str(DIRTY / f"{name}.csv"),) for name in ("claims", "notes", "providers")})
        )
        engine.map_payers(con, ruleset.payer_patterns)
        engine.set_period(con)
        store.fill(con)
        engine.build_models(con)
        assert engine.run_rules(con, ruleset.rules) == {}
        yield con


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def test_dirty_export_reconciles_to_the_visit(audit: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        audit,
        """SELECT coalesce(claim_id, '-'), coalesce(note_id, '-'), strftime(service_date, '%d'), hcpcs_code, units,
            reconciliation_state, coalesce(match_key, '-')
        FROM reconciliation ORDER BY ALL""",
    )
    assert found == [
        ("-", "N7", "13", "97110", 1, "documented only", "-"),
        ("E100", "N1", "02", "97110", 1, "matched", "day and code"),
        ("E100", "N1", "02", "97530", 1, "matched", "day and code"),
        ("E101", "N2", "04", "97110", 1, "matched", "day and code"),
        ("E102", "N3", "06", "97530", 2, "matched", "day and code"),
        ("E103", "N4", "03", "97110", 1, "matched", "day and code"),
        ("E103", "N4", "03", "97140", 1, "matched", "day and code"),
        ("E104", "N5", "05", "97530", 1, "matched", "adjacent day"),
        ("E105", "N6", "09", "97530", 1, "matched", "day and other code"),
        ("E106", "-", "11", "97110", 1, "billed only", "-"),
        ("E108", "N8", "24", "97110", 1, "matched", "day and code"),
        ("E109", "N9", "16", "97112", 1, "matched", "day and code"),
        ("E203", "N4", "03", "97110", 1, "billed twice", "-"),
        ("E203", "N4", "03", "97140", 1, "billed twice", "-"),
    ]


def test_each_difference_is_one_finding(audit: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        audit,
        """SELECT rule, claim_id, strftime(service_date, '%d'), coalesce(hcpcs_code, '-')
        FROM finding
        WHERE rule IN (
            'clinic.line_without_note', 'clinic.service_not_documented', 'clinic.service_not_billed',
            'clinic.service_date_differs_from_note', 'clinic.billed_code_differs_from_note', 'clinic.duplicate_line',
            'clinic.rendering_differs_from_note', 'medicare.timed_units_exceed_minutes',
            'medicare.timed_units_below_minutes', 'medicare.timed_unit_on_wrong_code'
        )
        ORDER BY ALL""",
    )
    assert found == [
        ("clinic.billed_code_differs_from_note", "E105", "09", "97530"),
        ("clinic.duplicate_line", "E203", "03", "97110"),
        ("clinic.duplicate_line", "E203", "03", "97140"),
        ("clinic.line_without_note", "E106", "11", "97110"),
        ("clinic.rendering_differs_from_note", "E109", "16", "97112"),
        ("clinic.service_date_differs_from_note", "E104", "05", "97530"),
        ("clinic.service_not_billed", "", "13", "97110"),
    ]


def test_one_clinician_however_spelled(audit: duckdb.DuckDBPyConnection) -> None:
    assert rows(audit, "SELECT DISTINCT rendering_npi FROM claim_line") == [("1234567893",)]
    assert rows(audit, "SELECT DISTINCT rendering_npi FROM visit_note ORDER BY ALL") == [
        ("1234567893",),
        ("1987654320",),
    ]
    assert rows(audit, "SELECT npi, credential FROM provider ORDER BY npi") == [
        ("1234567893", "PT"),
        ("1987654320", "PT"),
    ]


def test_every_row_is_accounted_for(audit: duckdb.DuckDBPyConnection) -> None:
    assert rows(audit, "SELECT input, rows_in, rows_loaded, rows_quarantined FROM intake_file ORDER BY ALL") == [
        ("claims", 12, 10, 2),
        ("notes", 11, 10, 1),
        ("providers", 3, 3, 0),
    ]
    assert rows(audit, "SELECT source_file, source_row, column_name FROM quarantine ORDER BY ALL") == [
        ("claims.csv", 3, None),  # exported twice
        ("claims.csv", 11, "hcpcs_code"),  # no code
        ("notes.csv", 5, None),
    ]


def test_report_counts_them_with_their_dollars(audit: duckdb.DuckDBPyConnection) -> None:
    found = tables.reconciliation(audit)
    assert [(row["item"], row["services"], row["confidence"]) for row in found["notes"]] == [
        ("matched", 8, 0.95),
        ("date slip", 1, 0.8),
        ("code swap", 1, 0.7),
        ("billed only", 1, None),
        ("billed twice", 2, None),
        ("documented only", 1, None),
        ("clinician differs", 1, None),
    ]
    # The one documented only is worth what a unit of 97110 brings on the average: 60.
    assert [str(row["amount"]) for row in found["notes"]][5] == "60.00"
    assert found["remittances"] == []
