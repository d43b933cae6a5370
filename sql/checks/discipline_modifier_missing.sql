-- A code that is always therapy carries GP, GO or GN, whoever bills it.
SELECT
    claim_id,
    claim_line_number,
    hcpcs_code,
    coalesce(nullif(array_to_string(modifiers, ' '), ''), 'none') AS modifiers
FROM in_scope($rule)
WHERE always_therapy AND discipline_modifier_count = 0
