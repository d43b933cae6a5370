-- A progress report is due at least once in every ten treatment days; the first period begins with the episode.
WITH late AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.plan,
        day.episode_start,
        day.period_start,
        min(day.service_date) AS first_late_date,
        count(*) AS late_days,
        sum(day.day_amount) AS amount_at_risk,
        max(parameter.value)::INTEGER AS days_allowed
    FROM episode_days_in_scope($rule) AS day
    INNER JOIN parameter
        ON parameter.name = $days AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
    WHERE day.period_day > parameter.value AND day.note_type_known
    GROUP BY day.patient_id, day.discipline, day.plan, day.episode_start, day.period_start
)

SELECT
    episode_day.claim_id,
    episode_day.claim_line_number,
    late.amount_at_risk,
    late.episode_start,
    late.period_start AS since,
    late.days_allowed,
    late.late_days,
    late.days_allowed + late.late_days AS treatment_days
FROM late
INNER JOIN episode_day
    ON
        late.patient_id = episode_day.patient_id
        AND late.discipline = episode_day.discipline
        AND late.plan IS NOT DISTINCT FROM episode_day.plan
        AND late.first_late_date = episode_day.service_date
