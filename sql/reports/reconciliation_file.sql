-- reconciliation.parquet and reconciliation.csv: each billed line with the note that it rests on and its payer's
-- answer, each charted service that no line bills (its amount an estimate), each remitted line that no claim given
-- names.
WITH confidence AS (
    SELECT
        key AS match_key,
        max(value)::DOUBLE AS confidence
    FROM parameter
    WHERE name = 'clinic.match_confidence'
    GROUP BY key
)

SELECT
    reconciliation.claim_id,
    reconciliation.claim_line_number,
    reconciliation.patient_id,
    reconciliation.service_date,
    reconciliation.discipline,
    reconciliation.payer,
    reconciliation.hcpcs_code,
    reconciliation.units,
    reconciliation.line_amount,
    reconciliation.reconciliation_state,
    reconciliation.match_key,
    confidence.confidence,
    reconciliation.note_id,
    reconciliation.note_date,
    reconciliation.documented_code,
    reconciliation.documented_minutes,
    reconciliation.clinician_differs,
    reconciliation.remittance_state,
    reconciliation.paid_amount
FROM reconciliation
INNER JOIN audit_period
    ON reconciliation.service_date BETWEEN audit_period.period_start AND audit_period.period_end
LEFT JOIN confidence ON reconciliation.match_key = confidence.match_key
ORDER BY
    reconciliation.service_date,
    reconciliation.patient_id,
    reconciliation.discipline,
    reconciliation.hcpcs_code,
    reconciliation.claim_id,
    reconciliation.claim_line_number,
    reconciliation.note_id,
    reconciliation.line_amount,
    reconciliation.paid_amount
