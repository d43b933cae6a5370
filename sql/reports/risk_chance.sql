-- Each rule with dollars at risk: how likely its findings are taken to be upheld, and what that rests on.
SELECT
    report_risk.rule,
    rule.title,
    report_risk.severity,
    max(report_risk.chance) AS chance,
    max(report_risk.chance_source) AS chance_source,
    max(report_risk.severity_weight) AS severity_weight,
    count(DISTINCT report_risk.finding_id) AS findings,
    sum(report_risk.money)::DECIMAL(18, 2) AS money,
    sum(report_risk.score)::DECIMAL(18, 2) AS score
FROM report_risk
INNER JOIN rule ON report_risk.rule = rule.rule
GROUP BY report_risk.rule, rule.title, report_risk.severity
ORDER BY score DESC, report_risk.rule, report_risk.severity
