-- What keeps a row from being a decision: a sentence each, with file and row. Exact repeats are no fault.
WITH fault AS (
    SELECT
        source_file,
        source_row,
        concat_ws(': ', column_name, reason) AS said
    FROM quarantine
    WHERE NOT starts_with(reason, 'exact duplicate of ')
    UNION ALL
    SELECT
        source_file,
        source_row,
        unnest(list_filter([
            CASE
                WHEN NOT regexp_matches(finding_id, '^[0-9a-f]{16}$')
                    THEN 'finding_id: none that a run gives; leave it as the workbook has it'
            END,
            CASE WHEN reviewer IS NULL THEN 'reviewer: empty; write who decided it' END,
            CASE
                WHEN reviewed_on IS NULL THEN 'reviewed_on: empty; write the day of the decision, such as 2026-07-31'
                WHEN reviewed_on > (SELECT run_day FROM run_day)
                    THEN 'reviewed_on: a day to come; write the day of the decision'
            END,
            CASE
                WHEN disposition = 'dismissed' AND note IS NULL
                    THEN 'note: empty; a dismissal says why the finding is fine'
            END,
            CASE
                WHEN valid_until IS NOT NULL AND disposition <> 'dismissed'
                    THEN 'valid_until: only a dismissal has a last day; empty it'
                WHEN valid_until < reviewed_on THEN 'valid_until: before reviewed_on; write a later day'
            END
        ], lambda sentence: sentence IS NOT NULL)) AS said
    FROM review
    WHERE disposition IS NOT NULL
)

SELECT source_file || coalesce(' row ' || source_row, '') || ': ' || rtrim(said, '.') || '.' AS sentence
FROM fault
ORDER BY source_file, source_row, said
