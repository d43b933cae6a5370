-- Each timed code of a visit, billed or documented: units billed, minutes documented, and what the minutes hold.
WITH visit_plan AS (
    SELECT DISTINCT
        patient_id,
        service_date,
        discipline,
        plan
    FROM therapy_line
    WHERE timed
),

billed AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        plan,
        hcpcs_code,
        CASE WHEN count(*) = count(units) THEN sum(units) END::INTEGER AS units_billed,
        sum(line_amount) AS amount
    FROM therapy_line
    WHERE timed
    GROUP BY patient_id, service_date, discipline, plan, hcpcs_code
),

documented AS (
    SELECT
        visit_plan.*,
        note_day_code.hcpcs_code,
        note_day_code.minutes
    FROM note_day_code
    INNER JOIN procedure_code
        ON note_day_code.hcpcs_code = procedure_code.hcpcs_code AND procedure_code.kind = 'timed_15'
    INNER JOIN visit_plan
        ON
            note_day_code.patient_id = visit_plan.patient_id
            AND note_day_code.service_date = visit_plan.service_date
            AND note_day_code.discipline = visit_plan.discipline
)

SELECT
    coalesce(billed.patient_id, documented.patient_id) AS patient_id,
    coalesce(billed.service_date, documented.service_date) AS service_date,
    coalesce(billed.discipline, documented.discipline) AS discipline,
    coalesce(billed.plan, documented.plan) AS plan,
    coalesce(billed.hcpcs_code, documented.hcpcs_code) AS hcpcs_code,
    CASE WHEN billed.hcpcs_code IS NULL THEN 0 ELSE billed.units_billed END AS units_billed,
    coalesce(billed.amount, 0.00) AS amount,
    documented.minutes,
    documented.minutes // 15 AS full_units,
    documented.minutes % 15 AS remainder,
    -- Each code on its own: a unit is earned when the midpoint of its 15 minutes is passed.
    units_of_minutes(documented.minutes)::INTEGER AS midpoint_units
FROM billed
FULL JOIN documented
    ON
        billed.patient_id = documented.patient_id
        AND billed.service_date = documented.service_date
        AND billed.discipline = documented.discipline
        AND billed.plan IS NOT DISTINCT FROM documented.plan
        AND billed.hcpcs_code = documented.hcpcs_code
