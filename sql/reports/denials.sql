-- Denials in all, by group, category, payer, clinician, code and month of service: answers that deny, the lines
-- concerned with their share of the lines answered, and dollars of charges, each line's once, by what became of them.
WITH answered AS (
    SELECT
        CASE
            WHEN grouping(line.payer) = 0 THEN 'payer'
            WHEN grouping(line.rendering_npi) = 0 THEN 'clinician'
            WHEN grouping(line.hcpcs_code) = 0 THEN 'code'
            WHEN grouping(strftime(line.service_date, '%Y-%m')) = 0 THEN 'month'
            ELSE 'all'
        END AS level,
        coalesce(line.payer, line.rendering_npi, line.hcpcs_code, strftime(line.service_date, '%Y-%m')) AS item,
        count(*) AS lines_answered
    FROM therapy_line AS line
    INNER JOIN audit_period ON line.service_date BETWEEN audit_period.period_start AND audit_period.period_end
    INNER JOIN line_payment
        ON line.claim_id = line_payment.claim_id AND line.claim_line_number = line_payment.claim_line_number
    WHERE line_payment.adjudications > 0
    GROUP BY
        GROUPING SETS (
            (), (line.payer), (line.rendering_npi), (line.hcpcs_code), (strftime(line.service_date, '%Y-%m'))
        )
),

denied AS (
    SELECT
        CASE
            WHEN grouping(group_code) = 0 THEN 'group'
            WHEN grouping(category) = 0 THEN 'category'
            WHEN grouping(payer) = 0 THEN 'payer'
            WHEN grouping(rendering_npi) = 0 THEN 'clinician'
            WHEN grouping(hcpcs_code) = 0 THEN 'code'
            WHEN grouping(month) = 0 THEN 'month'
            ELSE 'all'
        END AS level,
        coalesce(group_code, category, payer, rendering_npi, hcpcs_code, month) AS item,
        CASE WHEN grouping(rendering_npi) = 0 THEN min(provider_name) END AS provider_name,
        string_agg(
            DISTINCT concat_ws(' ', concat_ws('-', group_code, reason_code), remark_code), ', '
            ORDER BY concat_ws(' ', concat_ws('-', group_code, reason_code), remark_code)
        ) FILTER (reason_code IS NOT NULL OR remark_code IS NOT NULL) AS codes,
        count(*) AS denials,
        count(*) FILTER (outcome = 'denied again') AS denied_again,
        count(*) FILTER (outcome = 'open') AS open_denials,
        count(DISTINCT (claim_id, claim_line_number)) AS lines_denied,
        sum(counted_amount) AS denied_amount,
        sum(recovered_amount) AS recovered_amount,
        sum(patient_amount) AS patient_amount,
        sum(written_off_amount) AS written_off_amount,
        sum(open_amount) AS open_amount
    FROM report_denial
    GROUP BY
        GROUPING SETS ((), (group_code), (category), (payer), (rendering_npi), (hcpcs_code), (month))
)

SELECT
    denied.level,
    denied.item,
    denied.provider_name,
    denied.codes,
    coalesce(denied.denials, 0) AS denials,
    coalesce(denied.denied_again, 0) AS denied_again,
    coalesce(denied.open_denials, 0) AS open_denials,
    coalesce(denied.lines_denied, 0) AS lines_denied,
    answered.lines_answered,
    coalesce(denied.denied_amount, 0.00) AS denied_amount,
    coalesce(denied.recovered_amount, 0.00) AS recovered_amount,
    coalesce(denied.patient_amount, 0.00) AS patient_amount,
    coalesce(denied.written_off_amount, 0.00) AS written_off_amount,
    coalesce(denied.open_amount, 0.00) AS open_amount
FROM denied
LEFT JOIN answered ON denied.level = answered.level AND denied.item IS NOT DISTINCT FROM answered.item
ORDER BY
    denied.level,
    CASE WHEN denied.level = 'month' THEN denied.item END,
    denied_amount DESC,
    denials DESC,
    denied.item NULLS LAST
