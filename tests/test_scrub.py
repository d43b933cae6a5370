"""Before billing: what blocks, warns and passes, what history and notes change, and what is left behind (nothing)."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import therapy_audit as ta
from therapy_audit import engine, rules, scrub
from therapy_audit.cli import cli, main
from therapy_audit.config import Config

if TYPE_CHECKING:
    from pathlib import Path

    from therapy_audit import pipeline

HEADER = "Claim ID,Line,Patient ID,Payer,DOS,CPT,Modifiers,Units,Charge,Allowed,Rendering NPI\n"
PASSING = "C1,1,P1,MEDICARE,2026-03-02,97110,GP,1,80,30,1990010005\n"
TOO_MANY = "C2,1,P2,MEDICARE,2026-03-02,97110,GP,3,240,90,1990010005\n"
NO_GP = "C3,1,P3,MEDICARE,2026-03-02,97110,,1,80,30,1990010005\n"
WITH_52 = "C4,1,P4,MEDICARE,2026-03-02,97110,GP 52,1,80,30,1990010005\n"
UNREADABLE = "C5,1,P5,MEDICARE,31.31.2026,97110,GP,1,80,30,1990010005\n"
NOTES = """\
Note ID,Patient ID,DOS,Discipline,Note Type,Total Timed Minutes
N1,P1,2026-03-02,PT,Daily Note,15
N2,P2,2026-03-02,PT,Daily Note,15
N3,P3,2026-03-02,PT,Daily Note,15
N4,P4,2026-03-02,PT,Daily Note,15
N9,P9,2026-12-31,PT,Daily Note,15
"""


def files(folder: Path, claims: str, notes: str = "", history: str = "") -> tuple[Config, tuple[str, ...]]:
    """Write what is given; return the config and the history to scrub with."""
    inputs: dict[str, tuple[str, ...]] = {}
    for name, text in (("claims", HEADER + claims), ("notes", notes), ("history", HEADER + history)):
        if text not in ("", HEADER):
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
            inputs[name] = (str(folder / f"{name}.csv"),)
    before = inputs.pop("history", ())
    return Config(inputs=inputs), before


def scrubbed(folder: Path, claims: str, notes: str = "", history: str = "") -> scrub.Scrubbed:
    config, before = files(folder, claims, notes, history)
    return scrub.scrub(config, before)


def verdicts(result: scrub.Scrubbed) -> dict[str, str]:
    return {claim["claim_id"]: claim["verdict"] for claim in result.claims}


def rules_of(result: scrub.Scrubbed, claim_id: str) -> set[str]:
    return {item["rule"] for claim in result.claims if claim["claim_id"] == claim_id for item in claim["reasons"]}


def test_block_warn_and_pass(tmp_path: Path) -> None:
    result = scrubbed(tmp_path, PASSING + TOO_MANY + NO_GP + WITH_52, NOTES)
    assert verdicts(result) == {"C1": "pass", "C2": "block", "C3": "block", "C4": "warn"}
    assert "medicare.timed_units_exceed_minutes" in rules_of(result, "C2")
    assert rules_of(result, "C4") == {"medicare.reduced_service_modifier_on_timed_code"}
    assert result.totals == {"claims": 4, "block": 2, "warn": 1, "pass": 1, "held_amount": 320.0}
    assert not result.rule_errors


def test_without_notes_says_so_once(tmp_path: Path) -> None:
    result = scrubbed(tmp_path, PASSING + TOO_MANY + NO_GP)
    assert verdicts(result) == {"C1": "pass", "C2": "pass", "C3": "block"}
    (told,) = [item for item in result.not_judged if "note" in item["reason"]]
    assert told["claims"] == 3
    assert "medicare.timed_units_exceed_minutes" in told["rules"]


def test_the_day_without_its_note_is_blocked(tmp_path: Path) -> None:
    result = scrubbed(tmp_path, PASSING.replace("C1", "C8").replace("P1", "P8"), NOTES)
    assert rules_of(result, "C8") == {"clinic.line_without_note"}


def test_history_counts_toward_kx_and_is_not_judged(tmp_path: Path) -> None:
    before = "H1,1,P1,MEDICARE,2026-01-05,97110,,1,2600,2600,1990010005\n"
    assert verdicts(scrubbed(tmp_path, PASSING)) == {"C1": "pass"}
    result = scrubbed(tmp_path, PASSING, history=before)
    assert verdicts(result) == {"C1": "block"}
    assert rules_of(result, "C1") == {"medicare.kx_missing"}


def test_a_fault_shared_with_history_is_told_on_the_new_claim(tmp_path: Path) -> None:
    before = PASSING.replace("C1", "B1").replace("97110,GP,1", "97110,GP,2")
    result = scrubbed(tmp_path, PASSING, NOTES, history=before)
    assert verdicts(result) == {"C1": "block"}
    assert {"medicare.timed_units_exceed_minutes"} <= rules_of(result, "C1")
    assert {item["claim_line_number"] for item in result.claims[0]["reasons"]} == {1}


def test_what_was_billed_before_is_blocked(tmp_path: Path) -> None:
    result = scrubbed(tmp_path, PASSING + NO_GP, history=PASSING)
    assert verdicts(result) == {"C1": "block", "C3": "block"}
    assert rules_of(result, "C1") == {"intake"}


def test_refused_rows_block_their_claim(tmp_path: Path) -> None:
    result = scrubbed(tmp_path, PASSING + UNREADABLE + "C6,too,few\n")
    assert verdicts(result) == {"C1": "pass", "C5": "block"}
    assert [row["claim_id"] for row in result.refused_rows] == ["C5", None]
    assert any("row 4" in line for line in result.table())


def test_nothing_that_can_be_read(tmp_path: Path) -> None:
    assert verdicts(scrubbed(tmp_path, UNREADABLE)) == {"C5": "block"}


def test_nothing_to_judge_is_told(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text(HEADER, encoding="utf-8")
    result = scrub.scrub(Config(inputs={"claims": (str(tmp_path / "claims.csv"),)}))
    assert result.table() == ["Nothing to judge: the files hold no claims"]


def test_future_dates_and_unknown_payers_are_told(tmp_path: Path) -> None:
    far = PASSING.replace("2026-03-02", "2031-03-02")
    result = scrubbed(tmp_path, far + PASSING.replace("C1", "C7").replace("MEDICARE", "NOBODY KNOWS"))
    assert verdicts(result) == {"C1": "pass", "C7": "pass"}
    reasons = " ".join(item["reason"] for item in result.not_judged)
    assert "is not known for the date" in reasons
    assert "maps to no plan" in reasons
    assert all(None not in item["rules"] for item in result.not_judged)


def test_json_and_exit_codes(tmp_path: Path) -> None:
    files(tmp_path, PASSING + WITH_52, NOTES)
    given_files = [str(tmp_path / "claims.csv"), "--notes", str(tmp_path / "notes.csv")]
    run = CliRunner().invoke(cli, ["scrub", *given_files, "--json"])
    told = json.loads(run.output)
    assert run.exit_code == 0
    assert set(told) == {"claims", "totals", "not_judged", "refused_rows", "notices"}
    assert told["notices"] == []
    (reason,) = told["claims"][1]["reasons"]
    assert list(reason) == [
        "rule", "severity", "claim_line_number", "service_date", "hcpcs_code", "message", "remedy", "amount_at_risk",
    ]  # fmt: skip
    assert (reason["severity"], reason["service_date"], reason["hcpcs_code"]) == ("warning", "2026-03-02", "97110")
    assert '"P4"' not in run.output, "a patient's number is not needed to find the claim"
    assert CliRunner().invoke(cli, ["scrub", *given_files, "--fail-on", "warning"]).exit_code == 1


def test_block_exits_with_one_and_writes_a_private_file(tmp_path: Path) -> None:
    files(tmp_path, PASSING + NO_GP)
    out = tmp_path / "verdicts.txt"
    run = CliRunner().invoke(cli, ["scrub", str(tmp_path / "claims.csv"), "--out", str(out)])
    assert run.exit_code == 1
    assert run.output == "2 claims: 1 block, 0 warn, 1 pass; $80.00 held\n"
    assert out.read_text(encoding="utf-8").startswith("BLOCK  C3\n")
    assert out.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"claims.csv", "verdicts.txt"}
    day_first = TOO_MANY.replace("2026-03-02", "3/2/2026") + NO_GP.replace("2026-03-02", "13/2/2026")
    files(tmp_path, day_first)
    run = CliRunner().invoke(cli, ["scrub", str(tmp_path / "claims.csv"), "--fail-on", "never"])
    assert run.stderr.startswith("Note: claims.csv: service_date: read day first, as 1 rows prove")
    assert run.exit_code == 0


@pytest.mark.parametrize("arguments", [["scrub"], ["scrub", "nowhere.csv"], ["scrub", "x.csv", "--config", "no.toml"]])
def test_bad_usage_is_two(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["therapy-audit", *arguments])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spill, data = tmp_path / "spill", tmp_path / "data"
    spill.mkdir()
    data.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spill))
    monkeypatch.chdir(data)
    scrubbed(data, PASSING + NO_GP, NOTES)
    with pytest.raises(ta.AuditError):
        scrub.scrub(Config(inputs={"claims": ("nowhere.csv",)}))
    assert not list(spill.iterdir())
    assert {path.name for path in data.iterdir()} == {"claims.csv", "notes.csv"}


def test_same_judgement_as_a_run(sample_run: pipeline.Result, samples_config: Config) -> None:
    """Every claim with an error of a rule that judges before billing is blocked, and no other; warnings likewise."""
    result = scrub.scrub(replace(samples_config, period=None))
    judging = [rule.name for rule in rules.load().rules if rule.before_billing]
    with ta.open(sample_run.folder) as audit:
        expected = dict(
            audit.con.execute(
                "SELECT claim_id, CASE min(list_position(['error', 'warning', 'info'], severity))"
                " WHEN 1 THEN 'block' WHEN 2 THEN 'warn' ELSE 'pass' END"
                " FROM finding WHERE list_contains($1::VARCHAR[], rule) GROUP BY claim_id",
                [judging],
            ).fetchall()
        )
        unreadable = {row["claim_id"] for row in result.refused_rows}
    found = {claim: verdict for claim, verdict in verdicts(result).items() if claim not in unreadable}
    assert found == {claim: expected.get(claim, "pass") for claim in found}
    assert set(expected) - set(found) <= unreadable


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.dates(date(2026, 2, 1), date(2026, 4, 1)),
            st.sampled_from(["97110", "97140", "97530", "97161", "99999"]),
            st.sampled_from(["GP", "", "GP KX", "GP 59", "GO CQ"]),
            st.integers(0, 30),
        ),
        max_size=12,
    )
)
def test_unrelated_claims_change_no_verdict(tmp_path: Path, others: list[Any]) -> None:
    claims = PASSING + TOO_MANY + NO_GP + WITH_52
    added = "".join(
        f"X{n},1,X{patient},MEDICARE,{day},{code},{modifiers},{units},100,40,1770010007\n"
        for n, (patient, day, code, modifiers, units) in enumerate(others)
    )
    found = scrubbed(tmp_path, added + claims, NOTES)
    assert {claim: verdict for claim, verdict in verdicts(found).items() if claim[0] == "C"} == {
        "C1": "pass",
        "C2": "block",
        "C3": "block",
        "C4": "warn",
    }


def test_a_segment_that_could_not_be_read_belongs_to_its_claim(tmp_path: Path) -> None:
    interchange = (
        "ISA*00*          *00*          *ZZ*A              *ZZ*B              *260302*1200*^*00501*000000001*0*P*:~"
    )
    rest = "GS*HC~ST*837~HL*1~CLM*C1*80~LX*1~SV1*?~\n~HL*2~CLM*C2*80~LX*1~SE*9~"
    path = tmp_path / "claims.837"
    path.write_text(interchange + rest, encoding="ascii")
    with engine.connect() as con:
        con.execute("CREATE TABLE refused_row AS SELECT 'f' AS source_file, unnest([2, 5, 7, 8, 9, 11]) AS source_row")
        con.execute("CREATE TABLE row_claim (source_file VARCHAR, source_row BIGINT, claim_id VARCHAR)")
        scrub._find_x12_claims(con, path, "f")  # noqa: SLF001
        found = con.execute("SELECT source_row, claim_id FROM row_claim ORDER BY ALL").fetchall()
    assert found == [(5, "C1"), (7, "C1"), (8, None), (9, "C2"), (11, None)]
