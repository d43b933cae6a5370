-- CQ goes with GP and CO with GO on the same line; never both, never with GN, and an assistant does not evaluate.
SELECT
    claim_id,
    claim_line_number,
    hcpcs_code,
    array_to_string(modifiers, ' ') AS modifiers,
    CASE
        WHEN evaluation THEN 'an assistant does not evaluate'
        WHEN assistant_modifier_count > 1 THEN 'CQ and CO exclude each other'
        WHEN list_contains(modifiers, 'GN') THEN 'there is no assistant modifier for GN'
        WHEN assistant_modifier_discipline = 'PT' THEN 'CQ goes with GP alone'
        ELSE 'CO goes with GO alone'
    END AS conflict
FROM in_scope($rule)
WHERE
    assistant_modifier_count > 0
    AND (
        evaluation
        OR assistant_modifier_count > 1
        OR assistant_modifier_discipline IS DISTINCT FROM modifier_discipline
    )
