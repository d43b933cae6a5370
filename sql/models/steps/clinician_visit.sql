-- One rendering clinician's visit with one patient on one day in one discipline, within the audited period: what was
-- billed of it, and the minutes that its notes give it. Billed to a second payer it is the same visit.
WITH line AS (
    SELECT
        therapy_line.rendering_npi,
        therapy_line.patient_id,
        therapy_line.service_date,
        therapy_line.discipline,
        therapy_line.timed,
        therapy_line.units,
        therapy_line.hcpcs_code = '97530' AS activity,
        therapy_line.hcpcs_code IN ('97110', '97530') AS activity_or_exercise,
        therapy_line.distinct_service,
        therapy_line.has_kx,
        coalesce(plan.counts_toward_kx_threshold, FALSE) AS kx_may_be_due,
        therapy_line.allowed_amount
    FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN audit_period.period_start AND audit_period.period_end
    LEFT JOIN plan ON therapy_line.plan = plan.plan
    WHERE therapy_line.rendering_npi IS NOT NULL AND therapy_line.therapy AND NOT therapy_line.second_bill
),

billed AS (
    SELECT
        rendering_npi,
        patient_id,
        service_date,
        discipline,
        count(*) AS lines,
        count(*) FILTER (timed) AS timed_lines,
        count(*) FILTER (activity) AS activity_lines,
        -- A line without units leaves no unit of the visit to be counted.
        if(bool_and(units IS NOT NULL), coalesce(sum(units) FILTER (timed), 0), NULL)::INTEGER AS timed_units,
        if(bool_and(units IS NOT NULL), coalesce(sum(units) FILTER (activity), 0), NULL)::INTEGER AS activity_units,
        if(bool_and(units IS NOT NULL), coalesce(sum(units) FILTER (activity_or_exercise), 0), NULL)::INTEGER
            AS activity_and_exercise_units,
        count(*) FILTER (distinct_service) AS distinct_service_lines,
        count(*) FILTER (kx_may_be_due) AS kx_may_be_due_lines,
        count(*) FILTER (kx_may_be_due AND has_kx) AS kx_lines,
        if(bool_and(allowed_amount IS NOT NULL), sum(allowed_amount), NULL) AS allowed_amount
    FROM line
    GROUP BY rendering_npi, patient_id, service_date, discipline
),

-- Minutes belong to the one who billed the whole visit.
noted AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        timed_minutes,
        timed_units_billed
    FROM visit
    WHERE sole_plan AND timed_minutes IS NOT NULL AND timed_units_billed > 0
)

SELECT
    billed.*,
    noted.timed_minutes
FROM billed
LEFT JOIN noted
    ON
        billed.patient_id = noted.patient_id
        AND billed.service_date = noted.service_date
        AND billed.discipline = noted.discipline
        AND billed.timed_units = noted.timed_units_billed
