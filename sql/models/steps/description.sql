-- Each skilled activity of an episode as the notes chart it, visit by visit: whose note, which line, which amount.
-- `series` stands for patient, discipline, code and episode.
WITH
-- A day's services under one code make one row, whatever their order.
charted AS (
    SELECT
        service.day_number,
        any_value(service.treatment_day_number) AS treatment_day_number,
        any_value(service.patient_id) AS patient_id,
        any_value(service.discipline) AS discipline,
        any_value(service.hcpcs_code) AS hcpcs_code,
        any_value(service.service_date) AS service_date,
        count(*) AS services,
        min(service.note_id) AS note_id,
        -- Null where several clinicians wrote of it, or nobody says who.
        CASE
            WHEN min(service.clinician_npi) = max(service.clinician_npi) AND count(*) = count(service.clinician_npi)
                THEN min(service.clinician_npi)
        END AS clinician_npi,
        -- How much the patient does alone, 1 to 8; null where nobody says.
        min(nullif(list_position(
            [
                'dependent', 'maximal', 'moderate', 'minimal', 'contact_guard', 'supervision', 'modified_independent',
                'independent'
            ],
            coalesce(service.assist_level, text_evidence.assist_level)
        ), 0)) AS independence
    FROM activity_service AS service
    LEFT JOIN text_evidence ON service.text_number = text_evidence.text_number
    GROUP BY service.day_number
),

placed AS (
    SELECT
        charted.* EXCLUDE (treatment_day_number),
        hash(charted.patient_id, charted.discipline, charted.hcpcs_code, day.episode_start) AS series,
        day.plan,
        day.episode_start,
        coalesce(billed.first_line.claim_id, day.claim_id) AS claim_id,
        coalesce(billed.first_line.claim_line_number, day.claim_line_number) AS claim_line_number,
        coalesce(billed.amount, 0.00) AS amount
    FROM charted
    INNER JOIN noted_day AS day ON charted.treatment_day_number = day.treatment_day_number
    LEFT JOIN billed_activity AS billed ON charted.day_number = billed.day_number
)

SELECT
    *,
    row_number() OVER (PARTITION BY series ORDER BY service_date) AS visit_number
FROM placed
