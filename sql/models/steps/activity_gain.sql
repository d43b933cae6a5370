-- What each visit of a skilled activity gained over the best so far: since the episode's begin, or since a decision
-- about the missing change or ground lost for a documented reason. Activities with too few visits to stall are left
-- out.
WITH
visit AS MATERIALIZED (
    SELECT *
    FROM activity_visit
    WHERE visits_of_activity >= (SELECT min(value) FROM parameter WHERE name = 'clinic.stalled_visits')
),

-- Some measures tell how hard the task is, the others how it went. One that is better either way has no direction.
scale AS (
    SELECT
        measure,
        row_number() OVER (ORDER BY measure)::UTINYINT AS measure_number,
        better = 'either' AS is_undirected,
        if(better = 'less', -1, 1) AS direction,
        smallest_change,
        -- Counts and ratings waver by one, and so do shares; what else got better did so for certain.
        CASE
            WHEN measure IN ('success_share', 'cue_share') THEN 0.2
            WHEN smallest_change = 1 AND measure NOT IN ('assist', 'cue_level') THEN 1
            ELSE 0
        END::DOUBLE AS wavers_by,
        measure IN (
            'difficulty', 'load', 'weight', 'resistance', 'band', 'distance', 'height', 'seat_height', 'surface',
            'stance', 'vision', 'step_pattern', 'device', 'rails', 'hand_support', 'sequence_steps', 'distraction',
            'diet', 'liquid', 'speech_unit', 'task'
        ) AS is_demand
    FROM measure
),

-- Every measure so that more is better.
valued AS MATERIALIZED (
    SELECT
        visit.day_number,
        visit.activity_number,
        visit.visit_number,
        scale.measure_number,
        activity_measure.is_field,
        scale.is_undirected,
        scale.smallest_change,
        scale.wavers_by,
        scale.is_demand,
        scale.direction * activity_measure.value AS value
    FROM visit
    INNER JOIN activity_measure ON visit.day_number = activity_measure.day_number
    INNER JOIN scale ON activity_measure.measure = scale.measure
),

