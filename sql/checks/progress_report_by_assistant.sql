-- A progress report is written by a clinician: one by an assistant alone does not end the progress report period. What
-- lies past its ten treatment days, with no clinician's report in time, rests on the assistant's.
WITH day AS (
    SELECT
        day.*,
        days.value::INTEGER AS days_allowed
    FROM episode_days_in_scope($rule) AS day
    INNER JOIN parameter AS days
        ON days.name = $days AND day.service_date BETWEEN days.effective_from AND days.effective_to
    WHERE day.notes_given AND day.report_known AND day.assistant_report_date IS NOT NULL
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
        any_value(days_allowed) AS days_allowed,
        any_value(assistant_report_date) AS report_date
    FROM day
    WHERE
        period_day > days_allowed
        AND NOT has_progress_report
        AND NOT coalesce(next_report_date <= report_due_date, FALSE)
        AND assistant_report_date <= report_due_date
    GROUP BY patient_id, discipline, plan, episode_start, period_start
)

SELECT
    episode_day.claim_id,
    episode_day.claim_line_number,
    late.at_stake,
    late.episode_start,
    late.period_start AS since,
    late.report_date,
    late.days_allowed,
    late.late_days
FROM late
INNER JOIN episode_day
    ON
        late.patient_id = episode_day.patient_id
        AND late.discipline = episode_day.discipline
        AND late.plan IS NOT DISTINCT FROM episode_day.plan
        AND late.first_late_date = episode_day.service_date
