-- What was billed of each skilled activity of a patient's day: its first claim line, and what all are worth.
SELECT
    hash(patient_id, discipline, hcpcs_code, service_date) AS day_number,
    min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line,
    sum(line_amount) AS amount
FROM therapy_line
WHERE skilled_activity
GROUP BY day_number
