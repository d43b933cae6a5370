"""The same SQL on many machines: models by patient, then by clinician, in Dask's workers; the same findings.

rules/grains.yaml says under which key each model is closed. What is closed under a patient is built from a partition's
share of the contract tables, partition by partition; what is closed under a clinician from what those left; the rest,
and small parts of the others, on the machine that runs the audit, over the partitions' files. Workers read and write
Parquet in one folder that all of them see, on any path that fsspec knows.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import statistics
import tempfile
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import closed, engine, progress, resources, stopping
from therapy_audit import rules as rulebook
from therapy_audit.errors import AuditError
from therapy_audit.notes import store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import duckdb

# What `timed` is told: models built on the machine of the run, tables handed over, the time that the workers took.
HERE, EXCHANGED, AT_WORK = "models here,", "exchange by", "workers by"
_RETRIES = 3  # of a task that failed; a worker that is lost does not count
_SLOW = 3  # times as long as the others: a second worker tries the same
_PATIENCE = 30.0  # seconds before any task is slow
_MARK = "here"  # the file by which workers see that they see the exchange
_CONNECT = 15  # seconds until a scheduler answers


@dataclass(frozen=True)
class Input:
    """A table as it lies in Parquet: {column: type} as DuckDB has it in memory, and files."""

    types: Mapping[str, str]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """What one worker builds of one partition, from which files; the results are <root>/<table>/<part>.parquet."""

    root: str
    part: int
    inputs: Mapping[str, Input]
    steps: tuple[tuple[str, str, str], ...]  # name, kind, sql
    outputs: tuple[str, ...]
    reads_notes: bool = False
    lexicon: Mapping[str, str] | None = None  # a clinic's own words, {file: text}


Types = dict[str, dict[str, str]]  # {table: {column: type}}
if TYPE_CHECKING:
    Runner = Callable[[Sequence[Task]], Sequence[Types]]


def build(
    con: duckdb.DuckDBPyConnection,
    root: str,
    parts: int,
    run: Runner,
    *,
    lexicon: Path | None = None,
    timed: Callable[[str, float], None] = lambda _name, _seconds: None,
) -> list[int]:
    """Read the notes and build all models of `con`, whose contract tables are filled; return each partition's lines.

    `root` is a folder, or an fsspec address, that is empty and that all workers see; `run` runs tasks in any order and
    any number of times. Afterwards `con` holds what store.fill and engine.build_models leave; steps are views of the
    files below `root`.
    """
    engine.attach_unsaved(con)
    exchange = _Exchange(con, root, parts, {step.name: step for step in closed.plan(con)}, run, lexicon)
    waiting = dict(exchange.steps)
    with progress.stage("models", len(waiting)) as done:
        while waiting:
            before = len(waiting)
            for key in ("whole", "patient", "clinician"):
                ready = _ready(waiting, key)
                if not ready:
                    continue
                started = time.perf_counter()
                at_work = 0.0
                if key == "whole":
                    for step in ready:
                        engine.make(con, step.kind, step.name, step.sql)
                else:
                    at_work = exchange.build(ready, key)
                for step in ready:
                    del waiting[step.name]
                done(len(ready))
                here = time.perf_counter() - started - at_work
                names = ", ".join(step.name for step in ready)
                if key == "whole":
                    timed(f"{HERE} whole: {names}", here)
                else:
                    timed(f"{EXCHANGED} {key}: {names}", here)
                    timed(f"{AT_WORK} {key}: {names}", at_work)
            if len(waiting) == before:
                raise RuntimeError(f"models that wait for each other: {', '.join(waiting)}")
    exchange.keep()
    con.execute((resources.folder("sql") / "in_scope.sql").read_text(encoding="utf-8"))
    return exchange.lines()


def _ready(waiting: Mapping[str, closed.Step], key: str) -> list[closed.Step]:
    """Return the steps of a key that wait for none but each other, each after those that it reads."""
    ready: dict[str, closed.Step] = {}
    while found := [
        step
        for step in waiting.values()
        if step.name not in ready
        and (step.key == key or (step.key == "any" and key == "whole"))
        and not (step.needs & set(waiting)) - set(ready)
    ]:
        ready |= {step.name: step for step in found}
    return list(ready.values())


class _Exchange:
    """The files between the machine that runs the audit and the workers."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        root: str,
        parts: int,
        steps: Mapping[str, closed.Step],
        run: Runner,
        lexicon: Path | None,
    ) -> None:
        self.con, self.root, self.parts, self.steps, self.run = con, root, parts, steps, run
        own = sorted(lexicon.glob("*.yaml")) if lexicon else []
        self.lexicon = {path.name: path.read_text(encoding="utf-8") for path in own} if lexicon else None
        self.built: dict[str, Input] = {}  # by workers; the files in the order of the partitions
        self.shipped: dict[tuple[str, str], list[Input]] = {}
        _see(con, root)
        self.share_out()

    def build(self, steps: Sequence[closed.Step], key: str) -> float:
        """Have the workers build these steps, partition by partition; return the seconds that they were at work."""
        if key == "clinician":
            self.shipped = {of: files for of, files in self.shipped.items() if of[1] != key}
            self.share_out_clinicians(steps)
        views = [self.steps[name] for step in steps for name in sorted(step.needs) if self.steps[name].key == "any"]
        wanted = [*{view.name: view for view in views}.values(), *steps]
        own = {step.name for step in wanted} | (
            set(closed.NOTES) if "notes" in {step.name for step in steps} else set()
        )
        asked = {name for step in wanted for name in (*step.needs, *step.reads)} - own - {"notes"}
        inputs = {name: self._inputs(name, key) for name in sorted(asked)}
        outputs = [name for step in steps for name in (closed.NOTES if step.name == "notes" else (step.name,))]
        started = time.perf_counter()
        done = self.run(
            [
                Task(
                    self.root, part, {name: files[part] for name, files in inputs.items()},
                    tuple((step.name, step.kind, step.sql) for step in wanted if step.name != "notes"),
                    tuple(outputs), "notes" in {step.name for step in steps},
                    self.lexicon,
                )
                for part in range(self.parts)
            ]
        )  # fmt: skip
        at_work = time.perf_counter() - started
        for name in outputs:
            files = tuple(_place(self.root, name, part) for part in range(self.parts))
            self.built[name] = Input(done[0][name], files)
            if name in closed.NOTES:
                self._keep_notes(name)
            else:
                engine.make(self.con, "VIEW", name, reading(self.built[name]))
        return at_work

    def _inputs(self, name: str, key: str) -> list[Input]:
        """Return a table as the task of each partition reads it, written out if it has not been yet."""
        if key == "patient" and name in self.built:
            whole = self.built[name]
            return [Input(whole.types, (file,)) for file in whole.files]
        if (name, key) not in self.shipped:
            self.shipped[name, key] = self._ship(name, key)
        return self.shipped[name, key]

    def _ship(self, name: str, key: str) -> list[Input]:
        types = closed.types_of(self.con, name)
        columns = written(types)
        if name == "claim_line":  # line_id is where a line stands in the whole table
            types, columns = {"rowid": "BIGINT", **types}, f"rowid, {columns}"
        folder = _place(self.root, f"{key}_{name}")
        _make(folder)
        part = self._whose(name, key, types)
        if part is None:
            file, some = f"{folder}/all.parquet", " LIMIT 1" if name in rulebook.grains().models.any_row else ""
            self.con.execute(
                f'COPY (SELECT {columns} FROM "{name}"{some}) TO {_text(file)} (FORMAT parquet, COMPRESSION zstd)'
            )
            return [Input(types, (file,))] * self.parts
        number = "rowid, " if name == "claim_line" else ""
        self.con.execute(
            f'COPY (SELECT {columns}, part FROM (SELECT {number}* FROM "{name}") AS given INNER JOIN {part})'
            f" TO {_text(folder)} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (part))"
        )
        return [Input(types, _files(f"{folder}/part={part}")) for part in range(self.parts)]

    def _whose(self, name: str, key: str, types: Mapping[str, str]) -> str | None:
        """Return what a table is joined with to know the partition of each row; None where all have all of it."""
        models = rulebook.grains().models
        if key == "clinician" and not closed.given_whole(name):
            columns = {by[name] for by in models.clinician.values() if name in by}
            return f"clinician_part ON given.{columns.pop()} = clinician_part.npi" if columns else None
        match closed.named_by(name, types):
            case "patient_id":
                parts = f"(SELECT unnest(range({self.parts})) AS part) AS share"
                return f"{parts} ON hash(patient_id) % {self.parts} = share.part"
            case "line_id" | "claim_id" as column:
                return f"{column.removesuffix('_id')}_part USING ({column})"
        return None

    def share_out(self) -> None:
        """Say in which partition each claim line and claim is."""
        part = f"(hash(patient_id) % {self.parts})::INTEGER AS part"
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE line_part AS SELECT rowid AS line_id, {part} FROM claim_line")
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE claim_part AS SELECT DISTINCT claim_id, {part} FROM claim_line")

    def share_out_clinicians(self, steps: Sequence[closed.Step]) -> None:
        """Say in which partition each clinician of the tables that these steps read is."""
        given = {
            (table, column) for step in steps for table, column in rulebook.grains().models.clinician[step.name].items()
        }
        own = {step.name for step in steps}
        spread(self.con, [(table, column) for table, column in sorted(given) if table not in own], self.parts)

    def _keep_notes(self, name: str) -> None:
        """Put what the partitions read in notes into its table; a text that several have was read in each."""
        rows = reading(self.built[name], "filename")
        if name != "service_text":
            rows = f"FROM ({rows}) QUALIFY dense_rank() OVER (PARTITION BY text_number ORDER BY filename) = 1"
        self.con.execute(f"INSERT INTO {name} BY NAME SELECT * EXCLUDE (filename) FROM ({rows})")

    def keep(self) -> None:
        """Turn the models that the database keeps from views of files into tables."""
        for name in self.built:
            if name in self.steps and self.steps[name].kind == "TABLE":
                engine.make(self.con, "TABLE", name, f'FROM {engine.UNSAVED}.main."{name}"')
                self.con.execute(f'DROP VIEW {engine.UNSAVED}.main."{name}"')
        for name in ("line_part", "claim_part", "clinician_part"):
            self.con.execute(f"DROP TABLE IF EXISTS {name}")

    def lines(self) -> list[int]:
        """Return how many claim lines each partition had."""
        files = self.shipped["claim_line", "patient"]
        return [self.con.execute(f"SELECT count(*) FROM ({reading(part)})").fetchall()[0][0] for part in files]


