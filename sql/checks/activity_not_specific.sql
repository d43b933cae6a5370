-- A note must say what was done: a task with its components, not that activities were done. Exercise, instruction and
-- passive treatment have rules of their own.
SELECT
    claim_id,
    claim_line_number,
    [stake(service_date, hcpcs_code, NULL)] AS at_stake,
    hcpcs_code,
    narrative,
    coalesce(nullif(found, ''), 'nothing') AS found_told,
    score
FROM documented_services_in_scope($rule)
WHERE
    NOT specific_activity
    AND (
        coalesce(narrative, 'vague') IN ('functional', 'vague')
        OR (narrative = 'instruction' AND hcpcs_code <> '97530')
    )
