-- The findings of each clinician by rule, the most dollars first. Amounts of rules overlap where a line breaks several.
SELECT
    report_finding.rendering_npi AS clinician_npi,
    report_finding.rule,
    any_value(report_finding.title) AS title,
    any_value(report_finding.direction) AS direction,
    arg_min(report_finding.severity, report_finding.severity_rank) AS severity,
    count(*) AS findings,
    sum(report_finding.amount_at_risk) AS amount_at_risk
FROM report_finding
WHERE report_finding.rendering_npi IS NOT NULL
GROUP BY report_finding.rendering_npi, report_finding.rule
ORDER BY clinician_npi, amount_at_risk DESC, findings DESC, report_finding.rule
