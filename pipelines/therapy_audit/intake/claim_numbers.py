"""Claims that share a number -> claims of their own: some billing systems send the patient's account number with each.

Versions of a claim (submissions of one number) are about one thing where they are of one patient and discipline and
their service dates meet. Where they are not, each gets the number and its first service date for its claim id, and
what remittances and replacements say of the number goes to the claim whose service date they name.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from therapy_audit.intake import interchange

if TYPE_CHECKING:
    import duckdb

# Numbers that serve several claims beyond this share of all are the system's way: then each claim's id has its date, so
# that a patient's first claim keeps its id when the second comes.
_PRACTICE = 0.05

_MATTERS = """
CREATE OR REPLACE TABLE intake_scratch.matter AS
-- Each version of a number that has several, with what it is about: patient, discipline and a run of dates that meet.
WITH several AS (
    SELECT DISTINCT claim_id FROM claim_line WHERE claim_version > 1
),
line AS (
    SELECT
        claim_id, claim_version, patient_id, service_date,
        coalesce(claim_frequency_code IN ('7', '8'), FALSE) AS replaces,
        CASE
            WHEN list_contains(modifiers, 'GP') THEN 'GP'
            WHEN list_contains(modifiers, 'GO') THEN 'GO'
            WHEN list_contains(modifiers, 'GN') THEN 'GN'
        END AS modifier,
        source_file IN (
            SELECT source_file
            FROM (SELECT DISTINCT file_number FROM intake_scratch.x12_claim) INNER JOIN intake_scratch.file
                USING (file_number)
        ) AS of_x12
    FROM claim_line SEMI JOIN several USING (claim_id)
),
submission AS (
    SELECT
        claim_id, claim_version, bool_or(replaces) AS replaces, min(patient_id) AS patient_id,
        bool_or(of_x12) AS of_x12, CASE WHEN min(modifier) = max(modifier) THEN min(modifier) END AS modifier,
        min(service_date) AS first_date, max(service_date) AS last_date,
        list_sort(list(DISTINCT service_date)) AS dates
    FROM line
    GROUP BY claim_id, claim_version
),
-- A replacement may be what puts the patient right, and a version may lack the modifier that the next one has. An 837P
-- knows patients by member number, another export by its own: between them patients tell nothing.
original AS (
    SELECT
        claim_id,
        CASE
            WHEN bool_or(of_x12) AND NOT bool_and(of_x12) THEN ''
            WHEN min(patient_id) = max(patient_id) THEN min(patient_id)
        END AS only_patient
    FROM submission
    WHERE NOT replaces
    GROUP BY claim_id
),
of_patient AS (
    SELECT
        submission.*,
        CASE WHEN replaces OR only_patient = '' THEN coalesce(only_patient, patient_id) ELSE patient_id END AS subject
    FROM submission LEFT JOIN original USING (claim_id)
),
of_discipline AS (
    SELECT
        *,
        CASE
            WHEN min(modifier) OVER subject <> max(modifier) OVER subject THEN coalesce(modifier, '') ELSE ''
        END AS discipline
    FROM of_patient
    WINDOW subject AS (PARTITION BY claim_id, subject)
),
begun AS (
    SELECT
        *,
        coalesce(max(last_date) OVER (
            PARTITION BY claim_id, subject, discipline
            ORDER BY first_date, claim_version
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) < first_date, TRUE) AS begins
    FROM of_discipline
),
run AS (
    SELECT
        *,
        sum(begins::INTEGER) OVER (
            PARTITION BY claim_id, subject, discipline ORDER BY first_date, claim_version
        ) AS place
    FROM begun
),
kept AS (
    SELECT
        *,
        hash(subject, discipline, place) AS matter,
        bool_or(NOT replaces) OVER (PARTITION BY claim_id, subject, discipline, place) AS has_original,
        min(CASE WHEN NOT replaces THEN hash(subject, discipline, place) END) OVER number AS first_matter,
        max(CASE WHEN NOT replaces THEN hash(subject, discipline, place) END) OVER number AS last_matter
    FROM run
    WINDOW number AS (PARTITION BY claim_id)
),
-- A replacement on another day is of the claim that it names; under a number with one claim, of that.
placed AS (
    SELECT
        * EXCLUDE (matter),
        CASE WHEN NOT has_original AND first_matter = last_matter THEN first_matter ELSE matter END AS matter
    FROM kept
)
SELECT
    claim_id, claim_version, first_date, matter,
    -- Sent again in part, and never replaced: each day stands for itself, so that none is lost.
    NOT bool_or(replaces) OVER same AND min(dates) OVER same <> max(dates) OVER same AS by_day,
    min(matter) OVER number <> max(matter) OVER number OR by_day AS is_shared
FROM placed
WINDOW same AS (PARTITION BY claim_id, matter), number AS (PARTITION BY claim_id)
"""

_NAMES = """
CREATE OR REPLACE TABLE intake_scratch.renamed AS
-- Each line of a number that serves several claims, with its claim's own id and version.
WITH shared AS (
    SELECT claim_id FROM intake_scratch.matter GROUP BY claim_id HAVING bool_or(is_shared)
),
line AS (
    SELECT
        claim_line.rowid AS line, claim_line.claim_id AS claim_number, claim_line.claim_version AS old_version,
        claim_line.service_date,
        coalesce(matter.matter, 0) AS matter,
        CASE WHEN matter.by_day THEN claim_line.service_date END AS own_day
    FROM claim_line
    LEFT JOIN intake_scratch.matter AS matter USING (claim_id, claim_version)
    WHERE $practice OR claim_line.claim_id IN (SELECT claim_id FROM shared)
),
claim AS (
    SELECT
        claim_number, matter, own_day, min(service_date) AS first_date, min(old_version) AS first_version
    FROM line
    GROUP BY claim_number, matter, own_day
),
named AS (
    SELECT
        claim_number, matter, own_day, first_date,
        row_number() OVER (
            PARTITION BY claim_number, first_date ORDER BY first_version, matter, own_day NULLS FIRST
        ) AS turn
    FROM claim
)
SELECT
    line.line, line.claim_number, line.service_date,
    line.claim_number || ' ' || named.first_date || CASE WHEN turn > 1 THEN ' #' || turn ELSE '' END AS claim_id,
    dense_rank() OVER (
        PARTITION BY line.claim_number, line.matter, line.own_day ORDER BY line.old_version
    )::INTEGER AS claim_version
