-- What each finding with dollars weighs: money times the chance that it is upheld times the weight of its severity. The
-- chance is the rule's own share of findings that reviewers upheld; with too few decisions, what payers denied for its
-- reason, though never less than the stated chance (that a payer paid does not clear a line); else the stated one.
CREATE OR REPLACE TEMP TABLE report_risk AS
WITH setting AS (
    SELECT
        key AS severity,
        max(value) FILTER (WHERE name = 'clinic.finding_chance') AS stated_chance,
        max(value) FILTER (WHERE name = 'clinic.severity_weight') AS severity_weight
    FROM parameter
    WHERE name IN ('clinic.finding_chance', 'clinic.severity_weight')
    GROUP BY key
),

least_decisions AS (
    SELECT max(value) AS decisions
    FROM parameter
    WHERE name = 'clinic.chance_least_decisions'
),

decided AS (
    SELECT
        coalesce(finding.rule, review_decision.rule) AS rule,
        count(*) AS decisions,
        count(*) FILTER (WHERE review_decision.disposition <> 'dismissed') AS upheld
    FROM review_decision
    LEFT JOIN finding ON review_decision.finding_id = finding.finding_id
    WHERE coalesce(finding.rule, review_decision.rule) IS NOT NULL
    GROUP BY coalesce(finding.rule, review_decision.rule)
),

answered AS (
    SELECT DISTINCT
        finding.rule,
        finding.finding_id
    FROM finding_line
    INNER JOIN finding ON finding_line.finding_id = finding.finding_id
    INNER JOIN line_payment
        ON
            finding_line.claim_id = line_payment.claim_id
            AND finding_line.claim_line_number = line_payment.claim_line_number
    WHERE line_payment.adjudications > 0
),

denied AS (
    SELECT DISTINCT
        linked.rule,
        linked.finding_id
    FROM report_denial_finding AS linked
    INNER JOIN report_denial_rule AS spoken ON linked.rule = spoken.rule AND linked.answer_id = spoken.answer_id
),

payer_said AS (
    SELECT
        answered.rule,
        count(*) AS answers,
        count(denied.finding_id) AS denials
    FROM answered
    LEFT JOIN denied ON answered.finding_id = denied.finding_id
    GROUP BY answered.rule
),

weighed AS (
    SELECT
        finding.finding_id,
        finding.rule,
        finding.severity,
        CASE
            WHEN decided.decisions >= least_decisions.decisions THEN decided.upheld / decided.decisions
            WHEN payer_said.answers >= least_decisions.decisions
                THEN greatest(payer_said.denials / payer_said.answers, setting.stated_chance)
            ELSE setting.stated_chance
        END::DECIMAL(6, 4) AS chance,
        CASE
            WHEN decided.decisions >= least_decisions.decisions THEN 'decisions'
            WHEN
                payer_said.answers >= least_decisions.decisions
                AND payer_said.denials / payer_said.answers > setting.stated_chance
                THEN 'denials'
            ELSE 'stated'
        END AS chance_source,
        setting.severity_weight::DECIMAL(6, 4) AS severity_weight
    FROM finding
    CROSS JOIN least_decisions
    INNER JOIN setting ON finding.severity = setting.severity
    LEFT JOIN decided ON finding.rule = decided.rule
    LEFT JOIN payer_said ON finding.rule = payer_said.rule
    WHERE finding.direction = 'overpayment'
)

SELECT
    weighed.*,
    finding_line.claim_id,
    finding_line.claim_line_number,
    finding_line.exposure_amount AS money,
    round(finding_line.exposure_amount * weighed.chance, 2)::DECIMAL(12, 2) AS expected_loss,
    round(finding_line.exposure_amount * weighed.chance * weighed.severity_weight, 2)::DECIMAL(12, 2) AS score
FROM weighed
INNER JOIN finding_line ON weighed.finding_id = finding_line.finding_id
WHERE finding_line.exposure_amount > 0
