"""How long a run takes, stage by stage, and against DuckDB's bare read of the same files; how accurate it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from therapy_audit import accuracy, engine, intake, pipeline, rules, synth
from therapy_audit import open as open_audit
from therapy_audit.config import INPUTS, Config
from therapy_audit.errors import AuditError
from therapy_audit.notes import store

# What a child process runs: its argument is a JSON object; its last line of output is one too.
_RUN = """
import json, resource, sys
from pathlib import Path
from therapy_audit import pipeline
from therapy_audit.config import Config
given = json.loads(sys.argv[1])
stages = []
pipeline.run(
    Config(inputs=given["inputs"], output=Path(given["output"]), threads=given["threads"]),
    lambda name, seconds: stages.append([name, seconds]),
)
print(json.dumps({"stages": stages, "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""
_RULES = """
import json, resource, sys
from therapy_audit import bench
print(json.dumps({
    **bench.multiply_and_judge(**json.loads(sys.argv[1])),
    "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
}))
"""
# Tables of a clinic that are copied for a larger one, and the columns that must differ from copy to copy.
_COPIED = {
    "claim_line": ("claim_id", "patient_id", "rendering_npi"),
    "visit_note": ("note_id", "patient_id", "rendering_npi"),
    "note_service": ("note_id", "patient_id"),
    "patient_opening_balance": ("patient_id",),
    "provider": ("npi",),
}
# Synthetic lines that are made before copies of them fill up the number asked for.
_LINES_MADE = 1_000_000
_BARE_READ = """
import json, resource, sys, time
import duckdb
given = json.loads(sys.argv[1])
started = time.perf_counter()
with duckdb.connect(given["database"], config={"threads": given["threads"]} if given["threads"] else {}) as con:
    for number, name in enumerate(sorted(file for files in given["inputs"].values() for file in files)):
        con.execute(f"CREATE TABLE t{number} AS SELECT * FROM read_csv(?)", [name])
print(json.dumps({
    "seconds": time.perf_counter() - started, "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
}))
"""


@dataclass(frozen=True)
class Speed:
    """One measured run: seconds by stage, and of the whole process and the bare read; memory in MiB."""

    rows: dict[str, int]
    stages: list[tuple[str, float]]
    whole_seconds: float
    whole_mib: int
    bare_seconds: float
    bare_mib: int


def speed(
    lines: int, seed: int, folder: Path | None = None, threads: int | None = None, *, remittances: bool = False
) -> Speed:
    """Make a synthetic clinic of about `lines` claim lines (or use that in `folder`) and time the whole job on it."""
    with tempfile.TemporaryDirectory(prefix="therapy-audit-bench-") as name:
        data = folder or Path(name) / "data"
        if not (data / "claims.csv").exists():
            synth.write(data, seed=seed, lines=lines)
        inputs = {
            key: [str(data / f"{key}.csv")]
            for key in INPUTS
            if (data / f"{key}.csv").exists() and (remittances or key != "remittances")
        }
        given: dict[str, Any] = {"inputs": inputs, "threads": threads}
        bare = _child(_BARE_READ, {**given, "database": str(Path(name) / "bare.duckdb")})
        started = perf_counter()
        run = _child(_RUN, {**given, "output": str(Path(name) / "report")})
        whole = perf_counter() - started
        manifest = json.loads((Path(name) / "report" / "manifest.json").read_text(encoding="utf-8"))
    return Speed(
        rows=manifest["rows"],
        stages=[(stage, seconds) for stage, seconds in run["stages"]],
        whole_seconds=whole,
        whole_mib=run["peak_kib"] // 1024,
        bare_seconds=bare["seconds"],
        bare_mib=bare["peak_kib"] // 1024,
    )


def speed_table(found: Speed) -> str:
    """Return the measured run as text: stages, their models and rules, totals and the ratio."""
    lines = [
        (
            f"{found.rows['claim_line']:,} claim lines, {found.rows['visit_note']:,} notes, "
            f"{found.rows['note_service']:,} note services, {found.rows['remittance_line']:,} remittance lines, "
            f"{found.rows['finding']:,} findings; "
            f"{os.cpu_count()} processors"
        ),
        "",
        f"{'seconds':>9}  stage",
    ]
    inner = [(name, seconds) for name, seconds in found.stages if " " in name]
    lines += [f"{seconds:9.2f}  {name}" for name, seconds in found.stages if " " not in name]
    lines += ["", f"{'seconds':>9}  slowest models and rules"]
    lines += [f"{seconds:9.2f}  {name}" for name, seconds in sorted(inner, key=lambda item: -item[1])[:10]]
    lines += [
        "",
        f"{found.whole_seconds:9.2f}  whole process, peak {found.whole_mib:,} MiB",
        f"{found.bare_seconds:9.2f}  DuckDB's bare read of the same files, peak {found.bare_mib:,} MiB",
        (
            f"{found.whole_seconds / found.bare_seconds:9.1f}  times the bare read; "
            f"{found.rows['claim_line'] / found.whole_seconds:,.0f} claim lines a second"
        ),
    ]
    return "\n".join(lines)


def rules_table(lines: int, seed: int, threads: int | None = None, memory_limit: str | None = None) -> str:
    """Time models and rules over about `lines` claim lines in DuckDB on disk: a clinic, and copies of it.

    Returns text: seconds of models, checks, findings and coverage, the slowest of them, peak memory.
    """
    with tempfile.TemporaryDirectory(prefix="therapy-audit-bench-") as name:
        data = Path(name) / "data"
        made = synth.write(data, seed=seed, lines=min(lines, _LINES_MADE), form="parquet")["claims"]
        found = _child(
            _RULES,
            {
                "data": str(data),
                "database": str(Path(name) / "rules.duckdb"),
                "copies": max(1, round(lines / made)),
                "threads": threads,
                "memory_limit": memory_limit,
            },
        )
    stages = [(stage, seconds) for stage, seconds in found["stages"]]
    sums = {
        "models": sum(seconds for stage, seconds in stages if stage.startswith("model ")),
        "checks of the rules": sum(seconds for stage, seconds in stages if stage.startswith("rule ")),
        "findings and coverage": sum(seconds for stage, seconds in stages if stage == "findings and coverage"),
    }
    text = [
        f"{found['claim_line']:,} claim lines, {found['note_service']:,} note services, {found['finding']:,} findings",
        f"{threads or os.cpu_count()} threads",
        "",
        *(f"{seconds:9.2f}  {stage}" for stage, seconds in sums.items()),
        "",
        f"{'seconds':>9}  slowest models and rules",
        *(f"{seconds:9.2f}  {stage}" for stage, seconds in sorted(stages, key=lambda item: -item[1])[:20]),
        "",
        f"{found['peak_kib'] // 1024:9,}  MiB at the peak" + (f", limit {memory_limit}" if memory_limit else ""),
    ]
    return "\n".join(text)


def multiply_and_judge(
    data: str, database: str, copies: int, threads: int | None, memory_limit: str | None
) -> dict[str, Any]:
    """Load a clinic's files, fill the contract tables with copies of it, build the models and run the rules.

    Returns {stages: [[name, seconds]], claim_line, note_service, finding: rows}.
    """
    ruleset = rules.load()
    stages: list[tuple[str, float]] = []
    inputs = {name: (f"{data}/{name}.parquet",) for name in INPUTS if name != "remittances"}
    with engine.connect(database, threads=threads, memory_limit=memory_limit) as con:
        engine.prepare(con, ruleset)
        intake.load(con, intake.Inputs(inputs, ()))
        for table, columns in _COPIED.items():
            con.execute(f"CREATE TEMP TABLE one_clinic AS FROM {table}")
            for copy in range(1, copies):
                own = ", ".join(f"{column} || '-{copy}' AS {column}" for column in columns)
                con.execute(f"INSERT INTO {table} BY NAME SELECT * REPLACE ({own}) FROM one_clinic")
            con.execute("DROP TABLE one_clinic")
        engine.map_payers(con, ruleset.payer_patterns)
        engine.set_period(con)
        con.execute("CHECKPOINT")
        started = perf_counter()
        store.fill(con)
        stages.append(("notes", perf_counter() - started))
        engine.build_models(con, lambda name, seconds: stages.append((name, seconds)))
        engine.run_rules(con, ruleset.rules, lambda name, seconds: stages.append((name, seconds)))
        rows = {
            table: con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for table in ("claim_line", "note_service", "finding")
        }
    return {"stages": stages, **rows}


def accuracy_page(lines: int, seed: int) -> str:
    """Audit a synthetic clinic and return precision and recall per rule against its planted truth, as Markdown."""
    with tempfile.TemporaryDirectory(prefix="therapy-audit-bench-") as name:
        data = Path(name) / "data"
        counts = synth.write(data, seed=seed, lines=lines)
        inputs = {key: (str(data / f"{key}.csv"),) for key in INPUTS if (data / f"{key}.csv").exists()}
        result = pipeline.run(Config(inputs=inputs, output=Path(name) / "report"))
        with open_audit(result.folder) as audit:
            rows = accuracy.measure(audit.con, data / "truth.csv")
    return accuracy.markdown(rows, seed, counts["claims"])


def _child(code: str, given: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603  (this Python, our own code)
        [sys.executable, "-c", code, json.dumps(given)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AuditError(f"bench: the measured process failed ({done.stderr.strip().splitlines()[-1]}).")
    return dict(json.loads(done.stdout.splitlines()[-1]))
