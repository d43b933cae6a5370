"""Some rules a second time, in plain loops, from the regulation: what tests/test_plain_rules.py holds the SQL against.

Nothing here is read from sql/. A claim line is a dict with patient, claim, number, date, code, modifiers, units,
allowed, charge, npi, biller, place and payer; a service of a note has patient, date, code, minutes, assistant, start
and stop (minutes of the day). Amounts are Decimal of USD. Each function returns what it found, by what makes a finding.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]
_CODES = Path(__file__).parents[1] / "rules" / "codes"  # the official tables, which are data
TIMED = {"97032", "97035", "97110", "97112", "97116", "97140", "97530", "97535"}
UNTIMED = {"97012", "97150", "97161", "97164", "G0283"}
ONE_ON_ONE = TIMED | {"97161", "97164"}
# Claims Processing Manual ch. 5 §10.3, by calendar year; the same sum for PT with SLP and for OT.
_KX = {2019: 2040, 2020: 2080, 2021: 2110, 2022: 2150, 2023: 2230, 2024: 2330, 2025: 2410, 2026: 2480}
# NCCI Policy Manual ch. 1 §E.
_NCCI_MODIFIERS = {
    *("E1", "E2", "E3", "E4", "FA", "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "TA", "T1", "T2", "T3", "T4"),
    *("T5", "T6", "T7", "T8", "T9", "LT", "RT", "LC", "LD", "RC", "LM", "RI", "24", "25", "27", "57", "58", "78", "79"),
    *("59", "91", "XE", "XP", "XS", "XU"),
}
_HOSPITAL = {"19", "22", "23", "31", "61", "62"}


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((_CODES / name).read_text(encoding="utf-8").splitlines()))


def units_of(minutes: int) -> int:
    """Return the units of so many minutes: 8 to 22 are one, 23 to 37 two, and so on (ch. 5 §20.2.C)."""
    units = 0
    while minutes >= 8 + 15 * units:
        units += 1
    return units


def _by_day(rows: Iterable[Row]) -> dict[tuple[str, date], list[Row]]:
    found: dict[tuple[str, date], list[Row]] = defaultdict(list)
    for row in rows:
        found[row["patient"], row["date"]].append(row)
    return found


def timed_units(lines: list[Row], services: list[Row]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return the days with more timed units than all timed minutes allow, and those with fewer: (billed, allowed)."""
    over, under = {}, {}
    documented = _by_day(services)
    for key, day in _by_day(lines).items():
        billed = sum(line["units"] for line in day if line["code"] in TIMED)
        minutes = sum(service["minutes"] for service in documented[key] if service["code"] in TIMED)
        allowed = units_of(minutes)
        if not any(line["code"] in TIMED for line in day):
            continue
        if billed > allowed:
            over[key] = (billed, allowed)
        if billed < allowed:
            under[key] = (billed, allowed)
    return over, under


def midpoint(lines: list[Row], services: list[Row]) -> dict[Any, int]:
    """Return the units that are too many where each code's own minutes are counted alone."""
    found = {}
    documented = _by_day(services)
    for key, day in _by_day(lines).items():
        over = 0
        for code in {line["code"] for line in day} & TIMED:
            minutes = sum(service["minutes"] for service in documented[key] if service["code"] == code)
            billed = sum(line["units"] for line in day if line["code"] == code)
            over += max(0, billed - units_of(minutes))
        if over:
            found[key] = over
    return found


def untimed_units(lines: list[Row]) -> set[tuple[str, int]]:
    """Return the lines with more than one unit of a code that is not counted in time."""
    return {(line["claim"], line["number"]) for line in lines if line["code"] in UNTIMED and line["units"] > 1}


def kx(lines: list[Row]) -> tuple[set[Any], set[Any]]:
    """Return the lines without KX that begin at or past the year's threshold, and those that go past it."""
    past, crossing = set(), set()
    balance: dict[Any, Decimal] = defaultdict(Decimal)
    for line in sorted(lines, key=lambda line: (line["date"], line["claim"], line["number"])):
        pool = "OT" if "GO" in line["modifiers"] else "PT+SLP"
        key = (line["patient"], line["date"].year, pool)
        before, threshold = balance[key], _KX[line["date"].year]
        balance[key] = after = before + line["allowed"]
        if "KX" in line["modifiers"]:
            continue
        if before >= threshold:
            past.add((line["claim"], line["number"]))
        elif after > threshold:
            crossing.add((line["claim"], line["number"]))
    return past, crossing


