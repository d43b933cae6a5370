-- Each skilled activity of an episode, visit by visit: its place in the episode, and where a decision begins the count
-- anew. Numbers and flags alone: what windows sort is kept narrow.
WITH measured AS (
    SELECT
        day_number,
        count(*)::SMALLINT AS measures
    FROM activity_measure
    GROUP BY day_number
),

numbered AS (
    SELECT
        frame.day_number,
        frame.activity_number,
        frame.service_date,
        frame.setback,
        frame.advanced,
        frame.has_new_plan,
        frame.text_length,
        row_number() OVER visit_order AS visit_number,
        count(*) OVER (PARTITION BY frame.activity_number) AS visits_of_activity,
        max(measured.measures) OVER visit_order AS measures_so_far,
        -- A plateau is answered once the plan was changed: with it, or later.
        bool_or(frame.plateau) OVER visit_order AND frame.plan_changed AS plateau_answered
    FROM activity_frame AS frame
    LEFT JOIN measured ON frame.day_number = measured.day_number
    WINDOW visit_order AS (PARTITION BY frame.activity_number ORDER BY frame.service_date)
)

-- What was decided about a missing change begins the count again.
SELECT
    *,
    sum((plateau_answered OR has_new_plan)::INTEGER) OVER (
        PARTITION BY activity_number ORDER BY visit_number
    ) AS stage
FROM numbered
