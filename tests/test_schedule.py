"""Scheduled runs: which month last-month is, which months are owed, what keeps two runs apart, and the exit codes."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from filelock import FileLock
from jsonschema import Draft202012Validator

from therapy_audit import config as settings
from therapy_audit import pipeline, report, schedule
from therapy_audit.cli import cli
from therapy_audit.config import Config, settled, span
from therapy_audit.errors import AuditError

CLAIMS = """\
Claim ID,Line,Patient ID,Payer,DOS,CPT,Modifiers,Units,Charge,Allowed
C1,1,P1,MEDICARE,9/3/2026,97530,GP,2,160,60
"""
NOTES = """\
Note ID,Patient ID,DOS,Discipline,Note Type,CPT,Minutes
N1,P1,9/3/2026,PT,Daily Note,97530,20
"""


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the first of November 2026."""
    monkeypatch.setattr(settings, "today", lambda: date(2026, 11, 1))


@pytest.mark.parametrize(
    ("today", "first", "last"),
    [
        ("2026-11-01", "2026-10-01", "2026-10-31"),  # on the 1st
        ("2026-10-31", "2026-09-01", "2026-09-30"),  # on the last day, the month is not over
        ("2027-01-01", "2026-12-01", "2026-12-31"),  # January looks into the year before
        ("2027-01-31", "2026-12-01", "2026-12-31"),
        ("2028-03-31", "2028-02-01", "2028-02-29"),
        ("2027-03-01", "2027-02-01", "2027-02-28"),
    ],
)
def test_last_month(today: str, first: str, last: str) -> None:
    assert tuple(map(str, span("last-month", date.fromisoformat(today)))) == (first, last)


def test_last_month_is_of_as_of_else_of_today_and_names_its_folder() -> None:
    config = Config(inputs={}, period="last-month")
    assert settled(config).period == "2026-10"
    assert settled(config).output == Path("reports/2026-10")
    looked = pipeline.from_inputs(config, as_of="2026-01-31", output=Path("/x/audit {period}"))
    assert (settled(looked).period, settled(looked).output) == ("2025-12", Path("/x/audit 2025-12"))
    assert settled(Config(inputs={})).output == Path("reports/all")
    with pytest.raises(AuditError, match="as_of 'soon' is not a date"):
        settled(pipeline.from_inputs(config, as_of="soon"))


def test_today_is_of_the_machines_time_zone() -> None:
    """Half an hour after midnight of the 1st in Tonga it is the last day of the month in Hawaii."""
    script = (
        "import datetime as d, time\n"
        "from therapy_audit import config\n"
        "class At(d.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None): return cls.fromtimestamp(1793445000, tz)\n"  # 2026-10-31 11:10 UTC
        "config.datetime = At\n"
        "print(config.today(), config.span('last-month')[0])\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", script], env={"TZ": zone}, capture_output=True, text=True, check=True
        ).stdout.split()
        for zone in ("TON-13", "HST10")
    ]
    assert found == [["2026-11-01", "2026-10-01"], ["2026-10-31", "2026-09-01"]]


def reported(root: Path, month: str, **changed: Any) -> Path:
    """Lay a report folder as a run leaves it, as far as a catch-up looks at it."""
    folder = root / month
    folder.mkdir(parents=True)
    manifest = {"period": month, "generated_at": "2026-12-24T10:00:00+00:00", "rule_errors": {}, "settings": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest | changed))
    (folder / "report.html").write_text("<html>")
    return folder


def owed(root: Path, **given: Any) -> schedule.Owed:
    return schedule.owed(pipeline.from_inputs(None, output=root / "{period}", period="last-month", **given))


def test_first_run_ever_owes_last_month_alone(tmp_path: Path) -> None:
    assert owed(tmp_path / "none yet") == schedule.Owed(("2026-10",))


def test_months_since_the_last_good_report_are_owed_oldest_first(tmp_path: Path) -> None:
    reported(tmp_path, "2026-07")
    assert owed(tmp_path) == schedule.Owed(("2026-08", "2026-09", "2026-10"), since="2026-07")
    reported(tmp_path, "2026-09")
    assert owed(tmp_path) == schedule.Owed(("2026-10",), since="2026-09", gaps=("2026-08",))
    reported(tmp_path, "2026-10")
    assert owed(tmp_path).months == ()


