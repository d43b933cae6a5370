-- Each rule that ran, the most dollars first. A line can be at fault under several rules: these amounts overlap.
WITH found AS (
    SELECT
        rule,
        count(*) AS findings,
        sum(amount_at_risk) AS amount_at_risk,
        sum(exposure_amount) AS exposure_amount
    FROM report_finding
    GROUP BY rule
)

SELECT
    rule.rule,
    rule.title,
    rule.severity,
    rule.direction,
    rule.grain,
    rule.remedy,
    rule.exceptions,
    rule."references",
    rule.fingerprint,
    coalesce(found.findings, 0) AS findings,
    coalesce(found.amount_at_risk, 0.00) AS amount_at_risk,
    coalesce(found.exposure_amount, 0.00) AS exposure_amount
FROM rule
LEFT JOIN found ON rule.rule = found.rule
ORDER BY
    CASE rule.direction WHEN 'overpayment' THEN 1 WHEN 'underpayment' THEN 2 ELSE 3 END,
    amount_at_risk DESC,
    findings DESC,
    rule.rule
