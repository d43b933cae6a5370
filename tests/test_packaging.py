"""The wheel holds all that a run needs, and the pins pin."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "data" / "samples"


def python(*arguments: str, cwd: Path, path: Path | None = None) -> str:
    """Run this Python elsewhere, with the wheel's folder before the checkout's, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHONPATH": str(path)} if path else {}
    done = subprocess.run(
        [sys.executable, "-P", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr  # 1: there are findings
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the tree and unpack it as an installer would; its dependencies are this environment's."""
    folder = tmp_path_factory.mktemp("wheel")
    python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    (wheel,) = folder.glob("*.whl")
    install = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet", "--target", str(folder / "site"))
    python("-m", "pip", "install", *install, str(wheel), cwd=folder)
    return folder / "site"


def test_the_wheel_holds_the_trees_files(installed: Path) -> None:
    package = installed / "therapy_audit"
    assert (package / "py.typed").is_file()
    for name in ("sql", "rules", "data/samples"):
        here = {path.relative_to(ROOT) for path in (ROOT / name).rglob("*") if path.is_file()}
        there = {path.relative_to(package) for path in (package / name).rglob("*") if path.is_file()}
        assert here == there
    source = ROOT / "pipelines" / "therapy_audit"
    here = {path.relative_to(source) for path in source.rglob("[!.]*.*") if path.is_file()}
    here = {path for path in here if path.suffix != ".pyc" and not path.parts[0].startswith(".")}
    assert here <= {path.relative_to(package) for path in package.rglob("*")}
    (wheel,) = installed.parent.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_the_installed_wheel_finds_as_the_checkout_does(installed: Path, tmp_path: Path) -> None:
    where = python("-c", "import therapy_audit.errors as e; print(e.__file__)", cwd=tmp_path, path=installed)
    assert Path(where.strip()).is_relative_to(installed)
    found = {}
    for name, path in (("wheel", installed), ("checkout", ROOT / "pipelines")):
        samples = shutil.copytree(SAMPLES, tmp_path / name / "samples")
        report = tmp_path / name / "report"
        run = ("-m", "therapy_audit.cli", "run", str(samples / "audit.toml"), "--out", str(report))
        python(*run, cwd=tmp_path, path=path)
        found[name] = (report / "findings.csv").read_bytes()
    assert found["wheel"].count(b"\n") > 1
    assert found["wheel"] == found["checkout"]


def test_constraints_pin_every_dependency_and_name_no_registry() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert not [line for line in pins if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line)]
    pinned = {normal(line.partition("==")[0]) for line in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *extras["dev"], *extras["notebooks"]]
    wanted += project["build-system"]["requires"]
    names = {normal(re.split(r"[^A-Za-z0-9_.-]", requirement)[0]) for requirement in wanted}
    assert names <= pinned


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
