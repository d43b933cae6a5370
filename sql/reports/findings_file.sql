-- findings.parquet and findings.csv: every finding, the dismissed as well, in an order that does not change.
SELECT
    finding_id,
    rule,
    title,
    severity,
    direction,
    claim_id,
    claim_line_number,
    patient_id,
    service_date,
    discipline,
    hcpcs_code,
    rendering_npi,
    provider_name,
    payer,
    plan,
    amount_at_risk,
    exposure_amount,
    message,
    facts::VARCHAR AS facts,
    remedy,
    citation,
    reference_state,
    source_file,
    source_row,
    review_state,
    disposition,
    reviewer,
    reviewed_on,
    valid_until,
    review_note,
    facts_hash
FROM (
    SELECT * FROM report_finding
    UNION ALL
    SELECT * FROM report_dismissed
) AS every_finding
ORDER BY service_date, claim_id, claim_line_number, rule, finding_id
