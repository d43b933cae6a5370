"""Typed rows of all files of a kind -> the contract tables: duplicates and used keys refused, missing numbers made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from therapy_audit.intake import clinicians
from therapy_audit.intake.convert import value_columns

if TYPE_CHECKING:
    import duckdb

    from therapy_audit.intake.contract import Contract

_KEPT = "intake_scratch.typed AS typed ANTI JOIN intake_scratch.refused AS refused USING (file_number, source_row)"


def finish(con: duckdb.DuckDBPyConnection, kind: Contract) -> dict[int, list[str]]:
    """Fill the contract tables of one kind from intake_scratch.typed; return notices by file number."""
    _refuse_duplicates(con)
    numbered: dict[str, str] = {}
    match kind.input:
        case "claims":
            _number_versions(con)
            _refuse_used_keys(con, ["claim_id", "claim_version", "claim_line_number"], "claim and line number")
            numbered = {"claim_line_number": _number(con, "claim_id, claim_version", "claim_line_number")}
        case "notes":
            return _finish_notes(con)
        case "remittances":
            con.execute(
                "UPDATE intake_scratch.typed SET remittance_id = file.source_file FROM intake_scratch.file AS file "
                "WHERE remittance_id IS NULL AND file.file_number = typed.file_number"
            )
            _refuse_used_keys(con, ["remittance_id", "remittance_line_number"], "remittance and line number")
            number = _number(con, "remittance_id", "remittance_line_number")
            con.execute(
                f"""CREATE OR REPLACE TABLE intake_scratch.numbered AS
                SELECT typed.* REPLACE ({number} AS remittance_line_number) FROM {_KEPT}"""
            )
            con.execute("DROP TABLE intake_scratch.typed")
            con.execute("ALTER TABLE intake_scratch.numbered RENAME TO typed")
            con.execute(
                f"""INSERT INTO remittance_adjustment BY NAME
                WITH numbered AS (
                    SELECT file_number, source_row, remittance_id, remittance_line_number, adjustment,
                        UNNEST(range(1, len(adjustment) + 1)) AS adjustment_number
                    FROM {_KEPT}
                ),
                one AS (SELECT * REPLACE (adjustment[adjustment_number] AS adjustment) FROM numbered)
                SELECT
                    remittance_id, remittance_line_number, adjustment_number, adjustment.group_code,
                    adjustment.reason_code, adjustment.remark_code, adjustment.amount, source_file, source_row
                FROM one INNER JOIN intake_scratch.file USING (file_number)"""
            )
        case "providers":
            clinicians.merge(con, _KEPT)
            return {}
        case "opening_balances":
            _refuse_used_keys(con, ["patient_id", "year", "pool"], "patient, year and pool")
    names = [*value_columns(kind), *(["claim_version"] if kind.input == "claims" else [])]
    columns = ", ".join(names)
    values = ", ".join(numbered.get(column, column) for column in names)
    con.execute(
        f"""INSERT INTO "{kind.table}" ({columns}, source_file, source_row)
        SELECT {values}, source_file, source_row FROM {_KEPT} INNER JOIN intake_scratch.file USING (file_number)"""
    )
    return {}


def _number_versions(con: duckdb.DuckDBPyConnection) -> None:
    """Tell versions of a claim apart, where rows of one claim and line differ in frequency, submission, day or patient.

    An export without line numbers has versions where the rows of a claim differ in frequency: a claim has one. What is
    of another day or patient under the same number and line is a claim of its own: claim_numbers tells which.
    """
    ((frequencies, dates, repeated),) = con.execute(
        f"""SELECT
            count(DISTINCT coalesce(claim_frequency_code, '1')), count(DISTINCT submitted_date),
            EXISTS(
                SELECT 1 FROM {_KEPT}
                WHERE claim_line_number IS NOT NULL
                GROUP BY claim_id, claim_line_number
                HAVING count(*) > 1
            )
        FROM intake_scratch.typed"""
    ).fetchall()
    if frequencies < 2 and not dates and not repeated:
        return
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.version AS
        WITH line AS (
            SELECT
                claim_id, claim_line_number, coalesce(claim_frequency_code, '1') AS frequency, submitted_date,
                {{'patient_id': patient_id, 'service_date': service_date}} AS visit,
                file_number::BIGINT * 1099511627776 + source_row AS place
            FROM {_KEPT}
        ),
        -- Nearly all lines are there once, and need not be compared.
        repeated AS (
            SELECT claim_id, claim_line_number
            FROM line
            WHERE claim_line_number IS NOT NULL
            GROUP BY claim_id, claim_line_number
            HAVING count(*) > 1
        ),
        repeat AS MATERIALIZED (SELECT * FROM line SEMI JOIN repeated USING (claim_id, claim_line_number)),
        shared AS (
            SELECT DISTINCT claim_id
            FROM repeat
            GROUP BY claim_id, claim_line_number, frequency, submitted_date
            HAVING min(visit) <> max(visit)
        ),
        versioned AS (
            SELECT claim_id
            FROM repeat
            GROUP BY claim_id, claim_line_number
            HAVING min(frequency) <> max(frequency) OR count(DISTINCT coalesce(submitted_date, DATE '0001-01-01')) > 1
            UNION
            SELECT claim_id
            FROM line
            WHERE claim_line_number IS NULL
            GROUP BY claim_id
            HAVING min(frequency) <> max(frequency)
            UNION
            SELECT claim_id FROM shared
        ),
        version AS (
            SELECT
                claim_id, frequency, submitted_date, CASE WHEN shared.claim_id IS NOT NULL THEN visit END AS visit,
                min(place) AS first_place
            FROM line SEMI JOIN versioned USING (claim_id)
            LEFT JOIN shared USING (claim_id)
            GROUP BY ALL
        )
        -- Where no date tells, the original comes before what replaces or voids it.
        SELECT
            claim_id, frequency, submitted_date, visit,
            row_number() OVER (
                PARTITION BY claim_id
                ORDER BY submitted_date NULLS FIRST, frequency IN ('7', '8'), first_place
            ) AS claim_version
        FROM version"""
    )
    con.execute(
        """UPDATE intake_scratch.typed SET claim_version = version.claim_version
        FROM intake_scratch.version AS version
        WHERE typed.claim_id = version.claim_id AND version.claim_version > 1
            AND coalesce(typed.claim_frequency_code, '1') = version.frequency
            AND typed.submitted_date IS NOT DISTINCT FROM version.submitted_date
            AND (
                version.visit IS NULL
                OR (typed.patient_id = version.visit.patient_id AND typed.service_date = version.visit.service_date)
            )"""
    )


