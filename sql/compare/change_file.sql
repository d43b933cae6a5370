-- compare.csv: every finding of the two runs with what became of it.
SELECT
    finding_id,
    status,
    reason,
    changed,
    rule,
    title,
    severity,
    direction,
    claim_id,
    claim_line_number,
    patient_id,
    service_date,
    rendering_npi,
    payer,
    amount_before,
    amount_after,
    message,
    message_before
FROM finding_change
ORDER BY status, service_date, claim_id, claim_line_number, rule, finding_id
