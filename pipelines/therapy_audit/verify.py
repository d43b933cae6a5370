"""A report made again from its manifest, into a temporary place, and compared with what it says."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from therapy_audit import history, pipeline, rules
from therapy_audit.config import Config
from therapy_audit.errors import AuditError
from therapy_audit.files import file_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What the run before has a part in: not to be had from the manifest alone.
_RESTS_ON_EARLIER = {"compare.csv", "trend.csv"}
_OF_EARLIER = ("comparison", "quality")
_TOLD = 5  # files and reasons that are told; the rest is a count


@dataclass(frozen=True)
class Verified:
    """What came of it, in phrases: which results differ, which inputs are other files now, what else is another one."""

    folder: Path
    findings: int
    differs: list[str]
    inputs: list[str]
    others: list[str]

    @property
    def same(self) -> bool:
        """Whether the report says what its inputs say, and they are those that it was made of."""
        return not self.differs and not self.inputs

    def sentence(self) -> str:
        """Return what to tell, in one sentence."""
        reasons = _listed([*self.inputs, *self.others])
        if self.differs:
            why = reasons or "inputs, rules, reference tables and versions are the same, so please report it"
            return f"{self.folder}: it differs: {_listed(self.differs)}, since {why}."
        same = f"{self.findings:,} findings, summary and coverage, byte for byte"
        if self.inputs:
            return f"{self.folder}: the results are the same ({same}), but of other inputs: {reasons}."
        return f"{self.folder}: the same: {same}{f' (though {reasons})' if reasons else ''}."

    def as_json(self) -> str:
        """Return the same for a machine."""
        told = {**asdict(self), "folder": str(self.folder), "same": self.same, "told": self.sentence()}
        return json.dumps(told, indent=2)


def _listed(phrases: list[str]) -> str:
    left = len(phrases) - _TOLD
    return "; ".join([*phrases[:_TOLD], *([f"and {left} more" if left > 1 else phrases[-1]] if left > 0 else [])])


def verify(
    folder: Path,
    *,
    threads: int | None = None,
    memory_limit: str | None = None,
    stage: Callable[[str, float], None] = lambda _name, _seconds: None,
) -> Verified:
    """Run again what the manifest of a report says, as on its day, and compare findings, summary, coverage and lists.

    compare.csv, trend.csv and what the summary tells of the run before and of data quality (which looks at the run
    before) are left out, and so are the page and the workbook: their hashes in the manifest are looked at, as are those
    of all files. Raises AuditError where it cannot be run again: no report, an input that is not there.
    """
    report = history.read(folder)
    config, inputs = _config(report)
    touched = _touched(report)
    with tempfile.TemporaryDirectory(prefix="therapy-audit-verify-") as place:
        again, shipped = Path(place) / "report", Path(place) / "shipped"
        shipped.mkdir()  # a run without loaded tables takes none from the current folder
        given = pipeline.from_inputs(
            config,
            output=again,
            reference=config.reference or shipped,
            threads=threads,
            memory_limit=memory_limit,
        )
        result = pipeline.run(given, stage, now=datetime.fromisoformat(report.generated_at))
        made = history.read(result.folder)
        differs = _differences(report, made, touched)
        others = [*(["files of the report were changed after the run"] if touched else []), *_others(report, made)]
    return Verified(folder, int(report.summary["findings"]), differs, inputs, others)


def _config(report: history.Run) -> tuple[Config, list[str]]:
    """Return the settings of a report's run, and a sentence for each file that is another one by now."""
    try:
        return _as_told(report)
    except (KeyError, TypeError, AttributeError, ValueError, OSError):
        why = "since it has no names" if "deidentified" in report.manifest else "as an older version made it"
        raise AuditError(
            f"{report.folder}: manifest.json does not say how to run it again, {why}; run the audit again."
        ) from None


def _as_told(report: history.Run) -> tuple[Config, list[str]]:
    """Return what _config does. KeyError, TypeError, AttributeError, ValueError, OSError: no run made this manifest."""
    manifest, here = report.manifest, report.folder.resolve()
    run, settings = manifest["run"], dict(manifest["settings"])
    inputs = {name: {key: here / path for key, path in files.items()} for name, files in run["inputs"].items()}
    fees = {plan: tuple(here / path for path in paths) for plan, paths in run.get("fees", {}).items()}
    mappings = {here / path: told for path, told in run.get("mappings", {}).items()}
    folders = {name: here / run[name] for name in ("lexicon", "reference") if name in run}
    benchmarks = here / run["benchmarks"] if "benchmarks" in run else None
    known = {
        here / path: told
        for files in inputs.values()
        for source_file, path in files.items()
        if (told := _told_hash(manifest, source_file))
    }
    known |= mappings
    known |= {path: settings["fees"][plan][path.name] for plan, paths in fees.items() for path in paths}
    if benchmarks:
        known[benchmarks] = settings["benchmarks"]["sha256"]
    wanted = [*(path for files in inputs.values() for path in files.values()), *known]
    missing = [path for path in dict.fromkeys(wanted) if not path.is_file()]
    missing += [path for path in folders.values() if not path.is_dir()]
    if missing:
        names = ", ".join(str(path.resolve()) for path in missing[:_TOLD])
        raise AuditError(
            f"{report.folder}: it cannot be run again, since {names}{' and more' if len(missing) > _TOLD else ''} "
            f"{'is' if len(missing) == 1 else 'are'} not there; put the files back where they were."
        )
    reasons = [
        f"{path.name} is another file now (SHA-256 {now[:12]}, was {told[:12]})"
        for path, told in known.items()
        if (now := file_hash(path)) != told
    ]
    return (
        Config(
            inputs={name: tuple(str(path) for path in files.values()) for name, files in inputs.items()},
            mappings=tuple(mappings),
            period=run.get("period"),
            as_of=settings.get("as_of"),
            quality="warn",
            payers=settings.get("payers", {}),
            unit_method=settings.get("unit_method", {}),
            required_modifiers=settings.get("required_modifiers", {}),
            parameters=settings.get("parameters", {}),
            pairs=tuple(rules.PayerPair(**pair) for pair in settings.get("pairs", ())),
            fees=fees,
            reference=folders.get("reference"),
            lexicon=folders.get("lexicon"),
            rules=rules.kept(here),
            benchmarks=benchmarks,
            previous=Path("none"),
            locality=settings.get("locality", "national"),
        ),
        reasons,
    )


