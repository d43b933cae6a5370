"""The whole run: what it leaves, that it is repeatable and replaces whole, and what a user is told when it cannot."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from click.testing import CliRunner
from filelock import FileLock

import therapy_audit as ta
from therapy_audit import accuracy, engine, pipeline, rules
from therapy_audit.cli import cli
from therapy_audit.config import Config, read, span
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from datetime import date

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
GOLDEN = Path(__file__).parent / "golden" / "findings.csv"
FILES = {
    "report.html", "findings.xlsx", "findings.parquet", "findings.csv", "coverage.csv", "quarantine.csv",
    "summary.json", "manifest.json", "audit.duckdb", "quality", "documentation.csv", "documentation.parquet",
    "denials.csv", "denials.parquet", "clinician_profiles.csv", "clinician_profiles.parquet",
    "risk.csv", "risk.parquet", "reconciliation.csv", "reconciliation.parquet",
}  # fmt: skip
CLAIMS = """\
Claim ID,Line,Patient ID,Payer,DOS,CPT,Modifiers,Units,Charge,Allowed
C1,1,P1,MEDICARE,3/2/2026,97110,GP,1,80,30
C1,2,P1,MEDICARE,3/2/2026,97530,GP,2,160,60
"""
NOTES = """\
Note ID,Patient ID,DOS,Discipline,Note Type,CPT,Minutes
N1,P1,3/2/2026,PT,Daily Note,97110,10
N1,P1,3/2/2026,PT,Daily Note,97530,20
"""


def small(folder: Path, claims: str = CLAIMS, notes: str = NOTES) -> Config:
    (folder / "claims.csv").write_text(claims, encoding="utf-8")
    (folder / "notes.csv").write_text(notes, encoding="utf-8")
    inputs = {"claims": (str(folder / "claims.csv"),), "notes": (str(folder / "notes.csv"),)}
    return Config(inputs=inputs, output=folder / "out" / "report")


def test_a_day_before_anything_was_sent_is_refused(tmp_path: Path) -> None:
    sent = CLAIMS.replace("Allowed\n", "Allowed,Submitted Date\n").replace(",30\n", ",30,3/5/2026\n")
    config = small(tmp_path, sent.replace(",60\n", ",60,3/5/2026\n"))
    with pytest.raises(AuditError, match=r"No claim was sent by 2026-03-04, .* the first was sent on 2026-03-05"):
        pipeline.run(replace(config, as_of="2026-03-04"))


def test_run_leaves_all_files_private(sample_run: pipeline.Result) -> None:
    assert {path.name for path in sample_run.folder.iterdir()} == FILES
    for path in sample_run.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path.name
    assert {path.name for path in sample_run.folder.parent.iterdir()} <= {"report", ".report.lock"}


def test_samples_give_the_golden_findings(sample_run: pipeline.Result, request: pytest.FixtureRequest) -> None:
    found = (sample_run.folder / "findings.csv").read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(found, encoding="utf-8")
    assert found == GOLDEN.read_text(encoding="utf-8"), (
        "if that is meant: pytest --update-golden, and tell it in CHANGELOG"
    )


def test_samples_find_every_planted_fault_and_nothing_else(sample_run: pipeline.Result) -> None:
    with ta.open(sample_run.folder) as audit:
        rows = accuracy.measure(audit.con, SAMPLES / "truth.csv")
    # Sums that disagree stand in an 835 alone.
    unplanted = {"clinic.remittance_does_not_balance"}
    assert {row["rule"] for row in rows if row["planted"]} == set(sample_run.titles) - unplanted
    assert [row for row in rows if row["missed"] or row["false"] or row["near_misses_flagged"]] == []


def test_rows_in_are_rows_loaded_and_quarantined(sample_run: pipeline.Result) -> None:
    manifest = json.loads((sample_run.folder / "manifest.json").read_text(encoding="utf-8"))
    for item in manifest["inputs"]:
        path = SAMPLES / item["source_file"]
        with path.open(encoding="utf-8", newline="") as lines:
            counted = sum(1 for row in csv.reader(lines) if any(cell.strip() for cell in row)) - 1
        assert item["rows_in"] == counted == item["rows_loaded"] + item["rows_quarantined"], item["source_file"]


def test_totals_agree_everywhere(sample_run: pipeline.Result) -> None:
    with ta.open(sample_run.folder) as audit:
        findings = audit.findings()
        assert len(findings) == sample_run.summary["findings"] == audit.coverage()["findings"].sum()
        assert findings["finding_id"].is_unique
        over = audit.sql(
            "SELECT sum(finding_line.exposure_amount) FROM finding_line INNER JOIN finding USING (finding_id)"
            " WHERE direction = 'overpayment'"
        ).fetchall()[0][0]
    assert float(over) == pytest.approx(sample_run.summary["overpayment_amount"])


def test_another_number_of_threads_gives_the_same_bytes(
    sample_run: pipeline.Result, samples_config: Config, tmp_path: Path
) -> None:
    other = pipeline.run(pipeline.from_inputs(samples_config, output=tmp_path / "report", threads=1))
    for name in ("findings.csv", "findings.parquet", "coverage.csv", "quarantine.csv", "summary.json"):
        assert (other.folder / name).read_bytes() == (sample_run.folder / name).read_bytes(), name


def test_published_example_is_one_unit_too_many(tmp_path: Path) -> None:
    with ta.open(pipeline.run(small(tmp_path)).folder) as audit:
        (finding,) = audit.findings().to_dict("records")
        references = audit.sql("SELECT \"references\" FROM rule WHERE rule = 'medicare.timed_units_exceed_minutes'")
        citation = references.fetchall()[0][0]
    assert finding["rule"] == "medicare.timed_units_exceed_minutes"
    assert json.loads(finding["facts"])["units_allowed"] == 2
    assert (finding["source_file"], finding["source_row"]) == ("claims.csv", 2)
    assert "ch. 5 §20.2.C" in citation


def test_no_59_is_asked_for_97530_beside_97140_in_2026(tmp_path: Path) -> None:
    config = small(
        tmp_path, CLAIMS.replace("97110", "97140").replace("GP,2,160,60", "GP,1,80,30"), NOTES.replace("97110", "97140")
    )
    assert pipeline.run(config).summary["findings"] == 0


def test_period_reports_part_and_counts_all(tmp_path: Path) -> None:
    claims = CLAIMS + "C0,1,P1,MEDICARE,1/5/2026,97530,GP,1,80,2480\n"
    notes = NOTES + "N0,P1,1/5/2026,PT,Daily Note,97530,15\n"
    config = pipeline.from_inputs(small(tmp_path, claims, notes), period="2026-03")
    with ta.open(pipeline.run(config).folder) as audit:
        found = set(audit.findings()["rule"])
        assert audit.sql("SELECT DISTINCT month(service_date) FROM finding").fetchall() == [(3,)]
    assert "medicare.kx_missing" in found


def test_findings_without_any_amount_are_told(tmp_path: Path) -> None:
    claims = CLAIMS.replace(",Charge,Allowed", ",Place,Other").replace("80,30", "11,x").replace("160,60", "11,x")
    result = pipeline.run(small(tmp_path, claims))
    assert (result.summary["findings"], result.summary["unpriced_findings"]) == (1, 1)
    assert any("Other" in notice for notice in result.notices)


def test_unmapped_payer_is_reported_and_a_mapping_of_the_user_wins(tmp_path: Path) -> None:
    config = small(tmp_path, CLAIMS.replace("MEDICARE", "Plan Nobody Knows"))
    assert [item["payer"] for item in pipeline.run(config).summary["unmapped_payers"]] == ["Plan Nobody Knows"]
    mapped = pipeline.from_inputs(config, payers={"plan nobody*": "medicare_part_b"})
    assert pipeline.run(mapped).summary["unmapped_payers"] == []


def test_failed_run_leaves_the_last_good_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small(tmp_path)
    folder = pipeline.run(config).folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(engine, "run_rules", broken)
    with pytest.raises(RuntimeError):
        pipeline.run(config)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert {path.name for path in folder.parent.iterdir()} == {"report", ".report.lock"}


def test_run_that_died_between_the_renames_is_mended(tmp_path: Path) -> None:
    config = small(tmp_path)
    folder = pipeline.run(config).folder
    folder.rename(folder.parent / ".report.previous")
    with pytest.raises(AuditError):
        pipeline.run(pipeline.from_inputs(config, inputs={"claims": (str(tmp_path / "none.csv"),)}))
    assert (folder / "report.html").exists()


def test_two_runs_at_once_do_not_mix(tmp_path: Path) -> None:
    config = small(tmp_path)
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".report.lock"), pytest.raises(AuditError, match="another run is writing"):
        pipeline.run(config)


def test_foreign_folder_is_never_replaced(tmp_path: Path) -> None:
    config = small(tmp_path)
    (tmp_path / "out" / "report").mkdir(parents=True)
    (tmp_path / "out" / "report" / "thesis.txt").write_text("mine")
    with pytest.raises(AuditError, match="holds other things than a report"):
        pipeline.run(config)
    assert (tmp_path / "out" / "report" / "thesis.txt").read_text() == "mine"


def test_rule_whose_query_fails_is_an_error_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = rules.load()
    broken = [
        replace(rule, sql=rule.sql.replace("SELECT", "SELECT 1 // (SELECT 'x'::INTEGER), ", 1))
        if rule.name == "medicare.kx_missing"
        else rule
        for rule in original.rules
    ]
    monkeypatch.setattr(rules, "load", lambda _own=None: replace(original, rules=tuple(broken)))
    result = pipeline.run(small(tmp_path))
    assert set(result.rule_errors) == {"medicare.kx_missing"}
    assert result.summary["findings"] == 1
    with ta.open(result.folder) as audit:
        row = audit.sql("SELECT in_scope, passed, error FROM coverage WHERE rule = 'medicare.kx_missing'").fetchall()[0]
    assert row == (2, 0, 2)


def run_cli(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "therapy_audit.cli", *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_command_ends_with_five_lines_and_where_the_report_is(tmp_path: Path) -> None:
    small(tmp_path)
    done = run_cli(
        "run", "--claims", "claims.csv", "--notes", "notes.csv", "--out", "r", "--fail-on", "error", cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert lines[0] == "2 lines audited (2026-03-02..2026-03-02): 1 findings, 1 errors, 0 warnings, 0 hints"
    assert lines[-1].endswith("report.html")
    assert (tmp_path / "r" / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run",), "No claims were given"),
        (("run", "none.toml"), "there is no such file; `therapy-audit init` writes one"),
        (("run", "--claims", "none*.csv"), "none*.csv"),
        (("run", "--claims", "claims.csv", "--period", "2026-13"), "Period '2026-13' is not one"),
        (("run", "bad.toml"), "unknown key 'perod'. There are: period"),
        (("run", "broken.toml"), "not readable as TOML"),
        (("run", "payers.toml"), "to 'medicare_partb', which is no plan; there are aetna"),
        (("run", "number.toml"), "[inputs] claims must be a file or a list of files"),
        (("run", "rows.toml"), "report_rows must be a whole number from 0 to 1000000"),
        (("run", "--claims", "claims.csv", "--period", "2019-01"), "No claim line has a service date from 2019-01-01"),
        (("run", "--claims", "claims.csv", "--memory-limit", "potato"), "write it as 2GB"),
        (("init", "nowhere/audit.toml"), "the file cannot be written"),
        (("rules", "show", "nothing"), "There is no rule 'nothing'"),
        (("units", "97110=x"), "write it as 97110=10"),
        (("init", "bad.toml"), "the file exists"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "bad.toml").write_text('perod = "2026"\n')
    (tmp_path / "broken.toml").write_text("period = \n")
    (tmp_path / "payers.toml").write_text('[inputs]\nclaims = "claims.csv"\n[payers]\n"M*" = "medicare_partb"\n')
    (tmp_path / "number.toml").write_text("[inputs]\nclaims = 7\n")
    (tmp_path / "rows.toml").write_text("report_rows = -4\n")
    done = run_cli(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_fault_of_ours_is_exit_3_and_quotes_no_data(tmp_path: Path) -> None:
    small(tmp_path)
    script = (
        "import therapy_audit.pipeline as p\n"
        "def broken(*a, **k): raise ValueError('P1 secret')\n"
        "p.run = broken\n"
        "import sys; sys.argv = ['therapy-audit', 'run', '--claims', 'claims.csv']\n"
        "from therapy_audit.cli import main; main()\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "THERAPY_AUDIT_DEBUG"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 3
    assert "a fault of ours (ValueError)" in done.stderr
    assert "secret" not in done.stderr + done.stdout


def test_critical_quality_failure_stops_unless_warned(tmp_path: Path) -> None:
    config = small(tmp_path, CLAIMS + "C2,1,P1,MEDICARE,,97530,GP,1,80,30\n", NOTES)
    bad = tmp_path / "bad.csv"
    bad.write_text(CLAIMS.splitlines()[0] + "\nC9,1,P1,MEDICARE,not a date,97530,GP,1,80,30\n")
    config = pipeline.from_inputs(config, inputs={**config.inputs, "claims": (*config.inputs["claims"], str(bad))})
    with pytest.raises(AuditError, match="critical quality check"):
        pipeline.run(config)
    refused = tmp_path / "out" / "report.refused"
    assert "bad.csv" in (refused / "quarantine.csv").read_text()
    assert pipeline.run(pipeline.from_inputs(config, quality="warn")).summary["findings"] == 1
    assert not refused.exists()


def test_init_writes_a_file_that_reads(tmp_path: Path) -> None:
    small(tmp_path)
    assert run_cli("init", cwd=tmp_path).returncode == 0
    assert set(read(tmp_path / "audit.toml").inputs) == {"claims", "notes"}
    done = run_cli("run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports" / "all" / "report.html").exists()


def test_api_runs_and_opens(tmp_path: Path) -> None:
    small(tmp_path)
    with ta.run(claims=tmp_path / "claims.csv", notes=[tmp_path / "notes.csv"], output=tmp_path / "r") as audit:
        assert audit.summary["findings"] == 1
        assert list(audit.coverage()["rule"]) == sorted(audit.coverage()["rule"])
        with pytest.raises(duckdb.Error):
            audit.sql("DROP TABLE finding")
    with pytest.raises(AuditError, match="knows no 'out'"):
        ta.run(claims=tmp_path / "claims.csv", out=tmp_path)
    with pytest.raises(AuditError, match=r"no audit\.duckdb"):
        ta.open(tmp_path)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-Q1", "2026-01-01", "2026-03-31"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-01-15..2026-02-01", "2026-01-15", "2026-02-01"),
    ],
)
def test_period_spans(period: str, first: str, last: str) -> None:
    found: tuple[date, date] = span(period)
    assert (str(found[0]), str(found[1])) == (first, last)


@pytest.mark.parametrize("period", ["", "2026-Q5", "2026-00", "26", "2026-02-01..2026-01-01", "2026-02-30..2026-03-01"])
def test_wrong_periods_are_told(period: str) -> None:
    with pytest.raises(AuditError, match="is not one; write 2026, 2026-Q1"):
        span(period)


def test_every_command_has_help() -> None:
    runner = CliRunner()
    for name, command in cli.commands.items():
        assert command.help, name
        assert runner.invoke(cli, [name, "--help"]).exit_code == 0


def test_coverage_counts_what_the_checks_read(sample_run: pipeline.Result) -> None:
    """Coverage tallies each model once for all rules: it must be what each rule's own scope holds."""
    with ta.open(sample_run.folder) as audit:
        counted = dict(audit.sql("SELECT rule, in_scope FROM coverage").fetchall())
        for rule in rules.load().rules:
            scope = engine.scope_of(rule)
            keys = rulebook_keys(scope)
            what = f"count(DISTINCT ({keys}))" if keys else "count(*)"
            query = f"SELECT {what} FROM {scope}('{rule.name}') WHERE {rule.applies_to or 'TRUE'}"
            assert audit.sql(query).fetchall() == [(counted[rule.name],)], rule.name


def rulebook_keys(scope: str) -> str:
    return ", ".join(f"coalesce({name}::VARCHAR, '')" for name in rules.grains().scopes[scope].counts)


def test_messages_word_numbers() -> None:
    with engine.connect() as con:
        words = engine.message_sql("{a:count unit} of {b:money}, {c}, {d:count visit}")
        told = con.execute(f"SELECT {words} FROM (SELECT 1 AS a, 1234.5 AS b, NULL AS c, 2 AS d)").fetchall()
    assert told == [("1 unit of $1,234.50, not known, 2 visits",)]
