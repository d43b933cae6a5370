-- Each finding with what its reader needs beside it: the rule's words, the clinician's name, the month, and the part of
-- its amount that counts in totals. A line's dollars count once per direction: with the finding that puts most at risk.
CREATE OR REPLACE TEMP TABLE report_finding AS
WITH counted AS (
    SELECT
        finding.*,
        direction = 'underpayment' OR (direction = 'overpayment' AND severity <> 'info') AS counts
    FROM finding
)

SELECT
    counted.* EXCLUDE (counts),
    CASE
        WHEN
            counts
            AND row_number() OVER (
                PARTITION BY counted.claim_id, counted.claim_line_number, counted.direction, counted.counts
                ORDER BY counted.amount_at_risk DESC, counted.finding_id
            ) = 1
            THEN counted.amount_at_risk
        ELSE 0.00
    END::DECIMAL(12, 2) AS exposure_amount,
    CASE counted.severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END AS severity_rank,
    strftime(counted.service_date, '%Y-%m') AS month,
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
FROM counted
LEFT JOIN rule ON counted.rule = rule.rule
LEFT JOIN provider ON counted.rendering_npi = provider.npi
