"""What to bill for a day: a draft by the audit's models, mended until the audit's own rules find nothing more in it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import engine, pipeline, units
from therapy_audit.config import Config, reference_beside
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    import duckdb

    from therapy_audit.rules import Plan, Rule, RuleSet

AIMS = ("functional", "impairment", "neuromuscular")
GROUP = "97150"
GRAINS = ("line", "visit", "patient_year")  # what one day can be judged by
_COUNTING = {
    "cms": "medicare.timed_units_exceed_minutes",
    "midpoint": "payers.ama_midpoint.units_exceed_midpoint",
}
_NEVER = "medicare.ncci_pair_not_allowed"
_APART = "medicare.ncci_pair_without_modifier"
_PAYER_PAIR = "payers.pair_rules.pair_without_modifier"
_CAP = "payers.unit_cap.daily_timed_units_exceeded"
_UNLIKELY = "medicare.mue_exceeded"
_PLACED = "medicare.timed_unit_on_wrong_code"
_KX = ("medicare.kx_missing", "medicare.kx_missing_on_crossing_line")
_MENDED = {_NEVER, _APART, _PAYER_PAIR, _CAP, _UNLIKELY, *_KX}  # what the advice itself sets right
_ROUNDS = 12


@dataclass(frozen=True)
class Day:
    """What was done for one patient on one day in one discipline.

    therapist, assistant: minutes by code that each gave alone (the therapist's with those given together).
    others: codes without minutes, such as an evaluation. aims: by code, one of AIMS. year_to_date: USD allowed in the
    year before this day; separate_times: whether the note sets services of a pair apart; both None where not known.
    """

    payer: str
    service_date: date
    therapist: Mapping[str, int]
    assistant: Mapping[str, int] = field(default_factory=dict)
    discipline: str = "PT"
    others: tuple[str, ...] = ()
    aims: Mapping[str, str] = field(default_factory=dict)
    year_to_date: Decimal | None = None
    separate_times: bool | None = None
    place_of_service: str | None = None


@dataclass(frozen=True)
class Reason:
    """Why something is billed as it is: what it is about, the codes concerned, and the rule that says so."""

    about: str
    codes: tuple[str, ...]
    text: str
    rule: str | None = None


@dataclass(frozen=True)
class Line:
    """A claim line to bill."""

    hcpcs_code: str
    discipline: str
    units: int
    modifiers: tuple[str, ...]


@dataclass(frozen=True)
class _Visit:
    """A day on its way to an advice: what the audit asked for so far, and the lines that follow from it."""

    patient_id: str
    day: Day
    plan: Plan
    therapist: Mapping[str, int]
    assistant: Mapping[str, int]
    kinds: Mapping[str, str | None]  # of each code; None: no therapy code
    disciplines: Mapping[str, str]
    evaluations: frozenset[str]
    functional: frozenset[str]  # codes of tasks of daily life or work
    aimed: tuple[Reason, ...]
    by_midpoint: bool | None  # how CQ and CO are reckoned on the date; None where no plan asks for them
    left_off: tuple[Reason, ...] = ()  # about: the code
    distinct: Mapping[str, tuple[str, Reason]] = field(default_factory=dict)  # code: the modifier that sets it apart
    limits: Mapping[str, int] = field(default_factory=dict)
    cap: int | None = None
    kx_pools: tuple[str, ...] = ()
    limited: tuple[Reason, ...] = ()
    counted: Mapping[str, Any] = field(default_factory=dict)  # what units.count returns
    lines: tuple[Line, ...] = ()

    @property
    def codes(self) -> list[str]:
        """All codes of the day, as given."""
        return list(dict.fromkeys([*self.therapist, *self.assistant, *self.day.others]))

    @property
    def billable(self) -> list[str]:
        """The codes that no pair keeps off the claim."""
        off = {reason.about for reason in self.left_off}
        return [code for code in self.codes if code not in off]

    def minutes(self, code: str) -> int | None:
        """Return the minutes of both; None for a code given without."""
        if code not in self.therapist and code not in self.assistant:
            return None
        return self.therapist.get(code, 0) + self.assistant.get(code, 0)

    @property
    def timed(self) -> dict[str, int]:
        """The minutes of the billable codes that are counted in 15-minute units."""
        return {code: self.minutes(code) or 0 for code in self.billable if self.kinds[code] == "timed_15"}


def advise(day: Day, config: Config | None = None) -> dict[str, Any]:
    """Return what to bill for a day, and why.

    Returns {payer, plan, service_date, discipline, setting, unit_method, lines: [{hcpcs_code, units, modifiers,
    minutes, expected_amount}], alternatives: [{code: units}], not_billed, reasons: [{about, hcpcs_codes, text, rule,
    references}], note: [{text, references}], not_known: [text], audit: {rules, findings, not_judged}}. Amounts are USD
    allowed. The lines, and a note that holds the day's minutes, have been audited by the rules that audit claims:
    `audit` says what these find. Raises AuditError for what cannot be billed as told.
    """
    return advise_all([day], config or Config(inputs={}))[0]


def advise_all(days: Sequence[Day], config: Config) -> list[dict[str, Any]]:
    """Return `advise` of each day, all from one database."""
    ruleset = pipeline.rules_of(config)
    judging = [rule for rule in ruleset.rules if rule.before_billing and rule.grain in GRAINS]
    with engine.connect(threads=config.threads) as con:
        engine.prepare(con, ruleset, config.reference or reference_beside(Path()))
        engine.set_locality(con, config.locality, "audit.toml: locality")
        engine.lock(con)
        known = _known_codes(con)
        plans = _plans(con, days, config, ruleset)
        visits = [
            _begin(con, f"p{number:06}", day, plan, known)
            for number, (day, plan) in enumerate(zip(days, plans, strict=True), 1)
        ]
        mending = [rule for rule in judging if rule.name in _MENDED]
        todo = visits
        for _ in range(_ROUNDS):
            visits = _counted(con, visits, {visit.patient_id for visit in todo})
            _write(con, visits)
            _build(con)
            findings = _judged(con, mending)
            mended = [_mended(visit, findings.get(visit.patient_id, [])) for visit in visits]
            todo = [new for new, old in zip(mended, visits, strict=True) if new != old]
            if not todo:
                break
            visits = mended
        else:
            raise RuntimeError("the advice does not settle")
        findings = _judged(con, judging)
        told = _facts(con, judging)
    return [_advice(visit, findings.get(visit.patient_id, []), told, ruleset) for visit in visits]


# What was done -------------------------------------------------------------------------------------------------------


def _known_codes(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Return {code: kind, discipline, ...} of the therapy codes, and of those that edits name with no kind."""
    result = con.execute("SELECT * FROM procedure_code")
    names = [item[0] for item in result.description]
    known = {row[0]: dict(zip(names, row, strict=True)) for row in result.fetchall()}
    others = con.execute(
        "SELECT column_one FROM ncci_pair UNION SELECT column_two FROM ncci_pair UNION SELECT hcpcs_code FROM mue"
    ).fetchall()
    nothing = dict.fromkeys(names)
    return {code: nothing for (code,) in others} | known


def _plans(con: duckdb.DuckDBPyConnection, days: Sequence[Day], config: Config, ruleset: RuleSet) -> list[Plan]:
    """Return each day's plan, by its payer's name or the plan's own; AuditError where there is none."""
    by_name = {plan.name: plan for plan in ruleset.plans}
    con.executemany(
        "INSERT INTO claim_line (claim_id, claim_line_number, patient_id, payer, service_date, hcpcs_code, modifiers,"
        " diagnosis_codes, source_file, source_row) VALUES ('', 1, '', ?, ?, '', [], [], '', 1)",
        [[day.payer, day.service_date] for day in days],
    )
    own = [(name, name) for name in by_name]
    engine.map_payers(con, [*config.payers.items(), *own, *ruleset.payer_patterns])
    mapped = dict(con.execute("SELECT payer, plan FROM payer_plan").fetchall())
    for payer, plan in mapped.items():
        if plan is None:
            raise AuditError(
                f"Payer '{payer}' maps to no plan, so how it counts is not known; map it under [payers] of an"
                f" audit.toml given with --config, or name one of {', '.join(by_name)}."
            )
    return [by_name[mapped[day.payer]] for day in days]


def _begin(
    con: duckdb.DuckDBPyConnection, patient_id: str, day: Day, plan: Plan, known: Mapping[str, Mapping[str, Any]]
) -> _Visit:
    """Check what was done, and put each service under the code of its aim. AuditError says what would be right."""
    if day.discipline not in units.MODIFIERS:
        raise AuditError(f"Discipline '{day.discipline}' is not known; there are {', '.join(units.MODIFIERS)}.")
    if day.assistant and not units.MODIFIERS[day.discipline][1]:
        raise AuditError("There is no assistant modifier in speech-language pathology; leave --assistant out.")
    if day.place_of_service is not None and not re.fullmatch(r"\d{2}|0?\d{3}", day.place_of_service):
        raise AuditError(
            f"Place '{day.place_of_service}' is not one; write a place of service such as 11, or a bill type."
        )
    if day.year_to_date is not None and day.year_to_date < 0:
        raise AuditError("The year-to-date amount is 0 or more.")
    codes = dict.fromkeys([*day.therapist, *day.assistant, *day.others])
    if not codes:
        raise AuditError("Say what was done: at least one code with its minutes, such as 97530=20.")
    for code in codes:
        if code not in known:
            raise AuditError(f"{code} is none of the codes that the reference tables know; therapy's are like 97530.")
    for code, minutes in [*day.therapist.items(), *day.assistant.items()]:
        if not 0 <= minutes <= 1440:
            raise AuditError(f"{code}={minutes}: the minutes of a day are a whole number from 0 to 1440.")
    if sum([*day.therapist.values(), *day.assistant.values()]) > 1440:
        raise AuditError("These are more minutes than a day has.")
    for code in day.others:
        if known[code]["kind"] == "timed_15":
            raise AuditError(f"{code} is counted in minutes; write it as {code}=15, without --with.")
        if code in day.therapist or code in day.assistant:
            raise AuditError(f"{code} is given twice; with its minutes is enough.")
    for code, minutes in day.assistant.items():
        if known[code]["evaluation"] and minutes:
            raise AuditError(f"An assistant does not evaluate; {code} is the therapist's.")
    therapist, assistant, aimed = _by_aim(day, known)
    by_midpoint = None
    if assistant and plan.assistant_modifier_required:
        by_midpoint = units.midpoint_rule(con, day.service_date)
    codes = dict.fromkeys([*therapist, *assistant, *day.others])
    return _Visit(
        patient_id, day, plan, therapist, assistant, {code: known[code]["kind"] for code in codes},
        {code: known[code]["discipline"] or day.discipline for code in codes},
        frozenset(code for code in codes if known[code]["evaluation"]),
        frozenset(code for code in codes if known[code]["functional_activity"]),
        tuple(aimed), by_midpoint,
    )  # fmt: skip


def _by_aim(day: Day, known: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, int], dict[str, int], list[Reason]]:
    """Return the minutes of therapist and assistant by the codes that the aims make them, and why."""
    becomes, reasons = {}, []
    for code, aim in day.aims.items():
        if code not in day.therapist and code not in day.assistant:
            raise AuditError(f"--aim names {code}, which was not done; give its minutes too.")
        if aim not in AIMS:
            raise AuditError(f"Aim '{aim}' is not known; there are {', '.join(AIMS)}.")
        if not known[code]["skilled_activity"]:
            raise AuditError(f"What {code} is does not turn on its aim; leave --aim {code}={aim} out.")
        functional = known[code]["functional_activity"]
        if aim == "functional" and code in {"97110", "97112"}:
            becomes[code] = "97530"
            text = f"{code} was aimed at a task of daily life or work and practised as one: that is 97530."
        elif aim == "impairment" and functional:
            becomes[code] = "97110"
            text = (
                f"{code} was aimed at an impairment (strength, motion, endurance): that is exercise, 97110, whatever"
                " the position it is done in. Balance, coordination or posture would be 97112."
            )
        elif aim == "neuromuscular" and (functional or code == "97110"):
            becomes[code] = "97112"
            text = f"{code} was aimed at balance, coordination, posture or movement sense: that is 97112."
        else:
            continue
        reasons.append(Reason("code", (code, becomes[code]), text, "clinic.impairment_level_activity"))
    found: list[dict[str, int]] = []
    for given in (day.therapist, day.assistant):
        moved: dict[str, int] = defaultdict(int)
        for code, minutes in given.items():
            moved[becomes.get(code, code)] += minutes
        found.append(dict(moved))
    return found[0], found[1], reasons


