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

from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from therapy_audit.intake.mapping import MappingFile

_TABLES = ("typed", "refused")


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
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise AuditError(
                f"{source_file}: the file cannot be read ({type(error).__name__}); check that you may read it."
            ) from error
        decides = [content, path.name, source_file, input_name, repr(mapping), self.software]
        return f"{content}-{hashlib.sha256(json.dumps(decides).encode()).hexdigest()}"

    def found(self, key: str) -> list[KeptSheet] | None:
        """Return what is kept of a file and keep it for the next run as well; None where it is to be read."""
        if self.old is None or not (self.old / f"{key}.json").exists():
            return None
        for path in sorted(self.old.glob(f"{key}*")):
            _link(path, self.new / path.name)
        told = json.loads((self.new / f"{key}.json").read_text(encoding="utf-8"))
        return [KeptSheet(**{**sheet, "notices": tuple(sheet["notices"])}) for sheet in told]

    def tell(self, key: str, sheets: list[dict[str, Any]]) -> None:
        """Keep what is told of a file, when all its tables are kept."""
        if not all(key.startswith(sheet["sha256"]) for sheet in sheets):
            return  # it was changed while it was read
        (self.new / f"{key}.json").write_text(json.dumps(sheets), encoding="utf-8")

    def write(self, con: duckdb.DuckDBPyConnection, key: str, sheet: int, file_number: int) -> None:
        """Keep the rows of a file's table, which are in intake_scratch."""
        for table in _TABLES:
            con.execute(
                f"COPY (SELECT * EXCLUDE (file_number) FROM intake_scratch.{table} WHERE file_number = {file_number})"
                f" TO '{self._text(key, sheet, table)}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
            )

    def read(self, con: duckdb.DuckDBPyConnection, key: str, sheet: int, file_number: int) -> None:
        """Put the kept rows of a file's table into intake_scratch."""
        for table in _TABLES:
            con.execute(
                f"INSERT INTO intake_scratch.{table} BY NAME SELECT {file_number} AS file_number, *"
                f" FROM read_parquet('{self._text(key, sheet, table)}')"
            )

    def _text(self, key: str, sheet: int, table: str) -> str:
        return str(self.new / f"{key}-{sheet}.{table}.parquet").replace("'", "''")


def _link(path: Path, to: Path) -> None:
    """Have a file under a second name: without a copy where the disk can."""
    if to.exists():
        return
    with suppress(OSError):
        os.link(path, to)
        return
    shutil.copyfile(path, to)
