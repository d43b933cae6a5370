-- Each line of a remittance answers a claim line that was billed.
SELECT
    remittance_id,
    remittance_line_number,
    claim_id,
    NULL::INTEGER AS claim_line_number,
    service_date,
    patient_id,
    payer,
    plan,
    hcpcs_code,
    source_file,
    source_row,
    coalesce(hcpcs_code, 'a claim as a whole') AS billed_code,
    charge_amount,
    paid_amount,
    CASE WHEN claim_known THEN 'no line of the claim fits it' ELSE 'the claim number is not among the claims given' END
        AS reason
FROM remitted_lines_in_scope($rule)
WHERE NOT is_matched
