-- The total is right, but a unit sits on a code that the allocation would not give it: full 15s go first, the units
-- left over to the largest remainders, and any choice among equal remainders is accepted.
WITH visit AS (
    SELECT
        visit.visit_id,
        visit.claim_id,
        visit.claim_line_number,
        visit.timed_units_billed,
        visit.code_minutes
    FROM visits_in_scope($rule) AS visit
    WHERE visit.timed_units_billed = visit.code_units_allowed AND visit.misplaced_codes > 0
)

SELECT
    visit.claim_id,
    visit.claim_line_number,
    visit.timed_units_billed AS units_billed,
    visit.code_minutes AS minutes,
    units_in_words(code.hcpcs_code, code.units_billed) AS billed_by_code,
    minutes_in_words(code.hcpcs_code, code.minutes) AS minutes_by_code
FROM visit
INNER JOIN visit_code AS code ON visit.visit_id = code.visit_id
GROUP BY ALL
