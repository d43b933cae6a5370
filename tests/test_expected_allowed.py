"""What the fee schedule lets expect, line by line; and which amount of a line the KX ledger takes."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from casebook import Case, insert_rows, rows
from therapy_audit import config, engine, pipeline, rules
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Day = dict[str, Any]
SCHEDULE, STALE = "fee_schedule", "fee_schedule_stale"
IN_2025, IN_2026 = date(2025, 3, 3), date(2026, 3, 2)


def reckon(patients: Sequence[Sequence[Day]], **tables: Sequence[Any]) -> list[list[list[str | None]]]:
    """Return, for each patient's days, the amount and its source line by line, in the order of claims and lines."""
    cases = [
        Case("", "", {"visits": [{"allowed": None, "date": IN_2025, **day} for day in days]}, f"{number}~")
        for number, days in enumerate(patients)
    ]
    with engine.connect() as con:
        ruleset = rules.load()
        engine.prepare(con, ruleset)
        insert_rows(con, [rows(case) for case in cases])
        for table, row in tables.items():
            con.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        engine.map_payers(con, ruleset.payer_patterns)
        engine.build_models(con, only=["kx_ledger"])
        found = con.execute(
            "SELECT split_part(claim_id, '~', 1)::INTEGER, allowed_amount::VARCHAR, amount_source FROM kx_ledger"
            " ORDER BY claim_id, claim_line_number"
        ).fetchall()
    return [[told for patient, *told in found if patient == number] for number in range(len(cases))]


def test_published_example() -> None:
    ((first, second, third),) = reckon([[{"billed": {97530: 2, 97110: 1, 97140: 1}}]])
    assert first == ["59.19", SCHEDULE]  # 34.61 whole and 24.58
    assert second == ["21.83", SCHEDULE]
    assert third == ["20.70", SCHEDULE]  # 101.72 in all


DAYS: list[tuple[Day, list[str | None]]] = [
    ({"billed": {97110: 1}}, ["28.79"]),
    ({"billed": {97110: 3}}, ["72.45"]),  # 28.79 + 2 x 21.83
    ({"billed": {97140: 1, 97110: 1}}, ["20.70", "28.79"]),  # 0.43 of practice expense before 0.40
    ({"billed": {97028: 1, "G0281": 1}}, ["5.50", "11.32"]),  # 0.16 both, 0.25 and 0.35 in all
    ({"billed": {97032: 1, 97012: 1}}, ["11.32", "14.23"]),  # alike: the code decides
    ({"billed": {97012: 1, "G0283": 1}}, ["11.32", "12.29"]),  # 0.18 and 0.19, though the first is worth more
    # Not on the list of the reduction: whole, however many, and none takes the first place from another.
    ({"billed": {97129: 1, 97018: 1, 97130: 2}}, ["21.67", "6.15", "41.40"]),
    ({"billed": {97010: 1, 97014: 1, 97110: 1}}, ["0.00", "0.00", "28.79"]),  # never paid on their own
    ({"billed": {97799: 1, 29540: 1, "0791T": 1, 97110: 1}}, [None, None, None, "28.79"]),  # in no schedule
    ({"billed": {97110: 0, 97140: 1}}, [None, "27.17"]),
    ({"billed": {97110: None, 97140: 1}}, [None, "20.70"]),
    # Medicare never allows more than was charged; a charge of nothing is none.
    ({"billed": {97110: 1}, "line": {"charge_amount": 20}}, ["20.00"]),
    ({"billed": {97110: 1}, "line": {"charge_amount": 30}}, ["28.79"]),
    ({"billed": {97110: 1}, "line": {"charge_amount": 0}}, ["28.79"]),
    # Billed to be denied.
    ({"billed": {97110: 1}, "modifiers": ["GP", "GA"]}, ["0.00"]),
    ({"billed": {97110: 1}, "modifiers": ["GP", "GY"]}, ["0.00"]),
    ({"billed": {97110: 1}, "modifiers": ["GP", "GZ"]}, ["0.00"]),
    # The reduction for an assistant is one of the payment.
    ({"billed": {97110: 1}, "modifiers": ["GP", "CQ"]}, ["28.79"]),
    # Lines with known amounts take their place in the day.
    ({"lines": [{"hcpcs_code": 97530, "allowed_amount": 30}, {"hcpcs_code": 97110}]}, ["30.00", "21.83"]),
    (
        {"lines": [{"hcpcs_code": 97110, "claim_line_number": 2}, {"hcpcs_code": 97110, "claim_line_number": 1}]},
        ["28.79", "21.83"],
    ),
]
# What else was billed, and what 97110 is worth beside it.
OTHERS: list[tuple[Day, str]] = [
    ({}, "21.83"),
    ({"discipline": "OT"}, "21.83"),
    ({"date": date(2025, 3, 4)}, "28.79"),
    ({"line": {"billing_npi": "2"}}, "28.79"),
    ({"payer": "AETNA"}, "28.79"),
    ({"line": {"patient_id": "another"}}, "28.79"),
    ({"modifiers": ["GP", "GY"]}, "28.79"),
    ({"line": {"claim_frequency_code": "8"}}, "28.79"),
]
DATES: list[tuple[date, list[str | None]]] = [
    (date(2018, 12, 31), [None, None]),
    (date(2019, 1, 1), ["31.35", SCHEDULE]),  # 0.87 x 36.0391
    (date(2024, 3, 8), ["28.81", SCHEDULE]),  # 0.88 x 32.7442
    (date(2024, 3, 9), ["29.29", SCHEDULE]),  # 0.88 x 33.2875
    (date(2025, 12, 31), ["28.79", SCHEDULE]),
    (date(2026, 1, 1), ["29.73", STALE]),
    (date(2027, 1, 1), [None, None]),
]


