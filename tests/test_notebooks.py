"""Every notebook runs from top to bottom, and is stored without results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from therapy_audit import pipeline

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read(path: Path) -> Any:
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs(path: Path, sample_run: pipeline.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    # They open the samples' report where there is one: all share that of the other tests.
    monkeypatch.setenv("THERAPY_AUDIT_REPORT", str(sample_run.folder))
    # Jupyter starts them in their folder, an editor may start them in the repository's: each second one here.
    started_in = path.parent if NOTEBOOKS.index(path) % 2 else ROOT
    notebook = read(path)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(started_in)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    figures = [output["data"] for output in outputs if "application/vnd.plotly.v1+json" in output.get("data", {})]
    assert figures
    for figure in figures:
        drawn = figure["application/vnd.plotly.v1+json"]
        assert "text/html" in figure  # for what draws no figures of its own
        assert any(len(trace.get("y", trace.get("x", ()))) for trace in drawn["data"]), drawn["layout"].get("title")
        assert drawn["layout"]["title"]["text"].endswith("?")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_is_stored_bare(path: Path) -> None:
    cells = read(path).cells
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code), "store it without results"
    assert cells[0]["cell_type"] == "markdown"
    assert cells[0]["source"].startswith("# ")
    assert not re.search(r"/(home|root|tmp|Users)/", path.read_text(encoding="utf-8"))


def test_the_readme_names_every_notebook() -> None:
    named = re.findall(r"\(notebooks/(\w+\.ipynb)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert sorted(set(named)) == [path.name for path in NOTEBOOKS]
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]
