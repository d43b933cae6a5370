-- A code that is not counted in time is one unit a day, however long it took.
SELECT
    claim_id,
    claim_line_number,
    round(line_amount * (units - 1) / units, 2) AS amount_at_risk,
    hcpcs_code,
    units
FROM in_scope($rule)
WHERE untimed AND units > 1
