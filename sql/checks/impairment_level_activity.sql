-- Isolated strength, range of motion or endurance work is exercise, whatever the position that it is done in.
SELECT
    claim_id,
    claim_line_number,
    amount AS amount_at_risk,
    hcpcs_code,
    narrative,
    coalesce(nullif(found, ''), 'nothing') AS found_told,
    score
FROM documented_services_in_scope($rule)
WHERE narrative = 'impairment'
