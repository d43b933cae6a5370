"""What the fee schedule lets expect, line by line; and which amount of a line the KX ledger takes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from casebook import Case, insert_rows, rows
from therapy_audit import config, engine, pipeline, rules
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Told = dict[tuple[str, int], tuple[str | None, str | None]]
SCHEDULE, STALE = "fee_schedule", "fee_schedule_stale"
IN_2025, IN_2026 = date(2025, 3, 3), date(2026, 3, 2)


def reckon(days: Sequence[dict[str, Any]], **tables: Sequence[Sequence[Any]]) -> Told:
    """Return each line's amount and where it comes from, by claim (001, 002, ... in the order of the days) and line."""
    case = Case("", "", {"visits": [{"allowed": None, **day} for day in days]}, "")
    with engine.connect() as con:
        ruleset = rules.load()
        engine.prepare(con, ruleset)
        insert_rows(con, [rows(case)])
        for table, given in tables.items():
            con.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(given[0]))})", given)
        engine.map_payers(con, ruleset.payer_patterns)
        engine.build_models(con, only=["kx_ledger"])
        found = con.execute("SELECT claim_id, claim_line_number, allowed_amount::VARCHAR, amount_source FROM kx_ledger")
        return {(claim[1:], line): (amount, source) for claim, line, amount, source in found.fetchall()}


def one_day(day: dict[str, Any], **tables: Sequence[Sequence[Any]]) -> list[str | None]:
    """Return the amounts of one day's lines, in their order."""
    return [amount for _, (amount, _) in sorted(reckon([day], **tables).items())]


def test_published_example() -> None:
    day = {"billed": {97530: 2, 97110: 1, 97140: 1}, "date": IN_2025}
    told = reckon([day])
    assert told == {
        ("001", 1): ("59.19", SCHEDULE),  # 34.61 whole and 24.58
        ("001", 2): ("21.83", SCHEDULE),
        ("001", 3): ("20.70", SCHEDULE),
    }
    assert sum(Decimal(amount or 0) for amount, _ in told.values()) == Decimal("101.72")


@pytest.mark.parametrize(
    ("day", "amounts"),
    [
        ({"billed": {97110: 1}}, ["28.79"]),
        ({"billed": {97110: 3}}, ["72.45"]),  # 28.79 + 2 x 21.83
        ({"billed": {97110: 1, 97140: 1}}, ["28.79", "20.70"]),  # 0.43 of practice expense before 0.40
        ({"billed": {97140: 1, 97110: 1}}, ["20.70", "28.79"]),
        # Not on the list of the reduction: whole, however many, and it takes nobody's first place.
        ({"billed": {97129: 1, 97130: 2, 97110: 1}}, ["21.67", "41.40", "28.79"]),
        ({"billed": {97010: 1, 97014: 1, 97110: 1}}, ["0.00", "0.00", "28.79"]),  # never paid on their own
        ({"billed": {97799: 1, 29540: 1, "0791T": 1, 97110: 1}}, [None, None, None, "28.79"]),  # priced elsewhere
        ({"billed": {97110: 0, 97140: 1}}, [None, "27.17"]),
        ({"billed": {97110: None, 97140: 1}}, [None, "20.70"]),
        # Medicare never allows more than was charged; a charge of nothing is none.
        ({"billed": {97110: 1}, "line": {"charge_amount": 20}}, ["20.00"]),
        ({"billed": {97110: 1}, "line": {"charge_amount": 28.79}}, ["28.79"]),
        ({"billed": {97110: 1}, "line": {"charge_amount": 0}}, ["28.79"]),
        ({"billed": {97110: 1}, "modifiers": ["GP", "GA"]}, [None]),
        ({"billed": {97110: 1}, "modifiers": ["GP", "GY"]}, [None]),
        ({"billed": {97110: 1}, "modifiers": ["GP", "GZ"]}, [None]),
        ({"billed": {97110: 1}, "modifiers": ["GP", "CQ"]}, ["28.79"]),  # the assistant's reduction is of the payment
    ],
)
def test_day_of_2025(day: dict[str, Any], amounts: list[str | None]) -> None:
    assert one_day({"date": IN_2025, **day}) == amounts


def test_ties_of_practice_expense_go_to_the_higher_fee_then_the_code_then_the_line() -> None:
    assert one_day({"billed": {97028: 1, "G0281": 1}, "date": IN_2025}) == [
        "5.50",
        "11.32",
    ]  # 0.16, 0.25 and 0.35 in all
    assert one_day({"billed": {97032: 1, 97012: 1}, "date": IN_2025}) == ["11.32", "14.23"]  # alike throughout
    lines = [{"hcpcs_code": 97110, "claim_line_number": 2}, {"hcpcs_code": 97110, "claim_line_number": 1}]
    assert one_day({"lines": lines, "date": IN_2025}) == ["28.79", "21.83"]


