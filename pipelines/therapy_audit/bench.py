"""How long the rules take over many lines, and likeness over many notes; how accurate a run is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from therapy_audit import accuracy, engine, intake, pipeline, resources, rules, synth
from therapy_audit import open as open_audit
from therapy_audit.bench_run import processor_seconds
from therapy_audit.config import INPUTS, read
from therapy_audit.errors import AuditError
from therapy_audit.notes import store

if TYPE_CHECKING:
    import duckdb

# What a child process runs: its argument is a JSON object; its last line of output is one too.
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
    "plan_of_care": ("plan_of_care_id", "patient_id"),
    "authorization": ("authorization_id", "patient_id"),
    "provider": ("npi",),
}
# Synthetic lines that are made before copies of them fill up the number asked for.
_LINES_MADE = 1_000_000
# Ten visits of each patient, of 48 words: of twenty patients one is charted in the same words at all visits, four in
# nearly the same.
_DESCRIBED = """
CREATE TEMP TABLE described AS
WITH word AS (
    SELECT string_split(
        'patient performed sit to stand from low chair step over threshold and retrieve light items cabinet for home '
        || 'mobility verbal cues safety posture tolerated well with rest breaks functional goal she he her pulled '
        || 'clothes drawer put on pullover button shirt then jacket all in bedroom therapist transfer slide board '
        || 'hinge cue pelvis facilitation contact guard elbow wrist shelf counter groceries stairs rail reciprocal '
        || 'laundry basket walker recliner toilet commode dressing shoes straps prompt kitchen meal plan recipe '
        || 'dishes oven car door curb ramp soil bag lift carry floor waist shoulder', ' '
    ) AS words
)

SELECT
    'P' || patient AS patient_id,
    'N' || patient || '-' || visit AS note_id,
    'C' || (patient % 500) AS clinician_npi,
    DATE '2026-01-05' + (3 * visit)::INTEGER AS service_date,
    'DOS ' || (1 + visit) || '/' || (visit + 10) || ': '
    || array_to_string(list_transform(range(48), lambda place:
        word.words[(hash(1000 * patient + CASE
            WHEN patient % 20 = 0 OR (patient % 20 < 5 AND place <> 7) THEN 0 ELSE visit
        END, place) % len(word.words) + 1)::INTEGER]
        || CASE
            WHEN place % 9 = 8 THEN '. '
            WHEN place % 7 = 5 THEN ' ' || (3 + hash(patient, visit) % 9) || ' '
            ELSE ' '
        END), '')
    || (10 + hash(patient, visit) % 20) || ' min.' AS text
