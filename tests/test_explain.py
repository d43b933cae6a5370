"""`explain` and `rules coverage`: every rule by its data alone, and one sentence where there is nothing to tell."""

from __future__ import annotations

import json
from string import Formatter
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import therapy_audit as ta
from therapy_audit import coverage, explain, pipeline, rules
from therapy_audit.cli import cli
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = {rule.name: rule for rule in rules.load().rules}
UNIT_RULES = sorted(name for name, rule in RULES.items() if rule.arithmetic == "units")


@pytest.fixture(scope="module")
def audit(sample_run: pipeline.Result) -> Iterator[ta.Audit]:
    with ta.open(sample_run.folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def first(audit: ta.Audit) -> dict[str, str]:
    """One finding's id of each rule that found something in the samples."""
    return dict(audit.sql("SELECT rule, min(finding_id) FROM finding GROUP BY rule").fetchall())


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_finding_of_each_rule_is_explained(name: str, audit: ta.Audit, first: dict[str, str]) -> None:
    if name not in first:
        pytest.skip("the samples hold no finding of it")
    found = audit.explain(first[name])
    rule = RULES[name]
    row = audit.sql(f"SELECT source_file, source_row, message FROM finding WHERE finding_id = '{first[name]}'")
    ((file, number, message),) = row.fetchall()
    assert found["seen"] == message
    assert found["expected"] == explain.policy(rule)
    assert found["expected"].endswith(".")
    assert len(found["expected"]) > 20
    assert [item["title"] for item in found["references"]] == [item.title for item in rule.references]
    assert (found["remedy"], found["exceptions"]) == (rule.remedy, list(rule.exceptions))
    assert (found["arithmetic"] is not None) == (rule.arithmetic is not None)
    assert "not known" not in (found["arithmetic"] or "")
    named = [line for line in found["lines"] if line["named"]]
    of_line = rules.grains().grains[rule.grain].of_line
    assert [(line["source_file"], line["source_row"]) for line in named] == ([(file, number)] if of_line else [])
    text = explain.as_text(found)
    for part in (
        rule.title,
        f"> {file}, row {number}{':' if of_line else ''}",
        "What was expected",
        "Citation",
        *found["facts"],
    ):
        assert part.replace("_", " ") in text.replace("_", " ")
    assert json.loads(explain.as_json(found))["finding"]["finding_id"] == first[name]


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.arithmetic], ids=lambda rule: rule.name)
def test_arithmetic_is_worded_from_facts_of_the_samples(
    rule: rules.Rule, audit: ta.Audit, first: dict[str, str]
) -> None:
    if rule.arithmetic == "units" or rule.name not in first:
        return
    names = {name for _, name, _, _ in Formatter().parse(rule.arithmetic or "") if name}
    assert names <= set(audit.explain(first[rule.name])["facts"])


@pytest.mark.parametrize("name", UNIT_RULES)
def test_units_are_reckoned_as_the_units_command_does(name: str, audit: ta.Audit) -> None:
    rows = audit.sql(
        f"SELECT finding_id, facts FROM finding WHERE rule = '{name}' ORDER BY finding_id LIMIT 3"
    ).fetchall()
    assert rows
    for finding_id, text in rows:
        facts, told = json.loads(text), audit.explain(finding_id)["arithmetic"]
        allowed = facts.get("units_allowed")
        if allowed is not None:
            assert f" {allowed or 'no'} unit" in told, (told, facts)
        if name.startswith("payers.ama_midpoint"):
            assert told.startswith("Each code on its own")


def test_lines_are_those_of_the_visit(audit: ta.Audit, first: dict[str, str]) -> None:
    found = audit.explain(first["medicare.timed_units_exceed_minutes"])
    finding = found["finding"]
    lines = audit.sql(
        "SELECT source_row FROM claim_line INNER JOIN therapy_line ON line_id = claim_line.rowid"
        f" WHERE therapy_line.patient_id = '{finding['patient_id']}'"
        f" AND therapy_line.service_date = DATE '{finding['service_date']}'"
        f" AND therapy_line.discipline = '{finding['discipline']}' ORDER BY ALL"
    ).fetchall()
    assert sorted(line["source_row"] for line in found["lines"]) == [row for (row,) in lines]
    assert found["notes"]
    minutes = [service["minutes"] for note in found["notes"] for service in note["services"]]
    assert sum(minute or 0 for minute in minutes) >= found["facts"]["minutes"]


def test_lines_of_both_clinicians_who_billed_the_same_minutes(audit: ta.Audit, first: dict[str, str]) -> None:
    found = audit.explain(first["medicare.cotreatment_double_billed"])
    assert {line["discipline"] for line in found["lines"]} == {"PT", "OT"} == set(found["facts"]["disciplines"])
    assert {note["discipline"] for note in found["notes"]} == {"PT", "OT"}
    assert sum(line["units"] for line in found["lines"]) == found["facts"]["units_billed"]


