"""Audit outpatient therapy claims against visit notes and remittances.

`run` audits and writes a report folder, `open` reads one; both return an `Audit` with pandas frames and DuckDB.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

from therapy_audit.errors import AuditError

__all__ = ["Audit", "AuditError", "open", "run"]


@dataclass(frozen=True)
class Audit:
    """A finished audit: its report folder and the database in it, opened for reading."""

    folder: Path
    con: duckdb.DuckDBPyConnection

    @property
    def summary(self) -> dict[str, Any]:
        """Return summary.json."""
        import json

        return dict(json.loads((self.folder / "summary.json").read_text(encoding="utf-8")))

    def findings(self) -> pd.DataFrame:
        """Return one row per finding, the columns of table `finding`, largest amount first."""
        return self.sql("SELECT * FROM finding ORDER BY amount_at_risk DESC, finding_id").df()

    def coverage(self) -> pd.DataFrame:
        """Return one row per rule: in scope, passed, failed, not evaluable and why."""
        return self.sql("SELECT * FROM coverage ORDER BY rule").df()

    def clinician_profiles(self, *, by_month: bool = False) -> pd.DataFrame:
        """Return one row per clinician and metric (and month) against peers, small cells blank, as the CSV has them.

        Tables clinician_profile and clinician_profile_month hold what is left blank.
        """
        from therapy_audit.report import tables

        which = "IS NOT NULL" if by_month else "IS NULL"
        return self.sql(f"SELECT * FROM ({tables.text('clinician_profiles')}) WHERE month {which}").df()

    def explain(self, finding_id: str, *, with_text: bool = False) -> dict[str, Any]:
        """Return what was seen and expected, arithmetic, citation, lines, notes and remedy of a finding.

        The begin of its id is enough where no other begins so. Note text is there only `with_text`. Raises AuditError
        for an id that there is not.
        """
        from therapy_audit import explain

        return explain.explain(self.con, finding_id, with_text=with_text)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Return the query's result as a DuckDB relation (`.df()` makes it a frame); sql/schema.sql has the tables."""
        return self.con.sql(query)

    def close(self) -> None:
        """Close the database."""
        self.con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open(folder: str | Path) -> Audit:  # noqa: A001  (ta.open reads as it should)
    """Open a report folder that a run has written. Raises AuditError where there is none."""
    import duckdb

    database = Path(folder) / "audit.duckdb"
    if not database.exists():
        raise AuditError(
            f"{folder}: there is no audit.duckdb in it; name a folder that `therapy-audit run` has written."
        )
    return Audit(Path(folder), duckdb.connect(str(database), read_only=True))


def run(config: str | Path | None = None, *, claims: Any = None, notes: Any = None, **given: Any) -> Audit:
    """Run the audit, told by an audit.toml or by keywords named as its keys, and open the result.

    `claims`, `notes` and the other inputs are a path or glob, or a list of them; `output` is the report folder.
    Raises AuditError for bad input or usage.
    """
    from therapy_audit import config as settings
    from therapy_audit import pipeline

    base = settings.read(Path(config)) if config else None
    named = {"claims": claims, "notes": notes} | {name: given.pop(name, None) for name in settings.INPUTS[2:]}
    inputs = {
        name: tuple(str(item) for item in (files if isinstance(files, list | tuple) else [files]))
        for name, files in named.items()
        if files is not None
    }
    for name in given:
        if name not in settings.Config.__dataclass_fields__:
            raise AuditError(f"ta.run knows no '{name}'; there are {', '.join(settings.Config.__dataclass_fields__)}.")
    if "output" in given:
        given["output"] = Path(given["output"])
    chosen = pipeline.from_inputs(base, inputs={**(base.inputs if base else {}), **inputs}, **given)
    return open(pipeline.run(chosen).folder)
