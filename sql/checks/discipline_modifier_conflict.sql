-- Exactly one of GP, GO and GN, and the one that fits the code and the clinician who treated.
SELECT
    claim_id,
    claim_line_number,
    hcpcs_code,
    array_to_string(modifiers, ' ') AS modifiers,
    CASE
        WHEN discipline_modifier_count > 1 THEN 'there are ' || discipline_modifier_count || ' discipline modifiers'
        WHEN modifier_discipline <> code_discipline THEN 'the code belongs to ' || code_discipline
        ELSE 'the clinician is of ' || clinician_discipline
    END AS conflict
FROM in_scope($rule)
WHERE
    discipline_modifier_count > 1
    OR modifier_discipline <> code_discipline
    OR modifier_discipline <> clinician_discipline