def test_the_turn_of_the_year_and_an_as_of_in_the_past(tmp_path: Path) -> None:
    reported(tmp_path, "2025-11")
    reported(tmp_path, "2026-08")
    found = owed(tmp_path, as_of="2026-02-01")
    assert (found.months, found.since) == (("2025-12", "2026-01"), "2025-11")


def test_no_more_than_the_limit_and_the_rest_is_told(tmp_path: Path) -> None:
    reported(tmp_path, "2025-08")
    found = owed(tmp_path)
    assert (found.months[0], found.months[-1], len(found.months), found.later) == ("2025-09", "2026-08", 12, 2)
    assert owed(tmp_path, catch_up=14).later == 0
    assert owed(tmp_path, catch_up=13).later == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"generated_at": "2026-09-20T10:00:00+00:00"},  # in the middle of its month
        {"settings": {"as_of": "2026-09-30"}},
        {"rule_errors": {"medicare.kx_missing": "ConversionException"}},
        {"period": "2026-09-01..2026-09-30"},
        {"settings": None},
    ],
)
def test_a_report_that_is_not_of_the_whole_month_is_owed_again(tmp_path: Path, changed: dict[str, Any]) -> None:
    reported(tmp_path, "2026-08")
    reported(tmp_path, "2026-09", **changed)
    assert owed(tmp_path).months == ("2026-09", "2026-10")


def test_what_is_no_report_of_a_month_does_not_count(tmp_path: Path) -> None:
    reported(tmp_path, "2026-08")
    reported(tmp_path, "2026-Q3")
    reported(tmp_path, "2026-10.refused", period="2026-10")
    (reported(tmp_path, "2026-09") / "report.html").unlink()
    assert owed(tmp_path).months == ("2026-09", "2026-10")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"period": "2026-10"}, "goes up to last month; leave out the period '2026-10'"),
        ({"output": Path("reports/2026")}, 'write output = "reports/{period}"'),
        ({"output": Path("{period}/report")}, 'write output = "reports/{period}"'),
    ],
)
def test_catch_up_needs_months_and_a_folder_for_each(given: dict[str, Any], told: str) -> None:
    with pytest.raises(AuditError) as fault, schedule.turn(pipeline.from_inputs(None, **given)):
        pass
    assert told in str(fault.value)


def test_two_catch_ups_do_not_mix(tmp_path: Path) -> None:
    config = Config(inputs={}, output=tmp_path / "{period}")
    with schedule.turn(config), pytest.raises(AuditError, match="another catch-up is at work"), schedule.turn(config):
        pass


def test_two_periods_in_one_root_may_run_at_once_and_one_period_may_not(tmp_path: Path) -> None:
    with pipeline.replaced(tmp_path / "2026-09") as first, pipeline.replaced(tmp_path / "2026-10") as second:
        assert first != second
        with (
            pytest.raises(AuditError, match="another run is writing this report"),
            pipeline.replaced(tmp_path / "2026-09"),
        ):
            pass
        (first / "manifest.json").write_text("{}")
        (second / "manifest.json").write_text("[]")
    assert [(tmp_path / month / "manifest.json").read_text() for month in ("2026-09", "2026-10")] == ["{}", "[]"]


