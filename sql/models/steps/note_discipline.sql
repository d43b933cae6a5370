-- Each note's discipline (as the note says, else its clinician's, else what the credential tells) and whether an
-- assistant wrote it, and wrote it alone.
SELECT
    visit_note.note_id,
    visit_note.patient_id,
    visit_note.service_date,
    coalesce(
        visit_note.discipline,
        provider.discipline,
        CASE
            WHEN visit_note.clinician_credential IN ('PT', 'PTA') THEN 'PT'
            WHEN visit_note.clinician_credential IN ('OT', 'OTA') THEN 'OT'
            WHEN visit_note.clinician_credential = 'SLP' THEN 'SLP'
        END
    ) AS discipline,
    visit_note.rendering_npi AS clinician_npi,
    -- Null where nobody says who wrote it.
    coalesce(visit_note.clinician_credential, provider.credential) IN ('PTA', 'OTA') AS by_assistant,
    coalesce(visit_note.clinician_credential, provider.credential) IN ('PTA', 'OTA')
    AND visit_note.cosigned_date IS NULL AS by_assistant_alone
FROM visit_note
LEFT JOIN provider ON visit_note.rendering_npi = provider.npi
