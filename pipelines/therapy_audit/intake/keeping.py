"""What each file gave, kept for the next run: a file of the same content is not read again.

Kept is what a file gives by itself, before anything is done with all files of a kind: its typed rows, its refused rows,
and what is told of it. By what it is kept says all that decides it: content, name, input, mapping, software.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from therapy_audit.files import file_hash, unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from therapy_audit.intake.mapping import MappingFile

SCRATCH = "intake_scratch."
SHEET = (f"{SCRATCH}typed", f"{SCRATCH}refused")  # the tables of what a file of tables gives


@dataclass(frozen=True)
class KeptSheet:
    """What one table of a file gave. `notices` are those of the file alone; rows_in counts what its rows were."""

    source_file: str
    sha256: str
    byte_count: int
    notices: tuple[str, ...]
    rows_in: int


@dataclass(frozen=True)
class Keep:
    """Where files are kept: `old` of the run before (None: there is none), `new` of this run; both folders."""

    old: Path | None
    new: Path
    software: str

    def key(self, path: Path, source_file: str, input_name: str, mapping: MappingFile | None) -> str:
        """Return by what a file is kept: hashes, of its content first. AuditError: the file cannot be read."""
        try:
            content = file_hash(path)
        except OSError as error:
            raise unreadable(source_file, error) from error
        decides = [content, path.name, source_file, input_name, repr(mapping), self.software]
        return f"{content}-{hashlib.sha256(json.dumps(decides).encode()).hexdigest()}"

    def found(self, key: str) -> Any:
        """Return what is told of a file that is kept, and keep it for the next run too; None where it is to be read."""
        if self.old is None or not (self.old / f"{key}.json").exists():
            return None
        for path in sorted(self.old.glob(f"{key}*")):
            _link(path, self.new / path.name)
        return json.loads((self.new / f"{key}.json").read_text(encoding="utf-8"))

    def sheets(self, key: str) -> list[KeptSheet] | None:
        """Return what the tables of a file gave; None where it is to be read, or is none of tables."""
        told = self.found(key)
        if not isinstance(told, list):
            return None
        return [KeptSheet(**{**sheet, "notices": tuple(sheet["notices"])}) for sheet in told]

    def tell(self, key: str, sha256: str, told: Any) -> None:
        """Keep what is told of a file, when all its rows are kept; not if it was changed while it was read."""
        if key.startswith(sha256):
            (self.new / f"{key}.json").write_text(json.dumps(told), encoding="utf-8")

    def write(
        self, con: duckdb.DuckDBPyConnection, key: str, place: int, file_number: int, tables: Sequence[str] = SHEET
    ) -> None:
        """Keep a file's rows of tables of intake_scratch, by its number; of the contract's, by its name."""
        for table in tables:
            con.execute(
                f"COPY ({_rows(table, file_number)}) TO '{self._text(key, place, table)}'"
                " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
            )

    def read(
        self, con: duckdb.DuckDBPyConnection, key: str, place: int, file_number: int, tables: Sequence[str] = SHEET
    ) -> None:
        """Put a file's kept rows into the tables that they were of."""
        for table in tables:
            number = f"{file_number} AS file_number, " if table.startswith(SCRATCH) else ""
            con.execute(
                f"INSERT INTO {table} BY NAME SELECT {number}* FROM read_parquet('{self._text(key, place, table)}')"
            )

    def _text(self, key: str, place: int, table: str) -> str:
        return str(self.new / f"{key}-{place}.{table.removeprefix(SCRATCH)}.parquet").replace("'", "''")


def _rows(table: str, file_number: int) -> str:
    if table.startswith(SCRATCH):
        return f"SELECT * EXCLUDE (file_number) FROM {table} WHERE file_number = {file_number}"
    file = f"SELECT source_file FROM {SCRATCH}file WHERE file_number = {file_number}"
    return f"SELECT * FROM {table} WHERE source_file = ({file})"


def _link(path: Path, to: Path) -> None:
    """Have a file under a second name: without a copy where the disk can."""
    if to.exists():
        return
    with suppress(OSError):
        os.link(path, to)
        return
    shutil.copyfile(path, to)
