-- Each line of an initial evaluation that has a re-evaluation's code beside it, with the evaluation before it in the
-- same episode of care, and what might call for another: a new diagnosis, a gap, a discharge.
WITH line AS (
    SELECT
        therapy_line.line_id,
        therapy_line.claim_id,
        therapy_line.claim_line_number,
        therapy_line.patient_id,
        therapy_line.service_date,
        therapy_line.discipline,
        therapy_line.plan,
        therapy_line.hcpcs_code,
        therapy_line.line_amount,
        therapy_line.billing_npi,
        reevaluation.reevaluation_code
    FROM therapy_line
    INNER JOIN reevaluation ON therapy_line.hcpcs_code = reevaluation.hcpcs_code
    WHERE therapy_line.therapy AND NOT therapy_line.second_bill
),

day AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        min(hcpcs_code) AS hcpcs_code,
        min(billing_npi) AS billing_npi
    FROM line
    GROUP BY patient_id, discipline, service_date
),

followed AS (
    SELECT
        *,
        lag(service_date) OVER turn AS earlier_date,
        lag(hcpcs_code) OVER turn AS earlier_code,
        lag(billing_npi) OVER turn AS earlier_billing_npi
    FROM day
    WINDOW turn AS (PARTITION BY patient_id, discipline ORDER BY service_date)
),

second AS (
    SELECT followed.*
    FROM followed
    INNER JOIN treatment_day
        ON
            followed.patient_id = treatment_day.patient_id
            AND followed.discipline = treatment_day.discipline
            AND followed.service_date = treatment_day.service_date
    WHERE
        followed.earlier_date >= treatment_day.episode_start
        -- Another clinic evaluates for itself.
        AND coalesce(followed.billing_npi = followed.earlier_billing_npi, TRUE)
),

-- The last visit before, and what was treated since the evaluation before.
since AS (
    SELECT
        second.patient_id,
        second.discipline,
        second.service_date,
        max(therapy_line.service_date) AS last_visit,
        list_distinct(flatten(list(current_line.diagnosis_codes))) AS diagnoses
    FROM second
    INNER JOIN therapy_line
        ON
            second.patient_id = therapy_line.patient_id
            AND second.discipline = therapy_line.discipline
            AND therapy_line.service_date >= second.earlier_date
            AND therapy_line.service_date < second.service_date
    INNER JOIN current_line ON therapy_line.line_id = current_line.line_id
    WHERE therapy_line.therapy
    GROUP BY second.patient_id, second.discipline, second.service_date
),

discharged AS (
    SELECT DISTINCT
        second.patient_id,
        second.discipline,
        second.service_date
    FROM second
    INNER JOIN note_minutes
        ON
            second.patient_id = note_minutes.patient_id
            AND second.discipline = note_minutes.discipline
            AND note_minutes.service_date >= second.earlier_date
            AND note_minutes.service_date < second.service_date
    WHERE note_minutes.note_type = 'discharge'
),

gap AS (
    SELECT max(value)::INTEGER AS days
    FROM parameter
    WHERE name = 'clinic.new_evaluation_gap_days'
)

SELECT
    line.claim_id,
    line.claim_line_number,
    line.patient_id,
    line.service_date,
    line.discipline,
    line.plan,
    line.hcpcs_code,
    line.line_amount,
    line.reevaluation_code,
    since.patient_id IS NOT NULL AS is_repeated,
    second.earlier_date,
    second.earlier_code,
    current_line.diagnosis_codes[1] AS diagnosis,
    line.service_date - since.last_visit AS gap_days,
    discharged.patient_id IS NOT NULL OR line.service_date - since.last_visit >= gap.days AS is_begun_anew,
    list_contains(since.diagnoses, current_line.diagnosis_codes[1]) AS is_same_condition,
    CASE
        WHEN discharged.patient_id IS NOT NULL OR line.service_date - since.last_visit >= gap.days THEN TRUE
        WHEN current_line.diagnosis_codes[1] IS NOT NULL AND len(since.diagnoses) > 0 THEN TRUE
    END AS condition_known
FROM line
INNER JOIN current_line ON line.line_id = current_line.line_id
CROSS JOIN gap
LEFT JOIN second
    ON
        line.patient_id = second.patient_id
        AND line.discipline = second.discipline
        AND line.service_date = second.service_date
LEFT JOIN since
    ON
        line.patient_id = since.patient_id
        AND line.discipline = since.discipline
        AND line.service_date = since.service_date
LEFT JOIN discharged
    ON
        line.patient_id = discharged.patient_id
        AND line.discipline = discharged.discipline
        AND line.service_date = discharged.service_date
