"""Privacy: canaries put into every input, and where they must not come out again.

Names, birth dates and phrases of notes are in no report, workbook, log or error; a report without names holds no number
of a patient, claim or clinician either. And nothing of all that makes a connection.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from click.testing import CliRunner

import therapy_audit as ta
from test_intake_x12 import paid, sent
from test_x12 import claim, paid_service, remitted, service
from therapy_audit import deidentify, engine, pipeline
from therapy_audit.cli import cli
from therapy_audit.config import Config
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET = pytest.mark.promise("No name, number, birth date or phrase of a note is in a log, error, file name or manifest")
UNNAMED = pytest.mark.promise("No patient's name, birth date or phrase of a note is in a report or workbook, unasked")
BARE = pytest.mark.promise("A report without names holds no name, number, phrase or file name of the input")
OFFLINE = pytest.mark.promise("No command makes a connection")

# What is never told: names and birth dates are never read, phrases of notes are told only where asked for.
NAMES = ["Zyxwina", "Canarybird", "1931-07-19", "07/19/1931", "19310719", "violet gondola"]
# What finds a record again: told in a report, in no log, and in nothing that is shared.
NUMBERS = ["CANPAT77", "CANCLM88", "CANNOTE99", "CANMEMBER66", "CANICN55", "CANCTL44", "CANAUTH33"]
OTHERS = ["Canaryclinician", "1234567893", "CANPAYER SMITH", "canaryfile"]
NPI = "1234567893"
NOTE = "Patient recalls the violet gondola; carried basket 10 feet with CGA, cued by PT so that she can shop"


def inputs(folder: Path) -> dict[str, tuple[str, ...]]:
    """Write claims, notes, clinicians and X12 files with the canaries in every place that an export has for them."""
    days = [f"2026-0{month}-{day:02}" for month in (1, 2, 3) for day in range(2, 27, 3)]
    head = "Claim,Line,Patient Name,DOB,Patient ID,Payer,DOS,CPT,Mod 1,Units,Charge,Allowed,Paid,NPI,Auth\n"
    claims = "".join(
        f"CANCLM88{n:03},1,Zyxwina Canarybird,1931-07-19,CANPAT77,{'CANPAYER SMITH' if n % 5 else 'MEDICARE PART B'},"
        f"{day},97530,{'GP' if n % 3 else ''},{4 if n % 4 else 1},200,140,100,{NPI},CANAUTH33\n"
        for n, day in enumerate(days)
    )
    notes = "".join(
        f'CANNOTE99{n:03},Zyxwina Canarybird,07/19/1931,CANPAT77,{day},97530,20,{NPI},PT,PT,"{NOTE}"\n'
        for n, day in enumerate(days)
        if n % 7
    )
    files = {
        "claims": {"canaryfile_smith.csv": head + claims},
        "notes": {
            "canaryfile_notes.csv": "Note ID,Patient Name,Birth Date,Patient ID,DOS,CPT,Minutes,NPI,Discipline,"
            "Credential,Note\n" + notes
        },
        "providers": {"providers.csv": f"NPI,Provider Name,Credential\n{NPI},Canaryclinician Jones,PT\n"},
        "plans_of_care": {
            "plans.csv": "Patient ID,Patient Name,Discipline,Start Date,End Date\n"
            "CANPAT77,Zyxwina Canarybird,PT,2026-01-02,2026-02-01\n"
        },
    }
    named: dict[str, tuple[str, ...]] = {}
    for kind, contents in files.items():
        for name, text in contents.items():
            (folder / name).write_text(text, encoding="utf-8")
        named[kind] = tuple(str(folder / name) for name in contents)
    x12 = sent(claim("CANCLM88X", service(1), service(2, "HC:97530"), more=("REF*G1*CANAUTH33",)), member="CANMEMBER66")
    era = paid(remitted("CANCLM88X", paid_service(1), charge="50.00", paid="40.00"), trace="CANICN55")
    for kind, name, content in (("claims", "canaryfile.837", x12), ("remittances", "canaryfile.835", era)):
        swapped = content.replace(b"DOE*ANN", b"Canarybird*Zyxwina").replace(b"19500101", b"19310719")
        (folder / name).write_bytes(swapped.replace(b"ICNCAN", b"CANICN55"))
        named[kind] = (*named.get(kind, ()), str(folder / name))
    return named


def config(folder: Path, **given: Any) -> Config:
    return Config(
        inputs=inputs(folder),
        payers={"CANPAYER*": "aetna"},
        quality="warn",
        output=folder / "reports" / "report",
        **given,
    )


def texts_of(path: Path) -> Iterator[str]:
    """Yield all that a file says: its bytes, what its parts hold unpacked, the cells of its tables."""
    content = path.read_bytes()
    yield content.decode("utf-8", "replace")
    yield content.decode("utf-16-le", "replace")
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as parts:
            yield from (parts.read(name).decode("utf-8", "replace") for name in parts.namelist())
    elif path.suffix == ".parquet":
        with duckdb.connect() as con:
            yield str(con.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall())
    elif path.suffix == ".duckdb":
        with engine.reading(path) as con:
            tables = con.execute(
                "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views()"
            )
            for (name,) in tables.fetchall():
                try:
                    yield str(con.execute(f'SELECT * FROM "{name}"').fetchall())
                except duckdb.Error:
                    continue  # views of DuckDB's own that ask for what is locked


@cache
def told_by(folder: Path) -> dict[str, str]:
    """Return {file: all that it says, its own name too} of a folder that nothing writes to any more."""
    return {
        str(path.relative_to(folder)): "\n".join(
            [str(path.relative_to(folder)), *(texts_of(path) if path.is_file() else ())]
        )
        for path in sorted(folder.rglob("*"))
    }


def found(folder: Path, canaries: list[str], leave_out: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return (file, canary) for all that the files of a folder hold."""
    return [
        (name, canary)
        for name, text in told_by(folder).items()
        for canary in canaries
        if name not in leave_out and canary in text
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pipeline.Result:
    return pipeline.run(config(tmp_path_factory.mktemp("named")))


FORBIDDING = """
import os, sys
def forbid(event, args):
    # urllib3 looks by a bind to ::1 whether the machine has IPv6, when it is imported: no connection.
    if event.startswith("socket.") and event[7:] in (
        "connect", "getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo", "sendto", "sendmsg"
    ):
        print("CONNECTION", event, args, file=sys.stderr, flush=True)
        os._exit(99)
sys.addaudithook(forbid)
from therapy_audit.cli import main
sys.argv[0] = "therapy-audit"
main()
"""


def alone(folder: Path, *asked: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a Python that ends where anything would be connected or looked up."""
    return subprocess.run(
        [sys.executable, "-c", FORBIDDING, *asked],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "TZ": "UTC"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A report without names, made by the command line where no connection can be made, and what it printed."""
    folder = tmp_path_factory.mktemp("bare")
    files = [f"--{kind.replace('_', '-')}={name}" for kind, names in inputs(folder).items() for name in names]
    (folder / "audit.toml").write_text('[payers]\n"CANPAYER*" = "aetna"\n', encoding="utf-8")
    # Always the same key: by some, a date that was moved falls on a day on which the notes tell of a visit.
    (folder / "pseudonyms.key").write_text("5" * 64 + "\n", encoding="ascii")
    (folder / "pseudonyms.key").chmod(0o600)
    done = alone(
        folder, "run", "audit.toml", *files, "--deidentified", "--quality", "warn", "--out", "report", "--timings"
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


# Logs and errors -------------------------------------------------------------------------------------------------


@UNNAMED
@pytest.mark.parametrize("canary", NAMES)
def test_a_report_has_no_name_birth_date_or_phrase(run: pipeline.Result, canary: str) -> None:
    # The database holds the notes, to be read again; nothing else does.
    assert run.summary["findings"] > 10
    assert found(run.folder, [canary], leave_out=("audit.duckdb",)) == []
    if canary != "violet gondola":
        assert found(run.folder, [canary]) == []


@UNNAMED
@pytest.mark.parametrize("command", ["letters", "summary", "workpaper", "sample"])
def test_what_goes_to_people_has_none_either(
    run: pipeline.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {
        "workpaper": ["workpaper", "CANCLM88001", str(run.folder)],
        "sample": ["sample", str(run.folder), "--size", "5", "--seed", "1", "--amount", "allowed"],
    }.get(command, [command, str(run.folder)])
    result = CliRunner().invoke(cli, asked, catch_exceptions=False)
    assert result.exit_code == 0
    assert found(tmp_path, NAMES) == []
    assert not [canary for canary in NAMES if canary in result.output]
    if command == "summary":
        assert found(tmp_path, NUMBERS) == []


GOOD = "Claim,Patient ID,DOS,CPT,Units\nCANCLM88,CANPAT77,2026-03-02,97530,1\n"
BROKEN = {
    "no header": ("claims.csv", "CANCLM88,CANPAT77,Zyxwina,1931-07-19,97530\n"),
    "a header missing": ("claims.csv", "Claim,Patient Name,DOB\nCANCLM88,Zyxwina,1931-07-19\n"),
    "a quotation mark": ("claims.csv", GOOD + 'CANCLM88,"CANPAT77,1931-07-19,violet gondola,1\n'),
    "a long record": ("claims.csv", GOOD + "CANCLM88," + "violet gondola" * 2_500_000),
    "no JSON": ("claims.json", '{"CANPAT77": "Zyxwina'),
    "no workbook": ("claims.xlsx", "CANPAT77 Zyxwina 1931-07-19"),
    "no Parquet": ("claims.parquet", "PAR1 CANPAT77 Zyxwina"),
    "no X12": ("claims.837", "ISA*CANPAT77*Zyxwina*19310719~"),
    "cut X12": ("claims.837", sent(claim("CANCLM88", service(1)), member="CANPAT77").decode()[:-60]),
    "no rows left": ("claims.csv", "Claim,Patient ID,DOS,CPT,Units\nCANCLM88,CANPAT77,Zyxwina,1931-07-19,CANCTL44\n"),
    "rows refused": ("claims.csv", GOOD + "CANCLM88,CANPAT77,Zyxwina,violet gondola,CANCTL44\n"),
}


@QUIET
@pytest.mark.parametrize("name", BROKEN)
def test_no_error_tells_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    file, text = BROKEN[name]
    Path(file).write_text(text, encoding="utf-8")
    for asked in (
        (["inspect", file], ["scrub", file, "--json"])
        if name == "cut X12"
        else (["inspect", file], ["run", "--claims", file])
    ):
        if name == "rows refused" and asked[0] == "run":
            continue  # that is a whole run: `run` above is one
        result = CliRunner().invoke(cli, asked)
        assert result.exception is None or isinstance(result.exception, (SystemExit, AuditError)), result.exception
        told = result.output + str(result.exception or "")
        if asked[0] != "scrub":  # whose work is to name the claims
            assert not [canary for canary in (*NAMES, *NUMBERS) if canary in told]


@QUIET
def test_a_run_prints_and_keeps_no_canary(run: pipeline.Result, bare: tuple[Path, str]) -> None:
    canaries = [*NAMES, *NUMBERS, "Canaryclinician", NPI]
    assert not [canary for canary in canaries if canary in bare[1]]
    for name in ("manifest.json", "summary.json", "coverage.csv", "quarantine.csv"):
        text = (run.folder / name).read_text(encoding="utf-8")
        assert not [canary for canary in canaries if canary in text], name
    for path in (run.folder / "quality").iterdir():
        assert not [canary for canary in canaries if canary in path.read_text(encoding="utf-8")]


# Without names -----------------------------------------------------------------------------------------------------


@BARE
@pytest.mark.parametrize("canary", [*NAMES, *NUMBERS, *OTHERS])
def test_a_report_without_names_holds_no_canary(bare: tuple[Path, str], canary: str) -> None:
    assert found(bare[0] / "report", [canary]) == []


@BARE
def test_it_says_so_on_its_cover(bare: tuple[Path, str]) -> None:
    report = bare[0] / "report"
    key = deidentify.fingerprint(bytes.fromhex((bare[0] / "pseudonyms.key").read_text()))
    assert f"pseudonyms (key {key})" in (report / "report.html").read_text(encoding="utf-8").partition("<main>")[0]
    assert json.loads((report / "manifest.json").read_text())["deidentified"] == {"key": key}
    assert json.loads((report / "summary.json").read_text())["deidentified"] is True
    with zipfile.ZipFile(report / "findings.xlsx") as parts:
        assert "Without names" in parts.read("xl/sharedStrings.xml").decode()


@BARE
def test_the_key_is_its_owners_and_not_in_the_report(bare: tuple[Path, str]) -> None:
    path = bare[0] / "pseudonyms.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert found(bare[0] / "report", [path.read_text().strip()]) == []


def test_a_key_that_others_may_read_or_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "own.key"
    made = deidentify.key(path)
    assert made == deidentify.key(path)
    path.chmod(0o644)
    with pytest.raises(AuditError, match=r"own\.key: others may read the key of the pseudonyms; chmod 600 it"):
        deidentify.key(path)
    path.write_text("no key")
    path.chmod(0o600)
    with pytest.raises(AuditError, match=r"own\.key: this is no key of pseudonyms"):
        deidentify.key(path)
    with pytest.raises(AuditError, match="cannot be read or made there"):
        deidentify.key(tmp_path / "nowhere" / "own.key")


def test_a_pseudonym_is_an_hmac_and_an_npi_stays_one() -> None:
    given = b"k" * 32
    with engine.connect(threads=1) as con:
        engine.create_tables(con)
        con.execute(
            "INSERT INTO provider VALUES (?, 'A', 'PT', 'PT', 'f', 1), ('1234567890', 'B', 'PT', 'PT', 'f', 2)", [NPI]
        )
        con.execute("INSERT INTO plan_of_care (plan_of_care_id, patient_id, start_date, source_file, source_row)"
                    " VALUES ('o', 'CANPAT77', DATE '2026-01-02', 'f', 1)")  # fmt: skip
        deidentify.pseudonymise(con, given)
        patient = con.execute("SELECT patient_id FROM plan_of_care").fetchall()[0][0]
        npis = [npi for (npi,) in con.execute("SELECT npi FROM provider ORDER BY source_row").fetchall()]
    assert patient == "P" + hmac.new(given, b"P|CANPAT77", hashlib.sha256).hexdigest()[:16]
    assert npis[1].startswith("X")  # 1234567890 is none: its last digit does not check the others
    digits = [int(digit) for digit in "80840" + npis[0]]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    assert len(npis[0]) == 10
    assert (sum(doubled) + sum(digits[::-2])) % 10 == 0


def test_dates_move_by_patient_in_whole_weeks_and_all_alike(run: pipeline.Result, bare: tuple[Path, str]) -> None:
    query = (
        "SELECT claim_id, claim_line_number, service_date, patient_id FROM claim_line ORDER BY source_row, source_file"
    )
    with ta.open(run.folder) as before, ta.open(bare[0] / "report") as after:
        true, moved = (audit.con.execute(query).fetchall() for audit in (before, after))
        notes = "SELECT text, service_date FROM visit_note"
        assert {text for text, _ in after.con.execute(notes).fetchall()} == {None}
        told = after.con.execute("SELECT message, facts, service_date FROM finding").fetchall()
        true_days = {str(day) for _, day in before.con.execute(notes).fetchall()}
    by_patient: dict[str, set[int]] = {}
    for (_, _, day, _), (_, _, other, patient) in zip(true, moved, strict=True):
        by_patient.setdefault(patient, set()).add((other - day).days)
    assert len(by_patient) == 2
    for days in by_patient.values():
        assert len(days) == 1
        assert 0 < abs(min(days)) <= 182
        assert min(days) % 7 == 0
    assert told
    moved_days = {str(day) for _, _, day, _ in moved}
    for message, facts, _ in told:
        for day in true_days - moved_days:
            assert day not in message
            assert day not in facts


def test_the_same_key_gives_the_same_pseudonyms_and_another_gives_others() -> None:
    def patient(given: bytes) -> str:
        with engine.connect(threads=1) as con:
            engine.create_tables(con)
            con.execute("INSERT INTO plan_of_care (plan_of_care_id, patient_id, start_date, source_file, source_row)"
                        " VALUES ('o', 'CANPAT77', DATE '2026-01-02', 'f', 1)")  # fmt: skip
            deidentify.pseudonymise(con, given)
            return str(con.execute("SELECT patient_id FROM plan_of_care").fetchall()[0][0])

    assert patient(b"a" * 32) == patient(b"a" * 32) != patient(b"b" * 32)


def test_it_goes_beside_the_report_with_names_and_is_not_compared(tmp_path: Path) -> None:
    from therapy_audit import history
    from therapy_audit.config import settled

    named = Config(inputs={}, period="2026-03")
    assert str(settled(named).output) == "reports/2026-03"
    assert str(settled(pipeline.from_inputs(named, deidentified=True)).output) == "reports/2026-03-deidentified"
    folder = tmp_path / "2026-03-deidentified"
    folder.mkdir()
    (folder / "findings.parquet").touch()
    dates = {"period": "2026-03", "period_start": "2026-03-01", "period_end": "2026-03-31"}
    (folder / "summary.json").write_text(json.dumps(dates))
    (folder / "manifest.json").write_text(json.dumps({"generated_at": "", "deidentified": {"key": "x"}}))
    assert history.runs(tmp_path) == []
    with pytest.raises(AuditError, match="shows no text of notes"):
        pipeline.run(config(tmp_path, deidentified=True, with_text=True))


# No connection -----------------------------------------------------------------------------------------------------


@OFFLINE
def test_a_whole_run_makes_no_connection(bare: tuple[Path, str]) -> None:
    assert "CONNECTION" not in bare[1]
    assert (bare[0] / "report" / "report.html").is_file()


@OFFLINE
@pytest.mark.parametrize(
    "asked",
    [
        ("letters", "report"),
        ("summary", "report"),
        ("rules", "coverage", "report"),
    ],
)
def test_other_commands_make_none(bare: tuple[Path, str], asked: tuple[str, ...]) -> None:
    done = alone(bare[0], *asked)
    assert done.returncode == 0, done.stderr
    assert "CONNECTION" not in done.stderr


def test_a_sample_is_drawn_from_the_report_with_names(bare: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="draw from the report with names"):
        ta.sample(bare[0] / "report", tmp_path / "sample", size=3)


def test_the_guard_would_tell(tmp_path: Path) -> None:
    trying = FORBIDDING.replace(
        "from therapy_audit.cli import main", "import socket; main = lambda: socket.create_connection(('127.0.0.1', 9))"
    )
    done = subprocess.run([sys.executable, "-c", trying], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 99
    assert "CONNECTION" in done.stderr
