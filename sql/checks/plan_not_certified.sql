-- A plan of care is certified within 30 days of the first treatment, the evaluation included. From 2025 a referral on
-- file with the plan sent in those days is enough. Certified later, it counts without a reason for 30 more days, and
-- with one whenever it came. What lies past its 90 days is for the recertification.
WITH late AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.plan,
        day.episode_start,
        min(day.service_date) AS first_late_date,
        count(*) AS late_days,
        list(stake(day.service_date, NULL, NULL) ORDER BY day.service_date) AS at_stake,
        any_value(clock.plans) AS plans,
        any_value(clock.first_treatment_date) AS since,
        any_value(clock.certification_due) AS due,
        any_value(clock.certified_date) AS certified_date,
        any_value(grace.value)::INTEGER AS grace_days
    FROM episode_days_in_scope($rule) AS day
    INNER JOIN plan_clock AS clock
        ON
            day.patient_id = clock.patient_id
            AND day.discipline = clock.discipline
            AND day.episode_start = clock.episode_start
    INNER JOIN parameter AS grace
        ON grace.name = $grace AND day.service_date BETWEEN grace.effective_from AND grace.effective_to
    INNER JOIN parameter AS by_referral
        ON
            by_referral.name = $by_referral
            AND day.service_date BETWEEN by_referral.effective_from AND by_referral.effective_to
    WHERE
        day.plans_given
        AND day.service_date > clock.certification_due
        AND (clock.plans = 0 OR day.service_date <= clock.certified_to)
        AND coalesce(day.service_date < clock.certified_date, TRUE)
        AND NOT (by_referral.value = 1 AND clock.referred_and_sent)
    GROUP BY day.patient_id, day.discipline, day.plan, day.episode_start
)

SELECT
    episode_day.claim_id,
    episode_day.claim_line_number,
    CASE
        WHEN late.certified_date IS NULL AND late.plans > 0 THEN 'error'
        WHEN late.certified_date <= late.due + late.grace_days THEN 'info'
        ELSE 'warning'
    END AS severity,
    -- Of what counts as it is, nothing.
    CASE WHEN late.certified_date <= late.due + late.grace_days THEN [] ELSE late.at_stake END AS at_stake,
    late.episode_start,
    late.since,
    late.due,
    late.due - late.since AS days_allowed,
    late.late_days,
    late.certified_date,
    CASE
        WHEN late.plans = 0 THEN 'the episode has no plan of care among those given'
        WHEN late.certified_date IS NULL THEN 'the plan of care has no certification date'
        ELSE
            'the plan of care was certified on ' || late.certified_date || ', ' || (late.certified_date - late.due)
            || ' days late'
            || CASE
                WHEN late.certified_date <= late.due + late.grace_days THEN ', which counts without a reason'
                ELSE ', which counts only with a reason for the delay'
            END
    END AS state
FROM late
INNER JOIN episode_day
    ON
        late.patient_id = episode_day.patient_id
        AND late.discipline = episode_day.discipline
        AND late.plan IS NOT DISTINCT FROM episode_day.plan
        AND late.first_late_date = episode_day.service_date