def _refuse_duplicates(con: duckdb.DuckDBPyConnection) -> None:
    """Refuse every row whose values are all those of an earlier row, of this file or another of its kind."""
    con.execute(
        f"""INSERT INTO intake_scratch.refused
        -- Only rows that share a fingerprint are looked at; a row of several parts is a duplicate when all of them are.
        WITH kept AS (SELECT file_number, source_row, part, fingerprint FROM {_KEPT}),
        shared AS (SELECT fingerprint FROM kept GROUP BY fingerprint HAVING count(*) > 1),
        suspect AS (SELECT DISTINCT file_number, source_row FROM kept SEMI JOIN shared USING (fingerprint)),
        record AS (
            SELECT file_number, source_row, list(fingerprint ORDER BY part) AS fingerprints
            FROM kept SEMI JOIN suspect USING (file_number, source_row)
            GROUP BY file_number, source_row
        ),
        ranked AS (
            SELECT
                *,
                row_number() OVER same AS place,
                first_value(file_number) OVER same AS first_file,
                first_value(source_row) OVER same AS first_row
            FROM record
            WINDOW same AS (PARTITION BY fingerprints ORDER BY file_number, source_row)
        )
        SELECT
            ranked.file_number, source_row, NULL, 'mixed',
            'exact duplicate of ' || source_file || ' row ' || first_row
        FROM ranked INNER JOIN intake_scratch.file AS file ON file.file_number = first_file
        WHERE place > 1"""
    )


