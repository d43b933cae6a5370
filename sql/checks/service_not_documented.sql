-- The day's note exists, but charts no service under the code that was billed, nor another in its place.
SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code,
    line.note_id
FROM in_scope($rule) AS line
ANTI JOIN code_swap
    ON
        line.patient_id = code_swap.patient_id
        AND line.service_date = code_swap.service_date
        AND line.discipline = code_swap.discipline
        AND line.hcpcs_code = code_swap.billed_code
WHERE line.therapy AND NOT line.documented
