-- Each claim line that can have a price: therapy under Medicare's fee schedule and, where fee tables of payers were
-- given, every line of another plan. Lines with GA, GZ or GY are billed to be denied: only those that were allowed or
-- answered all the same can take a place among the day's lines.
WITH fee_table AS (
    SELECT count(*) > 0 AS is_given
    FROM contract_fee
)

SELECT
    therapy_line.line_id,
    therapy_line.claim_id,
    therapy_line.claim_line_number,
    therapy_line.patient_id,
    therapy_line.service_date,
    therapy_line.plan,
    coalesce(therapy_line.billing_npi, '') AS billing_npi,
    therapy_line.hcpcs_code,
    therapy_line.modifiers,
    therapy_line.units,
    nullif(therapy_line.charge_amount, 0) AS charge_amount,
    plan.counts_toward_kx_threshold AS by_schedule,
    -- Null where CQ and CO, or one of them and the discipline modifier, contradict each other.
    CASE
        WHEN therapy_line.assistant_modifier_count = 0 THEN FALSE
        WHEN
            therapy_line.assistant_modifier_count = 1
            AND therapy_line.assistant_modifier_discipline = therapy_line.modifier_discipline
            THEN TRUE
    END AS has_assistant_modifier,
    therapy_line.second_bill,
    -- Of what is answered the payer's own answer counts, else the export's amount.
    line_payment.payment_status,
    coalesce(payer_answer.allowed_amount, therapy_line.allowed_amount) AS allowed_amount,
    payer_answer.* EXCLUDE (line_id, allowed_amount)
FROM therapy_line
INNER JOIN plan ON therapy_line.plan = plan.plan
CROSS JOIN fee_table
LEFT JOIN payer_answer ON therapy_line.line_id = payer_answer.line_id
LEFT JOIN line_payment ON therapy_line.line_id = line_payment.line_id AND line_payment.adjudications > 0
WHERE
    coalesce(therapy_line.units, 1) > 0
    AND (
        NOT therapy_line.has_liability_modifier
        OR coalesce(therapy_line.allowed_amount, 0.00) > 0
        OR line_payment.line_id IS NOT NULL
    )
    AND ((plan.counts_toward_kx_threshold AND therapy_line.therapy) OR fee_table.is_given)
