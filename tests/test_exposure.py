"""Dollars of findings: units at stake priced, no dollar twice, totals that reconcile; risk and what it rests on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casebook import RULES, Case, insert_rows, load, rows
from therapy_audit import engine
from therapy_audit.notes import store
from therapy_audit.report import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb


_FILLED = (
    "claim_line", "visit_note", "note_service", "service_text", "text_evidence", "evidence_span", "text_measure",
    "review", "finding", "finding_line", "finding_review", "coverage",
)  # fmt: skip


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect() as opened:
        engine.prepare(opened, RULES)
        yield opened


def audit(
    con: duckdb.DuckDBPyConnection, days: list[dict[str, Any]], dismissed: Sequence[str] = (), **more: Any
) -> None:
    """Judge some days of a patient by all rules; `dismissed` are the ids of findings that review dismissed."""
    for table in _FILLED:
        con.execute(f"DELETE FROM {table}")
    case = Case("", "days", {"visits": days, **more}, "")
    insert_rows(con, [rows(case)])
    for place, name in enumerate(dismissed):
        con.execute(
            "INSERT INTO review (finding_id, disposition, source_file, source_row) VALUES (?, 'dismissed', 'f', ?)",
            [name, place],
        )
    engine.map_payers(con, RULES.payer_patterns)
    engine.set_period(con)
    store.fill(con)
    engine.build_models(con)
    assert not engine.run_rules(con, RULES.rules)


def test_all_cases_together_reconcile() -> None:
    with engine.connect() as con:
        engine.prepare(con, RULES)
        insert_rows(con, [rows(case) for case in load() if not case.alone])
        engine.map_payers(con, RULES.payer_patterns)
        engine.set_period(con)
        store.fill(con)
        engine.build_models(con)
        assert not engine.run_rules(con, RULES.rules)
        reconcile(con)
        ((lines,),) = con.execute("SELECT count(*) FROM finding_line WHERE exposure_amount > 0").fetchall()
        assert lines > 1000


def reconcile(con: duckdb.DuckDBPyConnection) -> None:
    """Check what must hold of any findings' dollars."""
    total = "SELECT coalesce(sum({}.exposure_amount), 0) FROM {} WHERE finding.direction = 'overpayment'"
    both = "finding_line INNER JOIN finding ON finding_line.finding_id = finding.finding_id"
    ((of_lines,),) = con.execute(total.format("finding_line", both)).fetchall()
    ((of_findings,),) = con.execute(total.format("finding", "finding")).fetchall()
    con.execute(tables.text("report_finding"))
    assert of_lines == of_findings == tables.rows(con, "headline")[0]["overpayment_amount"]
    # A line's dollars stand with one finding, and are no more than the line is worth.
    twice = con.execute(
        """SELECT finding_line.claim_id
        FROM finding_line INNER JOIN finding USING (finding_id)
        INNER JOIN therapy_line
            ON finding_line.claim_id = therapy_line.claim_id
            AND finding_line.claim_line_number = therapy_line.claim_line_number
        WHERE finding_line.exposure_amount > 0 AND finding.direction = 'overpayment'
        GROUP BY finding_line.claim_id, finding_line.claim_line_number
        HAVING count(*) > 1 OR sum(finding_line.exposure_amount) > max(therapy_line.line_amount)"""
    ).fetchall()
    assert twice == []
    # Whatever a finding that counts puts at risk on a line, the line's exposure is not less.
    short = con.execute(
        """WITH line AS (
            SELECT
                finding_line.claim_id, finding_line.claim_line_number,
                max(least(finding_line.amount_at_risk, therapy_line.line_amount)) AS most,
                sum(finding_line.exposure_amount) AS exposure
            FROM finding_line INNER JOIN finding USING (finding_id)
            INNER JOIN therapy_line
                ON finding_line.claim_id = therapy_line.claim_id
                AND finding_line.claim_line_number = therapy_line.claim_line_number
            WHERE finding.direction = 'overpayment' AND finding.severity <> 'info'
            GROUP BY ALL
        )
        SELECT * FROM line WHERE exposure < most"""
    ).fetchall()
    assert short == []


