-- The texts of the notes of the shown findings' days, with the places that show an element: number of the element,
-- begin, end. A whole note's text is read once for each code that has no text of its own.
WITH day AS (
    SELECT DISTINCT
        patient_id,
        service_date
    FROM report_finding
    WHERE place <= $rows
),

note AS (
    SELECT visit_note.*
    FROM visit_note
    SEMI JOIN day ON visit_note.patient_id = day.patient_id AND visit_note.service_date = day.service_date
),

told AS (
    SELECT
        note_id,
        service_number,
        hcpcs_code,
        trim(text) AS text
    FROM note_service
    SEMI JOIN note ON note_service.note_id = note.note_id
    WHERE trim(text) <> ''
    UNION ALL
    SELECT
        note.note_id,
        coalesce(service_text.service_number, 0) AS service_number,
        note_service.hcpcs_code,
        note.text
    FROM note
    LEFT JOIN service_text ON note.note_id = service_text.note_id AND service_text.text_source = 'note'
    LEFT JOIN note_service
        ON
            service_text.note_id = note_service.note_id AND service_text.service_number = note_service.service_number
    WHERE trim(note.text) <> ''
),

marked AS (
    SELECT
        text_number,
        list_sort(list([
            list_position(
                ['specific_activity', 'skilled_direction', 'functional_goal', 'patient_response'], element
            ) - 1,
            span_start,
            span_end
        ])) AS marks
    FROM evidence_span
    GROUP BY text_number
)

SELECT
    note.patient_id,
    note.service_date::VARCHAR AS service_date,
    note.note_id,
    note.discipline,
    note.rendering_npi,
    note.clinician_credential,
    told.hcpcs_code,
    told.text,
    service_text.text_number IS NOT NULL AS is_read,
    coalesce(marked.marks, []) AS marks
FROM told
INNER JOIN note ON told.note_id = note.note_id
LEFT JOIN service_text ON told.note_id = service_text.note_id AND told.service_number = service_text.service_number
LEFT JOIN marked ON service_text.text_number = marked.text_number
ORDER BY note.patient_id, note.service_date, note.note_id, told.service_number, told.text
