-- Each code on its own: a unit is earned when more than half of its 15 minutes is passed, and minutes are not pooled.
-- Units of a code that is billed in place of another that is charted have that one's minutes.
WITH swapped AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        sum(least(units, units_of_minutes(minutes))) AS units
    FROM code_swap
    GROUP BY patient_id, service_date, discipline
),

visit AS (
    SELECT
        visit.visit_id,
        visit.claim_id,
        visit.claim_line_number,
        visit.service_date,
        visit.timed_units_billed AS units_billed,
        visit.midpoint_units AS units_allowed,
        visit.units_over_midpoint AS units_over
    FROM visits_in_scope($rule) AS visit
    LEFT JOIN swapped
        ON
            visit.patient_id = swapped.patient_id
            AND visit.service_date = swapped.service_date
            AND visit.discipline = swapped.discipline
    WHERE
        visit.code_minutes IS NOT NULL
        AND visit.timed_units_billed IS NOT NULL
        AND visit.units_over_midpoint > coalesce(swapped.units, 0)
)

SELECT
    visit.* EXCLUDE (visit_id, service_date),
    stake_of_units(
        visit.service_date, visit.units_over, code.hcpcs_code, greatest(code.units_billed - code.midpoint_units, 0)
    ) AS at_stake,
    units_in_words(code.hcpcs_code, code.units_billed) AS billed_by_code,
    units_in_words(code.hcpcs_code, code.midpoint_units) AS midpoint_by_code,
    minutes_in_words(code.hcpcs_code, code.minutes) AS minutes_by_code
FROM visit
INNER JOIN visit_code AS code ON visit.visit_id = code.visit_id
GROUP BY ALL
