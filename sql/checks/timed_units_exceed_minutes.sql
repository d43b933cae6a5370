-- A day's timed minutes, all codes together: 8 to 22 make one unit, 23 to 37 two, and so on by 15 without end.
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
    WHERE timed_units_billed > units_allowed
)

SELECT
    visit.claim_id,
    visit.claim_line_number,
    stake_of_units(
        visit.service_date, visit.timed_units_billed - visit.units_allowed, code.hcpcs_code, code.units_over
    ) AS at_stake,
    visit.timed_units_billed AS units_billed,
    visit.timed_minutes AS minutes,
    visit.units_allowed,
    units_in_words(code.hcpcs_code, code.units_billed) AS billed_by_code,
    minutes_in_words(code.hcpcs_code, code.minutes) AS minutes_by_code
FROM visit
INNER JOIN visit_code AS code ON visit.visit_id = code.visit_id
GROUP BY ALL