def spread(con: duckdb.DuckDBPyConnection, tables: Sequence[tuple[str, str]], parts: int) -> None:
    """Put the clinicians of (table, column) into `clinician_part` (npi, items, part), in parts of about equal size.

    The largest come first, to and fro over the parts: one huge clinician has the smallest of the others beside it.
    """
    rows = " UNION ALL ".join(
        f'SELECT {column} AS npi, count(*) AS items FROM "{table}" GROUP BY npi' for table, column in tables
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE clinician_part AS
        WITH size AS (
            SELECT npi, sum(items)::BIGINT AS items FROM ({rows}) WHERE npi IS NOT NULL GROUP BY npi
        ),
        ranked AS (
            SELECT npi, items, row_number() OVER (ORDER BY items DESC, npi) - 1 AS place FROM size
        )
        SELECT
            npi, items,
            CASE
                WHEN place // {parts} % 2 = 0 THEN place % {parts} ELSE {parts} - 1 - place % {parts}
            END::INTEGER AS part
        FROM ranked
        """
    )


def work(task: Task, folder: str | None = None, memory_limit: str | None = None) -> Types:
    """Build the steps of a task and write them, with a database in a new folder below `folder` that goes afterwards.

    Each file is written aside and put in its place whole, so a task may run twice, also at once. Returns the types of
    each table written.
    """
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="therapy-audit-") as own,
        engine.connect(Path(own) / "part.duckdb", threads=1, memory_limit=memory_limit) as con,
    ):
        _see(con, task.root)
        engine.create_tables(con)
        engine.attach_unsaved(con)
        for name, given in task.inputs.items():
            con.execute(f'CREATE OR REPLACE TABLE "{name}" AS {reading(given)}')
        if task.reads_notes:
            words = Path(own) / "lexicon"
            for file, text in (task.lexicon or {}).items():
                words.mkdir(exist_ok=True)
                (words / file).write_text(text, encoding="utf-8")
            store.fill(con, words if task.lexicon else None)
        for name, kind, sql in task.steps:
            engine.make(con, kind, name, sql)
        types = {name: closed.types_of(con, name) for name in task.outputs}
        for name, columns in types.items():
            write(con, f'SELECT {written(columns)} FROM "{name}"', _place(task.root, name, task.part))
    return types


def write(con: duckdb.DuckDBPyConnection, query: str, file: str) -> None:
    """Write a query's rows as Parquet, aside and then in place: whoever reads the file finds all of it or none."""
    aside = f"{file}.{uuid.uuid4().hex}"
    _make(file.rpartition("/")[0])
    con.execute(f"COPY ({query}) TO {_text(aside)} (FORMAT parquet, COMPRESSION zstd)")
    if "://" in file:
        import fsspec

        fsspec.filesystem(file.partition("://")[0]).mv(aside, file)
    else:
        Path(aside).replace(file)


def written(types: Mapping[str, str]) -> str:
    """Return the select list that writes a table: Parquet has no integers of 128 bits and would round them."""
    return ", ".join(
        f'"{name}"::DECIMAL(38, 0) AS "{name}"'
        if kind == "HUGEINT"
        else f'"{name}"::VARCHAR AS "{name}"'
        if "HUGEINT" in kind
        else f'"{name}"'
        for name, kind in types.items()
    )


def reading(given: Input, also: str = "") -> str:
    """Return the query that reads a table back with its types."""
    columns = ", ".join(f'"{name}"::{kind} AS "{name}"' for name, kind in given.types.items())
    if not given.files:
        nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in given.types.items())
        return f"SELECT {nothing} WHERE FALSE"
    files = ", ".join(map(_text, given.files))
    more, asked = (f", {also}", f", {also} = TRUE") if also else ("", "")
    return f"SELECT {columns}{more} FROM read_parquet([{files}], hive_partitioning = FALSE{asked})"


