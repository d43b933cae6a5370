-- Each service of a note with its minutes (as charted, else between its start and its stop), how many of them an
-- assistant gave, and its place on the clock. What an assistant charts is the assistant's; a therapist who does not
-- mention one gave the minutes alone.
WITH clocked AS (
    SELECT
        *,
        CASE WHEN stop_time > start_time THEN date_diff('minute', TIME '00:00', start_time) END AS start_minute,
        CASE WHEN stop_time > start_time THEN date_diff('minute', TIME '00:00', stop_time) END AS stop_minute
    FROM note_service
),

timed AS (
    SELECT
        *,
        coalesce(minutes, stop_minute - start_minute)::INTEGER AS minutes_given
    FROM clocked
)

SELECT
    timed.note_id,
    timed.service_number,
    timed.patient_id,
    timed.service_date,
    timed.hcpcs_code,
    procedure_code.kind,
    coalesce(procedure_code.one_on_one, FALSE) AS one_on_one,
    timed.minutes_given AS minutes,
    CASE
        WHEN note_discipline.by_assistant THEN coalesce(nullif(timed.assistant_minutes, 0), timed.minutes_given)
        WHEN timed.assistant_minutes IS NOT NULL THEN timed.assistant_minutes
        WHEN note_discipline.by_assistant = FALSE THEN 0
    END::INTEGER AS assistant_minutes,
    -- Who gave the service, where one did alone.
    CASE
        WHEN note_discipline.by_assistant AND coalesce(timed.assistant_minutes, 0) IN (0, timed.minutes_given)
            THEN 'assistant'
        WHEN note_discipline.by_assistant AND timed.minutes_given IS NULL THEN 'assistant'
        WHEN timed.assistant_minutes = timed.minutes_given AND timed.minutes_given > 0 THEN 'assistant'
        WHEN timed.assistant_minutes = 0 OR (timed.assistant_minutes IS NULL AND note_discipline.by_assistant = FALSE)
            THEN 'therapist'
    END AS sole_giver,
    note_discipline.clinician_npi,
    note_discipline.by_assistant,
    timed.start_minute,
    timed.stop_minute
FROM timed
INNER JOIN note_discipline ON timed.note_id = note_discipline.note_id
LEFT JOIN procedure_code ON timed.hcpcs_code = procedure_code.hcpcs_code
