-- A certification holds for 90 days from the first treatment under its plan, or to the plan's own end; what follows
-- needs a plan that is certified again. Signed later, it counts without a reason for 30 days after it was due.
WITH past AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.plan,
        day.episode_start,
        day.service_date,
        clock.first_treatment_date,
        clock.certified_to,
        days.value::INTEGER AS days_covered,
        grace.value::INTEGER AS grace_days
    FROM episode_days_in_scope($rule) AS day
    INNER JOIN plan_clock AS clock
        ON
            day.patient_id = clock.patient_id
            AND day.discipline = clock.discipline
            AND day.episode_start = clock.episode_start
    INNER JOIN parameter AS days
        ON days.name = $days AND day.service_date BETWEEN days.effective_from AND days.effective_to
    INNER JOIN parameter AS grace
        ON grace.name = $grace AND day.service_date BETWEEN grace.effective_from AND grace.effective_to
    WHERE day.plan_listed AND day.service_date > clock.certified_to
),

-- Later plans, which hold from their start.
judged AS (
    SELECT
        past.patient_id,
        past.discipline,
        past.plan,
        past.episode_start,
        past.service_date,
        any_value(past.grace_days) AS grace_days,
        any_value(past.days_covered) AS days_covered,
        any_value(past.first_treatment_date) AS first_treatment_date,
        greatest(
            any_value(past.certified_to),
            max(least(period.end_date, period.start_date + past.days_covered))
                FILTER (period.certified_date <= past.service_date)
        ) AS covered_to,
        min(period.certified_date) FILTER (
            past.service_date <= least(period.end_date, period.start_date + past.days_covered)
        ) AS certified_date,
        count(period.start_date) AS plans
    FROM past
    LEFT JOIN plan_period AS period
        ON
            past.patient_id = period.patient_id
            AND past.discipline = period.discipline
            AND past.episode_start = period.episode_start
            AND past.service_date >= period.start_date
            AND past.first_treatment_date < period.start_date
    GROUP BY past.patient_id, past.discipline, past.plan, past.episode_start, past.service_date
),

late AS (
    SELECT
        patient_id,
        discipline,
        plan,
        episode_start,
        covered_to,
        min(service_date) AS first_late_date,
        count(*) AS late_days,
        list(stake(service_date, NULL, NULL) ORDER BY service_date) AS at_stake,
        any_value(first_treatment_date) AS first_treatment_date,
        any_value(days_covered) AS days_covered,
        max(plans) AS plans,
        bool_or(certified_date IS NULL) AS is_open,
        max(certified_date) AS certified_date,
        any_value(grace_days) AS grace_days
    FROM judged
    WHERE service_date > covered_to
    GROUP BY patient_id, discipline, plan, episode_start, covered_to
)

SELECT
    episode_day.claim_id,
    episode_day.claim_line_number,
    CASE
        WHEN late.is_open THEN 'error'
        WHEN late.certified_date <= late.covered_to + late.grace_days THEN 'info'
        ELSE 'warning'
    END AS severity,
    CASE
        WHEN NOT late.is_open AND late.certified_date <= late.covered_to + late.grace_days THEN []
        ELSE late.at_stake
    END AS at_stake,
    late.episode_start,
    late.covered_to AS since,
    late.late_days,
    late.first_treatment_date,
    CASE
        WHEN late.covered_to - late.first_treatment_date = late.days_covered
            THEN late.days_covered || ' days after the first treatment on ' || late.first_treatment_date
        ELSE 'the end of a plan of care'
    END AS certified_by,
    CASE
        WHEN NOT late.is_open
            THEN
                'a later plan was certified on ' || late.certified_date || ', '
                || (late.certified_date - late.covered_to) || ' days after that'
                || CASE
                    WHEN late.certified_date <= late.covered_to + late.grace_days THEN ', which counts without a reason'
                    ELSE ', which counts only with a reason for the delay'
                END
        WHEN late.plans > 0 THEN 'no later plan is certified for all of them'
        ELSE 'no later plan was given'
    END AS state
FROM late
INNER JOIN episode_day
    ON
        late.patient_id = episode_day.patient_id
        AND late.discipline = episode_day.discipline
        AND late.plan IS NOT DISTINCT FROM episode_day.plan
        AND late.first_late_date = episode_day.service_date
