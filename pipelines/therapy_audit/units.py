"""The units that documented minutes earn: the audit's own SQL, for one visit."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any

from therapy_audit import engine, rules
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    import duckdb

MODIFIERS = {"PT": ("GP", "CQ"), "OT": ("GO", "CO"), "SLP": ("GN", "")}
VISIT_CODES = "SELECT hcpcs_code, full_units, remainder, extra_unit, midpoint_units FROM visit_code"
_MIDPOINT = "medicare.assistant_midpoint_rule"


def allocate(minutes: Mapping[str, int], method: str = "cms") -> dict[str, Any]:
    """Return the units that one visit's minutes by code earn, and every allowed way to bill them.

    Takes {code: minutes} of timed codes and the counting method, `cms` (minutes pooled, Medicare Claims Processing
    Manual ch. 5 §20.2.C) or `midpoint` (each code on its own). Returns {minutes, total_minutes, method, units,
    allocations: [{code: units}], explanation}. Raises AuditError for a code that is not timed or minutes below 0.
    """
    if method not in {"cms", "midpoint"}:
        raise AuditError(f"Method '{method}' is not known; there are cms and midpoint.")
    if not minutes:
        raise AuditError("Name at least one code with its minutes, such as 97110=10.")
    for code, value in minutes.items():
        if not 0 <= value <= 1440:
            raise AuditError(f"{code}={value}: the minutes of a day are a whole number from 0 to 1440.")
    with _visit(minutes) as con:
        return count(minutes, method, con.execute(VISIT_CODES).fetchall())


def count(
    minutes: Mapping[str, int], method: str, visit_codes: Iterable[tuple[str, int, int, str, int]]
) -> dict[str, Any]:
    """Return what `allocate` does, from the visit's rows of model visit_code: the columns that VISIT_CODES names."""
    order = {code: number for number, code in enumerate(minutes)}
    rows = sorted(visit_codes, key=lambda row: order[row[0]])
    total = sum(minutes.values())
    if method == "midpoint":
        earned = {code: midpoint for code, _, _, _, midpoint in rows}
        units = sum(earned.values())
        allocations = [{code: number for code, number in earned.items() if number}] if units else []
        words = [f"{code}: {value} minutes make {_units(earned[code])}" for code, value in minutes.items()]
        explanation = (
            f"Each code on its own, 8 to 22 minutes make 1 unit and every 15 more another. {'; '.join(words)}. "
            f"In all {_units(units)}."
        )
        return _result(minutes, total, method, units, allocations, explanation)
    units = 0 if total < 8 else (total + 7) // 15
    full = {code: number for code, number, _, _, _ in rows}
    sure = [code for code, _, _, extra, _ in rows if extra == "yes"]
    tied = [code for code, _, _, extra, _ in rows if extra == "tied"]
    left = units - sum(full.values())
    chosen = list(combinations(tied, left - len(sure)))
    allocations = [
        {code: number for code in minutes if (number := full[code] + (code in sure or code in pick))} for pick in chosen
    ]
    explanation = _cms_words(minutes, total, units, rows, left, sure, tied)
    return _result(minutes, total, method, units, [item for item in allocations if item], explanation)


def share(
    therapist: Mapping[str, int],
    assistant: Mapping[str, int],
    method: str = "cms",
    service_date: date | None = None,
    discipline: str = "PT",
) -> dict[str, Any]:
    """Return what `allocate` does for the minutes of both, and the claim lines of its first allocation.

    Takes the minutes by code that the therapist gave alone (or together with the assistant) and those that the
    assistant gave alone. Adds {assistant_minutes, lines: [{hcpcs, units, modifiers}]}: units that are the
    assistant's by the rules of the service date (the latest known where there is none) carry CQ or CO beside GP or GO
    (42 CFR 410.59 and 410.60 (a)(4)). Raises AuditError for an assistant in speech therapy, and for a date past what is
    known.
    """
    if discipline not in MODIFIERS:
        raise AuditError(f"Discipline '{discipline}' is not known; there are {', '.join(MODIFIERS)}.")
    of_therapist, of_assistant = MODIFIERS[discipline]
    if assistant and not of_assistant:
        raise AuditError("There is no assistant modifier in speech-language pathology; leave --assistant out.")
    minutes = {code: therapist.get(code, 0) + assistant.get(code, 0) for code in [*therapist, *assistant]}
    found = allocate(minutes, method)
    chosen = found["allocations"][0] if found["allocations"] else {}
    with engine.connect(text_functions=False) as con:
        engine.prepare(con, rules.load())
        by_midpoint = midpoint_rule(con, service_date) if assistant else None
        lines = []
        for code, number in chosen.items():
            marked = 0
            if by_midpoint is not None:
                ((marked,),) = con.execute(
                    "SELECT assistant_units(?::INTEGER, ?::INTEGER, ?::INTEGER, ?).due",
                    [therapist.get(code, 0), assistant.get(code, 0), number, by_midpoint],
                ).fetchall()
            lines += [
                {"hcpcs": code, "units": units, "modifiers": modifiers}
                for units, modifiers in ((marked, [of_therapist, of_assistant]), (number - marked, [of_therapist]))
                if units
            ]
    return {
        **found,
        "assistant_minutes": dict(assistant),
        "lines": sorted(lines, key=lambda line: -line["units"]),
    }


