"""All files of a run into the contract tables, and the account of every row."""

from __future__ import annotations

import glob
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from therapy_audit import progress
from therapy_audit.errors import AuditError
from therapy_audit.files import unreadable
from therapy_audit.intake import claim_numbers, clinicians, interchange
from therapy_audit.intake.contract import TABLES, Contract, contract
from therapy_audit.intake.convert import convert, create_typed, prepare
from therapy_audit.intake.finish import finish
from therapy_audit.intake.keeping import Keep, KeptSheet
from therapy_audit.intake.mapping import MappingFile, Placement, applicable, known_headers, place, read_mapping
from therapy_audit.intake.read import Sheet, sheets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import duckdb


@dataclass(frozen=True)
class Inputs:
    """The files of a run.

    files: input kind (claims, notes, providers, plans_of_care, authorizations, opening_balances, remittances, reviews)
    to paths or globs; mappings: mapping YAML files.
    """

    files: Mapping[str, tuple[str, ...]]
    mappings: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Placed:
    """A sheet with its headers placed, and what was told of it so far."""

    sheet: Sheet
    placement: Placement
    key: str = ""  # by which the file is kept


@dataclass(frozen=True)
class Kept:
    """A table of a file that is not read again."""

    sheet: KeptSheet
    key: str
    place: int  # among the file's tables


def load(con: duckdb.DuckDBPyConnection, inputs: Inputs, keep: Keep | None = None) -> None:
    """Fill the contract tables from all files, or from what is kept of them; keep what they gave.

    AuditError names every file that cannot be used, one line each.
    """
    if unknown := [name for name in inputs.files if name not in TABLES]:
        raise AuditError(f"{unknown[0]!r} is not an input; the inputs are {', '.join(TABLES)}.")
    problems: list[str] = []
    mappings: list[MappingFile] = []
    for path in inputs.mappings:
        try:
            mappings.append(read_mapping(Path(path)))
        except AuditError as error:
            problems.append(str(error))
    with scratch(con):
        placed: dict[str, list[Placed | Kept]] = {}
        electronic: dict[str, list[interchange.Interchange]] = {}
        named = named_files(inputs.files)
        for input_name in TABLES:
            kind = contract(input_name)
            for pattern in inputs.files.get(input_name, ()):
                if not matching(pattern):
                    told = Path(pattern).name or pattern
                    problems += [f"{input_name}: {told!r} matches no file; check the path."]
            for source_file, path in named[input_name].items():
                try:
                    key = (
                        keep.key(path, source_file, input_name, applicable(mappings, input_name, path.name))
                        if keep
                        else ""
                    )
                    if keep and (kept := keep.sheets(key)) is not None:
                        placed.setdefault(input_name, []).extend(
                            Kept(sheet, key, place) for place, sheet in enumerate(kept)
                        )
                        continue
                    sent = interchange.recognised(path, source_file, input_name)
                    if sent:
                        electronic.setdefault(input_name, []).append(replace(sent, key=key))
                        continue
                    placed.setdefault(input_name, []).extend(
                        replace(sheet, key=key) for sheet in placed_sheets(con, path, source_file, kind, mappings)
                    )
                except AuditError as error:
                    problems.append(str(error))
        if problems:
            raise AuditError("\n".join(problems))
        con.execute("CREATE OR REPLACE TABLE intake_scratch.file (file_number INTEGER, source_file VARCHAR)")
        interchange.prepare(con)
        kinds = len(placed) + len(electronic)
        files = sum(len(found) for found in placed.values()) + sum(len(found) for found in electronic.values())
        # A step for each file, one for what is done with all of a kind, and one for what is done at the end.
        with progress.stage("intake", files + kinds + 1) as done:
            for input_name in TABLES:
                if input_name in placed:
                    problems += _load_kind(con, contract(input_name), placed[input_name], done, keep)
                    done()
                if input_name in electronic:
                    problems += interchange.load(
                        con, input_name, interchange.repeats_told(electronic[input_name]), keep
                    )
                    done(len(electronic[input_name]) + 1)
            if problems:
                raise AuditError("\n".join(problems))
            interchange.finish(con)
            claim_numbers.tell_apart(con)
            clinicians.number(con)
            done()


