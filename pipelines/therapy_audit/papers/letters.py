"""A letter per clinician: what was found, why it matters, where it stands, what good looks like, when it is fine.

All of it is data: the findings, and the rules' YAML and policies. No rule has code of its own.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from therapy_audit import explain, papers, rules
from therapy_audit.errors import AuditError
from therapy_audit.papers import browser
from therapy_audit.report import tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import therapy_audit as ta
    from therapy_audit.papers import Row
    from therapy_audit.rules import Rule

_EXAMPLES = 3  # of each rule
_IN_FULL = 8  # rules of a letter, those with the most dollars; the others are a row each
_TEXT = 700  # characters of a note
_MARK = "therapy-audit letters"  # in the index page: a folder that holds it may be written anew


@dataclass(frozen=True)
class Letters:
    """What was written: the index page, the letters in its order, and findings that name no clinician."""

    index: Path
    pages: tuple[Path, ...]
    unaddressed: int


def write(
    audit: ta.Audit,
    folder: Path,
    *,
    clinicians: Sequence[str] = (),
    with_text: bool = False,
    as_pdf: bool = False,
) -> Letters:
    """Write a letter to each clinician who has findings, or to those of `clinicians` (NPIs), and an index of them.

    The folder is new, empty, or one of letters, which are replaced. Note text is there only `with_text`. AuditError: an
    NPI without lines or findings in the run, a folder of other things, no browser for `as_pdf`.
    """
    program = browser.find("PDFs") if as_pdf else None
    papers.prepare(audit.con)
    everyone = {row["clinician_npi"]: row for row in tables.rows(audit.con, "paper_clinicians")}
    for npi in clinicians:
        if npi not in everyone:
            raise AuditError(f"No line or finding of this run is of clinician '{npi}'; clinician_profiles.csv has all.")
    chosen = [row for npi, row in everyone.items() if (npi in clinicians if clinicians else row["findings"])]
    headline = tables.rows(audit.con, "headline")[0]
    period = papers.period(audit.folder, headline)
    found = _grouped(tables.rows(audit.con, "clinician_findings"))
    examples = _grouped(
        tables.rows(
            audit.con,
            "letter_examples",
            examples=_EXAMPLES,
            with_text=with_text,
            clinicians=list(dict.fromkeys(clinicians)) or None,
        )
    )
    profiles = _grouped([row for row in tables.rows(audit.con, "clinician_profiles") if row["month"] is None])
    least = tables.rows(audit.con, "profile_least")[0]
    told = {row["rule"]: row for row in tables.rows(audit.con, "rules")}
    known = {rule.name: rule for rule in rules.load(rules.kept(audit.folder)).rules}
    _clear(folder)
    names = _names([row["clinician_npi"] for row in chosen])
    pages = []
    for row in chosen:
        npi = row["clinician_npi"]
        page = folder / f"{names[npi]}.html"
        sections = [
            _section(
                known.get(one["rule"]),
                told[one["rule"]],
                one,
                [item for item in examples.get(npi, []) if item["rule"] == one["rule"]],
            )
            for one in found.get(npi, [])
        ]
        papers.write(
            page,
            "letter.html",
            clinician=row,
            period=period,
            headline=headline,
            with_text=with_text,
            least=max(least["cell"] or 0, 1),
            profile=[one for one in profiles.get(npi, []) if one["compared_with"] == "peers" or one["suppressed"]],
            sections=sections[:_IN_FULL],
            others=sections[_IN_FULL:],
        )
        if program:
            browser.pdf(program, page, page.with_suffix(".pdf"))
        pages.append(page)
    unaddressed = audit.con.execute("SELECT count(*) FROM report_finding WHERE rendering_npi IS NULL").fetchone()
    letters = Letters(folder / "index.html", tuple(pages), unaddressed[0] if unaddressed and not clinicians else 0)
    papers.write(
        letters.index,
        "letters.html",
        mark=_MARK,
        period=period,
        letters=list(zip((page.name for page in pages), chosen, strict=True)),
        as_pdf=as_pdf,
        unaddressed=letters.unaddressed,
    )
    return letters


def _section(known: Rule | None, rule: Row, counted: Row, examples: Sequence[Row]) -> Row:
    """Return what a letter says of a rule: its words, its findings, and the examples with shortened texts."""
    references = known.references if known else ()
    return {
        **{key: counted[key] for key in ("findings", "amount_at_risk", "direction")},
        **{key: rule[key] for key in ("rule", "title", "remedy", "exceptions")},
        "policy": explain.policy(known) if known else "",
        "good_example": known.good_example if known else None,
        "references": references,
        "examples": [{**item, "note_text": _short(item["note_text"])} for item in examples],
    }


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _TEXT else text[:_TEXT].rsplit(" ", 1)[0] + " …"


def _names(npis: Sequence[str]) -> dict[str, str]:
    """Return a file's name for each clinician: the NPI where it is one; of anything else, its hash."""
    return {
        npi: f"letter-{npi}"
        if re.fullmatch(r"[0-9]{10}", npi)
        else f"letter-{hashlib.sha256(npi.encode()).hexdigest()[:12]}"
        for npi in npis
    }


def _clear(folder: Path) -> None:
    """Remove older letters from their folder. AuditError where it holds other things."""
    if not folder.exists():
        return
    index = folder / "index.html"
    try:
        if not folder.is_dir() or (
            any(folder.iterdir()) and not (index.exists() and _MARK in index.read_text("utf-8"))
        ):
            raise AuditError(f"{folder}: the folder holds other things than letters; name a new one with --out.")
        for old in folder.glob("letter-*"):
            if old.suffix in {".html", ".pdf"}:
                old.unlink()
    except (OSError, UnicodeDecodeError):
        raise AuditError(f"{folder}: the folder cannot be read or written; name a new one with --out.") from None


def _grouped(rows: Sequence[Row]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row["clinician_npi"], []).append(row)
    return found
