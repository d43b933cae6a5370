-- Each note's discipline and timed minutes: the note's own total, else the sum over its timed services.
WITH claim_day_discipline AS (
    SELECT
        patient_id,
        service_date,
        min(discipline) AS discipline
    FROM line_discipline
    WHERE therapy
    GROUP BY patient_id, service_date
    HAVING min(discipline) = max(discipline)
),

service AS (
    SELECT
        note_service.note_id,
        count(*) FILTER (note_service.hcpcs_code IS NOT NULL) AS coded_services,
        count(*) FILTER (procedure_code.kind = 'timed_15') AS timed_services,
        count(note_service.minutes) FILTER (procedure_code.kind = 'timed_15') AS timed_services_with_minutes,
        sum(note_service.minutes) FILTER (procedure_code.kind = 'timed_15') AS timed_service_minutes
    FROM note_service
    LEFT JOIN procedure_code ON note_service.hcpcs_code = procedure_code.hcpcs_code
    GROUP BY note_service.note_id
)

SELECT
    visit_note.note_id,
    visit_note.patient_id,
    visit_note.service_date,
    coalesce(note_discipline.discipline, claim_day_discipline.discipline, 'unknown') AS discipline,
    visit_note.note_type,
    coalesce(service.coded_services, 0) AS coded_services,
    coalesce(service.timed_services, 0) AS timed_services,
    coalesce(
        visit_note.total_timed_minutes,
        CASE WHEN service.timed_services_with_minutes = service.timed_services THEN service.timed_service_minutes END
    )::INTEGER AS timed_minutes
FROM visit_note
INNER JOIN note_discipline ON visit_note.note_id = note_discipline.note_id
LEFT JOIN service ON visit_note.note_id = service.note_id
LEFT JOIN claim_day_discipline
    ON
        visit_note.patient_id = claim_day_discipline.patient_id
        AND visit_note.service_date = claim_day_discipline.service_date
