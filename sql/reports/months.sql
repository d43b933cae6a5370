-- Each month of the period that has lines or findings: lines audited, findings, and exposure over and under.
WITH line AS (
    SELECT
        strftime(service_date, '%Y-%m') AS month,
        count(*) AS lines_audited
    FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN period_start AND period_end
    GROUP BY month
),

found AS (
    SELECT
        month,
        count(*) AS findings,
        coalesce(sum(exposure_amount) FILTER (WHERE direction = 'overpayment'), 0.00) AS overpayment_amount,
        coalesce(sum(exposure_amount) FILTER (WHERE direction = 'underpayment'), 0.00) AS underpayment_amount
    FROM report_finding
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
