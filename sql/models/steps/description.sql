-- Each skilled activity of an episode as the notes chart it, visit by visit: whose note, which line, which amount.
-- `series` stands for patient, discipline, code and episode.
WITH
-- Rules about notes judge a day once, whoever pays.
day AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        arg_min(plan, claim_id) AS plan,
        min(claim_id) AS claim_id,
        arg_min(claim_line_number, claim_id) AS claim_line_number,
        any_value(episode_start) AS episode_start
    FROM episode_day
    GROUP BY patient_id, discipline, service_date
),

billed AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        hcpcs_code,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line,
        sum(line_amount) AS amount
    FROM therapy_line
    WHERE skilled_activity
    GROUP BY patient_id, discipline, service_date, hcpcs_code
),

-- A day's services under one code make one row, whatever their order.
charted AS (
    SELECT
        note_service.patient_id,
        note_minutes.discipline,
        note_service.hcpcs_code,
        note_service.service_date,
        count(*) AS services,
        min(note_service.note_id) AS note_id,
        -- Null where several clinicians wrote of it, or nobody says who.
        CASE
            WHEN min(note_minutes.clinician_npi) = max(note_minutes.clinician_npi)
                AND count(*) = count(note_minutes.clinician_npi)
                THEN min(note_minutes.clinician_npi)
        END AS clinician_npi,
        -- How much the patient does alone, 1 to 8; null where nobody says.
        min(nullif(list_position(
            [
                'dependent', 'maximal', 'moderate', 'minimal', 'contact_guard', 'supervision', 'modified_independent',
                'independent'
            ],
            coalesce(note_service.assist_level, text_evidence.assist_level)
        ), 0)) AS independence
    FROM note_service
    INNER JOIN note_minutes ON note_service.note_id = note_minutes.note_id
    INNER JOIN procedure_code
        ON note_service.hcpcs_code = procedure_code.hcpcs_code AND procedure_code.skilled_activity
    LEFT JOIN service_text
        ON note_service.note_id = service_text.note_id AND note_service.service_number = service_text.service_number
    LEFT JOIN text_evidence ON service_text.text_number = text_evidence.text_number
    GROUP BY note_service.patient_id, note_minutes.discipline, note_service.hcpcs_code, note_service.service_date
),

placed AS (
    SELECT
        charted.*,
        hash(charted.patient_id, charted.discipline, charted.hcpcs_code, day.episode_start) AS series,
        day.plan,
        day.episode_start,
        coalesce(billed.first_line.claim_id, day.claim_id) AS claim_id,
        coalesce(billed.first_line.claim_line_number, day.claim_line_number) AS claim_line_number,
        coalesce(billed.amount, 0.00) AS amount
    FROM charted
    INNER JOIN day
        ON
            charted.patient_id = day.patient_id
            AND charted.discipline = day.discipline
            AND charted.service_date = day.service_date
    LEFT JOIN billed
        ON
            charted.patient_id = billed.patient_id
            AND charted.discipline = billed.discipline
            AND charted.service_date = billed.service_date
            AND charted.hcpcs_code = billed.hcpcs_code
)

SELECT
    *,
    row_number() OVER (PARTITION BY series ORDER BY service_date) AS visit_number
FROM placed
