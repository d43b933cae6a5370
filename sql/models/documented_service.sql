-- One functional activity of a patient's day as billed to one plan, with what the day's notes document of it. Fields of
-- the export (goal, cues, assistance, minutes) come before the text; of several notes on it, each adds what it has.
WITH billed AS (
    SELECT
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
        patient_id,
        discipline,
        service_date,
        hcpcs_code,
        TRUE AS is_billed
    FROM therapy_line
    WHERE skilled_activity
    UNION
    SELECT
        note_minutes.patient_id,
        note_minutes.discipline,
        note_minutes.service_date,
        note_service.hcpcs_code,
        FALSE AS is_billed
    FROM note_minutes
    INNER JOIN note_service ON note_minutes.note_id = note_service.note_id
    INNER JOIN procedure_code
        ON note_service.hcpcs_code = procedure_code.hcpcs_code AND procedure_code.skilled_activity
),

day AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        count(DISTINCT hcpcs_code) AS activities,
        count(DISTINCT hcpcs_code) - count(*) FILTER (NOT is_billed) AS activities_uncharted
    FROM activity
    GROUP BY patient_id, discipline, service_date
),

-- What is charted under a code, and (without a code) what a note says as a whole.
charted AS (
    SELECT
        note_minutes.patient_id,
        note_minutes.discipline,
        note_minutes.service_date,
        note_service.hcpcs_code,
        note_minutes.note_id,
        note_minutes.clinician_npi,
        note_service.assist_level,
        note_service.cue_level,
        note_service.goal_id,
        coalesce(note_service.minutes, date_diff('minute', note_service.start_time, note_service.stop_time)) IS NOT NULL
            AS has_time,
        service_text.text_source,
        service_text.text_number
    FROM note_minutes
    LEFT JOIN note_service ON note_minutes.note_id = note_service.note_id
    LEFT JOIN service_text
        ON
            note_minutes.note_id = service_text.note_id
            AND coalesce(note_service.service_number, 0) = service_text.service_number
),

coded AS (
    SELECT DISTINCT
        patient_id,
        discipline,
        service_date,
        hcpcs_code
    FROM charted
    WHERE hcpcs_code IS NOT NULL
),

-- A service without a code, or a note without services, stands for a code that no service of the day names.
uncoded AS (
    SELECT
        billed.patient_id,
        billed.discipline,
        billed.service_date,
        billed.plan,
        billed.hcpcs_code,
        charted.* EXCLUDE (patient_id, discipline, service_date, hcpcs_code)
    FROM billed
    INNER JOIN charted
        ON
            billed.patient_id = charted.patient_id
            AND billed.discipline = charted.discipline
            AND billed.service_date = charted.service_date
    ANTI JOIN coded
        ON
            billed.patient_id = coded.patient_id
            AND billed.discipline = coded.discipline
            AND billed.service_date = coded.service_date
            AND billed.hcpcs_code = coded.hcpcs_code
    WHERE charted.hcpcs_code IS NULL
),

matched AS (
    SELECT
        billed.patient_id,
        billed.discipline,
        billed.service_date,
        billed.plan,
        billed.hcpcs_code,
        charted.* EXCLUDE (patient_id, discipline, service_date, hcpcs_code),
        TRUE AS is_coded
    FROM billed
    INNER JOIN charted
        ON
            billed.patient_id = charted.patient_id
            AND billed.discipline = charted.discipline
            AND billed.service_date = charted.service_date
            AND billed.hcpcs_code = charted.hcpcs_code
    UNION ALL
    SELECT
        uncoded.*,
        FALSE AS is_coded
    FROM uncoded
),

-- Texts that state how many cues, or how much cueing, the task took.
cued AS (
    SELECT DISTINCT text_number
    FROM text_measure
    WHERE measure IN ('cue_count', 'cue_share', 'cue_level')
),

read AS (
    SELECT
        matched.*,
        evidence.* EXCLUDE (text_number, assist_level),
        evidence.assist_level AS text_assist_level,
        day.activities = 1
        OR (matched.text_source = 'service' AND (matched.is_coded OR day.activities_uncharted = 1)) AS is_of_code,
        cued.text_number IS NOT NULL AS cues_stated
    FROM matched
    INNER JOIN day
        ON
            matched.patient_id = day.patient_id
            AND matched.discipline = day.discipline
            AND matched.service_date = day.service_date
    LEFT JOIN text_evidence AS evidence ON matched.text_number = evidence.text_number
    LEFT JOIN cued ON matched.text_number = cued.text_number
),

documented AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        plan,
        hcpcs_code,
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
    GROUP BY patient_id, discipline, service_date, plan, hcpcs_code
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
    documented.* EXCLUDE (patient_id, discipline, service_date, plan, hcpcs_code, text_read),
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
LEFT JOIN documented
    ON
        billed.patient_id = documented.patient_id
        AND billed.discipline = documented.discipline
        AND billed.service_date = documented.service_date
        AND billed.plan IS NOT DISTINCT FROM documented.plan
        AND billed.hcpcs_code = documented.hcpcs_code
LEFT JOIN weight ON billed.service_date BETWEEN weight.effective_from AND weight.effective_to
