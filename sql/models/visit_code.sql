-- Each timed code of a visit, billed or documented, with the units that its minutes earn under either counting method.
-- Full 15s first; the units left over go to the largest remainders (Medicare Claims Processing Manual ch. 5 §20.2.C).
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
),

code AS (
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
        documented.minutes % 15 AS remainder
    FROM billed
    FULL JOIN documented
        ON
            billed.patient_id = documented.patient_id
            AND billed.service_date = documented.service_date
            AND billed.discipline = documented.discipline
            AND billed.plan IS NOT DISTINCT FROM documented.plan
            AND billed.hcpcs_code = documented.hcpcs_code
),

ranked AS (
    SELECT
        *,
        sum(minutes) OVER visit_window AS visit_minutes,
        sum(full_units) OVER visit_window AS visit_full_units,
        count(*) OVER visit_window = count(minutes) OVER visit_window AS minutes_complete,
        -- How many codes have a larger remainder, and how many one at least as large.
        rank() OVER remainder_window - 1 AS larger,
        count(*) OVER remainder_window AS at_least_as_large
    FROM code
    WINDOW
        visit_window AS (PARTITION BY patient_id, service_date, discipline, plan),
        -- Ties in the remainder are meant: tied codes share their rank and their count.
        remainder_window AS (
            PARTITION BY patient_id, service_date, discipline, plan
            ORDER BY remainder DESC NULLS LAST RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
),

allotted AS (
    SELECT
        *,
        CASE WHEN visit_minutes < 8 THEN 0 ELSE (visit_minutes + 7) // 15 END - visit_full_units AS units_left
    FROM ranked
)

SELECT
    patient_id,
    service_date,
    discipline,
    plan,
    hcpcs_code,
    units_billed,
    amount,
    minutes,
    full_units,
    remainder,
    minutes_complete,
    -- yes: every allowed allocation gives this code one of the units left; tied: some do.
    CASE
        WHEN NOT minutes_complete THEN NULL
        WHEN at_least_as_large <= units_left THEN 'yes'
        WHEN larger < units_left THEN 'tied'
        ELSE 'no'
    END AS extra_unit,
    CASE WHEN minutes < 8 THEN 0 ELSE (minutes + 7) // 15 END::INTEGER AS midpoint_units
FROM allotted
