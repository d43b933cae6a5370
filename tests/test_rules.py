"""Rules, parameters and plans: what a wrong file is told, and that docs/rules/ is what rules/ says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from therapy_audit import docs, engine, resources, rules
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Sequence

GOOD = """\
title: A fault
severity: error
direction: overpayment
grain: line
plans: [medicare_part_b]
effective_from: 2018-01-01
message: "{hcpcs_code}"
references: [{title: Manual ch. 1}]
"""
CHECKS = {"fault": "SELECT 1 FROM in_scope($rule)"}


def read(text: str) -> rules.Rule:
    return rules.rule("medicare.fault", text, CHECKS, ["medicare_part_b"], ["medicare.kx_threshold"])


def test_good_rule_loads() -> None:
    assert read(GOOD).severity == "error"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("severity", "severty"), "unknown key 'severty'. A rule may have: title, severity,"),
        (("title: A fault\n", ""), "key 'title' is missing"),
        (("severity: error", "severity: fatal"), "severity 'fatal' is not one of error, warning, info"),
        (("grain: line", "grain: claim"), "grain 'claim' is not one of line, visit, episode, activity"),
        (("[medicare_part_b]", "[medicare]"), "plans ['medicare'] are not in rules/plans.yaml"),
        (("[medicare_part_b]", "medicare_part_b"), "plans is either a list of plan names"),
        (("[{title: Manual ch. 1}]", "[]"), "references is empty"),
        (("message:", "query: other\nmessage:"), "there is no sql/checks/other.sql"),
        (("message:", "parameters: {a: medicare.b}\nmessage:"), "parameter 'medicare.b' has no file"),
        (("title: A fault", "title: ["), "not readable as YAML"),
        ((GOOD, "- a list"), "A rule must be a mapping"),
    ],
)
def test_wrong_rule_is_told_what_would_be_right(change: tuple[str, str], words: str) -> None:
    with pytest.raises(AuditError) as caught:
        read(GOOD.replace(*change))
    assert str(caught.value).startswith("rules/medicare/fault.yaml: ")
    assert words in str(caught.value)


def test_parameter_values_run_to_the_next_and_the_last_to_known_until() -> None:
    text = (
        "title: T\nunit: USD\nvalues: {all: {2025-01-01: 1, 2026-01-01: 2}}\nknown_until: 2026-12-31\n"
        "references: [{title: R}]\n"
    )
    assert rules.parameter("a.b", text).rows() == [
        ("a.b", "all", date(2025, 1, 1), date(2025, 12, 31), 1),
        ("a.b", "all", date(2026, 1, 1), date(2026, 12, 31), 2),
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [("{all: 3}", "must be by date"), ("{all: {2030-01-01: 1}}", "known_until 2026-12-31 lies before")],
)
def test_wrong_parameter_is_told(values: str, words: str) -> None:
    text = f"title: T\nunit: USD\nvalues: {values}\nknown_until: 2026-12-31\nreferences: [{{title: R}}]\n"
    with pytest.raises(AuditError, match=words):
        rules.parameter("a.b", text)


def test_every_reference_names_a_title_and_every_href_is_https() -> None:
    ruleset = rules.load()
    found = [item for rule in ruleset.rules for item in rule.references]
    found += [item for parameter in ruleset.parameters for item in parameter.references]
    assert all(item.title and (item.href is None or item.href.startswith("https://")) for item in found)


def test_fingerprint_changes_with_the_sql() -> None:
    other = rules.rule("medicare.fault", GOOD, {"fault": "SELECT 2 FROM in_scope($rule)"}, ["medicare_part_b"], [])
    assert other.fingerprint != read(GOOD).fingerprint


def test_payer_patterns_name_known_plans() -> None:
    ruleset = rules.load()
    assert {plan for _, plan in ruleset.payer_patterns} <= {plan.name for plan in ruleset.plans} | {None}


def test_every_check_belongs_to_a_rule() -> None:
    used = {rule.sql for rule in rules.load().rules}
    assert set(resources.texts(resources.folder("sql") / "checks", ".sql").values()) == used


def test_rule_pages_are_those_of_the_rules() -> None:
    folder = Path(__file__).parents[1] / "docs" / "rules"
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert written == docs.pages(), "run `make docs`"


@pytest.mark.parametrize(
    ("payer", "plan"),
    [
        ("MEDICARE", "medicare_part_b"),
        ("Medicare Part B", "medicare_part_b"),
        ("Medicare - Palmetto GBA", "medicare_part_b"),
        ("Railroad Medicare", "medicare_part_b"),
        ("UHC Medicare Advantage", "medicare_advantage"),
        ("Aetna Medicare PPO", "medicare_advantage"),
        ("Humana Gold Plus", "medicare_advantage"),
        ("Medicare Supplement of Omaha", None),
        ("Medicare Replacement PPO", "medicare_advantage"),
        ("Medicare - Humana", "medicare_advantage"),
        ("MCR Advantage", "medicare_advantage"),
        ("Aetna MCR", "medicare_advantage"),
        ("AARP Medicare Complete", "medicare_advantage"),
        ("AARP", None),
        ("AARP Supplemental", None),
        ("RR Medicare", "medicare_part_b"),
        ("Autonomous Care", None),
        ("State Farm Auto", "auto_liability"),
        ("SC Medicaid", "medicaid"),
        ("TRICARE EAST", "tricare"),
        ("United Healthcare", "unitedhealthcare"),
        ("BCBS of SC", "blue_cross"),
        ("Workers Comp - Travelers", "workers_compensation"),
        ("Self Pay", None),
    ],
)
def test_obvious_payer_names_map(payer: str, plan: str | None) -> None:
    ruleset = rules.load()
    with engine.connect() as con:
        engine.prepare(con, ruleset)
        con.execute(
            "INSERT INTO claim_line (claim_id, claim_line_number, patient_id, payer, service_date, hcpcs_code,"
            " modifiers, diagnosis_codes, source_file, source_row) VALUES ('c', 1, 'p', ?, DATE '2026-01-01', '97530',"
            " [], [], 'f', 2)",
            [payer],
        )
        engine.map_payers(con, ruleset.payer_patterns)
        assert con.execute("SELECT payer, plan FROM payer_plan").fetchall() == [(payer, plan)]


def test_steps_that_nothing_reads_any_more_are_dropped() -> None:
    ruleset = rules.load()
    own = replace(
        ruleset.rules[0], sql="SELECT claim_id FROM activity_frame", applies_to="x IN (SELECT y FROM time_block)"
    )

    def kept(among: Sequence[rules.Rule] | None) -> set[str]:
        with engine.connect() as con:
            engine.prepare(con, ruleset)
            con.execute("INSERT INTO audit_period VALUES (DATE '2026-01-01', DATE '2026-12-31', NULL)")
            engine.build_models(con, rules=among)
            unsaved = "SELECT table_name FROM duckdb_tables() WHERE database_name = ?"
            return {name for (name,) in con.execute(unsaved, [engine.UNSAVED]).fetchall()}

    every, left = kept(None), kept(ruleset.rules)
    assert left < every
    # Read by checks, and by what findings are made with.
    assert {"activity_measure", "repeated_line", "description_sentence", "unit_fee"} <= left
    assert not {"activity_frame", "time_block", "charted_service", "note_minutes"} & left
    assert kept([*ruleset.rules, own]) == left | {"activity_frame", "time_block"}
