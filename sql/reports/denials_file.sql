-- denials.parquet and denials.csv: each answer that denies, with what became of it and the rules that speak to it.
WITH spoken AS (
    SELECT
        answer_id,
        string_agg(rule, '; ' ORDER BY rule) FILTER (state = 'flagged') AS rules_flagged,
        string_agg(rule || coalesce(' (' || reason || ')', ''), '; ' ORDER BY rule) FILTER (state = 'not evaluable')
            AS rules_not_evaluable,
        string_agg(rule, '; ' ORDER BY rule) FILTER (state = 'passed') AS rules_passed
    FROM report_denial_rule
    GROUP BY answer_id
)

SELECT
    denial.* EXCLUDE (answer_id, codes),
    array_to_string(denial.codes, ' ') AS codes,
    spoken.rules_flagged,
    spoken.rules_not_evaluable,
    spoken.rules_passed
FROM report_denial AS denial
LEFT JOIN spoken ON denial.answer_id = spoken.answer_id
ORDER BY
    denial.service_date,
    denial.claim_id,
    denial.claim_line_number,
    denial.remittance_id,
    denial.remittance_line_number
