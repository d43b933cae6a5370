-- The certification clocks of each episode of care: when its first treatment was, as far as that is seen, by when its
-- plan of care was to be certified, and what the plans given say of it.
WITH
-- Where the claims begin, treatment may have begun before them.
claims_begin AS (
    SELECT min(service_date) AS first_date FROM treatment_day
),

gap AS (
    SELECT coalesce(max(value), 60)::INTEGER AS days FROM parameter
    WHERE name = 'clinic.episode_gap_days'
),

episode AS (
    SELECT
        patient_id,
        discipline,
        episode_start,
        count(start_date) AS plans,
        coalesce(
            evaluation_date,
            CASE WHEN min(start_date) <= episode_start THEN min(start_date) END,
            CASE WHEN episode_start > any_value(claims_begin.first_date) + any_value(gap.days) THEN episode_start END
        ) AS first_treatment_date,
        min(end_date) FILTER (is_first) AS end_date,
        min(sent_date) FILTER (is_first) AS sent_date,
        min(referral_date) FILTER (is_first) AS referral_date,
        -- A later plan that is certified may certify the first one too, late.
        min(certified_date) AS certified_date
    FROM (
        SELECT
            *,
            start_date = min(start_date) OVER (PARTITION BY patient_id, discipline, episode_start) AS is_first
        FROM plan_period
    ) AS period
    CROSS JOIN claims_begin
    CROSS JOIN gap
    GROUP BY patient_id, discipline, episode_start, evaluation_date
)

SELECT
    episode.patient_id,
    episode.discipline,
    episode.episode_start,
    episode.plans,
    episode.first_treatment_date,
    episode.certified_date,
    episode.first_treatment_date + certification.value::INTEGER AS certification_due,
    least(episode.end_date, episode.first_treatment_date + recertification.value::INTEGER) AS certified_to,
    coalesce(
        episode.referral_date <= episode.first_treatment_date + certification.value::INTEGER
        AND episode.sent_date <= episode.first_treatment_date + certification.value::INTEGER, FALSE
    ) AS referred_and_sent
FROM episode
LEFT JOIN parameter AS certification
    ON
        certification.name = 'medicare.certification_days'
        AND episode.first_treatment_date BETWEEN certification.effective_from AND certification.effective_to
LEFT JOIN parameter AS recertification
    ON
        recertification.name = 'medicare.recertification_days'
        AND episode.first_treatment_date BETWEEN recertification.effective_from AND recertification.effective_to
