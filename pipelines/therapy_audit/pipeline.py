"""One run: intake, quality, models, checks, report, in a folder that is built aside and put in place whole."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from therapy_audit import benchmarks, compare, deidentify, engine, fees, history, rules, sealing, stopping
from therapy_audit.config import Config, day, reference_beside, settled, span
from therapy_audit.errors import AuditError
from therapy_audit.files import file_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from therapy_audit.intake.keeping import Keep
    from therapy_audit.workspace import Workspace

_SEVERITY_ORDER = ("error", "warning", "info")
_COUNTED_TABLES = (
    "claim_line", "visit_note", "note_service", "provider", "plan_of_care", "authorization", "patient_opening_balance",
    "remittance", "remittance_claim", "remittance_line", "remittance_adjustment", "x12_problem", "x12_imbalance",
    "review", "quarantine", "finding", "finding_line", "finding_review",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """Where a run's report is and what it found."""

    folder: Path
    summary: dict[str, Any]
    rule_errors: dict[str, str]
    quality: dict[str, Any]
    titles: dict[str, str]
    notices: list[str]

    def reached(self, fail_on: str) -> bool:
        """Return whether there are findings of severity `fail_on` or above."""
        if fail_on == "never":
            return False
        counts = self.summary["findings_by_severity"]
        return any(counts.get(name, 0) for name in _SEVERITY_ORDER[: _SEVERITY_ORDER.index(fail_on) + 1])


def run(
    config: Config, stage: Callable[[str, float], None] = lambda _name, _seconds: None, now: datetime | None = None
) -> Result:
    """Audit and write the report folder; `stage` is told each finished stage and its seconds.

    `now` is the time of the run where it is not this moment: an earlier run that is done again.

    Raises AuditError for bad input or usage; then the last good folder is untouched, and what was refused is told in
    `<folder>.refused`.
    """
    if not config.inputs.get("claims"):
        raise AuditError("No claims were given; name them with --claims or under [inputs] in audit.toml.")
    if config.engine == "dask":
        from therapy_audit import cluster

        cluster.check(config.scheduler, config.exchange)
    config = settled(config)  # before anything is read
    if config.deidentified and (config.with_text or config.data_docs):
        raise AuditError("A report without names shows no text of notes and no data docs; leave out one or the other.")
    if config.encrypt_to:
        sealing.check(config.encrypt_to)
        if config.deliver and config.deliver.folder:
            raise AuditError("[deliver] copies a report in plain; leave out its folder, or encrypt_to.")
    dates = span(config.period) if config.period else None
    ruleset = rules_of(config)
    output = report_folder(config)
    with ExitStack() as held:
        kept = None
        if config.workspace:
            from therapy_audit import workspace

            workspace.check(config, output)
            kept = held.enter_context(workspace.opened(config.workspace))
        with replaced(output) as building:
            result = _audit(config, ruleset, dates, output, building, stage, now or moment(), kept)
        if kept:
            kept.commit()
        return result


def report_folder(config: Config) -> Path:
    """Return the folder that a run writes."""
    return settled(config).output or Path()  # as settled, there is always one


def rules_of(config: Config) -> rules.RuleSet:
    """Return the rules, the user's own with them, with what the config puts in place of the shipped terms.

    AuditError: the config names a plan that there is not, or a rule of the user's own cannot run.
    """
    loaded = rules.load(config.rules)
    if config.rules:
        engine.try_own(loaded)
    known = {plan.name for plan in loaded.plans}
    for pattern, plan in config.payers.items():
        if plan not in known:
            raise AuditError(
                f"[payers] maps '{pattern}' to '{plan}', which is no plan; there are {', '.join(sorted(known))}."
            )
    return engine.override(loaded, config.parameters, config.unit_method, config.required_modifiers, config.pairs)


