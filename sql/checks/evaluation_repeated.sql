-- An episode of care begins with one evaluation; later ones are re-evaluations, unless a new condition, a discharge or
-- a long gap begins it anew.
SELECT
    claim_id,
    claim_line_number,
    hcpcs_code,
    reevaluation_code,
    earlier_code,
    earlier_date,
    service_date - earlier_date AS days,
    gap_days,
    diagnosis
FROM evaluations_in_scope($rule)
INNER JOIN parameter
    ON parameter.name = $gap AND service_date BETWEEN parameter.effective_from AND parameter.effective_to
WHERE is_repeated AND is_same_condition AND NOT is_begun_anew AND gap_days < parameter.value
