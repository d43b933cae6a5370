-- The findings sheet of the workbook: the largest amounts first. A decision that still holds is filled in; one that
-- does not is told beside the columns to fill in.
SELECT
    CASE WHEN review_state = disposition THEN disposition END AS disposition,
    CASE WHEN review_state = disposition THEN reviewer END AS reviewer,
    CASE WHEN review_state = disposition THEN reviewed_on END AS reviewed_on,
    CASE WHEN review_state = disposition THEN review_note END AS note,
    CASE WHEN review_state = disposition THEN valid_until END AS valid_until,
    CASE
        WHEN review_state <> coalesce(disposition, 'open')
            THEN concat_ws(
                ' ',
                disposition,
                'by ' || reviewer,
                'on ' || reviewed_on || ';',
                CASE review_state
                    WHEN 'changed' THEN 'the facts have changed since'
                    WHEN 'expired' THEN 'valid until ' || valid_until
                    WHEN 'came_back' THEN 'came back'
                END
            )
    END AS decided_before,
    amount_at_risk,
    exposure_amount,
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
    finding_id,
    facts_hash
FROM report_finding
ORDER BY amount_at_risk DESC, severity_rank, finding_id
LIMIT $rows