def mue(lines: list[Row]) -> set[Any]:
    """Return the lines past a medically unlikely edit: of the line (indicator 1), else of the day (NCCI ch. 1)."""
    edits = {}
    for setting in ("practitioner", "hospital"):
        for row in _table(f"mue.{setting}.csv"):
            edits[setting, row["hcpcs_code"]] = (
                int(row["units"]), row["adjudication_indicator"], date.fromisoformat(row["effective_from"])
            )  # fmt: skip
    found = set()
    so_far: dict[Any, int] = defaultdict(int)
    for line in sorted(lines, key=lambda line: (line["claim"], line["number"])):
        setting = "hospital" if line["place"] in _HOSPITAL else "practitioner"
        limit, indicator, first = edits.get((setting, line["code"]), (None, "", date.max))
        if limit is None or line["date"] < first:
            continue
        key = (line["patient"], line["date"], line["code"], line["biller"], setting)
        so_far[key] += line["units"]
        if (line["units"] if indicator == "1" else so_far[key]) > limit:
            found.add((line["claim"], line["number"]))
    return found


def ncci(lines: list[Row]) -> tuple[set[Any], set[Any]]:
    """Return the column two lines that lack a modifier, and those that no modifier helps (NCCI manual ch. 1 §E)."""
    edits: dict[Any, list[Any]] = defaultdict(list)
    for setting in ("practitioner", "hospital"):
        for row in _table(f"ncci_pair.{setting}.csv"):
            edits[setting, row["column_one"], row["column_two"]].append(
                (date.fromisoformat(row["effective_from"]), date.fromisoformat(row["effective_to"]),
                 row["modifier_indicator"])
            )  # fmt: skip
    lacking, never = set(), set()
    for day in _by_day(lines).values():
        for one in day:
            for two in day:
                if one is two or one["biller"] != two["biller"]:
                    continue
                setting = "hospital" if two["place"] in _HOSPITAL else "practitioner"
                for first, last, indicator in edits.get((setting, one["code"], two["code"]), ()):
                    if not first <= two["date"] <= last:
                        continue
                    said = set(two["modifiers"])
                    if two["date"] >= date(2019, 7, 1):  # CR 11168
                        said |= set(one["modifiers"])
                    if indicator == "0":
                        never.add((two["claim"], two["number"]))
                    elif indicator == "1" and not said & _NCCI_MODIFIERS:
                        lacking.add((two["claim"], two["number"]))
    return lacking, never


def reduced(lines: list[Row]) -> dict[Any, list[dict[int, Decimal]]]:
    """Return what Medicare allows for the lines of each day, national: one unit whole, the rest at half the expense.

    Claims Processing Manual ch. 5 §10.7; each unit rounded to cents, and no line above its charge. Of several units
    that are equal in expense and fee any may be the whole one: a day has so many right answers.
    """
    values: dict[str, list[Any]] = defaultdict(list)
    for row in _table("relative_value.csv"):
        values[row["hcpcs_code"]].append(row)
    found: dict[Any, list[dict[int, Decimal]]] = {}
    cent = Decimal("0.01")
    for key, day in _by_day(lines).items():
        ranked, whole, less = {}, {}, {}
        for line in day:
            number, on = line["number"], str(line["date"])
            value = next(row for row in values[line["code"]] if row["effective_from"] <= on <= row["effective_to"])
            work, expense, malpractice, factor = (
                Decimal(value[name]) for name in ("work", "practice_expense", "malpractice", "conversion_factor")
            )
            whole[number] = ((work + expense + malpractice) * factor).quantize(cent, ROUND_HALF_UP)
            less[number] = ((work + expense / 2 + malpractice) * factor).quantize(cent, ROUND_HALF_UP)
            if value["multiple_procedure"] == "true":
                ranked[number] = (expense, whole[number])
        best = [number for number, rank in ranked.items() if rank == max(ranked.values())]
        found[key] = []
        for first in best or [0]:
            amounts = {}
            for line in day:
                number = line["number"]
                full_units = line["units"] if number not in ranked else int(number == first)
                amount = whole[number] * full_units + less[number] * (line["units"] - full_units)
                amounts[number] = amount if line["charge"] is None else min(amount, line["charge"])
            found[key].append(amounts)
    return found


