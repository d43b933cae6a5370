-- The visits of these patients' episodes, and where cases are planted.
-- Each visit with its clinician's post and the case that is planted in it alone.
CREATE OR REPLACE TABLE planned AS
WITH typed AS (
    SELECT
        32 * day.episode_id + day.visit_number AS visit_id,
        day.visit_number,
        day.visits,
        day.service_date,
        episode.* EXCLUDE (visits_planned, report_every, has_reevaluation, first_day, weekdays),
        episode_plant.plant AS episode_plant,
        habit.habit,
        habit.post AS habit_post,
        mix.mix,
        mix.mix_post,
        mix.mix_date,
        draw('visit', 32 * day.episode_id + day.visit_number) AS lot,
        coalesce(
            episode_plant.plant <> 'report_overdue'
            AND day.visit_number BETWEEN episode_plant.run_first AND episode_plant.run_last, FALSE
        ) AS repeated,
        CASE
            WHEN day.visit_number = 1 THEN 'evaluation'
            WHEN episode_plant.plant IN ('reports_never', 'twelve_without_report') THEN 'daily'
            WHEN day.visit_number = day.visits_planned THEN 'discharge'
            WHEN episode_plant.plant IN ('report_by_assistant', 'report_cosigned')
                THEN if(day.visit_number IN (10, 15, 24), 'progress_report', 'daily')
            WHEN episode_plant.plant = 'report_overdue'
                THEN if(day.visit_number IN (14, 23), 'progress_report', 'daily')
            WHEN episode_plant.plant = 'unmeasured_reevaluated' AND day.visit_number = 7 THEN 'reevaluation'
            WHEN day.visit_number % episode.report_every = 0 THEN 'progress_report'
            WHEN episode.has_reevaluation AND day.visit_number = 13 THEN 'reevaluation'
            ELSE 'daily'
        END AS note_type,
        episode_plant.plant IS NULL AND episode.report_every = 10 AND day.visit_number = 10
        AND day.visit_number < day.visits_planned AND episode.plan = 'medicare_part_b' AS report_just_in_time,
        -- Who treats, where an episode's case says so.
        CASE
            WHEN episode_plant.plant IN ('report_by_assistant', 'report_cosigned') AND day.visit_number = 10 THEN TRUE
            WHEN episode_plant.plant IN ('assistant_throughout', 'therapist_once')
                THEN day.visit_number BETWEEN episode.report_every + 1 AND 2 * episode.report_every
                    AND NOT (
                        episode_plant.plant = 'therapist_once' AND day.visit_number = episode.report_every + 4
                    )
        END AS by_assistant_set
    FROM treatment_day AS day
    INNER JOIN episode USING (episode_id)
    LEFT JOIN episode_plant USING (episode_id)
    LEFT JOIN habit USING (episode_id)
    LEFT JOIN mix USING (episode_id)
),

-- A visit bids for each case that it can hold, the higher the fewer others can; of many visits a part bids.
bid AS (
    SELECT
        typed.visit_id,
        typed.discipline,
        plant.plant,
        plant.kind,
        plant.by_assistant,
        count(*) OVER (PARTITION BY plant.plant) * (((typed.lot % 1000003)::BIGINT * plant.bid) % 1000003) AS bid
    FROM typed
    INNER JOIN plant ON typed.note_type = plant.note_type AND typed.setting = coalesce(plant.setting, typed.setting)
    INNER JOIN plant_plan ON plant.plant = plant_plan.plant AND typed.plan IS NOT DISTINCT FROM plant_plan.plan
    LEFT JOIN recipe_pool
        ON plant.plant = recipe_pool.used AND typed.discipline = recipe_pool.discipline AND recipe_pool.capped
    WHERE
        (recipe_pool.used IS NOT NULL OR plant.plant = 'modifier_of_other_on_evaluation')
        AND typed.episode_plant IS NULL
        AND typed.habit IS NULL
        AND NOT typed.same_days
        -- Before that day, no edition of the medically unlikely edits is at hand.
        AND (typed.service_date >= DATE '2024-07-01' OR NOT list_contains(plant.rules, 'medicare.mue_exceeded'))
        -- So late, a bill may be on its way.
        AND (
            typed.service_date <= getvariable('end_date')::DATE - 14
            OR NOT list_contains(plant.rules, 'clinic.service_not_billed')
        )
        AND (NOT plant.quiet OR (typed.opening IN ('none', 'unknown') AND NOT typed.has_two AND typed.visits <= 14))
        AND (
            (SELECT count(*) FROM treatment_day) < 20000
            OR typed.lot // 1000003 % if(typed.note_type = 'daily', 8, 2) = 0
        )
),