def test_the_edit_table_told_is_that_of_the_lines_setting(audit: ta.Audit) -> None:
    rows = audit.sql(
        "SELECT any_value(finding_id), setting, facts ->> 'edit_table' FROM finding"
        " INNER JOIN therapy_line USING (claim_id, claim_line_number)"
        " WHERE rule LIKE 'medicare.ncci_pair%' GROUP BY ALL"
    ).fetchall()
    assert {(setting, told) for _, setting, told in rows} == {
        ("practitioner", "practitioner"), ("hospital", "outpatient hospital")
    }  # fmt: skip
    for finding_id, setting, told in rows:
        found = audit.explain(finding_id)
        assert f"an NCCI edit ({told})" in found["seen"]
        assert [table["setting"] for table in found["reference_tables"]] == [setting]
        assert f"ncci_pair ({setting}) 2024 Q3" in explain.as_text(found)


def test_a_clinicians_lines_are_cut_and_counted(audit: ta.Audit, first: dict[str, str]) -> None:
    found = audit.explain(first["clinic.minutes_look_estimated"])
    assert found["lines_in_all"] > len(found["lines"]) == 40
    assert f"40 of {found['lines_in_all']:,} claim lines" in explain.as_text(found)


def test_note_text_is_shown_only_when_asked_for(audit: ta.Audit, first: dict[str, str]) -> None:
    finding = first["clinic.functional_goal_missing"]
    bare, told = audit.explain(finding), audit.explain(finding, with_text=True)
    texts = [service["text"] for note in told["notes"] for service in note["services"] if service["text"]]
    assert texts
    quiet = explain.as_text(bare) + explain.as_json(bare)
    assert not [text for text in texts if text[:30] in quiet]
    assert texts[0][:30] in explain.as_text(told)


def test_the_begin_of_an_id_is_enough_where_it_is_the_only_one(audit: ta.Audit) -> None:
    ids = [row[0] for row in audit.sql("SELECT finding_id FROM finding ORDER BY finding_id").fetchall()]
    assert audit.explain(ids[0][:12].upper())["finding"]["finding_id"] == ids[0]
    with pytest.raises(AuditError, match="Several findings begin with ''") as several:
        audit.explain("")
    assert ids[0] in str(several.value)
    with pytest.raises(AuditError, match=r"No finding of this run has the id 'g000'; .*\.$"):
        audit.explain("g000")


def run_cli(*words: str) -> tuple[int, str]:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "therapy_audit.cli", *words], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_command_takes_the_newest_run(
    sample_run: pipeline.Result, first: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = first["medicare.kx_missing"]
    monkeypatch.chdir(tmp_path)
    code, told = run_cli("explain", finding)
    assert (code, told) == (
        2,
        "Error: There is no report in reports/; name its folder with --run, or write one: therapy-audit run.\n",
    )
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "2026-Q1").symlink_to(sample_run.folder)
    result = CliRunner().invoke(cli, ["explain", finding])
    assert result.exit_code == 0, result.output
    assert "KX" in result.output
    named = CliRunner().invoke(cli, ["explain", finding, "--run", str(sample_run.folder), "--json"])
    assert json.loads(named.output)["finding"]["finding_id"] == finding
    assert run_cli("explain", "nothing")[0] == 2


def test_coverage_tells_the_whole_rulebook(sample_run: pipeline.Result) -> None:
    found = coverage.read(sample_run.folder)
    assert [row["rule"] for row in found["rules"]] == sorted(RULES)
    for row in found["rules"]:
        assert row["in_scope"] == row["passed"] + row["failed"] + row["not_evaluable"] + row["error"]
        assert sum(row["reasons"].values()) == row["not_evaluable"]
        assert len(row["needs"]) >= len(row["reasons"])
        assert row["needs"] or row["in_scope"]
    text = coverage.as_text(found)
    assert all(name in text for name in RULES)
    result = CliRunner().invoke(cli, ["rules", "coverage", str(sample_run.folder), "--json"])
    assert json.loads(result.output) == json.loads(coverage.as_json(found))


def test_coverage_says_what_an_empty_scope_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = CliRunner().invoke(cli, ["rules", "coverage"])
    assert "no run was found in reports/" in nothing.output
    assert "cannot judge where" in nothing.output
    (tmp_path / "claims.csv").write_text(
        "Claim ID,Line,Patient ID,Payer,DOS,CPT,Modifiers,Units,Allowed\nC1,1,P1,CIGNA,3/2/2026,97110,GP,1,30\n"
    )
    (tmp_path / "audit.toml").write_text('period = "2026-03"\n[inputs]\nclaims = "claims.csv"\n')
    with pytest.raises(AuditError, match="nothing was run yet"):
        coverage.folder_of(tmp_path / "audit.toml")
    assert CliRunner().invoke(cli, ["run", "audit.toml"]).exit_code == 0
    rows = {row["rule"]: row for row in coverage.read(coverage.folder_of(tmp_path / "audit.toml"))["rules"]}
    assert rows["clinic.denial_open"]["needs"] == ["nothing in scope: needs remittances, and none were given"]
    assert rows["medicare.kx_missing"]["needs"] == [
        "nothing in scope: needs claims of a payer that maps to medicare_part_b"
    ]
    assert rows["clinic.code_mix_drift"]["needs"] == ["1 x the line names no rendering clinician"]
    assert coverage.folder_of(None) == explain.newest_run()