def take_in(con: Any, config: Config, ruleset: rules.RuleSet, keep: Keep | None = None) -> None:
    """Fill the contract tables of an empty database from the config's files, and the payers' plans.

    What is kept of a file stands in its place. AuditError names every file that cannot be used.
    """
    from therapy_audit import intake

    engine.prepare(con, ruleset, config.reference or reference_beside(Path()))
    engine.set_locality(con, config.locality, "audit.toml: locality")
    fees.load(con, config.fees, {plan.name: plan.counts_toward_kx_threshold for plan in ruleset.plans})
    if config.benchmarks:
        benchmarks.load(con, config.benchmarks)
    intake.load(con, intake.Inputs(config.inputs, config.mappings), keep)
    engine.map_payers(con, (*config.payers.items(), *ruleset.payer_patterns))


def _audit(
    config: Config,
    ruleset: rules.RuleSet,
    dates: tuple[Any, Any] | None,
    output: Path,
    building: Path,
    stage: Callable[[str, float], None],
    now: datetime,
    kept: Workspace | None,
) -> Result:
    from therapy_audit import quality, report
    from therapy_audit.notes import lexicon

    timed = _Clock(stage)
    database = building / "audit.duckdb"
    settings: dict[str, Any] = {"threads": config.threads, "memory_limit": config.memory_limit}
    key = deidentify.key(config.key or Path(deidentify.KEY)) if config.deidentified else None
    if key:
        # A decision is on a finding by its number, which is another one here.
        config = replace(config, inputs={**config.inputs, "reviews": ()}, previous=Path("none"))
    with engine.connect(database, **settings) as con:
        take_in(con, config, ruleset, kept.files if kept else None)
        if key:
            deidentify.pseudonymise(con, key)
    timed("intake")
    checked = quality.check(
        database, previous=_previous_counts(output), data_docs=building / "data_docs" if config.data_docs else None
    )
    quality.write(checked, building / "quality")
    timed("quality")
    with engine.connect(database, **settings) as con, ExitStack() as opened:
        if not checked["success"] and config.quality == "stop":
            raise AuditError(_refuse(con, checked, output, building))
        start, end = dates or (None, None)
        first, last = engine.set_period(con, start, end, day(config.as_of) if config.as_of else None, now.date())
        notices = heard_at_once(con)
        period = config.period or f"{first}..{last}"
        partitions = opened.enter_context(_models(con, config, ruleset, building, timed, kept))
        if config.rules:
            _keep(config.rules, building / "rules")
        errors = engine.run_rules(con, ruleset.rules, timed.detail)
        timed("rules")
        if key:
            deidentify.shift(con, key)
        words = lexicon.fingerprint(config.lexicon)
        manifest = _manifest(con, ruleset, words, period, errors, _own_settings(config), now)
        if partitions is not None:
            manifest["partitions"] = {"claim_lines": partitions}
        if not key:  # a path may hold a name
            manifest["run"] = _again(config, output)
        else:
            manifest["deidentified"] = {"key": deidentify.fingerprint(key)}
        earlier = _earlier(config, output, last, manifest)
        summary = report.write(
            con,
            building,
            period=period,
            quality=checked,
            report_rows=config.report_rows,
            workbook_rows=config.workbook_rows,
            with_text=config.with_text,
            settings=_own_settings(config),
            deidentified=deidentify.fingerprint(key) if key else None,
            rules=ruleset.rules,
            comparing=lambda told: _compare(con, ruleset, earlier, building, output, told, manifest),
        )
        con.execute("CHECKPOINT")
    if key:
        deidentify.rewrite(database, key)
    if kept:
        kept.keep(database)
    # Only now what workers left is gone from the folder.
    manifest["outputs"] = hashes(building)
    (building / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    timed("report")
    return Result(output, summary, errors, checked, {rule.name: rule.title for rule in ruleset.rules}, notices)


@contextmanager
def _models(
    con: Any, config: Config, ruleset: rules.RuleSet, building: Path, timed: _Clock, kept: Workspace | None
) -> Iterator[list[int] | None]:
    """Read the notes and build the models, here or on Dask's workers; give the claim lines of each of their partitions.

    What the workers left is there until the end of the block.
    """
    if kept:
        from therapy_audit.notes import lexicon

        words = lexicon.fingerprint(config.lexicon)
        kept.build(con, ruleset.rules, words, config.lexicon, timed.detail, lambda: timed("notes"))
        engine.lock(con)
        timed("models")
        yield None
        return
    if config.engine == "duckdb":
        from therapy_audit import shares
        from therapy_audit.notes import store

        store.fill(con, config.lexicon)
        engine.lock(con)
        timed("notes")
        if (count := shares.needed(con)) > 1:
            shares.build(con, count, ruleset.rules, timed.detail)
        else:
            engine.build_models(con, timed.detail, rules=ruleset.rules)
        timed("models")
        yield None
        return
    from therapy_audit import cluster

    with cluster.exchange(config.exchange or str(building.resolve())) as root:
        with cluster.workers(config.scheduler, config.threads) as found:
            found.look(root)
            parts = config.partitions or 4 * found.slots
            lines = cluster.build(con, root, parts, found.run, lexicon=config.lexicon, timed=timed.detail)
        engine.lock(con, [root])
        timed("models")
        yield lines


def _own_settings(config: Config) -> dict[str, Any]:
    """Return what the user set in place of the shipped terms: the result rests on it."""
    given: dict[str, Any] = {
        "as_of": config.as_of,
        "locality": config.locality,
        "parameters": dict(config.parameters),
        "unit_method": dict(config.unit_method),
        "required_modifiers": {plan: list(names) for plan, names in config.required_modifiers.items()},
        "pairs": [asdict(pair) for pair in config.pairs],
        "payers": dict(config.payers),
        "fees": fees.fingerprints(config.fees),
        "benchmarks": benchmarks.told(config.benchmarks) if config.benchmarks else None,
    }
    if config.deidentified:
        del given["payers"]  # a pattern may be a name
    return {name: value for name, value in given.items() if value}


def _again(config: Config, output: Path) -> dict[str, Any]:
    """Return what else it takes to do the run again: the files, by their paths from the report's folder.

    Inputs are in the order they were read, by the names that `inputs` of the manifest tells their hashes by.
    """
    from therapy_audit.intake import named_files

    def from_here(path: Path) -> str:
        try:
            return Path(os.path.relpath(path.resolve(), output.resolve())).as_posix()
        except ValueError:  # another drive
            return str(path.resolve())

    given = {
        "period": config.period,
        "inputs": {
            name: {source_file: from_here(path) for source_file, path in files.items()}
            for name, files in named_files(config.inputs).items()
            if files
        },
        "mappings": {from_here(path): file_hash(path) for path in config.mappings},
        "fees": {plan: [from_here(path) for path in paths] for plan, paths in config.fees.items()},
        "benchmarks": from_here(config.benchmarks) if config.benchmarks else None,
        "lexicon": from_here(config.lexicon) if config.lexicon else None,
        "reference": from_here(reference) if (reference := config.reference or reference_beside(Path())) else None,
    }
    return {name: value for name, value in given.items() if value}


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a report, by its path in the folder.

    The manifest is left out, which holds them, and the database, which guards its own blocks by checksums.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("audit.duckdb")]
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    names.pop("manifest.json", None)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(file_hash, names.values()), strict=True))


