-- Each finding with what its reader needs beside it: the rule's words, clinician's name, month, what was decided.
-- Its place is its rank in the report: the largest amounts first. Those dismissed by review stand apart, in
-- report_dismissed.
CREATE OR REPLACE TEMP TABLE report_finding AS
SELECT
    finding.*,
    CASE finding.severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END AS severity_rank,
    row_number() OVER (
        ORDER BY
            coalesce(review.review_state = 'dismissed', FALSE),
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
    ) AS citation,
    facts_hash(finding.rule, finding.amount_at_risk, finding.facts) AS facts_hash,
    coalesce(review.review_state, 'open') AS review_state,
    review.disposition,
    review.reviewer,
    review.reviewed_on,
    review.valid_until,
    review.note AS review_note
FROM finding
LEFT JOIN finding_review AS review ON finding.finding_id = review.finding_id
LEFT JOIN rule ON finding.rule = rule.rule
LEFT JOIN provider ON finding.rendering_npi = provider.npi;

CREATE OR REPLACE TEMP TABLE report_dismissed AS
SELECT *
FROM report_finding
WHERE review_state = 'dismissed';

DELETE FROM report_finding
WHERE review_state = 'dismissed'
