"""The whole rulebook with what became of it in a run: outcomes by rule, and what it would need to judge more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from therapy_audit import engine, pipeline, rules
from therapy_audit.errors import AuditError
from therapy_audit.explain import newest_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

    from therapy_audit.rules import Rule, RuleSet

_OUTCOMES = ("in_scope", "passed", "failed", "not_evaluable", "error")


def folder_of(given: Path | None) -> Path | None:
    """Return the report folder that is meant: a folder, that of an audit.toml, or the newest one.

    There is none where nothing was given and nothing has run. AuditError where what was given holds no report.
    """
    if given is None:
        try:
            return newest_run()
        except AuditError:
            return None
    if given.suffix == ".toml":
        from therapy_audit import config

        folder = pipeline.report_folder(config.read(given))
        if not (folder / "audit.duckdb").exists():
            raise AuditError(f"{given}: nothing was run yet; `therapy-audit run {given}` writes {folder}.")
        return folder
    return given


def read(folder: Path | None) -> dict[str, Any]:
    """Return {run, rules}: every rule with the outcomes of the run in `folder`, and its needs.

    Outcomes are None for a rule that did not run, and for all where there is no folder. `needs` are sentences: why
    things in its scope were not judged and how many, or what an empty scope waits for. `requires`, `parameters` and
    `reference_tables` are what it always rests on. AuditError: the folder holds no run.
    """
    ruleset = rules.load(rules.kept(folder) if folder else None)
    if folder is None:
        return {"run": None, "rules": [_told(rule, ruleset, None, None) for rule in ruleset.rules]}
    import therapy_audit as ta

    with ta.open(folder, locked=True) as audit:
        outcomes = {
            row[0]: dict(zip((*_OUTCOMES, "reasons"), row[1:], strict=True))
            for row in audit.con.execute(f"SELECT rule, {', '.join(_OUTCOMES)}, reasons FROM coverage").fetchall()
        }
        return {
            "run": str(folder),
            "rules": [_told(rule, ruleset, outcomes.get(rule.name), audit.con) for rule in ruleset.rules],
        }


def as_json(found: Mapping[str, Any]) -> str:
    """Return the rulebook as JSON."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def as_text(found: Mapping[str, Any]) -> str:
    """Return the rulebook as a table, each rule with what it needs below it."""
    listed = found["rules"]
    width = max(len(row["rule"]) for row in listed)
    heads = ("in scope", "passed", "failed", "not eval.", "error")
    text = [f"{'rule':{width}}  {'severity':8}  " + "  ".join(f"{head:>9}" for head in heads)]
    for row in listed:
        cells = ["-" if row[name] is None else f"{row[name]:,}" for name in _OUTCOMES]
        text.append(f"{row['rule']:{width}}  {row['severity']:8}  " + "  ".join(f"{cell:>9}" for cell in cells))
        text += [f"    {need}" for need in row["needs"]]
    ran = [row for row in listed if row["in_scope"] is not None]
    if not found["run"]:
        return "\n".join([*text, "", f"{len(listed)} rules; no run was found in reports/, so nothing was judged yet."])
    total = {name: sum(row[name] for row in ran) for name in _OUTCOMES}
    empty = sum(not row["in_scope"] for row in ran)
    told = (
        f"{len(listed)} rules, of which {len(ran) - empty} had something to judge in {found['run']}: "
        f"{total['in_scope']:,} judgements, {total['passed']:,} passed, {total['failed']:,} failed, "
        f"{total['not_evaluable']:,} not evaluable, {total['error']:,} in error."
    )
    return "\n".join([*text, "", told])


def _told(
    rule: Rule, ruleset: RuleSet, outcome: Mapping[str, Any] | None, con: duckdb.DuckDBPyConnection | None
) -> dict[str, Any]:
    known = {item.name: item for item in ruleset.parameters}
    reasons = dict(json.loads(outcome["reasons"])) if outcome else {}
    return {
        "rule": rule.name,
        "title": rule.title,
        "severity": rule.severity,
        "direction": rule.direction,
        "grain": rule.grain,
        **{name: int(outcome[name]) if outcome else None for name in _OUTCOMES},
        "reasons": reasons,
        "needs": _needs(rule, ruleset, outcome, reasons, con),
        "requires": dict(rule.requires),
        "parameters": {name: str(known[name].known_until) for name in rule.parameters.values()},
        "reference_tables": _editions(rule, con),
    }


def _needs(
    rule: Rule,
    ruleset: RuleSet,
    outcome: Mapping[str, Any] | None,
    reasons: Mapping[str, int],
    con: duckdb.DuckDBPyConnection | None,
) -> list[str]:
    """Return, in words, what keeps the rule from judging (more)."""
    scope = rules.grains().scopes[engine.scope_of(rule)]
    if outcome is None:
        always = [f"needs {scope.needs}"] if scope.needs else []
        if con is not None:
            return ["did not run: it was not in the rulebook then"]
        return [*always, *(f"cannot judge where {reason}" for reason in rule.requires.values())]
    if outcome["error"]:
        return ["its query failed; please report it"]
    if not outcome["in_scope"]:
        return [_empty(rule, ruleset, scope, con)]
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return [*(f"{count:,} x {reason}" for reason, count in ranked), *_stale(rule, con)]


def _stale(rule: Rule, con: duckdb.DuckDBPyConnection | None) -> list[str]:
    """Return the reference tables of the rule that end before the audited period does."""
    if con is None or not rule.reference_tables:
        return []
    rows = con.execute(
        f"""
        SELECT reference, max(covers_to), arg_max(official_file, covers_to)
        FROM reference_edition
        WHERE reference IN ({", ".join("?" * len(rule.reference_tables))})
        GROUP BY reference
        HAVING max(covers_to) < (SELECT max(period_end) FROM audit_period)
        ORDER BY reference
        """,
        list(rule.reference_tables),
    ).fetchall()
    return [f"judged by an older table: {name} ends on {last}; load {file}" for name, last, file in rows]


def _empty(rule: Rule, ruleset: RuleSet, scope: rules.Scope, con: duckdb.DuckDBPyConnection | None) -> str:
    """Return why nothing was in the rule's scope."""
    plans = engine.plans_of(rule, ruleset)
    if con is not None and scope.needs:
        given = con.execute("SELECT count(*) FROM intake_file WHERE input = ?", [scope.needs]).fetchone()
        if given and not given[0]:
            return f"nothing in scope: needs {scope.needs.replace('_', ' ')}, and none were given"
    if plans != ["*"] and con is not None:
        listed = ", ".join("?" * len(plans))
        seen = con.execute(f"SELECT count(*) FROM payer_plan WHERE plan IN ({listed})", plans).fetchone()
        if seen and not seen[0]:
            return f"nothing in scope: needs claims of a payer that maps to {' or '.join(plans)}"
    return f"nothing in scope: the period holds no such case ({rules.grains().grains[rule.grain].title})"


def _editions(rule: Rule, con: duckdb.DuckDBPyConnection | None) -> dict[str, str | None]:
    """Return the last day that each reference table of the rule covers in the run; None without a run."""
    if con is None:
        return dict.fromkeys(rule.reference_tables)
    query = "SELECT max(covers_to)::VARCHAR FROM reference_edition WHERE reference = ?"
    return {name: (con.execute(query, [name]).fetchone() or (None,))[0] for name in rule.reference_tables}