# Units and lines -----------------------------------------------------------------------------------------------------


def _counted(con: duckdb.DuckDBPyConnection, visits: Sequence[_Visit], anew: set[str]) -> list[_Visit]:
    """Return the visits with their lines; the units of those `anew` are counted by the audit's model."""
    recount = [
        visit
        for visit in visits
        if visit.patient_id in anew and visit.timed and visit.timed != visit.counted.get("minutes")
    ]
    rows = defaultdict(list)
    if recount:
        _write(con, [replace(visit, lines=()) for visit in recount], counting=True)
        engine.build_models(con, only=["visit_code"])
        for patient_id, *row in con.execute(
            units.VISIT_CODES.replace("SELECT", "SELECT patient_id,") + " INNER JOIN timed_visit USING (visit_id)"
        ).fetchall():
            rows[patient_id].append(tuple(row))
    counted = {
        visit.patient_id: units.count(visit.timed, visit.plan.unit_method, rows[visit.patient_id]) for visit in recount
    }
    done = []
    for visit in visits:
        new = replace(visit, counted=counted.get(visit.patient_id, visit.counted if visit.timed else {}))
        done.append(replace(new, lines=_lines(con, new)) if visit.patient_id in anew else new)
    return done


def _lines(con: duckdb.DuckDBPyConnection, visit: _Visit) -> tuple[Line, ...]:
    """Return the claim lines of a visit by all that is known of it so far."""
    ways = visit.counted.get("allocations") or [{}]
    chosen = {code: min(number, visit.limits.get(code, number)) for code, number in ways[0].items()}
    while visit.cap is not None and sum(chosen.values()) > visit.cap:
        # The unit with the fewest minutes of its own goes first; among equal ones that of the code with the most.
        least = min(
            (code for code in reversed(chosen) if chosen[code]),
            key=lambda code: (min((visit.minutes(code) or 0) - 15 * (chosen[code] - 1), 15), -chosen[code]),
        )
        chosen[least] -= 1
    found = []
    for code in visit.billable:
        number = chosen.get(code, 0) if visit.kinds[code] == "timed_15" else min(1, visit.limits.get(code, 1))
        if visit.minutes(code) == 0:
            number = 0
        marked = _by_assistant(con, visit, code, number)
        found += [
            Line(code, visit.disciplines[code], part, _modifiers(visit, code, by_assistant=by_assistant))
            for part, by_assistant in ((marked, True), (number - marked, False))
            if part
        ]
    return tuple(found)


