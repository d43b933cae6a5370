"""The command line starts at once: what it does not need is not imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_HEAVY = ("duckdb", "numpy", "pandas", "pyarrow", "scipy", "plotly", "great_expectations", "sqlalchemy", "jinja2")
# Of a module that is refused (see engine.without_pandas) the table holds None for a while.
_PROGRAM = """
import json, sys
from therapy_audit import cli
sys.argv[0] = "therapy-audit"
try:
    cli.main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
print(json.dumps([name for name in {heavy} if sys.modules.get(name)]))
"""


def _imported(*arguments: str) -> set[str]:
    """Return which heavy modules a command imported, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(heavy=_HEAVY), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["run", "--help"], ["rules", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    assert _imported(*command) == set()


@pytest.mark.parametrize(
    "command",
    [
        ["units", "97110=10", "97530=20"],
        ["units", "97110=13", "97140=30", "--assistant", "97110=23", "--date", "2026-03-02"],
        ["price", "97530=2", "97110", "--date", "2025-03-03"],
    ],
    ids=" ".join,
)
def test_one_visit_needs_duckdb_alone(command: list[str]) -> None:
    assert _imported(*command) == {"duckdb"}


def test_pandas_can_be_used_after_it_was_kept_out() -> None:
    program = """
from therapy_audit import engine
with engine.without_pandas(), engine.connect(text_functions=False) as con:
    assert con.execute("SELECT ?", ["a"]).fetchall() == [("a",)]
with engine.connect() as con:
    import pandas as pd
    assert con.execute("SELECT 1 AS a").df()["a"].tolist() == [1]
    assert con.execute("SELECT ?", [pd.NaT]).fetchall() == [(None,)]
    with engine.without_pandas():
        import pandas
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