def _text(value: str) -> str:
    """Return a path of ours as an SQL text: COPY and views take no bound values."""
    return "'" + value.replace("'", "''") + "'"


def _place(root: str, table: str, part: int | None = None) -> str:
    return f"{root}/{table}" if part is None else f"{root}/{table}/{part:05}.parquet"


def _make(folder: str) -> None:
    if "://" in folder:
        import fsspec

        fsspec.filesystem(folder.partition("://")[0]).makedirs(folder, exist_ok=True)
    else:
        Path(folder).mkdir(parents=True, exist_ok=True)


def _files(folder: str) -> tuple[str, ...]:
    if "://" in folder:
        import fsspec

        protocol = folder.partition("://")[0]
        return tuple(sorted(f"{protocol}://{file}" for file in fsspec.filesystem(protocol).glob(f"{folder}/*.parquet")))
    return tuple(sorted(str(file) for file in Path(folder).glob("*.parquet")))


def _see(con: duckdb.DuckDBPyConnection, root: str) -> None:
    """Let DuckDB read and write below an fsspec address."""
    if "://" in root:
        import fsspec

        con.register_filesystem(fsspec.filesystem(root.partition("://")[0]))


def alone(tasks: Sequence[Task]) -> list[Types]:
    """Run tasks one after another in this process."""
    return [work(task) for task in tasks]


