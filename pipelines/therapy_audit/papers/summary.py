"""The executive summary: one page, dollars first, and nobody's identifier in it."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

from therapy_audit import papers
from therapy_audit.papers import browser
from therapy_audit.report import tables

if TYPE_CHECKING:
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
    found: dict[tuple[str, str], tuple[int, Row]] = {}
    for path in folder.resolve().parent.glob("[!.]*/summary.json"):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            start, end = (date.fromisoformat(told[key]) for key in ("period_start", "period_end"))
            row = {"period": str(told["period"]), "period_end": end} | _point(told)
            written = path.stat().st_mtime_ns
        except (OSError, ValueError, KeyError, TypeError):
            continue
        key = (start.isoformat(), end.isoformat())
        if end < begin and written > found.get(key, (0, {}))[0]:
            found[key] = (written, row)
    return [row for _, (_, row) in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))]


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
