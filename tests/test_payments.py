"""Remittances on claim lines: which line each answers, and what all of them come to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from therapy_audit import engine, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

RULES = rules.load()
DAY, PAID = date(2026, 1, 5), date(2026, 2, 5)
TABLES = ("claim_line", "remittance_line", "remittance_adjustment", "remittance_claim", "remittance_remark")


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect() as opened:
        engine.prepare(opened, RULES)
        opened.execute("INSERT INTO audit_period VALUES (DATE '2026-01-01', DATE '2026-12-31', NULL)")
        yield opened


def build(con: duckdb.DuckDBPyConnection, **tables: list[dict[str, Any]]) -> None:
    """Fill the tables anew and build the models."""
    for table in TABLES:
        con.execute(f"DELETE FROM {table}")
    for table, rows in tables.items():
        for row in rows:
            named = {"source_file": "f", "source_row": 1} | row
            con.execute(
                f"INSERT INTO {table} ({', '.join(named)}) VALUES ({', '.join('?' * len(named))})", list(named.values())
            )
    engine.build_models(con, only=["line_payment", "line_remittance"])


def line(number: int = 1, **given: Any) -> dict[str, Any]:
    return {
        "claim_id": "a", "claim_line_number": number, "patient_id": "p", "payer": "MEDICARE", "service_date": DAY,
        "hcpcs_code": "97110", "modifiers": ["GP"], "units": 1, "charge_amount": Decimal(50), "diagnosis_codes": [],
    } | given  # fmt: skip


def paid(number: int, remittance: str = "r", claim: int | None = 1, **given: Any) -> dict[str, Any]:
    return {
        "remittance_id": remittance, "remittance_line_number": number, "remittance_claim_number": claim,
        "claim_id": "a", "payer": "MEDICARE", "patient_id": "p", "service_date": DAY, "hcpcs_code": "97110",
        "modifiers": ["GP"], "units": 1, "charge_amount": Decimal(50), "paid_date": PAID, "claim_status_code": "1",
    } | given  # fmt: skip


def adjusted(number: int, group: str, reason: str, amount: float, remittance: str = "r") -> dict[str, Any]:
    return {
        "remittance_id": remittance, "remittance_claim_number": 1, "remittance_line_number": number,
        "adjustment_number": int.from_bytes(f"{group}{reason}".encode()) % 10**6,
        "group_code": group, "reason_code": reason, "amount": Decimal(str(amount)),
    }  # fmt: skip


def matches(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], tuple[str, int, str]]:
    rows = con.execute(
        "SELECT remittance_id, remittance_line_number, claim_id, claim_line_number, match_key FROM line_remittance"
    ).fetchall()
    found = {(remittance, number): (claim, of_line, key) for remittance, number, claim, of_line, key in rows}
    assert len(found) == len(rows)
    return found


def payment(con: duckdb.DuckDBPyConnection, number: int = 1, claim_id: str = "a") -> dict[str, Any]:
    result = con.execute("SELECT * FROM line_payment WHERE claim_id = ? AND claim_line_number = ?", [claim_id, number])
    (row,) = result.fetchall()
    return dict(zip([item[0] for item in result.description], row, strict=True))


def test_the_lines_control_number_comes_first(con: duckdb.DuckDBPyConnection) -> None:
    lines = [line(1, line_control_number="X1"), line(2, line_control_number="X2")]
    answers = [paid(1, line_control_number="X2"), paid(2, line_control_number="X1"), paid(3, line_control_number="2")]
    build(con, claim_line=lines, remittance_line=answers)
    # What is left is scored; both lines of the claim are answered already.
    assert matches(con) == {("r", 1): ("a", 2, "line control number"), ("r", 2): ("a", 1, "line control number")}


def test_the_lines_number_given_back(con: duckdb.DuckDBPyConnection) -> None:
    answers = [paid(1, line_control_number="2"), paid(2, claim_line_number=1)]
    build(con, claim_line=[line(1), line(2)], remittance_line=answers)
    assert matches(con) == {("r", 1): ("a", 2, "claim and line number"), ("r", 2): ("a", 1, "claim and line number")}


def test_a_service_that_was_split_belongs_to_one_line(con: duckdb.DuckDBPyConnection) -> None:
    answers = [paid(1, line_control_number="X1", paid_amount=10), paid(2, line_control_number="X1", paid_amount=5)]
    build(con, claim_line=[line(line_control_number="X1")], remittance_line=answers)
    assert payment(con)["paid_amount"] == 15
    assert payment(con)["adjudications"] == 1


def test_equal_lines_are_answered_one_by_one(con: duckdb.DuckDBPyConnection) -> None:
    answers = [paid(number, paid_amount=number) for number in (1, 2, 3)]
    build(con, claim_line=[line(1), line(2), line(3)], remittance_line=answers)
    assert {number: of_line for (_, number), (_, of_line, _) in matches(con).items()} == {1: 1, 2: 2, 3: 3}


def test_the_best_pair_is_taken_first(con: duckdb.DuckDBPyConnection) -> None:
    lines = [line(1, hcpcs_code="97530", charge_amount=Decimal(70)), line(2)]
    # The payer judged 97110 where 97530 was billed, and says so for the second only by its charge.
    answers = [paid(1, charge_amount=Decimal(70)), paid(2, hcpcs_code="97112", billed_hcpcs_code="97110")]
    build(con, claim_line=lines, remittance_line=answers)
    assert {number: of_line for (_, number), (_, of_line, _) in matches(con).items()} == {1: 1, 2: 2}


def test_an_unknown_claim_number_is_looked_for_by_patient(con: duckdb.DuckDBPyConnection) -> None:
    build(con, claim_line=[line(), line(claim_id="b", patient_id="q")], remittance_line=[paid(1, claim_id="OWN-1")])
    assert matches(con) == {("r", 1): ("a", 1, "scored")}
    build(con, claim_line=[line(patient_id="q")], remittance_line=[paid(1, claim_id="OWN-1")])
    assert matches(con) == {("r", 1): ("a", 1, "scored")}  # by payer, day, code and charge
    build(con, claim_line=[line(patient_id="q")], remittance_line=[paid(1, claim_id="OWN-1", charge_amount=51)])
    assert matches(con) == {}


def test_reversal_and_correction(con: duckdb.DuckDBPyConnection) -> None:
    first = paid(1, paid_amount=30, allowed_amount=40, patient_responsibility_amount=10, claim_line_number=1)
    back = first | {
        "remittance_id": "s", "claim_status_code": "22", "charge_amount": -50, "paid_amount": -30,
        "allowed_amount": None, "patient_responsibility_amount": -10, "paid_date": date(2026, 3, 5),
    }  # fmt: skip
    right = first | {"remittance_id": "s", "remittance_line_number": 2, "remittance_claim_number": 2, "paid_amount": 20,
                     "allowed_amount": 30, "paid_date": date(2026, 3, 5)}  # fmt: skip
    build(con, claim_line=[line()], remittance_line=[first, back | {"allowed_amount": 40}])
    found = payment(con)
    assert (found["payment_status"], found["paid_amount"], found["allowed_amount"]) == ("reversed", 0, 0)
    build(con, claim_line=[line()], remittance_line=[first, back | {"allowed_amount": -40}, right])
    found = payment(con)
    assert (found["payment_status"], found["paid_amount"], found["allowed_amount"]) == ("paid", 20, 30)
    assert (found["adjudications"], found["first_paid_date"], found["last_paid_date"]) == (3, PAID, date(2026, 3, 5))


def test_two_payers_add_up_but_what_is_allowed_does_not(con: duckdb.DuckDBPyConnection) -> None:
    first = paid(1, paid_amount=32, allowed_amount=40, patient_responsibility_amount=8, claim_line_number=1)
    second = first | {"remittance_id": "s", "payer": "SECOND", "paid_amount": 6, "patient_responsibility_amount": 2,
                      "claim_status_code": "2", "paid_date": date(2026, 3, 5)}  # fmt: skip
    for given in ([first, second], [item | {"claim_status_code": None} for item in (first, second)]):
        build(con, claim_line=[line()], remittance_line=given)
        found = payment(con)
        assert (found["paid_amount"], found["allowed_amount"], found["patient_responsibility_amount"]) == (38, 40, 2)


def test_a_claim_judged_as_a_whole_is_shared_by_charge(con: duckdb.DuckDBPyConnection) -> None:
    lines = [line(number, charge_amount=Decimal(100)) for number in (1, 2, 3)]
    whole = paid(1, line_kind="claim", charge_amount=Decimal(300), paid_amount=Decimal(100), hcpcs_code=None)
    build(con, claim_line=lines, remittance_line=[whole])
    assert [payment(con, number)["paid_amount"] for number in (1, 2, 3)] == [
        Decimal("33.33"), Decimal("33.34"), Decimal("33.33")
    ]  # fmt: skip
    build(con, claim_line=[item | {"charge_amount": None} for item in lines], remittance_line=[whole])
    assert sum(payment(con, number)["paid_amount"] for number in (1, 2, 3)) == 100
    assert matches(con) == {}


def test_adjustments_of_a_claim_take_from_its_services(con: duckdb.DuckDBPyConnection) -> None:
    services = [paid(number, claim_line_number=number, paid_amount=50) for number in (1, 2)]
    of_claim = adjusted(1, "CO", "29", 40) | {"remittance_line_number": None}
    build(con, claim_line=[line(1), line(2)], remittance_line=services, remittance_adjustment=[of_claim])
    assert [payment(con, number)["paid_amount"] for number in (1, 2)] == [30, 30]
    assert payment(con)["denied_amount"] == 20
    assert payment(con)["payment_status"] == "partly denied"
    # Services that have it taken already: the claim's adjustment says why.
    services = [paid(number, claim_line_number=number, paid_amount=0) for number in (1, 2)]
    claim = {"remittance_id": "r", "remittance_claim_number": 1, "paid_amount": 0}
    of_claim |= {"amount": 100}
    build(
        con,
        claim_line=[line(1), line(2)],
        remittance_line=services,
        remittance_adjustment=[of_claim],
        remittance_claim=[claim],
    )
    found = payment(con)
    assert (found["payment_status"], found["paid_amount"], found["denied_amount"]) == ("denied", 0, 50)
    assert found["last_reason_code"] == "29"


@pytest.mark.parametrize(
    ("given", "adjustments", "status", "denied", "written_off", "allowed"),
    [
        ({"paid_amount": 32}, [("CO", "45", 10), ("PR", "2", 8)], "paid", 0, 10, 40),
        ({"paid_amount": 31.36}, [("CO", "45", 10), ("PR", "2", 8), ("CO", "253", 0.64)], "paid", 0, 10.64, 40),
        ({"paid_amount": 0}, [("CO", "45", 10), ("PR", "1", 40)], "paid", 0, 10, 40),
        ({"paid_amount": 0}, [("CO", "45", 10), ("CO", "50", 40)], "denied", 40, 10, 0),
        ({"paid_amount": 16}, [("CO", "45", 10), ("CO", "151", 20), ("PR", "2", 4)], "partly denied", 20, 10, 20),
        ({"paid_amount": 0}, [("PR", "96", 50)], "denied", 50, 0, 0),
        ({"paid_amount": 0}, [("CO", "ZZ", 50)], "denied", 50, 0, 0),
        ({"paid_amount": 0, "claim_status_code": "4"}, [], "denied", 50, 0, None),
        ({"paid_amount": 0, "patient_responsibility_amount": 40}, [], "paid", 0, 0, None),
        ({"paid_amount": None, "allowed_amount": 40}, [], "paid", 0, 0, 40),
    ],
)
def test_what_an_answer_says(
    con: duckdb.DuckDBPyConnection,
    given: dict[str, Any],
    adjustments: list[tuple[str, str, float]],
    status: str,
    denied: float,
    written_off: float,
    allowed: float | None,
) -> None:
    build(
        con,
        claim_line=[line()],
        remittance_line=[paid(1, claim_line_number=1, **given)],
        remittance_adjustment=[adjusted(1, *item) for item in adjustments],
    )
    found = payment(con)
    assert found["payment_status"] == status
    assert float(found["denied_amount"]) == denied
    assert float(found["written_off_amount"]) == written_off
    assert (None if found["allowed_amount"] is None else float(found["allowed_amount"])) == allowed


def test_the_reason_that_denies_most(con: duckdb.DuckDBPyConnection) -> None:
    answer = paid(1, claim_line_number=1, paid_amount=0)
    reasons = [adjusted(1, "CO", "97", 15), adjusted(1, "CO", "16", 25), adjusted(1, "CO", "45", 10)]
    remark = {"remittance_id": "r", "remittance_claim_number": 1, "remittance_line_number": 1, "remark_code": "M127"}
    build(con, claim_line=[line()], remittance_line=[answer], remittance_adjustment=reasons, remittance_remark=[remark])
    found = payment(con)
    assert (found["last_group_code"], found["last_reason_code"], found["last_remark_code"]) == ("CO", "16", "M127")


def test_days_to_payment_and_lines_without_an_answer(con: duckdb.DuckDBPyConnection) -> None:
    of_claim = {"remittance_id": "r", "remittance_claim_number": 1, "received_date": date(2026, 1, 15)}
    build(
        con,
        claim_line=[line(1, submitted_date=date(2026, 1, 10)), line(2)],
        remittance_line=[paid(1, claim_line_number=1, paid_amount=30)],
        remittance_claim=[of_claim],
    )
    assert payment(con)["days_to_payment"] == 21
    found = payment(con, 2)
    assert (found["payment_status"], found["adjudications"], found["paid_amount"]) == ("open", 0, None)


def test_a_version_that_was_sent_after_the_answer_is_open(con: duckdb.DuckDBPyConnection) -> None:
    versions = [line(), line(claim_version=2, claim_frequency_code="7", submitted_date=date(2026, 2, 20))]
    build(con, claim_line=versions, remittance_line=[paid(1, claim_line_number=1, paid_amount=0)])
    found = payment(con)
    assert (found["payment_status"], found["denied_amount"], found["last_paid_date"]) == ("open", None, PAID)
