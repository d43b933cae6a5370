"""Cases as data: tests/cases/<rule>.yaml, turned into contract rows and run all together.

A case gives what was billed and documented and says which findings of its rule it expects. Short forms:
`billed: {97110: 1}` (units by code) and `documented: {97110: 10}` (minutes by code) make a claim and a note on `date`
(2026-03-02); `payer`, `modifiers`, `allowed`, `discipline`, `note`, `service` and `line` change the defaults;
`visits:` is a list of such days, each with `repeat`, `every_days`, and `patients` (so many have the same) or `patient`
(one of another name); `tables:` adds rows to any contract table.
`expect:` lists the findings (claim_line_number, service_date, amount_at_risk, facts ... as far as given); [] is clean.
A line's rendering_npi is the case's own, and so is a note's where it is all digits.
In `tables:` numbers of patients, claims and remittances are each case's own; the n-th day's claim is c001, c002, ...
`not_evaluable: n` runs the case by itself and looks at the rule's coverage; so do `parameters:`, `period:` (the first
and last service date that are audited; left out: all) and `as_of:` (the day that the run looks from).
"""

from __future__ import annotations

import csv
import json
import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import engine, resources, rules
from therapy_audit.notes import store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

RULES = rules.load()
_OPENED = ExitStack()  # for as long as the tests run

