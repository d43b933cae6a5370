"""The bench: rules in pandas find what the SQL finds, steps are measured apart, the page says what was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from click.testing import CliRunner

from therapy_audit import bench_run
from therapy_audit.bench_run import Meter, Rival, Speed, Step
from therapy_audit.cli import cli
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from therapy_audit import pipeline

MEASURED = Speed(
    lines=1000, notes=400, services=1100, remittance_lines=0, findings=90, megabytes=1.5, threads=2,
    memory_limit="4GB",
    steps=(
        Step("intake", 4.0, 6.0, 300), Step("model visit", 1.0, 2.0, 310), Step("models", 1.5, 2.5, 320),
        Step("rule medicare.kx_missing", 0.5, 0.5, 305),
    ),
    whole=Step("whole process", 10.0, 15.0, 320), bare=Step("bare read", 2.0, 2.5, 80),
    threads_seconds={1: 16.0, 2: 10.0}, rivals=(Rival("medicare.kx_missing", 7, 0.5, 2.0),),
)  # fmt: skip


@pytest.fixture
def audited(sample_run: pipeline.Result) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(sample_run.folder / "audit.duckdb"), read_only=True) as con:
        yield con


def test_pandas_finds_what_the_sql_finds(audited: duckdb.DuckDBPyConnection) -> None:
    found, _ = bench_run.rivals(audited, bench_run.pandas_rules())
    assert len(found) == 5
    assert all(row.findings > 0 for row in found)
    kept = dict(audited.execute("SELECT rule, count(*) FROM finding GROUP BY rule").fetchall())
    assert {row.rule: row.findings for row in found} == {row.rule: kept[row.rule] for row in found}


def test_other_findings_are_a_fault(audited: duckdb.DuckDBPyConnection) -> None:
    module = bench_run.pandas_rules()
    rule = "medicare.kx_missing"
    whole = module.RULES[rule]

    def one_less(frames: Any, name: str) -> Any:
        return whole(frames, name).iloc[1:]

    module.RULES = {rule: one_less}
    with pytest.raises(AuditError, match=r"medicare\.kx_missing finds other lines in SQL than in pandas"):
        bench_run.rivals(audited, module)


def test_a_stage_holds_its_models() -> None:
    meter = Meter()
    held = bytearray(200 << 20)
    for place in range(0, len(held), 4096):
        held[place] = 1
    inner = meter.step("model visit", 1.0)
    del held
    meter.step("model visit_code", 1.0)  # began with what the last one held
    after = meter.step("model visit_minutes", 1.0)
    stage = meter.step("models", 2.0)
    assert inner.processor is after.processor is None  # they may run side by side
    assert stage.processor is not None
    assert stage.processor > 0
    assert stage.peak_mib == inner.peak_mib > after.peak_mib + 150
    assert meter.step("rules", 1.0).peak_mib < inner.peak_mib


def test_the_page_tells_sizes_ratios_and_steps() -> None:
    small = replace(MEASURED, lines=500, memory_limit=None, rivals=(), threads_seconds={})
    page = bench_run.page([MEASURED, small])
    assert page.index("| 500 | 400 | 2 | 2 | none") < page.index("| 1,000 | 400 | 2 | 2 | 4GB")
    assert "| 2.0 | 10.0 | 5.0 | 6.0 | 320 | 100 |" in page
    assert "| intake | 4.0 | 6.0 | 300 |" in page
    assert page.index("| model visit | 1.0") < page.index("| rule medicare.kx_missing | 0.5")
    assert "| medicare.kx_missing | 7 | 0.50 | 2.00 | 4.0 |" in page
    assert "| 2 | 10.0 | 1.60 |" in page
    assert "Against pandas" not in bench_run.page([small])
    assert "5.0  times the bare read; 6.0 times its processor seconds" in bench_run.table(MEASURED)


def test_sizes_measured_one_by_one_make_one_page(tmp_path: Path) -> None:
    kept = tmp_path / "runs.jsonl"
    large = replace(MEASURED, lines=5000, rivals=(), threads_seconds={})
    assert bench_run.keep(MEASURED, kept) == [MEASURED]
    runs = bench_run.keep(large, kept)
    assert bench_run.page(runs) == bench_run.page([MEASURED, large])
    assert "The largest in full: 5,000 claim lines" in bench_run.page(runs)
    assert "Five rules over 1,000 claim lines" in bench_run.page(runs)
    assert "## Threads, 1,000 claim lines" in bench_run.page(runs)


@pytest.mark.parametrize("held", ["lines", '{"lines": 3}', "[]", "{}"])
def test_a_file_of_something_else_is_told_and_left(tmp_path: Path, held: str) -> None:
    kept = tmp_path / "runs.jsonl"
    kept.write_text(held, encoding="utf-8")
    with pytest.raises(AuditError, match=r"runs\.jsonl: this holds no measured runs"):
        bench_run.keep(MEASURED, kept)
    assert kept.read_text(encoding="utf-8") == held


def test_bench_runs_the_whole_job(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    done = CliRunner().invoke(
        cli, ["bench", "--lines", "300", "--threads", "1", "--memory-limit", "2GB", "--write", str(page)]
    )
    assert done.exit_code == 0, done.output
    assert "1 threads, limit 2GB" in done.output
    told = page.read_text(encoding="utf-8")
    stages = ("start", "intake", "quality", "notes", "models", "rules", "report", "whole process")
    assert all(f"\n| {stage} | " in told for stage in stages)
    assert told.count("\n| medicare.") >= 5
    assert "| model " in told
