"""What several test files share."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from therapy_audit import pipeline
from therapy_audit.config import Config, read

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLES = Path(__file__).parents[1] / "data" / "samples"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write tests/golden/ anew from this run.")
    parser.addoption("--promises", action="store_true", help="Print for each promise of docs/security.md what held.")
    parser.addoption("--write-promises", type=Path, help="Put these figures between the marks of this page.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each report say of which promise its test is a trial."""
    for item in items:
        for mark in item.iter_markers("promise"):
            item.user_properties.append(("promise", mark.args[0]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell for each promise how many trials there were, and how many of them held."""
    page = config.getoption("--write-promises")
    if not (config.getoption("--promises") or page):
        return
    tried, held = Counter[str](), Counter[str]()
    for outcome in ("passed", "failed", "error"):
        reports: Iterable[pytest.TestReport] = terminalreporter.stats.get(outcome, ())
        for report in reports:
            for name, promise in report.user_properties:
                if name == "promise":
                    tried[str(promise)] += 1
                    held[str(promise)] += outcome == "passed"
    table = ["| promise | tried | held |", "|---|---:|---:|"]
    table += [f"| {promise} | {count:,} | {held[promise]:,} |" for promise, count in tried.items()]
    terminalreporter.write_line("\n".join(table))
    if page:
        marks = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)
        text = marks.sub(lambda _: "\n" + "\n".join(table) + "\n\n", page.read_text(encoding="utf-8"))
        page.write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def samples_config() -> Config:
    """The settings of data/samples/audit.toml."""
    return read(SAMPLES / "audit.toml")


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory, samples_config: Config) -> pipeline.Result:
    """One audit of data/samples/, for all tests that look at its result."""
    output = tmp_path_factory.mktemp("samples") / "report"
    return pipeline.run(pipeline.from_inputs(samples_config, output=output))
