-- Each timed code of a visit, billed or documented: units billed, minutes documented, and what the minutes hold.
WITH billed_line AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        plan,
        hcpcs_code,
        count(*) AS lines,
        CASE WHEN count(*) = count(units) THEN sum(units) END::INTEGER AS units_billed,
        sum(line_amount) AS amount
    FROM therapy_line
    WHERE timed AND NOT second_bill
    GROUP BY patient_id, service_date, discipline, plan, hcpcs_code
),

billed AS (
    SELECT
        timed_visit.visit_id,
        billed_line.hcpcs_code,
        billed_line.lines,
        billed_line.units_billed,
        billed_line.amount
    FROM billed_line
    INNER JOIN timed_visit
        ON
            billed_line.patient_id = timed_visit.patient_id
            AND billed_line.service_date = timed_visit.service_date
            AND billed_line.discipline = timed_visit.discipline
            AND billed_line.plan IS NOT DISTINCT FROM timed_visit.plan
),

documented AS (
    SELECT
        timed_visit.visit_id,
        note_day_code.hcpcs_code,
        note_day_code.minutes
    FROM note_day_code
    INNER JOIN procedure_code
        ON note_day_code.hcpcs_code = procedure_code.hcpcs_code AND procedure_code.kind = 'timed_15'
    INNER JOIN timed_visit
        ON
            note_day_code.patient_id = timed_visit.patient_id
            AND note_day_code.service_date = timed_visit.service_date
            AND note_day_code.discipline = timed_visit.discipline
)

SELECT
    coalesce(billed.visit_id, documented.visit_id) AS visit_id,
    coalesce(billed.hcpcs_code, documented.hcpcs_code) AS hcpcs_code,
    coalesce(billed.lines, 0) AS lines,
    CASE WHEN billed.hcpcs_code IS NULL THEN 0 ELSE billed.units_billed END AS units_billed,
    coalesce(billed.amount, 0.00) AS amount,
    documented.minutes,
    documented.minutes // 15 AS full_units,
    documented.minutes % 15 AS remainder,
    -- Each code on its own: a unit is earned when the midpoint of its 15 minutes is passed.
    units_of_minutes(documented.minutes)::INTEGER AS midpoint_units
FROM billed
FULL JOIN documented ON billed.visit_id = documented.visit_id AND billed.hcpcs_code = documented.hcpcs_code
