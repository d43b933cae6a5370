-- A denial is corrected, appealed or given up on purpose, and not left until its time limit has passed.
SELECT
    answer.claim_id,
    answer.claim_line_number,
    answer.denied_amount AS amount_at_risk,
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
WHERE
    answer.is_denied
    AND NOT answer.billed_again
    AND answer.last_group_code IS DISTINCT FROM 'PR'
    AND NOT answer.has_liability_modifier
    AND answer.known_until - answer.denied_date > (SELECT max(value) FROM parameter WHERE name = $denial_days)
