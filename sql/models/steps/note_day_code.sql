-- Minutes documented for each code on one patient, day and discipline, and the assistant's of them; null where any of
-- its services lacks them.
SELECT
    charted_service.patient_id,
    charted_service.service_date,
    note_minutes.discipline,
    charted_service.hcpcs_code,
    CASE WHEN count(*) = count(charted_service.minutes) THEN sum(charted_service.minutes) END::INTEGER AS minutes,
    CASE
        WHEN count(*) = count(charted_service.assistant_minutes) THEN sum(charted_service.assistant_minutes)
    END::INTEGER AS assistant_minutes,
    CASE
        WHEN count(*) = count(*) FILTER (charted_service.sole_giver = 'assistant') THEN 'assistant'
        WHEN count(*) = count(*) FILTER (charted_service.sole_giver = 'therapist') THEN 'therapist'
    END AS sole_giver
FROM charted_service
INNER JOIN note_minutes ON charted_service.note_id = note_minutes.note_id
WHERE charted_service.hcpcs_code IS NOT NULL
GROUP BY
    charted_service.patient_id, charted_service.service_date, note_minutes.discipline, charted_service.hcpcs_code
