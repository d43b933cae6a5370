-- Each claim line with what its units are worth, and its place among the lines of its day that the multiple-procedure
-- reduction ranks.
SELECT
    line_id,
    claim_id,
    claim_line_number,
    patient_id,
    service_date,
    discipline,
    plan,
    hcpcs_code,
    timed,
    second_bill,
    units,
    line_amount,
    line_amount / nullif(units, 0) AS unit_amount,
    NULL::DOUBLE AS first_unit_amount,
    NULL::DOUBLE AS later_unit_amount,
    NULL::BIGINT AS place,
    0 AS day_id
FROM therapy_line
