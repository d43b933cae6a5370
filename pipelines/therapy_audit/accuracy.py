"""How well an audit of the synthetic clinic finds what was planted there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from therapy_audit.errors import AuditError
from therapy_audit.resources import folder

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


def measure(findings_con: duckdb.DuckDBPyConnection, truth_csv: Path) -> list[dict[str, Any]]:
    """Return one row per rule: planted, found, missed, false, near_misses, near_misses_flagged, precision, recall.

    `findings_con` holds the `finding` table of an audit of the clinic that `truth_csv` (from `synth.write`) tells of.
    Findings that only follow from a planted fault count neither as found nor as false. Precision is the share of the
    other findings that are right, recall the share of planted faults found; each is None where there are none.
    """
    if not truth_csv.is_file():
        raise AuditError(f"{truth_csv.name}: there is no such file; `therapy-audit synth` writes it beside the claims.")
    query = (folder("sql") / "synth" / "accuracy.sql").read_text(encoding="utf-8")
    result = findings_con.execute(query, {"truth_csv": str(truth_csv)})
    columns = [column[0] for column in result.description or []]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def markdown(rows: list[dict[str, Any]], seed: int, lines: int) -> str:
    """Return the text of docs/accuracy.md for what `measure` returned."""
    columns = [
        "rule",
        "planted",
        "found",
        "missed",
        "false",
        "near_misses",
        "near_misses_flagged",
        "precision",
        "recall",
    ]

    def cells(row: dict[str, Any]) -> list[str]:
        return [_cell(row[column]) for column in columns]

    totals = {column: sum(row[column] for row in rows) for column in columns[1:7]}
    sentence = (
        f"{totals['found']} of {totals['planted']} planted faults were found, with {totals['false']} false findings; "
        f"{totals['near_misses_flagged']} of {totals['near_misses']} near misses were flagged."
    )
    table = [
        [column.replace("_", " ") for column in columns],
        ["---", *["---:"] * 8],
        *map(cells, rows),
    ]
    return "\n".join([
        "# Accuracy",
        "",
        f"A synthetic clinic of about {lines:,} claim lines (seed {seed}) with planted faults, audited. {sentence}",
        "It shows that the rules do what they say, not how often real claims are at fault.",
        "",
        *("| " + " | ".join(line) + " |" for line in table),
        "",
        "False: findings that no planted fault explains. Near misses: legal edge cases that careless rules flag.",
        "",
        "Beside it: what CMS works through, and what this says of the same ([cms-examples.md](cms-examples.md)); how",
        "well each rule's cases hold it ([mutants.md](mutants.md)); thirteen rules against slow, plain versions on",
        "random claims (`tests/test_plain_rules.py`).",
        "",
    ])  # fmt: skip


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
