"""What goes to people: a letter per clinician, an executive summary, a workpaper per claim, the report's pictures.

Each is a self-contained page that runs no script and calls nothing; a browser on the machine turns it into a PDF.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import pages, resources
from therapy_audit.errors import AuditError
from therapy_audit.report import html, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

Row = dict[str, Any]


@contextlib.contextmanager
def private() -> Iterator[None]:
    """Create files and folders that only this user may read."""
    umask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(umask)


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make what the report's queries read beside the run's tables, as temporary ones of the connection."""
    for name, text in resources.texts(resources.folder("sql") / "models" / "views", ".sql").items():
        con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {text}")
    for name in ("report_finding", "report_exposure"):
        con.execute(tables.text(name))


def period(folder: Path, headline: Row) -> str:
    """Return what a run calls its dates: as summary.json has it, else the dates themselves."""
    return str(summary_of(folder).get("period") or f"{headline['period_start']}..{headline['period_end']}")


def summary_of(folder: Path) -> Row:
    """Return a run's summary.json; empty where there is none that can be read."""
    try:
        told = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def write(path: Path, template: str, **content: Any) -> None:
    """Lay out a page of templates/ and put it in place of an older one, private. AuditError: it cannot be written."""
    filters = {
        "money": html.money, "number": html.number, "day": html.day, "share": html.share, "figure": html.figure,
        "web": html.web, "words": html.words, "shown": shown,
    }  # fmt: skip
    environment = pages.templates("therapy_audit.papers", filters)
    put(path, environment.get_template(template).render(**content).encode())


def put(path: Path, content: bytes) -> None:
    """Put a private file in place of an older one, whole or not at all. AuditError: it cannot be written."""
    try:
        with private():
            path.parent.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(prefix=".paper-", dir=path.parent)
            try:
                with os.fdopen(number, "wb") as file:
                    file.write(content)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
    except OSError as fault:
        raise AuditError(f"{path}: the file cannot be written ({fault.strerror}); name another --out.") from None


def shown(value: Any) -> str:
    """Return a fact as a reader has it: yes and no, not known, lists with commas."""
    from therapy_audit import explain

    return explain.shown(value)
