-- A service is billed once. Its second bill has the same patient, day, code, units, modifiers and clinician, and
-- neither 76 or 77 nor the notes say that it was given twice; versions of a claim, and claims to a second payer, are
-- one bill.
SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code,
    line.units,
    line.service_date,
    repeated_line.first_claim_id,
    repeated_line.first_line_number
FROM reconciled_lines_in_scope($rule) AS line
INNER JOIN repeated_line ON line.line_id = repeated_line.line_id
WHERE line.is_duplicate
