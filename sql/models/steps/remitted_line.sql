-- Each service line of the remittances paid by the run's date, in the terms of the line that was billed. Amounts that a
-- reversal takes back are negative.
WITH cutoff AS (
    SELECT max(as_of) AS as_of
    FROM audit_period
),

paid AS (
    SELECT
        remittance_line.rowid AS remitted_id,
        remittance_line.*,
        coalesce(remittance_line.claim_status_code = '22', FALSE) AS reverses
    FROM remittance_line
    CROSS JOIN cutoff
    WHERE cutoff.as_of IS NULL OR remittance_line.paid_date IS NULL OR remittance_line.paid_date <= cutoff.as_of
)

SELECT
    remitted_id,
    remittance_id,
    remittance_line_number,
    remittance_claim_number,
    line_kind,
    claim_status_code,
    claim_id,
    claim_line_number,
    line_control_number,
    payer,
    patient_id,
    service_date,
    coalesce(billed_hcpcs_code, hcpcs_code) AS hcpcs_code,
    modifiers,
    abs(coalesce(billed_units, units)) AS units,
    abs(charge_amount) AS charge_amount,
    CASE WHEN reverses THEN -abs(allowed_amount) ELSE allowed_amount END AS allowed_amount,
    CASE WHEN reverses THEN -abs(paid_amount) ELSE paid_amount END AS paid_amount,
    CASE WHEN reverses THEN -abs(patient_responsibility_amount) ELSE patient_responsibility_amount END
        AS patient_responsibility_amount,
    paid_date,
    reverses,
    reverses OR coalesce(paid_amount < 0, FALSE) OR coalesce(charge_amount < 0, FALSE) AS is_reversal,
    -- What the payer judged together: one claim of one remittance.
    hash(remittance_id, remittance_claim_number, claim_id) AS adjudication,
    source_file,
    source_row
FROM paid