def _by_assistant(con: duckdb.DuckDBPyConnection, visit: _Visit, code: str, number: int) -> int:
    """Return how many of a code's units carry CQ or CO."""
    if visit.by_midpoint is None or not number or not visit.assistant.get(code):
        return 0
    given = [visit.therapist.get(code, 0), visit.assistant[code], number]
    if visit.kinds[code] == "timed_15":
        query = "SELECT assistant_units(?::INTEGER, ?::INTEGER, ?::INTEGER, ?).due"
        return int(con.execute(query, [*given, visit.by_midpoint]).fetchall()[0][0])
    query = "SELECT assistant_units_untimed(?::INTEGER, ?::INTEGER, ?::INTEGER).due"
    return int(con.execute(query, given).fetchall()[0][0])


def _modifiers(visit: _Visit, code: str, *, by_assistant: bool) -> tuple[str, ...]:
    of_therapist, of_assistant = units.MODIFIERS[visit.disciplines[code]]
    found = []
    # Assistants' modifiers go beside GP or GO, whether or not the plan asks for these.
    if (visit.plan.discipline_modifier_required and visit.kinds[code] is not None) or by_assistant:
        found.append(of_therapist)
    if by_assistant:
        found.append(of_assistant)
    if code in visit.distinct:
        found.append(visit.distinct[code][0])
    if visit.kinds[code] is not None and _pool(visit.disciplines[code]) in visit.kx_pools:
        found.append("KX")
    return tuple(found)


