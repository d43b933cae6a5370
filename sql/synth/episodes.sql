-- Patients first_patient to last_patient: their episodes of care and days of treatment, and which hold a case.
CREATE OR REPLACE TABLE patient AS
WITH numbered AS (
    SELECT
        number,
        format('P{:06d}', number) AS patient_id,
        getvariable('sites_per_part') * getvariable('part') + number % getvariable('sites_per_part') AS site,
        -- One place of service in three is a hospital's department.
        if(number % getvariable('sites_per_part') % 3 = 1, 'hospital', 'practitioner') AS setting,
        draw('discipline', number) % 100 AS first_discipline,
        draw('second', number) % 100 AS second_discipline,
        draw('opening', number) % 100 AS opening
    FROM range(getvariable('first_patient'), getvariable('last_patient') + 1) AS patients (number)
),

placed AS (
    SELECT
        numbered.* EXCLUDE (first_discipline, second_discipline, opening),
        payer.payer,
        payer.plan,
        payer.unit_method,
        payer.factor,
        CASE WHEN first_discipline < 60 THEN 'PT' WHEN first_discipline < 86 THEN 'OT' ELSE 'SLP' END AS discipline,
        CASE
            WHEN second_discipline >= 20 OR first_discipline >= 86 THEN NULL
            WHEN first_discipline >= 60 THEN 'PT'
            WHEN second_discipline < 14 THEN 'OT'
            ELSE 'SLP'
        END AS second_discipline,
        -- What the patient had used elsewhere: so much that a line crosses or reaches the threshold, or passes the
        -- amount of medical review, or that the year ends near the threshold; some, or none.
        CASE
            WHEN payer.plan IS DISTINCT FROM 'medicare_part_b' OR opening >= 85 THEN 'unknown'
            WHEN opening < 22 THEN 'crosses'
            WHEN opening < 29 THEN 'reaches'
            WHEN opening < 39 THEN 'reviewed'
            WHEN opening < 47 THEN 'approaches'
            WHEN opening < 56 THEN 'some'
            ELSE 'none'
        END AS opening
    FROM numbered
    INNER JOIN payer ON numbered.number % 50 = payer.slot
)

SELECT
    *,
    -- Physical and occupational therapy on the same days, for some who have both.
    coalesce(discipline <> 'SLP' AND second_discipline <> 'SLP' AND draw('same days', number) % 100 < 40, FALSE)
        AS same_days
FROM placed;

CREATE OR REPLACE TABLE episode AS
WITH part AS (
    SELECT
        * EXCLUDE (second_discipline),
        2 * number AS episode_id,
        second_discipline IS NOT NULL AS has_two
    FROM patient
    UNION ALL
    SELECT
        * EXCLUDE (second_discipline) REPLACE (second_discipline AS discipline),
        2 * number + 1 AS episode_id,
        TRUE AS has_two
    FROM patient
    WHERE second_discipline IS NOT NULL
)

SELECT
    *,
    CASE discipline WHEN 'PT' THEN 'GP' WHEN 'OT' THEN 'GO' ELSE 'GN' END AS discipline_modifier,
    6 + (draw('visits', episode_id) % 19)::INTEGER AS visits_planned,
    8 + (draw('report', episode_id) % 3)::INTEGER AS report_every,
    draw('assistant', episode_id) % 4 = 0 AND discipline <> 'SLP' AS has_assistant,
    draw('reevaluation', episode_id) % 6 = 0 AND discipline <> 'SLP' AND NOT same_days AS has_reevaluation,
    (draw('first day', if(same_days, 2 * number, episode_id))
        % greatest(1, getvariable('end_date') - getvariable('start_date') - 40))::INTEGER AS first_day,
    -- Days of the week; a second discipline comes on the other days unless both share them.
    [[1, 3, 5], [2, 4], [1, 4], [2, 5]][
        1 + [[0, 1, 2, 3], [1, 0, 3, 2]][
            1 + (episode_id % 2 = 1 AND NOT same_days)::INTEGER
        ][1 + (draw('weekdays', number) % 4)::INTEGER]
    ] AS weekdays
FROM part;

CREATE OR REPLACE TABLE treatment_day AS
WITH day AS (
    SELECT
        episode_id,
        visits_planned,
        getvariable('start_date')::DATE
        + unnest(range(first_day, getvariable('end_date') - getvariable('start_date') + 1))::INTEGER AS service_date,
        weekdays
    FROM episode
),

kept AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY episode_id ORDER BY service_date)::INTEGER AS visit_number
    FROM day
    WHERE
        list_contains(weekdays, isodow(service_date)::INTEGER)
        AND draw('kept', concat_ws('.', episode_id, service_date)) % 100 >= 6
)

