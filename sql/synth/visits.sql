-- Patients first_patient to last_patient: their episodes of care, visit by visit, and where cases are planted.
CREATE OR REPLACE TABLE patient AS
WITH numbered AS (
    SELECT
        number,
        format('P{:06d}', number) AS patient_id,
        number % (SELECT count(*) FROM site) AS site,
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
        -- What the patient had used elsewhere: so much that a line crosses or reaches the threshold, some, or none.
        CASE
            WHEN payer.plan IS DISTINCT FROM 'medicare_part_b' OR opening >= 85 THEN 'unknown'
            WHEN opening < 26 THEN 'crosses'
            WHEN opening < 34 THEN 'reaches'
            WHEN opening < 46 THEN 'some'
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

-- Cases that concern a whole episode. Each gets one in a hundred episodes, and three at least.
CREATE OR REPLACE TABLE episode_plant AS
WITH candidate AS (
    SELECT
        episode.episode_id,
        pick(['report_overdue', 'cloned', 'stalled', 'repeated_thrice'], 'episode plant', episode.episode_id) AS plant,
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
)

SELECT
    episode_id,
    plant,
    run_first,
    run_first + CASE plant WHEN 'repeated_thrice' THEN 3 WHEN 'report_overdue' THEN 0 ELSE run_length END - 1
        AS run_last
FROM fitting
QUALIFY
    row_number() OVER (PARTITION BY plant ORDER BY draw('episode rank', episode_id), episode_id)
    <= greatest(3, (SELECT count(*) FROM episode) // 100);

CREATE OR REPLACE TABLE visit AS
WITH typed AS (
    SELECT
        32 * day.episode_id + day.visit_number AS visit_id,
        day.visit_number,
        day.visits,
        day.service_date,
        episode.* EXCLUDE (visits_planned, report_every, has_reevaluation, first_day, weekdays),
        episode_plant.plant AS episode_plant,
        draw('plant', 32 * day.episode_id + day.visit_number) AS lot,
        coalesce(
            episode_plant.plant <> 'report_overdue'
            AND day.visit_number BETWEEN episode_plant.run_first AND episode_plant.run_last, FALSE
        ) AS repeated,
        CASE
            WHEN day.visit_number = 1 THEN 'evaluation'
            WHEN day.visit_number = day.visits_planned THEN 'discharge'
            WHEN episode_plant.plant = 'report_overdue'
                THEN if(day.visit_number IN (14, 23), 'progress_report', 'daily')
            WHEN day.visit_number % episode.report_every = 0 THEN 'progress_report'
            WHEN episode.has_reevaluation AND day.visit_number = 13 THEN 'reevaluation'
            ELSE 'daily'
        END AS note_type,
        episode_plant.plant IS NULL AND episode.report_every = 10 AND day.visit_number = 10
        AND day.visit_number < day.visits_planned AND episode.plan = 'medicare_part_b' AS report_just_in_time
    FROM treatment_day AS day
    INNER JOIN episode USING (episode_id)
    LEFT JOIN episode_plant USING (episode_id)
),

-- Each visit is offered one case by lot; of those that can hold it, a fixed share gets it.
offered AS (
    SELECT
        typed.visit_id,
        plant.plant,
        plant.kind
    FROM typed
    INNER JOIN plant
        ON typed.note_type = plant.note_type AND typed.lot % plant.places = plant.place
    INNER JOIN plant_plan ON plant.plant = plant_plan.plant AND typed.plan IS NOT DISTINCT FROM plant_plan.plan
    LEFT JOIN recipe_pool ON plant.plant = recipe_pool.used AND typed.discipline = recipe_pool.discipline
    WHERE
        (recipe_pool.used IS NOT NULL OR plant.note_type = 'evaluation')
        AND typed.episode_plant IS NULL
        AND NOT typed.same_days
        AND (NOT plant.quiet OR (typed.opening IN ('none', 'unknown') AND NOT typed.has_two AND typed.visits <= 14))
),

planted AS (
    SELECT
        visit_id,
        plant
    FROM offered
    QUALIFY
        row_number() OVER (PARTITION BY plant ORDER BY draw('plant rank', visit_id), visit_id)
        <= if(
            kind = 'fault',
            greatest(3, (SELECT count(*) FROM typed) // 450),
            greatest(2, (SELECT count(*) FROM typed) // 1000)
        )
),

chosen AS (
    SELECT
        typed.* EXCLUDE (lot),
        planted.plant,
        planted.plant IS NOT DISTINCT FROM 'by_assistant' OR (
            typed.has_assistant AND typed.note_type = 'daily' AND draw('by assistant', typed.visit_id) % 2 = 0
        ) AS by_assistant,
        CASE
            WHEN planted.plant IS NOT NULL AND typed.note_type = 'daily' THEN planted.plant
            WHEN typed.note_type IN ('evaluation', 'reevaluation') THEN typed.note_type
            WHEN typed.repeated THEN 'repeated'
            WHEN typed.same_days THEN 'plain'
            ELSE 'normal'
        END AS used
    FROM typed
    LEFT JOIN planted USING (visit_id)
),

-- The number of the post is worked out before clinicians are joined: a join on the formula would try each of them.
posted AS (
    SELECT
        chosen.*,
        draw('therapist', chosen.episode_id) % therapists.posts AS therapist_post,
        draw('assistant', chosen.episode_id) % assistants.posts AS assistant_post
    FROM chosen
    INNER JOIN staff AS therapists ON chosen.site = therapists.site AND chosen.discipline = therapists.credential
    LEFT JOIN staff AS assistants ON chosen.site = assistants.site AND chosen.discipline || 'A' = assistants.credential
)

SELECT
    posted.* EXCLUDE (therapist_post, assistant_post),
    pick(recipe_pool.recipe_ids, 'recipe', posted.visit_id) AS recipe_id,
    format('C{:09d}', posted.visit_id) AS claim_id,
    site.billing_npi,
    therapist.npi AS therapist_npi,
    if(posted.by_assistant, assistant.npi, therapist.npi) AS writer_npi,
    if(posted.by_assistant, assistant.credential, therapist.credential) AS writer_credential,
    posted.service_date + (3 + draw('received', posted.visit_id) % 10)::INTEGER AS received_date
FROM posted
INNER JOIN recipe_pool ON posted.used = recipe_pool.used AND posted.discipline = recipe_pool.discipline
INNER JOIN site ON posted.site = site.site
INNER JOIN clinician AS therapist
    ON
        posted.site = therapist.site
        AND posted.discipline = therapist.credential
        AND posted.therapist_post = therapist.post
LEFT JOIN clinician AS assistant
    ON
        posted.site = assistant.site
        AND posted.discipline || 'A' = assistant.credential
        AND posted.assistant_post = assistant.post;
