-- Per rule: what reviewers decided, how often they agreed with it, and what is open. A rule that cries wolf shows here.
WITH decided AS (
    SELECT
        coalesce(finding.rule, review_decision.rule) AS rule,
        count(*) AS decided,
        count(*) FILTER (WHERE review_decision.disposition <> 'dismissed') AS upheld,
        count(*) FILTER (WHERE review_decision.disposition = 'dismissed') AS dismissed
    FROM review_decision
    LEFT JOIN finding ON review_decision.finding_id = finding.finding_id
    GROUP BY coalesce(finding.rule, review_decision.rule)
),

state AS (
    SELECT
        rule,
        count(*) FILTER (WHERE review_state IN ('open', 'changed', 'expired', 'came_back')) AS undecided,
        count(*) FILTER (WHERE review_state = 'came_back') AS came_back,
        count(*) FILTER (WHERE review_state = 'changed') AS changed,
        count(*) FILTER (WHERE review_state = 'expired') AS expired
    FROM report_finding
    GROUP BY rule
),

silent AS (
    SELECT
        rule,
        count(*) AS silent,
        sum(amount_at_risk) AS silent_amount
    FROM report_dismissed
    GROUP BY rule
)

SELECT
    decided.rule,
    coalesce(rule.title, decided.rule) AS title,
    decided.decided,
    decided.upheld,
    decided.dismissed,
    round(decided.upheld / decided.decided, 4)::DOUBLE AS agreement,
    coalesce(state.undecided, 0) AS undecided,
    coalesce(state.came_back, 0) AS came_back,
    coalesce(state.changed, 0) AS changed,
    coalesce(state.expired, 0) AS expired,
    coalesce(silent.silent, 0) AS silent,
    coalesce(silent.silent_amount, 0.00) AS silent_amount
FROM decided
LEFT JOIN state ON decided.rule = state.rule
LEFT JOIN silent ON decided.rule = silent.rule
LEFT JOIN rule ON decided.rule = rule.rule
WHERE decided.rule IS NOT NULL
ORDER BY agreement, decided.decided DESC, decided.rule
