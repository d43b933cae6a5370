-- Type and amount of assistance show the need for skill, and progress; a performed task should state them.
SELECT
    claim_id,
    claim_line_number,
    hcpcs_code,
    narrative,
    coalesce(nullif(found, ''), 'nothing') AS found_told,
    score
FROM documented_services_in_scope($rule)
WHERE
    NOT assistance
    AND (narrative IS NULL OR narrative = 'functional')