-- Worse for a documented reason, and no better at the visit after: what was reached before is lost, and the best is
-- sought anew. What is regained at once was an off day.
compared AS (
    SELECT
        valued.day_number,
        valued.value,
        valued.smallest_change,
        visit.setback,
        visit.visit_number,
        visit.visits_of_activity,
        max(valued.value) OVER earlier AS best,
        lead(valued.value) OVER visit_order AS next_value,
        lead(valued.visit_number) OVER visit_order AS next_visit
    FROM valued
    INNER JOIN visit ON valued.day_number = visit.day_number
    WHERE
        NOT valued.is_undirected
        AND visit.activity_number IN (
            SELECT activity_visit.activity_number
            FROM activity_visit
            WHERE activity_visit.setback AND activity_visit.visit_number > 1
        )
    WINDOW
        visit_order AS (
            PARTITION BY hash(valued.activity_number, visit.stage, valued.measure_number) ORDER BY valued.visit_number
        ),
        earlier AS (visit_order ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),

lost AS (
    SELECT day_number
    FROM compared
    WHERE setback AND value <= best - smallest_change
    GROUP BY day_number
    HAVING
        bool_or(next_value <= best - smallest_change AND next_visit = visit_number + 1)
        OR any_value(visit_number) = any_value(visits_of_activity)
),

phased AS MATERIALIZED (
    SELECT
        visit.day_number,
        visit.activity_number,
        visit.visit_number,
        visit.advanced,
        visit.text_length,
        lost.day_number IS NOT NULL AS is_lost,
        visit.stage + count(lost.day_number) OVER (
            PARTITION BY visit.activity_number ORDER BY visit.visit_number
        ) AS phase
    FROM visit
    LEFT JOIN lost ON visit.day_number = lost.day_number
),

demanded AS (
    SELECT
        valued.day_number,
        valued.visit_number,
        valued.is_field,
        valued.is_undirected,
        valued.smallest_change,
        valued.wavers_by,
        valued.value,
        hash(valued.activity_number, phased.phase, valued.measure_number) AS series
    FROM valued
    INNER JOIN phased ON valued.day_number = phased.day_number
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
    SELECT arg_min(day_number, visit_number) AS day_number
    FROM demand_ranked
    WHERE is_undirected
    GROUP BY series, value
    HAVING count(*) FILTER (best IS NULL) = 0
),

-- The task was made harder, or another one took its place: from here on it is seen anew how it goes.
harder AS MATERIALIZED (
    SELECT day_number
    FROM demand_ranked
    WHERE NOT is_undirected AND value >= best + smallest_change AND value > best + wavers_by
    UNION
    SELECT day_number
    FROM novel
    UNION
    SELECT day_number
    FROM phased
    WHERE advanced
),

leveled AS (
    SELECT
        phased.day_number,
        phased.phase + count(harder.day_number) OVER (
            PARTITION BY phased.activity_number ORDER BY phased.visit_number
        ) AS level
    FROM phased
    LEFT JOIN harder ON phased.day_number = harder.day_number
),

performed AS (
    SELECT
        valued.day_number,
        valued.visit_number,
        valued.is_field,
        valued.is_undirected,
        valued.smallest_change,
        valued.wavers_by,
        valued.value,
        hash(valued.activity_number, leveled.level, valued.measure_number) AS series
    FROM valued
    INNER JOIN leveled ON valued.day_number = leveled.day_number
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

gained AS (
    SELECT
        day_number,
        count(*) FILTER (NOT is_undirected AND value <= worst - smallest_change) AS new_lows,
        bool_and(is_field AND best IS NULL) AS is_incomparable,
        coalesce(
            bool_or(NOT is_undirected AND value >= best + smallest_change AND value > best + wavers_by), FALSE
        ) AS is_better,
        coalesce(bool_or(NOT is_undirected AND value >= best + smallest_change), FALSE) AS is_little_better
    FROM ranked
    GROUP BY day_number
),

-- Gains that are certain part an activity's visits into stretches.
parted AS MATERIALIZED (
    SELECT
        phased.*,
        coalesce(gained.new_lows >= 2, FALSE) AS declines,
        coalesce(gained.is_better OR gained.is_incomparable, FALSE) OR harder.day_number IS NOT NULL AS is_certain,
        coalesce(gained.is_little_better, FALSE) AS is_little_better,
        phased.phase + count(*) FILTER (
            gained.is_better OR gained.is_incomparable OR harder.day_number IS NOT NULL
        ) OVER (
            PARTITION BY phased.activity_number ORDER BY phased.visit_number
        ) AS stretch
    FROM phased
    LEFT JOIN gained ON phased.day_number = gained.day_number
    LEFT JOIN harder ON phased.day_number = harder.day_number
),

-- Nothing can stall in a short one, whatever else is a gain there.
long AS (
    SELECT
        activity_number,
        stretch
    FROM parted
    GROUP BY activity_number, stretch
    HAVING
        count(*) >= (SELECT min(value) FROM parameter WHERE name = 'clinic.stalled_visits')
        AND bool_or(is_little_better AND NOT is_certain)
),

-- One more or one less, in a text that is the last one's but for a word or two, is no gain.
doubtful AS (
    SELECT
        parted.day_number,
        last_visit.day_number AS last_day_number
    FROM parted
    INNER JOIN long ON parted.activity_number = long.activity_number AND parted.stretch = long.stretch
    INNER JOIN parted AS last_visit
        ON parted.activity_number = last_visit.activity_number AND parted.visit_number = last_visit.visit_number + 1
    WHERE
        parted.is_little_better
        AND NOT parted.is_certain
        -- About fifteen words. Unknown where the text is the whole note's.
        AND coalesce(
            parted.text_length >= 90
            AND parted.text_length BETWEEN 0.9 * last_visit.text_length AND 1.1 * last_visit.text_length,
            TRUE
        )
),

-- Both texts in one column: joined side by side, DuckDB would compare each with every other of its code.
compared_day AS (
    SELECT
        day_number AS doubtful_number,
        day_number
    FROM doubtful
    UNION ALL
    SELECT
        day_number AS doubtful_number,
        last_day_number AS day_number
    FROM doubtful
),

lettered AS (
    SELECT
        compared_day.doubtful_number,
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
    GROUP BY compared_day.doubtful_number, compared_day.day_number
),

paired AS (
    SELECT
        doubtful_number AS day_number,
        min(letters) AS letters,
        max(letters) AS other_letters
    FROM lettered
    GROUP BY doubtful_number
    HAVING min(length(letters)) >= 70
),

copied AS (
    SELECT day_number
    FROM paired
    WHERE
        text_likeness(letters, other_letters)
        >= (SELECT max(value) FROM parameter WHERE name = 'clinic.cloned_likeness')
)

SELECT
    parted.day_number,
    parted.is_lost,
    parted.declines,
    parted.is_certain OR (parted.is_little_better AND copied.day_number IS NULL) AS gains
FROM parted
LEFT JOIN copied ON parted.day_number = copied.day_number