offered AS (
    SELECT *
    FROM bid
    QUALIFY row_number() OVER (PARTITION BY visit_id ORDER BY bid, plant) = 1
),

planted AS (
    SELECT
        visit_id,
        plant,
        by_assistant,
        row_number() OVER (PARTITION BY plant, discipline ORDER BY bid, visit_id) AS guise
    FROM offered
    QUALIFY
        row_number() OVER (PARTITION BY plant ORDER BY bid, visit_id)
        <= greatest(
            if(kind = 'fault', 3, 2) - (plant IN (SELECT plant FROM sparing))::INTEGER,
            (SELECT count(*) FROM typed) // if(kind = 'fault', 900, 1500)
        )
)

SELECT
    typed.*,
    practice.medicare,
    practice.capped,
    practice.asks_for_assistant,
    practice.sets_manual_therapy_apart,
    planted.plant,
    planted.guise,
    therapists.credential,
    coalesce(typed.habit_post, typed.mix_post, draw('therapist', typed.episode_id) % therapists.posts)
        AS therapist_post,
    draw('assistant', typed.episode_id) % assistants.posts AS assistant_post,
    if(
        planted.plant IS NULL,
        coalesce(
            typed.by_assistant_set,
            typed.has_assistant AND typed.habit IS NULL AND typed.note_type = 'daily' AND typed.lot // 7 % 2 = 0
        ),
        planted.by_assistant
    ) AS by_assistant,
    planted.plant IS NULL AND typed.habit IS NULL AND typed.note_type NOT IN ('evaluation', 'reevaluation')
    -- Who reports, and who treats at some visits, leaves the others as they are.
    AND (
        typed.episode_plant IS NULL
        OR (
            typed.by_assistant_set IS NULL
            AND typed.episode_plant IN (
                'report_by_assistant', 'report_cosigned', 'reports_never', 'twelve_without_report'
            )
        )
    ) AS free
FROM typed
INNER JOIN plan_practice AS practice ON typed.plan IS NOT DISTINCT FROM practice.plan
INNER JOIN staff AS therapists ON typed.discipline = therapists.credential
LEFT JOIN staff AS assistants ON typed.discipline || 'A' = assistants.credential
LEFT JOIN planted USING (visit_id);

-- Cases that one patient's two visits of a day share: physical and occupational therapy at once.
CREATE OR REPLACE TABLE together AS
WITH pair AS (
    SELECT
        physical.visit_id AS first_visit,
        occupational.visit_id AS second_visit,
        physical.site,
        physical.setting,
        physical.service_date,
        physical.therapist_post AS first_post,
        occupational.therapist_post AS second_post,
        physical.visit_id > occupational.visit_id AS physical_later
    FROM planned AS physical
    INNER JOIN planned AS occupational
        ON physical.number = occupational.number AND physical.service_date = occupational.service_date
    WHERE
        physical.discipline = 'PT' AND occupational.discipline = 'OT' AND physical.same_days AND physical.medicare
        AND physical.free AND occupational.free AND NOT physical.by_assistant AND NOT occupational.by_assistant
    QUALIFY
        row_number() OVER (
            PARTITION BY physical.site, physical.service_date ORDER BY draw('together', physical.visit_id)
        ) = 1
),

dealt AS (
    SELECT
        *,
        row_number() OVER (ORDER BY draw('together rank', first_visit), first_visit) - 1 AS place
    FROM pair
)

SELECT
    dealt.* EXCLUDE (physical_later, place),
    if(plant.first_plant = 'mue_of_both_partner' AND physical_later, 'mue_of_both_later', plant.first_plant)
        AS first_plant,
    if(plant.second_plant = 'mue_of_both' AND physical_later, 'mue_of_both_later_partner', plant.second_plant)
        AS second_plant
FROM dealt
INNER JOIN pair_plant AS plant ON plant.shared_by = 'patient' AND dealt.place % plant.turns = plant.turn
WHERE
    dealt.place // plant.turns < greatest(2, (SELECT count(*) FROM planned) // 1800)
    AND (
        plant.second_plant <> 'mue_of_both'
        OR (dealt.setting = 'practitioner' AND dealt.service_date >= DATE '2024-07-01')
    );

