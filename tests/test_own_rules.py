"""Rules of a user's own: a folder of YAML and SQL, judged, explained and refused as the shipped ones are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import therapy_audit as ta
from therapy_audit import coverage, pipeline, rules, scrub
from therapy_audit.cli import cli
from therapy_audit.config import Config, read
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from pathlib import Path

RULE = """\
title: More units of therapeutic activities in a day than the contract pays
severity: error
direction: overpayment
grain: visit
plans: [aetna]
effective_from: 2026-01-01
applies_to: hcpcs_code = '97530'
parameters: {most: own.activity_units}
requires: {units: a line has no units}
message: "{units_billed} units of 97530 billed; the contract pays {most}."
arithmetic: "{units_billed} billed less {most} paid."
remedy: Write off what is past the contract's number.
references: [{title: Contract of 2026 section 4.2}]
"""
SQL = """\
-- The contract pays no more than a number of units of therapeutic activities a day.
WITH day AS (
    SELECT
        min({'claim_id': claim_id, 'number': claim_line_number}) AS first_line,
        patient_id, service_date, discipline, plan, sum(units)::INTEGER AS units_billed, sum(line_amount) AS amount
    FROM visit_lines_in_scope($rule)
    WHERE hcpcs_code = '97530'
    GROUP BY patient_id, service_date, discipline, plan
)
SELECT
    day.first_line.claim_id AS claim_id,
    day.first_line.number AS claim_line_number,
    day.units_billed,
    parameter.value::INTEGER AS most,
    (day.amount * (day.units_billed - parameter.value) / day.units_billed)::DECIMAL(12, 2) AS amount_at_risk
FROM day
INNER JOIN parameter
    ON
        parameter.name = $most AND parameter.key = day.plan
        AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
WHERE day.units_billed > parameter.value
"""
PARAMETER = """\
title: Units of 97530 that the contract pays a day
unit: units
keys: plan
values: {aetna: {2026-01-01: 2, 2026-07-01: 3}}
known_until: 2026-12-31
references: [{title: Contract of 2026 section 4.2}]
"""
CLAIMS = """\
Claim,Line,Patient ID,Payer,DOS,CPT,Mod 1,Units,Charge,Allowed
at,1,P1,AETNA,2026-03-02,97530,GP,2,100.00,60.00
above,1,P2,AETNA,2026-03-02,97530,GP,3,150.00,90.00
unknown,1,P3,AETNA,2026-03-02,97530,GP,,150.00,90.00
before,1,P4,AETNA,2025-12-31,97530,GP,3,150.00,90.00
raised,1,P5,AETNA,2026-07-01,97530,GP,3,150.00,90.00
raised-above,1,P6,AETNA,2026-07-01,97530,GP,4,200.00,120.00
other-payer,1,P7,CIGNA,2026-03-02,97530,GP,3,150.00,90.00
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "my_rules"
    (folder / "parameters").mkdir(parents=True)
    (folder / "too_many_activity_units.yaml").write_text(RULE, encoding="utf-8")
    (folder / "too_many_activity_units.sql").write_text(SQL, encoding="utf-8")
    (folder / "parameters" / "activity_units.yaml").write_text(PARAMETER, encoding="utf-8")
    return folder


def settings(folder: Path, more: str = "") -> Config:
    (folder / "claims.csv").write_text(CLAIMS, encoding="utf-8")
    toml = f'rules = "my_rules"\nquality = "warn"\noutput = "out"\n[inputs]\nclaims = "claims.csv"\n{more}'
    (folder / "audit.toml").write_text(toml, encoding="utf-8")
    return read(folder / "audit.toml")


def test_own_rule_judges_is_covered_and_explained(own: Path, tmp_path: Path) -> None:
    config = settings(tmp_path)
    result = pipeline.run(config)
    for path in own.rglob("*.*"):
        path.write_text("changed since", encoding="utf-8")  # the run kept what it judged by
    with ta.open(result.folder) as audit:
        found = audit.findings().query("rule == 'own.too_many_activity_units'").sort_values("claim_id")
        assert list(found["claim_id"]) == ["above", "raised-above"]
        assert list(found["amount_at_risk"]) == [30.0, 30.0]
        assert found["message"].iloc[0] == "3 units of 97530 billed; the contract pays 2."
        row = audit.coverage().set_index("rule").loc["own.too_many_activity_units"]
        told = audit.explain(found["finding_id"].iloc[0])
    assert tuple(row[["in_scope", "failed", "passed", "not_evaluable"]]) == (5, 2, 2, 1)
    assert told["arithmetic"] == "3 billed less 2 paid."
    assert told["expected"].startswith("The contract pays no more than a number of units")
    assert told["rule"]["changed_since"] is False
    assert told["references"] == [{"title": "Contract of 2026 section 4.2", "href": None}]
    listed = {item["rule"]: item for item in coverage.read(result.folder)["rules"]}
    assert listed["own.too_many_activity_units"]["needs"] == ["1 x a line has no units"]
    manifest = json.loads((result.folder / "manifest.json").read_text(encoding="utf-8"))
    assert "own.too_many_activity_units" in manifest["rules"]


