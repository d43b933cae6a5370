-- The lines of a claim in its current state: as billed, as documented, as answered, and what was to be expected.
SELECT
    line.claim_line_number,
    line.service_date,
    line.hcpcs_code,
    line.modifiers,
    line.units,
    line.charge_amount,
    line.allowed_amount,
    line.paid_amount,
    line.rendering_npi,
    line.discipline,
    line.place_of_service,
    line.diagnosis_codes,
    line.claim_version,
    line.source_file,
    line.source_row,
    matched.reconciliation_state,
    matched.match_key,
    matched.note_id,
    matched.note_date,
    matched.documented_code,
    matched.documented_minutes,
    matched.clinician_differs,
    payment.payment_status,
    payment.allowed_amount AS remitted_allowed_amount,
    payment.paid_amount AS remitted_paid_amount,
    payment.patient_responsibility_amount,
    payment.denied_amount,
    payment.last_paid_date,
    expected.price_source,
    expected.reference_state,
    expected.full_units,
    expected.full_unit_fee,
    expected.reduced_units,
    expected.reduced_unit_fee,
    expected.expected_allowed,
    expected.expected_patient_share,
    expected.expected_paid,
    expected.judged_by
FROM current_line AS line
LEFT JOIN reconciliation AS matched
    ON line.claim_id = matched.claim_id AND line.claim_line_number = matched.claim_line_number
LEFT JOIN line_payment AS payment
    ON line.claim_id = payment.claim_id AND line.claim_line_number = payment.claim_line_number
LEFT JOIN expected_payment AS expected
    ON line.claim_id = expected.claim_id AND line.claim_line_number = expected.claim_line_number
WHERE line.claim_id = $claim_id
ORDER BY line.claim_line_number, line.source_file, line.source_row
