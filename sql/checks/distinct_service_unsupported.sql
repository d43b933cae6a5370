-- A modifier that sets two services apart rests on a note that does: by times that do not overlap, or by other regions.
SELECT
    min({'claim_id': line.claim_id, 'claim_line_number': line.claim_line_number}).claim_id AS claim_id,
    min({'claim_id': line.claim_id, 'claim_line_number': line.claim_line_number}).claim_line_number AS claim_line_number,
    max(line.line_amount) AS amount_at_risk,
    arg_min(evidence.column_one, (line.claim_id, line.claim_line_number, evidence.column_one)) AS column_one,
    arg_min(evidence.column_two, (line.claim_id, line.claim_line_number, evidence.column_one)) AS column_two,
    arg_min(evidence.reason, (line.claim_id, line.claim_line_number, evidence.column_one)) AS reason
FROM visit_lines_in_scope($rule) AS line
INNER JOIN pair_evidence AS evidence USING (claim_id, claim_line_number)
WHERE evidence.reason IS NOT NULL AND line.documented IS NOT NULL
GROUP BY line.patient_id, line.service_date, line.discipline, line.plan
