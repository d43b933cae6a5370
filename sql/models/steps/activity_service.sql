-- Each note service of a skilled activity: its day (all services under one code on one day are one activity's day), who
-- wrote of it, what its fields chart, and the text that was read for it.
SELECT
    hash(note_service.patient_id, note_minutes.discipline, note_service.hcpcs_code, note_service.service_date)
        AS day_number,
    hash(note_service.patient_id, note_minutes.discipline, note_service.service_date) AS treatment_day_number,
    note_service.patient_id,
    note_minutes.discipline,
    note_service.hcpcs_code,
    note_service.service_date,
    note_service.note_id,
    note_service.service_number,
    note_minutes.clinician_npi,
    note_service.text IS NOT NULL AS has_own_text,
    strlen(note_service.text) AS text_length,
    -- Letters and digits that a text begins with.
    left(translate(lower(left(note_service.text, 32)), ' .,;:!?()"''' || chr(9) || chr(10) || chr(13), ''), 10)
        AS text_opening,
    service_text.text_number,
    note_service.assist_level,
    note_service.cue_level,
    note_service.difficulty
FROM note_service
INNER JOIN note_minutes ON note_service.note_id = note_minutes.note_id
INNER JOIN procedure_code
    ON note_service.hcpcs_code = procedure_code.hcpcs_code AND procedure_code.skilled_activity
LEFT JOIN service_text
    ON note_service.note_id = service_text.note_id AND note_service.service_number = service_text.service_number
