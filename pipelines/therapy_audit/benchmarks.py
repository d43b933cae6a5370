"""A user's benchmark file: what peers bill elsewhere, in place of the peers in the data (clinician profiles)."""

from __future__ import annotations

import csv
import hashlib
import math
from typing import TYPE_CHECKING

from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

_PERCENTILES = ("p20", "p50", "p80")
_COLUMNS = ("discipline", "metric", *_PERCENTILES)
_DISCIPLINES = ("PT", "OT", "SLP")


def load(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Fill table `benchmark` from a CSV with the columns discipline, metric, p20, p50, p80.

    A percentile may be left blank, not all three; shares are parts of 1. `con` holds the code tables. AuditError says
    the row and what would be right.
    """
    metrics = dict(con.execute("SELECT metric, kind FROM profile_metric ORDER BY place").fetchall())
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise AuditError(f"{path}: there is no such benchmark file; correct benchmarks in audit.toml.") from None
    except (OSError, UnicodeDecodeError):
        raise AuditError(f"{path.name}: the benchmark file is not readable as CSV in UTF-8.") from None
    reader = csv.DictReader(lines)
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise AuditError(
            f"{path.name}: the columns {', '.join(missing)} are missing; the header must be {','.join(_COLUMNS)}."
        )
    rows: dict[tuple[str, str], tuple[float | None, ...]] = {}
    for row in reader:
        where = f"{path.name}, row {reader.line_num}"
        key = ((row["discipline"] or "").strip().upper(), (row["metric"] or "").strip())
        if key[0] not in _DISCIPLINES:
            raise AuditError(f"{where}: discipline '{key[0]}' is not one of {', '.join(_DISCIPLINES)}.")
        if key[1] not in metrics:
            raise AuditError(f"{where}: metric '{key[1]}' is not known; there are {', '.join(metrics)}.")
        if key in rows:
            raise AuditError(f"{where}: {key[1]} of {key[0]} is given twice; keep one of the rows.")
        rows[key] = _percentiles(row, where, is_share=metrics[key[1]] == "share")
    con.execute("DELETE FROM benchmark")
    for key, values in rows.items():  # a few rows of a user's settings
        con.execute("INSERT INTO benchmark VALUES (?, ?, ?, ?, ?)", [*key, *values])


def told(path: Path) -> dict[str, str]:
    """Return what the manifest holds of the file: its name and hash."""
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _percentiles(row: Mapping[str, str | None], where: str, *, is_share: bool) -> tuple[float | None, ...]:
    values = []
    for name in _PERCENTILES:
        text = (row[name] or "").strip()
        try:
            value = float(text) if text else None
        except ValueError:
            value = math.nan
        if value is not None and not 0 <= value < math.inf:
            raise AuditError(f"{where}: {name} '{text}' is not a number of 0 or more, such as 0.35.")
        if value is not None and is_share and value > 1:
            raise AuditError(f"{where}: {name} {text} is no share; write 0.35 for 35 %.")
        values.append(value)
    known = [value for value in values if value is not None]
    if not known:
        raise AuditError(f"{where}: p20, p50 and p80 are all blank; give at least one or leave the row out.")
    if known != sorted(known):
        raise AuditError(f"{where}: p20, p50 and p80 must not fall from one to the next.")
    return tuple(values)
