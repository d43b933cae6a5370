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

note_given AS (
    SELECT DISTINCT
        patient_id,
        discipline
    FROM note_day
),

-- Treatment days and report days in one sequence, so that a report written between two visits counts as well.
day_or_report AS (
    SELECT
        -- A number sorts in a fraction of the time.
        hash(coalesce(day.patient_id, note_day.patient_id), coalesce(day.discipline, note_day.discipline)) AS course,
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
        coalesce(note_day.has_untyped_note, FALSE) AS has_untyped_note,
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
            PARTITION BY course ORDER BY service_date
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS periods_before,
        min(CASE WHEN has_progress_report THEN service_date END) OVER (
            PARTITION BY course ORDER BY service_date
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_report_date,
        -- The next that is one or may be.
        min(CASE WHEN has_progress_report OR has_untyped_note THEN service_date END) OVER (
            PARTITION BY course ORDER BY service_date
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_possible_date
    FROM day_or_report
    WINDOW before AS (
        PARTITION BY course ORDER BY service_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
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
            PARTITION BY course ORDER BY service_date
        ) AS episode_start
    FROM started
),

reported AS (
    SELECT
        *,
        min(CASE WHEN has_assistant_report THEN service_date END) OVER (
            PARTITION BY course, episode_start, periods_before
        ) AS assistant_report_date,
        bool_or(has_progress_report OR has_assistant_report) OVER (
            PARTITION BY course, episode_start, periods_before
        ) AS period_reported,
        min(CASE WHEN has_untyped_note THEN service_date END) OVER (
            PARTITION BY course, episode_start, periods_before
        ) AS untyped_date,
        count(CASE WHEN has_untyped_note THEN 1 END) OVER (
            PARTITION BY course, episode_start, periods_before ORDER BY service_date
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS untyped_before
    FROM episode
),

counted AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY course, episode_start, periods_before ORDER BY service_date
        ) AS period_day,
        row_number() OVER (PARTITION BY course, episode_start ORDER BY service_date) AS episode_visit,
        min(service_date) OVER (PARTITION BY course, episode_start, periods_before) AS period_start,
        -- The day's place in the period if each note that does not say its type is a report.
        row_number() OVER (
            PARTITION BY course, episode_start, periods_before, untyped_before ORDER BY service_date
        ) AS least_period_day
    FROM reported
    WHERE is_day
),

-- By when a report ends the period in time, and what is known of its first days, by which it is judged.
period AS (
    SELECT
        counted.*,
        days.value AS days_allowed,
        grace.value::INTEGER AS grace_days,
        max(CASE WHEN counted.period_day = days.value THEN counted.service_date + grace.value::INTEGER END)
            OVER whole AS report_due_date,
        bool_or(counted.therapist_took_part AND coalesce(counted.period_day <= days.value, TRUE))
            OVER whole AS therapist_seen,
        bool_or(counted.therapist_took_part IS NULL AND coalesce(counted.period_day <= days.value, TRUE))
            OVER whole AS therapist_unknown,
        counted.period_reported OR bool_or(counted.period_day >= days.value) OVER whole AS period_is_over
    FROM counted
    LEFT JOIN parameter AS days
        ON
            days.name = 'medicare.progress_report_treatment_days'
            AND counted.service_date BETWEEN days.effective_from AND days.effective_to
    LEFT JOIN parameter AS grace
        ON
            grace.name = 'medicare.progress_report_grace_days'
            AND counted.service_date BETWEEN grace.effective_from AND grace.effective_to
    WINDOW whole AS (
        PARTITION BY counted.course, counted.episode_start, counted.periods_before
    )
)

SELECT
    period.patient_id,
    period.discipline,
    period.service_date,
    period.episode_start,
    period.episode_visit,
    period.period_start,
    period.period_day,
    period.next_report_date,
    period.assistant_report_date,
    period.period_reported,
    period.therapist_took_part,
    period.evaluation_billed,
    -- The evaluation that the day's episode rests on, billed or not, as far as one is seen.
    CASE
        WHEN period.is_evaluated THEN period.service_date
        ELSE period.earlier_evaluation_date
    END AS evaluation_date,
    period.previous_date,
    period.note_id,
    period.stated_timed_minutes,
    period.charted_timed_minutes,
    period.minutes_comparable,
    period.minutes_conflict,
    period.has_progress_report,
    period.has_new_plan,
    CASE WHEN note_given.patient_id IS NOT NULL THEN TRUE END AS notes_given,
    period.report_due_date,
    period.untyped_date,
    -- Null where a note that does not say its type may be the report without which the day is late.
    CASE
        WHEN
            coalesce(period.period_day <= period.days_allowed, TRUE)
            OR period.has_progress_report
            OR coalesce(period.next_report_date <= period.report_due_date, FALSE)
            OR coalesce(period.untyped_date > period.report_due_date, TRUE)
            OR (
                period.least_period_day > period.days_allowed
                AND coalesce(period.next_possible_date > period.service_date + period.grace_days, TRUE)
            )
            THEN TRUE
    END AS report_known,
    -- Null where one day of which nobody knows may have been the therapist's, and no other was.
    CASE
        WHEN period.therapist_seen OR NOT period.therapist_unknown OR NOT coalesce(period.period_is_over, FALSE)
            THEN TRUE
    END AS therapist_known
FROM period
LEFT JOIN note_given
    ON period.patient_id = note_given.patient_id AND period.discipline = note_given.discipline