def assistant(lines: list[Row], services: list[Row]) -> dict[Any, tuple[int, str]]:
    """Return lines that lack CQ: (units due, error or warning where only one of the two 10 % tests asks for it).

    42 CFR 410.60(a)(4); one timed code a day. Full 15s first to whoever gave them alone; for what is left the 10 %
    test, since 2022 after the therapist's eight minutes, and of two last units of 9 to 14 minutes each one.
    """
    found = {}
    documented = _by_day(services)
    for key, day in _by_day(lines).items():
        (line,), (service,) = day, documented[key]
        helper = service["assistant"]
        therapist = service["minutes"] - helper
        left = line["units"]
        full_therapist = min(left, therapist // 15)
        left -= full_therapist
        full_helper = min(left, helper // 15)
        left -= full_helper
        therapist -= 15 * full_therapist
        helper -= 15 * full_helper
        surely = possibly = full_helper
        if left:
            midpoint_decides = line["date"] >= date(2022, 1, 1)
            if midpoint_decides and left == 2:  # of 9 to 14 minutes each: two units are left of nothing else
                surely, possibly = surely + 1, possibly + 1
            elif midpoint_decides and therapist >= 8:
                pass
            elif midpoint_decides and helper >= 8:
                surely, possibly = surely + left, possibly + left
            else:
                total = therapist + helper
                by_minutes = helper >= int(total / 10 + 0.5) + 1
                by_percent = int(100 * helper / total + 0.5) >= 11
                surely += left if by_minutes and by_percent else 0
                possibly += left if by_minutes or by_percent else 0
        marked = line["units"] if "CQ" in line["modifiers"] else 0
        if marked < possibly:
            found[line["claim"], line["number"]] = (possibly, "error" if marked < surely else "warning")
    return found


def progress(lines: list[Row], reports: set[tuple[str, date]]) -> dict[Any, int]:
    """Return treatment days that lie past the tenth without a report, by (patient, first day counted).

    Benefit Policy Manual ch. 15 §220.3.D; a report within seven days after the tenth still counts as in time, and a
    pause of more than 60 days begins another episode.
    """
    found: dict[Any, int] = {}
    patients: dict[str, set[date]] = defaultdict(set)
    for line in lines:
        patients[line["patient"]].add(line["date"])
    for patient, treated in patients.items():
        period: list[date] = []
        days = sorted(treated)
        for position, day in enumerate(days):
            if position and (day - days[position - 1]).days > 60:
                _late(found, patient, period, None)
                period = []
            period.append(day)
            if (patient, day) in reports:
                _late(found, patient, period, day)
                period = []
        _late(found, patient, period, None)
    return found


def _late(found: dict[Any, int], patient: str, period: list[date], reported: date | None) -> None:
    if len(period) <= 10 or (reported and reported <= period[9] + timedelta(days=7)):
        return
    late = [day for day in period[10:] if day != reported]
    if late:
        found[patient, str(period[0])] = len(late)


def duplicates(lines: list[Row]) -> set[Any]:
    """Return lines that another claim bills already: code, units, modifiers and clinician of the day the same."""
    found = set()
    seen: dict[Any, str] = {}
    for line in sorted(lines, key=lambda line: (line["claim"], line["number"])):
        key = (
            line["patient"], line["date"], line["code"], line["units"], tuple(sorted(line["modifiers"])), line["npi"],
        )  # fmt: skip
        if seen.setdefault(key, line["claim"]) != line["claim"]:
            found.add((line["claim"], line["number"]))
    return found


def overlaps(services: list[Row]) -> dict[Any, int]:
    """Return the one-on-one minutes of a day that the clock does not hold: each minute counts once."""
    found = {}
    for key, day in _by_day(services).items():
        taken: dict[int, int] = defaultdict(int)
        for service in day:
            if service["code"] in ONE_ON_ONE:
                for minute in range(service["start"], service["stop"]):
                    taken[minute] += 1
        if too_many := sum(times - 1 for times in taken.values()):
            found[key] = too_many
    return found
