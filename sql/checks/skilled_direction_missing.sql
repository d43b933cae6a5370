-- A service is covered because it takes a therapist's skill: a note shows a cue, facilitation, grading or decision.
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
    NOT skilled_direction
    AND (hcpcs_code <> '97530' OR narrative IS DISTINCT FROM 'instruction')
