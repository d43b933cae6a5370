"""`therapy-audit inspect FILE...`: what a file holds, of any form that is read, without loading it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from therapy_audit.errors import AuditError
from therapy_audit.intake import x12
from therapy_audit.intake.contract import TABLES
from therapy_audit.intake.interchange import recognised
from therapy_audit.intake.load import scratch
from therapy_audit.intake.propose import best
from therapy_audit.intake.read import Sheet, Tally, filled, tables
from therapy_audit.resources import folder

if TYPE_CHECKING:
    from pathlib import Path

KEYS = (
    "kind", "version", "sender", "receiver", "interchanges", "transactions", "claims", "lines", "services",
    "adjustments", "plb", "charge_total", "paid_total",
)  # fmt: skip
_SHOWN = 20  # problems shown where no JSON is asked for


def inspect(path: Path) -> dict[str, Any]:
    """Return what a file holds: KEYS, `file` and `problems` ({row, code, sentence}); of tables `tables` as well.

    `readable` says whether anything of it can be read. AuditError: there is no such file, or no form that is read.
    """
    if not path.is_file():
        if path.is_dir():
            raise AuditError(f"{path.resolve().name!r} is a folder; name the files in it.")
        raise AuditError(f"{path.name!r} matches no file; check the path.")
    return _interchange(path) if recognised(path, path.name, "claims") else _tables(path)


def as_json(found: dict[str, Any]) -> str:
    """Return one line of JSON; amounts are numbers with two decimals."""
    marked = {
        key: f"\x02{value:.2f}" if key in ("charge_total", "paid_total") and value is not None else value
        for key, value in found.items()
        if key != "readable"
    }
    return re.sub(r'"\\u0002(-?\d+\.\d\d)"', r"\1", json.dumps(marked))


def as_text(found: dict[str, Any]) -> str:
    """Return the same for a reader."""
    lines = [f"{found['file']}: {found['kind'] or 'not recognised'} {found['version'] or ''}".rstrip()]
    if found["interchanges"] is not None:
        lines.append(f"  from {found['sender'] or '?'} to {found['receiver'] or '?'}")
        names = [key for key in KEYS[4:11] if found[key]]
        lines.append("  " + (", ".join(f"{found[key]:,} {key}" for key in names) or "nothing that is read"))
        lines.append(f"  charges ${found['charge_total']:,.2f}, paid ${found['paid_total']:,.2f}")
    for table in found.get("tables", []):
        place = f"sheet {table['sheet']}, " if table["sheet"] else ""
        lines.append(f"  {place}{table['form']}, {table['rows']:,} rows" + "".join(
            f", {name} {table[name]!r}" for name in ("delimiter", "encoding") if table[name]
        ))  # fmt: skip
        lines += [f"    {header} -> {column or 'not read'}" for header, column in table["columns"].items()]
    problems = found["problems"]
    lines += [f"  row {one['row']}: {one['sentence']}" if one["row"] else f"  {one['sentence']}"
              for one in problems[:_SHOWN]]  # fmt: skip
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN:,} more problems; --json gives them")
    return "\n".join(lines)


def _interchange(path: Path) -> dict[str, Any]:
    found = x12.inspect(path)
    problems = [
        *({"row": one["source_row"], "code": one["code"], "sentence": one["sentence"]} for one in found.problems),
        *(
            {
                "row": one["source_row"],
                "code": one["check"],
                "sentence": f"{one['place']}: {one['expected']} expected, {one['found']} found.",
            }
            for one in found.imbalances
        ),
    ]
    problems.sort(key=lambda one: (one["row"], one["code"]))
    if found.refusal and not any(one["sentence"] == found.refusal for one in problems):
        problems.insert(0, {"row": None, "code": "not_read", "sentence": found.refusal})
    more = found.problem_count + found.imbalance_count - len(found.problems) - len(found.imbalances)
    if more > 0:
        problems.append({"row": None, "code": "more", "sentence": f"{more:,} more problems are not told here."})
    return {
        "file": path.name,
        **{key: getattr(found, key) for key in KEYS},
        "problems": problems,
        "readable": not found.refusal,
    }


def _tables(path: Path) -> dict[str, Any]:
    tables, problems = [], []
    with duckdb.connect() as con:
        con.execute((folder("sql") / "schema.sql").read_text(encoding="utf-8"))
        with scratch(con):
            kind, chosen, placement, every = best(con, path, list(TABLES))
            for sheet in every:
                own = sheet is chosen or sheet == chosen
                column_of = {at: name for name, ats in placement.columns.items() for at in ats} if own else {}
                tally = Tally([], [])
                tables.append(
                    {
                        "sheet": sheet.sheet or None,
                        "form": sheet.form,
                        "delimiter": sheet.delimiter if sheet.form == "csv" else None,
                        "encoding": sheet.encoding if sheet.form == "csv" else None,
                        "rows": _rows(con, sheet, tally),
                        "columns": {header.strip(): column_of.get(at) for at, header in enumerate(sheet.headers)},
                    }
                )
                problems += [
                    {"row": row, "code": "row", "sentence": reason}
                    for row, reason in zip(tally.bad_rows, tally.bad_reasons, strict=True)
                ]
    problems += [
        {"row": None, "code": "required", "sentence": f"No header for {name}, which {kind.input} must have."}
        for name in placement.missing
    ]
    nothing: dict[str, Any] = dict.fromkeys(KEYS)
    return {
        "file": path.name, **nothing, "kind": kind.input, "tables": tables, "problems": problems, "readable": True
    }  # fmt: skip


def _rows(con: duckdb.DuckDBPyConnection, sheet: Sheet, tally: Tally) -> int:
    """Count the rows of a table, those that fit no header with them, as intake counts them."""
    rows = [table.column("source_row").to_numpy() for table in filled(tables(con, sheet, tally))]
    return len(np.unique(np.concatenate(rows)) if rows else ()) + len(tally.bad_rows)