Coverage = dict[str, dict[str, int]]  # by rule: in_scope, passed, failed, not_evaluable
FOLDER = Path(__file__).parent / "cases"
# Published worked examples: minutes by code, and the units and allocations that either method allows.
UNITS = list(csv.DictReader((FOLDER / "units.csv").read_text(encoding="utf-8").splitlines()))
_KEYS = {"name", "why", "expect", "not_evaluable", "visits", "tables", "parameters", "period", "as_of"}
_OWN = {"patient_id", "npi", "claim_id", "original_claim_id", "remittance_id", "payer_claim_control_number"}
_LISTS = {"claim_line": ("modifiers", "diagnosis_codes"), "remittance_line": ("modifiers",)}
_DAY_KEYS = {
    "billed", "documented", "date", "payer", "modifiers", "allowed", "discipline", "note", "service", "line", "repeat",
    "every_days", "lines", "patients", "patient",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One case of one rule, with a prefix that keeps its patients and claims apart from the others'."""

    rule: str
    name: str
    data: dict[str, Any]
    prefix: str

    @property
    def alone(self) -> bool:
        """Whether the case needs a run of its own."""
        return not {"not_evaluable", "parameters", "period", "as_of"}.isdisjoint(self.data)


def load() -> list[Case]:
    """Return all cases of tests/cases/, in file order."""
    found: list[Case] = []
    for path in sorted(FOLDER.glob("*/**/*.yaml")):
        rule = ".".join(path.relative_to(FOLDER).with_suffix("").parts)
        for number, data in enumerate(resources.parsed(path.read_text(encoding="utf-8"))):
            unknown = set(data) - _KEYS - _DAY_KEYS
            assert not unknown, f"{path.name}, case {number + 1}: unknown keys {sorted(unknown)}"
            found.append(Case(rule, data["name"], data, f"{len(found)}~"))
    return found


_REFERENCE_TABLES = {"ncci_pair", "mue", "payer_pair", "relative_value", "gpci", "fee_locality", "reference_edition"}


def rows(case: Case) -> dict[str, list[dict[str, Any]]]:
    """Return the case's contract rows by table."""
    tables: dict[str, list[dict[str, Any]]] = {"claim_line": [], "visit_note": [], "note_service": []}
    common = {key: value for key, value in case.data.items() if key in _DAY_KEYS}
    days = [{**common, **day} for day in case.data.get("visits", [{}])]
    number = 0
    for day in days:
        assert set(day) <= _DAY_KEYS, f"{case.rule}, {case.name}: unknown keys {sorted(set(day) - _DAY_KEYS)}"
        first = day.get("date", date(2026, 3, 2))
        for turn in range(day.get("repeat", 1)):
            when = first + timedelta(days=turn * day.get("every_days", 3))
            for patient in range(1, day.get("patients", 1) + 1):
                number += 1
                name = day.get("patient", "p" if patient == 1 else f"p{patient}")
                _add_day(tables, case.prefix, number, when, day, case.prefix + name)
    for table, extra in case.data.get("tables", {}).items():
        for item in extra:
            row = {"source_file": "case.yaml", "source_row": 1} if table not in _REFERENCE_TABLES else {}
            row |= {name: [] for name in _LISTS.get(table, ())}
            tables.setdefault(table, []).append(row | _own(case.prefix, item))
    return tables


def _own(prefix: str, item: dict[str, Any]) -> dict[str, Any]:
    """Return the row with the numbers that are a case's own marked as such."""
    return {key: prefix + value if key in _OWN and value else value for key, value in item.items()}


def _add_day(
    tables: dict[str, list[dict[str, Any]]],
    prefix: str,
    number: int,
    day: date,
    given: dict[str, Any],
    patient: str | None = None,
) -> None:
    patient = patient or f"{prefix}p"
    origin = {"source_file": "case.yaml", "source_row": number}
    discipline = given.get("discipline", "PT")
    modifier = {"PT": "GP", "OT": "GO", "SLP": "GN"}[discipline]
    claim = {
        "claim_id": f"{prefix}c{number:03}",
        "patient_id": patient,
        "payer": given.get("payer", "MEDICARE PART B"),
        "service_date": day,
        "modifiers": [modifier],
        "units": 1,
        "allowed_amount": given.get("allowed", 30),
        "billing_npi": "1",
        "discipline": discipline,
        "diagnosis_codes": [],
        **origin,
    }
    lines = [{"hcpcs_code": str(code), "units": units} for code, units in given.get("billed", {}).items()]
    for line_number, line in enumerate([*lines, *given.get("lines", [])], 1):
        row = {**claim, "claim_line_number": line_number, "modifiers": given.get("modifiers", [modifier])}
        row |= given.get("line", {}) | line
        row["hcpcs_code"] = str(row["hcpcs_code"])
        row["modifiers"] = [str(item) for item in row["modifiers"]]
        if "rendering_npi" in row:
            row["rendering_npi"] = prefix + row["rendering_npi"]
        tables["claim_line"].append(row)
    documented = given.get("documented")
    if documented is None and "note" not in given:
        return
    note = {
        "note_id": f"{prefix}n{number:03}",
        "patient_id": patient,
        "service_date": day,
        "discipline": discipline,
        "note_type": "daily",
        **origin,
    }
    note |= given.get("note", {})
    if (note.get("rendering_npi") or "").isdigit():
        note["rendering_npi"] = prefix + note["rendering_npi"]
    tables["visit_note"].append(note)
    for service_number, (code, minutes) in enumerate((documented or {}).items(), 1):
        service = {
            "note_id": note["note_id"],
            "service_number": service_number,
            "patient_id": note["patient_id"],
            "service_date": note["service_date"],
            "hcpcs_code": str(code),
            "minutes": minutes,
            "text": f"{code} of visit {number}",
            **origin,
        }
        service |= given.get("service", {})
        tables["note_service"].append(service)


@cache
def _prepared() -> duckdb.DuckDBPyConnection:
    """Return a database with the shipped rules and all models, empty, for cases that run by themselves."""
    con = _OPENED.enter_context(engine.connect(threads=1))  # rows are few, and tests run side by side already
    engine.prepare(con, RULES)
    con.execute("INSERT INTO audit_period VALUES (DATE '2026-01-01', DATE '2026-12-31', NULL)")
    engine.build_models(con)
    con.execute("DELETE FROM audit_period")
    return con


@cache
def _models_of(rule: str) -> frozenset[str]:
    """Return the models that a rule's judgement and its dollars read: all of them took most of a case's time."""
    folder = resources.folder("sql")
    shared = [(folder / name).read_text(encoding="utf-8") for name in ("functions.sql", "findings.sql")]
    models = {name.rpartition(".")[2] for name in resources.texts(folder / "models", ".sql")}
    item = next(item for item in RULES.rules if item.name == rule)
    texts = [item.sql, item.applies_to or "", *item.requires, *shared]
    read = {name for text in texts for name in re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", text)}
    scope = rules.grains().scopes[engine.scope_of(item)].model
    return frozenset((read | {scope, "therapy_line", "current_line"}) & models)


@cache
def _filled() -> frozenset[str]:
    """Return the tables that hold rows before any case is put in: those of rules/."""
    con = _prepared()
    named = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
    names = [name for (name,) in con.execute(named).fetchall()]
    return frozenset(name for name in names if con.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchall())


@contextmanager
def _database(ruleset: rules.RuleSet, given: set[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give the prepared database to fill, and make it again what it was; `given` are the tables that cases fill."""
    con = _prepared()
    kept = _filled() & (given | ({"parameter"} if ruleset != RULES else set()))
    for name in kept:
        con.execute(f'CREATE OR REPLACE TEMP TABLE "kept_{name}" AS FROM "{name}"')
    try:
        if ruleset != RULES:
            con.execute("DELETE FROM parameter")
            engine.insert_parameters(con, ruleset.parameters)
        yield con
    finally:
        for name in _contract() - (_filled() - kept):
            con.execute(f'DELETE FROM "{name}"')
        for name in kept:
            con.execute(f'INSERT INTO "{name}" FROM "kept_{name}"')


@cache
def _contract() -> frozenset[str]:
    """Return the tables that no model makes."""
    with engine.connect(threads=1) as con:
        engine.create_tables(con)
        return frozenset(name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall())


def judge(cases: list[Case]) -> tuple[dict[str, list[dict[str, Any]]], Coverage]:
    """Run the rules over the cases' rows together: findings by case prefix, and the outcomes' counts by rule.

    A single case is judged by its own rule alone, if it has one.
    """
    with opened(cases, cases[0].rule if len(cases) == 1 else "") as (con, asked):
        assert not engine.run_rules(con, asked)
        return outcomes(con)


@contextmanager
def opened(cases: list[Case], rule: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[rules.Rule]]]:
    """Yield a database with the cases' rows and the models that `rule` ("": every rule) reads, and the rules to run."""
    ruleset = RULES
    for case in cases:
        if "parameters" in case.data:
            ruleset = engine.override(ruleset, case.data["parameters"], {})
    filled = [rows(case) for case in cases]
    with _database(ruleset, set().union(*filled)) as con:
        insert_rows(con, filled)
        engine.map_payers(con, ruleset.payer_patterns)
        first, last = cases[0].data.get("period", (None, None))
        engine.set_period(con, first, last, as_of=cases[0].data.get("as_of"))
        store.fill(con)
        engine.build_models(con, only=_models_of(rule) if rule else None)
        yield con, [item for item in ruleset.rules if rule in {"", item.name}]


def outcomes(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, list[dict[str, Any]]], Coverage]:
    """Return the findings by case prefix, and the outcomes' counts by rule, of the rules that ran."""
    result = con.execute("SELECT * FROM finding")
    names = [item[0] for item in result.description]
    findings: dict[str, list[dict[str, Any]]] = {}
    for row in result.fetchall():
        item = dict(zip(names, row, strict=True))
        item["facts"] = json.loads(item["facts"], parse_float=Decimal)
        # What is about a remittance may have no patient.
        owner = item["patient_id"] or item["facts"].get("remittance_id", "")
        findings.setdefault(owner.partition("~")[0] + "~", []).append(item)
    counted = con.execute("SELECT rule, in_scope, passed, failed, not_evaluable FROM coverage").fetchall()
    # A finding on what could not be judged, or was not in scope, would make the passed ones fewer than none.
    assert not [row for row in counted if min(row[1:]) < 0]
    ids = [item["finding_id"] for items in findings.values() for item in items]
    assert len(ids) == len(set(ids))
    outcome = ("in_scope", "passed", "failed", "not_evaluable")
    return findings, {rule: dict(zip(outcome, counts, strict=True)) for rule, *counts in counted}


def insert_rows(con: Any, tables_of_cases: list[dict[str, list[dict[str, Any]]]]) -> None:
    """Insert rows by table into the contract tables; columns that a row leaves out are null."""
    for table in sorted({table for tables in tables_of_cases for table in tables}):
        for tables in tables_of_cases:
            for row in tables.get(table, []):
                names = ", ".join(f'"{name}"' for name in row)
                con.execute(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(row))})', list(row.values()))


def mismatch(case: Case, findings: list[dict[str, Any]]) -> str | None:
    """Return what differs between a case's expectation and its rule's findings, or None."""
    found = [item for item in findings if item["rule"] == case.rule]
    expected = case.data["expect"]
    told = "; ".join(f"line {item['claim_line_number']} {item['service_date']}: {item['message']}" for item in found)
    if len(found) != len(expected):
        return f"expected {len(expected)} findings, found {len(found)}: {told or 'none'}"
    rest = list(found)
    for wanted in expected:
        match = next((item for item in rest if _fits(item, wanted)), None)
        if match is None:
            return f"nothing fits {wanted}; found: {told}; facts {[item['facts'] for item in found]}"
        rest.remove(match)
    return None


def fault(case: Case, findings: dict[str, list[dict[str, Any]]], coverage: Coverage) -> str | None:
    """Return what differs between all that a case expects and what was found, or None."""
    if "not_evaluable" in case.data:
        row = coverage[case.rule]
        if row["not_evaluable"] != case.data["not_evaluable"]:
            return f"expected {case.data['not_evaluable']} not evaluable, found {row['not_evaluable']}"
        if row["in_scope"] != row["passed"] + row["failed"] + row["not_evaluable"]:
            return f"outcomes do not add up: {row}"
    return mismatch(case, findings.get(case.prefix, []))


def _fits(item: dict[str, Any], wanted: dict[str, Any]) -> bool:
    for key, value in wanted.items():
        seen = item["facts"].get(key) if key not in item else item[key]
        if isinstance(value, int | float) and not isinstance(value, bool) and seen is not None:
            if Decimal(str(seen)) != Decimal(str(value)):
                return False
        elif str(seen) != str(value):
            return False
    return True


def minutes_of(vector: dict[str, str]) -> dict[str, int]:
    """Return a published example's minutes by code."""
    if vector["minutes"] == "7 codes:14 each":
        return dict.fromkeys(["97110", "97112", "97116", "97140", "97530", "97535", "97542"], 14)
    return {code: int(value) for code, value in (pair.split(":") for pair in vector["minutes"].split(";"))}


def allowed_ways(text: str, minutes: dict[str, int]) -> list[dict[str, int]]:
    """Return the allocations that a published example's words allow."""
    text = text.replace(" (97035 not billed)", "")
    everything = {"each x1": len(minutes), "all four x1": 4, "all three x1": 3}
    if text in everything:
        return [dict.fromkeys(minutes, 1)]
    if text.startswith("any "):
        count = {"any ONE of the three x1": 1, "any two x1": 2}[text]
        return [dict.fromkeys(pick, 1) for pick in combinations(minutes, count)]
    if text == "none":
        return []
    return [
        {code: int(units) for code, units in (item.split("x") for item in way.split("+"))} for way in text.split("|")
    ]