def midpoint_rule(con: duckdb.DuckDBPyConnection, service_date: date | None) -> bool | None:
    """Return whether the midpoint rule holds on the date; None where CQ and CO were not asked for yet."""
    spans = con.execute(
        "SELECT effective_from, effective_to, value FROM parameter WHERE name = ? ORDER BY effective_from", [_MIDPOINT]
    ).fetchall()
    if service_date is None:
        return bool(spans[-1][2])
    if service_date > spans[-1][1]:
        raise AuditError(f"The assistant rules are known to {spans[-1][1]}; {service_date} lies after that.")
    return next((bool(value) for first, last, value in spans if first <= service_date <= last), None)


def parse(pairs: tuple[str, ...]) -> dict[str, int]:
    """Turn `97110=10` words into {code: minutes}; AuditError says what would be right."""
    minutes: dict[str, int] = {}
    for pair in pairs:
        code, _, value = pair.partition("=")
        code = code.strip().upper()
        if not code or not value.strip().isdigit():
            raise AuditError(f"'{pair}' is not a code with its minutes; write it as 97110=10.")
        if code in minutes:
            raise AuditError(f"{code} is given twice; add its minutes up first.")
        minutes[code] = int(value)
    return minutes


@contextmanager
def _visit(minutes: Mapping[str, int]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that holds one documented visit and the audit's models of it."""
    with engine.connect(text_functions=False) as con:
        engine.prepare_codes(con)
        timed = {
            code for (code,) in con.execute("SELECT hcpcs_code FROM procedure_code WHERE kind = 'timed_15'").fetchall()
        }
        for code in minutes:
            if code not in timed:
                raise AuditError(
                    f"{code} is not a code that is counted in 15-minute units; those are {', '.join(sorted(timed))}."
                )
        con.execute(
            "INSERT INTO visit_note (note_id, patient_id, service_date, discipline, source_file, source_row)"
            " VALUES ('note', 'patient', DATE '2026-01-01', 'PT', '', 1)"
        )
        con.executemany(
            "INSERT INTO note_service (note_id, service_number, patient_id, service_date, hcpcs_code, minutes,"
            " source_file, source_row) VALUES ('note', ?, 'patient', DATE '2026-01-01', ?, ?, '', 1)",
            [(number, code, value) for number, (code, value) in enumerate(minutes.items(), 1)],
        )
        con.executemany(
            "INSERT INTO claim_line (claim_id, claim_line_number, patient_id, service_date, hcpcs_code, modifiers,"
            " units, diagnosis_codes, discipline, source_file, source_row)"
            " VALUES ('claim', ?, 'patient', DATE '2026-01-01', ?, [], 0, [], 'PT', '', 1)",
            list(enumerate(minutes, 1)),
        )
        engine.build_models(con, only=["visit_code"])
        yield con


def _cms_words(
    minutes: Mapping[str, int],
    total: int,
    units: int,
    rows: list[tuple[str, int, int, str, int]],
    left: int,
    sure: list[str],
    tied: list[str],
) -> str:
    added = f"{' + '.join(str(value) for value in minutes.values())} = " if len(minutes) > 1 else ""
    words = [f"{added}{total} timed minute{'' if total == 1 else 's'}"]
    if units == 0:
        return f"{words[0]}. Less than 8 minutes earn no unit."
    low = 15 * units - 7
    words.append(f"{low} to {low + 14} minutes make {_units(units)}")
    whole = [f"{code} {full} x 15 ({full * 15} of {minutes[code]} minutes)" for code, full, _, _, _ in rows if full]
    if whole:
        words.append(f"Full 15s first: {', '.join(whole)}")
    if left:
        rest = ", ".join(f"{code} {remainder}" for code, _, remainder, _, _ in rows if remainder)
        words.append(f"{_units(left)} left for the largest remainder of minutes ({rest})")
        if sure:
            words.append(f"{' and '.join(sure)} {'gets' if len(sure) == 1 else 'get'} one")
        if tied:
            words.append(f"{' and '.join(tied)} are equal: any {left - len(sure)} of them may have it")
    return ". ".join(words) + "."


def _units(number: int) -> str:
    return f"{number} unit{'' if number == 1 else 's'}"


def _result(
    minutes: Mapping[str, int], total: int, method: str, units: int, allocations: list[dict[str, int]], explanation: str
) -> dict[str, Any]:
    return {
        "minutes": dict(minutes),
        "total_minutes": total,
        "method": method,
        "units": units,
        "allocations": allocations,
        "explanation": explanation,
    }
