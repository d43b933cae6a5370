"""An audit workpaper per claim: lines, versions, notes, answers, expected payment, each finding, and a decision."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from therapy_audit import explain, papers
from therapy_audit.errors import AuditError
from therapy_audit.papers import browser
from therapy_audit.report import tables

if TYPE_CHECKING:
    from pathlib import Path

    import therapy_audit as ta

_FINDINGS = 60  # a claim has a handful


def name(claim_id: str) -> str:
    """Return a file's name for a claim's workpaper, which does not tell the claim."""
    return f"workpaper-{hashlib.sha256(claim_id.encode()).hexdigest()[:12]}.html"


def write(audit: ta.Audit, claim_id: str, page: Path, *, with_text: bool = False, as_pdf: bool = False) -> list[Path]:
    """Write the workpaper of a claim and return its files. Note text is there only `with_text`.

    AuditError: no such claim in the run, no browser for `as_pdf`, or no place to write.
    """
    program = browser.find("PDFs") if as_pdf else None
    con = audit.con
    papers.prepare(con)
    versions = tables.rows(con, "workpaper_versions", claim_id=claim_id)
    if not versions:
        raise AuditError("No claim of this run has that number; findings.csv and reconciliation.csv name the claims.")
    lines = tables.rows(con, "workpaper_lines", claim_id=claim_id)
    listed = tables.rows(con, "workpaper_findings", claim_id=claim_id)
    patients = con.execute(
        "SELECT any_value(patient_id), any_value(payer) FROM claim_line WHERE claim_id = ?", [claim_id]
    ).fetchone()
    patient_id, payer = patients or (None, None)
    findings = [
        {**_own(explain.explain(con, row["finding_id"], with_text=with_text), patient_id), **row}
        for row in listed[:_FINDINGS]
    ]
    headline = tables.rows(con, "headline")[0]
    papers.write(
        page,
        "workpaper.html",
        claim_id=claim_id,
        patient_id=patient_id,
        payer=payer,
        period=papers.period(audit.folder, headline),
        rule_set=_manifest(audit.folder).get("rule_set"),
        versions=versions,
        lines=lines,
        notes=_notes(con, lines, with_text=with_text),
        answers=tables.rows(con, "workpaper_answers", claim_id=claim_id),
        findings=findings,
        left_out=len(listed) - len(findings),
        with_text=with_text,
        charge=sum(row["charge_amount"] or 0 for row in lines),
        exposure=_exposure(con, claim_id),
    )
    if not program:
        return [page]
    browser.pdf(program, page, page.with_suffix(".pdf"))
    return [page, page.with_suffix(".pdf")]


def _own(found: papers.Row, patient_id: str | None) -> papers.Row:
    """Leave out the lines of other patients: a finding on a clinician's day or habits is about theirs too."""
    return {**found, "lines": [line for line in found["lines"] if line["patient_id"] == patient_id]}


def _exposure(con: Any, claim_id: str) -> dict[str, Any]:
    """Return USD at risk and under-billed on the claim's lines, each unit counted once."""
    rows = con.execute(
        "SELECT finding.direction, sum(finding_line.exposure_amount) FROM finding_line INNER JOIN finding"
        " USING (finding_id) WHERE finding_line.claim_id = ? GROUP BY finding.direction",
        [claim_id],
    ).fetchall()
    return {"overpayment": 0, "underpayment": 0} | dict(rows)


def _notes(con: Any, lines: list[papers.Row], *, with_text: bool) -> list[papers.Row]:
    """Return the notes that the claim's lines rest on, each once, with their services."""
    ids = list(dict.fromkeys(row["note_id"] for row in lines if row["note_id"]))
    return explain.notes_of(con, ids, with_text=with_text)


def _manifest(folder: Path) -> papers.Row:
    import json

    try:
        told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