def _told_hash(manifest: Mapping[str, Any], source_file: str) -> str | None:
    """Return the hash that the manifest has of an input, which a workbook's sheets share."""
    for item in manifest["inputs"]:
        if item["source_file"] == source_file or item["source_file"].startswith(f"{source_file}#"):
            return str(item["sha256"])
    return None


def _touched(report: history.Run) -> dict[str, str]:
    """Return a phrase for each file of the report that is not what the run wrote."""
    told = report.manifest.get("outputs", {})
    now = pipeline.hashes(report.folder)
    return {
        name: f"{name} is not what the run wrote" if name in now else f"{name} is missing"
        for name in sorted(told)
        if now.get(name) != told[name]
    }


def _differences(report: history.Run, made: history.Run, touched: Mapping[str, str]) -> list[str]:
    """Return a phrase for each result that is not the same."""
    names = [path.name for pattern in ("*.csv", "*.parquet") for path in made.folder.glob(pattern)]
    differing = {name for name in names if not _same_bytes(report.folder / name, made.folder / name)}
    found = []
    if "findings.parquet" in differing:
        found.append(_findings(report.folder, made.folder))
    if "coverage.csv" in differing:
        found.append(_coverage(report.folder, made.folder))
    before, after = ({**run.summary, **dict.fromkeys(_OF_EARLIER)} for run in (report, made))
    if keys := sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key)):
        found.append(f"the summary ({', '.join(keys[:_TOLD])}{' and more' if len(keys) > _TOLD else ''})")
    lists = sorted(differing - {"findings.parquet", "coverage.csv"} - _RESTS_ON_EARLIER - touched.keys())
    return [*found, *lists, *touched.values()]


def _same_bytes(one: Path, other: Path) -> bool:
    return one.is_file() and one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


_OTHER_BYTES = "findings.parquet has other bytes, and the same findings"


def _findings(before: Path, after: Path) -> str:
    """Return how many findings are gone, new and changed."""
    query = """
    SELECT
        count(*) FILTER (made.finding_id IS NULL) AS gone,
        count(*) FILTER (told.finding_id IS NULL) AS added,
        count(*) FILTER (told.finding_id = made.finding_id AND told.content <> made.content) AS changed
    FROM (SELECT finding_id, to_json(f) AS content FROM read_parquet($before) AS f) AS told
    FULL JOIN (SELECT finding_id, to_json(f) AS content FROM read_parquet($after) AS f) AS made USING (finding_id)
    """
    bound = {name: str(folder / "findings.parquet") for name, folder in (("before", before), ("after", after))}
    try:
        with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as con:
            gone, added, changed = con.execute(query, bound).fetchall()[0]
    except duckdb.Error:
        return "findings.parquet cannot be read"
    counts = [f"{count:,} {word}" for count, word in ((gone, "gone"), (added, "new"), (changed, "changed")) if count]
    return f"findings ({', '.join(counts)})" if counts else _OTHER_BYTES


def _coverage(before: Path, after: Path) -> str:
    """Return for how many rules the outcomes differ."""
    one, other = (set(_lines(folder / "coverage.csv")) for folder in (before, after))
    rows = {line.partition(",")[0] for line in one ^ other}
    return f"coverage of {len(rows):,} rule{'' if len(rows) == 1 else 's'}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def _others(report: history.Run, made: history.Run) -> list[str]:
    """Return a phrase for each thing but the inputs that the result rests on and that is another one now."""
    told, now = report.manifest, made.manifest
    found = []
    if told["rule_set"] != now["rule_set"]:
        names = sorted(
            name
            for name in told["rules"].keys() | now["rules"].keys()
            if told["rules"].get(name) != now["rules"].get(name)
        )
        which = f": {', '.join(names[:_TOLD])}{' and more' if len(names) > _TOLD else ''}" if names else ""
        found.append(f"the rule set is another one (fingerprint {now['rule_set']}, was {told['rule_set']}{which})")
    if told["lexicon"] != now["lexicon"]:
        found.append(f"the lexicon is another one (fingerprint {now['lexicon']}, was {told['lexicon']})")
    for name in sorted(told["reference_editions"].keys() | now["reference_editions"].keys()):
        was, is_now = (side["reference_editions"].get(name, {}).get("edition") for side in (told, now))
        if told["reference_editions"].get(name) != now["reference_editions"].get(name):
            found.append(f"reference table {name} is of edition {is_now or 'none'}, was {was or 'none'}")
    for name in sorted(told["versions"].keys() | now["versions"].keys()):
        was, is_now = (side["versions"].get(name) for side in (told, now))
        if was != is_now:
            found.append(f"{name} is {is_now}, was {was}")
    return found
