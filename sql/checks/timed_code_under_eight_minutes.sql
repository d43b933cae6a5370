-- A day's only timed service of less than 8 minutes is not billed; several are pooled, and another rule judges them.
SELECT
    claim_id,
    claim_line_number,
    timed_amount AS amount_at_risk,
    codes[1].hcpcs_code AS hcpcs_code,
    timed_minutes AS minutes,
    timed_units_billed AS units_billed
FROM visits_in_scope($rule)
WHERE len(codes) = 1 AND timed_minutes < 8 AND timed_units_billed > 0