def named_files(files: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, Path]]:
    """Return {input: {source_file: path}} of all files that the paths and globs name, in the order they are read.

    A file is told by its name; a second one of the name by its folder as well.
    """
    names: dict[str, int] = {}
    found: dict[str, dict[str, Path]] = {}
    for input_name in TABLES:
        told = found.setdefault(input_name, {})
        for path in dict.fromkeys(path for pattern in files.get(input_name, ()) for path in matching(pattern)):
            names[path.name] = names.get(path.name, 0) + 1
            source_file = path.name if names[path.name] == 1 else f"{path.parent.name}/{path.name}"
            names[source_file] = names.get(source_file, 0) + (source_file != path.name)
            if names[source_file] > 1 and source_file != path.name:
                source_file = f"{source_file} ({names[source_file]})"
            told[source_file] = path
    return found


def matching(pattern: str) -> list[Path]:
    """Return the files that a path or glob names, in name order, each once."""
    path = Path(pattern).expanduser()
    if path.is_file():
        return [path.resolve()]
    names = glob.glob(str(path), recursive=True)  # noqa: PTH207  (Path.glob takes no absolute pattern)
    return sorted({Path(name).resolve() for name in names if Path(name).is_file()})


@contextmanager
def scratch(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Attach an empty database for what is read but not yet a contract row: in memory, spilling to disk."""
    con.execute("ATTACH ':memory:' AS intake_scratch")
    try:
        prepare(con)
        yield
    finally:
        con.execute("DETACH intake_scratch")


def placed_sheets(
    con: duckdb.DuckDBPyConnection, path: Path, source_file: str, kind: Contract, mappings: Sequence[MappingFile]
) -> list[Placed]:
    """Return the tables of a file that have what the kind requires. AuditError where none has."""
    mapping = applicable(mappings, kind.input, path.name)
    found = sheets(con, path, source_file, lambda headers: known_headers(headers, kind, mapping))
    placed, unfit = [], []
    others: dict[str, int] = {}
    for sheet in found:
        try:
            placement = place(sheet.headers, kind, mapping)
        except AuditError:
            if len(found) == 1:
                raise
            unfit.append(sheet)
            continue
        if other := None if mapping or placement.missing else _other_kind(sheet, placement, kind):
            others[other] = others.get(other, 0) + 1
        if placement.missing or other:
            unfit.append(sheet)
        else:
            placed.append(Placed(replace(sheet, notices=(*sheet.notices, *_told(sheet, placement))), placement))
    if not placed and others:
        other = max(others, key=others.__getitem__)
        raise AuditError(
            f"{source_file}: by its headers this file holds {other.replace('_', ' ')}, "
            f"not {kind.input.replace('_', ' ')}; "
            f"give it with --{other.replace('_', '-')}, or name its columns in a mapping."
        )
    if not placed:
        best = max(found, key=lambda sheet: known_headers(sheet.headers, kind, mapping))
        raise AuditError(
            _missing(
                best, place(best.headers, kind, mapping) if len(found) == 1 else place(best.headers, kind, None), kind
            )
        )
    if unfit:
        left_out = "sheets left out, since they lack required columns or hold another input: " + ", ".join(
            repr(sheet.sheet) for sheet in unfit
        )
        placed[0] = replace(placed[0], sheet=replace(placed[0].sheet, notices=(*placed[0].sheet.notices, left_out)))
    return placed


def _other_kind(sheet: Sheet, placement: Placement, kind: Contract) -> str | None:
    """Return the input that a table plainly is instead: that reads each column that this one does, and as many more.

    A combined export has columns for each alone (units for claims, minutes for notes) and may be given as both.
    """
    own = {position for positions in placement.columns.values() for position in positions}
    for other in TABLES:
        placed = place(sheet.headers, contract(other), None)
        positions = {position for several in placed.columns.values() for position in several}
        if other != kind.input and not placed.missing and own < positions and len(positions) >= 2 * len(own):
            return other
    return None


def _missing(sheet: Sheet, placement: Placement, kind: Contract) -> str:
    needed = ", ".join(placement.missing)
    # Where no header is known the first row may be a patient's: its cells are not repeated.
    recognised = placement.columns or placement.private
    seen = ", ".join(repr(header.strip()[:40]) for header in sheet.headers if header.strip())
    saw = (
        f"its headers are {seen}"
        if recognised
        else f"none of the {len(sheet.headers)} cells of its first row is a known header"
    )
    return (
        f"{sheet.source_file}: no header for {needed}, which {kind.input} must have; {saw}. "
        f"Run `therapy-audit map {sheet.path.name}` to write a mapping."
    )


def _told(sheet: Sheet, placement: Placement) -> list[str]:
    notices = (
        [f"the header was found in row {sheet.header_row}; the rows above it are left out"]
        if sheet.header_row > 1
        else []
    )
    for reason, headers in (
        ("columns that the audit never reads", placement.private),
        ("columns left out, since another header fills the same contract column", placement.left_out),
        ("columns left out, since their headers are not known", placement.unknown),
    ):
        if headers:
            notices.append(f"{reason}: {', '.join(headers)}")
    return notices


def _load_kind(
    con: duckdb.DuckDBPyConnection,
    kind: Contract,
    files: Sequence[Placed | Kept],
    done: Callable[[], None],
    keep: Keep | None,
) -> list[str]:
    """Load all files of one kind, `done` after each; return the problems, a sentence each."""
    create_typed(con, kind)
    problems: list[str] = []
    read: dict[int, KeptSheet] = {}
    fresh: dict[str, list[KeptSheet]] = {}
    start = (con.execute("SELECT coalesce(max(file_number), 0) FROM intake_scratch.file").fetchone() or (0,))[0]
    for file_number, file in enumerate(files, start + 1):
        con.execute("INSERT INTO intake_scratch.file VALUES ($1, $2)", [file_number, file.sheet.source_file])
        if isinstance(file, Kept):
            if keep:
                keep.read(con, file.key, file.place, file_number)
            read[file_number] = file.sheet
            done()
            continue
        sheet = file.sheet
        try:
            rows_in, notices = convert(con, kind, sheet, file.placement, file_number)
        except AuditError as error:
            problems.append(str(error))
            continue
        except (OSError, UnicodeError) as error:
            problems.append(str(unreadable(sheet.source_file, error)))
            continue
        if not rows_in:
            notices.append("the file holds no rows below its header")
        told = KeptSheet(sheet.source_file, sheet.sha256, sheet.byte_count, (*sheet.notices, *notices), rows_in)
        read[file_number] = told
        if keep:
            keep.write(con, file.key, len(fresh.setdefault(file.key, [])), file_number)
            fresh[file.key].append(told)
        done()
    if problems:
        return problems
    if keep:
        for key, sheets_told in fresh.items():
            keep.tell(key, sheets_told[0].sha256, [asdict(sheet) for sheet in sheets_told])
    later_notices = finish(con, kind)
    con.execute(
        """INSERT INTO quarantine (source_file, source_row, contract_table, column_name, value_class, reason)
        SELECT source_file, source_row, $1, column_name, value_class, reason
        FROM intake_scratch.refused INNER JOIN intake_scratch.file USING (file_number)
        ORDER BY file_number, source_row""",
        [kind.table],
    )
    loaded = _rows_per_file(
        con, "intake_scratch.typed ANTI JOIN intake_scratch.refused USING (file_number, source_row)"
    )
    refused = _rows_per_file(con, "intake_scratch.refused")
    for file_number, told in read.items():
        rows_loaded, rows_quarantined = loaded.get(file_number, 0), refused.get(file_number, 0)
        if told.rows_in != rows_loaded + rows_quarantined:
            problems.append(
                f"{told.source_file}: {told.rows_in} rows came in, but {rows_loaded} were loaded "
                f"and {rows_quarantined} refused; please report it."
            )
        con.execute(
            "INSERT INTO intake_file VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                told.source_file, kind.input, told.sha256, told.byte_count, told.rows_in, rows_loaded,
                rows_quarantined, [*told.notices, *later_notices.get(file_number, [])],
            ],
        )  # fmt: skip
    return problems


def _rows_per_file(con: duckdb.DuckDBPyConnection, relation: str) -> dict[int, int]:
    """Count the input rows of each file in a relation; a row that became several lines counts once."""
    return dict(
        con.execute(
            f"SELECT file_number, count(*) FROM (SELECT DISTINCT file_number, source_row FROM {relation}) "
            "GROUP BY file_number"
        ).fetchall()
    )
