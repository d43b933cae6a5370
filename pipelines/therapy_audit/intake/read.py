"""Files to text: every format is read in batches of (source_row, part, one text column per header)."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from therapy_audit.errors import AuditError
from therapy_audit.files import unreadable
from therapy_audit.intake import expanding

if TYPE_CHECKING:
    from pathlib import Path

FORMS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet", ".xlsx": "xlsx",
    ".xlsm": "xlsx", ".xls": "xlsx", ".xlsb": "xlsx", ".ods": "xlsx",
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
HEADER_WITHIN = 20  # records; a title above the header is rarely longer
MOST_COLUMNS = 2_048  # of a file: each costs memory in every row, read or not
LONGEST = 1 << 24  # bytes; the longest record that can be read
MOST_JSON = 1 << 30  # bytes; a JSON array is read as a whole
_CHUNK = 1 << 22
_BLOCK = LONGEST
_HEAD = 1 << 20  # bytes that hold the header, whatever stands above it
_BATCH = 20_000  # rows of a sheet turned into Arrow at a time
_ROWS, _BYTES = 245_760, 1 << 26  # of a batch that is converted and stored at once: larger ones take fresh memory
_LOOK = 4_096  # rows that show whether a column has few distinct cells

_NOTHING = pa.array(
    ["", "NULL", "null", "Null", "(null)", "\\N", "nan", "NaN", "NaT", "None", "<NA>", "N/A", "n/a", "#N/A"]
)

DIRECTION_MARKS = "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"

Knows = Callable[[Sequence[str]], int]  # how many headers of a record are known


@dataclass(frozen=True)
class Sheet:
    """One table to read: a file or a workbook's sheet. header_row counts records from 1; 0 where headers are keys."""

    path: Path
    source_file: str
    form: str
    headers: tuple[str, ...]
    sha256: str
    byte_count: int
    header_row: int = 0
    notices: tuple[str, ...] = ()
    sheet: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    header_bytes: int = 0  # where the first record below the header begins, in UTF-8
    nested: str = ""  # the key whose array of objects is read as one row each
    may_hold_nul: bool = True  # false where a look at all its bytes found none


@dataclass
class Tally:
    """What was met while a sheet was read: rows that no header fits, and all records by two counts."""

    bad_rows: list[int]
    bad_reasons: list[str]
    blank_rows: int = 0
    records: int = 0
    records_counted_apart: int | None = None


def sheets(con: duckdb.DuckDBPyConnection, path: Path, source_file: str, knows: Knows) -> list[Sheet]:
    """Open a file far enough to know its tables and their headers. AuditError: unknown, unreadable or empty."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes or [""])[-1]
    form = FORMS.get(suffix, "")
    if not form or (suffixes[-1] == ".gz" and form not in ("csv", "jsonl")):
        raise AuditError(
            f"{source_file}: this kind of file is not read; "
            "give CSV, TSV, Parquet, XLSX, JSON or JSONL (CSV and JSONL also as .gz), or X12 (837P, 835)."
        )
    try:
        byte_count = path.stat().st_size
        if not byte_count:
            raise AuditError(f"{source_file}: the file is empty; export it again with its header row.")
        if form == "json" and byte_count > MOST_JSON:
            raise AuditError(
                f"{source_file}: a JSON array of more than {MOST_JSON:,} bytes is not read; "
                "give it as JSON Lines (.jsonl), one object per line."
            )
        with path.open("rb") as file:
            sheet = Sheet(path, source_file, form, (), hashlib.file_digest(file, "sha256").hexdigest(), byte_count)
        opener = {
            "csv": _open_csv,
            "parquet": _open_parquet,
            "xlsx": _open_workbook,
            "json": _open_json,
            "jsonl": _open_json,
        }[form]
        found = opener(con, sheet, knows)
    except (OSError, UnicodeError) as error:
        raise unreadable(source_file, error) from error
    for sheet in found:
        if len(sheet.headers) > MOST_COLUMNS:
            raise _too_wide(source_file)
    return found


def _too_wide(source_file: str) -> AuditError:
    return AuditError(
        f"{source_file}: the header has more than {MOST_COLUMNS:,} columns, which no export of claims or notes has; "
        "export only the columns that are needed."
    )


def _too_long(source_file: str, row: int | None = None) -> AuditError:
    place = "" if row is None else f"below row {row} "
    return AuditError(
        f"{source_file}: {place}a record is longer than {LONGEST:,} bytes, the most that is read; "
        "look there for a quotation mark that is never closed, or for a cell that holds a file."
    )


def tables(con: duckdb.DuckDBPyConnection, sheet: Sheet, tally: Tally) -> Iterator[pa.Table]:
    """Yield the rows as tables of source_row, part, h0, h1, ... one after the other; fill the tally.

    Cells are as the macro cell() returns them; columns of few distinct cells are dictionaries.
    """
    match sheet.form:
        case "csv":
            yield from _gathered(_ahead(_compact(_ahead(_csv_tables(sheet, tally)), _cleaned)))
        case "parquet":
            columns = ", ".join(f"{_quoted(header)}::VARCHAR AS h{n}" for n, header in enumerate(sheet.headers))
            file = f"read_parquet({_literal(sheet.path)}, file_row_number = true)"
            relation = f"(SELECT file_row_number + 1 AS source_row, 1 AS part, {columns} FROM {file})"
            yield from _gathered(_compact(_relation_tables(con, sheet, relation)))
            tally.records = _one(con, f"SELECT sum(num_rows) FROM parquet_file_metadata({_literal(sheet.path)})")
        case "xlsx":
            yield from _gathered(_ahead(_compact(_ahead(_workbook_tables(sheet, tally)), _cleaned)))
        case _:
            yield from _gathered(_compact(_relation_tables(con, sheet, _json_relation(con, sheet, tally))))


def filled(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Leave out the rows in which no column holds anything."""
    for table in tables:
        if not all(column.null_count for column in table.columns[2:]):
            yield table
            continue
        holds = np.zeros(table.num_rows, dtype=bool)
        for column in table.columns[2:]:
            holds |= column.is_valid().to_numpy()
        yield table if holds.all() else table.filter(pa.array(holds))


