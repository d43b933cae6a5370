-- An activity is billed for what it lets this patient do: a goal field or the text must tie it to such a goal.
SELECT
    claim_id,
    claim_line_number,
    [stake(service_date, hcpcs_code, NULL)] AS at_stake,
    hcpcs_code,
    narrative,
    coalesce(nullif(found, ''), 'nothing') AS found_told,
    score
FROM documented_services_in_scope($rule)
WHERE NOT functional_goal
