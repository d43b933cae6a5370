-- Each code on its own: a code's minutes earn more units than were billed for it.
WITH visit AS (
    SELECT
        visit_id,
        claim_id,
        claim_line_number,
        service_date,
        timed_units_billed AS units_billed,
        midpoint_units AS units_allowed,
        units_under_midpoint AS units_under
    FROM visits_in_scope($rule)
    WHERE
        sole_plan
        AND code_minutes IS NOT NULL
        AND timed_units_billed IS NOT NULL
        AND units_under_midpoint > 0
        AND units_over_midpoint = 0
)

SELECT
    visit.* EXCLUDE (visit_id, service_date),
    stake_of_missing_units(
        visit.service_date, visit.units_under, code.hcpcs_code, code.midpoint_units - code.units_billed
    ) AS at_stake,
    units_in_words(code.hcpcs_code, code.units_billed) AS billed_by_code,
    units_in_words(code.hcpcs_code, code.midpoint_units) AS midpoint_by_code,
    minutes_in_words(code.hcpcs_code, code.minutes) AS minutes_by_code
FROM visit
INNER JOIN visit_code AS code ON visit.visit_id = code.visit_id
GROUP BY ALL
