-- One treatment day as billed to one plan: the day's place in its episode, with the plan's first line and amount, and
-- whether the episode's plans of care are known.
WITH billed AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        plan,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line,
        sum(line_amount) AS day_amount
    FROM therapy_line
    WHERE therapy AND NOT second_bill
    GROUP BY patient_id, discipline, service_date, plan
),

-- For which dates plans of care were given, and to how many of a plan's episodes: where it is most of them, one that
-- is missing is missing; where it is few, the list is of something else.
plan_span AS (
    SELECT
        min(start_date) AS first_date,
        max(start_date) AS last_date
    FROM plan_of_care
),

listing AS (
    SELECT
        billed.plan,
        count(*) FILTER (plan_clock.plans > 0) / count(*)
        >= (SELECT max(value) FROM parameter WHERE name = 'clinic.plans_given_share') AS is_complete
    FROM billed
    INNER JOIN plan_clock
        ON
            billed.patient_id = plan_clock.patient_id
            AND billed.discipline = plan_clock.discipline
            AND billed.service_date = plan_clock.episode_start
    GROUP BY billed.plan
)

SELECT
    treatment_day.* EXCLUDE (evaluation_date, previous_date),
    billed.plan,
    billed.first_line.claim_id,
    billed.first_line.claim_line_number,
    billed.day_amount,
    plan_clock.first_treatment_date,
    CASE WHEN plan_clock.plans > 0 THEN TRUE END AS plan_listed,
    CASE
        WHEN
            plan_clock.plans > 0
            OR (
                listing.is_complete
                AND plan_clock.first_treatment_date BETWEEN plan_span.first_date AND plan_span.last_date
            )
            THEN TRUE
    END AS plans_given
FROM billed
INNER JOIN treatment_day
    ON
        billed.patient_id = treatment_day.patient_id
        AND billed.discipline = treatment_day.discipline
        AND billed.service_date = treatment_day.service_date
INNER JOIN plan_clock
    ON
        treatment_day.patient_id = plan_clock.patient_id
        AND treatment_day.discipline = plan_clock.discipline
        AND treatment_day.episode_start = plan_clock.episode_start
CROSS JOIN plan_span
LEFT JOIN listing ON billed.plan IS NOT DISTINCT FROM listing.plan