def test_lines_of_a_day() -> None:
    told = reckon([[day] for day, _ in DAYS])
    for (day, amounts), lines in zip(DAYS, told, strict=True):
        assert [amount for amount, _ in lines] == amounts, day
        assert [source is None for _, source in lines] == [amount is None for amount in amounts], day


def test_what_shares_a_day() -> None:
    told = reckon([[{"billed": {97110: 1}}, {"billed": {97530: 1}, **other}] for other, _ in OTHERS])
    for (other, amount), lines in zip(OTHERS, told, strict=True):
        assert lines[0] == [amount, SCHEDULE], other


def test_schedule_of_the_date() -> None:
    told = reckon([[{"billed": {97110: 1}, "date": day}] for day, _ in DATES])
    for (day, wanted), lines in zip(DATES, told, strict=True):
        assert lines == [wanted], day


def test_of_several_releases_the_latest_counts() -> None:
    days = [{"billed": {97110: 1}, "date": date(2025, 1, 31)}, {"billed": {97110: 1}, "date": date(2025, 2, 1)}]
    release = ("97110", date(2025, 2, 1), date(2025, 12, 31), 1, 1, 1, True, 10)
    assert reckon([days], relative_value=release) == [[["28.79", SCHEDULE], ["30.00", SCHEDULE]]]


def test_locality() -> None:
    days = [{"billed": {97110: 2}, "date": IN_2026}, {"billed": {97110: 1}, "date": IN_2025}]
    assert reckon([days], fee_locality=("02102-01",)) == [
        [
            # 33.4009 x (0.45 x 1.5 + 0.43 x 1.065 + 0.01 x 0.551) = 38.03, and with half of 0.43 30.38
            ["68.41", STALE],
            ["28.79", STALE],  # no index for 2025: the national amount, marked
        ]
    ]
    edition = ("relative_value", None, "2026", date(2026, 1, 1), date(2026, 12, 31), "f")
    assert reckon([days], fee_locality=("02102-01",), reference_edition=edition)[0][0] == ["68.41", SCHEDULE]
    assert reckon([days], fee_locality=("national",))[0][1] == ["28.79", SCHEDULE]
    earlier = ("gpci", None, "2025", date(2025, 1, 1), date(2025, 12, 31), "f")
    assert reckon([days], fee_locality=("02102-01",), reference_edition=earlier)[0][1] == ["28.79", STALE]


def test_unknown_locality_is_told_right_ones(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("Patient ID,Payer,DOS,CPT,Units\np,MEDICARE,3/2/2026,97110,1\n")
    (tmp_path / "audit.toml").write_text('locality = "02102"\n[inputs]\nclaims = "claims.csv"\n')
    with pytest.raises(AuditError) as caught:
        pipeline.run(config.read(tmp_path / "audit.toml"))
    assert str(caught.value).startswith("audit.toml: locality '02102' is none of the table of localities")
    assert "02102-01 (Alaska)" in str(caught.value)


def test_remittance_lines_of_a_claim_line_are_netted() -> None:
    case = Case("", "", {"billed": {97110: 1, 97530: 1}, "line": {"allowed_amount": None}}, "")
    with engine.connect() as con:
        ruleset = rules.load()
        engine.prepare(con, ruleset)
        insert_rows(con, [rows(case)])
        con.execute("UPDATE claim_line SET allowed_amount = 12 WHERE claim_line_number = 2")
        origin = {"remittance_id": "r", "claim_id": "c001", "modifiers": [], "source_file": "r.csv", "source_row": 1}
        remitted = [(1, 1, 30), (2, 1, -30), (3, 1, 25.5), (4, 2, 99)]
        insert_rows(con, [{"remittance_line": [
            origin | {"remittance_line_number": number, "claim_line_number": line, "allowed_amount": amount}
            for number, line, amount in remitted
        ]}])  # fmt: skip
        engine.map_payers(con, ruleset.payer_patterns)
        engine.build_models(con, only=["kx_ledger"])
        found = con.execute("SELECT allowed_amount::VARCHAR, amount_source FROM kx_ledger ORDER BY claim_line_number")
        assert found.fetchall() == [("25.50", "remittance"), ("12.00", "export")]
