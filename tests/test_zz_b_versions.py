"""Claim versions: what is left of them as the run's date sees it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapy_audit import engine, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

RULES = rules.load()


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect() as opened:
        engine.prepare(opened, RULES)
        yield opened


def version(claim_id: str, number: int = 1, code: str | None = None, **given: Any) -> dict[str, Any]:
    """Return the lines of a version of a claim: `lines` of them, of patient p."""
    return {"claim_id": claim_id, "claim_version": number, "claim_frequency_code": code, "lines": 1} | given


def history(
    con: duckdb.DuckDBPyConnection,
    versions: list[dict[str, Any]],
    as_of: date | None = None,
    payers_numbers: tuple[tuple[str, str], ...] = (),
) -> dict[tuple[str, int], str]:
    """Return {(claim id, version): state}; current_line is built as well."""
    for table in ("claim_line", "remittance_claim", "audit_period"):
        con.execute(f"DELETE FROM {table}")
    for item in versions:
        con.execute(
            "INSERT INTO claim_line (claim_id, claim_version, claim_line_number, patient_id, service_date, hcpcs_code,"
            " modifiers, units, claim_frequency_code, original_claim_id, submitted_date, diagnosis_codes, source_file,"
            " source_row) SELECT ?, ?, range + 1, ?, DATE '2026-01-05', '97110', ['GP'], 1, ?, ?, ?, [], 'f', 1"
            " FROM range(?)",
            [
                item["claim_id"],
                item["claim_version"],
                item.get("patient_id", "p"),
                item["claim_frequency_code"],
                item.get("original"),
                item.get("sent"),
                item["lines"],
            ],
        )
    for number, (claim_id, payers) in enumerate(payers_numbers):
        con.execute(
            "INSERT INTO remittance_claim (remittance_id, remittance_claim_number, claim_id,"
            " payer_claim_control_number, source_file, source_row) VALUES ('r', ?, ?, ?, 'f', 1)",
            [number, claim_id, payers],
        )
    con.execute("INSERT INTO audit_period VALUES (DATE '2026-01-01', DATE '2026-12-31', ?)", [as_of])
    engine.build_models(con, only=["current_line"])
    rows = con.execute("SELECT claim_id, claim_version, state FROM claim_history").fetchall()
    found = {(claim_id, number): state for claim_id, number, state in rows}
    assert len(found) == len(rows)
    return found


def current(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int]]:
    """Return claim, version and line of what counts."""
    return con.execute("SELECT claim_id, claim_version, claim_line_number FROM current_line ORDER BY ALL").fetchall()


JAN, FEB, MAR = date(2026, 1, 10), date(2026, 2, 10), date(2026, 3, 10)
A, B, C = ("a", 1), ("b", 1), ("c", 1)


def test_original_and_replacement_under_the_same_number_with_fewer_lines(con: duckdb.DuckDBPyConnection) -> None:
    given = [version("a", lines=3, sent=JAN), version("a", 2, "7", original="a", lines=2, sent=FEB)]
    assert history(con, given) == {A: "replaced", ("a", 2): "current"}
    assert current(con) == [("a", 2, 1), ("a", 2, 2)]
    following = "SELECT superseded_by_claim_id, superseded_by_version FROM claim_history WHERE claim_version = 1"
    assert con.execute(following).fetchall() == [("a", 2)]


@pytest.mark.parametrize("original", ["a", "ICN1"])
def test_replacement_under_another_number(con: duckdb.DuckDBPyConnection, original: str) -> None:
    given = [version("a"), version("b", 1, "7", original=original), version("c")]
    assert history(con, given, payers_numbers=(("a", "ICN1"),)) == {A: "replaced", B: "current", C: "current"}


def test_a_number_that_nobody_knows_replaces_nothing(con: duckdb.DuckDBPyConnection) -> None:
    assert history(con, [version("a"), version("b", 1, "7", original="ICN1")]) == {A: "current", B: "current"}


def test_void(con: duckdb.DuckDBPyConnection) -> None:
    assert history(con, [version("a"), version("b", 1, "8", original="a")]) == {A: "voided", B: "void"}
    assert history(con, [version("a"), version("a", 2, "8")]) == {A: "voided", ("a", 2): "void"}
    assert current(con) == []


def test_sent_again_after_a_denial(con: duckdb.DuckDBPyConnection) -> None:
    given = [version("a", 1, "1", sent=JAN), version("a", 2, "1", sent=FEB)]
    assert history(con, given) == {A: "resubmitted", ("a", 2): "current"}


@pytest.mark.parametrize("original", ["a", "b"])
def test_replacement_of_a_replacement(con: duckdb.DuckDBPyConnection, original: str) -> None:
    given = [version("c", 1, "7", original=original), version("b", 1, "7", original="a"), version("a")]
    assert history(con, given) == {A: "replaced", B: "replaced", C: "current"}


@pytest.mark.parametrize("original", ["a", "b"])
def test_void_of_a_replacement_leaves_nothing(con: duckdb.DuckDBPyConnection, original: str) -> None:
    given = [
        version("a", sent=JAN),
        version("b", 1, "7", original="a", sent=FEB),
        version("c", 1, "8", original=original, sent=MAR),
    ]
    assert history(con, given) == {A: "replaced", B: "voided", C: "void"}
    assert current(con) == []


def test_as_of_a_day_before_the_replacement(con: duckdb.DuckDBPyConnection) -> None:
    given = [version("a", lines=2, sent=JAN), version("b", 1, "7", original="a", sent=FEB)]
    assert history(con, given, as_of=date(2026, 2, 9)) == {A: "current", B: "later"}
    assert current(con) == [("a", 1, 1), ("a", 1, 2)]
    assert history(con, given, as_of=FEB) == {A: "replaced", B: "current"}


def test_a_number_that_many_patients_claims_name_ties_none_of_them(con: duckdb.DuckDBPyConnection) -> None:
    given = [version("0", patient_id="z")]
    given += [version(name, 1, "7", original="0", patient_id=name) for name in "abc"]
    assert history(con, given) == {("0", 1): "replaced", A: "current", B: "current", C: "current"}


def test_claims_that_replace_each_other(con: duckdb.DuckDBPyConnection) -> None:
    given = [version("a", 1, "7", original="b"), version("b", 1, "7", original="a")]
    assert sorted(history(con, given).values()) == ["current", "replaced"]


_VERSIONS = st.lists(
    st.fixed_dictionaries(
        {
            "claim_id": st.sampled_from("abcde"),
            "code": st.sampled_from([None, "1", "7", "7", "8"]),
            "original": st.sampled_from([None, "a", "b", "c", "N1", "N2", "zzz"]),
            "sent": st.sampled_from([None, JAN, FEB, MAR]),
            "patient_id": st.sampled_from("ppppq"),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=700, deadline=None)
@given(_VERSIONS, st.sampled_from([None, JAN, FEB]))
def test_netting_twice_is_netting_once(
    con: duckdb.DuckDBPyConnection, drawn: list[dict[str, Any]], as_of: date | None
) -> None:
    numbers: dict[str, int] = {}
    versions = []
    for item in drawn:
        number = numbers[item["claim_id"]] = numbers.get(item["claim_id"], 0) + 1
        versions.append(
            version(
                item["claim_id"],
                number,
                item["code"],
                **{key: item[key] for key in ("original", "sent", "patient_id")},
            )
        )
    payers = (("a", "N1"), ("b", "N2"))
    once = history(con, versions, as_of, payers)
    kept = [claim for claim, state in once.items() if state == "current"]
    assert len({claim_id for claim_id, _ in kept}) == len(kept)
    assert sorted((claim_id, number) for claim_id, number, _ in current(con)) == sorted(kept)
    left = [item for item in versions if (item["claim_id"], item["claim_version"]) in kept]
    assert [claim for claim, state in history(con, left, as_of, payers).items() if state != "current"] == []
    # Whoever names a claim of its own patient that was sent before it stands in its place.
    for item in left:
        if item["claim_frequency_code"] == "7" and item["original"] in {"a", "b", "c"}:
            same = [other for other in left if other["claim_id"] == item["original"] != item["claim_id"]]
            assert all(other["sent"] and item["sent"] and other["sent"] > item["sent"] for other in same)
