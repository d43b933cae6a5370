"""The fuzzing harness itself: it reads what it should, and it finds what is there to be found."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parent / "fuzz" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzz() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz", PATH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reader(fuzz: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fuzz.Reader(tmp_path_factory.mktemp("fuzz"))


def test_every_target_has_its_good_files_and_reads_them(fuzz: Any, reader: Any) -> None:
    for target in fuzz.TARGETS:
        files = sorted((fuzz.CORPUS / target).iterdir())
        assert files
        assert all(file.stat().st_size < 10_000 for file in files)
        for file in files:
            if target not in ("cms", "lexicon"):  # these take seconds
                getattr(reader, target)(file.read_bytes())


@pytest.mark.parametrize("target", ["toml", "rule", "parameter"])
def test_some_broken_files(fuzz: Any, reader: Any, target: str) -> None:
    fuzz.examples(reader, target, 60, 0)()


def test_a_fault_is_found(fuzz: Any, reader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(reader), "toml", lambda _self, content: content.decode("utf-8"))
    assert fuzz.run("toml", 0.05, 0, tmp_path) > 0
    assert list(tmp_path.iterdir())
