-- One-on-one services between a start and a stop: whose time they took, of which patient. A block that is longer than
-- the service's minutes was given in turns with something else: it is not solid.
SELECT
    charted_service.patient_id,
    charted_service.service_date,
    note_minutes.discipline,
    -- Within a discipline, notes that name nobody are taken for one clinician's.
    coalesce(charted_service.clinician_npi, note_minutes.discipline) AS clinician,
    charted_service.clinician_npi,
    charted_service.kind,
    -- In a therapist's note, minutes that an assistant gave may lie anywhere within the block.
    NOT coalesce(charted_service.by_assistant, FALSE) AND coalesce(charted_service.assistant_minutes, 0) > 0
        AS is_shared,
    charted_service.start_minute,
    charted_service.stop_minute,
    least(charted_service.minutes, charted_service.stop_minute - charted_service.start_minute) AS minutes,
    charted_service.minutes >= charted_service.stop_minute - charted_service.start_minute AS solid,
    charted_service.note_id,
    charted_service.service_number
FROM charted_service
INNER JOIN note_minutes ON charted_service.note_id = note_minutes.note_id
WHERE charted_service.one_on_one AND charted_service.start_minute IS NOT NULL
