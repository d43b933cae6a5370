-- Each rule with its outcomes: what could not be judged is told apart from what passed.
WITH decided AS (
    SELECT
        coalesce(finding.rule, review_decision.rule) AS rule,
        count(*) AS decided,
        count(*) FILTER (WHERE review_decision.disposition <> 'dismissed') AS upheld
    FROM review_decision
    LEFT JOIN finding ON review_decision.finding_id = finding.finding_id
    GROUP BY coalesce(finding.rule, review_decision.rule)
),

silent AS (
    SELECT
        finding.rule,
        count(*) AS dismissed
    FROM finding_review
    INNER JOIN finding ON finding_review.finding_id = finding.finding_id
    WHERE finding_review.review_state = 'dismissed'
    GROUP BY finding.rule
)

SELECT
    coverage.rule,
    rule.title,
    rule.severity,
    rule.direction,
    coverage.grain,
    coverage.in_scope,
    coverage.passed,
    coverage.failed,
    coverage.not_evaluable,
    coverage.error,
    coverage.findings,
    coverage.amount_at_risk,
    array_to_string(
        list_transform(
            json_keys(coverage.reasons),
            -- As a JSON pointer, since a reason may hold any character.
            lambda reason: format(
                '{}: {:,}',
                reason,
                json_extract(coverage.reasons, '/' || replace(replace(reason, '~', '~0'), '/', '~1'))::BIGINT
            )
        ),
        '; '
    ) AS reasons,
    coalesce(silent.dismissed, 0) AS dismissed, -- findings that failed, and that review dismissed
    coalesce(decided.decided, 0) AS decided, -- findings, of earlier runs too, that reviewers decided
    round(decided.upheld / decided.decided, 4)::DOUBLE AS agreement -- share of these that they upheld
FROM coverage
LEFT JOIN silent ON coverage.rule = silent.rule
LEFT JOIN decided ON coverage.rule = decided.rule
LEFT JOIN rule ON coverage.rule = rule.rule
ORDER BY coverage.rule
