-- What the notes of one patient, day and discipline say together: minutes of a morning and an afternoon note add up.
SELECT
    patient_id,
    service_date,
    discipline,
    min(note_id) AS note_id,
    sum(coded_services) > 0 AS services_coded,
    -- A note that charts timed services without any minutes leaves the day's total unknown.
    CASE
        WHEN count(*) FILTER (timed_minutes IS NULL AND timed_services > 0) = 0 THEN sum(timed_minutes)
    END::INTEGER AS timed_minutes,
    bool_or(note_type IN ('progress_report', 'reevaluation', 'recertification', 'discharge')) AS has_progress_report,
    bool_or(note_type IN ('reevaluation', 'recertification')) AS has_new_plan,
    count(note_type) > 0 AS note_type_known
FROM note_minutes
GROUP BY patient_id, service_date, discipline
