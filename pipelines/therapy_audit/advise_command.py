"""`therapy-audit advise`: its options, read into a day."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from therapy_audit.advise import Day

OF_DAY = (
    "pairs", "payer", "service_date", "discipline", "assistant", "group", "others", "aims", "year_to_date",
    "separate_times", "place_of_service",
)  # fmt: skip


@click.command()
@click.argument("pairs", nargs=-1, metavar="[CODE=MINUTES]...")
@click.option("--payer", help="Payer as the claims spell it, or a plan such as medicare_part_b.")
@click.option("--date", "service_date", help="Service date, as 2026-03-02.")
@click.option("--discipline", default="PT", show_default=True, help="PT, OT or SLP.")
@click.option("--assistant", multiple=True, help="The assistant's own minutes, in addition: CODE=MIN[,CODE=MIN].")
@click.option("--group", metavar="MINUTES", help="Minutes with two or more patients at once.")
@click.option("--with", "others", multiple=True, metavar="CODE", help="A code without minutes, such as an evaluation.")
@click.option("--aim", "aims", multiple=True, metavar="CODE=AIM", help="functional, impairment or neuromuscular.")
@click.option("--year-to-date", metavar="USD", help="Allowed for the patient so far this year: PT with SLP, or OT.")
@click.option(
    "--separate-times/--shared-times",
    "separate_times",
    default=None,
    help="Whether the note gives services of a pair times of their own.",
)
@click.option("--place", "place_of_service", metavar="CODE", help="Place of service, or bill type [office].")
@click.option("--locality", help="Contractor and locality of the fee schedule [national].")
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="audit.toml: its payers, terms and tables."
)
@click.option(
    "--reference", type=click.Path(file_okay=False, path_type=Path), help="Folder of loaded reference tables."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def advise(
    config: Path | None,
    reference: Path | None,
    locality: str | None,
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Say what to bill for a day, as in `advise 97530=20 97110=10 --payer MEDICARE --date 2026-03-02`, and why.

    Plain minutes are the therapist's own, or given together. The lines are judged by the audit's rules before they are
    told.
    """
    import json

    from therapy_audit import advise as advising
    from therapy_audit import config as settings
    from therapy_audit import pipeline

    day = day_of(**given)
    base = settings.read(config) if config else None
    chosen = pipeline.from_inputs(base, reference=reference, locality=locality)
    found = advising.advise(day, chosen)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else "\n".join(advising.told(found)))


def day_of(
    pairs: tuple[str, ...],
    payer: str | None,
    service_date: str | None,
    discipline: str,
    assistant: tuple[str, ...],
    group: str | None,
    others: tuple[str, ...],
    aims: tuple[str, ...],
    year_to_date: str | None,
    separate_times: bool | None,  # noqa: FBT001
    place_of_service: str | None,
) -> Day:
    """Return the day that the words tell of; AuditError says what would be right."""
    from datetime import date

    from therapy_audit import units
    from therapy_audit.advise import GROUP, Day

    if not payer:
        raise AuditError("Name the payer with --payer, such as --payer 'MEDICARE PART B': how it counts depends on it.")
    if not service_date:
        raise AuditError("Give the service date with --date, such as --date 2026-03-02: the rules depend on it.")
    try:
        day = date.fromisoformat(service_date)
    except ValueError:
        raise AuditError(f"'{service_date}' is not a date; write it as 2026-03-02.") from None
    minutes = units.parse(pairs)
    if group is not None:
        if GROUP in minutes:
            raise AuditError(f"--group and {GROUP} are the same thing; give it once.")
        if not group.strip().isdigit():
            raise AuditError(f"--group '{group}' is not a number of minutes; write it as --group 25.")
        minutes[GROUP] = int(group)
    return Day(
        payer=payer,
        service_date=day,
        therapist=minutes,
        assistant=units.parse(tuple(pair for words in assistant for pair in words.split(","))),
        discipline=discipline.upper(),
        others=tuple(dict.fromkeys(code.strip().upper() for words in others for code in words.split(","))),
        aims=dict(_aim(words) for words in aims),
        year_to_date=_dollars(year_to_date),
        separate_times=separate_times,
        place_of_service=place_of_service,
    )


def _aim(words: str) -> tuple[str, str]:
    code, _, aim = words.partition("=")
    if not code or not aim:
        raise AuditError(f"--aim '{words}' is not a code with its aim; write it as --aim 97530=impairment.")
    return code.strip().upper(), aim.strip().lower()


def _dollars(words: str | None) -> Decimal | None:
    if words is None:
        return None
    try:
        amount = Decimal(words.replace("$", "").replace(",", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < 10_000_000:
        raise AuditError(f"--year-to-date '{words}' is not an amount; write it as 2450.00.")
    return round(amount, 2)
