-- Claims, patients, clinicians and payers by risk: money, what is expected of it to be lost, and the score, each a sum
-- over lines; the rule with most of the score. The highest scores of each level first, so many of them.
WITH placed AS (
    SELECT
        report_risk.*,
        therapy_line.patient_id,
        therapy_line.rendering_npi,
        therapy_line.payer
    FROM report_risk
    INNER JOIN therapy_line
        ON
            report_risk.claim_id = therapy_line.claim_id
            AND report_risk.claim_line_number = therapy_line.claim_line_number
),

part AS (
    SELECT
        unnest(['claim', 'patient', 'clinician', 'payer']) AS level,
        unnest([claim_id, patient_id, rendering_npi, payer]) AS item,
        finding_id,
        rule,
        money,
        expected_loss,
        score
    FROM placed
),

by_rule AS (
    SELECT
        level,
        coalesce(item, '') AS item,
        rule,
        count(DISTINCT finding_id) AS findings,
        sum(money) AS money,
        sum(expected_loss) AS expected_loss,
        sum(score) AS score
    FROM part
    GROUP BY level, coalesce(item, ''), rule
),

summed AS (
    SELECT
        level,
        item,
        sum(findings)::BIGINT AS findings,
        sum(money)::DECIMAL(18, 2) AS money,
        sum(expected_loss)::DECIMAL(18, 2) AS expected_loss,
        sum(score)::DECIMAL(18, 2) AS score,
        arg_max(rule, {'score': score, 'rule': rule}) AS first_rule
    FROM by_rule
    GROUP BY level, item
)

SELECT
    summed.level,
    row_number() OVER (PARTITION BY summed.level ORDER BY summed.score DESC, summed.money DESC, summed.item) AS place,
    summed.item,
    provider.provider_name,
    summed.findings,
    summed.money,
    round(summed.expected_loss / nullif(summed.money, 0), 4)::DECIMAL(6, 4) AS chance,
    summed.expected_loss,
    round(summed.score / nullif(summed.expected_loss, 0), 4)::DECIMAL(6, 4) AS severity_weight,
    summed.score,
    summed.first_rule,
    rule.title AS first_rule_title
FROM summed
-- In one equation: with a condition of its own on the level, DuckDB would compare each row with every provider.
LEFT JOIN provider ON CASE WHEN summed.level = 'clinician' THEN summed.item END = provider.npi
LEFT JOIN rule ON summed.first_rule = rule.rule
QUALIFY coalesce(place <= $rows, TRUE)
ORDER BY summed.level, place