def check(scheduler: str | None, shared: str | None) -> None:
    """Raise AuditError where a run on workers lacks what it takes, before anything is read."""
    if not find_spec("distributed") or not find_spec("fsspec"):
        raise AuditError("--engine dask needs Dask, which is not installed; run: pip install 'therapy-audit[cluster]'.")
    if scheduler and not shared:
        raise AuditError(
            "--scheduler needs --exchange: a folder, or an address such as s3://bucket/folder, that the machine of the "
            "run and all workers see."
        )


@dataclass(frozen=True)
class Workers:
    """What runs tasks, how many at once, and what looks whether all see a folder."""

    run: Runner
    slots: int
    look: Callable[[str], None]


@contextmanager
def workers(scheduler: str | None, processes: int | None = None) -> Iterator[Workers]:
    """Give Dask's workers: those of the scheduler at an address, else so many processes of this machine.

    A task whose worker is lost runs on another, one that failed is tried again, and one that takes far longer than the
    others is begun a second time elsewhere: what is done first counts. AuditError: no scheduler answers, or it has no
    workers.
    """
    distributed: Any = import_module("distributed")
    cluster: Any = None
    with ExitStack() as opened:
        if scheduler:
            try:
                client = opened.enter_context(distributed.Client(scheduler, timeout=_CONNECT))
            except (OSError, ValueError) as fault:
                raise AuditError(
                    f"--scheduler {scheduler}: no Dask scheduler answers there ({type(fault).__name__}); "
                    "write it as tcp://host:8786."
                ) from None
        else:
            cluster = opened.enter_context(
                distributed.LocalCluster(
                    n_workers=processes or os.cpu_count() or 1, threads_per_worker=1, processes=True,
                    host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
                )
            )  # fmt: skip
            client = opened.enter_context(distributed.Client(cluster))
        slots = sum(client.nthreads().values())
        if not slots:
            raise AuditError(f"--scheduler {scheduler}: it has no workers; start some with `dask worker`.")
        try:
            yield Workers(lambda tasks: on_client(client, tasks), slots, lambda root: _look(client, root))
        except BaseException:
            if cluster is not None:
                _end(cluster.workers.values())
            raise