SELECT
    episode_id,
    service_date,
    visit_number,
    max(visit_number) OVER (PARTITION BY episode_id) AS visits,
    visits_planned
FROM kept
WHERE visit_number <= visits_planned;

-- Cases that concern a whole episode. Each kind gets one in a hundred episodes, and three at least.
CREATE OR REPLACE TABLE episode_plant AS
WITH candidate AS (
    SELECT
        episode.episode_id,
        pick(['report_overdue', 'cloned', 'stalled', 'lookalike'], 'episode plant', episode.episode_id) AS plant,
        3 + (draw('run start', episode.episode_id) % 2)::INTEGER AS run_first,
        4 + (draw('run length', episode.episode_id) % 3)::INTEGER AS run_length
    FROM episode
    INNER JOIN (SELECT DISTINCT episode_id, visits FROM treatment_day) AS seen USING (episode_id)
    WHERE
        seen.visits >= 15 AND NOT episode.same_days AND NOT episode.has_reevaluation
        AND (episode.discipline <> 'SLP' OR episode.plan = 'medicare_part_b')
),

fitting AS (
    SELECT candidate.*
    FROM candidate
    INNER JOIN episode USING (episode_id)
    WHERE if(candidate.plant = 'report_overdue', episode.plan = 'medicare_part_b', episode.discipline <> 'SLP')
),

ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY plant ORDER BY draw('episode rank', episode_id), episode_id) AS place
    FROM fitting
),

-- What is cloned is so word by word or nearly; what only looks like a fault does so in several ways.
dealt AS (
    SELECT
        * REPLACE (
            CASE plant
                WHEN 'cloned' THEN if(place % 2 = 1, 'cloned', 'cloned_nearly')
                WHEN 'lookalike'
                    THEN [
                        'repeated_thrice', 'plateau_answered', 'template_moving', 'setback_told', 'one_measure_gains'
                    ][1 + (place - 1) % 5]
                ELSE plant
            END AS plant
        )
    FROM ranked
    WHERE place <= greatest(if(plant = 'lookalike', 5, 3), (SELECT count(*) FROM episode) // 100)
)

SELECT
    episode_id,
    plant,
    run_first,
    run_first + CASE plant
        WHEN 'repeated_thrice' THEN 3
        WHEN 'report_overdue' THEN 0
        WHEN 'setback_told' THEN 5
        ELSE run_length
    END - 1 AS run_last
FROM dealt;

-- Clinicians who have a habit, good or bad, of documenting minutes: two long episodes each, and no other patients.
CREATE OR REPLACE TABLE habit AS
WITH candidate AS (
    SELECT
        episode.episode_id,
        episode.site,
        episode.discipline,
        episode.unit_method,
        pick(
            ['estimated', 'short', 'same_number', 'nearly_estimated', 'nearly_short'], 'habit', episode.episode_id
        ) AS habit
    FROM episode
    INNER JOIN (SELECT DISTINCT episode_id, visits FROM treatment_day) AS seen USING (episode_id)
    WHERE
        seen.visits >= 12 AND NOT episode.same_days AND episode.discipline <> 'SLP'
        AND episode.episode_id NOT IN (SELECT episode_id FROM episode_plant)
),

grouped AS (
    SELECT
        *,
        row_number() OVER one AS place,
        count(*) OVER (PARTITION BY habit, site, discipline) AS places
    FROM candidate
    WHERE unit_method = 'cms' OR habit NOT IN ('short', 'nearly_short')
    WINDOW one AS (PARTITION BY habit, site, discipline ORDER BY draw('habit rank', episode_id), episode_id)
),

ranked AS (
    SELECT
        *,
        dense_rank() OVER (PARTITION BY habit ORDER BY draw('habit site', concat_ws('.', site, discipline))) AS turn
    FROM grouped
    WHERE place <= 2 AND places >= 2
)

SELECT
    episode_id,
    habit,
    60 + list_position(['estimated', 'short', 'same_number', 'nearly_estimated', 'nearly_short'], habit) AS post
FROM ranked
WHERE turn <= greatest(1, (SELECT count(*) FROM episode) // 300);

-- Cases of who wrote a report, who treated for a whole period between two reports, and of long episodes without one: in
-- episodes that are left. Nothing in them is repeated.
INSERT INTO episode_plant
WITH candidate AS (
    SELECT
        episode.episode_id,
        CASE
            WHEN coalesce(episode.plan NOT IN ('medicare_part_b', 'medicare_advantage'), TRUE)
                THEN if(seen.visits = 12, 'twelve', 'many')
            WHEN seen.visits >= 2 * episode.report_every AND NOT episode.has_reevaluation THEN 'two periods'
            -- The therapist's next report comes more than a week after the tenth visit.
            WHEN seen.visits >= 14 THEN 'one period'
        END AS length
    FROM episode
    INNER JOIN (SELECT DISTINCT episode_id, visits FROM treatment_day) AS seen USING (episode_id)
    WHERE
        seen.visits >= 12
        AND NOT episode.same_days
        AND episode.discipline <> 'SLP'
        AND episode.episode_id NOT IN (SELECT episode_id FROM episode_plant)
        AND episode.episode_id NOT IN (SELECT episode_id FROM habit)
),

ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY length ORDER BY draw('report rank', episode_id), episode_id) - 1 AS place
    FROM candidate
    WHERE length IS NOT NULL
),

