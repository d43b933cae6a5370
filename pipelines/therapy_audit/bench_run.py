"""The whole job on a synthetic clinic: time, processor time and peak memory of each stage, model and rule, and ratios.

Ratios hold on any machine, seconds only on this one: each is of things measured one after the other in one run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from therapy_audit import engine, pipeline, resources, rules, synth
from therapy_audit.config import INPUTS, Config, read
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import duckdb

# A child process runs one of the functions of _WORK: its memory is its own, and nothing is loaded before.
_CHILD = """
import json, sys
from therapy_audit import bench_run
print(json.dumps(bench_run.work(**json.loads(sys.argv[1]))))
"""
_STAGES = ("start", "intake", "quality", "notes", "models", "rules", "report")
_SLOWEST = 15  # models and rules told of
_COLUMNS = (
    *("claim lines", "notes", "MB", "threads", "limit", "bare read s", "whole s", "times", "processor times"),
    *("peak MiB", "lines a second"),
)
_PAGE_HEAD = """# Performance

Made by `therapy-audit bench --write`: a synthetic clinic's CSV files to the finished report, all rules, one process
after the other on one machine. Seconds are this machine's; the ratios are what to go by. *Bare read*: DuckDB reads the
same files into typed tables of a database on disk, and nothing else. Processor seconds are those of all threads.
"""


_AGAINST_PANDAS = """Five rules over {lines:,} claim lines as they stand in `bench/pandas_rules.py`, from the audit's
shared tables to the same findings; the SQL's seconds hold the models that the pandas version works out as well. Reading
the tables into frames took another {seconds:,.1f} processor seconds, and {mib:,} MiB."""


@dataclass(frozen=True)
class Step:
    """A stage, a model or a rule: wall and processor seconds, and the process's peak memory during it in MiB.

    Of models and rules, which run side by side, no processor seconds are told, and memory is that of all that ran.
    """

    name: str
    seconds: float
    processor: float | None
    peak_mib: int


@dataclass(frozen=True)
class Rival:
    """One rule in SQL and in pandas on the same tables: processor seconds of each, and findings, the same in both."""

    rule: str
    findings: int
    sql_seconds: float
    pandas_seconds: float


@dataclass(frozen=True)
class Speed:
    """A measured run. `steps`: the stages, and models and rules (with a blank in their names) within them."""

    lines: int
    notes: int
    services: int
    remittance_lines: int
    findings: int
    megabytes: float  # of the files read, 10^6 bytes
    threads: int
    memory_limit: str | None
    steps: Sequence[Step]
    whole: Step
    bare: Step
    threads_seconds: Mapping[int, float] = field(default_factory=dict)  # whole process by number of threads
    rivals: Sequence[Rival] = ()
    frames_seconds: float = 0.0  # processor seconds to read the frames that pandas works on
    frames_mib: int = 0  # peak memory of the process that holds them

    @property
    def ratio(self) -> float:
        return self.whole.seconds / self.bare.seconds

    @property
    def processor_ratio(self) -> float:
        return (self.whole.processor or 0) / (self.bare.processor or 1)


def speed(
    lines: int,
    seed: int,
    folder: Path | None = None,
    *,
    threads: int | None = None,
    memory_limit: str | None = None,
    remittances: bool = False,
    compare: bool = True,
    runs: int = 1,
) -> Speed:
    """Make a synthetic clinic of about `lines` claim lines (or use that in `folder`) and time the whole job on it.

    Of several `runs` that with the median ratio to its own bare read counts. `compare` also times five rules against
    pandas, and the whole job with one thread, two, and so on by doubling. AuditError: pandas and SQL disagree.
    """
    used = threads or os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="therapy-audit-bench-", dir=folder and folder.parent) as name:
        data = folder or Path(name) / "data"
        if not (data / "claims.csv").exists():
            synth.write(data, seed=seed, lines=lines)
        inputs = {
            key: [str(data / f"{key}.csv")]
            for key in INPUTS
            if (data / f"{key}.csv").exists() and (remittances or key != "remittances")
        }
        settings = data / "audit.toml"  # contracts and their fees, where the data has them
        given = {
            "inputs": inputs,
            "settings": str(settings) if settings.exists() else None,
            "memory_limit": memory_limit,
            "folder": name,
        }
        found = sorted((_measured(given, used) for _ in range(runs)), key=lambda one: one[0].seconds / one[1].seconds)
        whole, bare, steps = found[(runs - 1) // 2]
        manifest = json.loads((Path(name) / "report" / "manifest.json").read_text(encoding="utf-8"))
        result = Speed(
            lines=manifest["rows"]["claim_line"],
            notes=manifest["rows"]["visit_note"],
            services=manifest["rows"]["note_service"],
            remittance_lines=manifest["rows"]["remittance_line"],
            findings=manifest["rows"]["finding"],
            megabytes=sum(Path(file).stat().st_size for files in inputs.values() for file in files) / 1e6,
            threads=used,
            memory_limit=memory_limit,
            steps=steps,
            whole=whole,
            bare=bare,
        )
        if not compare:
            return result
        rivals = _child("rivals", {"database": str(Path(name) / "report" / "audit.duckdb"), "threads": used})
        fewer = [count for count in (1, 2, 4, 8, 16, 32, 64) if count < used]
        return replace(
            result,
            rivals=tuple(Rival(**row) for row in rivals["rivals"]),
            frames_seconds=rivals["frames_seconds"],
            frames_mib=rivals["peak_mib"],
            threads_seconds={count: _measured(given, count)[0].seconds for count in fewer} | {used: whole.seconds},
        )


def _measured(given: Mapping[str, Any], threads: int) -> tuple[Step, Step, tuple[Step, ...]]:
    """Return the whole process, the bare read and the steps of one run."""
    database = Path(given["folder"]) / "bare.duckdb"
    database.unlink(missing_ok=True)
    bare = _child("bare", {"inputs": given["inputs"], "database": str(database), "threads": threads})
    database.unlink(missing_ok=True)
    started = perf_counter()
    run = _child(
        "run",
        {
            "inputs": given["inputs"],
            "settings": given["settings"],
            "output": str(Path(given["folder"]) / "report"),
            "threads": threads,
            "memory_limit": given["memory_limit"],
        },
    )
    whole = Step("whole process", perf_counter() - started, run["processor"], run["peak_mib"])
    steps = tuple(Step(**step) for step in run["steps"])
    return whole, Step("bare read", bare["seconds"], bare["processor"], bare["peak_mib"]), steps


def _child(task: str, given: Mapping[str, Any]) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603  (this Python, our own code)
        [sys.executable, "-c", _CHILD, json.dumps({"task": task, **given})], capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise AuditError(f"bench: the measured process ({task}) failed: {told}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def work(task: str, **given: Any) -> dict[str, Any]:
    """Do what the child process of a measurement does: bare, run or rivals."""
    started = perf_counter()
    before = processor_seconds()
    tasks: dict[str, Callable[..., dict[str, Any]]] = {"bare": _bare, "run": _run, "rivals": _rivals}
    found = tasks[task](**given)
    return {
        "seconds": perf_counter() - started,
        "processor": processor_seconds() - (0 if task == "run" else before),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **found,
    }


def _bare(inputs: Mapping[str, Sequence[str]], database: str, threads: int) -> dict[str, Any]:
    import duckdb

    with duckdb.connect(database, config={"threads": threads}) as con:
        for number, name in enumerate(sorted(file for files in inputs.values() for file in files)):
            con.execute(f"CREATE TABLE t{number} AS SELECT * FROM read_csv(?)", [name])
    return {}


def _run(
    inputs: Mapping[str, Any], settings: str | None, output: str, threads: int, memory_limit: str | None
) -> dict[str, Any]:
    steps: list[Step] = []
    meter = Meter()
    steps.append(Step("start", 0.0, processor_seconds(), meter.peak()))

    def told(name: str, seconds: float) -> None:
        steps.append(meter.step(name, seconds))

    config = replace(
        read(Path(settings)) if settings else Config(inputs=inputs),
        inputs=inputs,
        period=None,
        output=Path(output),
        threads=threads,
        memory_limit=memory_limit,
        previous=Path("none"),
    )
    pipeline.run(config, told)
    return {"steps": [asdict(step) for step in steps], "peak_mib": meter.highest}


class Meter:
    """Tells processor time and peak memory of a stage, and peak memory from one model's or rule's end to the next.

    The peak is that since the last step where the system can be asked for it (Linux), else that of the process so far.
    """

    def __init__(self) -> None:
        self._used = processor_seconds()
        self._stage_peak = self.highest = 0
        self.peak()

    def step(self, name: str, seconds: float) -> Step:
        peak = self.peak()
        self._stage_peak = max(self._stage_peak, peak)
        if " " in name:
            return Step(name, seconds, None, peak)
        before, self._used = self._used, processor_seconds()
        stage_peak, self._stage_peak = self._stage_peak, 0
        return Step(name, seconds, self._used - before, stage_peak)

    def peak(self) -> int:
        """Return the highest memory in MiB since it was asked last."""
        try:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            found = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024
        except (OSError, StopIteration):
            found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        self.highest = max(self.highest, found)
        return found


def processor_seconds() -> float:
    """Return the processor time of this process so far, all its threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# Against pandas ------------------------------------------------------------------------------------------------------


