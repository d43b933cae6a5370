"""`therapy-audit map FILE`: a mapping to save and use, and the file's first rows as they would load with it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import duckdb

from therapy_audit.errors import AuditError
from therapy_audit.intake.contract import READ_AS, TABLES, Contract, contract, header_key
from therapy_audit.intake.convert import convert, create_typed
from therapy_audit.intake.finish import finish
from therapy_audit.intake.interchange import recognised
from therapy_audit.intake.load import scratch
from therapy_audit.intake.mapping import Placement, known_headers, place
from therapy_audit.intake.read import Sheet, sheets
from therapy_audit.resources import folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SAMPLE = 1000  # rows read to show the first five
_WIDEST = 60  # characters shown of a value


def propose(path: Path, input_name: str | None = None) -> str:
    """Return a mapping YAML for a file with comments, then its first rows as comments (values are shown).

    AuditError: the file cannot be read, or no input kind is given and no header is known.
    """
    if input_name is not None and input_name not in TABLES:
        raise AuditError(f"{input_name!r} is not an input; the inputs are {', '.join(TABLES)}.")
    if not path.is_file():
        if path.is_dir():
            raise AuditError(f"{path.resolve().name!r} is a folder; name the files in it.")
        raise AuditError(f"{path.name!r} matches no file; check the path.")
    if recognised(path, path.name, "claims"):
        raise AuditError(
            f"{path.name}: X12 files need no mapping; `therapy-audit inspect {path.name}` shows what it holds."
        )
    with duckdb.connect() as con:
        con.execute((folder("sql") / "schema.sql").read_text(encoding="utf-8"))
        with scratch(con):
            kind, sheet, placement, _ = best(con, path, [input_name] if input_name else list(TABLES))
            lines = [*_mapping(kind, sheet, placement, guessed=input_name is None), ""]
            lines += [
                f"# {name} is required: give its header above to see the first rows." for name in placement.missing
            ]
            lines += [] if placement.missing else _first_rows(con, kind, sheet, placement)
    return "\n".join(lines) + "\n"


def best(
    con: duckdb.DuckDBPyConnection, path: Path, kinds: Sequence[str]
) -> tuple[Contract, Sheet, Placement, list[Sheet]]:
    """Return the input kind and sheet that the headers fit best, and all sheets as that kind has them."""
    found: list[tuple[tuple[bool, int, int], Contract, Sheet, Placement]] = []
    every: dict[str, list[Sheet]] = {}
    for kind in map(contract, kinds):
        for sheet in sheets(con, path, path.name, lambda headers, kind=kind: known_headers(headers, kind, None)):  # type: ignore[misc]
            placement = place(sheet.headers, kind, None)
            score = (not placement.missing, len(placement.columns), -len(placement.missing))
            found.append((score, kind, sheet, placement))
            every.setdefault(kind.input, []).append(sheet)
    score, kind, sheet, placement = max(found, key=lambda one: one[0])
    if len(kinds) > 1 and score[1] == 0:
        raise AuditError(f"{path.name}: no header of it is known; say which input it is: {', '.join(TABLES)}.")
    return kind, sheet, placement, every[kind.input]


def _mapping(kind: Contract, sheet: Sheet, placement: Placement, *, guessed: bool) -> list[str]:
    headers = [header.strip() for header in sheet.headers]
    lines = [
        f"# Mapping of {sheet.source_file} to {kind.input}{', as its headers suggest' if guessed else ''}.",
        "# Save it, correct it, and name it among the mappings of the run.",
        f"input: {kind.input}",
        f"match: {_yaml(re.sub(r'[0-9][0-9_.-]*(?=[^.]*[.])', '*', sheet.path.name))}",
        "columns:" if placement.columns else "columns: {}",
    ]
    for column in kind.columns:
        positions = placement.columns.get(column, ())
        if len(positions) == 1:
            lines.append(f"  {column}: {_yaml(headers[positions[0]])}")
        elif positions:
            lines.append(f"  {column}: [{', '.join(_yaml(headers[position]) for position in positions)}]")
    for column in kind.columns:
        if column not in placement.columns:
            near = _nearest([column, *kind.columns[column]], placement.unknown)
            state = "REQUIRED, no header found" if column in placement.missing else "no header found"
            lines.append(f"  # {column}: {state}{'; nearest: ' + ', '.join(map(_yaml, near)) if near else ''}")
    dates = [column for column in placement.columns if READ_AS.get(column) == "date"]
    lines.append(
        f"# dates: {{{', '.join(column + ': ' + _yaml('%m/%d/%Y') for column in dates)}}}"
        "  # only where the reading below is wrong"
    )
    lines.append(f"ignore: [{', '.join(map(_yaml, (*placement.private, *placement.left_out)))}]")
    open_columns = {column: keys for column, keys in kind.columns.items() if column not in placement.columns}
    for header in placement.unknown:
        near = [column for column, keys in open_columns.items() if _nearest(keys, [header])]
        lines.append(f"# could not be placed: {_yaml(header)}{'; perhaps ' + ' or '.join(near[:3]) if near else ''}")
    return lines


def _yaml(text: str) -> str:
    """Return a header as YAML: every JSON string is one."""
    return json.dumps(text, ensure_ascii=False)


def _nearest(synonyms: Sequence[str], headers: Sequence[str]) -> list[str]:
    """Return the headers that are much like one of the synonyms, the likest first."""
    from rapidfuzz import fuzz, process

    scored = {}
    for header in headers:
        match = process.extractOne(
            header_key(header), [header_key(synonym) for synonym in synonyms], scorer=fuzz.ratio, score_cutoff=70
        )
        if match:
            scored[header] = match[1]
    return sorted(scored, key=lambda header: -scored[header])[:3]


def _first_rows(con: duckdb.DuckDBPyConnection, kind: Contract, sheet: Sheet, placement: Placement) -> list[str]:
    """Return the first rows of the contract tables, what was refused and what was assumed, as comment lines."""
    create_typed(con, kind)
    con.execute("CREATE TABLE intake_scratch.file AS SELECT 1 AS file_number, $1 AS source_file", [sheet.source_file])
    _, assumed = convert(con, kind, sheet, placement, 1, most_rows=_SAMPLE)
    notices = [*sheet.notices, *assumed]
    finish(con, kind)
    lines = []
    for table in [
        kind.table,
        *(["note_service"] if kind.input == "notes" else []),
        *(["remittance_adjustment"] if kind.input == "remittances" else []),
    ]:
        result = con.execute(f'SELECT * EXCLUDE (source_file) FROM "{table}" ORDER BY source_row, rowid LIMIT 5')
        names = [description[0] for description in result.description or []]
        lines.append(f"# The first rows of {table}:")
        for row in result.fetchall():
            shown = [
                f"{name}={_shown(value)}" for name, value in zip(names, row, strict=True) if value not in (None, [])
            ]
            lines.append("#   " + ", ".join(shown))
    refused = con.execute(
        "SELECT column_name, reason, count(*), min(source_row) FROM intake_scratch.refused "
        "GROUP BY ALL ORDER BY count(*) DESC, min(source_row), reason LIMIT 10"
    ).fetchall()
    lines += [
        f"# Refused: {count} rows, the first is row {row}: {column + ': ' if column else ''}{reason}"
        for column, reason, count, row in refused
    ]
    return lines + [f"# Note: {notice}" for notice in notices]


def _shown(value: object) -> str:
    """Return a value on one line, so that it stays within its comment."""
    text = "/".join(map(str, value)) if isinstance(value, list) else str(value)
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."
