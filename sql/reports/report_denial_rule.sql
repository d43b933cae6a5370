-- Each denial with each rule that speaks to its reason: whether the rule flagged it, could not judge it, passed it, or
-- does not judge it (another plan, another date).
CREATE OR REPLACE TEMP TABLE report_denial_rule AS
SELECT
    spoken.answer_id,
    spoken.rule,
    CASE
        WHEN
            (spoken.rule, spoken.answer_id) IN (SELECT (rule, answer_id) FROM report_denial_finding)
            THEN 'flagged'
        WHEN judged.reason IS NOT NULL THEN 'not evaluable'
        WHEN judged.rule IS NOT NULL THEN 'passed'
        ELSE 'not judged'
    END AS state,
    judged.reason
FROM report_denial_spoken AS spoken
LEFT JOIN report_judged AS judged
    ON
        spoken.rule = judged.rule
        AND spoken.claim_id = judged.claim_id
        AND spoken.claim_line_number = judged.claim_line_number