FROM line
INNER JOIN named
    ON
        line.claim_number = named.claim_number AND line.matter = named.matter
        AND line.own_day IS NOT DISTINCT FROM named.own_day
"""

# The one claim of a number that has lines on a day.
_ON_DAY = """
    on_day AS (
        SELECT claim_number, service_date, min(claim_id) AS claim_id
        FROM intake_scratch.renamed
        GROUP BY claim_number, service_date
        HAVING min(claim_id) = max(claim_id)
    )
"""


def tell_apart(con: duckdb.DuckDBPyConnection) -> None:
    """Give claims that share a number ids of their own, when all files are loaded; tell it in the files' notices."""
    if not con.execute("SELECT 1 FROM claim_line WHERE claim_version > 1 LIMIT 1").fetchone():
        return  # no number has several versions: nothing to group, which takes memory for every claim
    # Beside X12 files, which may be far larger than memory, with little of it.
    from_x12 = con.execute("SELECT 1 FROM intake_scratch.x12_claim LIMIT 1").fetchone()
    execute = partial(interchange.frugally, con) if from_x12 else con.execute
    execute(_MATTERS)
    ((shared,),) = con.execute("SELECT count(DISTINCT claim_id) FROM intake_scratch.matter WHERE is_shared").fetchall()
    if not shared:
        return
    ((numbers,),) = con.execute("SELECT count(DISTINCT claim_id) FROM claim_line").fetchall()
    execute(_NAMES, {"practice": shared > _PRACTICE * numbers})
    execute(
        """UPDATE claim_line SET claim_id = own.claim_id, claim_version = own.claim_version
        FROM intake_scratch.renamed AS own
        WHERE claim_line.rowid = own.line"""
    )
    execute(
        f"""UPDATE claim_line SET original_claim_id = place.claim_id
        FROM (
            WITH {_ON_DAY}
            SELECT claim_line.rowid AS line, on_day.claim_id
            FROM claim_line INNER JOIN on_day
                ON claim_line.original_claim_id = on_day.claim_number AND claim_line.service_date = on_day.service_date
        ) AS place
        WHERE claim_line.rowid = place.line"""
    )
    execute(
        f"""UPDATE remittance_line SET claim_id = place.claim_id
        FROM (
            WITH {_ON_DAY}
            SELECT remittance_line.rowid AS line, on_day.claim_id
            FROM remittance_line INNER JOIN on_day
                ON
                    remittance_line.claim_id = on_day.claim_number
                    AND remittance_line.service_date = on_day.service_date
        ) AS place
        WHERE remittance_line.rowid = place.line"""
    )
    execute(
        """UPDATE remittance_claim SET claim_id = own.claim_id
        FROM (
            SELECT remittance_id, remittance_claim_number, min(claim_id) AS claim_id
            FROM remittance_line
            WHERE claim_id IN (SELECT claim_id FROM intake_scratch.renamed)
            GROUP BY remittance_id, remittance_claim_number
            HAVING min(claim_id) = max(claim_id)
        ) AS own
        WHERE remittance_claim.remittance_id = own.remittance_id
            AND remittance_claim.remittance_claim_number = own.remittance_claim_number
            AND remittance_claim.claim_id IN (SELECT claim_number FROM intake_scratch.renamed)"""
    )
    execute(
        """UPDATE x12_imbalance SET claim_id = coalesce(answered.claim_id, billed.claim_id)
        FROM (
            SELECT imbalance.rowid AS place, claim.claim_id
            FROM x12_imbalance AS imbalance
            ASOF LEFT JOIN remittance_claim AS claim
                ON imbalance.source_file = claim.source_file AND imbalance.source_row >= claim.source_row
        ) AS answered
        INNER JOIN (
            SELECT imbalance.rowid AS place, line.claim_id
            FROM x12_imbalance AS imbalance
            ASOF LEFT JOIN claim_line AS line
                ON imbalance.source_file = line.source_file AND imbalance.source_row <= line.source_row
        ) AS billed ON answered.place = billed.place
        WHERE x12_imbalance.rowid = answered.place
            AND x12_imbalance.claim_id IN (SELECT claim_number FROM intake_scratch.renamed)"""
    )
    execute(
        """UPDATE intake_file SET notices = list_append(notices, told.notice)
        FROM (
            SELECT
                claim_line.source_file,
                count(DISTINCT own.claim_number) || ' claim numbers serve several claims, or are of a system whose '
                || 'numbers do: each claim has its first service date in its id' AS notice
            FROM intake_scratch.renamed AS own INNER JOIN claim_line ON claim_line.rowid = own.line
            GROUP BY claim_line.source_file
        ) AS told
        WHERE intake_file.source_file = told.source_file AND intake_file.input = 'claims'"""
    )
