"""The least of a workbook in each form: a header and what a test puts under it."""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NEEDED = ("Claim", "Patient ID", "DOS", "CPT", "Units")
SHEET = {"xlsx": "xl/worksheets/sheet1.xml", "ods": "content.xml", "xlsb": "xl/worksheets/sheet1.bin"}
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OASIS = "urn:oasis:names:tc:opendocument:xmlns"
_ODS = "application/vnd.oasis.opendocument.spreadsheet"


def packed(path: Path, form: str, sheet: Iterable[bytes]) -> Path:
    """Write a workbook of a form (xlsx, ods, xlsb) around its sheet, given piece by piece as it is stored."""
    main = f"xl/workbook.{'xml' if form == 'xlsx' else 'bin'}"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType='
        '"application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-'
        'officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": _relation("officeDocument", main),
        f"xl/_rels/{main[3:]}.rels": _relation("worksheet", SHEET[form][3:]),
        main: f'<workbook xmlns="{_SPREADSHEET}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
    }
    if form == "ods":
        listed = f'<m:file-entry m:full-path="/" m:media-type="{_ODS}"/>'
        parts = {"META-INF/manifest.xml": f'<m:manifest xmlns:m="{_OASIS}:manifest:1.0">{listed}</m:manifest>'}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        if form == "ods":
            file.writestr("mimetype", _ODS, zipfile.ZIP_STORED)
        for name, text in parts.items():
            file.writestr(name, _BOOK if name == "xl/workbook.bin" else '<?xml version="1.0"?>' + text)
        with file.open(SHEET[form], "w") as part:
            for piece in sheet:
                part.write(piece)
    return path


def content_of(path: Path, form: str) -> bytes:
    """Return a workbook's sheet as it is stored."""
    with zipfile.ZipFile(path) as file:
        return file.read(SHEET[form])


def _relation(kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/{kind}" '
        f'Target="{target}"/></Relationships>'
    )


def workbook(path: Path, rows: Iterable[bytes], *, far: str = "") -> Path:
    """Write XLSX, its rows as these pieces of XML; a header and a cell at `far`."""

    def sheet() -> Iterator[bytes]:
        yield f'<?xml version="1.0"?><worksheet xmlns="{_SPREADSHEET}"><sheetData><row r="1">'.encode()
        for column, name in zip("ABCDE", NEEDED, strict=True):
            yield f'<c r="{column}1" t="inlineStr"><is><t>{name}</t></is></c>'.encode()
        yield b"</row>"
        yield from rows
        if far:
            row = far.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
            yield f'<row r="{row}"><c r="{far}"><v>1</v></c></row>'.encode()
        yield b"</sheetData></worksheet>"

    return packed(path, "xlsx", sheet())


def ods(path: Path, rows: str, declared: str = "") -> Path:
    """Write ODS: a header, and these rows of XML."""
    names = {name: f"{_OASIS}:{name}:1.0" for name in ("office", "table", "text")}
    spaces = " ".join(f'xmlns:{name}="{space}"' for name, space in names.items())
    sheet = f'<table:table table:name="S">{ods_row(NEEDED)}{rows}</table:table>'
    body = f"<office:body><office:spreadsheet>{sheet}</office:spreadsheet></office:body>"
    content = f"{declared}<office:document-content {spaces}>{body}</office:document-content>"
    return packed(path, "ods", [content.encode()])


def ods_row(values: Iterable[str], *, rows: int = 1, columns: int = 1, before: int = 0) -> str:
    """Return a row of ODS, repeated; each of its values repeated; behind so many empty cells."""
    cells = f'<table:table-cell table:number-columns-repeated="{before}"/>' if before else ""
    given = f'office:value-type="string" table:number-columns-repeated="{columns}"'
    cells += "".join(f"<table:table-cell {given}><text:p>{value}</text:p></table:table-cell>" for value in values)
    return f'<table:table-row table:number-rows-repeated="{rows}">{cells}</table:table-row>'


def xlsb(path: Path, rows: dict[int, dict[int, str]], size: bytes = bytes(16)) -> Path:
    """Write XLSB: a header, and these cells by row and column; `size` is what the sheet says of it."""
    sheet = _record(129) + _record(148, size) + _record(145)
    for row, cells in ({0: dict(enumerate(NEEDED))} | rows).items():
        sheet += _record(0, struct.pack("<IIHHBI", row, 0, 300, 0, 0, 0))
        for column, value in cells.items():
            sheet += _record(6, struct.pack("<II", column, 0) + _text(value))
    return packed(path, "xlsb", [sheet + _record(146) + _record(130)])


def _record(number: int, body: bytes = b"") -> bytes:
    """Return a record of XLSB (MS-XLSB 2.1.4): number, length, bytes."""
    assert len(body) < 128
    return (bytes([number]) if number < 128 else bytes([number & 127 | 128, 1])) + bytes([len(body)]) + body


def _text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode("utf-16-le")


_BOOK = b"".join([
    _record(131), _record(143), _record(156, struct.pack("<II", 0, 1) + _text("rId1") + _text("S")),
    _record(144), _record(132),
])  # fmt: skip
