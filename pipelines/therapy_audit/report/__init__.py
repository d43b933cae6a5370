"""Findings -> report.html, findings.xlsx and the files: what the database says, laid out.

Every number comes from sql/reports/*.sql. The same database gives the same bytes: no file holds a time of day.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from therapy_audit import compare, engine, progress
from therapy_audit.report import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from therapy_audit.compare import Comparison
    from therapy_audit.rules import Rule


# Temporary tables, each made by the query of its name, in this order.
_WORKING = (
    *("report_finding", "report_exposure", "report_service", "report_answer", "report_denial", "report_denial_finding"),
    *("report_denial_spoken", "report_judged", "report_denial_rule", "report_risk"),
)
# What is written as Parquet and CSV: {name of the files: (query, values bound)}.
_FILES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "findings": ("findings_file", {}),
    "documentation": ("documentation_file", {}),
    "clinician_profiles": ("clinician_profiles", {}),
    "denials": ("denials_file", {}),
    "risk": ("risk", {"rows": None}),
    "reconciliation": ("reconciliation_file", {}),
}
_EPISODES = 500  # of which the page draws the visits: those of the findings with the largest amounts
_VISITS = 80  # of each, from the first visit of the finding on


def schema(name: str) -> str:
    """Return the JSON Schema (draft 2020-12) of a report file for machines: `summary`."""
    from importlib.resources import files

    return (files(__package__) / f"{name}.schema.json").read_text(encoding="utf-8")


def write(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    period: str,
    quality: Mapping[str, Any] | None,
    report_rows: int = 100_000,
    workbook_rows: int = 10_000,
    with_text: bool = False,
    settings: Mapping[str, Any] | None = None,
    deidentified: str | None = None,
    rules: Sequence[Rule] = (),
    comparing: Callable[[dict[str, Any]], Comparison | None] = lambda _summary: None,
) -> dict[str, Any]:
    """Write report.html, findings.xlsx, coverage, quarantine, summary, and as Parquet and CSV findings and the others.

    The others are documentation, clinician_profiles, denials, reconciliation and risk.

    `con` holds the contract tables, the models and the results of a run (sql/schema.sql). `period` is the run's name
    for its dates, `quality` what quality.check() returned. More findings than `report_rows` and `workbook_rows` are
    left to the files, the smallest amounts first. Note text is shown only `with_text`. `settings` are the user's own
    terms, told under Method; `deidentified` is the fingerprint of the key of its pseudonyms; `rules` are those that
    ran, asked about denied lines. `comparing` is told the summary when findings.parquet is written, and returns what
    became of the findings since the run before. Returns the summary.
    """
    from therapy_audit.report import html, workbook

    with progress.stage("report", len(_WORKING) + len(_FILES) + 3) as done:
        try:
            for name in _WORKING:
                con.execute(tables.text(name))
                if name == "report_judged":
                    engine.judge_lines(con, rules, "report_denial_spoken", name)
                done()
            content = tables.content(con, period=period, quality=quality) | {
                "settings": dict(settings or {}),
                "deidentified": deidentified,
            }
            result = tables.summary(content)
            done()
            _copy(con, folder, "findings")
            done()
            tables.copy(con, "coverage_file", folder / "coverage.csv")
            tables.copy(con, "quarantine_file", folder / "quarantine.csv", rows=None)
            comparison = comparing(result)
            content |= {"comparison": comparison}
            result |= {"comparison": comparison and comparison.summary()}
            if comparison:
                compare.write(con, folder)
            shown = html.Shown(
                findings=tables.rows(con, "findings_shown", rows=report_rows),
                texts=tables.rows(con, "texts_shown", rows=report_rows) if with_text else [],
                visits=tables.rows(
                    con, "timelines", rows=report_rows, episodes=_EPISODES, visits=_VISITS, with_text=with_text
                ),
                measures=tables.rows(con, "measures"),
                episodes=_EPISODES,
            )
            sheets = workbook.sheets(con, workbook_rows)
            with _beside(con, lambda: _copy(con, folder, *(stem for stem in _FILES if stem != "findings"), done=done)):
                html.write(folder / "report.html", content, shown)
                del shown  # the largest file, whose sort takes memory, comes last
                done()
                workbook.write(folder / "findings.xlsx", content, sheets)
                del sheets
                done()
        finally:
            for name in (*_WORKING, "report_dismissed"):
                con.execute(f"DROP TABLE IF EXISTS temp.{name}")
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    return result


def _copy(con: duckdb.DuckDBPyConnection, folder: Path, *stems: str, done: Callable[[], None] = lambda: None) -> None:
    for stem in stems:
        query, bound = _FILES[stem]
        tables.copy_both(con, query, folder / stem, **bound)
        done()


@contextmanager
def _beside(con: duckdb.DuckDBPyConnection, work: Callable[[], None]) -> Iterator[None]:
    """Let `work`, which alone asks `con` meanwhile, go on while the block is done: the one is DuckDB's, the other ours.

    The block is the main thread's, in which a signal can break off what is no query.
    """
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            yield
        except BaseException:
            while not wait([working], timeout=0.05).done:
                con.interrupt()
            raise
        working.result()
