-- What each visit of a skilled activity gained over the best so far: since the episode's begin, or since a decision
-- about the missing change or ground lost for a documented reason. Activities with too few visits to stall are left out.
WITH
-- Every measure so that more is better; one that is better either way has no direction. Some tell how hard the task is,
-- the others how it went.
valued AS MATERIALIZED (
    SELECT
        activity_visit.activity_number,
        activity_visit.visit_number,
        activity_visit.stage,
        activity_visit.setback,
        activity_visit.visits_of_activity,
        activity_measure.measure,
        activity_measure.is_field,
        measure.better = 'either' AS is_undirected,
        measure.smallest_change,
        -- Counts and ratings waver by one, and so do shares; what else got better did so for certain.
        CASE
            WHEN activity_measure.measure IN ('success_share', 'cue_share') THEN 0.2
            WHEN measure.smallest_change = 1 AND activity_measure.measure NOT IN ('assist', 'cue_level') THEN 1.0
            ELSE 0.0
        END AS wavers_by,
        activity_measure.measure IN (
            'difficulty', 'load', 'weight', 'resistance', 'band', 'distance', 'height', 'seat_height', 'surface',
            'stance', 'vision', 'step_pattern', 'device', 'rails', 'hand_support', 'sequence_steps', 'distraction',
            'diet', 'liquid', 'speech_unit', 'task'
        ) AS is_demand,
        CASE measure.better WHEN 'less' THEN -activity_measure.value ELSE activity_measure.value END AS value
    FROM activity_visit
    INNER JOIN activity_measure ON activity_visit.day_number = activity_measure.day_number
    INNER JOIN measure ON activity_measure.measure = measure.measure
    WHERE
        activity_visit.visits_of_activity
        >= (SELECT min(parameter.value) FROM parameter WHERE parameter.name = 'clinic.stalled_visits')
),

