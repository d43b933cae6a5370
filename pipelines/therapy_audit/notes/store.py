"""What the notes' texts document, read once per distinct text and put into tables for the models and rules."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from therapy_audit import memory, progress
from therapy_audit.notes import reading
from therapy_audit.notes.lexicon import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import duckdb

_AT_ONCE = 200_000  # texts; DuckDB takes rows fastest by hundreds of thousands, and so many fit in little memory
_FLAGS = ("plateau", "plan_changed", "setback", "advanced")
# trim() looks at each letter of a text and copies it: most texts neither begin nor end with a space, which their first
# and their last letter tell. ltrim() where it is only asked whether anything is there.
_OWN_TEXT = "CASE WHEN text BETWEEN '!' AND '~' AND regexp_matches(text, '[!-~]$') THEN text ELSE trim(text) END"
# A text's place is twice its row number in note_service, or that in visit_note and one: the texts themselves, most of a
# database, are read where they stand.
_WANTED = f"""
    CREATE OR REPLACE TEMP TABLE text_wanted AS
    WITH service AS NOT MATERIALIZED (
        SELECT
            note_service.note_id,
            note_service.service_number,
            note_service.hcpcs_code,
            note_service.text,
            2 * note_service.rowid AS place
        FROM note_service
        LEFT JOIN procedure_code ON note_service.hcpcs_code = procedure_code.hcpcs_code
        WHERE
            procedure_code.skilled_activity
            OR note_service.hcpcs_code IS NULL
            OR (note_service.minutes IS NULL AND note_service.start_time IS NULL)
    ),
    wanted AS (
        SELECT note_id, service_number, {_OWN_TEXT} AS text, hcpcs_code, 'service' AS text_source, place
        FROM service
        WHERE ltrim(text) <> ''
        UNION ALL
        SELECT
            service.note_id, service.service_number, visit_note.text, service.hcpcs_code, 'note',
            2 * visit_note.rowid + 1
        FROM service
        INNER JOIN visit_note ON service.note_id = visit_note.note_id
        WHERE coalesce(ltrim(service.text), '') = ''
        UNION ALL
        SELECT visit_note.note_id, 0, visit_note.text, NULL, 'note', 2 * visit_note.rowid + 1
        FROM visit_note
        ANTI JOIN note_service ON visit_note.note_id = note_service.note_id
    )
    SELECT
        note_id,
        service_number,
        text_source,
        hcpcs_code,
        place,
        hash(text, coalesce(hcpcs_code, '')) AS text_number
    FROM wanted
    WHERE ltrim(text) <> ''
"""
_TO_READ = """
    CREATE OR REPLACE TEMP TABLE text_to_read AS
    SELECT text_number, any_value(hcpcs_code) AS hcpcs_code, min(place) AS place
    FROM text_wanted
    GROUP BY text_number
"""
_PART = f"""
    WITH part AS MATERIALIZED (FROM text_to_read WHERE place BETWEEN {{first}} AND {{last}})
    SELECT part.text_number, {_OWN_TEXT} AS text, part.hcpcs_code
    FROM note_service
    INNER JOIN part ON note_service.rowid = part.place // 2
    WHERE part.place % 2 = 0 AND note_service.rowid BETWEEN {{first}} // 2 AND {{last}} // 2
    UNION ALL
    SELECT part.text_number, visit_note.text, part.hcpcs_code
    FROM visit_note
    INNER JOIN part ON visit_note.rowid = part.place // 2
    WHERE part.place % 2 = 1 AND visit_note.rowid BETWEEN {{first}} // 2 AND {{last}} // 2
