"""The frame of an audited period, its strata, and which of its items are drawn: SQL, in the database of a run."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from therapy_audit import resources
from therapy_audit.errors import AuditError
from therapy_audit.sampling import sizes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from pathlib import Path

    import duckdb

FRAMES = {
    "claims": "a claim: its current version, all its lines in the period",
    "lines": "a claim line of a current claim",
    "visits": "a patient's day in one discipline under one plan: all its claim lines",
}
AMOUNTS = {
    "paid": "paid by the payer, net of what was taken back: by the remittance, else by the claim export",
    "allowed": "allowed by the payer, deductible and coinsurance included",
}
STRATA = ("payer", "plan", "discipline", "clinician", "amount")
DEFAULT_BANDS = 4
_MOST_BANDS = 20


@dataclass(frozen=True)
class Asked:
    """What the frame is made of: items, amount, and the plans, payers and rules to which it is confined."""

    frame: str
    amount: str = "paid"
    plans: tuple[str, ...] = ()
    payers: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Band:
    """Amounts from `start` on and below `end`, USD; None in the last."""

    start: Decimal
    end: Decimal | None


@dataclass(frozen=True)
class Stratum:
    """A stratum of the frame. Amounts and deviations (of the items, dividing by items - 1) are USD."""

    title: str
    items: int
    amount: Decimal
    amount_at_risk: Decimal
    deviation: float
    deviation_at_risk: float


def build(con: duckdb.DuckDBPyConnection, asked: Asked) -> list[dict[str, Any]]:
    """Make temporary tables `frame_line` and `sample_frame`; return what was left out: {reason, items, amount}.

    `con` is a run's database, opened for reading. Raises AuditError where nothing remains to draw from.
    """
    bound = {
        "frame": asked.frame,
        "amount": asked.amount,
        "plans": list(asked.plans) or None,
        "payers": list(asked.payers) or None,
        "rules": list(asked.rules) or None,
    }
    _known(con, "plan", asked.plans, "therapy_line")
    _known(con, "payer", asked.payers, "therapy_line")
    _known(con, "rule", asked.rules, "rule")
    con.execute(f"CREATE OR REPLACE TEMP TABLE frame_line AS\n{sql('frame_line')}", bound)
    con.execute(f"CREATE OR REPLACE TEMP TABLE sample_frame AS\n{sql('frame')}", {"rules": bound["rules"]})
    rows = con.execute(
        "SELECT left_out, count(*), coalesce(sum(amount), 0.00) FROM sample_frame WHERE left_out IS NOT NULL"
        " GROUP BY left_out ORDER BY left_out"
    ).fetchall()
    con.execute("DELETE FROM sample_frame WHERE left_out IS NOT NULL")
    if not _one(con, "SELECT count(*) FROM sample_frame"):
        told = "; ".join(f"{count:,} left out: {reason}" for reason, count, _ in rows) or "nothing fits what was asked"
        hint = " --amount allowed takes the allowed amounts." if asked.amount == "paid" else ""
        raise AuditError(f"The frame is empty ({told}).{hint}")
    return [{"reason": reason, "items": count, "amount": amount} for reason, count, amount in rows]


def _known(con: duckdb.DuckDBPyConnection, column: str, wanted: Sequence[str], table: str) -> None:
    if not wanted:
        return
    found = {value for (value,) in con.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall() if value}
    for value in wanted:
        if value not in found:
            raise AuditError(f"There is no {column} '{value}' in this audit; there are {', '.join(sorted(found))}.")


def parse_strata(given: str | None) -> list[tuple[str, int]]:
    """`payer,amount:5` -> [(payer, 0), (amount, 5)]. Raises AuditError for what is no stratum."""
    found: list[tuple[str, int]] = []
    for part in (given or "").split(","):
        name, colon, number = part.strip().partition(":")
        if not name and not colon:
            continue
        if name not in STRATA or name in dict(found) or (colon and name != "amount"):
            raise AuditError(
                f"Strata '{given}' are not understood; name {', '.join(STRATA)} once each, amount with its number of "
                "bands, as in payer,amount:4."
            )
        if colon and not (number.isdecimal() and 2 <= int(number) <= _MOST_BANDS):
            raise AuditError(f"amount:{number} is not a number of bands; write amount:2 to amount:{_MOST_BANDS}.")
        found.append((name, int(number) if colon else DEFAULT_BANDS if name == "amount" else 0))
    return found


def stratify(con: duckdb.DuckDBPyConnection, by: Sequence[tuple[str, int]]) -> list[Band]:
    """Add the column `stratum` to `sample_frame`; return the bands of amounts, if it is cut by them."""
    bands: list[Band] = []
    parts: list[str] = []
    for name, number in by:
        if name == "amount":
            bands = _bands(con, number)
            cases = " ".join(
                f"WHEN amount >= {band.start} THEN '{_band_title(place, len(bands), band)}'"
                for place, band in reversed(list(enumerate(bands, start=1)))
            )
            parts.append(f"CASE {cases} END")
        else:
            parts.append(f"{name}")
    title = f"concat_ws(' / ', {', '.join(parts)})" if parts else "'all'"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE sample_frame AS"
        f" SELECT * EXCLUDE (left_out), {title} AS stratum FROM sample_frame"
    )
    return bands


def _bands(con: duckdb.DuckDBPyConnection, number: int) -> list[Band]:
    from decimal import Decimal

    rows = con.execute(sql("amount_class")).fetchall()
    smallest, width = rows[0][1], max(1, rows[0][2] - rows[0][1])
    counts = [0] * sizes.CLASSES
    for place, _, _, items in rows:
        counts[place] = items
    # The first cent amount of the class after a cut.
    starts = [smallest] + [
        smallest + -((-(place + 1) * width) // sizes.CLASSES) for place in sizes.bands(counts, number)
    ]
    ends: list[int | None] = [*starts[1:], None]
    return [
        Band(Decimal(start).scaleb(-2), None if end is None else Decimal(end).scaleb(-2))
        for start, end in zip(starts, ends, strict=True)
    ]


def _band_title(place: int, number: int, band: Band) -> str:
    reach = f"from ${band.start:,.2f}" if band.end is None else f"${band.start:,.2f} to below ${band.end:,.2f}"
    return f"{place:0{len(str(number))}}: {reach}"


def strata_of(con: duckdb.DuckDBPyConnection) -> list[Stratum]:
    """Return the strata of `sample_frame`, by title."""
    return [
        Stratum(title, items, amount, at_risk, _deviation(items, cents, squared), _deviation(items, risk, risk_squared))
        for title, items, amount, at_risk, cents, squared, risk, risk_squared in con.execute(
            sql("stratum_size")
        ).fetchall()
    ]


def _deviation(count: int, total: int, squared: int) -> float:
    """Return the standard deviation in USD, from sums of whole cents."""
    return sqrt((count * squared - total * total) / (count * (count - 1))) / 100 if count > 1 else 0.0


def draw(con: duckdb.DuckDBPyConnection, seed: int, strata: Sequence[Stratum], taken: Sequence[int]) -> None:
    """Make temporary table `sample_item`: draw_order and the frame's columns of the items drawn."""
    con.execute("CREATE OR REPLACE TEMP TABLE stratum_taken (stratum VARCHAR, taken BIGINT)")
    con.executemany(
        "INSERT INTO stratum_taken VALUES (?, ?)",
        [(stratum.title, count) for stratum, count in zip(strata, taken, strict=True)],
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE draw_order AS\n{sql('draw')}", {"seed": str(seed)})
    con.execute(f"CREATE OR REPLACE TEMP TABLE sample_item AS\n{sql('sample_item')}")


def write(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write the frame as CSV or Parquet, by the file's suffix; a CSV's texts are neutral to a spreadsheet."""
    from therapy_audit.report import tables

    columns = "*"
    if path.suffix == ".csv":
        described = con.execute(f"DESCRIBE\n{sql('frame_file')}").fetchall()
        texts = [name for name, kind, *_ in described if kind == "VARCHAR" and name != "item_key"]  # has a prefix
        columns = f"* REPLACE ({', '.join(f'{tables.neutral(name)} AS {name}' for name in texts)})"
    tables.write_rows(con, f"SELECT {columns} FROM (\n{sql('frame_file')}\n) ORDER BY item_number", path)


def sql(name: str) -> str:
    """Return a query of sql/sampling/."""
    return (resources.folder("sql") / "sampling" / f"{name}.sql").read_text(encoding="utf-8")


def _one(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = con.execute(query).fetchone()
    return row[0] if row else None
