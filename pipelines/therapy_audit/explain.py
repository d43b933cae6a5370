"""One finding in full: what was seen and expected, the arithmetic, the citation, the source rows, what to do.

All of it by data: the finding's facts, its rule's YAML, the first sentence of its SQL, and which claim lines its grain
is about (rules/grains.yaml). No rule has code of its own.
"""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import deidentify, engine, rules, units
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from therapy_audit.rules import Rule

_SHOWN = 40  # claim lines, and notes; a clinician's can be thousands
_WIDTH = 110


def newest_run(reports: Path = Path("reports")) -> Path:
    """Return the report folder that was written last. AuditError where there is none."""
    runs = [
        path.parent for path in reports.glob("[!.]*/audit.duckdb") if not path.parent.name.endswith(deidentify.SUFFIX)
    ]
    if not runs:
        raise AuditError(
            f"There is no report in {reports}/; name its folder with --run, or write one: therapy-audit run."
        )
    return max(runs, key=lambda folder: ((folder / "manifest.json").stat().st_mtime_ns, folder.name))


def explain(con: duckdb.DuckDBPyConnection, finding_id: str, *, with_text: bool = False) -> dict[str, Any]:
    """Return all that is known of a finding, given its id or the begin of it.

    `con` is a run's database (audit.duckdb). Returns {finding, rule, seen, facts, expected, arithmetic, references,
    reference_tables, lines, lines_in_all, notes, remedy, exceptions}; amounts are USD, note text is there only
    `with_text`. AuditError: no finding has the id, or several begin with it.
    """
    finding = _finding(con, finding_id)
    rule = _rule(con, finding["rule"])
    told = _rows(con, "SELECT * FROM rule WHERE rule = ?", [finding["rule"]])[0]
    facts = json.loads(finding.pop("facts"), parse_float=Decimal)
    lines, in_all = _lines(con, finding, told["grain"])
    return {
        "finding": {key: finding[key] for key in finding if key not in ("message", "reference_state")},
        "rule": {key: told[key] for key in ("rule", "title", "severity", "direction", "grain")}
        | {"changed_since": rule is not None and rule.fingerprint != told["fingerprint"]},
        "seen": finding["message"],
        "facts": facts,
        "expected": policy(rule) if rule else None,
        "arithmetic": _arithmetic(con, rule, finding, facts) if rule else None,
        "references": json.loads(told["references"]),
        "reference_tables": _editions(con, finding),
        "reference_state": finding["reference_state"],
        "lines": lines,
        "lines_in_all": in_all,
        "notes": _notes(con, lines, with_text=with_text),
        "remedy": told["remedy"],
        "exceptions": told["exceptions"],
    }


@cache
def rulebook() -> dict[str, Rule]:
    """Return the rules by name, as they stand now."""
    return {rule.name: rule for rule in rules.load().rules}


def _rule(con: duckdb.DuckDBPyConnection, name: str) -> Rule | None:
    """Return a rule as it stands; one of the user's own as the run kept it beside its database."""
    if not name.startswith(rules.OWN):
        return rulebook().get(name)
    query = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    path = (con.execute(query).fetchone() or (None,))[0]
    own = rules.kept(Path(path).parent) if path else None
    return next((rule for rule in rules.load(own).rules if rule.name == name), None) if own else None


def policy(rule: Rule) -> str:
    """Return the policy that a rule checks: the comment at the head of its SQL."""
    head = re.match(r"(?:--[^\n]*\n)+", rule.sql)
    return " ".join(line.removeprefix("--").strip() for line in head[0].splitlines()) if head else ""


def as_json(found: Mapping[str, Any]) -> str:
    """Return an explanation as JSON."""
    return json.dumps(found, indent=2, ensure_ascii=False, default=_plain)