-- Worse for a documented reason, and no better at the visit after: what was reached before is lost, and the best is
-- sought anew. What is regained at once was an off day.
compared AS (
    SELECT
        *,
        max(value) OVER earlier AS best,
        lead(value) OVER visit_order AS next_value,
        lead(visit_number) OVER visit_order AS next_visit
    FROM valued
    WHERE
        NOT is_undirected
        AND activity_number IN (
            SELECT activity_visit.activity_number
            FROM activity_visit
            WHERE activity_visit.setback
        )
    WINDOW
        visit_order AS (PARTITION BY activity_number, stage, measure ORDER BY visit_number),
        earlier AS (visit_order ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),

lost AS (
    SELECT
        activity_number,
        visit_number
    FROM compared
    WHERE setback AND value <= best - smallest_change
    GROUP BY activity_number, visit_number
    HAVING
        bool_or(next_value <= best - smallest_change AND next_visit = visit_number + 1)
        OR any_value(visit_number) = any_value(visits_of_activity)
),

phased AS MATERIALIZED (
    SELECT
        activity_visit.activity_number,
        activity_visit.visit_number,
        activity_visit.day_number,
        activity_visit.advanced,
        lost.visit_number IS NOT NULL AS is_lost,
        activity_visit.stage + count(lost.visit_number) OVER (
            PARTITION BY activity_visit.activity_number ORDER BY activity_visit.visit_number
        ) AS phase
    FROM activity_visit
    LEFT JOIN lost
        ON activity_visit.activity_number = lost.activity_number AND activity_visit.visit_number = lost.visit_number
    WHERE
        activity_visit.visits_of_activity
        >= (SELECT min(parameter.value) FROM parameter WHERE parameter.name = 'clinic.stalled_visits')
),

demanded AS (
    SELECT
        valued.activity_number,
        valued.visit_number,
        valued.is_field,
        valued.is_undirected,
        valued.smallest_change,
        valued.wavers_by,
        valued.value,
        hash(valued.activity_number, phased.phase, valued.measure) AS series
    FROM valued
    INNER JOIN phased
        ON valued.activity_number = phased.activity_number AND valued.visit_number = phased.visit_number
    WHERE valued.is_demand
),

demand_ranked AS MATERIALIZED (
    SELECT
        *,
        max(value) OVER earlier AS best,
        min(value) OVER earlier AS worst
    FROM demanded
    WINDOW earlier AS (
        PARTITION BY series ORDER BY visit_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),

-- Any value that was not seen before is another task where a measure is better neither more nor less.
novel AS (
    SELECT
        any_value(activity_number) AS activity_number,
        min(visit_number) AS visit_number
    FROM demand_ranked
    WHERE is_undirected
    GROUP BY series, value
    HAVING count(*) FILTER (best IS NULL) = 0
),

-- The task was made harder, or another one took its place: from here on it is seen anew how it goes.
harder AS (
    SELECT
        activity_number,
        visit_number
    FROM demand_ranked
    WHERE NOT is_undirected AND value >= best + smallest_change AND value > best + wavers_by
    UNION
    SELECT
        activity_number,
        visit_number
    FROM novel
    UNION
    SELECT
        activity_number,
        visit_number
    FROM phased
    WHERE advanced
),

leveled AS (
    SELECT
        phased.activity_number,
        phased.visit_number,
        phased.phase + count(harder.visit_number) OVER (
            PARTITION BY phased.activity_number ORDER BY phased.visit_number
        ) AS level
    FROM phased
    LEFT JOIN harder
        ON phased.activity_number = harder.activity_number AND phased.visit_number = harder.visit_number
),

performed AS (
    SELECT
        valued.activity_number,
        valued.visit_number,
        valued.is_field,
        valued.is_undirected,
        valued.smallest_change,
        valued.wavers_by,
        valued.value,
        hash(valued.activity_number, leveled.level, valued.measure) AS series
    FROM valued
    INNER JOIN leveled
        ON valued.activity_number = leveled.activity_number AND valued.visit_number = leveled.visit_number
    WHERE NOT valued.is_demand
),

ranked AS (
    SELECT
        *,
        max(value) OVER earlier AS best,
        min(value) OVER earlier AS worst
    FROM performed
    WINDOW earlier AS (
        PARTITION BY series ORDER BY visit_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
    UNION ALL
    SELECT *
    FROM demand_ranked
),

gained AS MATERIALIZED (
    SELECT
        activity_number,
        visit_number,
        count(*) FILTER (NOT is_undirected AND value <= worst - smallest_change) AS new_lows,
        bool_and(is_field AND best IS NULL) AS is_incomparable,
        coalesce(
            bool_or(NOT is_undirected AND value >= best + smallest_change AND value > best + wavers_by), FALSE
        ) AS is_better,
        coalesce(bool_or(NOT is_undirected AND value >= best + smallest_change), FALSE) AS is_little_better
    FROM ranked
    GROUP BY activity_number, visit_number
),

-- One more or one less, in a text that is the last one's but for a word or two, is no gain.
doubtful AS (
    SELECT
        phased.activity_number,
        phased.visit_number,
        phased.day_number,
        last_visit.day_number AS last_day_number
    FROM gained
    INNER JOIN phased
        ON gained.activity_number = phased.activity_number AND gained.visit_number = phased.visit_number
    INNER JOIN phased AS last_visit
        ON phased.activity_number = last_visit.activity_number AND phased.visit_number = last_visit.visit_number + 1
    WHERE gained.is_little_better AND NOT gained.is_better
),

-- Both texts in one column: joined side by side, DuckDB would compare each with every other of its code.
compared_day AS (
    SELECT
        activity_number,
        visit_number,
        day_number
    FROM doubtful
    UNION ALL
    SELECT
        activity_number,
        visit_number,
        last_day_number AS day_number
    FROM doubtful
),

lettered AS (
    SELECT
        compared_day.activity_number,
        compared_day.visit_number,
        -- Letters alone; translate() takes a third of a regular expression's time.
        translate(
            lower(string_agg(coalesce(note_service.text, visit_note.text), ' ' ORDER BY note_service.service_number)),
            '0123456789 .,;:!?()[]/#%*+=&"''-' || chr(9) || chr(10) || chr(13), ''
        ) AS letters
    FROM compared_day
    INNER JOIN activity_service ON compared_day.day_number = activity_service.day_number
    INNER JOIN note_service
        ON
            activity_service.note_id = note_service.note_id
            AND activity_service.service_number = note_service.service_number
    INNER JOIN visit_note ON note_service.note_id = visit_note.note_id
    GROUP BY compared_day.activity_number, compared_day.visit_number, compared_day.day_number
),

paired AS (
    SELECT
        activity_number,
        visit_number,
        min(letters) AS letters,
        max(letters) AS other_letters
    FROM lettered
    GROUP BY activity_number, visit_number
    -- About fifteen words, and about as many.
    HAVING min(length(letters)) >= 70 AND min(length(letters)) >= 0.85 * max(length(letters))
),

copied AS (
    SELECT
        activity_number,
        visit_number
    FROM paired
    WHERE
        text_likeness(letters, other_letters)
        >= (SELECT max(value) FROM parameter WHERE name = 'clinic.cloned_likeness')
)

SELECT
    phased.activity_number,
    phased.visit_number,
    phased.is_lost,
    coalesce(gained.new_lows >= 2, FALSE) AS declines,
    coalesce(gained.is_better OR gained.is_incomparable, FALSE)
    OR phased.advanced
    OR novel.visit_number IS NOT NULL
    OR coalesce(gained.is_little_better AND copied.visit_number IS NULL, FALSE) AS gains
FROM phased
LEFT JOIN gained
    ON phased.activity_number = gained.activity_number AND phased.visit_number = gained.visit_number
LEFT JOIN (SELECT DISTINCT novel.activity_number, novel.visit_number FROM novel) AS novel
    ON phased.activity_number = novel.activity_number AND phased.visit_number = novel.visit_number
LEFT JOIN copied
    ON phased.activity_number = copied.activity_number AND phased.visit_number = copied.visit_number
