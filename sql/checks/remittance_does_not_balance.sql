-- A remittance's sums agree: services with their claim, claims with the payment, each after its adjustments.
SELECT
    remittance_id,
    claim_id,
    NULL::INTEGER AS claim_line_number,
    service_date,
    payer,
    plan,
    source_file,
    source_row,
    check_name,
    sum_in_words,
    times,
    CASE WHEN times > 1 THEN ', ' || times || ' times' ELSE '' END AS times_in_words,
    expected,
    found,
    expected - found AS difference
FROM remittances_in_scope($rule)
WHERE check_name IS NOT NULL
