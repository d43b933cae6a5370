"""How fast a report of many findings is built, opens and answers, in a real browser."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from therapy_audit import engine, intake, report, rules, synth
from therapy_audit.config import INPUTS
from therapy_audit.errors import AuditError
from therapy_audit.notes import store
from therapy_audit.papers import browser

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

_LINES = 12_000  # of the clinic whose findings are multiplied
# Paints are timed by the browser. The page is ready when the findings can be filtered and the thread is free again.
_READY = """
(async () => {
  while (!document.querySelector("#status")?.textContent) await new Promise((done) => setTimeout(done, 5));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  window.timed = { ready: performance.now() };
})();
"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
# Each is what a hand does to the page; it is over when the next frame has been painted.
_ACTIONS = {
    "filter by rule": "set('select[data-column=rule]', 1)",
    "filter by clinician too": "set('select[data-column=rendering_npi]', 1)",
    "clear": "click('#filters [type=reset]')",
    "search for a claim": "type('C0000001')",
    "search in the messages": "type('minutes units')",
    "clear again": "click('#filters [type=reset]')",
    "sort by date": "click('th[data-sort=service_date] button')",
    "sort by rule": "click('th[data-sort=rule] button')",
    "sort by amount": "click('th[data-sort=amount_at_risk] button')",
    "next page": "click('#next')",
    "open a finding": "click('#list .open')",
}
_TIMED = """
async (action) => {
  const at = (selector) => document.querySelector(selector);
  const click = (selector) => at(selector).click();
  const say = (node) => node.dispatchEvent(new Event("input", { bubbles: true }));
  const set = (selector, place) => { at(selector).selectedIndex = place; say(at(selector)); };
  const type = (text) => { at("#search").value = text; say(at("#search")); };
  const started = performance.now();
  ACTION;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - started;
}
"""


@dataclass(frozen=True)
class Opened:
    """One report measured: rows in it, bytes, processor seconds to build, milliseconds to open and of each action."""

    findings: int
    size: int
    build_seconds: float
    painted: float
    ready: float
    actions: Mapping[str, float]


def measure(findings: int, seed: int) -> Opened:
    """Build a report of at least `findings` findings, open it in the browser at its list, and use it.

    The findings are those of a synthetic clinic and copies of them under other claim numbers. AuditError: no browser,
    or no playwright to drive it.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise AuditError("bench report drives a browser with playwright: pip install playwright.") from None
    program = browser.find("Measurements of the report")
    with tempfile.TemporaryDirectory(prefix="therapy-audit-bench-") as name:
        folder = Path(name)
        with engine.connect(folder / "bench.duckdb") as con:
            _audit(con, folder / "data", seed)
            count = _multiply(con, findings)
            started = process_time()
            report.write(con, folder, period="bench", quality=None, report_rows=count, workbook_rows=1)
            seconds = process_time() - started
        page = folder / "report.html"
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            opened = chromium.new_page(viewport={"width": 1280, "height": 900})
            opened.add_init_script(_READY)
            opened.goto(page.as_uri() + "#findings")
            opened.wait_for_function("window.timed", timeout=120_000)
            ready, painted = opened.evaluate("window.timed.ready"), opened.evaluate(_PAINTED)
            opened.wait_for_timeout(1000)
            actions = {name: opened.evaluate(_TIMED.replace("ACTION", script)) for name, script in _ACTIONS.items()}
            chromium.close()
        return Opened(count, page.stat().st_size, seconds, painted, ready, actions)


def table(found: Opened) -> str:
    """Return the measured report as text."""
    lines = [
        f"{found.findings:,} findings in a report.html of {found.size / 1e6:.1f} MB",
        f"{found.build_seconds:.1f} s of processor time to build all files of the report",
        "",
        f"{'ms':>7}  from opening the file",
        f"{found.painted:7,.0f}  first content",
        f"{found.ready:7,.0f}  list of findings ready",
        "",
        f"{'ms':>7}  to the next painted frame",
        *(f"{value:7,.0f}  {name}" for name, value in found.actions.items()),
    ]
    return "\n".join(lines)


def _audit(con: duckdb.DuckDBPyConnection, data: Path, seed: int) -> None:
    """Judge a synthetic clinic, whose files are written to a folder."""
    synth.write(data, seed=seed, lines=_LINES)
    ruleset = rules.load()
    files = {name: (str(data / f"{name}.csv"),) for name in INPUTS if (data / f"{name}.csv").exists()}
    engine.prepare(con, ruleset)
    intake.load(con, intake.Inputs(files, ()))
    engine.map_payers(con, ruleset.payer_patterns)
    engine.set_period(con)
    store.fill(con)
    engine.build_models(con)
    engine.run_rules(con, ruleset.rules)


def _multiply(con: duckdb.DuckDBPyConnection, findings: int) -> int:
    """Add copies of the findings, under other claim numbers, until there are so many; return how many there are."""
    found = con.execute("SELECT count(*) FROM finding").fetchall()[0][0]
    # Each with words of its own, as different days have: the page holds what recurs once.
    for table, own in (("finding", ", finding.message || ' (' || copy || ')' AS message"), ("finding_line", "")):
        con.execute(
            f"""
            INSERT INTO {table} BY NAME
            SELECT {table}.* REPLACE (
                left(md5({table}.finding_id || copy), 16) AS finding_id,
                {table}.claim_id || '-' || copy AS claim_id{own}
            )
            FROM {table}
            CROSS JOIN range(1, $copies) AS times (copy)
            """,
            {"copies": -(-findings // found)},
        )
    return int(con.execute("SELECT count(*) FROM finding").fetchall()[0][0])
