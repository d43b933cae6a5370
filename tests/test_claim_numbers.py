"""Numbers that several claims share: the patient's account number, sent as that of each claim."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from test_intake_x12 import HEADERS, con, counts, load, of_frequency, paid, rows, sent
from test_x12 import claim, paid_service, remitted, service
from therapy_audit import engine, rules
from therapy_audit.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

__all__ = ["con"]  # the fixture
BULK = [claim(f"U{number}", service(1)) for number in range(60)]  # so that the shared number is the exception


def visit(day: int, *numbers: int, name: str = "A", modifier: str = "GP", code: str = "97110") -> list[str]:
    """Return a claim with its lines on a day of January."""
    lines = claim(name, *(service(number) for number in numbers or (1,)))
    return [line.replace("20260105", f"202601{day:02}").replace("97110:GP", f"{code}:{modifier}") for line in lines]


def claims(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Return claim, version, line and day of what bears the number A, in the order of their ids."""
    return rows(
        con,
        "SELECT claim_id, claim_version, claim_line_number, day(service_date) FROM claim_line "
        "WHERE claim_id LIKE 'A%' ORDER BY ALL",
    )


def current(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Return claim and day of what counts of the number A."""
    with engine.connect() as opened:
        engine.prepare(opened, rules.load())
        for table in ("claim_line", "remittance_claim", "remittance_line"):
            arrow = con.execute(f"SELECT * FROM {table}").to_arrow_table()
            opened.register("given", arrow)
            opened.execute(f"INSERT INTO {table} BY NAME FROM given")
        opened.execute("INSERT INTO audit_period VALUES (DATE '2026-01-01', DATE '2026-12-31', NULL)")
        engine.build_models(opened, only=["current_line"])
        return rows(
            opened,
            "SELECT claim_id, claim_version, day(service_date) FROM current_line WHERE claim_id LIKE 'A%' ORDER BY ALL",
        )


def test_visits_under_one_number_are_claims_of_their_own(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims={"x.837": sent(visit(5, 1, 2), visit(7), *BULK), "y.837": sent(visit(9))})
    assert claims(con) == [
        ("A 2026-01-05", 1, 1, 5), ("A 2026-01-05", 1, 2, 5), ("A 2026-01-07", 1, 1, 7), ("A 2026-01-09", 1, 1, 9),
    ]  # fmt: skip
    assert len(current(con)) == 4
    assert rows(con, "SELECT count(*) FROM claim_line WHERE claim_id = 'U3'") == [(1,)]
    assert "1 claim numbers serve several claims" in rows(con, "SELECT notices FROM intake_file ORDER BY ALL")[0][0][-1]


def test_sent_again_replaced_and_void_stay_with_their_visit(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    first = sent(visit(5), visit(7), visit(9), *BULK, day="20260110")
    later = sent(visit(5), of_frequency("7", visit(7), "ICN1"), of_frequency("8", visit(9), "ICN2"), day="20260210")
    load(con, tmp_path, claims={"later.837": later, "first.837": first})
    assert [(name, number) for name, number, _, _ in claims(con)] == [
        (f"A 2026-01-0{day}", number) for day in (5, 7, 9) for number in (1, 2)
    ]
    assert current(con) == [("A 2026-01-05", 2, 5), ("A 2026-01-07", 2, 7)]


def test_a_number_with_one_claim_keeps_it(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    moved = of_frequency("7", visit(6), "ICN1")
    load(con, tmp_path, claims={"x.837": sent(visit(5)), "y.837": sent(moved, day="20260210")})
    assert claims(con) == [("A", 1, 1, 5), ("A", 2, 1, 6)]
    assert current(con) == [("A", 2, 6)]


def test_a_replacement_on_another_day_follows_the_payers_number(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    answer = remitted("A", paid_service(1), charge="50.00", paid="40.00")
    payers_number = next(line for line in answer if line.startswith("CLP")).split("*")[7]
    moved = of_frequency("7", visit(6), payers_number)
    load(
        con,
        tmp_path,
        claims={"x.837": sent(visit(5), visit(9), *BULK), "y.837": sent(moved, day="20260210")},
        remittances={"r.835": paid(answer)},
    )
    assert rows(con, "SELECT DISTINCT claim_id FROM remittance_claim") == [("A 2026-01-05",)]
    assert rows(con, "SELECT DISTINCT claim_id FROM remittance_line") == [("A 2026-01-05",)]
    assert current(con) == [("A 2026-01-06", 1, 6), ("A 2026-01-09", 1, 9)]


def test_sent_again_in_part_loses_no_day(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    both = visit(5, 1, 2)
    last = max(place for place, line in enumerate(both) if line.startswith("DTP*472"))
    both[last] = both[last].replace("20260105", "20260107")
    load(con, tmp_path, claims={"x.837": sent(both, *BULK), "y.837": sent(visit(7), day="20260210")})
    assert current(con) == [("A 2026-01-05", 1, 5), ("A 2026-01-07", 2, 7)]


def test_two_disciplines_of_a_day(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims={"x.837": sent(visit(5), visit(5, modifier="GO"), *BULK)})
    assert [name for name, *_ in current(con)] == ["A 2026-01-05", "A 2026-01-05 #2"]


def test_sent_again_with_the_modifier_that_was_missing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    bare = [line.replace("97110:GP", "97110") for line in visit(5)]
    load(con, tmp_path, claims={"x.837": sent(bare), "y.837": sent(visit(5), day="20260210")})
    assert current(con) == [("A", 2, 5)]


def test_two_patients_under_one_number(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims={"x.837": sent(visit(5), *BULK), "y.837": sent(visit(5), member="M2")})
    assert [name for name, *_ in current(con)] == ["A 2026-01-05", "A 2026-01-05 #2"]


def test_where_numbers_are_patients_every_claim_has_its_date(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims={"x.837": sent(visit(5), visit(7), visit(5, name="A2"))})
    assert [name for name, *_ in current(con)] == ["A 2026-01-05", "A 2026-01-07", "A2 2026-01-05"]


def test_a_new_visit_under_a_number_of_the_history_is_judged(tmp_path: Path) -> None:
    for name, content in (("new.837", sent(visit(9), visit(5))), ("old.837", sent(visit(5), *BULK))):
        (tmp_path / name).write_bytes(content)
    result = CliRunner().invoke(
        cli, ["scrub", str(tmp_path / "new.837"), "--history", str(tmp_path / "old.837"), "--json"]
    )
    verdicts = {item["claim_id"]: item for item in json.loads(result.stdout)["claims"]}
    assert set(verdicts) == {"A 2026-01-05", "A 2026-01-09"}


@pytest.mark.parametrize("sent_on", ["", "2026-01-31"])
def test_an_export_whose_lines_are_numbered_by_visit(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, sent_on: str
) -> None:
    export = HEADERS + "".join(
        f"{name},{line},P1,AETNA,2026-01-{day:02},97110,GP,1,{40 + day + line},{frequency},{sent_on}\n"
        for name, line, day, frequency in (
            ("A", 1, 5, 1), ("A", 2, 5, 1), ("A", 1, 7, 1), ("A", 1, 7, 7), ("A3", 1, 9, 1), ("A3", 2, 12, 1),
        )
    )  # fmt: skip
    export += "".join(f"U{number},1,P1,AETNA,2026-01-05,97110,GP,1,45,1,{sent_on}\n" for number in range(60))
    load(con, tmp_path, claims={"claims.csv": export})
    assert counts(con) == {"claims.csv": (66, 66, 0)}
    assert claims(con) == [
        ("A 2026-01-05", 1, 1, 5), ("A 2026-01-05", 1, 2, 5), ("A 2026-01-07", 1, 1, 7), ("A 2026-01-07", 2, 1, 7),
        ("A3", 1, 1, 9), ("A3", 1, 2, 12),
    ]  # fmt: skip
    assert [name for name, *_ in current(con)] == ["A 2026-01-05", "A 2026-01-05", "A 2026-01-07", "A3", "A3"]
