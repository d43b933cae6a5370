"""The official reference tables: read as downloaded, kept as Parquet files in a folder, put over the shipped ones.

A loaded table is <table>.<part>.parquet with the columns of its contract table, and a twin .yaml that says what it is,
as rules/codes/ has them. Part is the setting (ncci_pair, mue), the release (relative_value.2026-07) or the year (gpci).
"""

from __future__ import annotations

import contextlib
import csv
import glob
import io
import itertools
import re
import shutil
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import duckdb
import yaml
from filelock import FileLock, Timeout

from therapy_audit import engine, resources
from therapy_audit.errors import AuditError
from therapy_audit.files import file_hash
from therapy_audit.intake import expanding
from therapy_audit.rules import FAR_FUTURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import IO

SETTINGS = ("practitioner", "hospital")

_FOLDER_PARTS = {
    "ncci_pair": "practitioner|hospital",
    "mue": "practitioner|hospital",
    "relative_value": r"\d{4}-\d{2}",
    "gpci": r"\d{4}",
}
_TITLES = {
    "ncci_pair": "NCCI procedure-to-procedure edits",
    "mue": "NCCI medically unlikely edits",
    "relative_value": "Medicare physician fee schedule, relative values and conversion factors",
    "gpci": "Geographic practice cost indices by Medicare locality",
}
# What tells two rows apart, and what may differ between two editions.
_COMPARED = {
    "ncci_pair": (("column_one", "column_two"), ("modifier_indicator", "effective_to")),
    "mue": (("hcpcs_code",), ("units", "adjudication_indicator")),
    "relative_value": (
        ("hcpcs_code",),
        ("work", "practice_expense", "malpractice", "multiple_procedure", "conversion_factor"),
    ),
    "gpci": (("locality",), ("work", "practice_expense", "malpractice")),
}
_KNOWN = "NCCI edits (PTP), a MUE table, a fee schedule (PPRRVU) or a GPCI file"
_PTP_PARTS = 4
_EXAMPLES = 3  # of each kind of change
_HEAD = 1 << 16  # bytes and
_HEAD_ROWS = 60  # rows that hold the header, whatever stands above it
_LARGEST = 4 << 30  # bytes; the largest official file has a tenth of a gigabyte
_MEMORY = "500MB"  # for DuckDB; beyond it spills into the folder
_CODE = re.compile(r"[0-9A-Z]{5}")
_NUMBER = re.compile(r"\d{0,3}(\.\d{1,9})|\d{1,3}")
_DAY = r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
# Two codes, a mark for edits older than 1996, first and last day, indicator, and a rationale that is never read.
_EDIT = rf"^[0-9A-Z]{{5}}\t[0-9A-Z]{{5}}\t[* ]*\t{_DAY}\t(\*|{_DAY})\t[019](\t|$)"
_COLUMNS = {
    "mue": {"code": r"^HCPCS", "units": r"\bMUE VALUE", "indicator": r"\bADJUDICATION INDICATOR"},
    "relative_value": {
        "work": r"\bWORK RVU$",
        "practice_expense": r"\bNON-?FAC(ILITY)? PE RVU$",
        "malpractice": r"\bMP RVU$",
        "multiple_procedure": r"\bMULT PROC$",
        "conversion_factor": r"\bCONV FACTOR$",
    },
    "gpci": {
        "contractor": r"\bCONTRACTOR\b",
        "number": r"^LOCALITY NUMBER",
        "name": r"^LOCALITY NAME",
        # Some years have the work index without its floor as well.
        "work": r"\bPW GPCI(?! \(WITHOUT)",
        "practice_expense": r"\bPE GPCI",
        "malpractice": r"\bMP GPCI",
    },
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class Edition:
    """One reference table, or part of one: shipped (no path) or loaded into a folder."""

    table: str
    setting: str | None  # practitioner or hospital
    edition: str
    covers_from: date
    covers_to: date
    official_file: str  # the file to load to renew it
    rows: int
    path: Path | None = None

    @property
    def name(self) -> str:
        """The table with its part, as its file is named."""
        return self.path.stem if self.path else ".".join(filter(None, (self.table, self.setting)))


@dataclass(frozen=True)
class Changes:
    """How many therapy codes, pairs or localities differ from the edition before, and a few of them in words."""

    before: str  # that edition, and whether it was shipped or loaded
    before_covers_to: date
    added: int
    ended: int
    changed: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Loaded:
    """A table that was put into the folder."""

    edition: Edition
    rows_in: int
    changes: Changes
    notices: tuple[str, ...]


def load(
    files: Sequence[Path],
    folder: Path,
    *,
    setting: str | None = None,
    effective: date | None = None,
    everything: bool = False,
) -> list[Loaded]:
    """Load official files into the folder: all parts of a table together replace what the folder had of it.

    `setting` counts where a file's name does not tell it, `effective` (first day in force) before what the name tells;
    only therapy codes are kept unless `everything`. All files load, or none does: AuditError says which cannot.
    """
    found = [one for file in files for one in _found(file, setting, effective)]
    groups = {name: [one for one in found if one.name == name] for name in sorted({one.name for one in found})}
    chosen = {name: _chosen(group) for name, group in groups.items()}
    with _aside(folder) as work:
        loaded = []
        for parts, notices in chosen.values():
            with engine.connect(work / "load.duckdb", memory_limit=_MEMORY) as con:
                loaded.append(_load(con, parts, notices, folder, work, everything=everything))
            (work / "load.duckdb").unlink()
        for one in loaded:
            for suffix in (".parquet", ".yaml"):
                (work / (one.edition.name + suffix)).replace(folder / (one.edition.name + suffix))
        standing = {one.name: one for one in _intact(folder, [])}
    return [replace(one, edition=standing[one.edition.name]) for one in loaded]


def loaded_editions(folder: Path) -> list[Edition]:
    """Return what is loaded, by name. AuditError: no folder, or a table in it that is damaged or not one of ours."""
    if not folder.is_dir():
        raise AuditError(f"{folder}: there is no such folder; `therapy-audit reference load --folder` makes it.")
    stems = {path.stem for path in folder.iterdir() if _is_table_file(path)}
    return _reaching_back([_edition(folder / f"{stem}.parquet") for stem in sorted(stems)])


def editions(folder: Path | None) -> list[Edition]:
    """Return every reference table as it stands, shipped or loaded, in the order of tables and settings."""
    loaded = loaded_editions(folder) if folder else []
    rows = []
    with engine.connect() as con:
        engine.prepare_codes(con)
        shipped = con.execute("FROM reference_edition ORDER BY ALL").fetchall()
        put_in_place(con, loaded)
        for table, setting, edition, first, last, official_file in shipped:
            mine = [one for one in loaded if (one.table, one.setting) == (table, setting)]
            if not mine or _left(setting, first, last, mine):
                where, values = ("WHERE setting = ?", [setting]) if setting else ("", [])
                count = _one(con, f"SELECT count(*) FROM {table} {where}", values) - sum(one.rows for one in mine)
                rows.append(Edition(table, setting, edition, first, last, official_file, count))
    return sorted([*rows, *loaded], key=lambda one: (one.table, one.setting or "", one.covers_from, one.name))


def unread(folder: Path) -> list[str]:
    """Return the names of other files in the folder, such as downloads that wait to be loaded."""
    return sorted(path.name for path in folder.iterdir() if not _is_table_file(path) and path.name[0] != ".")


def put_in_place(con: duckdb.DuckDBPyConnection, loaded: Sequence[Edition]) -> None:
    """Put loaded tables over the shipped rows of their setting or year, and into reference_edition."""
    for table, year in sorted({(one.table, one.covers_from.year) for one in loaded if not one.setting}):
        con.execute(f"DELETE FROM {table} WHERE year(effective_from) = $1 AND year(effective_to) = $1", [year])
    for one in loaded:
        if one.table == "mue":
            # A quarter's table says nothing of the quarters before it: what was known of these stays.
            con.execute(
                "UPDATE mue SET effective_to = $first - 1 WHERE setting = $setting AND effective_from < $first",
                {"setting": one.setting, "first": one.covers_from},
            )
            con.execute(
                "DELETE FROM mue WHERE setting = $setting AND effective_from >= $first",
                {"setting": one.setting, "first": one.covers_from},
            )
        elif one.setting:
            con.execute(f"DELETE FROM {one.table} WHERE setting = ?", [one.setting])
        columns = "* REPLACE ($start AS effective_from)" if one.table == "relative_value" else "*"
        start = {"start": one.covers_from} if one.table == "relative_value" else {}
        try:
            con.execute(
                f"INSERT INTO {one.table} BY NAME SELECT {columns} FROM read_parquet($path)",
                {"path": glob.escape(str(one.path)), **start},
            )
        except duckdb.Error:
            raise _damaged(cast("Path", one.path)) from None
    for one in loaded:
        if one.table == "mue":
            con.execute(
                "DELETE FROM reference_edition WHERE reference = 'mue' AND setting = ? AND covers_from >= ?",
                [one.setting, one.covers_from],
            )
            con.execute(
                "INSERT INTO reference_edition VALUES (?, ?, ?, ?, ?, ?)",
                [one.table, one.setting, one.edition, one.covers_from, one.covers_to, one.official_file],
            )
    for table, setting in sorted({(one.table, one.setting or "") for one in loaded if one.table != "mue"}):
        mine = [one for one in loaded if (one.table, one.setting or "") == (table, setting)]
        _put_edition(con, table, setting or None, mine)


def _put_edition(con: duckdb.DuckDBPyConnection, table: str, setting: str | None, loaded: Sequence[Edition]) -> None:
    """Replace the one row of reference_edition; what is left of the shipped years is still told in it."""
    where = "reference = ? AND setting IS NOT DISTINCT FROM ?"
    shipped = con.execute(
        f"SELECT edition, covers_from, covers_to FROM reference_edition WHERE {where}", [table, setting]
    ).fetchall()
    kept = [row for row in shipped if _left(setting, row[1], row[2], loaded)]
    con.execute(f"DELETE FROM reference_edition WHERE {where}", [table, setting])
    con.execute(
        "INSERT INTO reference_edition VALUES (?, ?, ?, ?, ?, ?)",
        [
            table,
            setting,
            "; ".join([*(row[0] for row in kept), *(one.edition for one in loaded)]),
            min([*(row[1] for row in kept), *(one.covers_from for one in loaded)]),
            max([*(row[2] for row in kept), *(one.covers_to for one in loaded)]),
            loaded[-1].official_file,
        ],
    )


def _left(setting: str | None, first: date, last: date, loaded: Sequence[Edition]) -> bool:
    """Say whether anything is left of a shipped edition: loaded years replace those years only."""
    return not setting and not set(range(first.year, last.year + 1)) <= {one.covers_from.year for one in loaded}


def _reaching_back(loaded: Sequence[Edition]) -> list[Edition]:
    """Let the first fee schedule of each year stand for the months before its release: nothing older is at hand."""
    first = {one.covers_from.year: one.name for one in reversed(loaded) if one.table == "relative_value"}
    return [
        replace(one, covers_from=date(one.covers_from.year, 1, 1)) if one.name in first.values() else one
        for one in loaded
    ]


# The folder ------------------------------------------------------------------------------------------------------


def _is_table_file(path: Path) -> bool:
    return path.suffix in {".parquet", ".yaml"} and path.name[0] != "."


def _edition(path: Path) -> Edition:
    """Read a loaded table's twin and see that the table is the one that it was written for."""
    table, _, part = path.stem.partition(".")
    if not re.fullmatch(_FOLDER_PARTS.get(table, "(?!)"), part):
        there = path if path.exists() else path.with_suffix(".yaml")
        raise AuditError(f"{there}: not a table that `therapy-audit reference load` wrote; take it out of the folder.")
    try:
        twin = resources.parsed(path.with_suffix(".yaml").read_text(encoding="utf-8"))
        if file_hash(path) != twin["sha256"]:
            raise _damaged(path)
        covers = twin["covers"]
        one = Edition(
            table,
            twin.get("setting"),
            twin["edition"],
            covers["from"],
            covers["to"],
            twin["official_file"],
            twin["rows"],
            path,
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        raise _damaged(path) from None
    sound = all(isinstance(day, date) for day in (one.covers_from, one.covers_to)) and isinstance(one.edition, str)
    # A file that was renamed would stand for another setting, release or year.
    if not sound or part != (one.setting or one.covers_from.isoformat()[: len(part)]):
        raise _damaged(path)
    return one


def _damaged(path: Path) -> AuditError:
    return AuditError(
        f"{path}: the loaded table or its twin {path.with_suffix('.yaml').name} is damaged, missing, or of another "
        "version; load the official file again, or remove both."
    )


@contextlib.contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """Give a place within the folder to build in; one load at a time has it, others wait."""
    work = folder / ".loading"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=600):
            shutil.rmtree(work, ignore_errors=True)  # a load that was killed
            work.mkdir()
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except Timeout:
        raise AuditError(f"{folder}: another load has kept the folder for ten minutes; end it and try again.") from None
    except OSError as fault:
        raise AuditError(f"{folder}: the folder cannot be written ({fault.strerror}).") from None


# What a file is --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """A file as given, or a member of a zip."""

    path: Path
    member: str = ""

    @property
    def told(self) -> str:
        return f"{self.path}, {self.member}" if self.member else str(self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """What its name may tell, the nearest first."""
        return tuple(name.lower() for name in (PurePosixPath(self.member).name, self.path.name) if name)

    @contextlib.contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the bytes. AuditError: the file, or the zip around it, cannot be read."""
        try:
            if self.member:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                    yield stream
            else:
                with self.path.open("rb") as stream:
                    yield stream
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
            raise _cut_short(self.path) from None
        except OSError as fault:
            raise AuditError(f"{self.path}: the file cannot be read ({fault.strerror}).") from None


@dataclass(frozen=True)
class _Found:
    """A source that was told by its content to be (part of) a reference table."""

    source: _Source
    table: str
    part: str
    edition: str
    effective: date  # first day of the quarter, release or year
    covers_to: date
    sheet: str = ""  # of a workbook
    piece: str = ""  # which part of several the file is, as its name tells
    rank: int = 0  # of two with the same piece the lower one is read
    notices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.table}.{self.part}"

    @property
    def setting(self) -> str | None:
        return self.part if self.part in SETTINGS else None


def _found(path: Path, setting: str | None, effective: date | None) -> list[_Found]:
    """Return the reference tables in a file; a zip may hold several. AuditError where there is none."""
    if path.is_dir():
        raise AuditError(f"{path}: this is a folder; name the files in it.")
    source = _Source(path)
    head = _head(source)
    if not head.strip():
        raise AuditError(f"{path}: the file is empty; download it again.")
    if head.startswith(b"PK"):
        members = _members(path)
        if not any(name.startswith("xl/") for name in members):
            return _found_in_zip(path, members, setting, effective)
    elif head.lstrip()[:1] == b"<":
        raise AuditError(
            f"{path}: this is a web page, such as the licence page that stands before the download; "
            "accept the licence in a browser and give the file that it then saves."
        )
    elif _is_binary(head):
        raise AuditError(f"{path}: this is neither text, XLSX nor ZIP; give {_KNOWN} as downloaded from CMS.")
    one = _identified(source, setting, effective)
    if one is None:
        raise AuditError(f"{path}: this is not {_KNOWN}; give the file as downloaded from CMS.")
    return [one]


def _head(source: _Source) -> bytes:
    with source.open() as stream:
        return stream.read(_HEAD)


def _is_binary(head: bytes) -> bool:
    return any(byte < 9 for byte in head)


def _cut_short(path: Path) -> AuditError:
    return AuditError(f"{path}: the zip is cut short, damaged or packed in an unknown way; download it again.")


def _members(path: Path) -> dict[str, zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename: info for info in archive.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, OSError, ValueError):
        raise _cut_short(path) from None


def _found_in_zip(
    path: Path, members: Mapping[str, zipfile.ZipInfo], setting: str | None, effective: date | None
) -> list[_Found]:
    preference = (".csv", ".txt", ".xlsx")  # of the same table
    names = [
        name
        for name in members
        if PurePosixPath(name).suffix.lower() in preference and PurePosixPath(name).name[0] not in "._~"
    ]
    stems: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda item: (preference.index(PurePosixPath(item).suffix.lower()), item)):
        stems.setdefault(str(PurePosixPath(name).with_suffix("")).lower(), []).append(name)
    found = []
    for stem in sorted(stems):
        for name in stems[stem]:
            if members[name].flag_bits & 1:
                raise AuditError(f"{path}: the zip is encrypted; unpack it and give the files in it.")
            if members[name].file_size > _LARGEST:
                raise AuditError(f"{path}: {name} is larger than any official table; download it again.")
            if one := _identified(_Source(path, name), setting, effective):
                found.append(one)
                break
    if not found:
        held = ", ".join([*members][:3]) + (", ..." if len(members) > 3 else "")
        raise AuditError(f"{path}: the zip holds no table ({held or 'it is empty'}); give {_KNOWN}.")
    return found


def _identified(source: _Source, setting: str | None, effective: date | None) -> _Found | None:
    """Tell from header and rows which table a file is, and from title and name which edition; None: none of ours."""
    head = _head(source)
    if head.startswith(b"PK"):
        tables = {name: [*rows] for name, rows in _sheets(source, _HEAD_ROWS)}
    elif _is_binary(head):
        return None
    else:
        tables = {"": _text_records(head)}
    for sheet, records in tables.items():
        told = _header(records)
        if told is None:
            continue
        table, at = told
        if any("medicaid" in name or "mcd_" in name for name in source.names):
            raise AuditError(f"{source.told}: its name says Medicaid; give the Medicare table.")
        known = {"ncci_pair": _known_ptp, "mue": _known_mue, "relative_value": _known_fees, "gpci": _known_gpci}[table]
        one = known(_Told(source, records, at, setting, effective))
        return replace(one, sheet=sheet, rank=one.rank + 2 * bool(sheet))
    return None


def _header(records: Sequence[Sequence[str]]) -> tuple[str, int] | None:
    """Return the table and its (last) header record."""
    for n, record in enumerate(records):
        cells = [_plain(cell) for cell in record]
        if re.match(_EDIT, "\t".join(record)) or cells[:2] == ["COLUMN 1", "COLUMN 2"]:
            return "ncci_pair", n
        if cells[0].startswith("HCPCS") and any("MUE VALUE" in cell for cell in cells):
            return "mue", n
        if cells[:2] == ["HCPCS", "MOD"] and any(name.endswith("WORK RVU") for name in _stacked(records, n)):
            return "relative_value", n
        if any(re.search(r"\bPE GPCI", cell) for cell in cells):
            return "gpci", n
    return None


def _plain(cell: str) -> str:
    return " ".join(cell.upper().split())


def _stacked(records: Sequence[Sequence[str]], at: int) -> list[str]:
    """Return the names of columns whose words stand in several records, one above the other."""
    above = [[_plain(cell) for cell in record] for record in records[: at + 1]]
    return [
        " ".join(filter(None, (record[n] if n < len(record) else "" for record in above)))
        for n in range(len(above[-1]))
    ]


@dataclass(frozen=True)
class _Told:
    """What there is to tell an edition from."""

    source: _Source
    records: Sequence[Sequence[str]]
    header: int
    setting: str | None
    effective: date | None

    def name_says(self, pattern: str) -> re.Match[str] | None:
        return next((found for name in self.source.names if (found := re.search(pattern, name))), None)

    def day(self, what: str) -> date:
        """Return the first day in force, as told by the user or by the name; AuditError where neither does."""
        if self.effective:
            return self.effective
        try:
            if found := self.name_says(r"(?<![a-z0-9])v(\d\d)([0-3])(?:r\d|(?![a-z0-9]))"):
                return date(1994 + int(found[1]), 3 * int(found[2]) + 1, 1)  # version 30.0 is January 2024
            if found := self.name_says(r"eff[_-](\d\d)-(\d\d)-(\d{4})"):
                return date(int(found[3]), int(found[1]), int(found[2]))
            if found := self.name_says(r"(20\d\d)[-_ ]?q([1-4])"):
                return date(int(found[1]), 3 * int(found[2]) - 2, 1)
        except ValueError:
            pass
        raise self.untold(what)

    def untold(self, what: str) -> AuditError:
        return AuditError(
            f"{self.source.told}: neither the file nor its name tells the {what}; "
            "add its first day as --effective YYYY-MM-DD."
        )


def _known_ptp(told: _Told) -> _Found:
    setting = next(
        (
            "hospital" if found[0] in {"ccioph", "hospital"} else "practitioner"
            for found in [told.name_says("ccioph|hospital|ccipra|practitioner")]
            if found
        ),
        told.setting,
    )
    if setting is None:
        raise AuditError(
            f"{told.source.told}: its name does not tell whether these are practitioner (ccipra) or hospital (ccioph) "
            "edits; add --setting practitioner or --setting hospital."
        )
    day = told.day("quarter")
    version = told.name_says(r"(?<![a-z0-9])(v\d{3})(?:r0)?(r[1-9])?")
    words = f" ({''.join(filter(None, version.groups()))})" if version else ""
    piece = told.name_says(r"(?<![a-z0-9])f(\d+)(?!\d)")
    return _Found(
        told.source,
        "ncci_pair",
        setting,
        _quarter(day) + words,
        day,
        _quarter_end(day),
        piece=piece[1] if piece else PurePosixPath(told.source.names[0]).stem,
    )


def _known_mue(told: _Told) -> _Found:
    header = " ".join(map(_plain, told.records[told.header]))
    if "DME" in header:
        raise AuditError(
            f"{told.source.told}: this is the table of DME suppliers, under which no therapy claim falls; "
            "give that of practitioner or of outpatient hospital services."
        )
    setting = "hospital" if "HOSPITAL" in header else "practitioner" if "PRACTITIONER" in header else told.setting
    if setting is None:
        raise AuditError(
            f"{told.source.told}: its header names neither practitioner nor hospital services; "
            "add --setting practitioner or --setting hospital."
        )
    day = told.day("quarter")
    return _Found(told.source, "mue", setting, _quarter(day), day, _quarter_end(day))


def _known_fees(told: _Told) -> _Found:
    title = " ".join(cell for record in told.records[: told.header] for cell in record)
    year = re.search(r"\b(20\d\d) (?:NATIONAL )?PHYSICIAN FEE SCHEDULE", _plain(title))
    month = re.search(rf"\b({'|'.join(_MONTHS)})[a-z]* release", title.lower()) or told.name_says(
        rf"(?<![a-z])({'|'.join(_MONTHS)})(?![a-z])"
    )
    day = told.effective
    if day is None:
        if year is None or month is None:
            raise told.untold("release")
        day = date(int(year[1]), _MONTHS.index(month[1]) + 1, 1)
    elif year and day.year != int(year[1]):
        raise AuditError(f"{told.source.told}: this is the fee schedule of {year[1]}, not of {day.year}.")
    qualifying = any("qpp" in name for name in told.source.names[:1]) and not told.name_says("nonqpp")
    edition = day.strftime("%Y %B")
    return _Found(
        told.source,
        "relative_value",
        day.strftime("%Y-%m"),
        f"{edition} (QPP)" if qualifying else edition,
        day,
        date(day.year, 12, 31),
        rank=int(qualifying),
        notices=("this is the fee schedule of qualifying APM participants (QPP); most practices are paid by nonQPP",)
        if qualifying
        else (),
    )


def _known_gpci(told: _Told) -> _Found:
    text = _plain(" ".join(cell for record in told.records[: told.header + 1] for cell in record))
    year = re.search(r"\b(20\d\d) PE GPCI", text) or re.search(r"\bCY (20\d\d)\b", text)
    if year is None and told.effective is None:
        raise told.untold("year")
    first = date(int(year[1]) if year else cast("date", told.effective).year, 1, 1)
    return _Found(told.source, "gpci", str(first.year), str(first.year), first, date(first.year, 12, 31))


def _quarter(day: date) -> str:
    return f"{day.year} Q{(day.month + 2) // 3}"


def _quarter_end(day: date) -> date:
    following = (day.month + 2) // 3 * 3 + 1
    return date(day.year + following // 12, following % 12, 1) - timedelta(days=1)


def _chosen(group: Sequence[_Found]) -> tuple[list[_Found], list[str]]:
    """Return the sources that make up one table, and what to tell of the others. AuditError: they do not belong."""
    days = {one.effective: one for one in group}
    if len(days) > 1:
        told = " and ".join(f"{days[day].edition} ({days[day].source.path.name})" for day in sorted(days))
        raise AuditError(f"The files hold several editions of {group[0].name}: {told}; load one at a time.")
    chosen: dict[str, _Found] = {}
    notices = []
    for one in sorted(group, key=lambda item: item.rank):
        twin = chosen.setdefault(one.piece, one)
        if twin.source.path != one.source.path:
            notices.append(f"{one.source.told} was left out: {twin.source.told} holds the same part")
    parts = sorted(chosen.values(), key=lambda item: item.piece)
    numbers = {int(one.piece) for one in parts if one.piece.isdigit()}
    missing = sorted(set(range(1, max([_PTP_PARTS, *numbers]) + 1)) - numbers)
    if numbers and missing:
        notices.append(
            f"of {parts[0].name} there is {_listed(numbers)}, not {_listed(missing)}; "
            "give all in one call, for they replace the table together"
        )
    return parts, [*notices, *(notice for one in parts for notice in one.notices)]


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(f"f{number}" for number in sorted(numbers))


# Reading ---------------------------------------------------------------------------------------------------------


@dataclass
class _Count:
    rows_in: int = 0
    unreadable: int = 0
    first: date = field(default=FAR_FUTURE)


def _load(
    con: duckdb.DuckDBPyConnection,
    parts: Sequence[_Found],
    notices: Sequence[str],
    folder: Path,
    work: Path,
    *,
    everything: bool,
) -> Loaded:
    """Read one table's parts into Parquet and twin in `work`, and compare them with the edition before."""
    one = parts[0]
    told = [*notices]
    engine.prepare_codes(con)
    con.execute(
        """
        CREATE TEMP TABLE therapy AS
        SELECT hcpcs_code FROM procedure_code
        UNION SELECT column_one FROM ncci_pair
        UNION SELECT column_two FROM ncci_pair
        """
    )
    con.execute(f"CREATE TABLE fresh AS FROM {one.table} LIMIT 0")
    files: list[dict[str, Any]] = []
    first = one.effective
    for part in parts:
        kept_before = _one(con, "SELECT count(*) FROM fresh")
        if part.table == "ncci_pair":
            count = _read_edits(con, part, work, everything=everything)
            first = min(first, count.first)
        else:
            count = _read_records(con, part)
            if not everything and part.table != "gpci":
                con.execute(
                    f"DELETE FROM fresh WHERE hcpcs_code NOT IN (FROM therapy UNION SELECT hcpcs_code FROM {one.table})"
                )
        if count.unreadable == count.rows_in:
            raise AuditError(f"{part.source.told}: no row in it can be read as one of {one.table}; download it again.")
        if count.unreadable:
            told.append(f"{part.source.told}: {count.unreadable:,} rows could not be read and were left out")
        sha256 = file_hash(part.source.path)
        kept = _one(con, "SELECT count(*) FROM fresh") - kept_before
        name = "/".join(filter(None, (part.source.path.name, part.source.member)))
        files.append({"name": name, "sha256": sha256, "rows_in": count.rows_in, "rows_kept": kept})
    rows = _one(con, "SELECT count(*) FROM fresh")
    if not rows:
        raise AuditError(
            f"{', '.join(part.source.told for part in parts)}: no therapy code is in it; "
            "give the whole table, all parts of it in one call."
        )
    shipped = _shipped_twin(one)
    edition = Edition(
        one.table,
        one.setting,
        max(part.edition for part in parts),
        first,
        one.covers_to,
        shipped["official_file"],
        rows,
        folder / f"{one.name}.parquet",
    )
    _write(con, edition, files, shipped, work, everything=everything)
    changes = _changes(con, edition, one.effective, _intact(folder, told, one.name))
    if changes.before_covers_to > edition.covers_to and edition.setting:
        told.append(f"{edition.name}: the edition before, {changes.before}, is newer than the one loaded now")
    return Loaded(edition, sum(item["rows_in"] for item in files), changes, tuple(told))


def _shipped_twin(one: _Found) -> dict[str, Any]:
    name = ".".join(filter(None, (one.table, one.setting)))
    twin = resources.parsed((resources.folder("rules") / "codes" / f"{name}.yaml").read_text(encoding="utf-8"))
    return cast("dict[str, Any]", twin)


def _read_edits(con: duckdb.DuckDBPyConnection, part: _Found, work: Path, *, everything: bool) -> _Count:
    """Add the edits of one text to `fresh`; millions of lines are read in one pass and never by Python."""
    text = work / "edits.txt"
    if part.sheet:
        with text.open("w", encoding="ascii", errors="replace") as lines:
            rows = next(rows for name, rows in _sheets(part.source) if name == part.sheet)
            lines.writelines("\t".join((*_padded_codes(row), "")) + "\n" for row in rows)
    else:
        # Rationales may hold Windows-1252, which DuckDB's latin-1 refuses. What is read here is ASCII.
        ascii_only = bytes(byte if byte < 128 else ord("?") for byte in range(256))
        with part.source.open() as stream, text.open("wb") as copy:
            while chunk := stream.read(1 << 20):
                copy.write(chunk.translate(ascii_only))
    with text.open(encoding="ascii") as lines:
        head = lines.read(_HEAD).splitlines()
    start = next((n for n, line in enumerate(head) if re.match(_EDIT, line)), 0)
    try:
        con.execute(
            """
            CREATE OR REPLACE TEMP TABLE counted AS
            WITH line AS (
                SELECT regexp_matches(line, $edit) AS is_edit, string_split(line, chr(9)) AS cells
                FROM read_csv(
                    $path, auto_detect = false, header = false, columns = {'line': 'VARCHAR'}, delim = '\x01',
                    quote = '', escape = '', strict_mode = false
                )
                WHERE trim(line) <> ''
            ),
            edit AS (
                SELECT
                    cells[1] AS column_one,
                    cells[2] AS column_two,
                    CASE WHEN is_edit THEN try_strptime(cells[4], '%Y%m%d')::DATE END AS effective_from,
                    CASE
                        WHEN is_edit AND cells[5] = '*' THEN $far_future
                        WHEN is_edit THEN try_strptime(cells[5], '%Y%m%d')::DATE
                    END AS effective_to,
                    CASE WHEN is_edit THEN cells[6]::INTEGER END AS modifier_indicator
                FROM line
            ),
            judged AS (
                SELECT
                    *,
                    effective_from IS NOT NULL AND effective_to IS NOT NULL AS readable,
                    coalesce(modifier_indicator <> 9 AND effective_from < effective_to, false)
                    AND ($everything OR (column_one IN (FROM therapy) AND column_two IN (FROM therapy))) AS wanted
                FROM edit
            )
            SELECT
                    readable,
                CASE WHEN wanted THEN column_one END AS column_one,
                CASE WHEN wanted THEN column_two END AS column_two,
                CASE WHEN wanted THEN modifier_indicator END AS modifier_indicator,
                CASE WHEN wanted THEN effective_from END AS effective_from,
                CASE WHEN wanted THEN effective_to END AS effective_to,
                count(*) AS lines,
                min(judged.effective_from) AS first
            FROM judged
            GROUP BY ALL
            """,
            {"edit": _EDIT, "path": glob.escape(str(text)), "far_future": FAR_FUTURE, "everything": everything},
        )
    except duckdb.Error:
        raise AuditError(f"{part.source.told}: the text breaks off into something else; download it again.") from None
    con.execute(
        "INSERT INTO fresh SELECT $1, * EXCLUDE (readable, lines, first) FROM counted WHERE column_one IS NOT NULL",
        [part.part],
    )
    readable, unreadable, first = con.execute(
        "SELECT coalesce(sum(lines) FILTER (readable), 0)::BIGINT,"
        " coalesce(sum(lines) FILTER (NOT readable), 0)::BIGINT, min(first) FROM counted"
    ).fetchall()[0]
    unreadable -= sum(bool(line.strip()) for line in head[:start])
    return _Count(readable + unreadable, unreadable, first or FAR_FUTURE)


def _padded_codes(row: Sequence[str]) -> list[str]:
    """Return an edit's cells, codes with the noughts that a workbook drops where it takes them for numbers."""
    return [cell.zfill(5) if n < 2 and cell.isdigit() else cell for n, cell in enumerate(row[:6])]


def _read_records(con: duckdb.DuckDBPyConnection, part: _Found) -> _Count:
    """Add the rows of a small table to `fresh`."""
    import pyarrow as pa

    if part.sheet:
        records = next([*rows] for name, rows in _sheets(part.source) if name == part.sheet)
    else:
        with part.source.open() as stream:
            raw = stream.read()
        try:
            records = _text_records(raw)
        except csv.Error:
            raise AuditError(
                f"{part.source.told}: a quotation mark in it is never closed; download the file again."
            ) from None
    at = cast("tuple[str, int]", _header(records))[1]
    columns = _columns(part, records, at)
    reader = {"mue": _mue_row, "relative_value": _fee_row, "gpci": _gpci_row}[part.table]
    rows, count = [], _Count()
    for record in records[at + 1 :]:
        cells = [cell.strip() for cell in record]
        # Below the localities there are footnotes.
        if not any(cells) or (part.table == "gpci" and not cells[0].isdigit()):
            continue
        row = reader(part, {name: cells[n] if n < len(cells) else "" for name, n in columns.items()})
        count.rows_in += 1
        count.unreadable += row is None
        if row:
            rows.append(row)
    if rows:
        # As text, which the types of `fresh` read: each cell was looked at above.
        arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        con.register("batch", pa.table(arrays, names=[f"c{n}" for n in range(len(arrays))]))
        con.execute("INSERT INTO fresh FROM batch")
        con.unregister("batch")
    return count


def _columns(part: _Found, records: Sequence[Sequence[str]], at: int) -> dict[str, int]:
    """Return where the columns that are read stand; AuditError names one that is not there."""
    headers = _stacked(records, at) if part.table == "relative_value" else [_plain(cell) for cell in records[at]]
    # Above the first two columns of the fee schedule there may be titles.
    columns = {"code": 0, "mod": 1} if part.table == "relative_value" else {}
    for name, pattern in _COLUMNS[part.table].items():
        places = [n for n, header in enumerate(headers) if re.search(pattern, header)]
        if not places:
            raise AuditError(
                f"{part.source.told}: the header has no column for {name.replace('_', ' ')}; "
                "give the file as downloaded from CMS."
            )
        columns[name] = places[0]
    return columns


# Each returns a row of the contract table as text, nothing for a row that is left out, None for one not readable.
_Row = tuple[str, ...] | None


def _mue_row(part: _Found, cell: Mapping[str, str]) -> _Row:
    code, indicator = cell["code"].zfill(5), cell["indicator"][:1]
    if not _CODE.fullmatch(code) or not re.fullmatch(r"\d{1,6}", cell["units"]) or indicator not in {"1", "2", "3"}:
        return None
    return part.part, code, cell["units"], indicator, str(part.effective), str(FAR_FUTURE)


def _fee_row(part: _Found, cell: Mapping[str, str]) -> _Row:
    code, values = cell["code"].zfill(5), [cell[name] for name in ("work", "practice_expense", "malpractice")]
    if not _CODE.fullmatch(code) or not all(map(_NUMBER.fullmatch, [*values, cell["conversion_factor"]])):
        return None
    if cell["mod"]:
        return ()
    reduced = str(cell["multiple_procedure"] == "5")
    return code, str(part.effective), str(part.covers_to), *values, reduced, cell["conversion_factor"]


def _gpci_row(part: _Found, cell: Mapping[str, str]) -> _Row:
    values = [cell[name] for name in ("work", "practice_expense", "malpractice")]
    if not cell["number"].isdigit() or not all(map(_NUMBER.fullmatch, values)):
        return None
    locality = f"{cell['contractor'].zfill(5)}-{cell['number'].zfill(2)}"
    title = " ".join(cell["name"].rstrip("* ").title().split())
    return locality, title, str(part.effective), str(part.covers_to), *values


def _text_records(raw: bytes) -> list[list[str]]:
    """Split a text into records at commas, or at tabs where it has more of them."""
    text = raw.decode("latin-1").removeprefix("\xef\xbb\xbf")
    if text.count("\t") > text.count(","):
        return [line.split("\t") for line in text.splitlines()]
    return [record or [""] for record in csv.reader(io.StringIO(text, newline=""))]


def _sheets(source: _Source, rows: int | None = None) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """Yield each sheet of a workbook with its rows (or the first of them) as text."""
    import python_calamine

    told = f"{source.told}: the workbook cannot be opened; download it again, or give the text version."
    with expanding.reading(told):
        if source.member:
            with source.open() as stream:
                content = io.BytesIO(stream.read())
            expanding.check_workbook(content, source.told)
            workbook = python_calamine.CalamineWorkbook.from_filelike(content)
        else:
            expanding.check_workbook(source.path, source.told)
            workbook = python_calamine.CalamineWorkbook.from_path(str(source.path))
        for name in workbook.sheet_names:
            sheet = itertools.islice(workbook.get_sheet_by_name(name).iter_rows(), rows)
            yield name, ([_cell_text(value) for value in row] or [""] for row in sheet)


def _cell_text(value: object) -> str:
    """Return a cell as its sheet shows it: 97110 and 20260101, not 97110.0 and a date."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(value, ".10g")
    return value.strftime("%Y%m%d") if isinstance(value, date) else str(value)


# What is written and told ----------------------------------------------------------------------------------------


def _write(
    con: duckdb.DuckDBPyConnection,
    edition: Edition,
    files: Sequence[Mapping[str, Any]],
    shipped: Mapping[str, Any],
    work: Path,
    *,
    everything: bool,
) -> None:
    """Write `fresh` and its twin; sorted, so that the same files give the same bytes."""
    path = work / f"{edition.name}.parquet"
    con.execute("COPY (FROM fresh ORDER BY ALL) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)])
    scope = "" if edition.table == "gpci" else ", all codes" if everything else ", therapy codes and their neighbours"
    services = {"practitioner": ", practitioner services", "hospital": ", outpatient hospital services"}
    sha256 = file_hash(path)
    twin = {
        **({"setting": edition.setting} if edition.setting else {}),
        "title": _TITLES[edition.table] + services.get(edition.setting or "", "") + scope,
        "source": "Official files of CMS as downloaded, read by `therapy-audit reference load`",
        "edition": edition.edition,
        "covers": {"from": edition.covers_from, "to": edition.covers_to},
        "official_file": edition.official_file,
        "licence": shipped["licence"],
        "files": [dict(file) for file in files],
        "rows": edition.rows,
        "sha256": sha256,
    }
    text = yaml.safe_dump(twin, sort_keys=False, allow_unicode=True, width=118)
    path.with_suffix(".yaml").write_text(text, encoding="utf-8")


def _intact(folder: Path, notices: list[str], successor: str = "") -> list[Edition]:
    """Return what is loaded and can be read: a damaged table does not keep its successor out, others are told."""
    found = []
    for stem in sorted({path.stem for path in folder.iterdir() if _is_table_file(path)}):
        try:
            found.append(_edition(folder / f"{stem}.parquet"))
        except AuditError as fault:
            notices += [str(fault).rstrip(".")] if stem != successor else []
    return _reaching_back(found)


def _changes(con: duckdb.DuckDBPyConnection, edition: Edition, first: date, loaded: Sequence[Edition]) -> Changes:
    """Compare `fresh` with what stood before, by the last row of each code, pair or locality, therapy codes only.

    The shipped NCCI tables know when an edit ended, and not when it began: their rows cannot be compared one by one.
    """
    put_in_place(con, loaded)
    before, covers_to = con.execute(
        "SELECT edition, covers_to FROM reference_edition WHERE reference = ? AND setting IS NOT DISTINCT FROM ?",
        [edition.table, edition.setting],
    ).fetchall()[0]
    mine = any((one.table, one.setting) == (edition.table, edition.setting) for one in loaded)
    keys, values = _COMPARED[edition.table]
    of_setting = (
        "AND setting = $setting" if edition.setting else "AND effective_from <= $first AND effective_to >= $last"
    )
    bound = {"setting": edition.setting} if edition.setting else {"first": first, "last": first - timedelta(days=1)}
    codes = [key for key in keys if key != "locality"]
    therapy = "".join(f" AND {key} IN (FROM therapy)" for key in codes) or " AND locality <> 'national'"
    state = ", ".join(f"{value} := {value}" for value in values)
    known = " AND ".join(f"{key} IN (SELECT hcpcs_code FROM procedure_code)" for key in codes) or "true"
    rows = con.execute(
        f"""
        WITH old AS (
            SELECT {", ".join(keys)}, arg_max(struct_pack({state}), effective_from) AS was
            FROM {edition.table} WHERE true {of_setting}{therapy} GROUP BY ALL
        ),
        new AS (
            SELECT {", ".join(keys)}, arg_max(struct_pack({state}), effective_from) AS becomes
            FROM fresh WHERE true{therapy} GROUP BY ALL
        )
        SELECT [{", ".join(keys)}], was, becomes
        FROM old FULL JOIN new USING ({", ".join(keys)})
        WHERE was IS DISTINCT FROM becomes
        ORDER BY NOT ({known}), 1
        """,
        bound,
    ).fetchall()
    told: dict[str, list[str]] = {"ended": [], "changed": [], "added": []}
    for codes_of_row, was, becomes in rows:
        kind, words = _change(was, becomes)
        told[kind].append(f"{' with '.join(codes_of_row)}: {words}")
    return Changes(
        f"{before}, {'loaded' if mine else 'shipped'}",
        covers_to,
        added=len(told["added"]),
        ended=len(told["ended"]),
        changed=len(told["changed"]),
        examples=tuple(words for kind in told.values() for words in kind[:_EXAMPLES]),
    )


def _change(was: Mapping[str, Any] | None, becomes: Mapping[str, Any] | None) -> tuple[str, str]:
    if becomes is None:
        return "ended", "no longer listed"
    last = becomes.get("effective_to", FAR_FUTURE)
    if was is None:
        return "added", "added" if last == FAR_FUTURE else f"added, in force until {last}"
    if last != FAR_FUTURE == was["effective_to"]:
        return "ended", f"ended {last}"
    differ = [name for name in was if was[name] != becomes[name] and name != "effective_to"]
    words = [f"{name.replace('_', ' ')} {_shown(was[name])} to {_shown(becomes[name])}" for name in differ]
    if was.get("effective_to") != becomes.get("effective_to"):
        words.append("in force again" if last == FAR_FUTURE else f"ended {last}, not {was['effective_to']}")
    return "changed", ", ".join(words)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, Decimal) else str(value)


def _one(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> int:
    return cast("int", con.execute(query, parameters).fetchall()[0][0])
