-- Each treatment day past an episode's first ones (clinic.extended_therapy_visits), as billed to one plan, with what
-- the episode's notes hold that justifies going on: a clinician's report, a functional goal, and a gain or a decision
-- about the lack of one. What no note could show is unknown, not missing.
WITH most AS (
    SELECT coalesce(max(value), 12)::INTEGER AS visits FROM parameter
    WHERE name = 'clinic.extended_therapy_visits'
),

extended AS (
    SELECT
        patient_id,
        discipline,
        episode_start,
        max(service_date) AS episode_end,
        CASE
            WHEN bool_or(has_progress_report) OR min(next_report_date) <= max(service_date) THEN TRUE
            WHEN bool_or(notes_given) AND count(untyped_date) = 0 THEN FALSE
        END AS has_report
    FROM treatment_day
    GROUP BY patient_id, discipline, episode_start
    HAVING max(episode_visit) > (SELECT visits FROM most)
),

goal AS (
    SELECT
        extended.patient_id,
        extended.discipline,
        extended.episode_start,
        CASE
            WHEN bool_or(service.functional_goal) THEN TRUE
            WHEN count(service.functional_goal) = count(*) THEN FALSE
        END AS has_goal
    FROM extended
    INNER JOIN documented_service AS service
        ON
            extended.patient_id = service.patient_id
            AND extended.discipline = service.discipline
            AND service.service_date BETWEEN extended.episode_start AND extended.episode_end
    GROUP BY extended.patient_id, extended.discipline, extended.episode_start
),

-- A stretch of visits that begins after the activity's first visit begins with a gain, a harder task or a decision.
activity AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.episode_start,
        day.hcpcs_code,
        CASE WHEN count(day.measure_since) > 0 AND count(day.measures_so_far) > 0
            THEN count(DISTINCT day.measure_since) > 1
        END AS has_gain
    FROM extended
    INNER JOIN activity_day AS day
        ON
            extended.patient_id = day.patient_id
            AND extended.discipline = day.discipline
            AND extended.episode_start = day.episode_start
    GROUP BY day.patient_id, day.discipline, day.episode_start, day.hcpcs_code
),

gain AS (
    SELECT
        patient_id,
        discipline,
        episode_start,
        bool_or(has_gain) AS has_gain
    FROM activity
    GROUP BY patient_id, discipline, episode_start
)

SELECT
    day.patient_id,
    day.discipline,
    day.plan,
    day.service_date,
    day.episode_start,
    day.episode_visit,
    day.claim_id,
    day.claim_line_number,
    most.visits AS visits_before,
    nullif(
        concat_ws(
            ', ',
            CASE WHEN NOT extended.has_report THEN 'a clinician''s progress report' END,
            CASE WHEN NOT goal.has_goal THEN 'a functional goal' END,
            CASE WHEN NOT gain.has_gain THEN 'a gain in any measure or a documented decision' END
        ), ''
    ) AS missing_elements,
    CASE
        WHEN
            (extended.has_report IS NOT NULL AND goal.has_goal IS NOT NULL AND gain.has_gain IS NOT NULL)
            OR NOT extended.has_report
            OR NOT goal.has_goal
            OR NOT gain.has_gain
            THEN TRUE
    END AS elements_known
FROM episode_day AS day
INNER JOIN extended
    ON
        day.patient_id = extended.patient_id
        AND day.discipline = extended.discipline
        AND day.episode_start = extended.episode_start
CROSS JOIN most
LEFT JOIN goal
    ON
        day.patient_id = goal.patient_id
        AND day.discipline = goal.discipline
        AND day.episode_start = goal.episode_start
LEFT JOIN gain
    ON
        day.patient_id = gain.patient_id
        AND day.discipline = gain.discipline
        AND day.episode_start = gain.episode_start
WHERE day.episode_visit > most.visits
