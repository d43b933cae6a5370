"""Under which key each model is closed, as rules/grains.yaml has it, and which rows of a table are whose.

What is closed under a patient can be built from any share of the patients at a time: on many machines (cluster), again
for those who are touched (incremental), or one share after another where all at once would not fit in memory (shares).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from therapy_audit import engine, resources
from therapy_audit import rules as rulebook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

# What is read in texts: a text of several patients stands once in all but the first.
TEXTS = ("text_evidence", "evidence_span", "text_measure")
NOTES = ("service_text", *TEXTS)


@dataclass(frozen=True)
class Step:
    """A model, or the part of one that needs all rows, or the reading of the notes: under which key it is closed."""

    name: str
    kind: str  # TABLE, STEP or VIEW
    sql: str
    key: str  # patient, clinician, whole; any where it holds no rows of its own
    needs: frozenset[str]  # steps
    reads: frozenset[str]  # contract and reference tables


def plan(con: duckdb.DuckDBPyConnection) -> tuple[Step, ...]:
    """Return all models as steps; `con` has the contract tables.

    RuntimeError: rules/grains.yaml names a model or a part that there is not, or a model that is closed under a key
    reads what is not.
    """
    texts = resources.texts(resources.folder("sql") / "models", ".sql")
    kinds = {path.rpartition(".")[2]: engine.kind_of(path) for path in texts}
    sqls = {path.rpartition(".")[2]: sql for path, sql in texts.items()}
    models = rulebook.grains().models
    keys = {name: "any" if kind == "VIEW" else "whole" for name, kind in kinds.items()}
    for key, names in (("patient", models.patient), ("clinician", models.clinician)):
        if unknown := set(names) - set(sqls):
            raise RuntimeError(f"rules/grains.yaml: there is no model {', '.join(sorted(unknown))}")
        keys |= dict.fromkeys(names, key)
    for name, parts in models.patient.items():
        for part in parts:
            own = f"{name}_{part}"
            sqls[own], sqls[name] = _cut(sqls[name], part, own)
            kinds[own], keys[own] = "STEP", "whole"
    found = [Step("notes", "", "", "patient", frozenset(), frozenset({"visit_note", "note_service", "procedure_code"}))]
    for name, sql in sqls.items():
        tables = frozenset(con.get_table_names(sql)) - {name}
        needs = tables & set(sqls) | ({"notes"} if tables & set(NOTES) else set())
        found.append(Step(name, kinds[name], sql, keys[name], needs, tables - set(sqls)))
    by_name = {step.name: step for step in found}
    for step in found:
        _check(step, by_name)
    return tuple(found)


def _check(step: Step, steps: Mapping[str, Step]) -> None:
    """Raise RuntimeError where a step that is closed under a key reads what its partition cannot have."""
    models = rulebook.grains().models
    needs = [steps[name] for name in step.needs]
    if step.key != "patient" and (inner := step.needs & set(models.inner)):
        raise RuntimeError(f"{step.name} reads {', '.join(sorted(inner))}, which means nothing outside its partition")
    if step.key == "patient" and (others := [need.name for need in needs if need.key == "clinician"]):
        raise RuntimeError(f"{step.name} is closed under a patient and reads {', '.join(others)}, which is not")
    if step.key == "clinician" and (
        others := [need.name for need in needs if need.name not in models.clinician[step.name]]
    ):
        raise RuntimeError(f"{step.name} is closed under a clinician; whose is a row of {', '.join(others)}?")


def _cut(sql: str, part: str, into: str) -> tuple[str, str]:
    """Return the query of one CTE with those before it, and the whole with that CTE read from table `into`."""
    found = re.search(rf"^(?:WITH (?:RECURSIVE )?)?{part} AS (?:(?:NOT )?MATERIALIZED )?\($", sql, re.MULTILINE)
    end = re.compile(r"^\),?$", re.MULTILINE).search(sql, found.end()) if found else None
    if not found or not end:
        raise RuntimeError(f"there is no CTE {part} to take out for {into}")
    alone = f"{sql[: end.start()]})\nSELECT * FROM {part}"
    return alone, f'{sql[: found.end()]}\n    SELECT * FROM "{into}"\n{sql[end.start() :]}'


def given_whole(name: str) -> bool:
    """Say whether each share of the patients is given all of a table, or any row where it is only asked for one.

    So it is with parts that need all rows: they leave few, and are asked about more than a share's own.
    """
    models = rulebook.grains().models
    return name in models.any_row or name in {
        f"{model}_{part}" for model, parts in models.patient.items() for part in parts
    }


def named_by(name: str, columns: Iterable[str]) -> str | None:
    """Return the column that says whose a row of a table is, by patient; None where each share is given all of it.

    What names no patient belongs to each whose line or claim it names.
    """
    known = set(columns)
    return (
        None
        if given_whole(name)
        else next((key for key in ("patient_id", "line_id", "claim_id") if key in known), None)
    )


def types_of(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return {column: type} of a table."""
    return {name: kind for name, kind, *_ in con.execute(f'DESCRIBE "{table}"').fetchall()}


def key_of(name: str, columns: Iterable[str]) -> str | None:
    """Return the column by which rows of a table are told to be someone's; None where each share is given all of it.

    patient_id; note_id of service_text, text_number of TEXTS; claim_id, or a column with the number of a claim line.
    """
    if name == "service_text":
        return "note_id"
    if name in TEXTS:
        return "text_number"
    known = set(columns)
    key = named_by(name, known)
    if key is None and not given_whole(name):
        key = next((number for number in rulebook.grains().models.row_numbers if number in known), None)
    return key
