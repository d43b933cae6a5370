-- Of each patient's day with one biller, across disciplines and claims, the line that holds the unit which is paid
-- whole (Medicare Claims Processing Manual ch. 5 §10.7): among all lines, and among those that were not denied.
WITH placed AS (
    SELECT
        priced_line.line_id,
        priced_line.patient_id,
        priced_line.service_date,
        priced_line.plan,
        priced_line.billing_npi,
        priced_line.payment_status IN ('denied', 'reversed') AS is_denied,
        {
            'place': unit_fee.place,
            'claim_id': priced_line.claim_id,
            'claim_line_number': priced_line.claim_line_number
        } AS turn
    FROM priced_line
    INNER JOIN unit_fee
        ON
            priced_line.hcpcs_code = unit_fee.hcpcs_code
            AND priced_line.service_date = unit_fee.service_date
            AND unit_fee.multiple_procedure
    WHERE priced_line.by_schedule
)

SELECT
    arg_min(line_id, turn) AS line_id,
    arg_min(line_id, turn) FILTER (is_denied IS DISTINCT FROM TRUE) AS payable_line_id
FROM placed
GROUP BY patient_id, service_date, plan, billing_npi