def pandas_rules() -> Any:
    """Return the module bench/pandas_rules.py. AuditError: it is not installed with the package."""
    path = Path(str(resources.folder("bench"))) / "pandas_rules.py"
    spec = importlib.util.spec_from_file_location("pandas_rules", path)
    if spec is None or spec.loader is None or not path.exists():
        raise AuditError(
            "bench: the rules in pandas are in the repository only (bench/); leave them out: --no-compare."
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _rivals(database: str, threads: int) -> dict[str, Any]:
    import duckdb

    with duckdb.connect(database, read_only=True, config={"threads": threads}) as con:
        found, seconds = rivals(con, pandas_rules())
    return {"rivals": [asdict(row) for row in found], "frames_seconds": seconds}


def rivals(con: duckdb.DuckDBPyConnection, module: Any) -> tuple[list[Rival], float]:
    """Run the five rules both ways on the tables of a finished run; return them and the seconds to read the frames.

    AuditError names a rule whose findings differ.
    """
    views = resources.texts(resources.folder("sql") / "models" / "views", ".sql")
    for name, sql in views.items():
        con.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {sql}')
    models = {
        path.rpartition(".")[2]: sql
        for path, sql in resources.texts(resources.folder("sql") / "models", ".sql").items()
    }
    before = processor_seconds()
    frames = {name: con.execute(query).df() for name, query in module.FRAMES.items()}
    frames_seconds = processor_seconds() - before
    found = []
    for rule in rules.load().rules:
        if rule.name not in module.RULES:
            continue
        before = processor_seconds()
        for model in module.MODELS[rule.name]:
            con.execute(f'CREATE OR REPLACE TEMP TABLE "{model}" AS {models[model]}')
        told = con.execute(
            f"SELECT claim_id, claim_line_number, ({module.TOLD[rule.name]})::VARCHAR FROM ({rule.sql})",
            engine.bound(rule),
        ).fetchall()
        between = processor_seconds()
        answer = module.RULES[rule.name](frames, rule.name)
        after = processor_seconds()
        if sorted(told) != sorted(answer.itertuples(index=False, name=None)):
            raise AuditError(f"bench: {rule.name} finds other lines in SQL than in pandas.")
        found.append(Rival(rule.name, len(told), between - before, after - between))
    return found, frames_seconds


# Telling it ----------------------------------------------------------------------------------------------------------


def table(found: Speed) -> str:
    """Return a measured run as text for the terminal."""
    lines = [
        f"{_size(found)}; {found.threads} threads" + (f", limit {found.memory_limit}" if found.memory_limit else ""),
        "",
        f"{'seconds':>9} {'processor':>9} {'MiB':>7}  stage",
        *(_line(step) for step in _stages(found)),
        _line(found.whole),
        _line(replace(found.bare, name="DuckDB's bare read of the same files")),
        "",
        f"{'seconds':>9} {'':>9} {'MiB':>7}  slowest models and rules, two of them side by side",
        *(_line(step) for step in _slowest(found)),
        "",
        f"{found.ratio:9.1f}  times the bare read; {found.processor_ratio:.1f} times its processor seconds",
        f"{found.lines / found.whole.seconds:9,.0f}  claim lines a second",
    ]
    if found.rivals:
        lines += ["", f"{'SQL':>9} {'pandas':>9} {'times':>7}  processor seconds of the same findings"]
        lines += [
            f"{row.sql_seconds:9.2f} {row.pandas_seconds:9.2f} {_times(row):>7}  {row.rule} ({row.findings:,})"
            for row in found.rivals
        ]
        lines += [f"{'':9} {found.frames_seconds:9.2f} {'':>7}  to read the frames, {found.frames_mib:,} MiB"]
    if len(found.threads_seconds) > 1:
        lines += ["", f"{'seconds':>9} {'times':>9}  threads"]
        lines += [f"{seconds:9.2f} {times:9.2f}  {count}" for count, seconds, times in _by_threads(found)]
    return "\n".join(lines)


def keep(found: Speed, file: Path) -> list[Speed]:
    """Add a measured run to a file of JSON lines, and return all that it holds: sizes may be measured days apart.

    AuditError: the file holds something else.
    """
    earlier = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    try:
        runs = [_measured_before(json.loads(line)) for line in earlier]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise AuditError(f"{file}: this holds no measured runs; name another file with --keep.") from None
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(found)) + "\n")
    return [*runs, found]


