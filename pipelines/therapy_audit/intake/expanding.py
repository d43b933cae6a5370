"""Compressed files that are far larger than they look: told before they are read, from what their parts say.

A workbook is a zip of XML (XLSX, ODS) or of records (XLSB), and is held as a grid from its first cell to its last. A
kilobyte can name a cell in the last row and last column, or repeat one that often (ODS), which would take half a
terabyte; a megabyte can hold a thousand of nothing but spaces.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from typing import TYPE_CHECKING
from xml.parsers import expat

from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

MOST_BYTES = 2 << 30  # of all parts of a workbook, expanded
MOST_RATIO = 200  # expanded to compressed; a sheet of repeated rows comes to 50
SMALL = 64 << 20  # below it a ratio says nothing
MOST_PLACES = 50_000_000  # rows times columns, of all sheets: about 2 GiB as they are read
_ROWS = 1_048_576  # that a sheet may have
_CHUNK = 1 << 20
_LAST_CELL = 11  # of the kinds of XLSB's records that are cells
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_BINARY_SHEET = re.compile(r"xl/worksheets/[^/]+\.bin", re.IGNORECASE)
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0 "
_VALUE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0 value-type"
_COLUMN = re.compile(rb' r="([A-Z]{2,3})[0-9]')
_ROW = re.compile(rb' r="[A-Z]{0,3}([0-9]{1,7})"')


def check_workbook(path: Path | BytesIO, told: str, most_places: int | None = None) -> None:
    """Raise AuditError, which `told` begins, where a workbook would expand past the limits.

    A file that is no zip is left to its reader: XLS is not compressed, and its sheets are small.
    """
    most = MOST_PLACES if most_places is None else most_places
    try:
        with zipfile.ZipFile(path) as parts:
            sizes = [(part.file_size, part.compress_size) for part in parts.infolist()]
            if any(_bomb(size, packed) for size, packed in [*sizes, tuple(map(sum, zip(*sizes, strict=True)))]):
                raise AuditError(
                    f"{told}: the workbook expands to {sum(size for size, _ in sizes):,} bytes, more than is read; "
                    "save its sheet as CSV."
                )
            names = parts.namelist()
            places = sum(_places(parts, name, most) for name in names if _SHEET.fullmatch(name))
            places += sum(_places_of_records(parts, name) for name in names if _BINARY_SHEET.fullmatch(name))
            places += _places_of_tables(parts, told) if "content.xml" in names else 0
    except expat.ExpatError:
        # The reader of ODS waits for ever for the end of a table that is not there.
        raise AuditError(f"{told}: the workbook's XML is damaged; save it again as XLSX.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        return  # damaged, encrypted, or no zip: the reader says so
    finally:
        if isinstance(path, BytesIO):
            path.seek(0)  # its reader begins where it stands
    if places > most:
        raise AuditError(
            f"{told}: a sheet of the workbook reaches to a cell so far off that {places:,} places lie before it; "
            "remove what stands far from the table, or save the sheet as CSV."
        )


@contextmanager
def reading(told: str, *also: type[Exception]) -> Iterator[None]:
    """Raise AuditError, which says what is told, for all that a damaged workbook makes its reader raise.

    Where the reader's own arithmetic fails it panics, and what Python sees then is no Exception.
    """
    import python_calamine

    faults: tuple[type[Exception], ...] = (
        python_calamine.CalamineError,
        python_calamine.PasswordError,
        ValueError,
        *also,
    )
    try:
        yield
    except faults as fault:
        raise AuditError(told) from fault
    except BaseException as fault:
        if type(fault).__name__ == "PanicException":
            raise AuditError(told) from None
        raise


@contextmanager
def quietly() -> Iterator[None]:
    """Keep from the terminal what a reader that panics writes there by itself, which may hold a cell's text."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no terminal, nor anything in its place
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _bomb(size: int, packed: int) -> bool:
    return size > MOST_BYTES or (size > SMALL and size > MOST_RATIO * packed)


def _places(parts: zipfile.ZipFile, name: str, most: int) -> int:
    """Return rows times columns of a sheet: of the rows, the most there can be where that is few enough as it is."""
    with parts.open(name) as stream:
        found = {letters for chunk in _chunks(stream) for letters in set(_COLUMN.findall(chunk))}
    columns = max((_number(letters) for letters in found), default=26)
    if columns * _ROWS <= most:
        return 0
    with parts.open(name) as stream:
        rows = max((int(number) for chunk in _chunks(stream) for number in set(_ROW.findall(chunk))), default=1)
    return rows * columns


def _places_of_records(parts: zipfile.ZipFile, name: str) -> int:
    """Return rows times columns of a sheet of XLSB: records of a number, a length and as many bytes (MS-XLSB 2.1.4)."""
    rows = columns = 0
    with BufferedReader(parts.open(name)) as stream:  # type: ignore[type-var]
        while head := stream.read(1):
            record = head[0]
            if record & 0x80:
                record = record & 0x7F | (stream.read(1) or b"\0")[0] << 7
            length = shift = 0
            for _ in range(4):
                byte = (stream.read(1) or b"\0")[0]
                length |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
            first = int.from_bytes(stream.read(min(length, 4)), "little")
            stream.read(max(length - 4, 0))
            if record == 0:  # a row
                rows = max(rows, first + 1)
            elif record <= _LAST_CELL:
                columns = max(columns, first + 1)
    return rows * columns


def _places_of_tables(parts: zipfile.ZipFile, told: str) -> int:
    """Return rows times columns of all sheets of ODS, up to each one's last cell with a value."""
    places = rows = last_row = columns = last_column = width = repeated = 0

    def number(given: dict[str, str], what: str) -> int:
        return max(int(given.get(f"{_TABLE}number-{what}-repeated", "1")), 1)

    def begin(element: str, given: dict[str, str]) -> None:
        nonlocal rows, last_row, columns, last_column, width, repeated
        if element == _TABLE + "table":
            rows = last_row = width = 0
        elif element == _TABLE + "table-row":
            columns = last_column = 0
            repeated = number(given, "rows")
        elif element in {_TABLE + "table-cell", _TABLE + "covered-table-cell"}:
            columns += number(given, "columns")
            if _VALUE in given:
                last_column = columns

    def end(element: str) -> None:
        nonlocal places, rows, last_row, width
        if element == _TABLE + "table-row":
            rows += repeated
            if last_column:
                last_row, width = rows, max(width, last_column)
        elif element == _TABLE + "table":
            places += last_row * width

    def declared(*_: object) -> None:
        raise AuditError(f"{told}: the workbook declares XML entities, as no spreadsheet does; save it again as XLSX.")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = begin, end, declared
    with parts.open("content.xml") as stream:
        parser.ParseFile(stream)
    return places


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield a stream piece by piece, the end of each again with the next, so that nothing is cut."""
    last = b""
    while chunk := stream.read(_CHUNK):
        yield last + chunk
        last = chunk[-64:]


def _number(letters: bytes) -> int:
    """B -> 2, AA -> 27."""
    value = 0
    for letter in letters:
        value = 26 * value + letter - 64
    return value
