"""A folder with what the last good run made, so that the next one does again only what is new or changed.

It holds patients' data: what each file gave (intake/keeping), and the tables of the last run (incremental). It is
replaced whole: a run builds a folder of its own in it, and the file workspace.json says which folder counts. Whatever
happens before that file is replaced, the folder before counts; what is not whole, or was made by other software, is
left alone and made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import incremental, pipeline, resources
from therapy_audit.errors import AuditError
from therapy_audit.files import file_hash
from therapy_audit.intake.keeping import Keep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb

    from therapy_audit.config import Config
    from therapy_audit.rules import Rule

_MARK = "workspace.json"  # which folder counts
_ABOUT = "run.json"  # in it: by which software it was made, and the hash of each other file
_REPORT, _STEPS = "audit.duckdb", "steps.duckdb"


def check(config: Config, output: Path) -> None:
    """Raise AuditError where a run cannot have this workspace; `output` is the folder of its report."""
    if config.workspace is None:
        return
    if config.engine != "duckdb":
        raise AuditError("--workspace is for one machine; leave it out, or --engine dask.")
    if config.deidentified:
        raise AuditError("--workspace keeps patients' data as they are; leave it out, or --deidentified.")
    folder, report = config.workspace.resolve(), output.resolve()
    if folder == report or folder in report.parents or report in folder.parents:
        raise AuditError(f"{config.workspace}: a workspace lies beside the report's folder, never in it or around it.")


@dataclass(frozen=True)
class Workspace:
    """The workspace of one run: `old` is the folder of the run before, if that is whole; `new` is this run's."""

    folder: Path
    old: Path | None
    new: Path
    about: dict[str, Any]  # of the run before

    @cached_property
    def files(self) -> Keep:
        """What each file gave."""
        made_alike = self.old is not None and self.about["software"] == software()
        return Keep(self.old / "files" if self.old and made_alike else None, self.new / "files", software())

    def build(
        self,
        con: duckdb.DuckDBPyConnection,
        rules: Sequence[Rule],
        words: str,
        lexicon: Path | None,
        timed: Callable[[str, float], None],
        noted: Callable[[], None],
    ) -> dict[str, int]:
        """Read the notes, tell that (`noted`), and build the models; return what incremental.build() does.

        `words` is the fingerprint of the words for notes.
        """
        from therapy_audit.notes import store

        settings = incremental.fingerprint(con)
        self.about_new.update(words=words, settings=settings)
        con.execute(f"ATTACH '{_text(self.new / _STEPS)}' AS {incremental.STEPS}")
        alike = self.files.old is not None and self.about["words"] == words
        if self.old and alike:
            con.execute(f"ATTACH '{_text(self.old / _REPORT)}' AS {incremental.LAST} (READ_ONLY)")
            con.execute(f"ATTACH '{_text(self.old / _STEPS)}' AS {incremental.LAST_STEPS} (READ_ONLY)")
        store.fill(con, lexicon, incremental.LAST if alike else None)
        noted()
        take_over = alike and self.about["settings"] == settings
        told = incremental.build(con, rules, take_over=take_over, timed=timed)
        if alike:
            con.execute(f"DETACH {incremental.LAST}")
            con.execute(f"DETACH {incremental.LAST_STEPS}")
        con.execute(f"CHECKPOINT {incremental.STEPS}")
        return told

    @cached_property
    def about_new(self) -> dict[str, Any]:
        """What is told of this run."""
        return {"software": software()}

    def keep(self, database: Path) -> None:
        """Keep the tables of this run's report, whose database is closed."""
        shutil.copyfile(database, self.new / _REPORT)
        paths = [path for path in sorted(self.new.rglob("*")) if path.is_file()]
        self.about_new["hashes"] = {path.relative_to(self.new).as_posix(): file_hash(path) for path in paths}
        (self.new / _ABOUT).write_text(json.dumps(self.about_new), encoding="utf-8")

    def commit(self) -> None:
        """Have this run's folder count from now on. AuditError: it cannot be; the report stands all the same."""
        try:
            for path in (*self.new.rglob("*"), self.new):
                pipeline.settle(path)
            _point(self.folder, self.new.name)
        except OSError as fault:
            raise AuditError(
                f"{_unusable(self.folder, fault)} The report stands; the workspace is as it was."
            ) from None
        _clear(self.folder, self.new.name)


