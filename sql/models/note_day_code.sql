-- Minutes documented for each code on one patient, day and discipline; null where any of its services lacks them.
SELECT
    note_service.patient_id,
    note_service.service_date,
    note_minutes.discipline,
    note_service.hcpcs_code,
    CASE WHEN count(*) = count(note_service.minutes) THEN sum(note_service.minutes) END::INTEGER AS minutes
FROM note_service
INNER JOIN note_minutes ON note_service.note_id = note_minutes.note_id
WHERE note_service.hcpcs_code IS NOT NULL
GROUP BY note_service.patient_id, note_service.service_date, note_minutes.discipline, note_service.hcpcs_code
