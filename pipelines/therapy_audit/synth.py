"""A synthetic clinic group: claims, notes and their companions with planted faults, and the truth about them.

The clinic itself is in `sql/synth/*.sql`; here it is run, some thousands of patients at a time, and written to files.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import date
from pathlib import Path

import duckdb

from therapy_audit.errors import AuditError
from therapy_audit.resources import folder as resource_folder

# A patient has this many claim lines on average, over a quarter. Some 400,000 lines at a time keep memory flat.
_LINES_PER_PATIENT = 37
_PATIENTS_AT_ONCE = 10_000
# Steps of sql/synth that are the same for every patient, in their order.
_ONCE = ("clinic", "tasks", "exercises", "wordings", "recipes", "sayings", "cases", "plants", "changes", "answers")
# And those of each part of the patients.
_EACH = ("episodes", "visits", "stories", "lines", "schedule", "notes", "remittances", "truth")
# File name: the view of sql/synth/files.sql that it holds.
_FILES = {
    "claims": "claims",
    "notes": "notes",
    "plans_of_care": "plans_of_care",
    "authorizations": "authorizations",
    "opening_balances": "opening_balances",
    "remittances": "remittances",
    "truth": "truth_rows",
    "providers": "providers",
}
# The fee table of the one payer whose contract is given, and the settings that name all of it.
_FEES = "blue_cross_fees"
_SETTINGS = """# The settings of the synthetic clinic of this folder.
period = "{start}..{end}"

[inputs]
{inputs}

