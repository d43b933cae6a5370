"""The reports beside a report: which there are, of which period, and which one came before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from pathlib import Path

MOST = 12  # earlier runs that are looked at: the last ones


@dataclass(frozen=True)
class Run:
    """A finished report folder: its period with first and last service date, when it was made, what it rests on."""

    folder: Path
    period: str
    start: date
    end: date
    generated_at: str
    summary: dict[str, Any]
    manifest: dict[str, Any]

    @property
    def order(self) -> tuple[date, str, str]:
        """What runs are put in order by: the end of the period, then when they were made, then the name."""
        return self.end, self.generated_at, self.folder.name


def read(folder: Path) -> Run:
    """Read a report folder. Raises AuditError where it is none, or its findings are damaged."""
    try:
        summary, manifest = (
            json.loads((folder / name).read_text(encoding="utf-8")) for name in ("summary.json", "manifest.json")
        )
        damaged = not _ends(folder / "findings.parquet")
        found = Run(
            folder=folder,
            period=str(summary["period"]),
            start=date.fromisoformat(summary["period_start"]),
            end=date.fromisoformat(summary["period_end"]),
            generated_at=str(manifest["generated_at"]),
            summary=summary,
            manifest=manifest,
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise AuditError(
            f"{folder}: this is no report folder (summary.json, manifest.json and findings.parquet); name one that "
            "`therapy-audit run` has written."
        ) from None
    if damaged:
        raise AuditError(f"{folder / 'findings.parquet'}: the file is damaged; run the audit again.")
    return found


def _ends(parquet: Path) -> bool:
    """Return whether a Parquet file is there to its end: it begins and ends with the same four bytes."""
    with parquet.open("rb") as file:
        begin = file.read(4)
        file.seek(max(0, parquet.stat().st_size - 4))
        return begin == file.read() == b"PAR1"


def runs(root: Path) -> list[Run]:
    """Return the reports in a folder, the first period first. What is no report is passed over."""
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name.startswith(".") or not (folder / "manifest.json").is_file():
            continue
        try:
            run = read(folder)
        except AuditError:
            continue
        if not run.manifest.get("deidentified"):  # its numbers are others
            found.append(run)
    return sorted(found, key=lambda run: run.order)


def before(output: Path, end: date, generated_at: str) -> list[Run]:
    """Return the reports beside `output` that come before a run of it, the last ones, the first of them first.

    A report that is replaced is not among them: the same run over again says the same.
    """
    own = (end, generated_at, output.name)
    beside = [run for run in runs(output.parent) if run.folder.name != output.name and run.order < own]
    return beside[-MOST:]