def _pool(discipline: str) -> str:
    return "OT" if discipline == "OT" else "PT+SLP"


# The audit of it -----------------------------------------------------------------------------------------------------


def _write(con: duckdb.DuckDBPyConnection, visits: Sequence[_Visit], *, counting: bool = False) -> None:
    """Put the visits' claims and notes in place of those of the contract tables.

    To count, the notes hold what is billed alone; to audit, all that was done.
    """
    for table in ("claim_line", "visit_note", "note_service", "patient_opening_balance", "payer_plan"):
        con.execute(f"DELETE FROM {table}")
    lines, notes, services, balances = [], [], [], []
    for visit in visits:
        patient_id, day = visit.patient_id, visit.day
        codes = list(visit.timed) if counting else visit.codes
        billed = [Line(code, visit.disciplines[code], 0, ()) for code in codes] if counting else visit.lines
        lines += [
            [patient_id, number, patient_id, visit.plan.name, day.service_date, line.hcpcs_code, list(line.modifiers),
             line.units, line.discipline, day.place_of_service]
            for number, line in enumerate(billed, 1)
        ]  # fmt: skip
        disciplines = dict.fromkeys(visit.disciplines[code] for code in codes)
        notes += [_note_row(visit, discipline, codes) for discipline in disciplines]
        services += [
            [f"{patient_id} {visit.disciplines[code]}", number, patient_id, day.service_date, code, visit.minutes(code),
             visit.assistant.get(code, 0) if visit.minutes(code) is not None else None]
            for number, code in enumerate(codes, 1)
        ]  # fmt: skip
        if day.year_to_date is not None:
            balances.append([patient_id, day.service_date.year, _pool(day.discipline), day.year_to_date])
    _insert(
        con,
        "claim_line (claim_id, claim_line_number, patient_id, payer, service_date, hcpcs_code, modifiers, units,"
        " discipline, place_of_service, diagnosis_codes, source_file, source_row)",
        [[*row, [], "", 1] for row in lines],
    )
    _insert(
        con,
        "visit_note (note_id, patient_id, service_date, discipline, clinician_credential, note_type,"
        " total_timed_minutes, source_file, source_row)",
        [[*row, "", 1] for row in notes],
    )
    _insert(
        con,
        "note_service (note_id, service_number, patient_id, service_date, hcpcs_code, minutes, assistant_minutes,"
        " source_file, source_row)",
        [[*row, "", 1] for row in services],
    )
    _insert(
        con,
        "patient_opening_balance (patient_id, year, pool, amount, source_file, source_row)",
        [[*row, "", 1] for row in balances],
    )
    _insert(con, "payer_plan (payer, plan)", [[name, name] for name in sorted({visit.plan.name for visit in visits})])


def _note_row(visit: _Visit, discipline: str, codes: Sequence[str]) -> list[Any]:
    mine = [code for code in codes if visit.disciplines[code] == discipline]
    timed = [visit.minutes(code) or 0 for code in mine if visit.kinds[code] == "timed_15"]
    return [
        f"{visit.patient_id} {discipline}", visit.patient_id, visit.day.service_date, discipline, discipline,
        "daily" if visit.evaluations.isdisjoint(mine) else "evaluation", sum(timed) if timed else None,
    ]  # fmt: skip


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    for first in range(0, len(rows), 500):
        some = rows[first : first + 500]
        row = f"({', '.join('?' * len(some[0]))})"
        con.execute(
            f"INSERT INTO {table} VALUES {', '.join([row] * len(some))}", [cell for one in some for cell in one]
        )


def _build(con: duckdb.DuckDBPyConnection) -> None:
    """Build the models of the claims and notes as they now stand, if there are any claims."""
    if con.execute("SELECT 1 FROM claim_line LIMIT 1").fetchone():
        engine.set_period(con)
        engine.build_models(con)


def _judged(con: duckdb.DuckDBPyConnection, judging: Sequence[Rule]) -> dict[str, list[dict[str, Any]]]:
    """Run the rules over what was built; return the findings by patient."""
    if not con.execute("SELECT 1 FROM claim_line LIMIT 1").fetchone():
        return {}
    con.execute("DELETE FROM finding")
    con.execute("DELETE FROM coverage")
    errors = engine.run_rules(con, judging)
    if errors:
        raise RuntimeError(f"rules that failed: {', '.join(errors)}")
    found = defaultdict(list)
    for patient_id, rule, severity, direction, title, message, facts in con.execute(
        "SELECT patient_id, rule, finding.severity, finding.direction, rule.title, message, facts"
        " FROM finding INNER JOIN rule USING (rule) ORDER BY claim_id, rule, claim_line_number, finding_id"
    ).fetchall():
        found[patient_id].append(
            {
                "rule": rule,
                "severity": severity,
                "direction": direction,
                "title": title,
                "message": message,
                "facts": json.loads(facts),
            }
        )
    return found


