"""Every rule against its cases, and what must hold for all rules."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING, Any

import pytest

from casebook import UNITS, Case, Coverage, allowed_ways, fault, judge, load, minutes_of
from therapy_audit import engine, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

CASES = load()
RULES = rules.load().rules


@pytest.fixture(scope="module")
def together() -> tuple[dict[str, list[dict[str, Any]]], Coverage]:
    return judge([case for case in CASES if not case.alone])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.name}")
def test_case(case: Case, together: tuple[dict[str, list[dict[str, Any]]], Coverage]) -> None:
    findings, coverage = judge([case]) if case.alone else together
    assert fault(case, findings, coverage) is None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_has_a_clean_and_a_dirty_case(rule: rules.Rule) -> None:
    mine = [case.data["expect"] for case in CASES if case.rule == rule.name]
    assert any(mine), f"{rule.name} has no case in which it finds something"
    assert not all(mine), f"{rule.name} has no clean case"


def test_cases_belong_to_rules() -> None:
    assert {case.rule for case in CASES} <= {rule.name for rule in RULES}


def _vector_cases() -> list[tuple[str, str, Case, bool]]:
    """Each vector by each method: every allowed way to bill, and one unit more on each code."""
    found = []
    for number, vector in enumerate(UNITS):
        minutes = minutes_of(vector)
        for method, payer in (("cms", "MEDICARE PART B"), ("ama", "AETNA")):
            text = vector[f"{method}_allowed"]
            ways = allowed_ways(vector["cms_allowed"] if text == "same" else text, minutes)
            bills = [(way, False) for way in ways] + [
                ({**way, code: way.get(code, 0) + 1}, True) for way in ways or [{}] for code in minutes
            ]
            for turn, (billed, too_many) in enumerate(bills):
                data: dict[str, Any] = {"name": vector["id"], "payer": payer, "billed": billed, "documented": minutes}
                found.append(
                    (vector["id"], method, Case("", vector["id"], data, f"v{number}.{method}.{turn}~"), too_many)
                )
    return found


VECTORS = _vector_cases()
OVER = {"cms": "medicare.timed_units_exceed_minutes", "ama": "payers.ama_midpoint.units_exceed_midpoint"}
UNIT_RULES = {
    "medicare.timed_units_exceed_minutes", "medicare.timed_units_below_minutes", "medicare.timed_unit_on_wrong_code",
    "payers.ama_midpoint.units_exceed_midpoint", "payers.ama_midpoint.units_below_midpoint",
}  # fmt: skip


@pytest.fixture(scope="module")
def vectors() -> dict[str, list[dict[str, Any]]]:
    return judge([case for _, _, case, _ in VECTORS])[0]


@pytest.mark.parametrize(("method", "vector"), [(method, row["id"]) for row in UNITS for method in ("cms", "ama")])
def test_published_vector(method: str, vector: str, vectors: dict[str, list[dict[str, Any]]]) -> None:
    for name, how, case, too_many in VECTORS:
        if (name, how) != (vector, method):
            continue
        found = {item["rule"] for item in vectors.get(case.prefix, [])} & UNIT_RULES
        assert found == ({OVER[method]} if too_many else set()), case.data["billed"]


@pytest.fixture(scope="module")
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect() as con:
        engine.prepare(con, rules.load())
        engine.build_models(con)
        yield con


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_message_names_only_facts(rule: rules.Rule, empty: duckdb.DuckDBPyConnection) -> None:
    columns = {item[0] for item in empty.execute(f"SELECT * FROM ({rule.sql})", engine.bound(rule)).description}
    assert {"claim_id", "claim_line_number"} <= columns
    assert {name for _, name, _, _ in Formatter().parse(rule.message) if name} <= columns
    if rule.grain in {"episode", "activity"}:
        assert {"since", "episode_start"} <= columns


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_requires_and_applies_to_read_columns_of_the_scope(rule: rules.Rule, empty: duckdb.DuckDBPyConnection) -> None:
    scope = f"{engine.scope_of(rule)}('x')"
    columns = {item[0] for item in empty.execute(f"SELECT * FROM {scope}").description}
    assert set(rule.requires) <= columns
    kind = empty.execute(f"SELECT typeof(any_value(({rule.applies_to or 'TRUE'}))) FROM {scope}").fetchone()
    assert kind == ("BOOLEAN",)


def test_outcomes_add_up_for_every_rule(together: tuple[dict[str, list[dict[str, Any]]], Coverage]) -> None:
    findings, coverage = together
    for rule, row in coverage.items():
        assert min(row.values()) >= 0, rule
        assert row["in_scope"] == row["passed"] + row["failed"] + row["not_evaluable"], rule
    ids = [item["finding_id"] for found in findings.values() for item in found]
    assert len(ids) == len(set(ids))
    # In all cases together, start and stop are the exception: their absence is judged in cases of its own only.
    judged = {rule.name for rule in RULES} - {"clinic.start_stop_missing"}
    assert {rule for rule, row in coverage.items() if row["passed"]} == judged
