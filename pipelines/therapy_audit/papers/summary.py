"""The executive summary: one page, dollars first, and nobody's identifier in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from therapy_audit import history, papers
from therapy_audit.papers import browser
from therapy_audit.report import tables

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import therapy_audit as ta
    from therapy_audit.papers import Row

_RULES = 5
_PAYERS = 4
_RUNS = 4  # before this one


def write(audit: ta.Audit, page: Path, *, as_pdf: bool = False) -> list[Path]:
    """Write the summary of a run and return its files. AuditError: no browser for `as_pdf`, or no place to write."""
    program = browser.find("PDFs") if as_pdf else None
    papers.prepare(audit.con)
    headline = tables.rows(audit.con, "headline")[0]
    told = papers.summary_of(audit.folder)
    rules = tables.rows(audit.con, "rules")
    ranked = sorted(rules, key=lambda row: (-row["amount_at_risk"], -row["findings"], row["rule"]))
    payers = tables.rows(audit.con, "payers")
    clinicians = tables.rows(audit.con, "paper_clinicians")
    exposed = [row["overpayment_amount"] for row in clinicians]
    this = _point(headline)
    papers.write(
        page,
        "summary.html",
        period=papers.period(audit.folder, headline),
        headline=headline,
        this=this,
        before=earlier(audit.folder, headline["period_start"])[-_RUNS:],
        rules=[row for row in ranked if row["findings"]][:_RULES],
        rules_ran=len(rules),
        payers=payers[:_PAYERS],
        other_payers=_sum(payers[_PAYERS:]),
        clinicians=len(clinicians),
        clinicians_found=sum(row["findings"] > 0 for row in clinicians),
        top_share=sum(exposed[:3]) / sum(exposed) if len(exposed) > 3 and sum(exposed) else None,
        quality=told.get("quality"),
        stale=[row["reference"] for row in tables.rows(audit.con, "reference_editions") if row["stale"]],
        unmapped=len(tables.rows(audit.con, "unmapped_payers")),
        least=max(tables.rows(audit.con, "profile_least")[0]["cell"] or 0, 1),
    )
    if not program:
        return [page]
    browser.pdf(program, page, page.with_suffix(".pdf"))
    return [page, page.with_suffix(".pdf")]


def earlier(folder: Path, begin: date) -> list[Row]:
    """Return the runs beside `folder` whose dates end before `begin`, in order, as the trend shows them.

    Of several over the same dates the one written last counts.
    """
    # They come in the order of their ends, and for the same dates in that of their making.
    last = {(run.start, run.end): run for run in history.runs(folder.resolve().parent) if run.end < begin}
    return [
        {"period": run.period, "period_end": run.end} | _point(run.summary)
        for run in sorted(last.values(), key=lambda run: (run.end, run.start))
    ]


def _point(told: Row) -> Row:
    """Return a run's figures; `rate` is USD at risk per 1,000 lines, so that periods of any length compare."""
    lines, over = int(told["lines_audited"]), float(told["overpayment_amount"])
    return {
        "lines_audited": lines,
        "findings": int(told["findings"]),
        "overpayment_amount": over,
        "underpayment_amount": float(told["underpayment_amount"]),
        "rate": 1000 * over / lines if lines else None,
    }


def _sum(rows: list[Row]) -> Row | None:
    keys = ("lines_audited", "findings", "overpayment_amount", "underpayment_amount")
    return {"payers": len(rows)} | {key: sum(row[key] for row in rows) for key in keys} if rows else None