def _refuse_used_keys(con: duckdb.DuckDBPyConnection, key: list[str], named: str) -> None:
    """Refuse every row with a key that an earlier row uses."""
    keys = ", ".join(key)
    given = " AND ".join(f"{column} IS NOT NULL" for column in key)
    con.execute(
        f"""INSERT INTO intake_scratch.refused
        WITH kept AS (SELECT file_number, source_row, part, {keys} FROM {_KEPT} WHERE {given}),
        used AS (SELECT {keys} FROM kept GROUP BY {keys} HAVING count(*) > 1),
        ranked AS (
            SELECT
                *,
                row_number() OVER same AS place,
                first_value(file_number) OVER same AS first_file,
                first_value(source_row) OVER same AS first_row
            FROM kept SEMI JOIN used USING ({keys})
            WINDOW same AS (PARTITION BY {keys} ORDER BY file_number, source_row, part)
        )
        SELECT ranked.file_number, source_row, '{key[-1]}', 'digits',
            '{named} already used by ' || any_value(source_file) || ' row ' || min(first_row) || ', with other content'
        FROM ranked INNER JOIN intake_scratch.file AS file ON file.file_number = first_file
        WHERE place > 1
        GROUP BY ranked.file_number, source_row"""
    )


def _number(con: duckdb.DuckDBPyConnection, parent: str, number: str) -> str:
    """Return the expression that numbers what has no number: in the files' order, after the given numbers."""
    has = {is_null for (is_null,) in con.execute(f"SELECT DISTINCT {number} IS NULL FROM {_KEPT}").fetchall()}
    if True not in has:
        return number
    place = f"row_number() OVER (PARTITION BY {parent} ORDER BY file_number, source_row, part)"
    if False not in has:
        return place
    place = f"row_number() OVER (PARTITION BY {parent}, {number} IS NULL ORDER BY file_number, source_row, part)"
    return f"coalesce({number}, coalesce(max({number}) OVER (PARTITION BY {parent}), 0) + {place})"


_NOTE = [
    "discipline", "rendering_npi", "clinician_credential", "note_type", "total_timed_minutes", "total_minutes",
    "signed_date", "cosigned_date",
]  # fmt: skip
_SERVICE = [
    "hcpcs_code", "minutes", "assistant_minutes", "start_time", "stop_time", "assist_level", "cue_level", "difficulty",
    "goal_id",
]  # fmt: skip


_PLACE = "file_number::BIGINT * 1099511627776 + source_row"


