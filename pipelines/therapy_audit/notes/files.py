"""Notes from a file of the user's, and their evidence as lines of JSON or as words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb

from therapy_audit.errors import AuditError
from therapy_audit.intake.contract import contract, header_key
from therapy_audit.notes import reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

_READERS = {
    ".csv": "read_csv(?, header = true, all_varchar = true, max_line_size = 64000000)",
    ".jsonl": "read_json(?, format = 'newline_delimited')",
    ".ndjson": "read_json(?, format = 'newline_delimited')",
    ".parquet": "read_parquet(?)",
}
_TEXT = ("text", "service_text")


def load(path: Path, text_column: str = "text") -> tuple[list[Any], pa.ChunkedArray, list[str | None] | None]:
    """Return the ids (row numbers where there is no id column), texts and billed codes (None where there are none).

    AuditError says that the file is missing, empty, of another kind, or lacks the column.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise AuditError(f"{path}: the name must end with {', '.join(_READERS)}.")
    if not path.is_file():
        raise AuditError(f"{path}: there is no such file.")
    if not path.stat().st_size:
        raise AuditError(f"{path}: the file is empty.")
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        try:
            rows = connection.execute(f"FROM {reader}", [str(path)]).to_arrow_table()
        except duckdb.Error:
            kind = path.suffix.lower().removeprefix(".").upper()
            raise AuditError(f"{path}: the file cannot be read as {kind} in UTF-8.") from None
    named = {name.lower(): name for name in reversed(rows.column_names)}
    column = named.get(text_column.lower()) or (_known(rows.column_names, *_TEXT) if text_column == _TEXT[0] else None)
    if column is None:
        told = ", ".join(rows.column_names)
        raise AuditError(
            f"{path}: there is no column '{text_column}'; the columns are {told}; name the one with --text-column."
        )
    if not rows.num_rows:
        raise AuditError(f"{path}: the file holds no notes.")
    texts = rows.column(column)
    if str(texts.type) not in {"string", "large_string", "null"}:
        raise AuditError(f"{path}: column '{text_column}' holds no text.")
    identity = named.get("id") or _known(rows.column_names, "note_id")
    code = named.get("hcpcs") or _known(rows.column_names, "hcpcs_code")
    ids = rows.column(identity).to_pylist() if identity else list(range(1, rows.num_rows + 1))
    codes = [value and str(value) for value in rows.column(code).to_pylist()] if code else None
    return ids, texts.cast("string"), codes


def _known(headers: list[str], *columns: str) -> str | None:
    """Return the header that a run would take for the first of these columns of notes which has one."""
    keys = {header_key(header): header for header in reversed(headers)}
    known = contract("notes").columns
    return next((keys[key] for column in columns for key in known[column] if key in keys), None)


def lines(
    path: Path, text_column: str, folder: Path | None, *, as_json: bool, with_measures: bool = False
) -> Iterator[str]:
    """Yield a line of JSON for each note in the file's order, or words on it; AuditError as load() has it.

    With measures, the JSON has the columns of reading.PROGRESS too, and the words a line on them.
    """
    ids, texts, codes = load(path, text_column)
    row = 0
    for batch in reading.batches(texts, codes, folder):
        told = batch if with_measures else batch.drop_columns(list(reading.PROGRESS))
        for answer in told.to_pylist():
            yield (
                json.dumps({"id": _plain(ids[row]), **answer}, ensure_ascii=False)
                if as_json
                else _words(ids[row], answer)
            )
            row += 1


def _plain(identity: Any) -> Any:
    return identity if identity is None or isinstance(identity, int | float | str) else str(identity)


def _words(identity: Any, answer: dict[str, Any]) -> str:
    times = f"{answer['start']}-{answer['stop']}" if answer["start"] else "none"
    minutes = "none" if answer["minutes"] is None else answer["minutes"]
    level = (answer["assist_level"] or "none").replace("_", " ")
    head = (
        f"{identity}: {answer['narrative']}, score {answer['score']:g}, help {level}, minutes {minutes}, times {times}"
    )
    told = [
        f"  {name.replace('_', ' '):18} " + ("; ".join(span["text"] for span in found["evidence"]) or "-")
        for name, found in answer["elements"].items()
    ]
    if "measures" in answer:
        measured = [f"{one['measure'].replace('_', ' ')} {one['value']:g}" for one in answer["measures"]]
        measured += [name.replace("_", " ") for name in reading.PROGRESS[1:] if answer[name]]
        told.append(f"  {'measures':18} " + ("; ".join(measured) or "-"))
    return "\n".join([head, *(" ".join(line.splitlines()) for line in told)])
