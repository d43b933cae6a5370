"""Which header fills which contract column: the user's mapping files first, the known synonyms after."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from therapy_audit import plain_yaml
from therapy_audit.errors import AuditError
from therapy_audit.intake.contract import (
    READ_AS,
    SEVERAL_HEADERS,
    TABLES,
    Contract,
    contract,
    header_key,
    private_headers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

KEYS = ("input", "match", "columns", "dates", "ignore")


@dataclass(frozen=True)
class MappingFile:
    """One mapping YAML: columns are {contract column: headers}, dates {contract column: strptime format}."""

    name: str
    input: str
    match: str = "*"
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Placement:
    """Where a file's headers go: positions of the headers per contract column, and what became of the rest."""

    columns: Mapping[str, tuple[int, ...]]
    dates: Mapping[str, str]
    private: tuple[str, ...]  # recognised, never loaded
    left_out: tuple[str, ...]  # a better header fills the same column
    unknown: tuple[str, ...]
    missing: tuple[str, ...]  # required columns that no header supplies


def read_mapping(path: Path) -> MappingFile:
    """Read one mapping YAML. AuditError: not YAML, unknown key, input or column, or a value of the wrong form."""
    try:
        content = plain_yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(
            f"{path.name}: the mapping cannot be read ({type(error).__name__}); give the path of a YAML file in UTF-8."
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        if isinstance(error, plain_yaml.TooMuchError):
            raise AuditError(f"{path.name}{line}: the mapping is not read, since {error.problem}.") from error
        raise AuditError(
            f"{path.name}{line}: the mapping is not valid YAML; `therapy-audit map FILE` writes one to start from."
        ) from error
    if not isinstance(content, dict) or not content:
        raise AuditError(f"{path.name}: a mapping is a YAML mapping with the keys {', '.join(KEYS)}.")
    if unknown := [str(key) for key in content if key not in KEYS]:
        raise AuditError(f"{path.name}: unknown key {unknown[0]!r}; a mapping's keys are {', '.join(KEYS)}.")
    kind = content.get("input")
    if kind not in TABLES:
        raise AuditError(f"{path.name}: 'input' must be one of {', '.join(TABLES)}.")
    known = contract(kind).columns
    columns = content.get("columns") or {}
    dates = content.get("dates") or {}
    if not isinstance(columns, dict) or not isinstance(dates, dict):
        raise AuditError(f"{path.name}: 'columns' and 'dates' each map contract columns to headers or date formats.")
    for key in (*columns, *dates):
        if key not in known:
            raise AuditError(
                f"{path.name}: {str(key)!r} is not a column of {kind}; its columns are {', '.join(known)}."
            )
    for key, form in dates.items():
        if READ_AS.get(key) != "date":
            raise AuditError(f"{path.name}: 'dates' has {key!r}, which is not a date column.")
        if not _is_date_form(str(form)):
            raise AuditError(
                f"{path.name}: 'dates' has {str(form)!r} for {key}, which is no form of dates; write one as '%d/%m/%Y'."
            )
    placed = {
        key: tuple(map(str, value)) if isinstance(value, list) else (str(value),)
        for key, value in columns.items()
        if value is not None
    }
    for key, headers in placed.items():
        if len(headers) > 1 and READ_AS.get(key) not in SEVERAL_HEADERS:
            several = ", ".join(column for column in known if READ_AS.get(column) in SEVERAL_HEADERS)
            raise AuditError(
                f"{path.name}: {key!r} takes one header; "
                f"several are read only for {several or 'no column of this input'}."
            )
    ignore = content.get("ignore") or []
    if not isinstance(ignore, list):
        raise AuditError(f"{path.name}: 'ignore' is a list of headers.")
    return MappingFile(
        path.name,
        kind,
        str(content.get("match") or "*"),
        placed,
        {key: str(value) for key, value in dates.items()},
        tuple(map(str, ignore)),
    )


def _is_date_form(form: str) -> bool:
    import duckdb

    with duckdb.connect() as con:
        try:
            con.execute("SELECT try_strptime('', $form)", {"form": form})
        except duckdb.Error:
            return False
    return "%" in form


def applicable(mappings: Sequence[MappingFile], input_name: str, file_name: str) -> MappingFile | None:
    """Return the mapping for a file: of those of its kind whose glob matches, the one with the longest glob."""
    fitting = [
        mapping
        for mapping in mappings
        if mapping.input == input_name and fnmatch.fnmatchcase(file_name.lower(), mapping.match.lower())
    ]
    return max(fitting, key=lambda mapping: len(mapping.match), default=None)


def known_headers(headers: Sequence[str], kind: Contract, mapping: MappingFile | None) -> int:
    """Count the headers that a mapping or a synonym knows: how much a record looks like a header."""
    known = {key for keys in kind.columns.values() for key in keys} | private_headers()
    if mapping:
        known |= {header_key(header) for names in mapping.columns.values() for header in names}
    return len({_key(header, kind) for header in headers} & known - {""})


def _key(header: str, kind: Contract) -> str:
    """Return a header's key; of a nested one (`services.minutes`) the last part where the whole is not known.

    'Note #' is a note number, not a note.
    """
    numbered = header_key(header.replace("#", " number"))
    if "#" in header and any(numbered in synonyms for synonyms in kind.columns.values()):
        return numbered
    key, last = header_key(header), header_key(header.rpartition(".")[2])
    nested = "." in header and last not in ("", "id") and not any(key in synonyms for synonyms in kind.columns.values())
    return last if nested else key


def place(headers: Sequence[str], kind: Contract, mapping: MappingFile | None) -> Placement:
    """Give each contract column its headers. AuditError: a mapping names a header that the file does not have."""
    keys = [_key(header, kind) for header in headers]
    taken: set[int] = set()
    columns: dict[str, tuple[int, ...]] = {}
    ignored = {header_key(header) for header in mapping.ignore} if mapping else set()
    for column, names in (mapping.columns if mapping else {}).items():
        exact = [_position(name, headers, keys) for name in names]
        if None in exact:
            raise AuditError(
                f"{mapping.name if mapping else ''}: {column!r} is mapped to {names[exact.index(None)]!r}, "
                "but the file has no such header."
            )
        columns[column] = tuple(position for position in exact if position is not None)
        taken.update(columns[column])
    private = {position for position, key in enumerate(keys) if key in private_headers()}
    left_out: set[int] = set()
    for column, synonyms in kind.columns.items():
        rank = {key: order for order, key in enumerate(synonyms)}
        found = [
            position
            for position, key in enumerate(keys)
            if key in rank and position not in taken and key not in ignored
        ]
        if column in columns or not found:
            left_out.update(found)
        elif READ_AS.get(column) in SEVERAL_HEADERS:
            columns[column] = tuple(found)
        else:
            best = min(found, key=lambda position: (rank[keys[position]], position))
            columns[column] = (best,)
            left_out.update(set(found) - {best})
        taken.update(columns.get(column, ()))
    rest = [position for position, key in enumerate(keys) if position not in taken and key and key not in ignored]

    def named(positions: Iterable[int]) -> tuple[str, ...]:
        return tuple(headers[position].strip() for position in positions)

    return Placement(
        columns,
        dict(mapping.dates) if mapping else {},
        named(position for position in rest if position in private),
        named(position for position in rest if position in left_out - private),
        named(position for position in rest if position not in left_out | private),
        tuple(column for column in kind.required if column not in columns),
    )


def _position(name: str, headers: Sequence[str], keys: Sequence[str]) -> int | None:
    """Find a header as written, else by its key (`#` alone has no key and is found only as written)."""
    written = [header.strip() for header in headers]
    if name.strip() in written:
        return written.index(name.strip())
    key = header_key(name)
    return keys.index(key) if key and key in keys else None