def _find_notes(con: duckdb.DuckDBPyConnection) -> None:
    """Fill intake_scratch.note: one row per note, with the first of its rows.

    Of most notes all rows are alike in what is the note's, so that nothing else of them is looked at.
    """
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.note AS
        SELECT
            note_id, arg_min(typed.rowid, {_PLACE}) AS first_row,
            min(hash({", ".join(_NOTE)}, text)) <> max(hash({", ".join(_NOTE)}, text)) AS differs,
            min(patient_id) <> max(patient_id) OR min(service_date) <> max(service_date) AS is_mixed
        FROM {_KEPT}
        GROUP BY note_id"""
    )


def _finish_notes(con: duckdb.DuckDBPyConnection) -> dict[int, list[str]]:
    """Fill visit_note with one row per note and note_service with one per intervention."""
    _find_notes(con)
    ((refused,),) = con.execute("SELECT count(*) FROM intake_scratch.refused").fetchall()
    con.execute(
        f"""INSERT INTO intake_scratch.refused
        -- A note is one patient's record of one day: a later row of it that says otherwise is refused.
        WITH mixed AS (SELECT note_id FROM intake_scratch.note WHERE is_mixed),
        compared AS (
            SELECT
                file_number, source_row, patient_id, service_date,
                first_value(patient_id) OVER note AS first_patient,
                first_value(service_date) OVER note AS first_date,
                first_value(file_number) OVER note AS first_file,
                first_value(source_row) OVER note AS first_row
            FROM {_KEPT} SEMI JOIN mixed USING (note_id)
            WINDOW note AS (PARTITION BY note_id ORDER BY file_number, source_row, part)
        )
        SELECT compared.file_number, source_row, 'note_id', 'mixed',
            'the note has another patient or date in ' || any_value(source_file) || ' row ' || min(first_row)
        FROM compared INNER JOIN intake_scratch.file AS file ON file.file_number = first_file
        WHERE patient_id <> first_patient OR service_date <> first_date
        GROUP BY compared.file_number, source_row"""
    )
    _refuse_used_keys(con, ["note_id", "service_number"], "note and service number")
    if con.execute("SELECT count(*) <> $1 FROM intake_scratch.refused", [refused]).fetchall() == [(True,)]:
        _find_notes(con)
    con.execute(
        f"""INSERT INTO visit_note
        (note_id, patient_id, service_date, {", ".join(_NOTE)}, text, source_file, source_row)
        SELECT note_id, patient_id, service_date, {", ".join(_NOTE)}, text, source_file, source_row
        FROM intake_scratch.typed
        INNER JOIN (SELECT first_row FROM intake_scratch.note WHERE NOT differs) AS alike ON first_row = typed.rowid
        INNER JOIN intake_scratch.file USING (file_number)"""
    )
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.differing AS
        -- One row per note whose rows are not alike: of each column the first row that has it.
        SELECT
            note_id, min({_PLACE}) AS place,
            arg_min(patient_id, {_PLACE}) AS patient_id, arg_min(service_date, {_PLACE}) AS service_date,
            {", ".join(f"arg_min({column}, {_PLACE}) AS {column}" for column in _NOTE)},
            arg_min(text, {_PLACE}) AS text,
            min(hash(text)) <> max(hash(text)) AND count(text) > 1 AS has_several_texts,
            {", ".join(f"min({column}) <> max({column}) AS {column}_differs" for column in _NOTE)}
        FROM {_KEPT}
        SEMI JOIN (SELECT note_id FROM intake_scratch.note WHERE differs) AS differing USING (note_id)
        GROUP BY note_id"""
    )
    several = con.execute("SELECT 1 FROM intake_scratch.differing WHERE has_several_texts LIMIT 1").fetchone()
    if several:
        con.execute(
            f"""UPDATE intake_scratch.differing SET text = joined.text
            FROM (
                WITH kept AS (
                    SELECT note_id, text, min({_PLACE}) AS place
                    FROM {_KEPT}
                    SEMI JOIN (SELECT note_id FROM intake_scratch.differing WHERE has_several_texts) AS several
                        USING (note_id)
                    WHERE text IS NOT NULL
                    GROUP BY note_id, text
                )
                SELECT note_id, string_agg(text, E'\\n' ORDER BY place) AS text FROM kept GROUP BY note_id
            ) AS joined
            WHERE joined.note_id = differing.note_id"""
        )
    con.execute(
        f"""INSERT INTO visit_note
        (note_id, patient_id, service_date, {", ".join(_NOTE)}, text, source_file, source_row)
        SELECT note_id, patient_id, service_date, {", ".join(_NOTE)}, text, source_file, place % 1099511627776
        FROM intake_scratch.differing INNER JOIN intake_scratch.file ON file_number = place // 1099511627776"""
    )
    # Where the rows of a note differ in their text, it is that of the row's intervention.
    own_text = "coalesce(service_text, CASE WHEN has_several_texts THEN text END)" if several else "service_text"
    charted = ", ".join(f"{column}::VARCHAR" for column in [*_SERVICE, own_text])
    service = (
        f"{_KEPT} LEFT JOIN (SELECT note_id, has_several_texts FROM intake_scratch.differing) USING (note_id)"
        if several
        else _KEPT
    )
    number = _number(con, "note_id", "service_number")
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.numbered AS
        -- The rows that are interventions. Numbered apart from the texts: a window would hold all of them at once.
        WITH charted AS (
            SELECT typed.rowid AS place, note_id, service_number, file_number, source_row, part
            FROM {service}
            WHERE coalesce({charted}) IS NOT NULL
        )
        SELECT place, {number} AS number FROM charted"""
    )
    con.execute(
        f"""INSERT INTO note_service
        (note_id, service_number, patient_id, service_date, {", ".join(_SERVICE)}, text, source_file, source_row)
        SELECT
            note_id, number, patient_id, service_date, {", ".join(_SERVICE)}, {own_text}, source_file, source_row
        FROM {service}
        INNER JOIN intake_scratch.numbered ON numbered.place = typed.rowid
        INNER JOIN intake_scratch.file USING (file_number)"""
    )
    counts = ", ".join(f"count(*) FILTER ({column}_differs)" for column in _NOTE)
    notices: dict[int, list[str]] = {}
    for file_number, *differing in con.execute(
        f"SELECT place // 1099511627776, {counts} FROM intake_scratch.differing GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        notices[file_number] = [
            f"{column}: {count} notes have rows that differ in it; the first row's is kept"
            for column, count in zip(_NOTE, differing, strict=True)
            if count
        ]
    return notices
