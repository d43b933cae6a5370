"""What of the confirmed overpayments is to be returned, and until when: 42 CFR 401.305, by each finding's dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLANS = ("medicare_part_b",)  # 42 CFR 401.305 is on Parts A and B; other payers' terms are in their contracts
TERMS = {
    "lookback_years": "medicare.overpayment_lookback_years",
    "return_days": "medicare.overpayment_return_days",
    "investigation_days": "medicare.overpayment_investigation_days",
}
INSIDE, OUTSIDE, UNKNOWN, OTHER = "inside", "outside", "not known", "another payer"


@dataclass(frozen=True)
class Confirmed:
    """A confirmed overpayment: where it is told, its plan and USD, and its dates as far as they are known."""

    where: str
    plan: str
    amount: Decimal
    service_date: date | None
    received: date | None
    identified: date | None


@dataclass(frozen=True)
class Investigation:
    """A timely good-faith investigation of related overpayments: its first day, and its last if it is over."""

    start: date
    end: date | None = None


@dataclass(frozen=True)
class Clock:
    """What the rule says of one confirmed overpayment. `due` is None where nothing is due or it cannot be told."""

    confirmed: Confirmed
    state: str
    reason: str
    suspended_until: date | None = None
    due: date | None = None


def terms() -> dict[str, list[tuple[date, date, int]]]:
    """Return the shipped terms of rules/parameters/medicare: {name: [(first day, last day known, value)]}."""
    from therapy_audit import rules

    known = {item.name: item for item in rules.load().parameters}
    return {
        name: [(start, end, int(value)) for _, _, start, end, value in known[parameter].rows()]
        for name, parameter in TERMS.items()
    }


def citations() -> dict[str, str]:
    """Return where each term stands."""
    from therapy_audit import rules

    known = {item.name: item for item in rules.load().parameters}
    return {name: known[parameter].references[0].title for name, parameter in TERMS.items()}


def clocks(
    found: Sequence[Confirmed],
    investigation: Investigation | None = None,
    known: Mapping[str, Sequence[tuple[date, date, int]]] | None = None,
) -> list[Clock]:
    """Return a clock for each confirmed overpayment, in the order given.

    To be returned is what was identified within six years of its receipt. It is due 60 days after that; a timely
    good-faith investigation stops the days from its start until it ends, or until 180 days after the first of the
    overpayments was identified. What was left of the 60 days then runs on.
    """
    values = known or terms()
    days = [item.identified for item in found if item.identified and item.plan in PLANS]
    first = min(days, default=None)
    return [_clock(item, first, investigation, values) for item in found]


def _clock(
    item: Confirmed,
    first: date | None,
    investigation: Investigation | None,
    values: Mapping[str, Sequence[tuple[date, date, int]]],
) -> Clock:
    if item.plan not in PLANS:
        return Clock(item, OTHER, "42 CFR 401.305 is on Medicare Parts A and B; see the payer's contract")
    if item.identified is None or first is None:
        return Clock(item, UNKNOWN, "the day on which it was identified is missing")
    years, allowed = _value(values["lookback_years"], item.identified), _value(values["return_days"], item.identified)
    if years is None or allowed is None:
        last = values["return_days"][-1][1]
        return Clock(item, UNKNOWN, f"the terms are known up to {last} only; it was identified on {item.identified}")
    # It was paid after the service: where even the service is recent enough, the payment is.
    since = item.received or item.service_date
    if since is None or (item.received is None and item.identified > _years_later(since, years)):
        return Clock(item, UNKNOWN, "the day on which it was paid is missing")
    if item.identified > _years_later(since, years):
        return Clock(item, OUTSIDE, f"identified more than {years} years after it was received")
    due = item.identified + timedelta(days=allowed)
    reason = f"{allowed} days after it was identified"
    pause = _value(values["investigation_days"], first)
    if investigation is None or pause is None:
        return Clock(item, INSIDE, reason, None, due)
    until = first + timedelta(days=pause)
    if investigation.end is not None:
        until = min(until, investigation.end)
    start = max(investigation.start, item.identified)
    if start >= due or until <= start:
        return Clock(item, INSIDE, f"{reason}; the investigation does not stop them", None, due)
    left = (due - start).days
    return Clock(
        item, INSIDE, f"{left} days after the investigation's suspension ends", until, until + timedelta(days=left)
    )


def _value(rows: Sequence[tuple[date, date, int]], day: date) -> int | None:
    return next((value for start, end, value in rows if start <= day <= end), None)


def _years_later(day: date, years: int) -> date:
    """Return the same day some years later; of a February 29, March 1 where there is none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def summary(found: Sequence[Clock], as_of: date) -> dict[str, Any]:
    """Return {inside, outside, not known, another payer: {findings, amount}}, what is overdue, and the next due day."""
    told: dict[str, Any] = {
        state: {
            "findings": sum(item.state == state for item in found),
            "amount": sum((item.confirmed.amount for item in found if item.state == state), Decimal("0.00")),
        }
        for state in (INSIDE, OUTSIDE, UNKNOWN, OTHER)
    }
    late = [item for item in found if item.due and item.due < as_of]
    told["overdue"] = {
        "findings": len(late),
        "amount": sum((item.confirmed.amount for item in late), Decimal("0.00")),
    }
    told["next_due"] = min((item.due for item in found if item.due and item.due >= as_of), default=None)
    return told