_CODES = st.dictionaries(
    st.sampled_from(["97110", "97112", "97116", "97140", "97530", "97535"]), st.integers(1, 3), min_size=1, max_size=4
)
_DAY = st.fixed_dictionaries(
    {
        "billed": _CODES,
        "documented": st.dictionaries(
            st.sampled_from(["97110", "97112", "97116", "97140", "97530", "97535"]), st.integers(3, 40), max_size=4
        ),
        "allowed": st.integers(20, 120),
        "payer": st.sampled_from(["MEDICARE PART B", "AETNA"]),
        "modifiers": st.sampled_from([["GP"], [], ["GP", "59"]]),
        "date": st.dates(date(2025, 1, 1), date(2025, 2, 28)),
    }
)


@settings(max_examples=12, deadline=None)
@given(days=st.lists(_DAY, min_size=1, max_size=6, unique_by=lambda day: day["date"]))
def test_random_days_reconcile(con: duckdb.DuckDBPyConnection, days: list[dict[str, Any]]) -> None:
    audit(con, days)
    reconcile(con)


def findings(con: duckdb.DuckDBPyConnection, rule: str) -> list[tuple[Any, ...]]:
    """Return code, units at stake, amount at risk and exposure of each line of a rule's findings."""
    return con.execute(
        """SELECT
            therapy_line.hcpcs_code, line.units_at_stake, line.amount_at_risk, line.exposure_amount
        FROM finding_line AS line
        INNER JOIN finding ON line.finding_id = finding.finding_id
        INNER JOIN therapy_line
            ON line.claim_id = therapy_line.claim_id AND line.claim_line_number = therapy_line.claim_line_number
        WHERE finding.rule = ?
        ORDER BY ALL""",
        [rule],
    ).fetchall()


def test_units_over_sit_on_the_code_that_has_too_many(con: duckdb.DuckDBPyConnection) -> None:
    audit(con, [{"billed": {97530: 3, 97110: 1}, "documented": {97530: 30, 97110: 15}, "payer": "AETNA"}])
    found = findings(con, "payers.ama_midpoint.units_exceed_midpoint")
    assert [row[:3] for row in found] == [("97530", 1, Decimal(10))]


def test_what_two_findings_put_at_stake_counts_once(con: duckdb.DuckDBPyConnection) -> None:
    # 16 minutes are one unit; the second unit sits on a code that is not documented at all.
    audit(con, [{"billed": {97530: 1, 97110: 1}, "documented": {97530: 16}}])
    both = ["medicare.timed_units_exceed_minutes", "clinic.service_not_documented"]
    listed = [findings(con, rule) for rule in both]
    assert [[row[:3] for row in rows] for rows in listed] == [[("97110", 1, 30)], [("97110", None, 30)]]
    query = "SELECT sum(exposure_amount) FROM finding_line WHERE claim_line_number = 2"
    assert con.execute(query).fetchall() == [(30,)]


DAY_2025 = {
    "date": date(2025, 3, 3),
    "lines": [
        {"hcpcs_code": "97530", "units": 2, "allowed_amount": 59.19},
        {"hcpcs_code": "97110", "units": 1, "allowed_amount": 21.83},
        {"hcpcs_code": "97140", "units": 1, "allowed_amount": 20.70},
    ],
}


@pytest.mark.parametrize(
    ("documented", "staked", "exposure"),
    [
        # One unit of two: it was paid reduced.
        ({97530: 20, 97110: 15, 97140: 15}, [("97530", 1, "24.58")], None),
        # Without 97530 the first unit of 97110 would be paid whole, for 6.96 more; the units over are the same two.
        ({97110: 15, 97140: 15}, [("97530", 2, "52.23")], "52.23"),
        ({97530: 30, 97110: 15}, [("97140", 1, "20.70")], "20.70"),
    ],
)
def test_units_are_worth_what_the_day_loses_without_them(
    con: duckdb.DuckDBPyConnection,
    documented: dict[int, int],
    staked: list[tuple[str, int, str]],
    exposure: str | None,
) -> None:
    # Medicare Claims Processing Manual ch. 5 §10.7; prices of the national schedule of 2025.
    audit(con, [{**DAY_2025, "documented": documented}])
    found = findings(con, "medicare.timed_units_exceed_minutes")
    assert [row[:3] for row in found] == [(code, units, Decimal(amount)) for code, units, amount in staked]
    if exposure:
        # No matter how many rules say that the code is not documented.
        query = "SELECT sum(exposure_amount) FROM finding_line WHERE claim_line_number = ?"
        line = {"97530": 1, "97110": 2, "97140": 3}[staked[0][0]]
        assert con.execute(query, [line]).fetchall() == [(Decimal(exposure),)]
    reconcile(con)


