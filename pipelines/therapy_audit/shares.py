"""Models of one share of the patients after another: memory and spilled rows are those of a share, not of all rows.

A share is a database in memory. Contract tables and what earlier turns left are views of its patients' rows there, of
tables in an order by which few other rows are read. What the database or the rules keep is added to the tables of all,
what other turns read is compressed until its last reader is done, and the rest goes with the share. Steps that need all
rows come in the turns between.
"""

from __future__ import annotations

import math
import re
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING

import duckdb

from therapy_audit import closed, engine, hands, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from therapy_audit.closed import Step
    from therapy_audit.rules import Rule

_UNDER_WAY = 2  # shares at once: while the last steps of one run alone, the next has begun
# Measured at one and ten million lines. All at once take no longer than in shares down to so many bytes of memory for
# each claim line: what is spilled then costs less than beginning and ending the steps of each share.
_CROWDED = 500
_LINE_BYTES = 2000  # of memory for each claim line under way: with more, shares are many; with less, they spill more
_FEWEST = 250_000  # claim lines of a share
_SHARE_OF = f"{engine.UNSAVED}.main.share_of"  # patient_id, share
_NOT_BY_LINE = ("note_id", "text_number", "claim_id")
_ROW_GROUP = 122_880  # rows: of each group DuckDB knows how its least and its greatest text begin
_KNOWN = 8  # bytes of such a beginning
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def needed(con: duckdb.DuckDBPyConnection) -> int:
    """Return into how many shares the patients of `claim_line` are to be put: 1 where all at once are as fast."""
    ((lines, limit),) = con.execute("SELECT count(*), current_setting('memory_limit') FROM claim_line").fetchall()
    amount, unit = re.fullmatch(r"([\d.]+) (\w+)", limit).groups()  # type: ignore[union-attr]  # as DuckDB has it
    memory = float(amount) * _UNITS[unit]
    shares = min(_UNDER_WAY * lines * _LINE_BYTES / memory, lines / _FEWEST)
    return 1 if lines * _CROWDED <= memory else math.ceil(shares)


def build(
    con: duckdb.DuckDBPyConnection,
    count: int,
    rules: Sequence[Rule],
    timed: Callable[[str, float], None] | None = None,
) -> None:
    """Build all models of `con`, whose contract tables and notes are filled, in about `count` shares of the patients.

    Afterwards `con` holds what engine.build_models leaves. `timed` is told each model's seconds over all shares.
    """
    engine.attach_unsaved(con)
    work = Work(con, conditions(con, count), rules)
    seconds: dict[str, float] = {}
    left = {name: work.of(name) for name in work.steps}
    with (
        progress.stage("models", len(work.needs)) as done,
        closing(hands.in_turn(con, work.needs, lambda hand, node: work.actions[node](hand), _frees)) as made,
    ):
        for one in made:
            name = one.name.partition(" ")[0]
            seconds[name] = seconds.get(name, 0.0) + one.seconds
            if name in left:
                left[name] -= 1
                if timed and not left[name]:
                    timed(f"model {name}", seconds[name])
            done()
    con.execute(f"DROP TABLE {_SHARE_OF}")
    if timed:
        timed("patients' shares of tables", sum(took for name, took in seconds.items() if name not in work.steps))
    engine.create_scopes(con)


def conditions(con: duckdb.DuckDBPyConnection, count: int) -> list[str]:
    """Return the conditions on patient_id of at most `count` shares, with about as many rows of `claim_line` each.

    Each row of any table is in one of them: the first has those, too, that name nobody.
    """
    rows = con.execute(
        """
        WITH patient AS (SELECT patient_id, count(*) AS items FROM claim_line GROUP BY patient_id),
        running AS (
            SELECT patient_id, sum(items) OVER (ORDER BY patient_id) AS items, sum(items) OVER () AS total FROM patient
        )
        SELECT min(patient_id) FROM running GROUP BY ceil(items * $count / total) ORDER BY 1
        """,
        {"count": count},
    ).fetchall()
    bounds = [_text(first) for (first,) in rows[1:]]
    if not bounds:
        return ["TRUE"]
    between = [f"patient_id >= {first} AND patient_id < {end}" for first, end in pairwise(bounds)]
    return [f"(patient_id < {bounds[0]} OR patient_id IS NULL)", *between, f"patient_id >= {bounds[-1]}"]