def test_lines_with_known_amounts_take_their_place_in_the_day() -> None:
    lines = [{"hcpcs_code": 97530, "allowed_amount": 30}, {"hcpcs_code": 97110}]
    assert reckon([{"lines": lines, "date": IN_2025}]) == {
        ("001", 1): ("30.00", "export"),
        ("001", 2): ("21.83", SCHEDULE),
    }


@pytest.mark.parametrize(
    ("other", "amount"),
    [
        ({}, "21.83"),
        ({"discipline": "OT"}, "21.83"),  # across disciplines
        ({"date": date(2025, 3, 4)}, "28.79"),
        ({"line": {"billing_npi": "2"}}, "28.79"),
        ({"payer": "AETNA"}, "28.79"),
        ({"line": {"patient_id": "q"}}, "28.79"),
        ({"modifiers": ["GP", "GY"]}, "28.79"),
        ({"line": {"claim_frequency_code": "8"}}, "28.79"),  # a void is no service
    ],
)
def test_what_shares_a_day(other: dict[str, Any], amount: str) -> None:
    days = [{"billed": {97110: 1}, "date": IN_2025}, {"billed": {97530: 1}, "date": IN_2025, **other}]
    assert reckon(days)["001", 1] == (amount, SCHEDULE)


@pytest.mark.parametrize(
    ("day", "amount"),
    [
        (date(2018, 12, 31), (None, None)),
        (date(2019, 1, 1), ("31.35", SCHEDULE)),  # 0.87 x 36.0391
        (date(2024, 3, 8), ("28.81", SCHEDULE)),  # 0.88 x 32.7442
        (date(2024, 3, 9), ("29.29", SCHEDULE)),  # 0.88 x 33.2875
        (date(2025, 12, 31), ("28.79", SCHEDULE)),
        (date(2026, 1, 1), ("29.73", STALE)),
        (date(2027, 1, 1), (None, None)),
    ],
)
def test_schedule_of_the_date(day: date, amount: tuple[str | None, str | None]) -> None:
    assert reckon([{"billed": {97110: 1}, "date": day}])["001", 1] == amount


def test_of_several_releases_the_latest_counts() -> None:
    release = ("97110", date(2025, 2, 1), date(2025, 12, 31), 1, 1, 1, True, 10)
    days = [{"billed": {97110: 1}, "date": date(2025, 1, 31)}, {"billed": {97110: 1}, "date": date(2025, 2, 1)}]
    told = reckon(days, relative_value=[release])
    assert told == {("001", 1): ("28.79", SCHEDULE), ("002", 1): ("30.00", SCHEDULE)}


def test_locality() -> None:
    alaska = {"fee_locality": [("02102-01",)]}
    days = [{"billed": {97110: 2}, "date": IN_2026}, {"billed": {97110: 1}, "date": IN_2025}]
    assert reckon(days, **alaska) == {
        # 33.4009 x (0.45 x 1.5 + 0.43 x 1.065 + 0.01 x 0.551) = 38.03, and with half of 0.43 30.38
        ("001", 1): ("68.41", STALE),
        ("002", 1): ("28.79", STALE),  # no index for 2025: the national amount, marked
    }
    edition = ("relative_value", None, "2026", date(2026, 1, 1), date(2026, 12, 31), "f")
    assert reckon(days, **alaska, reference_edition=[edition])["001", 1] == ("68.41", SCHEDULE)


def test_national_needs_no_table() -> None:
    assert reckon([{"billed": {97110: 1}, "date": IN_2025}], fee_locality=[("national",)])["001", 1] == (
        "28.79",
        SCHEDULE,
    )


def test_unknown_locality_is_told_right_ones(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("Patient ID,Payer,DOS,CPT,Units\np,MEDICARE,3/2/2026,97110,1\n")
    (tmp_path / "audit.toml").write_text('locality = "02102"\n[inputs]\nclaims = "claims.csv"\n')
    with pytest.raises(AuditError) as caught:
        pipeline.run(config.read(tmp_path / "audit.toml"))
    assert str(caught.value).startswith("audit.toml: locality '02102' is none of the table of localities")
    assert "02102-01 (Alaska)" in str(caught.value)


def test_remittance_lines_of_a_claim_line_are_netted() -> None:
    def remitted(number: int, amount: float) -> tuple[Any, ...]:
        line = ("c001", 1, "MEDICARE", "p", IN_2025, "97110", [], 1, None, amount, None, None, None, "r.csv", number)
        return ("R", number, *line)

    days = [
        {"billed": {97110: 1}, "date": IN_2025},
        {"billed": {97110: 1}, "date": IN_2025, "allowed": 12},
        {"billed": {97110: 1}, "date": date(2025, 3, 5)},
    ]
    told = reckon(days, remittance_line=[remitted(1, 30), remitted(2, -30), remitted(3, 25.5)])
    assert told == {
        ("001", 1): ("25.50", "remittance"),
        ("002", 1): ("12.00", "export"),
        ("003", 1): ("28.79", SCHEDULE),
    }
