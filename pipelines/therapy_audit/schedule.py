"""Month after month: which months a scheduled run still owes, so that a missed one is caught up."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from therapy_audit import deidentify, sealing
from therapy_audit.config import OUTPUT, Config, day, span
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 12  # months in one go where audit.toml has no catch_up


@dataclass(frozen=True)
class Owed:
    """Months as 2026-03, oldest first. `since` has the last good report, `gaps` are months without one before it."""

    months: tuple[str, ...]
    later: int = 0
    since: str | None = None
    gaps: tuple[str, ...] = ()


@contextmanager
def turn(config: Config) -> Iterator[Owed]:
    """Give the months to run, and keep a second catch-up of the same reports away until they are done.

    They are those since the last good report up to the month before `as_of` or today, `catch_up` (else 12) of them at
    most; where there is no report yet, last month alone. Raises AuditError where reports have no folder of their own
    for each month, or a catch-up is at work.
    """
    from therapy_audit import pipeline

    if config.period not in {None, "last-month"}:
        raise AuditError(f"A catch-up goes up to last month; leave out the period '{config.period}', or the catch-up.")
    output = config.output or Path(OUTPUT)
    if "{period}" not in output.name or "{period}" in str(output.parent):
        raise AuditError(
            f"A catch-up needs a folder for each month; write output = \"{OUTPUT}\" in place of '{output}'."
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise AuditError(f"{output.parent}: the output folder cannot be made ({fault.strerror}).") from None
    busy = f"{output.parent}: another catch-up is at work there; wait for it."
    with pipeline.locked(output.parent / ".catch-up.lock", busy):
        yield owed(config)


def owed(config: Config) -> Owed:
    """Return the months that have no good report yet; see `turn`."""
    output = config.output or Path(OUTPUT)
    if config.deidentified and "{period}" in output.name:
        output = output.with_name(output.name + deidentify.SUFFIX)
    last = _number(span("last-month", day(config.as_of) if config.as_of else None)[0])
    good = sorted(number for number in map(_number, _good(output)) if number <= last)
    if not good:
        return Owed((_month(last),))
    missing = [_month(number) for number in range(good[-1] + 1, last + 1)]
    most = config.catch_up or MOST
    return Owed(
        months=tuple(missing[:most]),
        later=len(missing[most:]),
        since=_month(good[-1]),
        gaps=tuple(_month(number) for number in range(good[0], good[-1]) if number not in good),
    )


def of_month(config: Config, month: str) -> Config:
    """Return the config of one month's run."""
    return replace(config, period=month)


def _good(output: Path) -> list[date]:
    """Return the first day of each month with a report of the whole month, on which every rule ran."""
    before, _, after = output.name.partition("{period}")
    named = re.compile(re.escape(before) + r"(\d{4}-(?:0[1-9]|1[0-2]))" + re.escape(after))
    found = []
    for folder in output.parent.iterdir() if output.parent.is_dir() else ():
        sealed = folder.suffix == sealing.SUFFIX and folder.is_file()  # its run succeeded, or it would not be there
        month = named.fullmatch(folder.name.removesuffix(sealing.SUFFIX) if sealed else folder.name)
        if month and (sealed or _whole(folder, month[1])):
            found.append(date.fromisoformat(f"{month[1]}-01"))
    return found


def _whole(folder: Path, month: str) -> bool:
    """Return whether the report is of this month, was made after its end, and no rule failed."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        seen = manifest["settings"].get("as_of")
        looked_from = day(seen) if seen else datetime.fromisoformat(manifest["generated_at"]).astimezone().date()
        return (
            manifest["period"] == month
            and not manifest["rule_errors"]
            and looked_from > span(month)[1]
            and (folder / "report.html").is_file()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AuditError):
        return False


def _number(first: date) -> int:
    return first.year * 12 + first.month - 1


def _month(number: int) -> str:
    return f"{date(number // 12, number % 12 + 1, 1):%Y-%m}"
