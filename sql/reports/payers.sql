-- Each payer: lines audited, findings, and exposure over and under, the most dollars first.
WITH line AS (
    SELECT
        payer,
        any_value(plan) AS plan,
        count(*) AS lines_audited
    FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN period_start AND period_end
    GROUP BY payer
),

counted AS (
    SELECT
        payer,
        count(*) AS findings,
        0.00 AS overpayment_amount,
        0.00 AS underpayment_amount
    FROM report_finding
    GROUP BY payer
    UNION ALL
    SELECT
        payer,
        0 AS findings,
        sum(CASE WHEN direction = 'overpayment' THEN exposure_amount ELSE 0.00 END) AS overpayment_amount,
        sum(CASE WHEN direction = 'underpayment' THEN exposure_amount ELSE 0.00 END) AS underpayment_amount
    FROM report_exposure
    GROUP BY payer
),

found AS (
    SELECT
        payer,
        sum(findings)::BIGINT AS findings,
        sum(overpayment_amount)::DECIMAL(18, 2) AS overpayment_amount,
        sum(underpayment_amount)::DECIMAL(18, 2) AS underpayment_amount
    FROM counted
    GROUP BY payer
)

SELECT
    coalesce(line.payer, found.payer) AS payer,
    plan.title AS plan,
    coalesce(line.lines_audited, 0) AS lines_audited,
    coalesce(found.findings, 0) AS findings,
    coalesce(found.overpayment_amount, 0.00) AS overpayment_amount,
    coalesce(found.underpayment_amount, 0.00) AS underpayment_amount
FROM line
FULL OUTER JOIN found ON line.payer IS NOT DISTINCT FROM found.payer
LEFT JOIN plan ON line.plan = plan.plan
ORDER BY overpayment_amount DESC, underpayment_amount DESC, findings DESC, payer