def turns(steps: Mapping[str, Step]) -> dict[str, int]:
    """Return the turn of each step: odd where it is built by share, even where it needs all rows.

    Each is as late as those that read it allow: what is left from turn to turn lies in memory until then.
    """
    order = tuple(TopologicalSorter({name: step.needs for name, step in steps.items()}).static_order())
    by_share = {name: int(step.key == "patient") for name, step in steps.items()}
    earliest: dict[str, int] = {}
    for name in order:
        turn = max((earliest[need] for need in steps[name].needs), default=0)
        earliest[name] = turn + (turn % 2 != by_share[name])
    latest = dict.fromkeys(steps, max(earliest.values()) + 1)
    for name in reversed(order):
        latest[name] -= latest[name] % 2 != by_share[name]
        for need in steps[name].needs:
            latest[need] = min(latest[need], latest[name])
    return latest


@dataclass(frozen=True)
class Share:
    """One share of the patients in one turn."""

    name: str  # of its database
    turn: int
    number: int
    patients: str  # a condition on patient_id


class Work:
    """What is to be done, after what, and how: a step that needs all rows by its name, others by name and share."""

    def __init__(self, con: duckdb.DuckDBPyConnection, patients: Sequence[str], rules: Sequence[Rule]) -> None:
        self.steps = {
            step.name: replace(step, needs=step.needs - {"notes"}) for step in closed.plan(con) if step.name != "notes"
        }
        self.turn = turns(self.steps)
        self.readers = {name: [one for one in self.steps.values() if name in one.needs] for name in self.steps}
        steps = [name for name, step in self.steps.items() if step.kind == "STEP"]
        self.passing = engine.passing_steps(steps, rules)
        # What stays after its share, for itself or for other turns.
        self.left = {
            name
            for name, step in self.steps.items()
            if step.key == "patient"
            and (
                step.kind == "TABLE"
                or name not in self.passing
                or any(self.turn[reader.name] != self.turn[name] for reader in self.readers[name])
            )
        }
        # Of these what goes with its last reader: until then each share's rows are compressed, in their own database.
        self.apart = {name for name in self.left if name in self.passing}
        self.read_whole = {name for name in self.apart if any(one.key != "patient" for one in self.readers[name])}
        ((database, self.path),) = con.execute("SELECT current_database(), current_setting('search_path')").fetchall()
        self.database = '"' + database.replace('"', '""') + '"'
        # Of what is added to a table of all: the first row of each share, and the last of all.
        self.ends: dict[str, list[int]] = {name: [0] for name in self.left - self.apart}
        cases = " ".join(f"WHEN {condition} THEN {number}" for number, condition in enumerate(patients))
        self.share_sql = f"CASE {cases} END"  # of a patient_id
        self.lines = self.share_out(con)
        self.in_order: set[str] = set()  # tables by patient, read where they are
        self.torn: set[str] = set()  # tables of all into which rows could not be put for lack of memory
        self.pressed: set[str] = set()  # databases that were to be compressed; not again where that lacked memory
        self.takers: dict[str, set[str]] = {}  # of tables: after what they are read by share no more
        self.needs: dict[str, set[str]] = {}
        self.actions: dict[str, Callable[[duckdb.DuckDBPyConnection], object]] = {}
        self.last = len(patients) - 1
        for name, step in self.steps.items():
            if step.key != "patient":
                self.add(name, partial(self.make_whole, step), {self.over(need) for need in step.needs})
        shares = [
            Share(f"share_{turn}_{number}", turn, number, condition)
            for turn in sorted({self.turn[name] for name, step in self.steps.items() if step.key == "patient"})
            for number, condition in enumerate(patients)
        ]
        for place, share in enumerate(shares):
            self.add_share(share, {_end(shares[place - _UNDER_WAY])} if place >= _UNDER_WAY else set())
        for name, ends in self.takers.items():
            self.add(f"drop part {name}", partial(_run, f"DETACH DATABASE IF EXISTS {_part_database(name)}"), ends)
        for name in self.passing:
            if self.steps[name].key == "patient" and name not in self.left:
                continue
            whole = {self.over(one.name) for one in self.readers[name] if one.key != "patient"}
            turns_of = {self.turn[one.name] for one in self.readers[name] if one.key == "patient"}
            after = {share: _end(share) for share in shares if share.turn in turns_of}
            if name not in self.apart:
                drop = f'DROP TABLE {engine.UNSAVED}.main."{name}"'
                self.add(f"drop {name}", partial(_run, drop), {self.over(name), *whole, *after.values()})
                continue
            if name in self.read_whole:
                drop = f'DROP VIEW {engine.UNSAVED}.main."{name}"'
                self.add(f"drop {name}", partial(_run, drop), {self.over(name), *whole})
            for number in range(self.last + 1):
                ends = {end for share, end in after.items() if share.number == number}
                of_whole = {f"drop {name}"} if name in self.read_whole else set()
                detach = f"DETACH {_piece(name, number)}"
                self.add(f"drop {name} {number}", partial(_run, detach), {self.node(name, number), *ends, *of_whole})

    def share_out(self, con: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
        """Note each patient's share; return each share's first and last claim line where its lines follow each other.

        So it is where files go by patient; else none.
        """
        con.execute(
            f"CREATE OR REPLACE TABLE {_SHARE_OF} AS SELECT patient_id, ({self.share_sql})::USMALLINT AS share"
            " FROM (SELECT patient_id FROM claim_line UNION SELECT patient_id FROM visit_note)"
        )
        spans = con.execute(
            "SELECT min(claim_line.rowid), max(claim_line.rowid), count(*)"
            f" FROM claim_line INNER JOIN {_SHARE_OF} AS owner USING (patient_id)"
            " GROUP BY owner.share ORDER BY owner.share"
        ).fetchall()
        if any(count != last - first + 1 for first, last, count in spans):
            return []
        return [(first, last) for first, last, _ in spans]

    def parted(self, name: str) -> str:
        """Return after what a table's rows are there by share, and note that they are to be."""
        node = f"part {name}"
        if name not in self.takers:
            self.takers[name] = {node}
            needs = {self.over(name)} if name in self.steps else set()
            if name in closed.TEXTS:
                needs.add(self.parted("service_text"))
                self.takers["service_text"].add(node)
            self.add(node, partial(self.part, name), needs)
        return node

    def of(self, name: str) -> int:
        """Return in how many pieces a step is built."""
        return self.last + 1 if self.steps[name].key == "patient" else 1

    def add(self, node: str, action: Callable[[duckdb.DuckDBPyConnection], object], needs: set[str]) -> None:
        """Note what is to be done, and after what."""
        self.actions[node] = action
        self.needs[node] = needs

    def over(self, name: str) -> str:
        """Return after what all rows of a step are there."""
        return name if self.steps[name].key != "patient" else self.node(name, self.last)

    def node(self, name: str, number: int) -> str:
        """Return what a step built by share is noted as."""
        return f"{name} share_{self.turn[name]}_{number}"

    def place(self, name: str) -> str:
        """Return a table of all with its database."""
        step = self.steps.get(name)
        return f'{engine.UNSAVED if step and step.kind == "STEP" else self.database}.main."{name}"'

    def add_share(self, share: Share, needs: set[str]) -> None:
        """Note what is to be done for a share: its rows, its steps, and its end."""
        steps = [step for step in self.steps.values() if step.key == "patient" and self.turn[step.name] == share.turn]
        views = {need for step in steps for need in step.needs if self.steps[need].key == "any"}
        for view in list(views):
            views |= {need for need in self.steps[view].needs if self.steps[need].key == "any"}
        own = [*(self.steps[view] for view in sorted(views)), *steps]
        asked = {name for step in own for name in (*step.needs, *step.reads)} - {step.name for step in own}
        begin = f"begin {share.name}"
        self.add(begin, partial(self.begin, share, sorted(asked & self.left)), needs)
        needs |= {self.node(name, share.number) for name in asked & self.left}
        after = dict.fromkeys(asked & self.left, begin)
        for name in sorted(asked - self.left):
            after[name] = f"take {share.name} {name}"
            self.add(after[name], partial(self.take, share, name), {begin, self.parted(name)})
            self.takers[name].add(_end(share))
        after |= {step.name: f"{step.name} {share.name}" for step in steps}
        after |= {view: f"view {share.name} {view}" for view in views}
        for step in own:
            before = {begin, *(after[name] for name in (*step.needs, *step.reads))}
            if step.name in self.left and share.number:
                before.add(self.node(step.name, share.number - 1))
            self.add(after[step.name], partial(self.make, share, step), before)
        for step in steps:
            if step.name not in self.left:
                read = {after[reader.name] for reader in self.readers[step.name]}
                drop = f'DROP TABLE {share.name}.main."{step.name}"'
                self.add(f"drop {share.name} {step.name}", partial(_run, drop), {after[step.name], *read})
        of_share = {node for node in self.needs if share.name in node.split(" ")}
        self.add(_end(share), partial(_run, f"DETACH {share.name}"), of_share)

    # --- what is done; again where memory did not suffice the first time

    def make_whole(self, step: Step, hand: duckdb.DuckDBPyConnection) -> None:
        """Build a step that needs all rows."""
        engine.make(hand, step.kind, step.name, step.sql)

    def begin(self, share: Share, left: Sequence[str], hand: duckdb.DuckDBPyConnection) -> None:
        """Attach a share's database, with its rows of what earlier turns left."""
        hand.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {share.name}")
        for name in left:
            self.show(share, name, hand)

    def show(self, share: Share, name: str, hand: duckdb.DuckDBPyConnection) -> None:
        """Make the view of a share's rows of what is left: no others are read."""
        if name in self.apart:
            rows = f"{_piece(name, share.number)}.main.rows"
        else:
            first, end = self.ends[name][share.number : share.number + 2]  # they follow each other
            rows = f"{self.place(name)} WHERE rowid >= {first} AND rowid < {end}"
        hand.execute(f'CREATE OR REPLACE VIEW {share.name}.main."{name}" AS SELECT * FROM {rows}')

    def in_parts(self, name: str, key: str | None) -> bool:
        """Say whether a table with this key is put in the order of the shares: else each would read all of it."""
        match key:
            case None:
                return False
            case "patient_id":
                return name not in self.in_order
            case _:
                return key in _NOT_BY_LINE or not self.lines

    def goes_by_patient(self, name: str, hand: duckdb.DuckDBPyConnection) -> bool:
        """Say whether a share's rows are found without reading many others: DuckDB passes over groups of rows.

        So it is where files go by patient, though several threads read them, and though some lines may follow later.
        """
        ((read, groups),) = hand.execute(
            f"""
            WITH row_group AS (
                SELECT min(left(patient_id, {_KNOWN})) AS least, max(left(patient_id, {_KNOWN})) AS greatest
                FROM "{name}" GROUP BY rowid // {_ROW_GROUP}
            ),
            bound AS (
                SELECT min(left(patient_id, {_KNOWN})) AS least, max(left(patient_id, {_KNOWN})) AS greatest
                FROM {_SHARE_OF} GROUP BY share
            )
            SELECT
                (
                    SELECT count(*) FROM row_group
                    INNER JOIN bound ON row_group.least <= bound.greatest AND row_group.greatest >= bound.least
                ),
                (SELECT count(*) FROM row_group)
            """
        ).fetchall()
        return bool(read <= min(3, (self.last + 1) / 2) * groups + self.last)

    def part(self, name: str, hand: duckdb.DuckDBPyConnection) -> None:
        """Put a table's rows in the order of the shares, where they are not, or nothing in them tells it."""
        key = closed.key_of(name, closed.types_of(hand, name))
        if key == "patient_id" and self.goes_by_patient(name, hand):
            self.in_order.add(name)
        if not self.in_parts(name, key):
            return
        owner = f"INNER JOIN {_SHARE_OF} AS owner USING (patient_id)"
        match key:
            case "patient_id":
                whose = f"SELECT patient_id AS key, share FROM {_SHARE_OF}"
            case "note_id":
                whose = f"SELECT note_id AS key, owner.share FROM visit_note {owner}"
            case "text_number":
                whose = f"SELECT DISTINCT text_number AS key, share FROM {_parts('service_text')}"
            case "claim_id":
                whose = f"SELECT DISTINCT claim_id AS key, owner.share FROM claim_line {owner}"
            case _:
                whose = f"SELECT claim_line.rowid AS key, owner.share FROM claim_line {owner}"
        number = "given.rowid, " if name == "claim_line" else ""
        # Who has neither claims nor notes is in no table of shares.
        share, kind = (
            (f"coalesce(whose.share, {self.share_sql})", "LEFT") if key == "patient_id" else ("whose.share", "INNER")
        )
        self.store(
            _part_database(name),
            f"SELECT {number}given.*, {share} AS share"
            f' FROM "{name}" AS given {kind} JOIN ({whose}) AS whose ON given.{key} = whose.key ORDER BY share',
            hand,
        )

    def store(self, database: str, sql: str, hand: duckdb.DuckDBPyConnection) -> None:
        """Put the rows of a query into a database of their own in memory, compressed: table main.rows."""
        hand.execute(f"DETACH DATABASE IF EXISTS {database}")
        hand.execute(f"ATTACH ':memory:' AS {database}")
        hand.execute(f"CREATE TABLE {database}.main.rows AS {sql}")
        if database not in self.pressed:
            self.pressed.add(database)
            press(database, hand)

    def take(self, share: Share, name: str, hand: duckdb.DuckDBPyConnection) -> None:
        """Make the view of a share's rows of a table; what all shares are given whole is found where it is."""
        key = closed.key_of(name, closed.types_of(hand, name))
        if key is None:
            return
        if self.in_parts(name, key):
            rows = f"SELECT * EXCLUDE (share) FROM {_parts(name)} WHERE share = {share.number}"
        else:
            condition = share.patients
            if key != "patient_id":
                first, last = self.lines[share.number]
                condition = f"{key} >= {first} AND {key} <= {last}"
            number = "rowid, " if name == "claim_line" else ""
            rows = f"SELECT {number}* FROM {self.place(name)} WHERE {condition}"
        hand.execute(f'CREATE OR REPLACE VIEW {share.name}.main."{name}" AS {rows}')

    def make(self, share: Share, step: Step, hand: duckdb.DuckDBPyConnection) -> None:
        """Build a step of a share."""
        hand.execute(f"SET search_path = {_text(f'{share.name}.main,{self.path}')}")
        try:
            if step.name in self.apart:
                self.set_apart(share, step, hand)
            elif step.name in self.left:
                self.add_rows(share, step, hand)
            else:
                kind = "VIEW" if step.kind == "VIEW" else "TABLE"
                hand.execute(f'CREATE OR REPLACE {kind} {share.name}.main."{step.name}" AS {step.sql}')
        finally:
            hand.execute(f"SET search_path = {_text(self.path)}")

    def set_apart(self, share: Share, step: Step, hand: duckdb.DuckDBPyConnection) -> None:
        """Put a share's rows where those that read them find them; the last also lets steps find those of all."""
        self.store(_piece(step.name, share.number), step.sql, hand)
        if step.name in self.read_whole and share.number == self.last:
            pieces = (f"FROM {_piece(step.name, number)}.main.rows" for number in range(self.last + 1))
            hand.execute(f'CREATE OR REPLACE VIEW {engine.UNSAVED}.main."{step.name}" AS {" UNION ALL ".join(pieces)}')
        self.show(share, step.name, hand)

    def add_rows(self, share: Share, step: Step, hand: duckdb.DuckDBPyConnection) -> None:
        """Add a share's rows to the table of all."""
        place, ends = self.place(step.name), self.ends[step.name]
        if len(ends) == share.number + 1:
            if step.name in self.torn:
                # DuckDB's own list of the table's rows may have a gap, by which it would end at the next insertion.
                hand.execute(f"CREATE OR REPLACE TABLE {place} AS FROM {place} WHERE rowid < {ends[-1]} ORDER BY rowid")
                self.torn.remove(step.name)
            into = f"INSERT INTO {place}" if share.number else f"CREATE OR REPLACE TABLE {place} AS"
            try:
                ((rows,),) = hand.execute(f"{into} {step.sql}").fetchall()
            except duckdb.TransactionException:
                self.torn |= {step.name} if share.number else set()
                raise
            ends.append(ends[-1] + rows)
        self.show(share, step.name, hand)


def _parts(name: str) -> str:
    """Return the table that holds another's rows in the order of the shares, with the share of each."""
    return f"{_part_database(name)}.main.rows"


def _part_database(name: str) -> str:
    return f'"{name} by share"'


def _frees(node: str) -> bool:
    """Say whether what is done only frees memory."""
    return node.startswith(("drop ", "end "))


def _piece(name: str, number: int) -> str:
    """Return the database of one share's rows of what is left for other turns."""
    return f'"{name} of {number}"'


def press(database: str, hand: duckdb.DuckDBPyConnection) -> None:
    """Compress a database in memory. OutOfMemoryException: memory lacks, and the database is of no use any more."""
    try:
        hand.execute(f"CHECKPOINT {database}")
    except duckdb.IOException as fault:
        raise duckdb.OutOfMemoryException(str(fault)) from None


def _end(share: Share) -> str:
    return f"end {share.name}"


def _run(sql: str, hand: duckdb.DuckDBPyConnection) -> None:
    hand.execute(sql)


def _text(value: str) -> str:
    """Return an SQL text: views and settings take no bound values."""
    return "'" + value.replace("'", "''") + "'"