-- A therapist's day, for the cases that two visits or all of a day share.
CREATE OR REPLACE TABLE therapist_day AS
SELECT
    planned.site,
    planned.discipline,
    planned.therapist_post,
    planned.service_date,
    count(*) AS visits,
    bool_and(planned.free AND NOT planned.same_days) AS all_free,
    bool_or(planned.capped) AS any_capped,
    list(planned.visit_id ORDER BY planned.lot, planned.visit_id)
        FILTER (planned.free AND NOT planned.same_days AND NOT planned.capped) AS free_visits,
    draw(
        'day', concat_ws('.', planned.site, planned.discipline, planned.therapist_post, planned.service_date)
    ) AS lot
FROM planned
LEFT JOIN together
    ON
        planned.site = together.site AND planned.service_date = together.service_date
        AND planned.therapist_post = if(planned.discipline = 'PT', together.first_post, together.second_post)
WHERE NOT planned.by_assistant AND planned.discipline <> 'SLP' AND together.site IS NULL
GROUP BY planned.site, planned.discipline, planned.therapist_post, planned.service_date;

-- Every visit with a case of several visits: its case, and the minutes that the day's case gives it.
CREATE OR REPLACE TABLE shared AS
WITH long_day AS (
    SELECT
        *,
        row_number() OVER (ORDER BY visits < 4, lot, site, discipline, therapist_post, service_date) - 1 AS place
    FROM therapist_day
    WHERE all_free AND NOT any_capped AND visits BETWEEN 3 AND 8
    QUALIFY place < 2 * greatest(2, (SELECT count(*) FROM planned) // 1800)
),

short_day AS (
    SELECT *
    FROM therapist_day
    ANTI JOIN long_day USING (site, discipline, therapist_post, service_date)
    WHERE all_free AND NOT any_capped AND visits IN (2, 3)
    QUALIFY
        row_number() OVER (ORDER BY lot, site, discipline, therapist_post, service_date)
        <= greatest(2, (SELECT count(*) FROM planned) // 1800)
),

-- Some minutes past eight hours, or eight hours to the minute, shared out among the day's visits and their services.
day_visit AS (
    SELECT
        unnest(free_visits) AS visit_id,
        if(place % 2 = 0, 'day_too_long', 'day_full') AS plant,
        unnest(range(visits)) AS seat,
        visits,
        (if(place % 2 = 0, 481 + lot % 15, 480))::INTEGER AS day_minutes,
        (lot // 15 % 3)::INTEGER AS tilt
    FROM long_day
),

long_visit AS (
    SELECT
        visit_id,
        plant,
        (day_minutes // visits + if(seat < day_minutes % visits, 1, 0))::INTEGER AS minutes,
        tilt + (seat % 2)::INTEGER AS tilt
    FROM day_visit
),

pair_day AS (
    SELECT
        therapist_day.*,
        row_number() OVER (ORDER BY lot, site, discipline, therapist_post, service_date) - 1 AS place
    FROM therapist_day
    ANTI JOIN long_day USING (site, discipline, therapist_post, service_date)
    ANTI JOIN short_day USING (site, discipline, therapist_post, service_date)
    WHERE len(free_visits) >= 2
),

pair AS (
    SELECT
        pair_day.free_visits,
        plant.first_plant,
        plant.second_plant
    FROM pair_day
    INNER JOIN pair_plant AS plant ON plant.shared_by = 'clinician' AND pair_day.place % plant.turns = plant.turn
    WHERE pair_day.place // plant.turns < greatest(2, (SELECT count(*) FROM planned) // 1800)
)

SELECT
    visit_id,
    plant,
    [minutes // 3 + tilt, minutes // 4 - tilt, minutes - minutes // 3 - minutes // 4] AS minutes,
    'day' AS spread
FROM long_visit
UNION ALL
SELECT unnest(free_visits), 'day_in_less_time', NULL, 'day' FROM short_day
UNION ALL
SELECT free_visits[1], first_plant, NULL, 'evening' FROM pair
UNION ALL
SELECT free_visits[2], second_plant, NULL, 'evening' FROM pair
UNION ALL
SELECT first_visit, first_plant, NULL, 'evening' FROM together
UNION ALL
SELECT second_visit, second_plant, NULL, 'evening' FROM together;

-- Notes that one clinician copies from patient to patient (or only begins to): four patients' visits each.
CREATE OR REPLACE TABLE copied AS
WITH candidate AS (
    SELECT
        visit_id,
        number,
        site,
        discipline,
        therapist_post,
        lot
    FROM planned
    WHERE free AND note_type = 'daily' AND NOT same_days AND NOT by_assistant AND discipline <> 'SLP'
),

clinician AS (
    SELECT
        site,
        discipline,
        therapist_post,
        concat_ws('.', site, discipline, therapist_post) AS copyist
    FROM candidate
    GROUP BY site, discipline, therapist_post
    HAVING count(DISTINCT number) >= 8
),

chosen AS (
    SELECT
        *,
        row_number() OVER (ORDER BY draw('copyist', copyist), copyist) AS turn
    FROM clinician
    QUALIFY turn <= 2 * greatest(3, (SELECT count(*) FROM planned) // 2500)
),

one_each AS (
    SELECT
        candidate.visit_id,
        candidate.lot,
        chosen.copyist,
        chosen.turn
    FROM candidate
    INNER JOIN chosen
        ON
            candidate.site = chosen.site
            AND candidate.discipline = chosen.discipline
            AND candidate.therapist_post = chosen.therapist_post
    ANTI JOIN shared ON candidate.visit_id = shared.visit_id
    QUALIFY
        row_number() OVER (
            PARTITION BY chosen.copyist, candidate.number ORDER BY candidate.lot, candidate.visit_id
        ) = 1
)

SELECT
    visit_id,
    copyist,
    if(turn % 2 = 1, 'copied_to_others', 'heading_to_others') AS plant
FROM one_each
QUALIFY row_number() OVER (PARTITION BY copyist ORDER BY lot, visit_id) <= 4;

CREATE OR REPLACE TABLE visit AS
WITH chosen AS (
    SELECT
        planned.* REPLACE (coalesce(shared.plant, copied.plant, planned.plant) AS plant),
        copied.copyist,
        shared.minutes AS minutes_set,
        shared.spread,
        CASE
            WHEN shared.plant IS NOT NULL THEN shared.plant
            WHEN copied.plant IS NOT NULL THEN copied.plant
            WHEN planned.plant IS NOT NULL AND planned.plant <> 'modifier_of_other_on_evaluation' THEN planned.plant
            WHEN planned.habit IS NOT NULL AND planned.note_type = 'evaluation' THEN planned.habit || '_evaluation'
            WHEN planned.note_type IN ('evaluation', 'reevaluation') THEN planned.note_type
            WHEN planned.habit IS NOT NULL THEN planned.habit
            WHEN planned.mix IS NOT NULL
                THEN planned.mix || if(planned.service_date < planned.mix_date, '_before', '_since')
            WHEN planned.repeated THEN 'repeated'
            WHEN planned.episode_plant = 'unmeasured_seldom' AND planned.visit_number % 4 = 0 THEN 'without_tasks'
            WHEN planned.episode_plant[:10] = 'unmeasured' THEN 'with_tasks'
            WHEN planned.same_days THEN 'plain'
            ELSE 'normal'
        END AS used
    FROM planned
    LEFT JOIN shared ON planned.visit_id = shared.visit_id
    LEFT JOIN copied ON planned.visit_id = copied.visit_id
)

SELECT
    chosen.* EXCLUDE (free),
    if(
        chosen.guise IS NULL,
        pick(recipe_pool.recipe_ids, 'recipe', chosen.visit_id),
        recipe_pool.recipe_ids[1 + (chosen.guise - 1) % len(recipe_pool.recipe_ids)]
    ) AS recipe_id,
    format('C{:09d}', chosen.visit_id) AS claim_id,
    chosen.service_date + (3 + draw('received', chosen.visit_id) % 10)::INTEGER AS received_date
FROM chosen
INNER JOIN recipe_pool
    ON
        chosen.used = recipe_pool.used AND chosen.discipline = recipe_pool.discipline
        AND chosen.capped = recipe_pool.capped;

-- Cases of signatures and of students, which change nothing but who signed a note and when.
CREATE OR REPLACE TABLE note_case AS
WITH candidate AS (
    SELECT
        visit_id,
        medicare,
        row_number() OVER (
            PARTITION BY medicare ORDER BY draw('note case', visit_id), visit_id
        ) - 1 AS place
    FROM visit
    WHERE
        plant IS NULL AND episode_plant IS NULL AND habit IS NULL AND note_type = 'daily' AND NOT by_assistant
        AND discipline <> 'SLP'
)

SELECT
    visit_id,
    CASE
        WHEN medicare THEN ['student_unsigned', 'student_signed'][1 + place % 2]
        ELSE ['unsigned', 'signed_after_days', 'credential_missing', 'signed_on_last_day'][1 + place % 4]
    END AS note_case
FROM candidate
WHERE place < if(medicare, 2, 4) * greatest(2, (SELECT count(*) FROM visit) // 900);
