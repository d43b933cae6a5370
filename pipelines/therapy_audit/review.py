"""What reviewers decided: workbooks read back into one file of decisions, and how the decisions stand.

The file (reviews.csv beside audit.toml) holds one row per decision, sorted, and only grows: the same workbook read
twice, or two in another order, leave the same file.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from filelock import FileLock, Timeout

from therapy_audit import engine, history, pipeline, resources
from therapy_audit.config import REVIEWS, Config, reference_beside
from therapy_audit.errors import AuditError
from therapy_audit.report import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOLD = 20  # faults and conflicts that are told; the rest is a count


@dataclass(frozen=True)
class Imported:
    """What `import_workbooks` did: rows read that hold a decision, decisions that are new, what is to be looked at."""

    into: Path
    decided: int
    added: int
    known: int
    total: int
    conflicts: list[str]
    changed: list[str]

    def lines(self) -> list[str]:
        """Return what to tell, a sentence a line."""
        decisions = "decision" if self.added == 1 else "decisions"
        told = [f"{self.into}: {self.added:,} new {decisions}, {self.known:,} known already; {self.total:,} in all"]
        for name, sentences in (("Conflicts", self.conflicts), ("Changed since", self.changed)):
            if sentences:
                told.append(f"{name}: {len(sentences):,}")
                told += [f"  {sentence}" for sentence in sentences[:_TOLD]]
                if len(sentences) > _TOLD:
                    told.append(f"  and {len(sentences) - _TOLD:,} more (--json has all)")
        return told

    def as_json(self) -> str:
        """Return the same for a machine."""
        return json.dumps(vars(self) | {"into": str(self.into)}, indent=2)


def import_workbooks(workbooks: Sequence[str], into: Path, run: Path | None = None) -> Imported:
    """Add the decisions of reviewed workbooks (or lists with the same columns) to the file `into`.

    `run` is the report whose findings tell whether one has changed since. Raises AuditError, and adds nothing, where a
    cell is at fault: a sentence for each, with its file and row.
    """
    into = into / REVIEWS if into.is_dir() else into
    if into.suffix != ".csv":
        raise AuditError(f"{into}: decisions are kept as CSV; name a file such as {REVIEWS}, or its folder.")
    umask = os.umask(0o077)
    try:
        with FileLock(into.with_name(f".{into.name}.lock"), timeout=10), engine.connect() as con:
            engine.create_tables(con)
            con.execute("INSERT INTO run_day VALUES (?)", [pipeline.moment().date()])
            _take_in(con, [str(into)] if into.exists() else [])
            con.execute(f"CREATE TEMP TABLE kept AS {_sql('decisions')}")
            con.execute("DELETE FROM review")
            _take_in(con, workbooks)
            con.execute(f"CREATE TEMP TABLE given AS {_sql('decisions')}")
            ((decided, known),) = con.execute(
                "SELECT count(*), count(*) FILTER (decision IN (SELECT decision FROM kept)) FROM given"
            ).fetchall()
            con.execute(
                "CREATE TEMP TABLE merged AS SELECT decision, any_value(place) AS place, bool_and(is_new) AS is_new"
                " FROM (SELECT decision, place, FALSE AS is_new FROM kept"
                " UNION ALL SELECT decision, place, TRUE FROM given) GROUP BY decision"
            )
            conflicts = [sentence for (sentence,) in con.execute(_sql("conflicts")).fetchall()]
            changed = _changed(con, run)
            ((total,),) = con.execute("SELECT count(*) FROM merged").fetchall()
            if decided > known:
                _write(con, into)
            return Imported(into, decided, decided - known, known, total, conflicts, changed)
    except Timeout:
        raise AuditError(f"{into}: another import is writing it; try again when it is done.") from None
    except (OSError, duckdb.Error) as fault:
        why = pipeline.unwritable(fault) or (fault.strerror if isinstance(fault, OSError) else None)
        if why is None:
            raise
        raise AuditError(f"{into}: the file cannot be written ({why}); it is as it was.") from None
    finally:
        os.umask(umask)


def _sql(name: str) -> str:
    return (resources.folder("sql") / "review" / f"{name}.sql").read_text(encoding="utf-8")


def _take_in(con: duckdb.DuckDBPyConnection, files: Sequence[str]) -> None:
    """Fill `review` from files. AuditError: a sentence for each row that cannot be taken."""
    from therapy_audit import intake

    if not files:
        return
    con.execute("DELETE FROM intake_file")
    con.execute("DELETE FROM quarantine")
    intake.load(con, intake.Inputs({"reviews": tuple(files)}))
    faults = [sentence for (sentence,) in con.execute(_sql("faults")).fetchall()]
    if faults:
        more = f"\nand {len(faults) - _TOLD:,} more rows." if len(faults) > _TOLD else ""
        raise AuditError("\n".join(faults[:_TOLD]) + more)


def _changed(con: duckdb.DuckDBPyConnection, run: Path | None) -> list[str]:
    """Return a sentence for each new decision on a finding that is another one by now."""
    if run is None:
        return []
    history.read(run)
    con.execute(
        "CREATE TEMP TABLE current_finding AS SELECT finding_id, facts_hash(rule, amount_at_risk, facts) AS facts_hash"
        " FROM read_parquet(?)",
        [str(run / "findings.parquet")],
    )
    return [sentence for (sentence,) in con.execute(_sql("changed")).fetchall()]


def _write(con: duckdb.DuckDBPyConnection, into: Path) -> None:
    part = into.with_name(f".{into.name}.part")
    try:
        con.execute(
            "COPY (SELECT unnest(decision) FROM merged ORDER BY decision) TO ? (FORMAT csv, HEADER)", [str(part)]
        )
        pipeline.settle(part)
        part.replace(into)
    finally:
        part.unlink(missing_ok=True)


def status(reviews: Path, run: Path | None, config: Config | None = None) -> dict[str, Any]:
    """Return how the decisions of `reviews` stand: in all and by rule, and what of the report `run` is open.

    Keys: run (name of the report, null without one), decided, upheld, dismissed, silent, open, findings, rules (rows
    of sql/reports/review_rules.sql). Raises AuditError for what cannot be read.
    """
    if not reviews.exists():
        raise AuditError(f"{reviews}: there is no such file; `therapy-audit review import findings.xlsx` makes it.")
    with _judged(reviews, run, config) as con:
        rows = tables.rows(con, "review_rules")
        ((findings, undecided),) = con.execute(
            "SELECT count(*), count(*) FILTER (review_state IN ('open', 'changed', 'expired', 'came_back'))"
            " FROM report_finding"
        ).fetchall()
    return {
        "run": run and run.name,
        "findings": findings,
        "open": undecided,
        **{key: sum(row[key] for row in rows) for key in ("decided", "upheld", "dismissed", "silent")},
        "rules": [{key: float(cell) if key == "silent_amount" else cell for key, cell in row.items()} for row in rows],
    }


@contextmanager
def _judged(reviews: Path, run: Path | None, config: Config | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database of decisions and a report's findings, each with what was decided on it."""
    with engine.connect() as con:
        engine.prepare(con, pipeline.rules_of(config or Config(inputs={})), reference_beside(Path()))
        con.execute("INSERT INTO run_day VALUES (?)", [pipeline.moment().date()])
        _take_in(con, [str(reviews)])
        if run is not None:
            history.read(run)
            columns = ", ".join(name for name, *_ in con.execute("DESCRIBE finding").fetchall())
            con.execute(
                f"INSERT INTO finding BY NAME SELECT {columns} FROM read_parquet(?)", [str(run / "findings.parquet")]
            )
            con.execute("INSERT INTO finding_review SELECT * FROM reviewed('finding')")
        con.execute(tables.text("report_finding"))
        yield con


def lines(found: dict[str, Any]) -> list[str]:
    """Return a table of `status`."""
    told = [f"{'decided':>8} {'upheld':>7} {'dismissed':>9} {'agreement':>9} {'open':>6}  rule"]
    told += [
        f"{row['decided']:>8,} {row['upheld']:>7,} {row['dismissed']:>9,} {row['agreement']:>9.0%}"
        f" {row['undecided']:>6,}  {row['title']}"
        for row in found["rules"]
    ]
    if not found["rules"]:
        told = ["Nothing is decided yet."]
    if found["run"] is not None:
        told.append(
            f"{found['run']}: {found['open']:,} of {found['findings']:,} findings are open;"
            f" {found['silent']:,} more are dismissed and silent"
        )
    return told
