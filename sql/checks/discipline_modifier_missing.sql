-- A code that is always therapy carries GP, GO or GN, whoever bills it.
SELECT
    claim_id,
    claim_line_number,
    line_amount AS amount_at_risk,
    hcpcs_code,
    array_to_string(modifiers, ' ') AS modifiers
FROM in_scope($rule)
WHERE always_therapy AND discipline_modifier_count = 0