def as_text(found: Mapping[str, Any]) -> str:
    """Return an explanation to be read in a terminal."""
    finding, rule = found["finding"], found["rule"]
    severity = finding["severity"]
    about = [
        f"claim {finding['claim_id']}"
        + (f", line {finding['claim_line_number']}" if finding["claim_line_number"] else "")
        if finding["claim_id"]
        else None,
        f"patient {finding['patient_id']}" if finding["patient_id"] else None,
        str(finding["service_date"]),
        *(finding[key] for key in ("discipline", "hcpcs_code")),
        f"{finding['payer']} ({finding['plan'] or 'no plan'})" if finding["payer"] else None,
        f"clinician {finding['rendering_npi']}" if finding["rendering_npi"] else None,
    ]
    text = [
        f"{finding['finding_id']}  {rule['rule']}  {severity}, {rule['direction']}",
        rule["title"],
        *_wrapped(", ".join(item for item in about if item)),
        f"At risk: ${finding['amount_at_risk']:,.2f}",
    ]
    if rule["changed_since"]:
        text.append("The rule has changed since this run; what is expected is told as the rule stands now.")
    text += ["", "What was seen", *_wrapped(found["seen"])]
    width = max((len(name) for name in found["facts"]), default=0)
    text += [f"    {name.replace('_', ' '):{width}}  {shown(value)}" for name, value in found["facts"].items()]
    if found["expected"]:
        text += ["", "What was expected", *_wrapped(found["expected"])]
    if found["arithmetic"]:
        text += ["", "The arithmetic", *_wrapped(found["arithmetic"])]
    text += ["", "Citation"]
    text += [
        line
        for item in found["references"]
        for line in _wrapped(f"{item['title']}{' <' + item['href'] + '>' if item['href'] else ''}")
    ]
    for item in found["reference_tables"]:
        stale = "" if item["covers"] else ": older than the service date, load the current one"
        setting = f" ({item['setting']})" if item["setting"] else ""
        text.append(f"  {item['reference']}{setting} {item['edition']}, to {item['covers_to']}{stale}")
    text += ["", "Source rows", *_source_rows(found)]
    if found["remedy"]:
        text += ["", "What to do", *_wrapped(found["remedy"])]
    if found["exceptions"]:
        text += ["", "When it is fine", *(line for item in found["exceptions"] for line in _wrapped(item))]
    return "\n".join(text)


def _finding(con: duckdb.DuckDBPyConnection, finding_id: str) -> dict[str, Any]:
    begin = finding_id.strip().lower()
    found = _rows(con, "SELECT * FROM finding WHERE starts_with(finding_id, ?) ORDER BY finding_id LIMIT 6", [begin])
    if not found:
        raise AuditError(
            f"No finding of this run has the id '{finding_id}'; findings.csv and the report name them all."
        )
    if len(found) > 1 and begin != found[0]["finding_id"]:
        listed = ", ".join(item["finding_id"] for item in found[:5]) + (" and more" if len(found) > 5 else "")
        raise AuditError(f"Several findings begin with '{finding_id}': {listed}; give more of the id.")
    return found[0]


def _arithmetic(
    con: duckdb.DuckDBPyConnection, rule: Rule, finding: Mapping[str, Any], facts: Mapping[str, Any]
) -> str | None:
    if rule.arithmetic is None:
        return None
    if rule.arithmetic != "units":
        # As the message is worded: the facts are columns again.
        names = ", ".join(f'? AS "{name}"' for name in facts)
        values = [json.dumps(value) if isinstance(value, dict | list) else value for value in facts.values()]
        row = con.execute(f"SELECT {engine.message_sql(rule.arithmetic)} FROM (SELECT {names})", values).fetchone()
        return str(row[0]) if row else None
    return _units(con, finding)


def _units(con: duckdb.DuckDBPyConnection, finding: Mapping[str, Any]) -> str | None:
    """Return how the minutes of the finding's visit make units, by the method of its plan."""
    codes = con.execute(
        """
        SELECT
            visit_code.hcpcs_code, visit_code.minutes, coalesce(plan.unit_method, 'cms'), visit.timed_minutes,
            visit.units_allowed
        FROM visit
        INNER JOIN visit_code ON visit.visit_id = visit_code.visit_id
        LEFT JOIN plan ON visit.plan = plan.plan
        WHERE
            visit.patient_id = ? AND visit.service_date = ? AND visit.discipline = ?
            AND visit.plan IS NOT DISTINCT FROM ?
        ORDER BY visit_code.hcpcs_code
        """,
        [finding[key] for key in ("patient_id", "service_date", "discipline", "plan")],
    ).fetchall()
    if not codes:
        return None
    _, _, method, total, allowed = codes[0]
    minutes = {code: spent for code, spent, *_ in codes if spent}
    words = str(units.allocate(minutes, method)["explanation"]) if minutes else ""
    if method == "cms" and total is not None and total != sum(minutes.values()):
        # The note's total counts, whatever its services add up to.
        stated = (
            f"The note states {total} timed minutes in all, which earn {allowed} unit{'' if allowed == 1 else 's'}."
        )
        return f"{stated} By its services: {words}" if words else stated
    return words or None


