-- The day's note exists, but charts no service under the code that was billed.
SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code,
    line.note_id
FROM in_scope($rule) AS line
WHERE line.therapy AND NOT line.documented
