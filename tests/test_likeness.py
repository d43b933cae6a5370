"""How alike texts are: the SQL function, and cloned episodes among honest ones."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from therapy_audit import engine, rules
from therapy_audit.cli import cli
from therapy_audit.notes import store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

EPISODES = Path(__file__).resolve().parents[2] / "shared" / "notes" / "episodes.jsonl"
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect() as opened:
        yield opened


def likeness(con: duckdb.DuckDBPyConnection, left: str | None, right: str | None) -> Any:
    return con.execute("SELECT text_likeness(?::VARCHAR, ?::VARCHAR)", [left, right]).fetchall()[0][0]


@settings(deadline=None)
@given(words, words)
def test_likeness_is_symmetric_and_one_only_for_equal_texts(
    con: duckdb.DuckDBPyConnection, left: str, right: str
) -> None:
    found = likeness(con, left, right)
    assert 0 <= found <= 1
    assert found == likeness(con, right, left)
    assert (found == 1) == (left == right)
    assert likeness(con, left, left) == 1


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [("abcdefghij", "abcdefghix", 0.9), ("abcd", "abxy", 0.5), ("abcd", "axyz", 0), ("", "", 1), ("", "a", 0)],
)
def test_likeness_counts_changed_characters(
    con: duckdb.DuckDBPyConnection, left: str, right: str, expected: float
) -> None:
    assert likeness(con, left, right) == pytest.approx(expected)


@pytest.mark.parametrize(("left", "right"), [(None, "a"), ("a", None), (None, None)])
def test_likeness_of_nothing_is_not_known(con: duckdb.DuckDBPyConnection, left: str | None, right: str | None) -> None:
    assert likeness(con, left, right) is None


def test_likeness_is_the_same_on_any_number_of_threads() -> None:
    found = []
    for threads in (1, 2, 5):
        with engine.connect(threads=threads) as con:
            found.append(
                con.execute(
                    "SELECT number, text_likeness(repeat('ab' || number, 9), repeat('ab' || number // 3, 9))"
                    " FROM range(20_000) AS listed (number) ORDER BY number"
                ).fetchall()
            )
    assert found[0] == found[1] == found[2]


@settings(deadline=None)
@given(words, words, st.sampled_from([0.5, 0.9]))
def test_likeness_from_a_least_one_is_the_same_or_nothing(
    con: duckdb.DuckDBPyConnection, left: str, right: str, least: float
) -> None:
    whole = likeness(con, left, right)
    found = con.execute("SELECT text_likeness_from(?::VARCHAR, ?::VARCHAR, ?)", [left, right, least]).fetchall()[0][0]
    assert found == pytest.approx(whole if whole >= least else 0)


@pytest.mark.parametrize(
    ("text", "letters", "sentences"),
    [
        ("he lifts 2.5 lb to a shelf. her feet x 5; ok", "liftslbtoashelf\1feetx\1ok", [8, 5, 2]),
        ("dos 3/02: stairs, 15 min.", "stairs", [5]),
        ("dos 3/04: stairs. 9:15 a.m. 16 minutes\n", "stairs", [3, 2, 2, 1]),
        ("sit to stand  x 5", "sittostandx", [6]),
        ("min a, not mod a", "minanotmoda", [5]),
        ("the sheet here", "thesheethere", [3]),
        ("caf\xe9\u2014", "caf\xe9\u2014", [1]),
        ("", "", [1]),
        ("5 10", "", [2]),
        (None, None, None),
    ],
)
def test_letters_are_without_what_changes_by_itself(
    con: duckdb.DuckDBPyConnection, text: str | None, letters: str | None, sentences: list[int] | None
) -> None:
    found = con.execute("SELECT text_letters(?::VARCHAR)", [text]).fetchall()[0][0]
    assert found == (None if text is None else {"letters": letters, "words": sentences})


@settings(deadline=None)
@given(st.lists(words, max_size=9))
@example([".", " "])
@example(["a.", " b", ";", ". "])
def test_letters_of_a_text_do_not_depend_on_its_neighbours(con: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    query = (
        "SELECT list(text_letters(text) ORDER BY place) FROM (SELECT unnest(?::VARCHAR[]) AS text, unnest(?) AS place)"
    )
    together = con.execute(query, [texts, list(range(len(texts)))]).fetchall()[0][0] or []
    assert together == [con.execute("SELECT text_letters(?::VARCHAR)", [text]).fetchall()[0][0] for text in texts]
    for found in together:
        assert len(found["letters"].split("\1")) <= len(found["words"])
        assert not set(found["letters"]) & set("0123456789 .,;\n")


def test_bench_times_the_step_and_the_function() -> None:
    done = CliRunner().invoke(cli, ["bench", "likeness", "--notes", "400", "--threads", "1"])
    assert done.exit_code == 0, done.output
    # Of forty patients two are charted in the same words, eight in nearly the same.
    assert "400 descriptions" in done.output
    assert " 10 findings" in done.output
    assert "model description_text" in done.output
    assert "rule clinic.description_cloned_across_patients" in done.output
    assert "times as fast as levenshtein: text_likeness(one, other)" in done.output


@pytest.mark.skipif(not EPISODES.exists(), reason="the development set of episodes is not here")
def test_cloned_episodes_are_found_and_honest_ones_are_not() -> None:
    episodes = [json.loads(line) for line in EPISODES.read_text(encoding="utf-8").splitlines()]
    first = date(2026, 3, 2)
    ruleset = rules.load()
    with engine.connect() as con:
        engine.prepare(con, ruleset)
        for episode in episodes:
            for visit in episode["visits"]:
                day = first + timedelta(days=2 * visit["visit"])
                common = {
                    "patient_id": episode["episode"],
                    "service_date": day,
                    "source_file": "episodes.jsonl",
                    "source_row": 1,
                }
                note = f"{episode['episode']}-{visit['visit']}"
                billed = {
                    "payer": "MEDICARE PART B",
                    "modifiers": ["GP" if episode["discipline"] == "PT" else "GO"],
                    "diagnosis_codes": [],
                    "units": 1,
                }
                code = {"hcpcs_code": "97530"}
                put(con, "claim_line", {**common, **billed, **code, "claim_id": note, "claim_line_number": 1})
                put(con, "visit_note", {**common, "note_id": note, "discipline": episode["discipline"]})
                put(
                    con, "note_service", {**common, **code, "note_id": note, "service_number": 1, "text": visit["text"]}
                )
        engine.map_payers(con, ruleset.payer_patterns)
        engine.set_period(con)
        store.fill(con)
        engine.build_models(con)
        engine.run_rules(con, [rule for rule in ruleset.rules if rule.name == "clinic.description_cloned"])
        found = {
            patient: (severity, since)
            for patient, severity, since in con.execute(
                "SELECT patient_id, severity, (facts ->> '$.since')::DATE FROM finding"
            ).fetchall()
        }
    severities = {"cloned": "error", "near_cloned": "warning"}
    expected = {
        episode["episode"]: (
            severities[episode["labels"]["pattern"]],
            first + timedelta(days=2 * episode["labels"]["stalled_run_from_visit"]),
        )
        for episode in episodes
        if episode["labels"]["pattern"] in severities
    }
    # Only the date differs from visit to visit: that is no other text.
    expected["DE09"] = ("error", expected["DE09"][1])
    assert found == expected


def put(con: duckdb.DuckDBPyConnection, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(row)
    con.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
