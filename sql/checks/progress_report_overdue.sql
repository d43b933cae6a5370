-- A progress report is due at least once in every ten treatment days; the first period begins with the episode. One
-- that follows within the days of grace is in time, and the day of the report itself is never late. Where an assistant
-- wrote one in time, the fault is who wrote it: progress_report_by_assistant.
WITH day AS (
    SELECT
        day.*,
        days.value::INTEGER AS days_allowed
    FROM episode_days_in_scope($rule) AS day
    INNER JOIN parameter AS days
        ON days.name = $days AND day.service_date BETWEEN days.effective_from AND days.effective_to
    WHERE day.notes_given AND day.report_known
),

late AS (
    SELECT
        patient_id,
        discipline,
        plan,
        episode_start,
        period_start,
        min(service_date) AS first_late_date,
        count(*) AS late_days,
        list(stake(service_date, NULL, NULL) ORDER BY service_date) AS at_stake,
        any_value(days_allowed) AS days_allowed
    FROM day
    WHERE
        period_day > days_allowed
        AND NOT has_progress_report
        AND NOT coalesce(next_report_date <= report_due_date, FALSE)
        AND NOT coalesce(assistant_report_date <= report_due_date, FALSE)
    GROUP BY patient_id, discipline, plan, episode_start, period_start
)

SELECT
    episode_day.claim_id,
    episode_day.claim_line_number,
    late.at_stake,
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
