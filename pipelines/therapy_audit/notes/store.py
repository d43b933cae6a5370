"""What the notes' texts document, read once per distinct text and put into tables for the models and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from therapy_audit import progress
from therapy_audit.notes import reading
from therapy_audit.notes.lexicon import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

_AT_ONCE = 200_000  # texts; DuckDB takes rows fastest by hundreds of thousands, and so many fit in little memory
_FLAGS = ("plateau", "plan_changed", "setback", "advanced")
# trim() looks at each letter of a text and copies it: most texts neither begin nor end with a space, which their first
# and their last letter tell. ltrim() where it is only asked whether anything is there.
_WANTED = """
    CREATE OR REPLACE TEMP TABLE text_wanted AS
    WITH service AS NOT MATERIALIZED (
        SELECT
            note_service.note_id,
            note_service.service_number,
            note_service.hcpcs_code,
            note_service.text
        FROM note_service
        LEFT JOIN procedure_code ON note_service.hcpcs_code = procedure_code.hcpcs_code
        WHERE
            procedure_code.skilled_activity
            OR note_service.hcpcs_code IS NULL
            OR (note_service.minutes IS NULL AND note_service.start_time IS NULL)
    ),
    wanted AS (
        SELECT
            note_id,
            service_number,
            CASE WHEN text BETWEEN '!' AND '~' AND regexp_matches(text, '[!-~]$') THEN text ELSE trim(text) END AS text,
            hcpcs_code,
            'service' AS text_source
        FROM service
        WHERE ltrim(text) <> ''
        UNION ALL
        SELECT service.note_id, service.service_number, visit_note.text, service.hcpcs_code, 'note'
        FROM service
        INNER JOIN visit_note ON service.note_id = visit_note.note_id
        WHERE coalesce(ltrim(service.text), '') = ''
        UNION ALL
        SELECT visit_note.note_id, 0, visit_note.text, NULL, 'note'
        FROM visit_note
        ANTI JOIN note_service ON visit_note.note_id = note_service.note_id
    )
    SELECT *, hash(text, coalesce(hcpcs_code, '')) AS text_number FROM wanted WHERE ltrim(text) <> ''
"""


def fill(con: duckdb.DuckDBPyConnection, folder: Path | None = None, kept: str | None = None) -> int:
    """Fill service_text, text_evidence, evidence_span and text_measure from the notes; return how many texts were read.

    `folder` holds a clinic's own words. What database `kept`, if any, has of a text is taken over: it must be of the
    same software and words. AuditError: the words cannot be used.
    """
    con.execute(_WANTED)
    con.execute("INSERT INTO service_text SELECT note_id, service_number, text_number, text_source FROM text_wanted")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE text_to_read AS"
        " SELECT text_number, any_value(text) AS text, any_value(hcpcs_code) AS hcpcs_code"
        " FROM text_wanted GROUP BY text_number"
    )
    con.execute("DROP TABLE text_wanted")
    if kept:
        for table in ("text_evidence", "evidence_span", "text_measure"):
            con.execute(f"INSERT INTO {table} FROM {kept}.{table} SEMI JOIN text_to_read USING (text_number)")
        con.execute("DELETE FROM text_to_read WHERE text_number IN (SELECT text_number FROM text_evidence)")
    ((texts,),) = con.execute("SELECT count(*) FROM text_to_read").fetchall()
    parts = texts // _AT_ONCE + 1
    with progress.stage("notes", parts) as done:
        for part in range(parts):
            rows = con.execute(f"FROM text_to_read WHERE text_number % {parts} = {part}").to_arrow_table()
            answers = reading.read(rows.column("text"), rows.column("hcpcs_code").to_pylist(), folder)
            for table, told in _tables(rows.column("text_number").combine_chunks(), answers):
                con.register("told", told)
                con.execute(f"INSERT INTO {table} BY NAME FROM told")
                con.unregister("told")
            done()
    con.execute("DROP TABLE text_to_read")
    return int(texts)


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
