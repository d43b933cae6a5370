-- Each rule that speaks to denials or has findings on answered lines: the denials that it speaks to, by what it said of
-- them; and its findings whose line has an answer: of these, how many deny something it speaks to, how many deny
-- anything, and what was paid on the lines of those that were not denied at all.
WITH spoken AS (
    SELECT
        rule,
        count(*) AS denials,
        count(*) FILTER (state = 'flagged') AS flagged,
        count(*) FILTER (state = 'not evaluable') AS not_evaluable,
        count(*) FILTER (state = 'passed') AS passed,
        count(*) FILTER (state = 'not judged') AS not_judged
    FROM report_denial_rule
    GROUP BY rule
),

doubt AS (
    SELECT
        rule,
        reason,
        count(*) AS denials
    FROM report_denial_rule
    WHERE state = 'not evaluable'
    GROUP BY rule, reason
),

doubts AS (
    SELECT
        rule,
        string_agg(reason || ': ' || denials, '; ' ORDER BY denials DESC, reason) AS reasons
    FROM doubt
    GROUP BY rule
),

hit AS (
    SELECT
        linked.finding_id,
        bool_or(denial_rule.rule IS NOT NULL) AS for_its_reason
    FROM report_denial_finding AS linked
    LEFT JOIN report_denial_rule AS denial_rule
        ON linked.rule = denial_rule.rule AND linked.answer_id = denial_rule.answer_id
    GROUP BY linked.finding_id
),

answered AS (
    SELECT
        finding.rule,
        finding.finding_id,
        finding.claim_id,
        finding.claim_line_number,
        hit.finding_id IS NOT NULL AS denied,
        coalesce(hit.for_its_reason, FALSE) AS for_its_reason,
        line_payment.paid_amount
    FROM finding
    INNER JOIN line_payment
        ON
            finding.claim_id = line_payment.claim_id
            AND finding.claim_line_number = line_payment.claim_line_number
            AND line_payment.adjudications > 0
    LEFT JOIN hit ON finding.finding_id = hit.finding_id
),

paid_line AS (
    SELECT DISTINCT
        rule,
        claim_id,
        claim_line_number,
        paid_amount
    FROM answered
    WHERE NOT denied
),

paid AS (
    SELECT
        rule,
        sum(paid_amount) AS paid_amount
    FROM paid_line
    GROUP BY rule
),

found AS (
    SELECT
        rule,
        count(*) AS findings,
        count(*) FILTER (denied) AS findings_denied,
        count(*) FILTER (for_its_reason) AS findings_denied_for_it
    FROM answered
    GROUP BY rule
),

speaks AS (
    SELECT
        rule,
        string_agg(denial_code, ' ' ORDER BY length(denial_code), denial_code) AS codes
    FROM rule_denial_reason
    GROUP BY rule
)

SELECT
    rule.rule,
    rule.title,
    rule.direction,
    speaks.codes,
    coalesce(spoken.denials, 0) AS denials,
    coalesce(spoken.flagged, 0) AS flagged,
    coalesce(spoken.not_evaluable, 0) AS not_evaluable,
    coalesce(spoken.passed, 0) AS passed,
    coalesce(spoken.not_judged, 0) AS not_judged,
    doubts.reasons,
    coalesce(found.findings, 0) AS findings,
    coalesce(found.findings_denied, 0) AS findings_denied,
    coalesce(found.findings_denied_for_it, 0) AS findings_denied_for_it,
    coalesce(paid.paid_amount, 0.00) AS paid_amount
FROM rule
LEFT JOIN speaks ON rule.rule = speaks.rule
LEFT JOIN spoken ON rule.rule = spoken.rule
LEFT JOIN doubts ON rule.rule = doubts.rule
LEFT JOIN found ON rule.rule = found.rule
LEFT JOIN paid ON rule.rule = paid.rule
WHERE spoken.rule IS NOT NULL OR found.rule IS NOT NULL
ORDER BY denials DESC, paid_amount DESC, findings DESC, rule.rule
