-- Each plan of care within the episode that it belongs to, by the date on which it starts: a plan may be dated some
-- days before the first visit (clinic.plan_lead_days). Where the episode's evaluation is not seen, a plan that reaches
-- up to its first visit is of it as well. Copies of a plan count once.
WITH setting AS (
    SELECT
        coalesce(max(value) FILTER (name = 'clinic.episode_gap_days'), 60)::INTEGER AS gap_days,
        coalesce(max(value) FILTER (name = 'clinic.plan_lead_days'), 14)::INTEGER AS lead_days
    FROM parameter
),

-- An evaluation that was not billed opens an episode too.
episode AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.episode_start,
        CASE
            WHEN
                day.evaluation_date >= day.episode_start - setting.gap_days
                AND coalesce(day.evaluation_date > day.previous_date, TRUE)
                THEN day.evaluation_date
        END AS evaluation_date,
        lead(day.episode_start) OVER (PARTITION BY day.patient_id, day.discipline ORDER BY day.episode_start)
            AS next_start
    FROM treatment_day AS day
    CROSS JOIN setting
    WHERE day.service_date = day.episode_start
),

matched AS (
    SELECT
        episode.patient_id,
        episode.discipline,
        episode.episode_start,
        plan_of_care.start_date,
        plan_of_care.end_date,
        plan_of_care.certified_date,
        plan_of_care.sent_date,
        plan_of_care.referral_date
    FROM episode
    CROSS JOIN setting
    INNER JOIN plan_of_care ON episode.patient_id = plan_of_care.patient_id
    WHERE
        coalesce(plan_of_care.discipline = episode.discipline, TRUE)
        AND coalesce(plan_of_care.start_date < episode.next_start - setting.lead_days, TRUE)
        AND CASE
            WHEN episode.evaluation_date IS NOT NULL
                THEN plan_of_care.start_date >= episode.evaluation_date - setting.lead_days
            ELSE
                coalesce(plan_of_care.end_date, plan_of_care.start_date + 90)
                >= episode.episode_start - setting.gap_days
        END
)

SELECT
    episode.patient_id,
    episode.discipline,
    episode.episode_start,
    episode.evaluation_date,
    matched.start_date,
    max(matched.end_date) AS end_date,
    min(matched.certified_date) AS certified_date,
    min(matched.sent_date) AS sent_date,
    min(matched.referral_date) AS referral_date
FROM episode
LEFT JOIN matched
    ON
        episode.patient_id = matched.patient_id
        AND episode.discipline = matched.discipline
        AND episode.episode_start = matched.episode_start
GROUP BY
    episode.patient_id, episode.discipline, episode.episode_start, episode.evaluation_date, matched.start_date
