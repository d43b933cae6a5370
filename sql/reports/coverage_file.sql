-- Each rule with its outcomes: what could not be judged is told apart from what passed.
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
    ) AS reasons
FROM coverage
LEFT JOIN rule ON coverage.rule = rule.rule
ORDER BY coverage.rule