def _editions(con: duckdb.DuckDBPyConnection, finding: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the last edition of each table that the rule reads, for the line's setting, and whether one covers it."""
    return _rows(
        con,
        """
        SELECT
            edition.reference,
            max(edition.setting) AS setting,
            arg_max(edition.edition, edition.covers_to) AS edition,
            max(edition.covers_to) AS covers_to,
            bool_or(?::DATE BETWEEN edition.covers_from AND edition.covers_to) AS covers
        FROM rule_reference
        INNER JOIN reference_edition AS edition ON rule_reference.reference = edition.reference
        LEFT JOIN therapy_line AS line ON line.claim_id = ? AND line.claim_line_number = ?
        WHERE rule_reference.rule = ? AND coalesce(edition.setting = line.setting, TRUE)
        GROUP BY edition.reference
        ORDER BY edition.reference
        """,
        [finding[key] for key in ("service_date", "claim_id", "claim_line_number", "rule")],
    )


def _lines(con: duckdb.DuckDBPyConnection, finding: Mapping[str, Any], grain: str) -> tuple[list[dict[str, Any]], int]:
    """Return the claim lines that a finding is about, those it names first, and how many there are in all."""
    told = rules.grains().grains.get(grain)
    condition = told.lines if told else rules.Grain.lines
    found = _rows(
        con,
        f"""
        SELECT
            line.claim_id, line.claim_line_number, line.service_date, line.patient_id, line.discipline, line.payer,
            line.hcpcs_code, line.modifiers, line.units, line.charge_amount, line.allowed_amount, line.line_amount,
            line.rendering_npi,
            line.claim_id = finding.claim_id AND line.claim_line_number = finding.claim_line_number AS named,
            claim_line.source_file, claim_line.source_row, stake.units_at_stake, stake.amount_at_risk,
            count(*) OVER () AS in_all
        FROM therapy_line AS line
        INNER JOIN claim_line ON line.line_id = claim_line.rowid
        CROSS JOIN (SELECT * FROM finding WHERE finding_id = ?) AS finding
        CROSS JOIN audit_period
        LEFT JOIN finding_line AS stake
            ON
                finding.finding_id = stake.finding_id AND line.claim_id = stake.claim_id
                AND line.claim_line_number = stake.claim_line_number
        WHERE ({condition}) OR stake.finding_id IS NOT NULL OR (
            line.claim_id = finding.claim_id AND line.claim_line_number = finding.claim_line_number
        )
        QUALIFY row_number() OVER (
            ORDER BY
                named DESC, stake.amount_at_risk DESC NULLS LAST, line.service_date, line.claim_id,
                line.claim_line_number
        ) <= {_SHOWN}
        ORDER BY line.service_date, line.claim_id, line.claim_line_number
        """,
        [finding["finding_id"]],
    )
    in_all = found[0]["in_all"] if found else 0
    return [{key: value for key, value in row.items() if key != "in_all"} for row in found], in_all


def _notes(
    con: duckdb.DuckDBPyConnection, lines: Sequence[Mapping[str, Any]], *, with_text: bool
) -> list[dict[str, Any]]:
    """Return the notes of the lines' days with their services; text only where it is asked for."""
    days = sorted({(row["patient_id"], str(row["service_date"]), row["discipline"] or "") for row in lines})
    if not days:
        return []
    listed = ", ".join(["(?, ?::DATE, ?)"] * len(days))
    notes = _rows(
        con,
        f"""
        SELECT DISTINCT note.* EXCLUDE (text), {"note.text" if with_text else "NULL AS text"}
        FROM visit_note AS note
        INNER JOIN (VALUES {listed}) AS day (patient_id, service_date, discipline)
            ON
                note.patient_id = day.patient_id AND note.service_date = day.service_date
                AND (note.discipline IS NULL OR day.discipline IN ('', 'unknown') OR note.discipline = day.discipline)
        ORDER BY note.service_date, note.note_id
        LIMIT {_SHOWN}
        """,
        [value for day in days for value in day],
    )
    return _with_services(con, notes, with_text=with_text)


def notes_of(
    con: duckdb.DuckDBPyConnection, note_ids: Sequence[str], *, with_text: bool = False
) -> list[dict[str, Any]]:
    """Return the notes of these ids with their services; text only where it is asked for."""
    if not note_ids:
        return []
    notes = _rows(
        con,
        f"""
        SELECT * EXCLUDE (text), {"text" if with_text else "NULL AS text"}
        FROM visit_note WHERE note_id IN ({", ".join("?" * len(note_ids))})
        ORDER BY service_date, note_id
        """,
        note_ids,
    )
    return _with_services(con, notes, with_text=with_text)


def _with_services(
    con: duckdb.DuckDBPyConnection, notes: list[dict[str, Any]], *, with_text: bool
) -> list[dict[str, Any]]:
    if not notes:
        return []
    services = _rows(
        con,
        f"""
        SELECT * EXCLUDE (text, patient_id, service_date), {"text" if with_text else "NULL AS text"}
        FROM note_service WHERE note_id IN ({", ".join("?" * len(notes))})
        ORDER BY note_id, service_number
        """,
        [note["note_id"] for note in notes],
    )
    for row in [*notes, *services]:
        if not with_text:
            del row["text"]
    return [{**note, "services": [{**row} for row in services if row["note_id"] == note["note_id"]]} for note in notes]


def _source_rows(found: Mapping[str, Any]) -> list[str]:
    finding = found["finding"]
    text = []
    for row in found["lines"]:
        mark = ">" if row["named"] else " "
        number = "" if row["units"] is None else f" x{row['units']}"
        text.append(
            f"{mark} {row['source_file']}, row {row['source_row']}: {row['claim_id']} line {row['claim_line_number']}, "
            f"{row['service_date']}, {' '.join([row['hcpcs_code'], *row['modifiers']])}{number}, "
            f"${row['line_amount']:,.2f}{_stake(row)}"
        )
    if not found["lines"]:
        text.append(f"> {finding['source_file']}, row {finding['source_row']}")
    if found["lines_in_all"] > len(found["lines"]):
        text.append(f"  {len(found['lines'])} of {found['lines_in_all']:,} claim lines")
    for note in found["notes"]:
        told = [
            (note["note_type"] or "note").replace("_", " "),
            note["discipline"],
            note["clinician_credential"],
            None if note["total_timed_minutes"] is None else f"{note['total_timed_minutes']} timed minutes",
        ]
        text.append(
            f"  {note['source_file']}, row {note['source_row']}: note {note['note_id']}, {note['service_date']}, "
            + ", ".join(item for item in told if item)
        )
        text += _indented(note.get("text"))
        for row in note["services"]:
            clock = f", {row['start_time']} to {row['stop_time']}" if row["start_time"] and row["stop_time"] else ""
            minutes = "no minutes" if row["minutes"] is None else f"{row['minutes']} min"
            text.append(f"    row {row['source_row']}: {row['hcpcs_code'] or 'no code'}, {minutes}{clock}")
            text += _indented(row.get("text"))
    return text


def _stake(row: Mapping[str, Any]) -> str:
    """Return, in words, what of a line the finding puts at stake."""
    if not row["amount_at_risk"]:
        return ""
    number = row["units_at_stake"]
    of = "" if number is None else f" ({abs(number)} unit{'' if abs(number) == 1 else 's'})"
    return f": ${row['amount_at_risk']:,.2f} {'missing' if number is not None and number < 0 else 'at risk'}{of}"


def _indented(value: str | None) -> list[str]:
    return [f"      {line}" for line in _wrapped(value)] if value else []


def _wrapped(value: str) -> list[str]:
    import textwrap

    return textwrap.wrap(value, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def shown(value: Any) -> str:
    """Return a fact in words: yes, not known, a list with commas."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    return str(value) or "none"


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value.isoformat() if isinstance(value, date) else str(value)


def _rows(con: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    result = con.execute(query, list(values))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