def _end(nannies: Iterable[Any]) -> None:
    """End our own workers at once: Dask would wait seconds for what they are at, which nobody wants any more."""
    for nanny in nannies:
        nanny.auto_restart = False
        with suppress(OSError, TypeError):  # it has ended by itself, or has not begun
            os.kill(nanny.pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)


def _look(client: Any, root: str) -> None:
    """Raise AuditError where a worker does not see the folder, or would not build what this machine would."""
    told = client.run(about, root).values()
    here = about(root)
    if blind := [sees for sees, _ in told if not sees]:
        raise AuditError(
            f"--exchange: {len(blind)} of {len(told)} workers do not see the folder that was made there; name one that "
            "all machines share, under the same path."
        )
    if others := sorted({made for _, made in told if made != here[1]}):
        raise AuditError(
            f"The workers have {'; '.join(others)}, and this machine {here[1]}; install the same everywhere, so that "
            "the findings are the same."
        )


def about(root: str) -> tuple[bool, str]:
    """Return whether this machine sees a folder, and the versions on which findings rest."""
    if "://" in root:
        import fsspec

        sees = bool(fsspec.filesystem(root.partition("://")[0]).exists(f"{root}/{_MARK}"))
    else:
        sees = (Path(root) / _MARK).exists()
    return sees, ", ".join(f"{name} {version(name)}" for name in ("therapy-audit", "duckdb"))


def in_worker(task: Task) -> Types:
    """Do a task within the memory and on the disk of the worker that was given it."""
    worker: Any = import_module("distributed").get_worker()
    limit = worker.memory_manager.memory_limit
    os.umask(0o077)
    # DuckDB is not all that lives in the worker, and counts most, not all, of what it takes.
    share = f"{int(0.6 * limit / worker.state.nthreads / 2**20)}MiB" if limit else None
    return work(task, worker.local_directory, share)


def _mark(root: str) -> None:
    """Put an empty file there: some stores have no folders."""
    if "://" in root:
        import fsspec

        fsspec.filesystem(root.partition("://")[0]).pipe_file(f"{root}/{_MARK}", b"")
    else:
        (Path(root) / _MARK).touch()


@contextmanager
def exchange(base: str) -> Iterator[str]:
    """Make a folder of its own below a folder or fsspec address, and take it away at the end."""
    root = f"{base.rstrip('/')}/therapy-audit-{uuid.uuid4().hex}"
    _make(root)
    _mark(root)
    try:
        yield root
    finally:
        if "://" in root:
            import fsspec

            fsspec.filesystem(root.partition("://")[0]).rm(root, recursive=True)
        else:
            shutil.rmtree(root, ignore_errors=True)


def on_client(client: Any, tasks: Sequence[Task]) -> list[Types]:
    """Run the tasks on a client's workers."""
    distributed: Any = import_module("distributed")
    results: dict[int, Types] = {}
    waiting = {client.submit(in_worker, task, retries=_RETRIES, pure=False): place for place, task in enumerate(tasks)}
    begun = time.monotonic()
    took: list[float] = []
    again: set[int] = set()
    while len(results) < len(tasks):
        try:
            done = distributed.wait(list(waiting), timeout=0.5, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            done = set()
        stopping.check()
        for future in done:
            place = waiting.pop(future)
            if place not in results:
                results[place] = future.result()
                took.append(time.monotonic() - begun)
        left = set(range(len(tasks))) - set(results)
        # All run at once by now, or have: the last of them may be on a machine that is slow.
        if took and 2 * len(left) <= len(tasks):
            late = max(_PATIENCE, _SLOW * statistics.median(took))
            for place in left - again if time.monotonic() - begun > late else ():
                again.add(place)
                waiting[client.submit(in_worker, tasks[place], retries=_RETRIES, pure=False)] = place
    client.cancel(list(waiting))
    return [results[place] for place in range(len(tasks))]
