-- Isolated strength, range of motion or endurance work is exercise, whatever the position that it is done in.
SELECT
    claim_id,
    claim_line_number,
    [stake(service_date, hcpcs_code, NULL)] AS at_stake,
    hcpcs_code,
    narrative,
    coalesce(nullif(found, ''), 'nothing') AS found_told,
    score
FROM documented_services_in_scope($rule)
WHERE narrative = 'impairment'
