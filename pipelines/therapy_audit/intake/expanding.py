"""Compressed files that are far larger than they look: told before they are read, from what their parts say.

A workbook is a zip of XML, and is held as a grid from its first cell to its last. A kilobyte can name a cell in the
last row and last column, which would take half a terabyte; a megabyte can hold a thousand of nothing but spaces.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

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
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
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
            places = sum(_places(parts, name, most) for name in parts.namelist() if _SHEET.fullmatch(name))
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
