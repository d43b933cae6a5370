"""Queries side by side, each on a connection of its own: while one sorts alone, another has the second processor."""

from __future__ import annotations

import re
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING

import duckdb

from therapy_audit import stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from collections.abc import Set as AbstractSet

_MOST = 2  # each holds what its query sorts and joins in memory; DuckDB's own threads help them


@contextmanager
def several(con: duckdb.DuckDBPyConnection) -> Iterator[list[duckdb.DuckDBPyConnection]]:
    """Give as many connections to the database of `con` as have a thread each, at most two, with its search path.

    They see its tables, not its temporary ones. DuckDB counts their threads among its own while the block lasts.
    """
    ((threads, path),) = con.execute("SELECT current_setting('threads'), current_setting('search_path')").fetchall()
    count = min(_MOST, int(threads))
    with ExitStack() as opened:
        found = []
        for _ in range(count):
            hand = opened.enter_context(con.cursor())
            hand.execute("SET search_path = '" + path.replace("'", "''") + "'")
            opened.enter_context(stopping.interruptible(hand))
            found.append(hand)
        if count > 1:
            con.execute(f"SET external_threads = {count}")
            opened.callback(con.execute, "SET external_threads = 1")
        yield found


@dataclass(frozen=True)
class Done:
    """A piece of work that is over: its name, and its seconds."""

    name: str
    seconds: float


def in_turn(
    con: duckdb.DuckDBPyConnection,
    needs: Mapping[str, AbstractSet[str]],
    work: Callable[[duckdb.DuckDBPyConnection, str], object],
    first: Callable[[str], bool] = lambda _name: False,
) -> Generator[Done]:
    """Do each name's `work` after that of the names it needs, several at a time; yield each when it is over.

    Of what can be begun, that is next of which `first` says so, then that on which the longest row of others waits.
    What did not find the memory beside others is done again alone. Close the iterator to stop early: what runs is
    broken off. CycleError: names wait for each other.
    """
    waiting = TopologicalSorter(needs)
    row = dict.fromkeys(needs, 1)
    for name in reversed(tuple(TopologicalSorter(needs).static_order())):
        for other in needs[name]:
            row[other] = max(row[other], row[name] + 1)
    waiting.prepare()
    ready: list[str] = []
    alone: list[str] = []
    running: dict[Future[Done], str] = {}
    with several(con) as hands, ThreadPoolExecutor(len(hands)) as pool:
        free: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
        for hand in hands:
            free.put(hand)

        def timed(name: str) -> Done:
            hand = free.get()
            try:
                started = perf_counter()
                work(hand, name)
                return Done(name, perf_counter() - started)
            except duckdb.TransactionException as fault:
                # So DuckDB says that memory was not enough where that shows only as rows are stored.
                if re.search("could not allocate|failed to (allocate|pin)", str(fault)):
                    raise duckdb.OutOfMemoryException(str(fault)) from None
                raise
            finally:
                free.put(hand)

        try:
            while waiting.is_active():
                ready = sorted([*ready, *waiting.get_ready()], key=lambda name: (first(name), row[name]))
                while ready and not alone and len(running) < len(hands):
                    name = ready.pop()
                    running[pool.submit(timed, name)] = name
                if not running:
                    name = alone[0]
                    running[pool.submit(timed, name)] = name
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    if isinstance(future.exception(), duckdb.OutOfMemoryException) and name not in alone:
                        alone.append(name)
                        continue
                    done = future.result()
                    if name in alone:
                        alone.remove(name)
                    waiting.done(name)
                    yield done
        finally:
            while wait(running, timeout=_AGAIN).not_done:
                for hand in hands:
                    hand.interrupt()


_AGAIN = 0.05  # seconds; an interrupt that comes just before a query begins is lost
