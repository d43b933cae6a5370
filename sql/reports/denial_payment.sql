-- Days to payment by payer: from submission (or receipt) where that is known, and from service, to the first payment.
WITH payment AS (
    SELECT
        line_remittance.claim_id,
        line_remittance.claim_line_number,
        min(remittance_line.paid_date) AS paid_date
    FROM line_remittance
    INNER JOIN remittance_line
        ON
            line_remittance.remittance_id = remittance_line.remittance_id
            AND line_remittance.remittance_line_number = remittance_line.remittance_line_number
    WHERE remittance_line.paid_amount > 0 AND remittance_line.claim_status_code IS DISTINCT FROM '22'
    GROUP BY line_remittance.claim_id, line_remittance.claim_line_number
),

paid AS (
    SELECT
        line.payer,
        payment.paid_date - line.service_date AS from_service,
        -- The payment's days run from the claim's receipt or submission to the last answer.
        CASE
            WHEN payment.paid_date >= line_payment.last_paid_date - line_payment.days_to_payment
                THEN payment.paid_date - (line_payment.last_paid_date - line_payment.days_to_payment)
        END AS from_submission
    FROM therapy_line AS line
    INNER JOIN audit_period ON line.service_date BETWEEN audit_period.period_start AND audit_period.period_end
    INNER JOIN payment ON line.claim_id = payment.claim_id AND line.claim_line_number = payment.claim_line_number
    INNER JOIN line_payment
        ON line.claim_id = line_payment.claim_id AND line.claim_line_number = line_payment.claim_line_number
    WHERE payment.paid_date >= line.service_date
)

SELECT
    grouping(payer) = 1 AS is_total,
    payer,
    count(*) AS lines_paid,
    count(from_submission) AS lines_submitted,
    quantile_cont(from_submission, 0.5) AS submission_median,
    quantile_cont(from_submission, 0.9) AS submission_ninth,
    quantile_cont(from_service, 0.5) AS service_median,
    quantile_cont(from_service, 0.9) AS service_ninth
FROM paid
GROUP BY GROUPING SETS ((), (payer))
ORDER BY is_total DESC, lines_paid DESC, payer NULLS LAST
