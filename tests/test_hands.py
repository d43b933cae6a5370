"""Queries side by side: after what they need, on connections of their own, and broken off with the first that fails."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from graphlib import CycleError
from typing import TYPE_CHECKING

import duckdb
import pytest

from therapy_audit import engine, hands

if TYPE_CHECKING:
    from pathlib import Path

_ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE (a.range * b.range) % 7 = 3"


@pytest.mark.parametrize("threads", [1, 2])
def test_each_comes_after_what_it_needs(threads: int) -> None:
    needs = {"c": {"a", "b"}, "a": set(), "d": {"c"}, "b": {"a"}, "e": set()}
    begun: list[str] = []
    over: list[str] = []

    def work(hand: duckdb.DuckDBPyConnection, name: str) -> None:
        assert needs[name] <= set(over)
        begun.append(name)
        hand.execute(f"CREATE TABLE {name} AS SELECT 1")
        over.append(name)

    with engine.connect(threads=threads) as con, closing(hands.in_turn(con, needs, work)) as done:
        assert {one.name for one in done} == needs.keys()
        if threads == 1:
            assert begun[0] == "a"  # three wait for it, none for e
        assert {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()} == needs.keys()


def test_two_run_at_once_where_there_are_two_threads() -> None:
    both = threading.Barrier(2, timeout=30)
    with engine.connect(threads=2) as con:
        # Each waits until the other runs.
        done = hands.in_turn(con, {"a": set(), "b": set()}, lambda _hand, _name: both.wait())
        assert {one.name for one in done} == {"a", "b"}
    with engine.connect(threads=1) as con, hands.several(con) as found:
        assert len(found) == 1


def test_what_runs_is_broken_off_where_another_fails() -> None:
    running = threading.Event()

    def work(hand: duckdb.DuckDBPyConnection, name: str) -> None:
        if name == "endless":
            running.set()
            hand.execute(_ENDLESS).fetchall()
        running.wait(30)
        raise ValueError(name)

    with (
        engine.connect(threads=2) as con,
        pytest.raises(ValueError, match="wrong"),
        closing(hands.in_turn(con, {"endless": set(), "wrong": set()}, work)) as done,
    ):
        tuple(done)


_LACKING = (
    duckdb.OutOfMemoryException("no memory"),
    duckdb.TransactionException("Failed to commit: could not allocate block of size 256.0 KiB"),
)


@pytest.mark.parametrize("fault", _LACKING, ids=type)
def test_what_finds_no_memory_beside_another_is_done_again_alone(fault: duckdb.Error) -> None:
    at_work: list[str] = []
    beside: dict[str, list[str]] = {}
    both = threading.Barrier(2, timeout=30)

    def work(_hand: duckdb.DuckDBPyConnection, name: str) -> None:
        at_work.append(name)
        try:
            if name not in beside and name in "ab":
                both.wait()
                if name == "a":
                    beside[name] = []
                    raise fault
            beside[name] = list(at_work)
        finally:
            at_work.remove(name)

    with engine.connect(threads=2) as con:
        done = [one.name for one in hands.in_turn(con, {"a": set(), "b": set(), "c": {"a"}}, work)]
    assert done == ["b", "a", "c"]
    assert beside["a"] == ["a"]


@pytest.mark.parametrize("fault", _LACKING, ids=type)
def test_what_finds_no_memory_alone_is_an_error(fault: duckdb.Error) -> None:
    def work(_hand: duckdb.DuckDBPyConnection, _name: str) -> None:
        raise fault

    with engine.connect(threads=2) as con, pytest.raises(duckdb.OutOfMemoryException):
        tuple(hands.in_turn(con, {"a": set(), "b": set()}, work))


def test_what_is_to_be_first_is_before_what_others_wait_for() -> None:
    needs: dict[str, set[str]] = {"a": set(), "b": {"a"}, "c": {"b"}, "drop a": {"a"}}
    with engine.connect(threads=1) as con:
        one = [done.name for done in hands.in_turn(con, needs, lambda _hand, _name: None)]
        other = [done.name for done in hands.in_turn(con, needs, lambda _hand, _name: None, lambda name: " " in name)]
    assert one[:2] == ["a", "b"]
    assert other == ["a", "drop a", "b", "c"]


def test_another_fault_of_a_transaction_is_told_at_once() -> None:
    begun: list[str] = []

    def work(_hand: duckdb.DuckDBPyConnection, name: str) -> None:
        begun.append(name)
        raise duckdb.TransactionException("Conflict on update")

    with engine.connect(threads=1) as con, pytest.raises(duckdb.TransactionException, match="Conflict"):
        tuple(hands.in_turn(con, {"a": set(), "b": {"a"}}, work))
    assert begun == ["a"]


def test_names_that_wait_for_each_other_are_told() -> None:
    with engine.connect() as con, pytest.raises(CycleError):
        tuple(hands.in_turn(con, {"a": {"b"}, "b": {"a"}}, lambda _hand, _name: None))


def test_tables_that_are_not_saved_are_seen_by_all_and_written_by_none(tmp_path: object) -> None:
    with engine.connect(f'{tmp_path}/it\'s "odd".duckdb', threads=2) as con:
        engine.attach_unsaved(con)
        engine.attach_unsaved(con)  # a second time changes nothing
        engine.lock(con)
        engine.make(con, "STEP", "step", "SELECT 1 AS n")
        engine.make(con, "VIEW", "seen", "SELECT n + 1 AS n FROM step")
        engine.make(con, "TABLE", "kept", "SELECT n + 1 AS n FROM seen")
        with hands.several(con) as found:
            assert [hand.execute("SELECT * FROM step, seen, kept").fetchall() for hand in found] == [[(1, 2, 3)]] * 2
    with duckdb.connect(f'{tmp_path}/it\'s "odd".duckdb', read_only=True) as con:
        assert con.execute(
            "SELECT table_name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall() == [("kept",)]


def test_what_is_broken_off_leaves_its_log_as_it_is(tmp_path: Path) -> None:
    """To write it into the file takes seconds, and most such files are thrown away; nothing is lost of the others."""
    database = tmp_path / "broken.duckdb"
    with suppress(ZeroDivisionError), engine.connect(database) as con:
        con.execute("CREATE TABLE one AS SELECT 1 AS n")
        engine.lock(con)
        _ = 1 / 0
    log = database.with_name("broken.duckdb.wal")
    assert log.exists()
    with engine.connect(database) as con:
        assert con.execute("FROM one").fetchall() == [(1,)]
    assert not log.exists()
