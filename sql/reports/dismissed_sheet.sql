-- The findings that review dismissed, the largest amounts first: who decided it, when and why. They count nowhere.
SELECT
    disposition,
    reviewer,
    reviewed_on,
    review_note AS note,
    valid_until,
    amount_at_risk,
    severity,
    direction,
    title,
    message,
    service_date,
    claim_id,
    claim_line_number,
    patient_id,
    hcpcs_code,
    rendering_npi,
    provider_name,
    payer,
    rule,
    finding_id,
    facts_hash
FROM report_dismissed
ORDER BY amount_at_risk DESC, severity_rank, finding_id
LIMIT $rows
