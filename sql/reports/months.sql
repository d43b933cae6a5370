-- Each month of the period that has lines or findings: lines audited, findings, and exposure over and under.
WITH line AS (
    SELECT
        strftime(service_date, '%Y-%m') AS month,
        count(*) AS lines_audited
    FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN period_start AND period_end
    GROUP BY month
),

counted AS (
    SELECT
        month,
        count(*) AS findings,
        0.00 AS overpayment_amount,
        0.00 AS underpayment_amount
    FROM report_finding
    GROUP BY month
    UNION ALL
    SELECT
        month,
        0 AS findings,
        sum(CASE WHEN direction = 'overpayment' THEN exposure_amount ELSE 0.00 END) AS overpayment_amount,
        sum(CASE WHEN direction = 'underpayment' THEN exposure_amount ELSE 0.00 END) AS underpayment_amount
    FROM report_exposure
    GROUP BY month
),

found AS (
    SELECT
        month,
        sum(findings)::BIGINT AS findings,
        sum(overpayment_amount)::DECIMAL(18, 2) AS overpayment_amount,
        sum(underpayment_amount)::DECIMAL(18, 2) AS underpayment_amount
    FROM counted
    GROUP BY month
)

SELECT
    month,
    coalesce(line.lines_audited, 0) AS lines_audited,
    coalesce(found.findings, 0) AS findings,
    coalesce(found.overpayment_amount, 0.00) AS overpayment_amount,
    coalesce(found.underpayment_amount, 0.00) AS underpayment_amount
FROM line
FULL OUTER JOIN found USING (month)
ORDER BY month
