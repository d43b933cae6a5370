"""What Medicare allows and pays for one day's services: the audit's own SQL, for lines that are typed in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from therapy_audit import engine, resources, rules
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

_STEPS = ("steps.price_day", "steps.unit_fee", "steps.first_unit", "expected_payment")
# What sql/models/steps/priced_line.sql has of a line without a remittance.
_LINES = """
CREATE TABLE priced_line AS
SELECT
    number AS line_id, 'day' AS claim_id, number AS claim_line_number, 'patient' AS patient_id,
    $day::DATE AS service_date, 'medicare_part_b' AS plan, '' AS billing_npi, hcpcs_code, []::VARCHAR[] AS modifiers,
    units, NULL::DECIMAL(12, 2) AS charge_amount, TRUE AS by_schedule, by_assistant AS has_assistant_modifier,
    FALSE AS second_bill, NULL::VARCHAR AS payment_status, NULL::DECIMAL(12, 2) AS allowed_amount,
    NULL::DECIMAL(12, 2) AS paid_amount, NULL::DECIMAL(12, 2) AS share_amount,
    NULL::DECIMAL(12, 2) AS deductible_amount, NULL::DECIMAL(12, 2) AS coinsurance_amount,
    NULL::DECIMAL(12, 2) AS withheld_amount, NULL::DECIMAL(12, 2) AS reduction_amount,
    NULL::DECIMAL(12, 2) AS other_amount, NULL::BOOLEAN AS has_reasons, NULL::BOOLEAN AS pays_first
FROM (SELECT unnest($numbers) AS number, unnest($codes) AS hcpcs_code, unnest($units) AS units,
    unnest($by_assistant) AS by_assistant)
"""


@dataclass(frozen=True)
class Line:
    """One line of the day: amounts in USD. The patient's share is 20 % with the deductible met."""

    hcpcs_code: str
    units: int
    by_assistant: bool
    full_units: int
    full_unit_fee: Decimal
    reduced_units: int
    reduced_unit_fee: Decimal
    allowed: Decimal
    patient_share: Decimal
    paid: Decimal


@dataclass(frozen=True)
class Day:
    """A priced day: its lines as given, and what the prices rest on, in words."""

    lines: tuple[Line, ...]
    basis: tuple[str, ...]


def price(
    units: Mapping[str, int],
    service_date: date,
    *,
    assistant: Sequence[str] = (),
    locality: str = "national",
    reference: Path | None = None,
) -> Day:
    """Return what Medicare allows and pays for one patient's day, {code: units}, with one biller.

    `assistant` are the codes whose lines carry CQ or CO. `reference` is the folder of loaded tables, if any. Raises
    AuditError for a code without a price, units out of range, a locality that is not known or a date without schedule.
    """
    if not units:
        raise AuditError("Name at least one code, with its units where there are several, such as 97530=2.")
    for code, number in units.items():
        if not 1 <= number <= 99:
            raise AuditError(f"{code}={number}: the units of a day are a whole number from 1 to 99.")
    for code in assistant:
        if code not in units:
            raise AuditError(f"--assistant {code} is none of the codes given; those are {', '.join(units)}.")
    models = resources.texts(resources.folder("sql") / "models", ".sql")
    with engine.connect(text_functions=False) as con:
        engine.prepare_codes(con, reference)
        engine.insert_parameters(con, _parameters())
        engine.set_locality(con, locality, "--locality")
        con.execute(
            _LINES,
            {
                "day": service_date,
                "numbers": list(range(1, len(units) + 1)),
                "codes": list(units),
                "units": list(units.values()),
                "by_assistant": [code in assistant for code in units],
            },
        )
        for name in _STEPS:
            con.execute(f'CREATE TABLE "{name.rpartition(".")[2]}" AS {models[name]}')
        rows = con.execute(
            "SELECT hcpcs_code, units, assistant_share > 0, full_units, full_unit_fee, reduced_units, reduced_unit_fee,"
            " expected_allowed, expected_patient_share, expected_paid FROM expected_payment ORDER BY claim_line_number"
        ).fetchall()
        for code, *_, allowed, _, _ in rows:
            if allowed is None:
                raise AuditError(
                    f"{code} has no price on {service_date}: the fee schedule at hand has no values for it; "
                    "`therapy-audit reference load` takes the year's file."
                )
        basis = _basis(con, service_date, locality)
    return Day(tuple(Line(*row) for row in rows), basis)


