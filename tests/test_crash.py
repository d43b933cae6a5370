"""Power cuts, full disks, kills and damaged files: the last good result is whole, and what is wrong is one sentence."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pytest
from click.testing import CliRunner

import crash
from test_pipeline import small
from therapy_audit import cli, pipeline
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE = pytest.mark.promise("A run that is killed, stopped, or finds no room leaves the last good report, whole")
DAMAGED = pytest.mark.promise("A file of ours that was cut or damaged is told as such, and stops no other run")

KILLED = """\
import os, shutil, signal, sys
from pathlib import Path
from therapy_audit import pipeline

moment, output, seen = int(sys.argv[1]), Path(sys.argv[2]), []
rename, rmtree = Path.rename, shutil.rmtree

def die_at(number):
    if len(seen) == number == moment:
        os.kill(os.getpid(), signal.SIGKILL)

def renaming(self, target):
    die_at(0), die_at(1)
    rename(self, target)
    seen.append(1)
    die_at(2)

def removing(path, **named):
    if len(seen) == 2 and moment == 3:
        (Path(path) / "manifest.json").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    rmtree(path, **named)

Path.rename, shutil.rmtree = renaming, removing
with pipeline.replaced(output) as building:
    (building / "manifest.json").write_text("new")
    (building / "findings.csv").write_text("new")
    if moment == 9:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@WHOLE
@pytest.mark.parametrize("moment", [9, 0, 1, 2, 3])
def test_killed_at_the_renames_leaves_one_whole_report(tmp_path: Path, moment: int) -> None:
    """9: while it builds; 0: before the old one is moved; 1: between; 2: after; 3: while the old one is removed."""
    output = tmp_path / "report"
    output.mkdir()
    for name in ("manifest.json", "findings.csv"):
        (output / name).write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(moment), str(output)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(RuntimeError, match="the next run fails"), pipeline.replaced(output):  # noqa: PT012
        stands = {path.name: path.read_text() for path in output.iterdir()}
        raise RuntimeError("the next run fails")
    assert stands == dict.fromkeys(("manifest.json", "findings.csv"), "new" if moment in {2, 3} else "old")
    assert {path.name for path in tmp_path.iterdir()} == {"report", ".report.lock"}
    with pipeline.replaced(output) as building:
        (building / "manifest.json").write_text("next")
    assert [path.read_text() for path in output.iterdir()] == ["next"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small audit with its report in out/report."""
    root = tmp_path_factory.mktemp("crash")
    pipeline.run(small(root))
    return root


def copied(good: Path, tmp_path: Path) -> Path:
    shutil.copytree(good, tmp_path / "audit")
    return tmp_path / "audit"


@WHOLE
def test_a_run_killed_amid_its_work_is_as_if_it_had_not_been(good: Path, tmp_path: Path) -> None:
    root = copied(good, tmp_path)
    before = crash.whole(root / "out" / "report")
    words = ["--claims", "claims.csv", "--notes", "notes.csv", "--out", "out/report"]
    run = subprocess.Popen([sys.executable, "-m", "therapy_audit.cli", "run", *words], cwd=root)
    building = root / "out" / ".report.building"
    until = time.monotonic() + 120
    while not (building / "quality").exists() and time.monotonic() < until:
        time.sleep(0.01)
    run.kill()
    assert run.wait() == -signal.SIGKILL
    assert (building / "audit.duckdb").exists()
    assert crash.whole(root / "out" / "report") == before
    again = pipeline.run(pipeline.from_inputs(small(root), output=root / "out" / "report"))
    after = crash.whole(again.folder)
    for name in ("findings.csv", "findings.parquet", "coverage.csv", "summary.json"):
        assert after[name] == before[name], name
    assert {path.name for path in (root / "out").iterdir()} == {"report", ".report.lock"}


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a file system with these options there; skip the test where that is not allowed."""
    folder.mkdir(exist_ok=True)
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    words = ["-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not mount or not unmount or subprocess.run([mount, *words], check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield
    finally:
        subprocess.run([unmount, str(folder)], check=True)


@WHOLE
def test_a_full_disk_is_one_sentence_and_the_last_report_stands(good: Path, tmp_path: Path) -> None:
    size = sum(path.stat().st_size for path in (good / "out").rglob("*") if path.is_file()) // 1024
    with mounted(tmp_path / "disk", f"size={size + 2048}k"):
        shutil.copytree(good / "out", tmp_path / "disk" / "out")
        before = crash.whole(tmp_path / "disk" / "out" / "report")
        config = pipeline.from_inputs(small(tmp_path), output=tmp_path / "disk" / "out" / "report")
        with pytest.raises(AuditError, match=r"cannot be written \(No space left on device\); the last report is"):
            pipeline.run(config)
        assert crash.whole(tmp_path / "disk" / "out" / "report") == before
        assert {path.name for path in (tmp_path / "disk" / "out").iterdir()} == {"report", ".report.lock"}


@WHOLE
def test_a_disk_that_is_read_only_is_one_sentence(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "disk", "ro"),
        pytest.raises(AuditError, match=r"cannot be written there \(Read-only file system\)"),
        pipeline.replaced(tmp_path / "disk" / "report"),
    ):
        pass


@WHOLE
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_what_the_system_refuses_is_told_whatever_wraps_it(tmp_path: Path, number: int) -> None:
    def refused() -> None:
        try:
            raise OSError(number, os.strerror(number))  # noqa: TRY301
        except OSError as fault:
            raise ValueError("a library's own fault") from fault

    with (
        pytest.raises(AuditError, match=os.strerror(number)),
        pipeline.replaced(tmp_path / "report"),
    ):
        refused()
    assert {path.name for path in tmp_path.iterdir()} == {".report.lock"}


def test_a_fault_of_ours_stays_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ours"), pipeline.replaced(tmp_path / "report"):
        raise ValueError("ours")


@WHOLE
def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "file").write_text("")
    words = ["run", "--claims", str(tmp_path / "claims.csv"), "--out"]
    out = str(tmp_path / "file" / "report")
    done = subprocess.run(
        [sys.executable, "-m", "therapy_audit.cli", *words, out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "the output folder cannot be made" in done.stderr
    assert done.stderr.count("\n") == 1


def cut(path: Path) -> None:
    """Leave the first half of a file, as a power cut may."""
    os.truncate(path, path.stat().st_size // 2)


FINDING = "0123456789abcdef"


@DAMAGED
@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("audit.duckdb", ("workpaper", "C1", "out/report"), "audit.duckdb: the database is damaged"),
        ("audit.duckdb", ("explain", FINDING, "--run", "out/report"), "audit.duckdb: the database is damaged"),
        ("audit.duckdb", ("summary", "out/report"), "audit.duckdb: the database is damaged"),
        ("audit.duckdb", ("rules", "coverage", "out/report"), "audit.duckdb: the database is damaged"),
        ("audit.duckdb", ("compare", "out/older", "out/report"), "audit.duckdb: the database is damaged"),
        ("audit.duckdb", ("sample", "out/report", "--size", "1"), "audit.duckdb: the database is damaged"),
        ("findings.parquet", ("compare", "out/older", "out/report"), "findings.parquet: the file is damaged"),
        ("findings.parquet", ("review", "status", "--run", "out/report"), "findings.parquet: the file is damaged"),
        ("manifest.json", ("compare", "out/older", "out/report"), "this is no report folder"),
        ("manifest.json", ("verify", "out/report"), "this is no report folder"),
        ("summary.json", ("compare", "out/older", "out/report"), "this is no report folder"),
        ("findings.parquet", ("verify", "out/report"), "findings.parquet: the file is damaged"),
    ],
)
def test_a_damaged_file_of_ours_is_one_sentence(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: tuple[str, ...], told: str
) -> None:
    root = copied(good, tmp_path)
    monkeypatch.chdir(root)
    shutil.copytree("out/report", "out/older")
    decided = f"{FINDING},medicare.kx_missing,confirmed,AB,2026-04-01"
    (root / "reviews.csv").write_text(f"finding_id,rule,disposition,reviewer,reviewed_on\n{decided}\n")
    cut(root / "out" / "report" / name)
    with pytest.raises(AuditError) as raised:  # noqa: PT012
        done = CliRunner().invoke(cli.cli, list(words), standalone_mode=False)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        raise AuditError(done.output.strip())
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def mar(database: Path) -> None:
    """Change a byte of each block that holds rows, as a bad disk may: it shows when a query reads the block."""
    stored = "SELECT block_id FROM pragma_storage_info($1) WHERE persistent AND block_id >= 0"
    with duckdb.connect(str(database), read_only=True) as con:
        names = con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        blocks = {block for name in names for (block,) in con.execute(stored, list(name)).fetchall()}
    with database.open("r+b") as file:
        for block in sorted(blocks):
            file.seek(3 * 4096 + block * 262_144 + 100)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0xFF]))


