-- One treatment day of a patient in one discipline, whoever pays: its episode, its place in the progress report period.
-- An episode ends where no visit follows within clinic.episode_gap_days; a report's day still belongs to its period.
WITH day AS (
    SELECT DISTINCT
        patient_id,
        discipline,
        service_date
    FROM therapy_line
    WHERE therapy
),

gap AS (
    SELECT
        day.*,
        service_date - lag(service_date) OVER (PARTITION BY patient_id, discipline ORDER BY service_date)
            > coalesce(parameter.value, 60) AS is_new_episode
    FROM day
    LEFT JOIN parameter
        ON
            parameter.name = 'clinic.episode_gap_days'
            AND service_date BETWEEN parameter.effective_from AND parameter.effective_to
),

episode AS (
    SELECT
        *,
        max(CASE WHEN coalesce(is_new_episode, TRUE) THEN service_date END) OVER (
            PARTITION BY patient_id, discipline ORDER BY service_date
        ) AS episode_start
    FROM gap
),

note_known AS (
    SELECT
        patient_id,
        discipline,
        bool_or(note_type_known) AS note_type_known
    FROM note_day
    GROUP BY patient_id, discipline
),

-- Treatment days and report days in one sequence, so that a report written between two visits counts as well.
day_or_report AS (
    SELECT
        coalesce(episode.patient_id, note_day.patient_id) AS patient_id,
        coalesce(episode.discipline, note_day.discipline) AS discipline,
        coalesce(episode.service_date, note_day.service_date) AS service_date,
        coalesce(note_day.has_progress_report, FALSE) AS has_progress_report,
        coalesce(note_day.has_new_plan, FALSE) AS has_new_plan,
        coalesce(note_day.has_evaluation, FALSE) AS has_evaluation,
        note_day.note_id,
        note_day.stated_timed_minutes,
        note_day.charted_timed_minutes,
        note_day.minutes_comparable,
        note_day.minutes_conflict,
        episode.episode_start
    FROM episode
    FULL JOIN note_day
        ON
            episode.patient_id = note_day.patient_id
            AND episode.discipline = note_day.discipline
            AND episode.service_date = note_day.service_date
),

reported AS (
    SELECT
        *,
        coalesce(
            sum(has_progress_report::INTEGER) OVER (
                PARTITION BY patient_id, discipline ORDER BY service_date
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), 0
        )
        -- A new evaluation opens a period as well, and is its first day.
        + sum(has_evaluation::INTEGER) OVER (
            PARTITION BY patient_id, discipline ORDER BY service_date
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS periods_before,
        min(CASE WHEN has_progress_report THEN service_date END) OVER (
            PARTITION BY patient_id, discipline ORDER BY service_date
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_report_date
    FROM day_or_report
),

counted AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY patient_id, discipline, episode_start, periods_before ORDER BY service_date
        ) AS period_day,
        min(service_date) OVER (PARTITION BY patient_id, discipline, episode_start, periods_before) AS period_start
    FROM reported
    WHERE episode_start IS NOT NULL
)

SELECT
    counted.patient_id,
    counted.discipline,
    counted.service_date,
    counted.episode_start,
    counted.period_start,
    counted.period_day,
    counted.next_report_date,
    counted.note_id,
    counted.stated_timed_minutes,
    counted.charted_timed_minutes,
    counted.minutes_comparable,
    counted.minutes_conflict,
    counted.has_progress_report,
    counted.has_new_plan,
    CASE WHEN note_known.note_type_known THEN TRUE END AS note_type_known
FROM counted
LEFT JOIN note_known
    ON counted.patient_id = note_known.patient_id AND counted.discipline = note_known.discipline