def _mended(visit: _Visit, findings: Sequence[Mapping[str, Any]]) -> _Visit:
    """Return the visit with what the findings ask for."""
    by_rule = defaultdict(list)
    for item in findings:
        by_rule[item["rule"]].append(item["facts"])
    left_off = _left_off(visit, by_rule)
    if left_off:  # what else is to be done may look other without these lines
        return replace(visit, left_off=(*visit.left_off, *left_off))
    distinct, limits, limited = dict(visit.distinct), dict(visit.limits), list(visit.limited)
    pairs = [(name, facts) for name in (_APART, _PAYER_PAIR) for facts in by_rule[name]]
    for name, facts in pairs:
        code = facts["column_two"]
        modifier = _distinct(name, facts)
        text = f"{_pair(visit, name, facts)}; the note sets their times apart, which {modifier} on {code} says."
        distinct[code] = (modifier, Reason(modifier, (code,), text, name))
    cap = visit.cap
    for facts in by_rule[_CAP]:
        cap = facts["cap"]
        text = f"The minutes earn {facts['units_billed']} timed units; {facts['plan']} pays {cap} a day at most."
        limited.append(Reason("cap", tuple(visit.timed), text, _CAP))
    for facts in by_rule[_UNLIKELY]:
        code, most = facts["hcpcs_code"], facts["units_allowed"]
        if facts["adjudication_indicator"] == 3 and most:
            continue  # what was done is billed; more than is likely may be paid on appeal
        limits[code] = most
        told = "none, so it is not paid on its own" if not most else f"{most} {facts['counted']}"
        limited.append(
            Reason(
                "MUE", (code,), f"{code}: the medically unlikely edit ({facts['setting']}) allows {told}.", _UNLIKELY
            )
        )
    new = replace(visit, distinct=distinct, limits=limits, cap=cap, limited=tuple(dict.fromkeys(limited)))
    if (cap, limits) != (visit.cap, visit.limits):
        return new
    pools = {facts["pool"] for rule in _KX for facts in by_rule[rule]}
    return replace(new, kx_pools=tuple(sorted(pools.union(visit.kx_pools))))


def _left_off(visit: _Visit, by_rule: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Reason]:
    """Return the codes that cannot be billed beside others, as reasons: first those beside codes that stay."""
    for rule in (_NEVER, _APART, _PAYER_PAIR):
        if visit.day.separate_times and rule != _NEVER:
            continue
        beside: dict[str, set[str]] = defaultdict(set)
        reasons: dict[str, Reason] = {}
        for facts in by_rule.get(rule, ()):
            code = facts["column_two"]
            beside[code] |= set(facts["column_one"].split(", "))
            text = f"{code}: {_pair(visit, rule, facts)}"
            if rule == _NEVER:
                text += ", and no modifier changes that."
            elif visit.day.separate_times is None:
                modifier = _distinct(rule, facts)
                text += f"; if the note gives each times of its own, say --separate-times: it takes {modifier} then."
            else:
                text += "; without times of their own it is not billed."
            reasons.setdefault(code, Reason(code, (code,), text, rule))
        # What is bundled only into codes that go as well may stay: the next round sees.
        first = [reason for code, reason in reasons.items() if beside[code] - set(reasons)]
        if reasons:
            return first or list(reasons.values())[-1:]
    return []


def _distinct(rule: str, facts: Mapping[str, Any]) -> str:
    """Return the modifier that sets a pair's services apart: 59, or the first that the payer takes."""
    return str(facts["modifiers"]).split(", ")[0] if rule == _PAYER_PAIR else "59"


def _pair(visit: _Visit, rule: str, facts: Mapping[str, Any]) -> str:
    if rule == _PAYER_PAIR:
        return f"{facts['plan']} may deny it beside {facts['column_one']}"
    kind = "bundles it for good into" if rule == _NEVER else "bundles it into"
    return f"an NCCI edit in force on {visit.day.service_date} {kind} {facts['column_one']}"


# What is told --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Facts:
    """What the last audit's tables hold beside findings, by patient."""

    settings: Mapping[str, str]
    amounts: Mapping[tuple[str, int], tuple[Decimal, str]]  # by patient and line: USD expected, and by which edition
    ledger: Mapping[str, list[dict[str, Any]]]  # by patient: pool, balance before and after, threshold
    asked: Mapping[str, list[str]]  # rules in scope
    not_judged: Mapping[str, dict[str, list[str]]]  # reason: rules
    paired: frozenset[str]  # patients of whom an NCCI edit pairs two lines
    editions: Sequence[Mapping[str, Any]]
    threshold: Mapping[tuple[str, int], Decimal]  # by pool and year
    names: Mapping[str, str]  # of rules


def _facts(con: duckdb.DuckDBPyConnection, judging: Sequence[Rule]) -> _Facts:
    editions = _rows(con, "SELECT * FROM reference_edition ORDER BY ALL")
    threshold = {
        (pool, day.year): value
        for pool, day, value in con.execute(
            "SELECT key, effective_from, value FROM parameter WHERE name = 'medicare.kx_threshold'"
        ).fetchall()
    }
    names = {rule.name: rule.title for rule in judging}
    if not con.execute("SELECT 1 FROM claim_line LIMIT 1").fetchone():
        return _Facts({}, {}, {}, {}, {}, frozenset(), editions, threshold, names)
    ledger = defaultdict(list)
    for row in _rows(
        con,
        "SELECT patient_id, pool, year, min(balance_before) AS before, max(balance_after) AS after,"
        " any_value(threshold) AS threshold, max(amounts_stale) AS stale, bool_and(coalesce(balance_known, FALSE))"
        " AS known FROM kx_ledger GROUP BY ALL ORDER BY ALL",
    ):
        ledger[row["patient_id"]].append(row)
    asked = defaultdict(list)
    for patient_id, rule in con.execute(
        "SELECT DISTINCT line.patient_id, rule_scope.rule FROM therapy_line AS line INNER JOIN rule_scope"
        " ON rule_scope.plan IN ('*', line.plan)"
        " AND line.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to"
        " WHERE rule_scope.rule IN (SELECT rule FROM coverage) ORDER BY ALL"
    ).fetchall():
        asked[patient_id].append(rule)
    not_judged: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    open_rules = {name for (name,) in con.execute("SELECT rule FROM coverage WHERE not_evaluable > 0").fetchall()}
    for rule in judging:
        if rule.name in open_rules:
            for patient_id, reason in con.execute(
                f"SELECT DISTINCT patient_id, {engine.doubt_sql(con, rule)} AS reason"
                f" FROM {engine.scope_of(rule)}($rule) WHERE ({rule.applies_to or 'TRUE'}) AND reason IS NOT NULL",
                {"rule": rule.name},
            ).fetchall():
                not_judged[patient_id][reason].append(rule.name)
    return _Facts(
        dict(con.execute("SELECT patient_id, any_value(setting) FROM therapy_line GROUP BY ALL").fetchall()),
        {
            (claim_id, number): (amount, source)
            for claim_id, number, amount, source in con.execute(
                "SELECT claim_id, claim_line_number, expected_allowed,"
                " if(reference_state = 'stale_reference', 'fee_schedule_stale', 'fee_schedule')"
                " FROM expected_payment WHERE price_source = 'fee_schedule' AND expected_allowed IS NOT NULL"
            ).fetchall()
        },
        ledger,
        asked,
        not_judged,
        frozenset(patient_id for (patient_id,) in con.execute("SELECT DISTINCT claim_id FROM ncci_hit").fetchall()),
        editions,
        threshold,
        names,
    )