def test_all_lines_of_a_day_are_worth_the_day(con: duckdb.DuckDBPyConnection) -> None:
    audit(con, [{**DAY_2025, "documented": {97110: 15}, "line": {"modifiers": []}}])
    assert con.execute("SELECT sum(exposure_amount) FROM finding_line").fetchall() == [(Decimal("101.72"),)]


def test_what_review_dismissed_leaves_a_line_to_the_other_finding(con: duckdb.DuckDBPyConnection) -> None:
    day = {"billed": {97530: 1, 97110: 1}, "documented": {97530: 16}}
    rules = ("medicare.timed_units_exceed_minutes", "clinic.service_not_documented")
    total = "SELECT sum(exposure_amount) FROM finding_line WHERE claim_line_number = 2"
    audit(con, [day])
    told = dict(con.execute("SELECT rule, finding_id FROM finding").fetchall())
    ((before,),) = con.execute(total).fetchall()
    for dismissed, left in ((rules[:1], before), (rules, 0)):
        audit(con, [day], dismissed=[told[rule] for rule in dismissed])
        reconcile_spoken(con)
        assert con.execute(total).fetchall() == [(left,)]
        rows = con.execute("SELECT rule, findings, failed FROM coverage WHERE rule IN (?, ?)", list(rules)).fetchall()
        assert {rule: findings for rule, findings, _ in rows} == {rule: int(rule not in dismissed) for rule in rules}
        assert all(failed for _, _, failed in rows)


def reconcile_spoken(con: duckdb.DuckDBPyConnection) -> None:
    """Check that lines, findings listed and headline are the same dollars where some findings are silent."""
    con.execute(tables.text("report_finding"))
    headline = tables.rows(con, "headline")[0]
    ((lines,),) = con.execute(
        "SELECT coalesce(sum(finding_line.exposure_amount), 0) FROM finding_line INNER JOIN finding USING (finding_id)"
        " WHERE direction = 'overpayment'"
    ).fetchall()
    assert lines == headline["overpayment_amount"]
    ((listed, silent),) = con.execute(
        "SELECT (SELECT count(*) FROM report_finding), (SELECT count(*) FROM report_dismissed)"
    ).fetchall()
    assert (listed, silent) == (headline["findings"], headline["dismissed_findings"])


def risks(con: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    working = (
        "report_finding", "report_service", "report_answer", "report_denial", "report_denial_finding",
        "report_denial_spoken", "report_judged", "report_denial_rule", "report_risk",
    )  # fmt: skip
    for name in working:
        con.execute(tables.text(name))
    found = con.execute("SELECT rule, money, chance, chance_source, severity_weight, score FROM report_risk").fetchall()
    for name in working:
        con.execute(f"DROP TABLE temp.{name}")
    return {rule: parts for rule, *parts in found}


@pytest.mark.parametrize(
    ("decided", "chance", "source"),
    [
        ({}, "0.6", "stated"),
        ({"confirmed": 29}, "0.6", "stated"),
        ({"confirmed": 10, "refunded": 5, "dismissed": 15}, "0.5", "decisions"),
    ],
)
def test_risk_is_money_times_chance_times_weight(
    con: duckdb.DuckDBPyConnection, decided: dict[str, int], chance: str, source: str
) -> None:
    audit(con, [{"billed": {97110: 1}, "documented": {97110: 15}, "modifiers": []}])
    place = 0
    for disposition, count in decided.items():
        for _ in range(count):
            place += 1
            con.execute(
                "INSERT INTO review (finding_id, rule, disposition, source_file, source_row)"
                " VALUES (?, 'medicare.discipline_modifier_missing', ?, 'f', ?)",
                [f"{place:016}", disposition, place],
            )
    money, *parts, score = risks(con)["medicare.discipline_modifier_missing"]
    assert parts == [Decimal(chance), source, 1]
    assert money == 30
    assert score == round(money * Decimal(chance), 2)


def test_a_charge_is_no_price_where_the_schedule_has_one(con: duckdb.DuckDBPyConnection) -> None:
    line = {"hcpcs_code": "97110", "units": 1, "charge_amount": 150, "allowed_amount": None, "modifiers": []}
    day = {"date": date(2025, 3, 3), "lines": [line], "documented": {97110: 15}}
    audit(con, [day])
    found = findings(con, "medicare.discipline_modifier_missing")
    assert found == [("97110", None, Decimal("28.79"), Decimal("28.79"))]
