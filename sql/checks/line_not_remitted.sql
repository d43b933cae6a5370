-- A payer answers each line that it was sent, within some weeks.
SELECT
    claim_id,
    claim_line_number,
    hcpcs_code,
    sent_date,
    due_date,
    known_until,
    known_until - sent_date AS days_open
FROM answers_in_scope($rule)
WHERE adjudications = 0 AND answer_known