def _relation_tables(con: duckdb.DuckDBPyConnection, sheet: Sheet, relation: str) -> Iterator[pa.Table]:
    """Yield a relation's rows, kept where DuckDB may spill them while others are worked on."""
    cells = ", ".join(f"cell(h{n}) AS h{n}" for n in range(len(sheet.headers)))
    con.execute(
        "CREATE OR REPLACE TABLE intake_scratch.staged AS "
        f"SELECT source_row::BIGINT AS source_row, part::BIGINT AS part, {cells} FROM {relation}"
    )
    with con.cursor() as reader:
        for batch in reader.execute("FROM intake_scratch.staged").to_arrow_reader(_BATCH):
            yield pa.Table.from_batches([batch])
    con.execute("DROP TABLE intake_scratch.staged")


def _gathered(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Join small tables: DuckDB stores less than a few row groups (122,880 rows) at once ten times more slowly."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= _ROWS or sum(one.nbytes for one in waiting) >= _BYTES:
            yield pa.concat_tables(waiting).unify_dictionaries()
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting).unify_dictionaries()


def _ahead(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Read the next batch while the last one is being stored."""
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, tables, None)
        while (table := following.result()) is not None:
            following = reader.submit(next, tables, None)
            yield table


def _compact(
    tables: Iterator[pa.Table], clean: Callable[[pa.Array], pa.Array] = lambda cells: cells
) -> Iterator[pa.Table]:
    """Clean all cells: each distinct one once, where the first rows have few. Such columns become dictionaries."""
    few: list[bool] = []
    for table in tables:
        columns = [column.combine_chunks() for column in table.columns[2:]]
        few = few or [pc.count_distinct(column[:_LOOK]).as_py() <= min(len(column), _LOOK) / 4 for column in columns]
        columns = [
            _of_dictionary(column, clean) if is_few else clean(column)
            for column, is_few in zip(columns, few, strict=True)
        ]
        yield pa.table([*table.columns[:2], *columns], names=table.column_names)


def _of_dictionary(column: pa.Array, clean: Callable[[pa.Array], pa.Array]) -> pa.DictionaryArray:
    """Encode a column; cells that clean alike become one, and those that clean to nothing null."""
    encoded = column.dictionary_encode()
    cells = clean(encoded.dictionary).dictionary_encode()
    if cells.dictionary.equals(encoded.dictionary):
        return encoded
    return pa.DictionaryArray.from_arrays(cells.indices.take(encoded.indices), cells.dictionary)


def _cleaned(cells: pa.Array) -> pa.Array:
    """Do what the macro cell() does, in Arrow, where it takes a tenth of the time."""
    text = pc.utf8_trim_whitespace(cells)
    if not pc.all(pc.string_is_ascii(text)).as_py():
        # Marks that show a text in another order than it is stored in say nothing, and can hide what it says.
        text = pc.replace_substring_regex(text, DIRECTION_MARKS, "")
        text = pc.utf8_trim(text, " \t\r\n\x1f\u00a0\u200b\ufeff")
    nothing = pc.is_in(text, _NOTHING)
    return pc.if_else(nothing, pa.scalar(None, pa.string()), text) if pc.any(nothing).as_py() else text


def find_header(records: Sequence[Sequence[str]], knows: Knows) -> int:
    """Return the first of the leading records that has two known headers and half as many as the best."""
    scores = [knows(record) for record in records[:HEADER_WITHIN]]
    best = max(scores, default=0)
    return next(
        (n for n, score in enumerate(scores) if score >= 2 and 2 * score >= best), scores.index(best) if best else 0
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _one(con: duckdb.DuckDBPyConnection, query: str, parameters: object = None) -> Any:
    row = con.execute(query, parameters).fetchone()
    return row[0] if row else None


# CSV, TSV and other delimited text -------------------------------------------------------------------------------


def _text_stream(path: Path, encoding: str) -> Any:
    """Open a file as UTF-8 bytes from its start, decompressed."""
    stream = pa.input_stream(str(path), compression="gzip" if path.suffix.lower() == ".gz" else None)
    return stream if encoding == "utf-8" else pa.transcoding_input_stream(stream, encoding, "utf-8")


def _chunks(stream: Any) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _encoding(path: Path, source_file: str) -> tuple[str, str, bool]:
    """Return the codec of a text file, a notice on it ('' where it is plain UTF-8), and whether a NUL may be in it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunks = _chunks(_text_stream(path, "utf-8"))
    chunk, expanded, holds_nul, unended = b"", 0, False, 0
    packed = path.stat().st_size
    for number, chunk in enumerate(chunks):
        expanded += len(chunk)
        holds_nul |= b"\0" in chunk
        unended = len(chunk) - 1 - chunk.rfind(b"\n") + (0 if b"\n" in chunk else unended)
        if unended > 2 * LONGEST:
            raise _too_long(source_file)
        if expanded > expanding.SMALL and expanded > expanding.MOST_RATIO * packed:
            raise AuditError(
                f"{source_file}: the file expands to more than {expanding.MOST_RATIO} times its size, as no export "
                "does; give it uncompressed."
            )
        if number == 0:
            if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16", "read as UTF-16, as its byte order mark says", True
            zeros = np.frombuffer(chunk[:2000], dtype=np.uint8) == 0
            for start, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
                # Half of each letter's two bytes, and not the other half: a file of nothing but NUL is none.
                halves = zeros[start::2], zeros[1 - start :: 2]
                if halves[0].sum() > 0.4 * len(halves[0]) and halves[1].sum() < 0.4 * len(halves[1]):
                    return codec, f"read as {codec.upper()}, which its bytes look like", True
        try:
            if decoder.getstate()[0] or not chunk.isascii():
                decoder.decode(chunk)
        except UnicodeDecodeError:
            break
    else:
        if not decoder.getstate()[0]:  # bytes left over are a letter cut short by the file's end
            return "utf-8", "", holds_nul
    import charset_normalizer

    lines = [line for line in chunk.splitlines() if not line.isascii()][:2000]
    best = charset_normalizer.from_bytes(
        b"\n".join(lines), cp_isolation=["cp1252", "mac_roman", "latin_1", "cp850"]
    ).best()
    codec = best.encoding if best else "latin-1"
    return (
        codec,
        f"not UTF-8: read as {codec.replace('_', '-')}, as its bytes look; save it as UTF-8 if letters come out wrong",
        True,
    )


def _open_csv(_con: duckdb.DuckDBPyConnection, sheet: Sheet, knows: Knows) -> list[Sheet]:
    encoding, notice, may_hold_nul = _encoding(sheet.path, sheet.source_file)
    with _text_stream(sheet.path, encoding) as stream:
        raw = bytes(stream.read(_HEAD))
    head = raw.decode("utf-8", errors="ignore")
    text = head.removeprefix("\ufeff")
    if not text.strip():
        raise AuditError(f"{sheet.source_file}: the file is empty; export it again with its header row.")
    best: tuple[int, int] = (-1, -1)
    too_wide = False
    found: tuple[str, list[list[str]], list[int]] = (",", [], [])
    for delimiter in ",\t;|":
        records, ends = _leading_records(text, delimiter)
        if max(map(len, records)) > MOST_COLUMNS:
            too_wide = True
            continue
        score = (max(map(knows, records)), max(map(len, records)))
        if score > best:
            best, found = score, (delimiter, records, ends)
    delimiter, records, ends = found
    if too_wide and best[0] < 2:
        raise _too_wide(sheet.source_file)
    header = find_header(records, knows)
    headers = records[header]
    if ends[header] == len(text) and len(raw) == _HEAD:
        raise AuditError(
            f"{sheet.source_file}: the header is longer than {_HEAD:,} bytes; look for a cell that holds a file."
        )
    # Exports that end each line with the delimiter, but not the header: the last field is no one's.
    below = [record for record in records[header + 1 :] if any(record)]
    if below and all(len(record) == len(headers) + 1 and not record[-1] for record in below):
        headers = [*headers, ""]
    skipped = len(head) - len(text) + ends[header]
    return [
        replace(
            sheet,
            headers=tuple(headers),
            header_row=header + 1,
            encoding=encoding,
            delimiter=delimiter,
            header_bytes=len(head[:skipped].encode()),
            notices=(notice,) if notice else (),
            may_hold_nul=may_hold_nul,
        )
    ]


def _leading_records(text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Parse the first records; ends[i] is the number of characters up to the end of record i."""
    consumed = 0

    def lines() -> Iterator[str]:
        nonlocal consumed
        for line in io.StringIO(text, newline=""):
            consumed += len(line)
            yield line

    records, ends = [], []
    csv.field_size_limit(_BLOCK)
    try:
        for record in csv.reader(lines(), delimiter=delimiter):
            records.append(record)
            ends.append(consumed)
            if len(records) > HEADER_WITHIN:
                break
    except csv.Error:
        pass
    return records or [[""]], ends or [0]


def _csv_tables(sheet: Sheet, tally: Tally) -> Iterator[pa.Table]:
    width = len(sheet.headers)
    bad: list[int] = []

    def refuse(row: Any) -> str:
        if not row.text.strip(sheet.delimiter + ' \t\r\n"'):
            tally.blank_rows += 1
        else:
            tally.bad_rows.append(row.number + sheet.header_row)
            tally.bad_reasons.append(
                f"the row has {row.actual_columns} fields where the header has {width}; "
                "quote fields that hold the delimiter"
            )
        bad.append(row.number)
        return "skip"

    names = [f"h{n}" for n in range(width)]
    # What is not UTF-8 may turn out not to be its encoding either, and the reader says where.
    lines = _lines(sheet) if sheet.encoding == "utf-8" else None
    stream = _text_stream(sheet.path, sheet.encoding)
    stream.read(sheet.header_bytes)
    good = 0
    try:
        reader = pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(use_threads=False, column_names=names, block_size=_BLOCK),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=sheet.delimiter,
                newlines_in_values=not (lines and lines.are_records),  # which takes half as long again
                ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                # That it is UTF-8 is known: its encoding was found, or it is put into it.
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
        for batch in reader:
            rows = np.arange(good, good + batch.num_rows)
            good += batch.num_rows
            numbers = np.asarray(bad, dtype=np.int64)
            # A good row comes after a bad one when at least as many good rows precede it as precede the bad one.
            refused_before = np.searchsorted(numbers - 1 - np.arange(len(numbers)), rows, side="right")
            source_row = rows + 1 + refused_before + sheet.header_row
            yield pa.table(
                [pa.array(source_row), pa.repeat(1, batch.num_rows), *batch.columns],
                names=["source_row", "part", *names],
            )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        if "straddling" in str(error):
            raise _too_long(sheet.source_file, good + len(bad) + sheet.header_row) from error
        if "Empty CSV" not in str(error):
            raise AuditError(
                f"{sheet.source_file}: the file cannot be read as delimited text in {sheet.encoding} "
                f"below row {good + len(bad) + sheet.header_row}; "
                "look there for a quotation mark that is never closed, or save it as UTF-8."
            ) from error
    tally.records = good + len(bad)
    lines = lines or _lines(sheet)
    tally.records_counted_apart, is_open = lines.records, lines.is_open
    if is_open or tally.records_counted_apart != tally.records:
        tally.records_counted_apart, is_open = _count_records_slowly(sheet)
    if is_open:
        raise AuditError(
            f"{sheet.source_file}: a quotation mark is never closed, so that the rows below it cannot be told apart; "
            "close it or remove it."
        )
    if tally.records_counted_apart != tally.records:
        raise AuditError(
            f"{sheet.source_file}: {tally.records} rows were read where a second count finds "
            f"{tally.records_counted_apart}; look for quotation marks that are not closed."
        )


@dataclass(frozen=True)
class _Lines:
    """How quotation marks and line ends stand in a file, below its header."""

    records: int  # line ends outside quotation marks: right unless a mark stands within a field (5" step)
    is_open: bool  # a quotation mark is never closed
    are_records: bool  # each line is a record: no field holds a line end, and each mark begins or ends a field


def _lines(sheet: Sheet) -> _Lines:
    stream = _text_stream(sheet.path, sheet.encoding)
    stream.read(sheet.header_bytes)
    inside, records, last, are_records = 0, 0, b"\n", True
    begins = np.frombuffer(f'\n"{sheet.delimiter}'.encode(), dtype=np.uint8)  # what a mark that opens follows
    for chunk in _chunks(stream):
        data: npt.NDArray[np.uint8] = np.frombuffer(chunk, dtype=np.uint8)
        quotes, ends = np.flatnonzero(data == ord('"')), np.flatnonzero(data == ord("\n"))
        outside = ((np.searchsorted(quotes, ends) + inside) & 1) == 0
        records += int(outside.sum())
        if are_records:
            returns = np.flatnonzero(data == ord("\r")) if b"\r" in chunk else ends[:0]
            before = np.where(quotes[inside::2] > 0, data[quotes[inside::2] - 1], last[0])
            are_records = bool(
                outside.all()
                and np.isin(before, begins).all()
                and (((np.searchsorted(quotes, returns) + inside) & 1) == 0).all()
            )
        inside = (inside + len(quotes)) & 1
        last = chunk[-1:]
    return _Lines(records + (last != b"\n"), bool(inside), are_records)


def _count_records_slowly(sheet: Sheet) -> tuple[int, bool]:
    """Count records with Python's own reader, and say whether a mark stays open.

    A line put after the last one is lost in a field that was never closed.
    """
    stream = _text_stream(sheet.path, sheet.encoding)
    stream.read(sheet.header_bytes)
    csv.field_size_limit(1 << 30)
    text = io.TextIOWrapper(cast("Any", stream), encoding="utf-8", newline="")
    records, last = -1, [""]
    try:
        for record in csv.reader(itertools.chain(text, ["\x02"]), delimiter=sheet.delimiter):
            records, last = records + 1, record
    except csv.Error:
        return records, True
    return records, last != ["\x02"]


# Parquet, workbooks, JSON ----------------------------------------------------------------------------------------


def _open_parquet(con: duckdb.DuckDBPyConnection, sheet: Sheet, _knows: Knows) -> list[Sheet]:
    try:
        described = con.execute(
            "SELECT column_name FROM (DESCRIBE FROM read_parquet($1))", [str(sheet.path)]
        ).fetchall()
    except duckdb.Error as error:
        raise AuditError(f"{sheet.source_file}: the file is not readable as Parquet; export it again.") from error
    return [replace(sheet, headers=tuple(name for (name,) in described))]


def _workbook(sheet: Sheet) -> Any:
    import python_calamine

    expanding.check_workbook(sheet.path, sheet.source_file)
    with expanding.reading(sheet.source_file + _NO_WORKBOOK), expanding.quietly():
        return python_calamine.CalamineWorkbook.from_path(str(sheet.path))


_NO_WORKBOOK = ": the workbook cannot be opened; save it again as XLSX, without a password."


def _sheet_rows(source_file: str, workbook: Any, name: str, most: int | None = None) -> Any:
    """Return the rows of a workbook's sheet; it is only now that a damaged part of it shows."""
    with expanding.reading(source_file + _NO_WORKBOOK), expanding.quietly():
        return workbook.get_sheet_by_name(name).to_python(skip_empty_area=False, nrows=most)


def _open_workbook(_con: duckdb.DuckDBPyConnection, sheet: Sheet, knows: Knows) -> list[Sheet]:
    workbook = _workbook(sheet)
    found = []
    for name in workbook.sheet_names:
        rows = _sheet_rows(sheet.source_file, workbook, name, HEADER_WITHIN)
        records = [[_cell_text(value) for value in row] for row in rows]
        if not records:
            continue
        header = find_header(records, knows)
        found.append(
            replace(
                sheet,
                source_file=f"{sheet.source_file}#{name}",
                headers=tuple(records[header]),
                header_row=header + 1,
                sheet=name,
            )
        )
    if not found:
        raise AuditError(f"{sheet.source_file}: the workbook holds no rows; export it again with its header row.")
    return found


def _workbook_tables(sheet: Sheet, tally: Tally) -> Iterator[pa.Table]:
    rows = _sheet_rows(sheet.source_file, _workbook(sheet), sheet.sheet)[sheet.header_row :]
    tally.records = len(rows)
    width = len(sheet.headers)
    for start in range(0, len(rows), _BATCH):
        batch = [[_cell_text(value) for value in row] for row in rows[start : start + _BATCH]]
        columns = [pa.array([row[n] for row in batch], pa.string()) for n in range(width)]
        numbers = pa.array(np.arange(start, start + len(batch)) + sheet.header_row + 1)
        yield pa.table(
            [numbers, pa.repeat(1, len(batch)), *columns],
            names=["source_row", "part", *(f"h{n}" for n in range(width))],
        )


def _cell_text(value: object) -> str:
    """Return a workbook cell as its sheet shows it: 97110, not 97110.0; a date without a midnight."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, float):
        return format(value, ".10g")
    if isinstance(value, dt.datetime):
        return value.isoformat(" ") if value.time() != dt.time() else value.date().isoformat()
    if isinstance(value, dt.timedelta):
        minutes = int(value.total_seconds()) // 60
        return f"{minutes // 60}:{minutes % 60:02d}"
    return str(value)


def _open_json(con: duckdb.DuckDBPyConnection, sheet: Sheet, knows: Knows) -> list[Sheet]:
    """Find the keys of all records; an array of objects within them becomes rows of its own."""
    tally = Tally([], [])
    _stage_json(con, sheet, tally)
    if (_one(con, "SELECT max(len(json_keys(record))) FROM intake_scratch.json_record") or 0) > MOST_COLUMNS:
        raise _too_wide(sheet.source_file)
    keys = con.execute(
        """-- The keys of the records, in order of first appearance, with the kinds of value that each holds.
        WITH pair AS (SELECT source_row, record, UNNEST(json_keys(record)) AS name FROM intake_scratch.json_record)
        SELECT
            name,
            bool_or(json_type(record, '$."' || name || '"') = 'OBJECT') AS is_object,
            bool_or(
                json_type(record, '$."' || name || '"') = 'ARRAY'
                AND json_type(record, '$."' || name || '"[0]') = 'OBJECT'
            ) AS is_nested
        FROM pair
        WHERE NOT regexp_matches(name, '["\\\\\\x00]') AND name <> ''
        GROUP BY name
        ORDER BY min(source_row), name"""
    ).fetchall()
    nested_keys = [name for name, _, is_nested in keys if is_nested]
    notices: tuple[str, ...] = ()
    if len(nested_keys) > 1:
        best = max(nested_keys, key=lambda name: knows(_child_keys(con, f"{_path(name)}[*]")))
        notices = tuple(
            f"the array {name!r} is left out; only {best!r} is read as rows" for name in nested_keys if name != best
        )
        nested_keys = [best]
    nested = nested_keys[0] if nested_keys else ""
    headers = [f"{nested}.{name}" for name in _child_keys(con, f"{_path(nested)}[*]")] if nested else []
    for name, is_object, is_nested in keys:
        if is_object:
            headers += [f"{name}.{child}" for child in _child_keys(con, _path(name))]
        elif not is_nested:
            headers.append(name)
    if not headers:
        raise AuditError(f"{sheet.source_file}: no JSON object in it; give an array of objects or one object per line.")
    return [replace(sheet, headers=tuple(headers), nested=nested, notices=notices)]


def _path(*names: str) -> str:
    return "$" + "".join(f'."{name}"' for name in names)


def _child_keys(con: duckdb.DuckDBPyConnection, path: str) -> list[str]:
    values = "json_extract(record, $1)" if path.endswith("[*]") else "[json_extract(record, $1)]"
    rows = con.execute(
        f"""WITH child AS (SELECT source_row, UNNEST({values}) AS record FROM intake_scratch.json_record),
        name AS (SELECT source_row, UNNEST(json_keys(record)) AS name FROM child WHERE json_type(record) = 'OBJECT')
        SELECT name
        FROM name
        WHERE NOT regexp_matches(name, '["\\\\\\x00]') AND name <> ''
        GROUP BY name
        ORDER BY min(source_row), name""",
        [path],
    ).fetchall()
    return [name for (name,) in rows]


def _stage_json(con: duckdb.DuckDBPyConnection, sheet: Sheet, tally: Tally) -> None:
    """Fill intake_scratch.json_record: one object per line, per element of an array, or of an object's only array."""
    con.execute("CREATE OR REPLACE TABLE intake_scratch.json_record (source_row BIGINT, record JSON)")
    if sheet.form == "json":
        try:
            content = json.loads(sheet.path.read_bytes())
        except (ValueError, RecursionError):
            content = None  # perhaps one object per line
        if isinstance(content, dict):
            arrays = [
                value for value in content.values() if isinstance(value, list) and value and isinstance(value[0], dict)
            ]
            content = arrays[0] if len(arrays) == 1 and not any(map(_is_scalar, content.values())) else [content]
        if isinstance(content, list):
            for start in range(0, len(content), _BATCH):
                _insert_json(con, tally, [json.dumps(record) for record in content[start : start + _BATCH]], start)
            return
    encoding, _, _ = _encoding(sheet.path, sheet.source_file)
    with io.TextIOWrapper(_text_stream(sheet.path, encoding), encoding="utf-8", newline="\n") as lines:
        start = 0
        batch: list[str] = []
        for line in iter(lambda: lines.readline(LONGEST), ""):
            if len(line) == LONGEST and not line.endswith("\n"):
                raise _too_long(sheet.source_file, start + len(batch))
            batch.append(line.removeprefix("\ufeff").strip())
            if len(batch) == _BATCH:
                _insert_json(con, tally, batch, start)
                start, batch = start + len(batch), []
        _insert_json(con, tally, batch, start)


def _is_scalar(value: object) -> bool:
    return not isinstance(value, (dict, list))


def _insert_json(con: duckdb.DuckDBPyConnection, tally: Tally, records: list[str], start: int) -> None:
    rows = pa.table({"source_row": np.arange(start, start + len(records)) + 1, "line": pa.array(records, pa.string())})
    con.register("intake_batch", rows)
    con.execute(
        "INSERT INTO intake_scratch.json_record SELECT source_row, line::JSON FROM intake_batch "
        "WHERE CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
    )
    refused = con.execute(
        "SELECT source_row FROM intake_batch "
        "WHERE line <> '' AND CASE WHEN json_valid(line) THEN json_type(line) <> 'OBJECT' ELSE true END "
        "ORDER BY source_row"
    ).fetchall()
    con.unregister("intake_batch")
    tally.records += len(records)
    tally.blank_rows += sum(not record for record in records)
    tally.bad_rows += [row for (row,) in refused]
    tally.bad_reasons += ["the line is not one JSON object"] * len(refused)


def _json_relation(con: duckdb.DuckDBPyConnection, sheet: Sheet, tally: Tally) -> str:
    _stage_json(con, sheet, tally)
    columns = []
    for number, header in enumerate(sheet.headers):
        if sheet.nested and header.startswith(sheet.nested + "."):
            columns.append(
                f"json_extract_string(child, {_literal(_path(header.removeprefix(sheet.nested + '.')))}) AS h{number}"
            )
        else:
            exact = f"json_extract_string(record, {_literal(_path(header))})"
            parent, dot, child = header.partition(".")
            below = f"json_extract_string(record, {_literal(_path(parent, child))})" if dot else "NULL"
            columns.append(f"coalesce({exact}, {below}) AS h{number}")
    nested = _literal(_path(sheet.nested))
    children = (
        f"CASE WHEN json_type(record, {nested}) = 'ARRAY' AND json_array_length(record, {nested}) > 0 "
        f"THEN json_extract(record, {_literal(_path(sheet.nested) + '[*]')}) ELSE [NULL::JSON] END"
        if sheet.nested
        else "[NULL::JSON]"
    )
    return (
        f"(WITH record AS (SELECT source_row, record, {children} AS children FROM intake_scratch.json_record), "
        "part AS (SELECT source_row, record, UNNEST(children) AS child, generate_subscripts(children, 1) AS part "
        "FROM record) "
        f"SELECT source_row, part, {', '.join(columns)} FROM part)"
    )
