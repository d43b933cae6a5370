-- Each note's discipline (as the note says, else its clinician's, else what the credential tells), whether an assistant
-- wrote it, and whose time it took. An assistant's note often carries the supervising therapist's number: then nobody
-- knows the assistant's, and the time is not the therapist's.
WITH therapist AS (
    SELECT npi FROM provider
    WHERE credential IN ('PT', 'OT', 'SLP')
    UNION
    SELECT rendering_npi FROM visit_note
    WHERE clinician_credential IN ('PT', 'OT', 'SLP') AND rendering_npi IS NOT NULL
),

written AS (
    SELECT
        visit_note.note_id,
        visit_note.patient_id,
        visit_note.service_date,
        visit_note.rendering_npi,
        visit_note.cosigned_date,
        coalesce(
            visit_note.discipline,
            provider.discipline,
            CASE
                WHEN visit_note.clinician_credential IN ('PT', 'PTA') THEN 'PT'
                WHEN visit_note.clinician_credential IN ('OT', 'OTA') THEN 'OT'
                WHEN visit_note.clinician_credential = 'SLP' THEN 'SLP'
            END
        ) AS discipline,
        -- Null where nobody says who wrote it: the number alone may be the supervisor's, unless it is an assistant's.
        CASE
            WHEN coalesce(visit_note.clinician_credential, provider.credential) IN ('PTA', 'OTA') THEN TRUE
            WHEN visit_note.clinician_credential IN ('PT', 'OT', 'SLP', 'MD', 'DO', 'NP', 'PA') THEN FALSE
        END AS by_assistant,
        coalesce(
            coalesce(visit_note.clinician_credential, provider.credential) IN ('SPT', 'SOT', 'SPTA', 'SOTA', 'SSLP'),
            FALSE
        ) AS by_student
    FROM visit_note
    LEFT JOIN provider ON visit_note.rendering_npi = provider.npi
)

SELECT
    written.note_id,
    written.patient_id,
    written.service_date,
    written.discipline,
    written.by_assistant,
    CASE WHEN NOT (coalesce(written.by_assistant, FALSE) AND therapist.npi IS NOT NULL) THEN written.rendering_npi END
        AS clinician_npi,
    coalesce(written.by_assistant, FALSE) AND written.cosigned_date IS NULL AS by_assistant_alone,
    written.by_student,
    written.by_student AND written.cosigned_date IS NULL AS by_student_alone
FROM written
LEFT JOIN therapist ON written.rendering_npi = therapist.npi
