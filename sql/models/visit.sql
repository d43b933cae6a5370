-- One patient's timed services on one day in one discipline under one plan, against the minutes documented for them.
WITH line AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        plan,
        CASE WHEN count(*) = count(units) THEN sum(units) END::INTEGER AS timed_units_billed,
        sum(line_amount) AS timed_amount,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line
    FROM therapy_line
    WHERE timed
    GROUP BY patient_id, service_date, discipline, plan
),

code AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        plan,
        bool_and(minutes_complete) AS minutes_complete,
        sum(minutes) AS code_minutes,
        sum(midpoint_units) AS midpoint_units,
        sum(greatest(units_billed - midpoint_units, 0)) AS units_over_midpoint,
        sum(greatest(midpoint_units - units_billed, 0)) AS units_under_midpoint,
        -- A code may bill its full 15s, and one unit more where the allocation gives it one.
        count(*) FILTER (
            units_billed < full_units + (extra_unit = 'yes')::INTEGER
            OR units_billed > full_units + (extra_unit IN ('yes', 'tied'))::INTEGER
        ) AS misplaced_codes,
        string_agg(hcpcs_code || ' ' || minutes || ' min', ', ' ORDER BY hcpcs_code) AS minutes_by_code,
        string_agg(hcpcs_code || ' x' || units_billed, ', ' ORDER BY hcpcs_code) FILTER (units_billed > 0)
            AS billed_by_code,
        string_agg(hcpcs_code || ' x' || midpoint_units, ', ' ORDER BY hcpcs_code) FILTER (midpoint_units > 0)
            AS midpoint_by_code
    FROM visit_code
    GROUP BY patient_id, service_date, discipline, plan
)

SELECT
    line.patient_id,
    line.service_date,
    line.discipline,
    line.plan,
    line.first_line.claim_id,
    line.first_line.claim_line_number,
    line.timed_units_billed,
    line.timed_amount,
    round(line.timed_amount / nullif(line.timed_units_billed, 0), 2)::DECIMAL(12, 2) AS unit_amount,
    note_day.note_id,
    note_day.timed_minutes,
    CASE WHEN note_day.timed_minutes < 8 THEN 0 ELSE (note_day.timed_minutes + 7) // 15 END AS units_allowed,
    CASE WHEN code.minutes_complete THEN code.code_minutes END::INTEGER AS code_minutes,
    CASE WHEN code.code_minutes < 8 THEN 0 ELSE (code.code_minutes + 7) // 15 END AS code_units_allowed,
    code.midpoint_units,
    code.units_over_midpoint,
    code.units_under_midpoint,
    code.misplaced_codes,
    code.minutes_by_code,
    coalesce(code.billed_by_code, 'nothing') AS billed_by_code,
    coalesce(code.midpoint_by_code, 'nothing') AS midpoint_by_code
FROM line
INNER JOIN code
    ON
        line.patient_id = code.patient_id
        AND line.service_date = code.service_date
        AND line.discipline = code.discipline
        AND line.plan IS NOT DISTINCT FROM code.plan
LEFT JOIN note_day
    ON
        line.patient_id = note_day.patient_id
        AND line.service_date = note_day.service_date
        AND line.discipline = note_day.discipline
