-- The findings sheet of the workbook: the largest amounts first.
SELECT
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
    plan,
    remedy,
    citation,
    reference_state,
    source_file,
    source_row,
    rule,
    finding_id
FROM report_finding
ORDER BY amount_at_risk DESC, severity_rank, finding_id
LIMIT $rows