@DAMAGED
def test_a_database_whose_blocks_are_damaged_is_one_sentence(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copied(good, tmp_path)
    monkeypatch.chdir(root)
    shutil.copytree("out/report", "out/older")
    mar(root / "out" / "report" / "audit.duckdb")
    for words in (
        ("workpaper", "C1", "out/report"),
        ("explain", FINDING, "--run", "out/report"),
        ("summary", "out/report"),
        ("rules", "coverage", "out/report"),
        ("compare", "out/older", "out/report"),
        ("sample", "out/report", "--size", "1"),
        ("letters", "out/report"),
    ):
        with pytest.raises(AuditError, match=r"audit\.duckdb: the database is damaged"):
            CliRunner().invoke(cli.cli, list(words), standalone_mode=False, catch_exceptions=False)


@DAMAGED
def test_damaged_reports_beside_it_do_not_stop_a_run(good: Path, tmp_path: Path) -> None:
    root = copied(good, tmp_path)
    for name in ("summary.json", "manifest.json", "findings.parquet", "audit.duckdb"):
        shutil.copytree(root / "out" / "report", root / "out" / f"cut-{name}")
        cut(root / "out" / f"cut-{name}" / name)
        path = root / "out" / f"cut-{name}" / "manifest.json"
        if name != "manifest.json":  # of an earlier day, so that it comes before
            path.write_text(json.dumps(json.loads(path.read_text()) | {"generated_at": "2020-01-01T00:00:00+00:00"}))
    for path in (root / "out" / "report").glob("*.*"):
        cut(path)  # what is replaced may be damaged as it will
    result = pipeline.run(pipeline.from_inputs(small(root), output=root / "out" / "report"))
    assert result.summary["findings"] == 1
    crash.whole(result.folder)


@DAMAGED
def test_decisions_that_were_cut_are_one_sentence(tmp_path: Path) -> None:
    config = small(tmp_path)
    (tmp_path / "reviews.csv").write_text('finding_id,disposition,note\nabc,confirmed,"the begin of a note that\n')
    with pytest.raises(AuditError, match=r"reviews\.csv"):
        pipeline.run(
            pipeline.from_inputs(config, inputs={**config.inputs, "reviews": (str(tmp_path / "reviews.csv"),)})
        )
