-- Each finding with what its reader needs beside it: the rule's words, the clinician's name, the month. Its place is
-- its rank in the report: the largest amounts first.
CREATE OR REPLACE TEMP TABLE report_finding AS
SELECT
    finding.*,
    CASE finding.severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END AS severity_rank,
    row_number() OVER (
        ORDER BY
            finding.amount_at_risk DESC,
            CASE finding.severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END,
            finding.finding_id
    ) AS place,
    strftime(finding.service_date, '%Y-%m') AS month,
    provider.provider_name,
    rule.title,
    rule.remedy,
    array_to_string(
        list_transform(
            rule."references"::JSON[],
            lambda entry: concat_ws(' ', entry ->> 'title', '<' || (entry ->> 'href') || '>')
        ),
        '; '
    ) AS citation
FROM finding
LEFT JOIN rule ON finding.rule = rule.rule
LEFT JOIN provider ON finding.rendering_npi = provider.npi
