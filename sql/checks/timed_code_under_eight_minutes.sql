-- A day's only timed service of less than 8 minutes is not billed; several are pooled, and another rule judges them.
SELECT
    visit.claim_id,
    visit.claim_line_number,
    [stake(visit.service_date, code.hcpcs_code, NULL)] AS at_stake,
    code.hcpcs_code,
    visit.timed_minutes AS minutes,
    visit.timed_units_billed AS units_billed
FROM visits_in_scope($rule) AS visit
INNER JOIN visit_code AS code ON visit.visit_id = code.visit_id
WHERE visit.codes = 1 AND visit.timed_minutes < 8 AND visit.timed_units_billed > 0
