"""The Python API: documented as it is, typed, and its errors are the command line's sentences."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import therapy_audit as ta
from therapy_audit import docs

if TYPE_CHECKING:
    from therapy_audit import pipeline

DOCS = Path(__file__).parents[1] / "docs"
FRAMES = (
    "findings", "finding_lines", "coverage", "documentation", "clinician_profiles", "reconciliation", "denials", "risk",
    "quarantine",
)  # fmt: skip


def test_reference_is_that_of_the_code() -> None:
    assert (DOCS / "api.md").read_text(encoding="utf-8") == docs.api_page(), "run `make docs`"


def test_all_that_is_offered_is_documented_and_typed() -> None:
    assert (Path(inspect.getfile(ta)).parent / "py.typed").exists()
    public = [value for name, value in vars(ta.Audit).items() if inspect.isfunction(value) and not name.startswith("_")]
    for item in [*(getattr(ta, name) for name in ta.__all__), *public]:
        assert item.__doc__
        if inspect.isfunction(item):
            parts = [part for part in inspect.signature(item).parameters.values() if part.name != "self"]
            assert all(part.annotation is not part.empty for part in parts)


@pytest.mark.parametrize("name", FRAMES)
def test_frame_has_the_columns_that_its_docstring_names(sample_run: pipeline.Result, name: str) -> None:
    with ta.open(sample_run.folder) as audit:
        frame = getattr(audit, name)()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame)
    told = inspect.cleandoc(getattr(ta.Audit, name).__doc__)
    columns = re.sub(r"\([^)]*\)", "", told.partition("Columns: ")[2]).split(". ")[0].removesuffix(".")
    named = re.split(r"[,;]\s+|\s+and\s+", columns)
    assert [item.strip() for item in named] == list(frame.columns)


def test_every_frame_is_tested() -> None:
    made = [
        name for name, item in vars(ta.Audit).items() if "pd.DataFrame" in str(getattr(item, "__annotations__", ""))
    ]
    assert {name for name in made if not name.startswith("_")} == set(FRAMES)


def test_sample_and_estimate_are_those_of_the_command_line(sample_run: pipeline.Result, tmp_path: Path) -> None:
    with ta.open(sample_run.folder) as audit:
        design = ta.sample(audit, tmp_path / "sample", size=40, plans=["medicare_part_b"], strata="amount:2", seed=7)
        again = ta.sample(
            sample_run.folder, tmp_path / "b", size=40, plans=["medicare_part_b"], strata="amount:2", seed=7
        )
    assert design["sample_sha256"] == again["sample_sha256"]
    assert design == json.loads((tmp_path / "sample" / "design.json").read_text(encoding="utf-8"))
    told = ta.estimate(tmp_path / "sample" / "sample.xlsx", undecided="error", folder=tmp_path / "paper")
    assert told["items_in_error"]["sample"] == 40
    assert (tmp_path / "paper" / "workpaper.html").exists()
    with pytest.raises(ta.AuditError, match="40 of 40 items have no decision"):
        ta.estimate(tmp_path / "sample" / "sample.xlsx")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            lambda run, out: ta.sample(run, out, size=5, frame="patients"),
            "frame 'patients' is not one of claims, lines",
        ),
        (
            lambda run, out: ta.sample(run, out, size=5, amount="charged"),
            "amount 'charged' is not one of paid, allowed",
        ),
        (
            lambda run, out: ta.sample(run, out, size=5, allocation="even"),
            "allocation 'even' is not one of proportional",
        ),
        (ta.sample, "Give either --size or --precision"),
        (lambda _, out: ta.estimate(out / "none.xlsx", undecided="wrong"), "undecided 'wrong' is not one of correct"),
        (lambda _, out: ta.open(out), "there is no audit.duckdb in it"),
        (lambda _, out: ta.run(claims=out / "none.csv"), "none.csv"),
        (lambda *_: ta.run(), "No claims were given"),
        (lambda *_: ta.run(claim="a.csv"), "ta.run knows no 'claim'"),
    ],
)
def test_wrong_use_raises_a_sentence(
    sample_run: pipeline.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Any, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ta.AuditError) as caught:
        wrong(sample_run.folder, tmp_path / "out")
    assert words in str(caught.value)


def test_a_file_that_is_gone_is_told(sample_run: pipeline.Result, tmp_path: Path) -> None:
    (tmp_path / "audit.duckdb").write_bytes((sample_run.folder / "audit.duckdb").read_bytes())
    with ta.open(tmp_path) as audit, pytest.raises(ta.AuditError, match=r"denials\.parquet: there is no such file"):
        audit.denials()
