-- The frame as it is written: numbered in the order of the key.
SELECT
    item_number,
    item_key,
    stratum,
    claim_id,
    patient_id,
    service_date_from,
    service_date_to,
    payer,
    plan,
    discipline,
    clinician,
    lines,
    amount,
    amount_at_risk,
    lines_with_findings,
    paid_date
FROM sample_frame
ORDER BY item_number