def _rows(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = con.execute(query)
    names = [item[0] for item in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _advice(visit: _Visit, findings: Sequence[Mapping[str, Any]], facts: _Facts, ruleset: RuleSet) -> dict[str, Any]:
    """Return what `advise` returns of one visit."""
    known = {rule.name: rule for rule in ruleset.rules}
    plan, day, patient_id = visit.plan, visit.day, visit.patient_id
    amounts = [facts.amounts.get((patient_id, number)) for number in range(1, len(visit.lines) + 1)]
    minutes_open = bool(visit.left_off or visit.limited)
    left = [
        {
            "rule": item["rule"],
            "severity": item["severity"],
            "title": item["title"],
            "message": item["message"],
            # Minutes of what an edit or a cap takes are in the note, and the rules on units look for them on the claim.
            "follows_from_advice": minutes_open and (item["direction"] == "underpayment" or item["rule"] == _PLACED),
        }
        for item in findings
    ]
    not_judged = facts.not_judged.get(patient_id, {})
    unjudged = {name for names in not_judged.values() for name in names}
    return {
        "payer": day.payer,
        "plan": plan.name,
        "plan_title": plan.title,
        "service_date": day.service_date.isoformat(),
        "discipline": day.discipline,
        "setting": facts.settings.get(patient_id),
        "unit_method": plan.unit_method,
        "lines": [
            {
                "hcpcs_code": line.hcpcs_code,
                "units": line.units,
                "modifiers": list(line.modifiers),
                "minutes": visit.minutes(line.hcpcs_code),
                "expected_amount": float(amount[0]) if amount else None,
            }
            for line, amount in zip(visit.lines, amounts, strict=True)
        ],
        "alternatives": [] if visit.limited else visit.counted.get("allocations", [])[1:],
        "not_billed": [_as_data(item, known) for item in _not_billed(visit)],
        "reasons": [_as_data(item, known) for item in _reasons(visit, facts)],
        "note": [{"text": text, "references": _references(known.get(rule))} for text, rule in _note(visit)],
        "not_known": _not_known(visit, facts, known),
        "audit": {
            "rules": [name for name in facts.asked.get(patient_id, []) if name not in unjudged],
            "findings": left,
            "not_judged": [{"reason": reason, "rules": names} for reason, names in sorted(not_judged.items())],
        },
    }


def _as_data(reason: Reason, known: Mapping[str, Rule]) -> dict[str, Any]:
    return {
        "about": reason.about,
        "hcpcs_codes": list(reason.codes),
        "text": reason.text,
        "rule": reason.rule,
        "references": _references(known.get(reason.rule or "")),
    }


def _references(rule: Rule | None) -> list[dict[str, Any]]:
    return [{"title": item.title, "href": item.href} for item in rule.references] if rule else []


def _not_billed(visit: _Visit) -> list[Reason]:
    billed = {line.hcpcs_code for line in visit.lines}
    found = list(visit.left_off)
    told = {reason.about for reason in found} | {
        code for reason in visit.limited if reason.about == "MUE" for code in reason.codes
    }
    for code in visit.codes:
        if code in billed or code in told:
            continue
        minutes = visit.minutes(code)
        if visit.kinds[code] != "timed_15":
            text = f"{code}: no minutes."
        elif visit.counted.get("allocations") and visit.counted["allocations"][0].get(code):
            text = f"{code}: its unit is one past the payer's cap."
        else:
            counts = " They count in the day's total." if visit.plan.unit_method == "cms" else ""
            text = f"{code}: its {minutes} minutes earn no unit.{counts}"
        found.append(Reason(code, (code,), text, _COUNTING[visit.plan.unit_method]))
    return found


def _reasons(visit: _Visit, facts: _Facts) -> list[Reason]:
    plan, day = visit.plan, visit.day
    codes = tuple(dict.fromkeys(line.hcpcs_code for line in visit.lines))
    found = list(visit.aimed)
    if visit.counted:
        counted = _COUNTING[plan.unit_method]
        found.append(Reason("units", tuple(visit.timed), visit.counted["explanation"], counted))
        other = visit.counted["allocations"][1:]
        if other and not visit.limited:
            ways = " or ".join(", ".join(f"{code} x{number}" for code, number in way.items()) for way in other)
            found.append(Reason("units", tuple(visit.timed), f"As good: {ways}.", counted))
    found += visit.limited
    untimed = tuple(code for code in codes if visit.kinds[code] == "untimed" and code != GROUP)
    if untimed:
        text = "1 unit a day, however long it took; its minutes count in no timed unit."
        found.append(Reason("units", untimed, text, "medicare.untimed_code_multiple_units"))
    if GROUP in codes:
        text = (
            "Time with two or more patients at once is group therapy: 1 unit for each, however long it took, and none"
            " of it counts as one-on-one."
        )
        found.append(Reason("units", (GROUP,), text, "medicare.untimed_code_multiple_units"))
    found += _modifier_reasons(visit, codes)
    found += [reason for _, reason in visit.distinct.values()]
    if not visit.distinct and not visit.left_off and len(codes) > 1:
        judged = _APART in facts.asked.get(visit.patient_id, ())
        if judged and visit.patient_id not in facts.paired and _APART not in _unjudged(visit, facts):
            text = f"No NCCI edit in force on {day.service_date} pairs these codes, so no 59."
            found.append(Reason("no 59", codes, text, "medicare.distinct_service_modifier_unneeded"))
        elif not judged:
            found.append(
                Reason("no 59", codes, f"No pair of {plan.title} is known that needs one, so no 59.", _PAYER_PAIR)
            )
    return [*found, *_kx_reasons(visit, facts)]


def _unjudged(visit: _Visit, facts: _Facts) -> set[str]:
    return {name for names in facts.not_judged.get(visit.patient_id, {}).values() for name in names}


def _modifier_reasons(visit: _Visit, codes: tuple[str, ...]) -> list[Reason]:
    plan, found = visit.plan, []
    therapy = tuple(code for code in codes if visit.kinds[code] is not None)
    if therapy and plan.discipline_modifier_required:
        named = dict.fromkeys(units.MODIFIERS[visit.disciplines[code]][0] for code in therapy)
        text = f"{plan.title} asks for the modifier of the plan of care on every therapy line."
        found.append(Reason(" ".join(named), therapy, text, "medicare.discipline_modifier_missing"))
    elif therapy:
        text = f"{plan.title} is not known to ask for GP, GO or GN; check the contract."
        found.append(Reason("no GP", therapy, text))
    if not any(visit.assistant.values()):
        return found
    modifier = units.MODIFIERS[visit.day.discipline][1]
    if visit.by_midpoint is None:
        asked = "asks for it from 2020-01-01" if plan.assistant_modifier_required else "is not known to ask for it"
        text = f"An assistant treated, and {plan.title} {asked}."
        return [*found, Reason(f"no {modifier}", tuple(visit.assistant), text, "medicare.assistant_modifier_missing")]
    for code, given in visit.assistant.items():
        total = sum(line.units for line in visit.lines if line.hcpcs_code == code)
        marked = sum(line.units for line in visit.lines if line.hcpcs_code == code and modifier in line.modifiers)
        if total and given:
            therapist = visit.therapist.get(code, 0)
            text = (
                f"{code}: therapist {therapist} minutes, assistant {given}; of {total} unit{'' if total == 1 else 's'}"
                f" {marked} {'is' if marked == 1 else 'are'} the assistant's."
            )
            about = modifier if marked else f"no {modifier}"
            found.append(Reason(about, (code,), text, "medicare.assistant_modifier_missing"))
    return found


def _kx_reasons(visit: _Visit, facts: _Facts) -> list[Reason]:
    found = []
    for row in facts.ledger.get(visit.patient_id, ()):
        if row["threshold"] is None or not row["known"]:
            continue
        if row["pool"] in visit.kx_pools or (
            visit.day.year_to_date is not None and row["pool"] == _pool(visit.day.discipline)
        ):
            past = row["pool"] in visit.kx_pools
            text = (
                f"{row['pool']} charges of {row['year']} go from ${row['before']:,.2f} to ${row['after']:,.2f},"
                f" {'past' if past else 'not past'} the threshold of ${row['threshold']:,.2f}"
                f"{'; these lines as the fee schedule of another date has them' if row['stale'] else ''}."
            )
            codes = tuple(dict.fromkeys(line.hcpcs_code for line in visit.lines if ("KX" in line.modifiers) == past))
            found.append(Reason("KX" if past else "no KX", codes, text, _KX[0]))
    return found


def _note(visit: _Visit) -> list[tuple[str, str]]:
    """Return what the note must say, each with a rule that looks for it."""
    codes = list(dict.fromkeys(line.hcpcs_code for line in visit.lines))
    done = [code for code in visit.codes if visit.minutes(code)]
    timed = [code for code in done if visit.kinds[code] == "timed_15"]
    found = []
    if timed:
        total = sum(visit.minutes(code) or 0 for code in timed)
        whole = sum(visit.minutes(code) or 0 for code in done)
        open_ended = " and those of the codes given without minutes" if visit.day.others else ""
        text = f"Timed minutes in all: {total}. Total treatment minutes: {whole}{open_ended}."
        found.append((text, "medicare.timed_minutes_not_documented"))
    if timed and visit.plan.unit_method == "midpoint":
        told = ", ".join(f"{code} {visit.minutes(code)}" for code in timed)
        found.append((f"Minutes of each timed code: {told}.", _COUNTING["midpoint"]))
    for code in codes:
        if code in visit.functional:
            text = (
                f"{code}: the task practised, what the clinician directed or graded, the goal of daily life that it"
                " serves and how the patient responded."
            )
            found.append((text, "clinic.functional_goal_missing"))
    beside = [code for code in ("97110", "97112", "97535") if code in codes and "97530" in codes]
    if beside:
        text = f"97530 and {', '.join(beside)}: minutes and a purpose of its own for each."
        found.append((text, "clinic.same_day_pair_not_distinct"))
    if visit.distinct:
        modifiers = ", ".join(dict.fromkeys(modifier for modifier, _ in visit.distinct.values()))
        text = f"times (or body regions) apart from the other service's, as {modifiers} says."
        found.append((f"{', '.join(visit.distinct)}: {text}", "medicare.distinct_service_unsupported"))
    if GROUP in codes:
        text = f"{GROUP}: that it was a group, what the patient did in it, and the clinician's constant attendance."
        found.append((text, "medicare.cotreatment_double_billed"))
    if any(visit.assistant.values()):
        given = ", ".join(f"{code} {minutes}" for code, minutes in visit.assistant.items() if minutes)
        text = f"Whose minutes were whose: the assistant's {given}; those given together count as the therapist's."
        found.append((text, "medicare.assistant_modifier_missing"))
    if visit.kx_pools:
        text = "KX attests it: why therapy past the threshold is medically necessary for this patient."
        found.append((text, _KX[0]))
    return found


def _not_known(visit: _Visit, facts: _Facts, known: Mapping[str, Rule]) -> list[str]:
    plan, day = visit.plan, visit.day
    found = []
    for code in visit.billable:
        if visit.kinds[code] not in {"timed_15", "untimed"}:
            text = "is no therapy code" if visit.kinds[code] is None else "is not counted in 15-minute units"
            found.append(f"{code} {text}: one unit is assumed.")
    pool = _pool(day.discipline)
    if plan.counts_toward_kx_threshold and day.service_date.year >= 2018:
        threshold = facts.threshold.get((pool, day.service_date.year))
        amounts = [amount[0] for (patient_id, _), amount in facts.amounts.items() if patient_id == visit.patient_id]
        priced = all(row["known"] for row in facts.ledger.get(visit.patient_id, ()) if row["pool"] == pool)
        if threshold is None:
            found.append(f"KX: the threshold of {day.service_date.year} is not known here.")
        elif pool not in visit.kx_pools and day.year_to_date is not None and not priced:
            found.append(f"KX: what is allowed for these lines, and so whether they pass ${threshold:,.2f}.")
        elif day.year_to_date is None and pool not in visit.kx_pools:
            adds = f"; these lines add about ${sum(amounts):,.2f}" if amounts else ""
            found.append(
                f"KX: the year's {pool} charges so far (--year-to-date). The line that passes ${threshold:,.2f}, and"
                f" each after it, needs it{adds}."
            )
    tables = {name for rule_name in facts.asked.get(visit.patient_id, ()) for name in known[rule_name].reference_tables}
    setting = facts.settings.get(visit.patient_id)
    for edition in facts.editions:
        if edition["reference"] in tables and edition["setting"] in {None, setting}:
            later = max(
                item["covers_to"]
                for item in facts.editions
                if (item["reference"], item["setting"]) == (edition["reference"], edition["setting"])
            )
            if edition["covers_to"] == later < day.service_date:
                found.append(
                    f"{edition['reference']}: judged by the edition {edition['edition']}, which ends on {later};"
                    " `therapy-audit reference load` takes the current file."
                )
    return found


def told(advice: Mapping[str, Any]) -> list[str]:
    """Return an advice as lines of text."""
    lines = [f"{advice['plan_title']}, {advice['service_date']}, {advice['discipline']}"]
    lines += [
        f"  {line['hcpcs_code']} x{line['units']} {' '.join(line['modifiers'])}".rstrip() for line in advice["lines"]
    ]
    if not advice["lines"]:
        lines.append("  nothing to bill")
    amounts = [line["expected_amount"] for line in advice["lines"]]
    if amounts and None not in amounts:
        lines.append(f"  ${sum(amounts):,.2f} expected to be allowed")
    lines += _listed("Not billed", (_cited(item["text"], item) for item in advice["not_billed"]))
    why = (
        _cited(f"{item['about']} ({', '.join(item['hcpcs_codes'])}): {item['text']}", item)
        for item in advice["reasons"]
    )
    lines += _listed("Why", why)
    lines += _listed("The note says", (_cited(item["text"], item) for item in advice["note"]))
    lines += _listed("Not known", advice["not_known"])
    audit = advice["audit"]
    lines += _listed(
        "The audit still says",
        (
            f"{item['severity']}: {item['title']}: {item['message']}"
            + (" It follows from what is not billed." if item["follows_from_advice"] else "")
            for item in audit["findings"]
        ),
    )
    lines += _listed(
        "Not judged",
        (
            f"{item['reason']} ({len(item['rules'])} rule{'' if len(item['rules']) == 1 else 's'})"
            for item in audit["not_judged"]
        ),
    )
    count = len(audit["rules"])
    found = len(audit["findings"])
    if count:
        outcome = f"{found} findings" if found > 1 else "1 finding" if found else "clean"
        lines.append(f"Audited by {count} rule{'' if count == 1 else 's'}: {outcome}")
    else:
        lines.append("Not audited: there is no line that a rule could judge.")
    return lines


def _listed(title: str, items: Iterable[str]) -> list[str]:
    found = list(items)
    return [f"{title}:", *(f"  {item}" for item in found)] if found else []


def _cited(text: str, item: Mapping[str, Any]) -> str:
    return f"{text} [{item['references'][0]['title']}]" if item["references"] else text
