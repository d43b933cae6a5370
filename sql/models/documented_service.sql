-- One functional activity of a patient's day as billed to one plan, with what the day's notes document of it. Fields of
-- the export (goal, cues, assistance, minutes) come before the text; of several notes on it, each adds what it has.
-- Numbers that stand for a visit and a code of it (day_number), its visit (treatment_day_number), and both as billed to
-- one plan (billed_number): they are joined and grouped in a fraction of the time.
WITH billed AS (
    SELECT
        hash(line.patient_id, line.discipline, line.hcpcs_code, line.service_date, line.plan) AS billed_number,
        hash(line.patient_id, line.discipline, line.hcpcs_code, line.service_date) AS day_number,
        hash(line.patient_id, line.discipline, line.service_date) AS treatment_day_number,
        line.patient_id,
        line.discipline,
        line.service_date,
        line.plan,
        line.hcpcs_code,
        min({'claim_id': line.claim_id, 'claim_line_number': line.claim_line_number}) AS first_line,
        sum(line.line_amount) AS amount
    FROM therapy_line AS line
    INNER JOIN procedure_code ON line.hcpcs_code = procedure_code.hcpcs_code AND procedure_code.functional_activity
    WHERE NOT line.second_bill
    GROUP BY line.patient_id, line.discipline, line.service_date, line.plan, line.hcpcs_code
),

-- The skilled activities of the day, billed or charted: the text of a whole note may be about any of them, that of a
-- service without a code about any that is billed and not charted.
activity AS (
    SELECT
        treatment_day_number,
        bool_or(is_charted) AS is_charted
    FROM (
        SELECT
            hash(patient_id, discipline, hcpcs_code, service_date) AS day_number,
            hash(patient_id, discipline, service_date) AS treatment_day_number,
            FALSE AS is_charted
        FROM therapy_line
        WHERE skilled_activity
        UNION ALL
        SELECT
            day_number,
            treatment_day_number,
            TRUE AS is_charted
        FROM activity_service
    ) AS mention
    GROUP BY treatment_day_number, day_number
),

day AS (
    SELECT
        treatment_day_number,
        count(*) AS activities,
        count(*) FILTER (NOT is_charted) AS activities_uncharted
    FROM activity
    GROUP BY treatment_day_number
),

-- What is charted under a functional code, and (without a code) what a note says as a whole.
charted AS (
    SELECT
        hash(note_minutes.patient_id, note_minutes.discipline, note_service.hcpcs_code, note_minutes.service_date)
            AS day_number,
        hash(note_minutes.patient_id, note_minutes.discipline, note_minutes.service_date) AS treatment_day_number,
        note_service.hcpcs_code IS NOT NULL AS is_coded,
        note_minutes.note_id,
        note_minutes.clinician_npi,
        note_service.assist_level,
        note_service.cue_level,
        note_service.goal_id,
        coalesce(note_service.minutes, date_diff('minute', note_service.start_time, note_service.stop_time)) IS NOT NULL
            AS has_time,
        coalesce(note_service.service_number, 0) AS service_number
    FROM note_minutes
    LEFT JOIN note_service ON note_minutes.note_id = note_service.note_id
    LEFT JOIN procedure_code ON note_service.hcpcs_code = procedure_code.hcpcs_code
    WHERE note_service.hcpcs_code IS NULL OR procedure_code.functional_activity
),

coded AS (
    SELECT day_number
    FROM charted
    WHERE is_coded
),

-- A service without a code, or a note without services, stands for a code that no service of the day names.
matched AS (
    SELECT
        billed.billed_number,
        charted.* EXCLUDE (day_number)
    FROM billed
    INNER JOIN charted ON billed.day_number = charted.day_number
    WHERE charted.is_coded
    UNION ALL
    SELECT
        billed.billed_number,
        charted.* EXCLUDE (day_number)
    FROM billed
    INNER JOIN charted ON billed.treatment_day_number = charted.treatment_day_number
    ANTI JOIN coded ON billed.day_number = coded.day_number
    WHERE NOT charted.is_coded
),

-- Texts that state how many cues, or how much cueing, the task took.
cued AS (
    SELECT DISTINCT text_number
    FROM text_measure
    WHERE measure IN ('cue_count', 'cue_share', 'cue_level')
),

