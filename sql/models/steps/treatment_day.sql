-- One treatment day of a patient in one discipline, whoever pays: its episode, its place in the progress report period.
-- An episode ends where no visit follows within clinic.episode_gap_days and no plan of care runs across the pause, or
-- with a discharge after which the patient is evaluated anew; a new condition alone begins none. However many visits,
-- claims or notes it has, a day is one treatment day. A report's day still belongs to its period.
WITH day AS (
    SELECT
        line.patient_id,
        line.discipline,
        line.service_date,
        bool_or(line.evaluation) AS evaluation_billed,
        bool_or(line.evaluation AND line.hcpcs_code NOT IN ('97164', '97168')) AS is_evaluated,
        -- What the lines say of who treated, where their plans ask for it.
        CASE
            WHEN bool_and(line.assistant_modifier_count > 0) THEN FALSE
            WHEN bool_or(line.assistant_modifier_count = 0 AND plan.assistant_modifier_required) THEN TRUE
        END AS therapist_billed
    FROM therapy_line AS line
    LEFT JOIN plan ON line.plan = plan.plan
    WHERE line.therapy
    GROUP BY line.patient_id, line.discipline, line.service_date
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
        coalesce(day.patient_id, note_day.patient_id) AS patient_id,
        coalesce(day.discipline, note_day.discipline) AS discipline,
        coalesce(day.service_date, note_day.service_date) AS service_date,
        day.patient_id IS NOT NULL AS is_day,
        coalesce(day.evaluation_billed, FALSE) AS evaluation_billed,
        coalesce(day.is_evaluated, FALSE) OR coalesce(note_day.has_evaluation, FALSE) AS is_evaluated,
        coalesce(note_day.has_discharge, FALSE) AS has_discharge,
        coalesce(note_day.has_progress_report, FALSE) AS has_progress_report,
        coalesce(note_day.has_assistant_report, FALSE) AS has_assistant_report,
        coalesce(note_day.has_new_plan, FALSE) AS has_new_plan,
        coalesce(note_day.has_evaluation, FALSE) AS has_evaluation,
        -- The note tells it better than the line's modifiers.
        CASE
            WHEN note_day.note_id IS NULL THEN day.therapist_billed
            WHEN note_day.therapist_took_part IS NOT NULL THEN note_day.therapist_took_part
            WHEN NOT day.therapist_billed THEN FALSE
        END AS therapist_took_part,
        note_day.note_id,
        note_day.stated_timed_minutes,
        note_day.charted_timed_minutes,
        note_day.minutes_comparable,
        note_day.minutes_conflict
    FROM day
    FULL JOIN note_day
        ON
            day.patient_id = note_day.patient_id
            AND day.discipline = note_day.discipline
            AND day.service_date = note_day.service_date
),

looked_back AS (
    SELECT
        *,
        max(CASE WHEN is_day THEN service_date END) OVER before AS previous_date,
        max(CASE WHEN is_evaluated THEN service_date END) OVER before AS earlier_evaluation_date,
        max(CASE WHEN has_discharge THEN service_date END) OVER before AS discharge_date,
        coalesce(
            sum(has_progress_report::INTEGER) OVER before, 0
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
    WINDOW before AS (
        PARTITION BY patient_id, discipline ORDER BY service_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),

gap AS (
    SELECT
        looked_back.*,
        looked_back.service_date - looked_back.previous_date > coalesce(parameter.value, 60) AS is_after_pause
    FROM looked_back
    LEFT JOIN parameter
        ON
            parameter.name = 'clinic.episode_gap_days'
            AND looked_back.service_date BETWEEN parameter.effective_from AND parameter.effective_to
),

bridged AS (
    SELECT DISTINCT
        gap.patient_id,
        gap.discipline,
        gap.service_date
    FROM gap
    INNER JOIN plan_of_care
        ON
            gap.patient_id = plan_of_care.patient_id
            AND coalesce(plan_of_care.discipline = gap.discipline, TRUE)
            AND plan_of_care.start_date <= gap.previous_date
            AND plan_of_care.end_date >= gap.service_date
    WHERE gap.is_day AND gap.is_after_pause
),

started AS (
    SELECT
        gap.*,
        gap.is_day
        AND (
            gap.previous_date IS NULL
            OR (gap.is_after_pause AND bridged.patient_id IS NULL)
            OR (
                gap.is_evaluated
                AND coalesce(gap.discharge_date >= coalesce(gap.earlier_evaluation_date, gap.discharge_date), FALSE)
            )
        ) AS is_new_episode
    FROM gap
    LEFT JOIN bridged
        ON
            gap.patient_id = bridged.patient_id
            AND gap.discipline = bridged.discipline
            AND gap.service_date = bridged.service_date
),

episode AS (
    SELECT
        *,
        max(CASE WHEN is_new_episode THEN service_date END) OVER (
            PARTITION BY patient_id, discipline ORDER BY service_date
        ) AS episode_start
    FROM started
),

reported AS (
    SELECT
        *,
        min(CASE WHEN has_assistant_report THEN service_date END) OVER (
            PARTITION BY patient_id, discipline, episode_start, periods_before
        ) AS assistant_report_date,
        bool_or(has_progress_report OR has_assistant_report) OVER (
            PARTITION BY patient_id, discipline, episode_start, periods_before
        ) AS period_reported
    FROM episode
),

counted AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY patient_id, discipline, episode_start, periods_before ORDER BY service_date
        ) AS period_day,
        row_number() OVER (PARTITION BY patient_id, discipline, episode_start ORDER BY service_date) AS episode_visit,
        min(service_date) OVER (PARTITION BY patient_id, discipline, episode_start, periods_before) AS period_start
    FROM reported
    WHERE is_day
)

SELECT
    counted.patient_id,
    counted.discipline,
    counted.service_date,
    counted.episode_start,
    counted.episode_visit,
    counted.period_start,
    counted.period_day,
    counted.next_report_date,
    counted.assistant_report_date,
    counted.period_reported,
    counted.therapist_took_part,
    counted.evaluation_billed,
    -- The evaluation that the day's episode rests on, billed or not, as far as one is seen.
    CASE
        WHEN counted.is_evaluated THEN counted.service_date
        ELSE counted.earlier_evaluation_date
    END AS evaluation_date,
    counted.previous_date,
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
