-- Each code on its own: a unit is earned when more than half of its 15 minutes is passed, and minutes are not pooled.
WITH visit AS (
    SELECT
        visit_id,
        claim_id,
        claim_line_number,
        service_date,
        timed_units_billed AS units_billed,
        midpoint_units AS units_allowed,
        units_over_midpoint AS units_over
    FROM visits_in_scope($rule)
    WHERE code_minutes IS NOT NULL AND timed_units_billed IS NOT NULL AND units_over_midpoint > 0
)

SELECT
    visit.* EXCLUDE (visit_id, service_date),
    stake_of_units(
        visit.service_date, visit.units_over, code.hcpcs_code, code.units_billed - code.midpoint_units
    ) AS at_stake,
    units_in_words(code.hcpcs_code, code.units_billed) AS billed_by_code,
    units_in_words(code.hcpcs_code, code.midpoint_units) AS midpoint_by_code,
    minutes_in_words(code.hcpcs_code, code.minutes) AS minutes_by_code
FROM visit
INNER JOIN visit_code AS code ON visit.visit_id = code.visit_id
GROUP BY ALL
