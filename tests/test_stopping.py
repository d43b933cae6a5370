"""A run that is stopped leaves nothing half done, and one on a terminal says how far it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from test_crash import WHOLE
from test_pipeline import small

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")

_SAMPLES = Path(__file__).resolve().parents[1] / "data" / "samples"
# The command line as it is, but that what should load the files takes for ever.
_SLOW = """
from therapy_audit import cli, engine, intake, rules
endless = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE (a.range * b.range) % 7 = 3"
def load(con, *_):
{where}
def check(con, rule=None):
    print("slow", flush=True)
    con.execute(endless).fetchall()
intake.load = load
cli.main()
"""
_IN_A_QUERY = "    check(con)"
_IN_A_RULE = "    engine._check = check; engine.run_rules(con, rules.load().rules)"
_IN_PYTHON = "    print('slow', flush=True)\n    while True: pass"


def _start(folder: Path, where: str) -> subprocess.Popen[str]:
    arguments = ["run", str(_SAMPLES / "audit.toml"), "--out", str(folder / "report"), "--quality", "warn"]
    return subprocess.Popen(
        [sys.executable, "-c", _SLOW.format(where=where), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@WHOLE
@pytest.mark.parametrize(
    ("where", "number"),
    [
        (_IN_A_QUERY, signal.SIGINT),
        (_IN_A_QUERY, signal.SIGTERM),
        (_IN_A_RULE, signal.SIGINT),
        (_IN_PYTHON, signal.SIGINT),
    ],
    ids=["query", "query-terminated", "rule", "python"],
)
def test_a_signal_stops_at_once_and_leaves_nothing(tmp_path: Path, where: str, number: signal.Signals) -> None:
    with _start(tmp_path, where) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "slow\n"
        time.sleep(0.3)  # until the query runs
        process.send_signal(number)
        sent = time.monotonic()
        out, told = process.communicate(timeout=30)
        seconds = time.monotonic() - sent
    assert seconds < 2
    assert process.returncode == 128 + number
    # Rules run two at a time: the second tells that it has begun as well.
    assert (out.removeprefix("slow\n"), told.lstrip()) == ("", "Stopped; what was half done is taken away.\n")
    assert [path.name for path in tmp_path.iterdir()] == [".report.lock"]  # empty, and held by nobody


@WHOLE
def test_a_second_signal_does_not_break_off_the_cleaning(tmp_path: Path) -> None:
    with _start(tmp_path, _IN_A_QUERY) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)
        for _ in range(20):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == [".report.lock"]


# Dask's worker takes for ever over its first task.
_SLOW_WORKER = """
from therapy_audit import cli, cluster
def forever(task):
    import time
    time.sleep(600)
begin = cluster.on_client
def on_client(client, tasks):
    print("slow", flush=True)
    return begin(client, tasks)
cluster.in_worker, cluster.on_client = forever, on_client
cli.main()
"""


def _children(process: int) -> set[int]:
    """Return the processes that a process of Linux has begun, and those that they have."""
    threads = Path(f"/proc/{process}/task").glob("*/children")
    found = {int(number) for begun in threads for number in begun.read_text().split()}
    return found.union(*map(_children, found))


def _lives(process: int) -> bool:
    """Return whether a process is there that has not ended; one that nobody has asked for its end yet has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@WHOLE
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes as Linux tells of them")
def test_a_signal_stops_the_workers_of_dask_too(tmp_path: Path) -> None:
    small(tmp_path)
    arguments = ["run", "--claims", "claims.csv", "--notes", "notes.csv", "--out", "out/report", "--quality", "warn"]
    with subprocess.Popen(
        [sys.executable, "-c", _SLOW_WORKER, *arguments, "--engine", "dask", "--partitions", "1", "--threads", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "slow\n"
        time.sleep(0.3)  # until the task runs
        begun = _children(process.pid)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        out, told = process.communicate(timeout=30)
        seconds = time.monotonic() - sent
    assert seconds < 2
    assert process.returncode == 130
    assert (out, told.lstrip()) == ("", "Stopped; what was half done is taken away.\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".report.lock"]
    assert begun
    until = time.monotonic() + 2
    while (left := [number for number in begun if _lives(number)]) and time.monotonic() < until:
        time.sleep(0.02)
    assert not left


_BARS = """
import time
from therapy_audit import progress
with progress.shown(), progress.stage("models", 4) as done:
    time.sleep({begin})
    done()
    time.sleep(1.2)
    done(3)
print("end")
"""


def _on_terminal(program: str) -> str:
    """Return what a program writes to a terminal."""
    import pty
    import termios

    main, other = pty.openpty()
    termios.tcsetwinsize(other, (24, 100))
    with subprocess.Popen([sys.executable, "-c", program], stdout=other, stderr=other) as process:
        os.close(other)
        told = b""
        try:
            while part := os.read(main, 4096):
                told += part
        except OSError:  # Linux's way to say that the other side is closed
            pass
        os.close(main)
    assert process.returncode == 0
    return told.decode()


def test_a_long_stage_shows_a_bar_with_the_time_left() -> None:
    told = _on_terminal(_BARS.format(begin=2.2))
    assert "models  25% |" in told
    assert "1/4, 00:0" in told
    assert "00:06 left" in told or "00:07 left" in told or "00:09 left" in told  # three quarters at that pace
    assert told.split("\r")[-1].strip() == "end" or told.rstrip().endswith("end")


def test_a_short_stage_shows_none() -> None:
    assert _on_terminal(_BARS.format(begin=0.1)).strip() == "end"


def test_no_bar_without_a_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BARS.format(begin=2.2)], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("end\n", "")
