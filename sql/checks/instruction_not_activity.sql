-- Under 97530 the patient performs; explaining, demonstrating and reviewing handouts is no activity of the patient's.
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
    narrative = 'instruction'
    AND hcpcs_code = '97530'
