-- Findings with a new decision on which the last word of two reviewers differs, or that of one on one day.
WITH one AS (
    SELECT
        unnest(decision),
        place,
        is_new
    FROM merged
),

last_word AS (
    SELECT *
    FROM one
    QUALIFY reviewed_on = max(reviewed_on) OVER (PARTITION BY finding_id, reviewer)
),

told AS (
    SELECT
        finding_id,
        max(rule) AS rule,
        string_agg(
            DISTINCT disposition || ' by ' || coalesce(reviewer, 'somebody') || coalesce(' on ' || reviewed_on, '')
            || ' (' || place || ')',
            ', ' ORDER BY disposition || ' by ' || coalesce(reviewer, 'somebody') || coalesce(' on ' || reviewed_on, '')
            || ' (' || place || ')'
        ) AS decisions,
        count(DISTINCT disposition) AS dispositions,
        count(DISTINCT reviewed_on) AS days,
        arg_max(disposition, (reviewed_on, disposition <> 'dismissed', disposition)) AS counting
    FROM last_word
    GROUP BY finding_id
)

SELECT
    concat_ws(' ', finding_id, '(' || rule || '):') || ' ' || decisions || '; '
    || CASE WHEN days > 1 THEN 'the last one counts (' ELSE 'of one day, so it is not silent (' END || counting || ').'
FROM told
WHERE dispositions > 1 AND finding_id IN (SELECT finding_id FROM one WHERE is_new)
ORDER BY finding_id
