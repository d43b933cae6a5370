-- Denials by category and by what the rules of this run say to them, each denial once, by the first that holds: a rule
-- that speaks to its reason flags it; could not judge it; passed it; does not judge such lines; or none speaks to it.
WITH stated AS (
    SELECT
        answer_id,
        CASE min(CASE state WHEN 'flagged' THEN 1 WHEN 'not evaluable' THEN 2 WHEN 'passed' THEN 3 ELSE 4 END)
            WHEN 1 THEN 'flagged'
            WHEN 2 THEN 'not evaluable'
            WHEN 3 THEN 'passed'
            ELSE 'not judged'
        END AS state
    FROM report_denial_rule
    GROUP BY answer_id
)

SELECT
    grouping(denial.category) = 1 AS is_total,
    denial.category,
    count(*) AS denials,
    count(*) FILTER (stated.state = 'flagged') AS flagged,
    count(*) FILTER (stated.state = 'not evaluable') AS not_evaluable,
    count(*) FILTER (stated.state = 'passed') AS passed,
    count(*) FILTER (stated.state = 'not judged') AS not_judged,
    count(*) FILTER (stated.state IS NULL) AS no_rule,
    coalesce(sum(denial.counted_amount) FILTER (stated.state = 'flagged'), 0.00) AS flagged_amount,
    coalesce(sum(denial.counted_amount) FILTER (stated.state <> 'flagged'), 0.00) AS missed_amount,
    coalesce(sum(denial.counted_amount) FILTER (stated.state IS NULL), 0.00) AS no_rule_amount
FROM report_denial AS denial
LEFT JOIN stated ON denial.answer_id = stated.answer_id
GROUP BY GROUPING SETS ((), (denial.category))
ORDER BY is_total DESC, denials DESC, denial.category