def _parameters() -> list[rules.Parameter]:
    folder = resources.folder("rules") / "parameters"
    names = (
        "medicare.practice_expense_reduction", "medicare.sequestration_share", "medicare.coinsurance_share",
        "medicare.assistant_reduction",
    )  # fmt: skip
    return [
        rules.parameter(name, folder.joinpath(f"{name.replace('.', '/')}.yaml").read_text(encoding="utf-8"))
        for name in names
    ]


def _basis(con: Any, service_date: date, locality: str) -> tuple[str, ...]:
    ((release, schedule_known, index_known, factor, sequestered, assistant),) = con.execute(
        """
        SELECT
            max(unit_fee.release_date), bool_and(unit_fee.schedule_known), bool_and(unit_fee.index_current),
            max(relative_value.conversion_factor),
            any_value(price_day.sequestration_share), any_value(price_day.assistant_share)
        FROM unit_fee
        INNER JOIN price_day ON unit_fee.service_date = price_day.service_date
        INNER JOIN relative_value
            ON unit_fee.hcpcs_code = relative_value.hcpcs_code AND unit_fee.release_date = relative_value.effective_from
        """
    ).fetchall()
    told = [f"Fee schedule from {release}, conversion factor {factor}, locality {locality}."]
    if not schedule_known:
        told.append(
            f"It is an estimate: the schedule of {service_date:%Y} is not loaded (`therapy-audit reference load`)."
        )
    if not index_known:
        told.append(f"No index of the locality is at hand for {service_date:%Y}: these are national prices.")
    words = f"20 % coinsurance, deductible met; sequestration {sequestered * 100:.0f} %"
    if any(row for (row,) in con.execute("SELECT has_assistant_modifier FROM priced_line").fetchall()):
        words += f"; assistant {assistant * 100:.0f} % of Medicare's part"
    told.append(words + ".")
    return tuple(told)


def table(day: Day) -> list[str]:
    """Return the day as lines of text: each unit's price, and what is allowed, the patient's and Medicare's."""
    told = [f"{'code':6} {'units':>5}  {'price':9} {'of a unit':>9} {'allowed':>9} {'patient':>9} {'Medicare':>9}"]
    for line in day.lines:
        parts = [
            (number, word, fee)
            for number, word, fee in (
                (line.full_units, "full", line.full_unit_fee),
                (line.reduced_units, "reduced", line.reduced_unit_fee),
            )
            if number
        ]
        for place, (number, word, fee) in enumerate(parts):
            code = line.hcpcs_code if place == 0 else ""
            row = f"{code:6} {number:>5}  {word:9} {fee:>9,.2f}"
            if place == len(parts) - 1:
                row += f" {line.allowed:>9,.2f} {line.patient_share:>9,.2f} {line.paid:>9,.2f}"
                row += "  CQ/CO" if line.by_assistant else ""
            told.append(row)
    sums = [
        sum((getattr(line, name) for line in day.lines), Decimal()) for name in ("allowed", "patient_share", "paid")
    ]
    told.append(f"{'total':6} {'':>5}  {'':9} {'':>9} " + " ".join(f"{amount:>9,.2f}" for amount in sums))
    return [*told, *day.basis]


def parse(pairs: Sequence[str]) -> dict[str, int]:
    """Turn words such as 97530=2, or 97110 for one unit, into {code: units}; AuditError says what would be right."""
    units: dict[str, int] = {}
    for pair in pairs:
        code, equals, number = pair.partition("=")
        code = code.strip().upper()
        if not code or (equals and not number.strip().isdigit()):
            raise AuditError(f"'{pair}' is not a code with its units; write it as 97530=2, or 97110 for one.")
        if code in units:
            raise AuditError(f"{code} is given twice; add its units up first.")
        units[code] = int(number) if equals else 1
    return units