"""


def fill(con: duckdb.DuckDBPyConnection, folder: Path | None = None, kept: str | None = None) -> int:
    """Fill service_text, text_evidence, evidence_span and text_measure from the notes; return how many texts were read.

    `folder` holds a clinic's own words. What database `kept`, if any, has of a text is taken over: it must be of the
    same software and words. As many threads read as the database uses. AuditError: the words cannot be used.
    """
    con.execute(_WANTED)
    con.execute("INSERT INTO service_text SELECT note_id, service_number, text_number, text_source FROM text_wanted")
    con.execute(_TO_READ)
    con.execute("DROP TABLE text_wanted")
    if kept:
        for table in ("text_evidence", "evidence_span", "text_measure"):
            con.execute(f"INSERT INTO {table} FROM {kept}.{table} SEMI JOIN text_to_read USING (text_number)")
        con.execute("DELETE FROM text_to_read WHERE text_number IN (SELECT text_number FROM text_evidence)")
    ((threads,),) = con.execute("SELECT current_setting('threads')").fetchall()
    parts, texts = _parts(con)
    if parts or folder:
        reading.matcher(folder)  # else each thread would make its own
    with progress.stage("notes", len(parts)) as done, ThreadPoolExecutor(threads) as pool:
        # While the threads read a part, the database takes the answers on the one before and gives the next.
        waiting: deque[tuple[pa.Table, list[Future[pa.Table]]]] = deque()
        try:
            for first, last in parts:
                rows = _texts(con, first, last)
                waiting.append((rows, [pool.submit(_read, one, folder) for one in rows.to_batches(reading.BATCH)]))
                if threads == 1 or len(waiting) > 1:
                    _store(con, *waiting.popleft())
                    done()
            while waiting:
                _store(con, *waiting.popleft())
                done()
        finally:
            pool.shutdown(cancel_futures=True)
    con.execute("DROP TABLE text_to_read")
    memory.give_back()
    return texts


def _parts(con: duckdb.DuckDBPyConnection) -> tuple[list[tuple[int, int]], int]:
    """Return the first and last places of parts with little more than _AT_ONCE texts to read, and how many these are.

    Parts follow each other in the order in which the texts stand.
    """
    blocks = con.execute(
        "SELECT min(place), max(place), count(*) FROM text_to_read GROUP BY place // ? ORDER BY 1",
        [max(_AT_ONCE // 4, 1)],
    ).fetchall()
    parts: list[tuple[int, int]] = []
    held = _AT_ONCE
    for first, last, count in blocks:
        if held >= _AT_ONCE:
            parts.append((first, last))
            held = 0
        parts[-1] = (parts[-1][0], last)
        held += count
    return parts, sum(count for *_, count in blocks)


def _texts(con: duckdb.DuckDBPyConnection, first: int, last: int) -> pa.Table:
    """Return text_number, text and hcpcs_code of what is to be read at these places, in one chunk.

    As a relation, whose answer is whole: one that execute() streams never begins where millions of rows stand behind
    the joins of a UNION ALL, and they fill its buffer before the last is at its turn (duckdb 22215).
    """
    return con.sql(_PART.format(first=first, last=last)).to_arrow_table().combine_chunks()


def _read(rows: pa.RecordBatch, folder: Path | None) -> pa.Table:
    return reading.read(rows.column("text"), rows.column("hcpcs_code").to_pylist(), folder, 1, quoted=False)


def _store(con: duckdb.DuckDBPyConnection, rows: pa.Table, answers: Sequence[Future[pa.Table]]) -> None:
    """Put the answers on a part's texts into the tables, once they are there."""
    read = pa.concat_tables([one.result() for one in answers])
    for table, told in _tables(rows.column("text_number").combine_chunks(), read):
        con.register("told", told)
        con.execute(f"INSERT INTO {table} BY NAME FROM told")
        con.unregister("told")


def _tables(numbers: Any, answers: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield the answers on the texts of these numbers as rows of text_evidence, evidence_span and text_measure."""
    answers = answers.combine_chunks()
    elements = answers.column("elements").combine_chunks()
    found = {name: pc.struct_field(elements, [name, "present"]) for name in ELEMENTS}
    plain = {name: answers.column(name) for name in ("narrative", "assist_level", "minutes", *_FLAGS)}
    times = {name: _timed(answers.column(short)) for name, short in _CLOCK.items()}
    yield "text_evidence", pa.table({"text_number": numbers, **found, **plain, **times})
    for name in ELEMENTS:
        spans = pc.struct_field(elements, [name, "evidence"])
        whose, places = numbers.take(pc.list_parent_indices(spans)), pc.list_flatten(spans)
        yield (
            "evidence_span",
            pa.table(
                {
                    "text_number": whose,
                    "element": pa.repeat(name, len(whose)),
                    "span_start": pc.struct_field(places, "start"),
                    "span_end": pc.struct_field(places, "end"),
                }
            ),
        )
    measures = answers.column("measures").combine_chunks()
    told = pc.list_flatten(measures)
    yield (
        "text_measure",
        pa.table(
            {
                "text_number": numbers.take(pc.list_parent_indices(measures)),
                "measure": pc.struct_field(told, "measure"),
                "value": pc.struct_field(told, "value"),
                "span_start": pc.struct_field(told, "start"),
                "span_end": pc.struct_field(told, "end"),
            }
        ),
    )


_CLOCK = {"start_time": "start", "stop_time": "stop"}


def _timed(clock: Any) -> Any:
    return pc.if_else(pc.is_valid(clock), pc.binary_join_element_wise(clock, "00", ":"), None)
