"""What several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from therapy_audit import pipeline
from therapy_audit.config import Config, read

SAMPLES = Path(__file__).parents[1] / "data" / "samples"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write tests/golden/ anew from this run.")


@pytest.fixture(scope="session")
def samples_config() -> Config:
    """The settings of data/samples/audit.toml."""
    return read(SAMPLES / "audit.toml")


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory, samples_config: Config) -> pipeline.Result:
    """One audit of data/samples/, for all tests that look at its result."""
    output = tmp_path_factory.mktemp("samples") / "report"
    return pipeline.run(pipeline.from_inputs(samples_config, output=output))
