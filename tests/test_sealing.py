"""Reports encrypted at rest: nothing of them in plain, a wrong key told from damage, the way back."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from typing import TYPE_CHECKING

import pyrage
import pytest
from click.testing import CliRunner

from therapy_audit import pipeline, schedule, sealing
from therapy_audit.cli import cli
from therapy_audit.config import Config
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from pathlib import Path

SEALED = pytest.mark.promise("An encrypted report opens with its key only, and damage is told from a wrong key")


@pytest.fixture
def report(tmp_path: Path) -> Path:
    folder = tmp_path / "2026-03"
    (folder / "quality").mkdir(parents=True)
    (folder / "manifest.json").write_text('{"canary": 1}')
    (folder / "audit.duckdb").write_bytes(os.urandom(300_000))
    (folder / "quality" / "claim_line.json").write_text("{}")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@SEALED
def test_there_and_back(report: Path, tmp_path: Path) -> None:
    before = contents(report)
    public = sealing.make_key(tmp_path / "report.key")
    sealed = sealing.encrypt(report, [public])
    assert sealed == tmp_path / "2026-03.age"
    assert not report.exists()
    assert b"canary" not in sealed.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {
        "2026-03.age", "2026-03.age.sha256", "report.key", ".2026-03.lock"
    }  # fmt: skip
    for path in (sealed, tmp_path / "report.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sealing.decrypt(sealed, tmp_path / "report.key") == report
    assert contents(report) == before


@SEALED
def test_another_key_is_told_from_damage(report: Path, tmp_path: Path) -> None:
    sealed = sealing.encrypt(report, [sealing.make_key(tmp_path / "report.key")])
    sealing.make_key(tmp_path / "other.key")
    with pytest.raises(AuditError, match=r"other\.key: this key does not open 2026-03\.age\.$"):
        sealing.decrypt(sealed, tmp_path / "other.key")
    (tmp_path / "2026-03.age.sha256").unlink()
    with pytest.raises(AuditError, match=r"does not open 2026-03\.age, or the first lines of the file are damaged\.$"):
        sealing.decrypt(sealed, tmp_path / "other.key")
    assert not report.exists()


@SEALED
@pytest.mark.parametrize("place", [0, 5, 40, 100, 0.1, 0.5, -1, "cut", "more", "empty"])
@pytest.mark.parametrize("with_sum", [True, False])
def test_damage_anywhere_is_told_and_leaves_nothing(
    report: Path, tmp_path: Path, place: float | str, with_sum: bool
) -> None:
    sealed = sealing.encrypt(report, [sealing.make_key(tmp_path / "report.key")])
    content = bytearray(sealed.read_bytes())
    if isinstance(place, str):
        content = {"cut": content[:-1000], "more": content + b"x", "empty": bytearray()}[place]
    else:
        content[place if isinstance(place, int) else int(place * len(content))] ^= 1
    sealed.write_bytes(content)
    if not with_sum:
        (tmp_path / "2026-03.age.sha256").unlink()
    with pytest.raises(AuditError, match="damaged"):
        sealing.decrypt(sealed, tmp_path / "report.key")
    assert not report.exists()
    assert not (tmp_path / ".2026-03.building").exists()


@SEALED
def test_several_keys_open_it(report: Path, tmp_path: Path) -> None:
    keys = [tmp_path / name for name in ("one.key", "two.key")]
    sealed = sealing.encrypt(report, [sealing.make_key(key) for key in keys], keep=True)
    assert report.is_dir()
    for key in keys:
        assert sealing.decrypt(sealed, key, tmp_path / key.stem) == tmp_path / key.stem


@SEALED
def test_a_packed_path_or_link_that_leads_outside(tmp_path: Path) -> None:
    public = sealing.make_key(tmp_path / "report.key")
    for name, kind in (
        ("../outside.txt", tarfile.REGTYPE),
        ("/outside.txt", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
    ):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as parts:
            one = tarfile.TarInfo(name)
            one.type, one.linkname = kind, "/etc/passwd"
            parts.addfile(one)
        sealed = tmp_path / "x.age"
        sealed.write_bytes(pyrage.encrypt(packed.getvalue(), [pyrage.x25519.Recipient.from_str(public)]))
        with pytest.raises(AuditError, match="what is in it is no report"):
            sealing.decrypt(sealed, tmp_path / "report.key")
        assert not (tmp_path / "outside.txt").exists()
        assert not (tmp_path / "x").exists()


def test_keys_that_are_none(report: Path, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="'age1nonsense' is no public key; it begins with age1"):
        sealing.encrypt(report, ["age1nonsense"])
    with pytest.raises(AuditError, match="No public key was given"):
        sealing.encrypt(report, [])
    key = tmp_path / "report.key"
    public = sealing.make_key(key)
    with pytest.raises(AuditError, match=r"report\.key: the file exists"):
        sealing.make_key(key)
    sealed = sealing.encrypt(report, [public])
    key.chmod(0o644)
    with pytest.raises(AuditError, match="others may read this key; chmod 600 it"):
        sealing.decrypt(sealed, key)
    key.chmod(0o600)
    key.write_text("nothing")
    with pytest.raises(AuditError, match="this is no key; it holds a line that begins with AGE-SECRET-KEY-1"):
        sealing.decrypt(sealed, key)
    with pytest.raises(AuditError, match="the key cannot be read"):
        sealing.decrypt(sealed, tmp_path / "none.key")
    with pytest.raises(AuditError, match="this is no report folder"):
        sealing.encrypt(tmp_path, [public])


def test_by_the_command_line(report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(cli, ["keygen"], catch_exceptions=False)
    public = made.stdout.removeprefix("Public key: ").strip()
    assert CliRunner().invoke(cli, ["encrypt", "2026-03", "--to", public], catch_exceptions=False).exit_code == 0
    told = CliRunner().invoke(cli, ["decrypt", "2026-03.age"], catch_exceptions=False)
    assert told.output == "Report: 2026-03/report.html\n"
    assert (report / "manifest.json").is_file()


def test_a_run_asks_for_a_key_before_it_reads(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="is no public key"):
        pipeline.run(Config(inputs={"claims": (str(tmp_path / "none.csv"),)}, encrypt_to=("age1x",)))


def test_an_encrypted_month_is_not_caught_up_with_again(tmp_path: Path) -> None:
    config = Config(inputs={}, period="last-month", as_of="2026-05-15", output=tmp_path / "{period}")
    assert schedule.owed(config).since is None
    (tmp_path / "2026-03.age").write_bytes(b"x")
    assert schedule.owed(config).months == ("2026-04",)
    (tmp_path / "2026-04-deidentified.age").write_bytes(b"x")
    assert schedule.owed(pipeline.from_inputs(config, deidentified=True)).months == ()
