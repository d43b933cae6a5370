-- A denial is corrected, appealed or given up on purpose, and not left until its time limit has passed.
SELECT
    answer.claim_id,
    answer.claim_line_number,
    -- What would have been allowed, where it is known, is all that an appeal can bring.
    least(
        answer.denied_amount,
        coalesce(
            price.expected_allowed,
            (code_price.unit_amount * coalesce(current_line.units, 1))::DECIMAL(12, 2),
            answer.denied_amount
        )
    ) AS amount_at_risk,
    answer.hcpcs_code,
    answer.denied_date,
    answer.known_until,
    answer.known_until - answer.denied_date AS days_open,
    answer.last_group_code AS group_code,
    answer.last_reason_code AS reason_code,
    answer.last_remark_code AS remark_code,
    CASE
        WHEN answer.last_reason_code IS NULL THEN ''
        ELSE ' (' || concat_ws(' ', answer.last_group_code, answer.last_reason_code, answer.last_remark_code) || ')'
    END AS codes_in_words
FROM answers_in_scope($rule) AS answer
INNER JOIN current_line ON answer.line_id = current_line.line_id
LEFT JOIN expected_payment AS price ON answer.line_id = price.line_id
LEFT JOIN code_price
    ON answer.plan IS NOT DISTINCT FROM code_price.plan AND answer.hcpcs_code = code_price.hcpcs_code
WHERE
    answer.is_denied
    AND NOT answer.billed_again
    AND answer.last_group_code IS DISTINCT FROM 'PR'
    AND NOT answer.has_liability_modifier
    AND answer.known_until - answer.denied_date > (SELECT max(value) FROM parameter WHERE name = $denial_days)