def _measured_before(told: dict[str, Any]) -> Speed:
    """Return a run from what was kept of it."""
    return Speed(
        **told
        | {
            "steps": tuple(Step(**step) for step in told["steps"]),
            "whole": Step(**told["whole"]),
            "bare": Step(**told["bare"]),
            "rivals": tuple(Rival(**row) for row in told["rivals"]),
            "threads_seconds": {int(count): seconds for count, seconds in told["threads_seconds"].items()},
        }
    )


def page(found: Sequence[Speed]) -> str:
    """Return docs/performance.md from measured runs: the largest in full, and the largest that was compared."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pandas", "pyarrow", "great-expectations"))
    largest = max(found, key=lambda one: one.lines)
    compared = max((one for one in found if one.rivals), key=lambda one: one.lines, default=largest)
    parts = [
        _PAGE_HEAD,
        f"Measured with {os.cpu_count()} processors, {memory:.0f} GiB, Python {platform.python_version()}, {versions}.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {one.lines:,} | {one.notes:,} | {one.megabytes:,.0f} | {one.threads} | {one.memory_limit or 'none'}"
            f" | {one.bare.seconds:,.1f} | {one.whole.seconds:,.1f} | {one.ratio:.1f} | {one.processor_ratio:.1f}"
            f" | {one.whole.peak_mib:,} | {one.lines / one.whole.seconds:,.0f} |"
            for one in sorted(found, key=lambda one: one.lines)
        ),
        "",
        f"The largest in full: {_size(largest)}.",
        "",
        "## Stages",
        "",
        *_steps("stage", [*_stages(largest), largest.whole]),
        "",
        f"## The {_SLOWEST} slowest models and rules",
        "",
        "Two run side by side, so that their seconds add up to more than the stage's, and each peak is that of both.",
        "Where memory asks for it, models are built by shares of the patients: their seconds are those of all shares.",
        "",
        *_steps("model or rule", _slowest(largest)),
    ]
    if compared.rivals:
        parts += [
            "",
            "## Against pandas",
            "",
            _AGAINST_PANDAS.format(lines=compared.lines, seconds=compared.frames_seconds, mib=compared.frames_mib),
            "",
            "| rule | findings | SQL s | pandas s | times |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| {row.rule} | {row.findings:,} | {row.sql_seconds:.2f} | {row.pandas_seconds:.2f} | {_times(row)} |"
                for row in compared.rivals
            ),
        ]
    if len(compared.threads_seconds) > 1:
        parts += [
            "",
            f"## Threads, {compared.lines:,} claim lines",
            "",
            "| threads | whole s | times as fast as one |",
            "|---:|---:|---:|",
            *(f"| {count} | {seconds:,.1f} | {times:.2f} |" for count, seconds, times in _by_threads(compared)),
        ]
    return "\n".join(parts) + "\n"


def _size(found: Speed) -> str:
    remitted = f", {found.remittance_lines:,} remittance lines" if found.remittance_lines else ""
    return (
        f"{found.lines:,} claim lines, {found.notes:,} notes with {found.services:,} services{remitted} "
        f"({found.megabytes:,.0f} MB), {found.findings:,} findings"
    )


def _stages(found: Speed) -> list[Step]:
    return [step for step in found.steps if step.name in _STAGES]


def _slowest(found: Speed) -> list[Step]:
    inner = (step for step in found.steps if " " in step.name)
    return sorted(inner, key=lambda step: -step.seconds)[:_SLOWEST]


def _line(step: Step) -> str:
    used = "" if step.processor is None else f"{step.processor:.2f}"
    return f"{step.seconds:9.2f} {used:>9} {step.peak_mib:7,}  {step.name}"


def _steps(title: str, steps: Sequence[Step]) -> Iterator[str]:
    with_processor = any(step.processor is not None for step in steps)
    yield f"| {title} | s |{' processor s |' if with_processor else ''} peak MiB |"
    yield f"|---|---:|{'---:|' if with_processor else ''}---:|"
    for step in steps:
        used = "" if step.processor is None else f" {step.processor:,.1f} |"
        yield f"| {step.name} | {step.seconds:,.1f} |{used} {step.peak_mib:,} |"


def _times(row: Rival) -> str:
    return f"{row.pandas_seconds / row.sql_seconds:.1f}" if row.sql_seconds else ""


def _by_threads(found: Speed) -> list[tuple[int, float, float]]:
    one = found.threads_seconds[min(found.threads_seconds)]
    return [(count, seconds, one / seconds) for count, seconds in sorted(found.threads_seconds.items())]
