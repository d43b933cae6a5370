-- Each service of a note with its minutes: as charted, else between its start and its stop.
SELECT
    note_service.note_id,
    note_service.patient_id,
    note_service.service_date,
    note_service.hcpcs_code,
    procedure_code.kind,
    coalesce(
        note_service.minutes,
        CASE
            WHEN note_service.stop_time > note_service.start_time
                THEN date_diff('minute', note_service.start_time, note_service.stop_time)
        END
    ) AS minutes
FROM note_service
LEFT JOIN procedure_code ON note_service.hcpcs_code = procedure_code.hcpcs_code