@contextmanager
def opened(folder: Path) -> Iterator[Workspace]:
    """Give the workspace of a run; what it made and did not commit goes.

    AuditError: another run has it, or the folder holds other things.
    """
    before = os.umask(0o077)
    try:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _counts(folder)
        except OSError as fault:
            raise _unusable(folder, fault) from None
        with pipeline.locked(
            folder / ".lock", f"{folder}: another run has this workspace; wait for it or name another --workspace."
        ):
            try:
                folder.chmod(0o700)
                counts = _counts(folder)
                if counts is None:
                    _point(folder, None)
                old = folder / counts if counts else None
                about = _about(old) if old else None
                _clear(folder, counts)
                new = folder / uuid.uuid4().hex
                (new / "files").mkdir(parents=True)
            except OSError as fault:
                raise _unusable(folder, fault) from None
            try:
                yield Workspace(folder, old if about else None, new, about or {})
            finally:
                if _counts(folder) != new.name:
                    shutil.rmtree(new, ignore_errors=True)
    finally:
        os.umask(before)


def _unusable(folder: Path, fault: OSError) -> AuditError:
    return AuditError(f"{folder}: the workspace cannot be read or written ({fault.strerror}).")


def software() -> str:
    """Return a hash of all that makes tables of files: the code, its SQL, and what it rests on."""
    made = hashlib.sha256()
    sql = resources.folder("sql")
    texts = resources.texts(sql / "models", ".sql")
    texts |= {name: sql.joinpath(f"{name}.sql").read_text(encoding="utf-8") for name in ("schema", "functions")}
    texts["grains"] = resources.folder("rules").joinpath("grains.yaml").read_text(encoding="utf-8")
    package = Path(__file__).parent
    for path in sorted(path for suffix in ("py", "sql", "yaml") for path in package.rglob(f"*.{suffix}")):
        texts[f"package {path.relative_to(package).as_posix()}"] = path.read_text(encoding="utf-8")
    texts |= {name: version(name) for name in ("therapy-audit", "duckdb", "pyarrow", "rapidfuzz")}
    texts["python"] = platform.python_version()
    for name, text in sorted(texts.items()):
        made.update(f"{name}\0{text}\0".encode())
    return made.hexdigest()


def _counts(folder: Path) -> str | None:
    """Return the name of the folder that counts; '' where none does yet, None in a folder that is empty.

    AuditError: the folder is no workspace.
    """
    mark = folder / _MARK
    if not mark.exists():
        if [path for path in folder.iterdir() if path.name != ".lock"]:
            raise AuditError(
                f"{folder}: the folder holds other things than a workspace; name a new or an empty folder."
            )
        return None
    try:
        name = json.loads(mark.read_text(encoding="utf-8"))["run"]
        return name if name and re.fullmatch("[0-9a-f]{32}", name) and (folder / name).is_dir() else ""
    except (ValueError, KeyError, TypeError):
        return ""  # damaged: made anew


def _about(old: Path) -> dict[str, Any] | None:
    """Return what is told of a run, if all files that it left are as it left them."""
    try:
        about = json.loads((old / _ABOUT).read_text(encoding="utf-8"))
        whole = {_REPORT, _STEPS} <= set(about["hashes"]) and {"software", "words", "settings"} <= set(about)
        if whole and all(file_hash(old / name) == told for name, told in about["hashes"].items()):
            return dict(about)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _point(folder: Path, name: str | None) -> None:
    """Say which folder counts: the file is put in place whole."""
    aside = folder / f"{_MARK}.new"
    aside.write_text(json.dumps({"what": "therapy-audit workspace; it holds patients' data", "run": name}), "utf-8")
    pipeline.settle(aside)
    aside.replace(folder / _MARK)
    pipeline.settle(folder)


def _clear(folder: Path, counts: str | None) -> None:
    """Take away what earlier runs left: all folders of ours but the one that counts."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != counts and re.fullmatch("[0-9a-f]{32}", path.name):
            shutil.rmtree(path, ignore_errors=True)


def _text(path: Path) -> str:
    return str(path).replace("'", "''")