def _keep(own: Path, folder: Path) -> None:
    """Copy the user's own rules into the report: `explain` and `rules coverage` read them as they were."""
    for path in sorted((*own.rglob("*.yaml"), *own.rglob("*.sql"))):
        copy = folder / path.relative_to(own)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


# Of the notices those that can be wrong for a whole column: left out, dates that no American export has, an encoding
# that was guessed.
_AT_ONCE = r"^columns left out|: read day first|rows in the other order were refused|^not UTF-8"


def heard_at_once(con: Any) -> list[str]:
    """Return what a user should hear at once, not only in the report."""
    rows = con.execute(
        "SELECT source_file, notice FROM (SELECT source_file, unnest(notices) AS notice FROM intake_file)"
        " WHERE regexp_matches(notice, ?) ORDER BY ALL",
        [_AT_ONCE],
    ).fetchall()
    hint = "`therapy-audit map FILE` proposes where they belong; correct that, and name it with --mapping"
    return [f"{source_file}: {notice}. {hint}" for source_file, notice in rows]


class _Clock:
    """Tells the seconds since the last stage ended."""

    def __init__(self, stage: Callable[[str, float], None]) -> None:
        self._stage = stage
        self._last = perf_counter()

    def __call__(self, name: str) -> None:
        stopping.check()
        now = perf_counter()
        self._stage(name, now - self._last)
        self._last = now

    def detail(self, name: str, seconds: float) -> None:
        stopping.check()
        self._stage(name, seconds)