def test_a_run_that_was_killed_leaves_no_lock_and_no_half_report(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from therapy_audit import pipeline\n"
        "with pipeline.replaced(pathlib.Path(sys.argv[1])) as building:\n"
        "    (building / 'half').write_text('')\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    output = reported(tmp_path, "2026-10")
    with subprocess.Popen([sys.executable, "-c", script, str(output)], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        assert killed.stdout.readline() == "ready\n"
        with pytest.raises(AuditError, match="another run"), pipeline.replaced(output):
            pass
        killed.send_signal(signal.SIGKILL)
    assert (tmp_path / ".2026-10.building" / "half").exists()
    with pipeline.replaced(output) as building:
        assert list(building.iterdir()) == []
        (building / "manifest.json").write_text("{}")
    assert [path.name for path in output.iterdir()] == ["manifest.json"]
    assert not (tmp_path / ".2026-10.building").exists()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As on a disk that is read-only or full; the tests may run as root, who may write anywhere else."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(number, "Refused")

    monkeypatch.setattr(FileLock, "acquire", refused)
    with pytest.raises(AuditError, match=r"\.r\.lock cannot be written there \(Refused\)"):
        pipeline.run(Config(inputs={"claims": ("x.csv",)}, output=tmp_path / "r"))
    monkeypatch.undo()
    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(AuditError, match=r"the output folder cannot be (written|made) \(Refused\)"):
        pipeline.run(Config(inputs={"claims": ("x.csv",)}, output=tmp_path / "r"))


def result(config: Config, **changed: Any) -> pipeline.Result:
    """What a run returns, as far as the command line tells it."""
    folder = settled(config).output
    assert folder
    numbers = dict.fromkeys(("overpayment_amount", "underpayment_amount", "lines_audited", "findings"), 0)
    summary = numbers | dict.fromkeys(("not_evaluable", "unpriced_findings", "stale_findings", "rows_quarantined"), 0)
    severities = {"error": changed.pop("errors", 0)}
    more: dict[str, Any] = {
        "findings_by_severity": severities,
        "rules": {},
        "unmapped_payers": [],
        "period": settled(config).period,
    }
    quality = {"success": True, "critical_failures": 0, "warnings": 0}
    return pipeline.Result(folder, summary | more, changed.get("rule_errors", {}), quality, {}, [])


@pytest.mark.parametrize(
    ("outcomes", "ran", "code", "told"),
    [
        ({}, ["2026-08", "2026-09", "2026-10"], 0, ""),
        ({"2026-08": {"errors": 1}}, ["2026-08", "2026-09", "2026-10"], 1, ""),
        ({"2026-09": None}, ["2026-08", "2026-09"], 2, "Caught up: 2026-08; failed: 2026-09; not run: 2026-10."),
        ({"2026-08": None}, ["2026-08"], 2, "Caught up: none; failed: 2026-08; not run: 2026-09, 2026-10."),
        (
            {"2026-08": {"errors": 1}, "2026-10": {"rule_errors": {"a.b": "Fault"}}},
            ["2026-08", "2026-09", "2026-10"],
            3,
            "Caught up: 2026-08, 2026-09; failed: 2026-10; not run: none.",
        ),
    ],
)
def test_catch_up_stops_at_the_first_month_that_fails_and_says_what_it_did(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcomes: dict[str, Any],
    ran: list[str],
    code: int,
    told: str,
) -> None:
    from therapy_audit.cli import main

    reported(tmp_path / "reports", "2026-07")
    (tmp_path / "audit.toml").write_text('period = "last-month"\ncatch_up = 3\nfail_on = "error"\n')
    periods = []

    def run(config: Config, _stage: object) -> pipeline.Result:
        periods.append(config.period or "")
        if (found := outcomes.get(periods[-1], {})) is None:
            raise AuditError("No claims.")
        return result(config, **found)

    monkeypatch.setattr(pipeline, "run", run)
    monkeypatch.setattr(sys, "argv", ["therapy-audit", "run", str(tmp_path / "audit.toml")])
    left: object = 0
    try:
        main()
    except SystemExit as leaving:
        left = leaving.code
    out, err = capsys.readouterr()
    assert (left, periods) == (code, ran)
    assert "To run: 2026-08, 2026-09, 2026-10 (last good report: 2026-07)" in out
    assert told in err
    assert ("Caught up" in err) == bool(told)


def test_the_months_caught_up_are_real_reports(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text(CLAIMS + "C2,1,P1,MEDICARE,10/5/2026,97530,GP,2,160,60\n")
    (tmp_path / "notes.csv").write_text(NOTES + "N2,P1,10/5/2026,PT,Daily Note,97530,30\n")
    toml = tmp_path / "audit.toml"
    toml.write_text('period = "last-month"\n[inputs]\nclaims = "claims.csv"\nnotes = "notes.csv"\n')
    reported(tmp_path / "reports", "2026-08")
    done = CliRunner().invoke(cli, ["run", str(toml), "--catch-up", "--fail-on", "error"])
    assert done.exit_code == 1, done.output  # September's
    schema = Draft202012Validator(json.loads(report.schema("summary")))
    for month, findings in (("2026-09", 1), ("2026-10", 0)):
        summary = json.loads((tmp_path / "reports" / month / "summary.json").read_text())
        assert (summary["period"], summary["period_start"], summary["findings"]) == (month, f"{month}-01", findings)
        assert [fault.message for fault in schema.iter_errors(summary)] == []  # nothing denied, nothing scored


def test_nothing_to_catch_up_is_told_and_is_no_fault(tmp_path: Path) -> None:
    reported(tmp_path / "reports", "2026-10")
    (tmp_path / "audit.toml").write_text('period = "last-month"\ncatch_up = 1\n')
    done = CliRunner().invoke(cli, ["run", str(tmp_path / "audit.toml")])
    assert (done.exit_code, done.output) == (0, "Nothing to catch up: the last good report is of 2026-10.\n")


@pytest.mark.parametrize("value", ["true", "-1", "121"])
def test_a_wrong_catch_up_is_told(tmp_path: Path, value: str) -> None:
    (tmp_path / "audit.toml").write_text(f"catch_up = {value}\n")
    with pytest.raises(AuditError, match="catch_up must be a number of months from 0 to 120"):
        settings.read(tmp_path / "audit.toml")


def closed(schema: Any) -> Any:
    """Return the schema with no key allowed that it does not describe."""
    if isinstance(schema, dict):
        more = {"additionalProperties": False} if "properties" in schema else {}
        return more | {key: closed(value) for key, value in schema.items()}
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


def test_summary_is_what_its_schema_says_and_every_key_is_described(sample_run: pipeline.Result) -> None:
    schema = json.loads(CliRunner().invoke(cli, ["schema", "summary"]).output)
    Draft202012Validator.check_schema(schema)
    summary = json.loads((sample_run.folder / "summary.json").read_text(encoding="utf-8"))
    assert [fault.message for fault in Draft202012Validator(closed(schema)).iter_errors(summary)] == []
    assert summary["schema_version"] == schema["properties"]["schema_version"]["const"]
    summary["findings"] = "many"
    assert not Draft202012Validator(schema).is_valid(summary)


def test_the_schemas_words_stand_for_every_key() -> None:
    def bare(schema: Any, path: str) -> list[str]:
        found = [path] if "description" not in schema else []
        for name, inner in schema.get("properties", {}).items():
            found += bare(inner, f"{path}.{name}")
        return found

    assert bare(json.loads(report.schema("summary")), "summary") == []


# docs/scheduling.md, tried.

DOCS = (Path(__file__).parents[1] / "docs" / "scheduling.md").read_text(encoding="utf-8")


def in_place(text: str, folder: Path) -> str:
    """Return the text with this environment's program and a folder of the test's in place of the paths in it."""
    return text.replace("/opt/therapy-audit/bin", str(Path(sys.executable).parent)).replace("/srv/audit", str(folder))


def test_the_cron_line_runs_as_cron_runs_it(tmp_path: Path) -> None:
    (line,) = [line for line in DOCS.splitlines() if " audit umask 077; " in line]
    command = in_place(line.partition(" audit ")[2], tmp_path)
    assert "%" not in command  # cron takes it for a new line
    home = {"HOME": "/", "LOGNAME": "audit", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}  # all that cron gives

    def job() -> str:
        done = subprocess.run(["/bin/sh", "-c", command], cwd="/", env=home, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    log = tmp_path / "audit.log"
    (tmp_path / "audit.toml").write_text('period = "last-month"\n')
    assert job() == f"therapy-audit ended with exit code 2; see {log}\n"
    assert "Error: No claims were given" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    last = f"{span('last-month', date.today())[0]:%Y-%m}"  # noqa: DTZ011 - the command's own day
    reported(tmp_path / "reports", last, generated_at="2100-01-01T00:00:00+00:00")
    assert job() == ""
    assert log.read_text().endswith(f"Nothing to catch up: the last good report is of {last}.\n")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_the_systemd_units_are_right(tmp_path: Path) -> None:
    blocks = [block.partition("```")[0] for block in DOCS.split("```ini\n")[1:]]
    names = ["therapy-audit.service", "therapy-audit.timer", "therapy-audit-failed.service"]
    for name, text in zip(names, blocks, strict=True):
        (tmp_path / name).write_text(in_place(text, tmp_path))
    units = [str(tmp_path / name) for name in names]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],  # noqa: S607 - whichever there is
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
