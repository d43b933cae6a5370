-- Minutes documented for each code on one patient, day and discipline; null where any of its services lacks them.
WITH service AS (
    SELECT
        note_service.patient_id,
        note_service.service_date,
        note_minutes.discipline,
        note_service.hcpcs_code,
        coalesce(
            note_service.minutes,
            CASE
                WHEN note_service.stop_time > note_service.start_time
                    THEN date_diff('minute', note_service.start_time, note_service.stop_time)
            END
        ) AS minutes
    FROM note_service
    INNER JOIN note_minutes ON note_service.note_id = note_minutes.note_id
    WHERE note_service.hcpcs_code IS NOT NULL
)

SELECT
    patient_id,
    service_date,
    discipline,
    hcpcs_code,
    CASE WHEN count(*) = count(minutes) THEN sum(minutes) END::INTEGER AS minutes
FROM service
GROUP BY patient_id, service_date, discipline, hcpcs_code