@pytest.mark.usefixtures("own")
def test_own_rule_judges_before_billing_by_own_values(tmp_path: Path) -> None:
    config = settings(tmp_path, '[parameters]\n"own.activity_units" = {aetna = 3}\n')
    told = scrub.scrub(config)
    found = [item for claim in told.claims for item in claim["reasons"] if item["rule"].startswith("own.")]
    assert [item["message"] for item in found] == ["4 units of 97530 billed; the contract pays 3."]


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("yaml", ("plans: [aetna]", "plans: [harbor]"), "plans ['harbor'] are not in rules/plans.yaml"),
        ("yaml", ("own.activity_units", "own.units"), "parameter 'own.units' has no file in my_rules/parameters/."),
        ("yaml", ("effective_from: 2026-01-01", "effective_from: soon"), "effective_from must be a date such as"),
        ("yaml", ('{most}."\narith', '{most."\narith'), "a brace of message stands alone"),
        ("yaml", ("{title: Contract of 2026 section 4.2}", "Contract"), "each of references must be like"),
        ("yaml", ("message:", "query: other\nmessage:"), "there is no my_rules/too_many_activity_units.sql"),
        ("yaml", ("{units: a", "{unitz: a"), "requires names unitz, which visit_lines_in_scope does not have."),
        (
            "yaml",
            ('message: "{units_billed}', 'message: "{billed}'),
            "its SQL must return billed as well, which message in too_many_activity_units.yaml asks for.",
        ),
        (
            "yaml",
            ("grain: visit", "grain: clinician_day"),
            "must return clinician_npi as well, which grain: clinician_day in",
        ),
        ("sql", ("sum(units)", "sum(unitz)"), 'Referenced column "unitz" not found'),
        ("sql", ("visit_lines_in_scope($rule)", "therapy_line"), "its SQL must read FROM one of in_scope"),
        ("sql", ("day.first_line.number AS claim_line_number,", ""), "must return claim_line_number as well"),
        ("sql", ("SELECT\n", "SELEC\n"), "cannot run. Parser Error: syntax error"),
    ],
)
def test_wrong_own_rule_is_told_before_anything_is_read(
    own: Path, file: str, change: tuple[str, str], words: str
) -> None:
    path = own / f"too_many_activity_units.{file}"
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(AuditError) as caught:
        pipeline.rules_of(Config(inputs={"claims": ("absent.csv",)}, rules=own))
    assert words in str(caught.value)
    assert str(caught.value).startswith(("my_rules/too_many_activity_units.yaml: ", "own.too_many_activity_units: "))


def test_folder_without_rules_is_told(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="there is no such folder"):
        rules.load(tmp_path / "none")
    with pytest.raises(AuditError, match="there is no rule in it"):
        rules.load(tmp_path)
    (tmp_path / "a.yaml").write_bytes(b"title: \xff")
    with pytest.raises(AuditError, match="is not UTF-8"):
        rules.load(tmp_path)


def test_own_rule_may_share_a_shipped_check(own: Path) -> None:
    (own / "too_many_activity_units.sql").unlink()
    (own / "too_many_activity_units.yaml").write_text(RULE + "query: duplicate_line\n", encoding="utf-8")
    (rule,) = [rule for rule in rules.load(own).rules if rule.name.startswith(rules.OWN)]
    assert rule.sql == next(item.sql for item in rules.load().rules if item.name == "clinic.duplicate_line")


def test_own_rules_are_listed_and_shown_as_run_finds_them(own: Path, tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(f'rules = "{own}"\n[inputs]\nclaims = "claims.csv"\n', encoding="utf-8")
    for given in (["--rules", str(own)], ["--config", str(config)]):
        listed = CliRunner().invoke(cli, ["rules", "list", *given]).output
        assert "own.too_many_activity_units" in listed
        assert "clinic.duplicate_line" in listed
        page = CliRunner().invoke(cli, ["rules", "show", "too_many_activity_units", *given]).output
        assert "own.too_many_activity_units" in page
        printed = CliRunner().invoke(cli, ["sql", "own.too_many_activity_units", *given]).output
        assert printed.strip() == (own / "too_many_activity_units.sql").read_text(encoding="utf-8").strip()
    assert "own." not in CliRunner().invoke(cli, ["rules", "list"]).output