# The contract of one payer: what it pays for each code.
[fees]
blue_cross = "{fees}.csv"
"""
# File name: the view of sql/synth/x12.sql that holds its transactions, and what their group says they are.
_X12 = {
    "claims.837": ("claims_x12", "GS*HC", "005010X222A1"),
    "remittances.835": ("remittances_x12", "GS*HP", "005010X221A1"),
}
_ISA = "ISA*00*          *00*          *ZZ*CLINIC         *ZZ*PAYER          *260401*1200*^*00501*{:09}*0*P*:~\n"


def write(
    folder: Path,
    *,
    seed: int = 2026,
    lines: int = 4000,
    start: date = date(2026, 1, 1),
    end: date = date(2026, 3, 31),
    form: str = "csv",
    dirt: bool = False,
    x12: bool = False,
    threads: int | None = None,
) -> dict[str, int]:
    """Write the synthetic clinic's files to a folder and return {file name without suffix: rows}.

    About `lines` claim lines (within some percent) with service dates from start to end; claims, notes, providers,
    plans_of_care, authorizations, opening_balances, remittances, and truth: what was planted, one row per rule that
    must (fault), may (consequence) or must not (near_miss) find something there. `form` is csv or parquet. With them
    come a payer's fee table, blue_cross_fees.csv, and an audit.toml for all of it, if the folder has none. The same
    arguments make the same bytes, whatever the number of threads. `dirt` spoils some rows of the claims as exports do:
    those rows change nothing that the truth speaks of. `x12` adds claims.837 and remittances.835: the same claims and
    answers, and sums that disagree where the truth says so, which no other form can hold.
    """
    if lines < 1 or form not in ("csv", "parquet"):
        raise AuditError("synth: needs at least 1 line and csv or parquet as its form.")
    if not date(2024, 1, 1) <= start <= end <= date(2026, 12, 31) or (end - start).days < 60:
        raise AuditError("synth: the dates must lie within 2024 to 2026, the end 60 days or more after the start.")
    folder.mkdir(parents=True, exist_ok=True)
    patients = max(1, round(lines / _LINES_PER_PATIENT))
    rows = dict.fromkeys(_FILES, 0)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".synth-") as scratch:
        aside = Path(scratch)
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": str(aside / "spill"),
            "memory_limit": "2GB",
            "threads": threads or os.cpu_count() or 1,
        }
        with duckdb.connect(config=config) as con:
            parts = -(-patients // _PATIENTS_AT_ONCE)
            settings = {
                "seed": seed,
                "patients": patients,
                "parts": parts,
                "start_date": start,
                "end_date": end,
                "dirt": dirt,
                "x12": x12,
            }
            for variable, value in settings.items():
                con.execute(f"SET VARIABLE {variable} = ?", [value])
            for step in _ONCE:
                con.execute(_sql(step))
            steps = [
                _sql(step)
                for step in (
                    "episodes", "visits", "stories", "lines", "payments", "schedule", "notes", "remittances", "truth",
                )
            ]  # fmt: skip
            for part in range(parts):
                con.execute("SET VARIABLE part = ?", [part])
                con.execute("SET VARIABLE first_patient = ?", [patients * part // parts + 1])
                con.execute("SET VARIABLE last_patient = ?", [patients * (part + 1) // parts])
                for step in steps:
                    con.execute(step)
                if part == 0:
                    con.execute(_sql("files"))
                    con.execute(_sql("x12"))
                    con.execute(f"COPY (FROM {_FEES}) TO ? (FORMAT csv, HEADER)", [str(aside / f"{_FEES}.csv")])
                for file, view in _FILES.items():
                    rows[file] += _append(con, view, aside / f"{file}.{form}", part)
                for name in _X12 if x12 else ():
                    _append_x12(con, aside / name, part)
            if form == "parquet":
                for file in _FILES:
                    pieces = sorted(map(str, aside.glob(f"{file}.parquet-*")))
                    con.read_parquet(pieces).write_parquet(str(aside / f"{file}.parquet"))
        if dirt and form == "csv":
            with (aside / "claims.csv").open("a", encoding="utf-8", newline="") as claims:
                claims.write("\n")
        for file in _FILES:
            (aside / f"{file}.{form}").replace(folder / f"{file}.{form}")
        for name in (f"{_FEES}.csv", *(_X12 if x12 else ())):
            (aside / name).replace(folder / name)
    settings_file = folder / "audit.toml"
    if not settings_file.exists():
        inputs = "\n".join(f'{file} = ["{file}.{form}"]' for file in _FILES if file != "truth")
        settings_file.write_text(_SETTINGS.format(start=start, end=end, inputs=inputs, fees=_FEES), encoding="utf-8")
    return rows


def _sql(name: str) -> str:
    return (resource_folder("sql") / "synth" / f"{name}.sql").read_text(encoding="utf-8")


def _append(con: duckdb.DuckDBPyConnection, view: str, path: Path, part: int) -> int:
    """Write one part of a file behind those before it (Parquet: beside them) and return its rows."""
    piece = path.with_name(f"{path.name}-{part:05}")
    header = ", HEADER " + str(part == 0) if path.suffix == ".csv" else ""
    copied = con.execute(f"COPY (FROM {view}) TO ? (FORMAT {path.suffix[1:]}{header})", [str(piece)]).fetchone()
    if path.suffix == ".csv":
        with path.open("ab") as whole, piece.open("rb") as more:
            shutil.copyfileobj(more, whole, 1 << 20)
        piece.unlink()
    return int(copied[0]) if copied else 0


def _append_x12(con: duckdb.DuckDBPyConnection, path: Path, part: int) -> None:
    """Write one part's transactions as an interchange of its own behind those before it, a transaction a line."""
    view, group, version = _X12[path.name]
    piece = path.with_name(f"{path.name}-{part:05}")
    copied = con.execute(
        f"COPY (FROM {view}) TO ? (FORMAT csv, HEADER FALSE, QUOTE '', ESCAPE '', DELIMITER '\x01')", [str(piece)]
    ).fetchone()
    number = part + 1
    with path.open("ab") as whole, piece.open("rb") as more:
        whole.write(f"{_ISA.format(number)}{group}*CLINIC*PAYER*20260401*1200*{number}*X*{version}~\n".encode())
        shutil.copyfileobj(more, whole, 1 << 20)
        whole.write(f"GE*{copied[0] if copied else 0}*{number}~\nIEA*1*{number:09}~\n".encode())
    piece.unlink()
