-- The day's timed minutes earn more units than were billed: no minute from the eighth on is thrown away.
WITH visit AS (
    SELECT
        visit_id,
        claim_id,
        claim_line_number,
        timed_units_billed,
        timed_minutes,
        units_allowed,
        service_date
    FROM visits_in_scope($rule)
    WHERE sole_plan AND timed_units_billed BETWEEN 1 AND units_allowed - 1
)

SELECT
    visit.claim_id,
    visit.claim_line_number,
    stake_of_missing_units(
        visit.service_date, visit.units_allowed - visit.timed_units_billed, code.hcpcs_code, code.units_under
    ) AS at_stake,
    visit.timed_units_billed AS units_billed,
    visit.timed_minutes AS minutes,
    visit.units_allowed,
    units_in_words(code.hcpcs_code, code.units_billed) AS billed_by_code,
    minutes_in_words(code.hcpcs_code, code.minutes) AS minutes_by_code
FROM visit
INNER JOIN visit_code AS code ON visit.visit_id = code.visit_id
GROUP BY ALL