read AS (
    SELECT
        matched.* EXCLUDE (treatment_day_number, service_number),
        service_text.text_number,
        evidence.* EXCLUDE (text_number, assist_level),
        evidence.assist_level AS text_assist_level,
        day.activities = 1
        OR (service_text.text_source = 'service' AND (matched.is_coded OR day.activities_uncharted = 1)) AS is_of_code,
        cued.text_number IS NOT NULL AS cues_stated
    FROM matched
    INNER JOIN day ON matched.treatment_day_number = day.treatment_day_number
    LEFT JOIN service_text
        ON matched.note_id = service_text.note_id AND matched.service_number = service_text.service_number
    LEFT JOIN text_evidence AS evidence ON service_text.text_number = evidence.text_number
    LEFT JOIN cued ON service_text.text_number = cued.text_number
),

documented AS (
    SELECT
        billed_number,
        min(note_id) AS note_id,
        CASE WHEN min(clinician_npi) = max(clinician_npi) THEN min(clinician_npi) END AS clinician_npi,
        count(specific_activity) > 0 AS text_read,
        min(text_number) AS text_number,
        bool_or(specific_activity) AS specific_activity,
        CASE WHEN bool_or(cue_level <> 'none') THEN TRUE ELSE bool_or(skilled_direction) END AS skilled_direction,
        CASE WHEN count(goal_id) > 0 THEN TRUE ELSE bool_or(functional_goal) END AS functional_goal,
        CASE WHEN count(assist_level) > 0 THEN TRUE ELSE bool_or(patient_response) END AS patient_response,
        coalesce(max(assist_level), max(text_assist_level)) AS assist_level,
        CASE
            WHEN count(assist_level) + count(text_assist_level) + count(cue_level) > 0 OR bool_or(cues_stated) THEN TRUE
            WHEN count(specific_activity) > 0 THEN FALSE
        END AS assistance,
        CASE
            WHEN bool_or(has_time) OR count(minutes) + count(start_time) > 0 THEN TRUE
            WHEN count(specific_activity) > 0 THEN FALSE
        END AS time_stated,
        CASE
            WHEN bool_or(narrative = 'functional') FILTER (is_of_code) THEN 'functional'
            WHEN min(narrative) FILTER (is_of_code) = max(narrative) FILTER (is_of_code)
                THEN min(narrative) FILTER (is_of_code)
            WHEN count(narrative) FILTER (is_of_code) > 0 THEN 'vague'
        END AS narrative
    FROM read
    GROUP BY billed_number
),

-- Points of the score by element, for the dates on which they hold.
weight AS (
    SELECT
        effective_from,
        effective_to,
        sum(value) AS whole,
        coalesce(max(value) FILTER (key = 'specific_activity'), 0) AS specific_activity,
        coalesce(max(value) FILTER (key = 'skilled_direction'), 0) AS skilled_direction,
        coalesce(max(value) FILTER (key = 'functional_goal'), 0) AS functional_goal,
        coalesce(max(value) FILTER (key = 'patient_response'), 0) AS patient_response,
        coalesce(max(value) FILTER (key = 'time_stated'), 0) AS time_stated
    FROM parameter
    WHERE name = 'clinic.documentation_weight'
    GROUP BY effective_from, effective_to
)

SELECT
    billed.patient_id,
    billed.discipline,
    billed.service_date,
    billed.plan,
    billed.hcpcs_code,
    billed.first_line.claim_id,
    billed.first_line.claim_line_number,
    billed.amount,
    documented.* EXCLUDE (billed_number, text_read),
    coalesce(documented.text_read, FALSE) AS text_read,
    concat_ws(
        ', ',
        CASE WHEN documented.specific_activity THEN 'a specific activity' END,
        CASE WHEN documented.skilled_direction THEN 'skilled direction' END,
        CASE WHEN documented.functional_goal THEN 'a functional goal' END,
        CASE WHEN documented.patient_response THEN 'the patient''s response' END,
        CASE WHEN documented.time_stated THEN 'time' END
    ) AS found,
    CASE
        WHEN documented.text_read
            THEN
                round(
                    100 * (
                        weight.specific_activity * coalesce(documented.specific_activity, FALSE)::INTEGER
                        + weight.skilled_direction * coalesce(documented.skilled_direction, FALSE)::INTEGER
                        + weight.functional_goal * coalesce(documented.functional_goal, FALSE)::INTEGER
                        + weight.patient_response * coalesce(documented.patient_response, FALSE)::INTEGER
                        + weight.time_stated * coalesce(documented.time_stated, FALSE)::INTEGER
                    ) / nullif(weight.whole, 0)
                )::INTEGER
    END AS score
FROM billed
LEFT JOIN documented ON billed.billed_number = documented.billed_number
LEFT JOIN weight ON billed.service_date BETWEEN weight.effective_from AND weight.effective_to
