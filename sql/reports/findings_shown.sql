-- The findings that the report shows: the largest amounts first. Note text only where it was asked for.
WITH shown AS (
    SELECT *
    FROM report_finding
    ORDER BY amount_at_risk DESC, severity_rank, finding_id
    LIMIT $rows
),

note AS (
    SELECT
        patient_id,
        service_date,
        string_agg(text, chr(10) ORDER BY note_id) AS note_text
    FROM visit_note
    WHERE $with_text AND text IS NOT NULL
    GROUP BY patient_id, service_date
)

SELECT
    finding_id,
    rule,
    severity,
    direction,
    claim_id,
    claim_line_number,
    patient_id,
    service_date::VARCHAR AS service_date,
    month,
    discipline,
    hcpcs_code,
    rendering_npi,
    payer,
    plan,
    amount_at_risk::DOUBLE AS amount_at_risk,
    message,
    facts::VARCHAR AS facts,
    reference_state,
    source_file,
    source_row,
    note_text
FROM shown
LEFT JOIN note USING (patient_id, service_date)
ORDER BY amount_at_risk DESC, severity_rank, finding_id
