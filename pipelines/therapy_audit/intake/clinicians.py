"""One clinician however spelled: names where a number is wanted, and several rows of a number in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from therapy_audit.intake.contract import title_words

if TYPE_CHECKING:
    import duckdb

_NAMED = ("claim_line", "visit_note")
# What two spellings of a name share: its words in alphabetical order, without initials and what follows a name.
_NAME_KEY = """
CREATE OR REPLACE TEMP MACRO name_key(spelling) AS array_to_string(
    list_sort(list_filter(
        regexp_extract_all(lower(spelling), '\\pL+'),
        lambda word: length(word) > 1 AND NOT list_contains(getvariable('title_words'), word)
    )), ' '
)
"""


def number(con: duckdb.DuckDBPyConnection) -> None:
    """Put the NPI of the provider list in place of clinicians' names in claims and notes; else one spelling of each.

    A name is what holds letters and no digit. 'SMITH, JOHN PT' and 'John A. Smith, DPT' are one; two clinicians of one
    name in the list are told apart by nothing, so that neither's number is taken.
    """
    names = " UNION ".join(
        f"SELECT rendering_npi AS spelling FROM {table} WHERE regexp_full_match(rendering_npi, '[^0-9]*\\pL[^0-9]*')"
        for table in _NAMED
    )
    if not con.execute(f"SELECT 1 FROM ({names}) LIMIT 1").fetchone():
        return
    con.execute("SET VARIABLE title_words = ?", [sorted(title_words())])
    con.execute(_NAME_KEY)
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.spelling AS
        WITH listed AS (
            SELECT name_key(provider_name) AS name, min(npi) AS npi
            FROM provider
            WHERE provider_name IS NOT NULL
            GROUP BY name
            HAVING min(npi) = max(npi)
        )
        SELECT named.spelling, coalesce(listed.npi, upper(name_key(named.spelling))) AS npi
        FROM ({names}) AS named
        LEFT JOIN listed ON name_key(named.spelling) = listed.name
        WHERE name_key(named.spelling) <> ''"""
    )
    for table in _NAMED:
        con.execute(
            f"""UPDATE {table} SET rendering_npi = known.npi
            FROM intake_scratch.spelling AS known
            WHERE {table}.rendering_npi = known.spelling"""
        )


def merge(con: duckdb.DuckDBPyConnection, kept: str) -> None:
    """Refuse rows of a number in provider lists that contradict an earlier one; fill in what the others leave out.

    Names are no contradiction: they are spelled as one likes.
    """
    con.execute(
        f"""INSERT INTO intake_scratch.refused
        WITH ranked AS (
            SELECT
                file_number, source_row, credential, discipline,
                first_value(file_number) OVER same AS first_file,
                first_value(source_row) OVER same AS first_row,
                first_value(credential IGNORE NULLS) OVER same AS first_credential,
                first_value(discipline IGNORE NULLS) OVER same AS first_discipline
            FROM {kept}
            WHERE npi IS NOT NULL
            WINDOW same AS (
                PARTITION BY npi ORDER BY file_number, source_row
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            )
        )
        SELECT ranked.file_number, source_row, 'npi', 'digits',
            'NPI already used by ' || source_file || ' row ' || first_row || ', with other content'
        FROM ranked INNER JOIN intake_scratch.file AS file ON file.file_number = first_file
        WHERE credential <> first_credential OR discipline <> first_discipline"""
    )
    con.execute(
        f"""INSERT INTO provider (npi, provider_name, discipline, credential, source_file, source_row)
        WITH placed AS (SELECT *, file_number::BIGINT * 1099511627776 + source_row AS place FROM {kept}),
        merged AS (
            SELECT
                npi,
                arg_min(provider_name, place) AS provider_name,
                arg_min(discipline, place) AS discipline,
                arg_min(credential, place) AS credential,
                min(place) AS place
            FROM placed
            GROUP BY npi
        )
        SELECT npi, provider_name, discipline, credential, source_file, place % 1099511627776
        FROM merged INNER JOIN intake_scratch.file ON file_number = place // 1099511627776"""
    )
