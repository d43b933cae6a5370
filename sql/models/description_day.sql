-- Each skilled activity of an episode, visit by visit: the run of visits with the same or nearly the same text that it
-- is part of. In a run each text is like the one before it, and, over as many visits as make one a clone, like the
-- first of them: a text that drifts word by word is none.
WITH setting AS (
    SELECT
        (SELECT max(value)::INTEGER FROM parameter WHERE name = 'clinic.cloned_visits') AS visits,
        (SELECT max(value) FROM parameter WHERE name = 'clinic.cloned_likeness') AS likeness
),

-- In a short text the numbers are the matter itself; in a longer one another number leaves it nearly the same.
compared AS (
    SELECT
        pair.series,
        pair.visit_number,
        pair.same_letters AND this_one.numbers = last_one.numbers AS identical,
        pair.long_enough OR (pair.same_letters AND this_one.numbers = last_one.numbers) AS alike
    FROM description_pair AS pair
    INNER JOIN description_number AS this_one
        ON pair.series = this_one.series AND pair.visit_number = this_one.visit_number
    INNER JOIN description_number AS last_one
        ON pair.series = last_one.series AND pair.visit_number = last_one.visit_number + 1
),

-- Of series with as many texts that are alike as make a clone: the others have no runs.
visit AS (
    SELECT
        description.series,
        description.visit_number,
        description.service_date,
        coalesce(compared.identical, FALSE) AS identical,
        -- Less help in words that else stay is what the visit was about.
        coalesce(compared.alike, FALSE)
        AND (
            compared.identical
            OR coalesce(description.independence <= lag(description.independence) OVER visit_order, TRUE)
        ) AS alike
    FROM description
    LEFT JOIN compared
        ON description.series = compared.series AND description.visit_number = compared.visit_number
    WHERE description.series IN (SELECT series FROM description_pair)
    WINDOW visit_order AS (PARTITION BY description.series ORDER BY description.visit_number)
),

-- Visits that end as many alike as make a clone, and the first of these.
ending AS (
    SELECT
        series,
        visit_number,
        visit_number - (SELECT visits FROM setting) + 1 AS first_number
    FROM (
        SELECT
            series,
            visit_number,
            max(CASE WHEN NOT alike THEN visit_number END) OVER (PARTITION BY series ORDER BY visit_number)
                AS since_number
        FROM visit
    ) AS counted
    WHERE visit_number - since_number + 1 >= (SELECT visits FROM setting)
),

ended AS (
    SELECT
        ending.series,
        ending.visit_number
    FROM ending
    INNER JOIN description_text AS last_one
        ON ending.series = last_one.series AND ending.visit_number = last_one.visit_number
    INNER JOIN description_text AS first_one
        ON ending.series = first_one.series AND ending.first_number = first_one.visit_number
    CROSS JOIN setting
    WHERE
        last_one.text_key = first_one.text_key
        OR text_likeness_from(last_one.letters, first_one.letters, setting.likeness::DOUBLE) >= setting.likeness
),

-- A visit is in a run where it ends one, or one of the next few does.
placed AS (
    SELECT
        visit.series,
        visit.visit_number,
        visit.service_date,
        visit.identical,
        visit.alike,
        coalesce(
            min(ended.visit_number) OVER (
                PARTITION BY visit.series ORDER BY visit.visit_number
                ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
            ) < visit.visit_number + (SELECT visits FROM setting),
            FALSE
        ) AS in_run
    FROM visit
    LEFT JOIN ended ON visit.series = ended.series AND visit.visit_number = ended.visit_number
),

follows AS (
    SELECT
        *,
        alike AND in_run AND lag(in_run, 1, FALSE) OVER (PARTITION BY series ORDER BY visit_number) AS continues
    FROM placed
),

run AS (
    SELECT
        series,
        visit_number,
        max(CASE WHEN NOT continues THEN service_date END) OVER visit_order AS first_date,
        max(CASE WHEN NOT continues THEN visit_number END) OVER visit_order AS first_number,
        max(CASE WHEN NOT (continues AND identical) THEN visit_number END) OVER visit_order AS identical_number
    FROM follows
    WINDOW visit_order AS (PARTITION BY series ORDER BY visit_number)
),

-- Runs whose texts are not all the same.
changing AS (
    SELECT DISTINCT
        series,
        first_number
    FROM run
    WHERE identical_number > first_number
),

-- The numbers of a run's texts by their place in them, each with the one before it.
number AS (
    SELECT
        series,
        first_number,
        visit_number,
        place,
        value,
        lag(value) OVER (PARTITION BY series, first_number, place ORDER BY visit_number) AS last_value
    FROM (
        SELECT
            run.series,
            run.first_number,
            run.visit_number,
            unnest(range(1, len(description_number.numbers) + 1)) AS place,
            -- Of 3/5 the 3.
            unnest(list_transform(
                description_number.numbers, lambda found: try_cast(split_part(found, '/', 1) AS DOUBLE)
            )) AS value
        FROM run
        INNER JOIN changing
            ON run.series = changing.series AND run.first_number = changing.first_number
        INNER JOIN description_number
            ON run.series = description_number.series AND run.visit_number = description_number.visit_number
    ) AS listed
),

-- A measure that moves one way only, at half of the visits or more, is progress in the words of a template.
moving AS (
    SELECT DISTINCT
        series,
        first_number
    FROM (
        SELECT
            series,
            first_number
        FROM number
        GROUP BY series, first_number, place
        HAVING
            2 * count(*) FILTER (value <> last_value) >= count(last_value)
            AND count(*) FILTER (value <> last_value) > 0
            AND (bool_and(value >= last_value) OR bool_and(value <= last_value))
    ) AS one_way
),

placed_run AS (
    SELECT
        run.*,
        moving.series IS NOT NULL AS measure_moves
    FROM run
    LEFT JOIN moving ON run.series = moving.series AND run.first_number = moving.first_number
)

SELECT
    description.patient_id,
    description.discipline,
    description.hcpcs_code,
    description.service_date,
    description.plan,
    description.episode_start,
    description.series,
    description.visit_number,
    description.note_id,
    description.clinician_npi,
    description.claim_id,
    description.claim_line_number,
    description.amount,
    description_text.text_key,
    coalesce(run.first_date, description.service_date) AS text_since,
    coalesce(run.visit_number - run.first_number + 1, 1) AS text_visits,
    coalesce(run.visit_number - run.identical_number + 1, 1) AS identical_visits,
    coalesce(run.measure_moves, FALSE) AS measure_moves
FROM description
LEFT JOIN placed_run AS run ON description.series = run.series AND description.visit_number = run.visit_number
LEFT JOIN description_text
    ON description.series = description_text.series AND description.visit_number = description_text.visit_number
