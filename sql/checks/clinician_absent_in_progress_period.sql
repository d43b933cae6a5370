-- In each progress report period the therapist gives at least one service. A period is over with its tenth treatment
-- day or with a report; the assistants' days of one that the therapist took no part in are at risk.
WITH day AS (
    SELECT
        day.*,
        days.value::INTEGER AS days_allowed
    FROM episode_days_in_scope($rule) AS day
    INNER JOIN parameter AS days
        ON days.name = $days AND day.service_date BETWEEN days.effective_from AND days.effective_to
    WHERE day.discipline IN ('PT', 'OT')
),

period AS (
    SELECT
        patient_id,
        discipline,
        plan,
        episode_start,
        period_start,
        max(service_date) AS until,
        count(*) AS treatment_days,
        list(stake(service_date, NULL, NULL) ORDER BY service_date) AS at_stake
    FROM day
    WHERE period_day <= days_allowed
    GROUP BY patient_id, discipline, plan, episode_start, period_start
    HAVING
        -- One day of which nobody knows may have been the therapist's.
        count(therapist_took_part) = count(*)
        AND NOT bool_or(therapist_took_part)
        AND (any_value(period_reported) OR max(period_day) = any_value(days_allowed))
        -- Under another plan, or before the audited period, there may have been more.
        AND max(period_day) = count(*)
)

SELECT
    episode_day.claim_id,
    episode_day.claim_line_number,
    period.at_stake,
    period.episode_start,
    period.period_start AS since,
    period.until,
    period.treatment_days
FROM period
INNER JOIN episode_day
    ON
        period.patient_id = episode_day.patient_id
        AND period.discipline = episode_day.discipline
        AND period.plan IS NOT DISTINCT FROM episode_day.plan
        AND period.period_start = episode_day.service_date