FROM range($patients) AS person (patient)
CROSS JOIN range(10) AS time (visit)
CROSS JOIN word
"""
# Pairs of texts on which the likeness is timed against DuckDB's own.
_PAIRS = 20_000


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
    files = {name: f"{data}/{name}.parquet" for name in INPUTS if name != "remittances"}
    inputs = {name: (file,) for name, file in files.items() if Path(file).exists()}
    with engine.connect(database, threads=threads, memory_limit=memory_limit) as con:
        engine.prepare(con, ruleset)
        intake.load(con, intake.Inputs(inputs, ()))
        for table, columns in _COPIED.items():
            con.execute(f'CREATE TEMP TABLE one_clinic AS FROM "{table}"')
            for copy in range(1, copies):
                own = ", ".join(f"{column} || '-{copy}' AS {column}" for column in columns)
                con.execute(f'INSERT INTO "{table}" BY NAME SELECT * REPLACE ({own}) FROM one_clinic')
            con.execute("DROP TABLE one_clinic")
        engine.map_payers(con, ruleset.payer_patterns)
        engine.set_period(con)
        con.execute("CHECKPOINT")
        started = perf_counter()
        store.fill(con)
        stages.append(("notes", perf_counter() - started))
        engine.build_models(con, lambda name, seconds: stages.append((name, seconds)), rules=ruleset.rules)
        engine.run_rules(con, ruleset.rules, lambda name, seconds: stages.append((name, seconds)))
        rows = {
            table: con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for table in ("claim_line", "note_service", "finding")
        }
    return {"stages": stages, **rows}


def likeness_table(notes: int, threads: int | None = None) -> str:
    """Time the rules on cloned descriptions over about so many made-up notes: their models, their checks.

    Returns text: wall and processor seconds of each part and in all, findings, and how many times as long as
    text_likeness DuckDB's levenshtein takes for the same pairs of texts.
    """
    ruleset = rules.load()
    stages: list[tuple[str, float, float]] = []
    used = processor_seconds()

    def timed(name: str, seconds: float) -> None:
        nonlocal used
        stages.append((name, seconds, processor_seconds() - used))
        used = processor_seconds()

    with (
        tempfile.TemporaryDirectory(prefix="therapy-audit-bench-") as name,
        engine.connect(Path(name) / "likeness.duckdb", threads=threads) as con,
    ):
        engine.prepare(con, ruleset)
        _describe(con, max(1, notes // 10))
        engine.map_payers(con, ruleset.payer_patterns)
        engine.set_period(con)
        con.execute("CHECKPOINT")
        used = processor_seconds()
        engine.build_models(con, timed, only=["description_day", "description_sentence"])
        # Of the scopes those alone that these rules read: the others' models are not here.
        for macro in resources.folder("sql").joinpath("in_scope.sql").read_text(encoding="utf-8").split(";\n"):
            if "description" in macro or "rows_in_scope(rule_id, model)" in macro:
                con.execute(macro)
        found = 0
        for rule in ruleset.rules:
            if rule.name.startswith("clinic.description_cloned"):
                started = perf_counter()
                found += len(con.execute(rule.sql, engine.bound(rule)).fetchall())
                timed(f"rule {rule.name}", perf_counter() - started)
        ((services, mean),) = con.execute("SELECT count(*), avg(length(text)) FROM described").fetchall()
        con.execute(
            "CREATE TEMP TABLE paired AS SELECT this_one.letters AS one, last_one.letters AS other"
            " FROM description_text AS this_one INNER JOIN description_text AS last_one"
            " ON this_one.series = last_one.series AND this_one.visit_number = last_one.visit_number + 1 LIMIT ?",
            [_PAIRS],
        )
        seconds = {}
        for function in ("text_likeness(one, other)", "text_likeness_from(one, other, 0.9)", "levenshtein(one, other)"):
            started = perf_counter()
            con.execute(f"SELECT sum({function}) FROM paired").fetchall()
            seconds[function] = perf_counter() - started
    slow = seconds.pop("levenshtein(one, other)")
    step = [stage for stage in stages if "description" in stage[0]]
    text = [
        f"{services:,} descriptions of {mean:.0f} characters, {found:,} findings; {threads or os.cpu_count()} threads",
        "",
        f"{'seconds':>9} {'processor':>9}  part",
        *(f"{wall:9.2f} {own:9.2f}  {stage}" for stage, wall, own in step),
        f"{sum(item[1] for item in step):9.2f} {sum(item[2] for item in step):9.2f}  in all",
        "",
        *(f"{slow / taken:9.1f}  times as fast as levenshtein: {function}" for function, taken in seconds.items()),
    ]
    return "\n".join(text)


def _describe(con: duckdb.DuckDBPyConnection, patients: int) -> None:
    """Fill claim lines, notes and their services with ten visits of each patient, and table `described` with texts."""
    con.execute(_DESCRIBED, {"patients": patients})
    common = "note_id, patient_id, service_date, 'made' AS source_file, 1 AS source_row"
    con.execute(
        f"INSERT INTO claim_line BY NAME SELECT {common.replace('note_id', 'note_id AS claim_id')},"
        " 1 AS claim_line_number, 'MEDICARE PART B' AS payer, '97530' AS hcpcs_code, ['GP'] AS modifiers,"
        " []::VARCHAR[] AS diagnosis_codes, 1 AS units, 30 AS allowed_amount, 'PT' AS discipline FROM described"
    )
    con.execute(
        f"INSERT INTO visit_note BY NAME SELECT {common}, 'PT' AS discipline, clinician_npi AS rendering_npi,"
        " 'PT' AS clinician_credential, 'daily' AS note_type FROM described"
    )
    con.execute(
        f"INSERT INTO note_service BY NAME SELECT {common}, 1 AS service_number, '97530' AS hcpcs_code, 15 AS minutes,"
        " text FROM described"
    )


def accuracy_page(lines: int, seed: int) -> str:
    """Audit a synthetic clinic and return precision and recall per rule against its planted truth, as Markdown."""
    with tempfile.TemporaryDirectory(prefix="therapy-audit-bench-") as name:
        data = Path(name) / "data"
        counts = synth.write(data, seed=seed, lines=lines, x12=True)
        given = read(data / "audit.toml")
        # Sums that disagree, a fault of its own, stand in the X12 form alone.
        inputs = {**given.inputs, "remittances": (str(data / "remittances.835"),)}
        result = pipeline.run(replace(given, inputs=inputs, output=Path(name) / "report"))
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