dealt AS (
    SELECT
        episode_id,
        place,
        CASE length
            WHEN 'twelve' THEN ['twelve_without_report']
            WHEN 'many' THEN ['reports_never']
            WHEN 'one period' THEN ['report_by_assistant', 'report_cosigned']
            ELSE ['assistant_throughout', 'therapist_once', 'report_by_assistant', 'report_cosigned']
        END AS plants
    FROM ranked
)

SELECT
    episode_id,
    plants[1 + place % len(plants)] AS plant,
    0,
    -1
FROM dealt
WHERE place // len(plants) < greatest(1, (SELECT count(*) FROM episode) // 200);

-- Clinicians whose patients do more tasks and fewer exercises from the first of a month on: far more, or a little. Six
-- patients each, who come before and since, and no others.
CREATE OR REPLACE TABLE mix AS
WITH turning AS (
    SELECT
        date_trunc(
            'month',
            getvariable('start_date')::DATE + (2 * (getvariable('end_date') - getvariable('start_date')) // 3)::INTEGER
        )::DATE AS mix_date
),

candidate AS (
    SELECT
        episode.episode_id,
        episode.site,
        episode.discipline
    FROM episode
    INNER JOIN treatment_day AS day USING (episode_id)
    CROSS JOIN turning
    WHERE
        NOT episode.same_days AND episode.discipline <> 'SLP'
        AND episode.episode_id NOT IN (SELECT episode_id FROM episode_plant)
        AND episode.episode_id NOT IN (SELECT episode_id FROM habit)
    GROUP BY episode.episode_id, episode.site, episode.discipline
    HAVING
        count(*) FILTER (day.service_date < turning.mix_date) >= 4
        AND count(*) FILTER (day.service_date >= turning.mix_date) >= 4
),

grouped AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY site, discipline ORDER BY draw('mix rank', episode_id), episode_id) AS place,
        count(*) OVER (PARTITION BY site, discipline) AS places
    FROM candidate
),

ranked AS (
    SELECT
        *,
        dense_rank() OVER (ORDER BY draw('mix site', concat_ws('.', site, discipline))) AS turn
    FROM grouped
    WHERE place <= 6 AND places >= 6
)

SELECT
    ranked.episode_id,
    if(ranked.turn % 2 = 1, 'mix_drifts', 'mix_moves') AS mix,
    (70 + ranked.turn % 2)::INTEGER AS mix_post,
    turning.mix_date
FROM ranked
CROSS JOIN turning
WHERE ranked.turn <= greatest(2, (SELECT count(*) FROM episode) // 300);

-- Functional activities at nearly every visit of a long episode whose notes measure nothing of them; and what only
-- looks like it: at too few of the visits, or with a plan that was changed halfway. In episodes that are left.
INSERT INTO episode_plant
WITH candidate AS (
    SELECT
        episode.episode_id,
        row_number() OVER (ORDER BY draw('unmeasured task', episode.episode_id), episode.episode_id) - 1 AS place
    FROM episode
    INNER JOIN (SELECT DISTINCT episode_id, visits FROM treatment_day) AS seen USING (episode_id)
    WHERE
        seen.visits >= 12
        AND NOT episode.same_days
        AND NOT episode.has_reevaluation
        AND episode.discipline <> 'SLP'
        AND episode.episode_id NOT IN (SELECT episode_id FROM episode_plant)
        AND episode.episode_id NOT IN (SELECT episode_id FROM habit)
        AND episode.episode_id NOT IN (SELECT episode_id FROM mix)
)

SELECT
    episode_id,
    ['unmeasured', 'unmeasured_seldom', 'unmeasured_reevaluated'][1 + place % 3] AS plant,
    0,
    -1
FROM candidate
WHERE place < 3 * greatest(1, (SELECT count(*) FROM episode) // 300);
