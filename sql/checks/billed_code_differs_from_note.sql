-- What is billed is what the note documents. One code billed and another charted in its place are one fault, worth the
-- difference between them.
SELECT
    line.claim_id,
    line.claim_line_number,
    greatest(
        line.line_amount - coalesce(round(code_price.unit_amount * coalesce(line.units, 1), 2), 0.00), 0.00
    )::DECIMAL(12, 2) AS amount_at_risk,
    line.hcpcs_code,
    line.documented_code,
    coalesce(line.documented_minutes || ' minutes', 'no minutes') AS minutes,
    line.note_id
FROM reconciled_lines_in_scope($rule) AS line
LEFT JOIN code_price
    ON line.plan IS NOT DISTINCT FROM code_price.plan AND line.documented_code = code_price.hcpcs_code
WHERE line.match_key = 'day and other code'