# The folder's own faults; others are ours.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNWRITABLE = {*_FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOLCK}


@contextmanager
def locked(path: Path, told: str, wait: float = 0) -> Iterator[None]:
    """Hold the lock of this file, which the system frees when a process dies; AuditError `told` if another holds it."""
    lock = FileLock(path, timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise AuditError(told) from None
    except OSError as fault:
        if fault.errno not in _UNWRITABLE:
            raise
        raise AuditError(f"{path.parent}: {path.name} cannot be written there ({fault.strerror}).") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replaced(output: Path, umask: int = 0o077) -> Iterator[Path]:
    """Give a private folder beside `output`; put it in output's place if all goes well, else leave output as it was."""
    parent = output.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise AuditError(f"{parent}: the output folder cannot be made ({fault.strerror}).") from None
    if output.is_symlink():
        raise AuditError(f"{output}: this is a symbolic link; name the folder that it leads to, or another.")
    if output.exists() and not _is_report(output):
        raise AuditError(
            f"{output}: the folder holds other things than a report; name a new or an older report's folder."
        )
    building, previous = parent / f".{output.name}.building", parent / f".{output.name}.previous"
    before = os.umask(umask)
    busy = f"{output}: another run is writing this report; wait for it or name another --out."
    try:
        with locked(lock_of(output), busy):
            if previous.exists() and not previous.is_symlink() and not output.exists():
                previous.rename(output)  # a run died between the two renames below
            for leftover in (building, previous):
                _clear(leftover)
            building.mkdir()
            try:
                yield building
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
            _clear(output.with_name(output.name + ".refused"))
            for path in (*building.rglob("*"), building):
                settle(path)
            if output.exists():
                output.rename(previous)
            building.rename(output)
            settle(parent)
            shutil.rmtree(previous, ignore_errors=True)
    except AuditError:
        raise
    except Exception as fault:
        if (why := unwritable(fault)) is None:
            raise
        raise AuditError(
            f"{parent}: the output folder cannot be written ({why}); the last report is as it was."
        ) from None
    finally:
        os.umask(before)


def _clear(folder: Path) -> None:
    """Remove a folder of ours; of a link that stands in its place the link, never what it leads to."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def unwritable(fault: BaseException | None) -> str | None:
    """Return why the system refused to write, where that is what a fault comes of; None for any other fault.

    DuckDB has faults of its own, which only quote the system's words.
    """
    while fault is not None:
        if isinstance(fault, OSError) and fault.errno in _UNWRITABLE:
            return os.strerror(fault.errno)
        if type(fault).__module__.startswith(("duckdb", "_duckdb")):
            told = str(fault)
            return next((words for number in _FULL if (words := os.strerror(number)) in told), None)
        fault = fault.__cause__ or fault.__context__
    return None


def settle(path: Path) -> None:
    """Have the disk hold a file or folder before it is renamed: else a power cut could leave it empty."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock_of(output: Path) -> Path:
    """Return the file that is locked while a report folder is written or read whole."""
    return output.parent / f".{output.name}.lock"


def _is_report(folder: Path) -> bool:
    return folder.is_dir() and ((folder / "manifest.json").exists() or not any(folder.iterdir()))


def _refuse(con: Any, checked: dict[str, Any], output: Path, building: Path) -> str:
    """Keep the quarantine and the quality results of a run that is not to go on, and return the sentence."""
    from therapy_audit.report import tables

    refused = output.with_name(output.name + ".refused")
    _clear(refused)
    refused.mkdir()
    shutil.copytree(building / "quality", refused / "quality")
    tables.copy(con, "quarantine_file", refused / "quarantine.csv", rows=None)
    critical = [item for item in checked["checks"] if item["severity"] == "critical" and not item["success"]]
    told = "; ".join(f"{item['table']}: {item['why']}" for item in critical[:3])
    more = f" and {len(critical) - 3} more" if len(critical) > 3 else ""
    return (
        f"The data fails {len(critical)} critical quality checks ({told}{more}), so no report was written. "
        f"See {refused / 'quarantine.csv'} and {refused / 'quality'}; --quality warn goes on all the same."
    )


def _previous_counts(output: Path) -> dict[str, int] | None:
    try:
        counts = json.loads((output / "manifest.json").read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError):
        return None
    return {str(table): int(rows) for table, rows in counts.items()}


def moment() -> datetime:
    """Return the time of the run: SOURCE_DATE_EPOCH where it is set, else now."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)


def _manifest(
    con: Any,
    ruleset: rules.RuleSet,
    words: str,
    period: str,
    errors: dict[str, str],
    settings: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """Return what the result rests on: inputs by hash, rules by fingerprint, reference editions, versions, counts."""
    files = con.execute(
        "SELECT source_file, input, sha256, byte_count, rows_in, rows_loaded, rows_quarantined"
        " FROM intake_file ORDER BY ALL"
    )
    names = [item[0] for item in files.description]
    return {
        "generated_at": now.isoformat(timespec="seconds"),
        "period": period,
        "inputs": [dict(zip(names, row, strict=True)) for row in files.fetchall()],
        "rows": {table: con.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in _COUNTED_TABLES},
        "rule_set": ruleset.fingerprint,
        "lexicon": words,
        "rules": {rule.name: rule.fingerprint for rule in ruleset.rules},
        "rule_errors": errors,
        "settings": settings,
        "reference_editions": {
            reference: {"edition": edition, "covers_from": str(first), "covers_to": str(last)}
            for reference, edition, first, last in con.execute(
                "SELECT concat_ws('.', reference, setting), edition, covers_from, covers_to"
                " FROM reference_edition ORDER BY ALL"
            ).fetchall()
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("therapy-audit", "duckdb", "great-expectations", "pandas", "pyarrow")},
        },
    }


def _earlier(config: Config, output: Path, end: date, manifest: dict[str, Any]) -> list[history.Run]:
    """Return the runs before this one, the one to compare with last; none where that is turned off."""
    if config.previous == Path("none"):
        return []
    beside = history.before(output.resolve(), end, manifest["generated_at"])
    if config.previous is None:
        return beside
    named = history.read(config.previous.resolve())
    return [*(run for run in beside if run.order < named.order and run.folder != named.folder), named]


def _compare(
    con: Any,
    ruleset: rules.RuleSet,
    earlier: list[history.Run],
    building: Path,
    output: Path,
    summary: dict[str, Any],
    manifest: dict[str, Any],
) -> compare.Comparison | None:
    """Compare this run, whose findings.parquet is written, with the one before."""
    if not earlier:
        return None
    start, end = (date.fromisoformat(summary[name]) for name in ("period_start", "period_end"))
    new = history.Run(building, summary["period"], start, end, manifest["generated_at"], summary, manifest)
    return compare.compare(con, new, earlier[-1], earlier[:-1], lambda: ruleset.rules, name=output.name)


def from_inputs(config: Config | None, **given: Any) -> Config:
    """Return the config with those of the given values that are not None put over it."""
    return replace(config or Config(inputs={}), **{key: value for key, value in given.items() if value is not None})
