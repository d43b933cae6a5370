-- How the patient did (tolerance, performance, a measure) is what the next visit is planned by.
SELECT
    claim_id,
    claim_line_number,
    hcpcs_code,
    narrative,
    coalesce(nullif(found, ''), 'nothing') AS found_told,
    score
FROM documented_services_in_scope($rule)
WHERE NOT patient_response
