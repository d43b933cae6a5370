-- Each service of a note with its minutes (as charted, else between its start and its stop, else as its own text states
-- them), how many of them an assistant gave, and its place on the clock. What an assistant charts is the assistant's; a
-- therapist who does not mention one gave the minutes alone.
WITH
-- One and the same block on several services of a note, none with minutes: it is the visit's, not the service's.
visit_block AS (
    SELECT
        note_id,
        start_time,
        stop_time
    FROM note_service
    WHERE start_time IS NOT NULL AND minutes IS NULL
    GROUP BY note_id, start_time, stop_time
    HAVING count(*) > 1
),

-- A stop before the start, within three hours of a clock of twelve, is past noon.
clocked AS (
    SELECT
        note_service.*,
        CASE WHEN visit_block.note_id IS NULL THEN date_diff('minute', TIME '00:00', note_service.start_time) END
            AS start_minute,
        date_diff('minute', TIME '00:00', note_service.stop_time)
        + CASE
            WHEN
                note_service.stop_time < note_service.start_time
                AND date_diff('minute', note_service.start_time, note_service.stop_time) + 720 BETWEEN 1 AND 180
                THEN 720
            ELSE 0
        END AS stop_minute
    FROM note_service
    -- In one equation: with a condition of its own on the minutes, DuckDB would compare each service with every block.
    LEFT JOIN visit_block
        ON
            CASE WHEN note_service.minutes IS NULL THEN note_service.note_id END = visit_block.note_id
            AND note_service.start_time = visit_block.start_time
            AND note_service.stop_time IS NOT DISTINCT FROM visit_block.stop_time
),

-- What a service's own text says of its time.
stated AS (
    SELECT
        service_text.note_id,
        service_text.service_number,
        text_evidence.minutes,
        text_evidence.start_time,
        text_evidence.stop_time
    FROM service_text
    INNER JOIN text_evidence ON service_text.text_number = text_evidence.text_number
    WHERE service_text.text_source = 'service'
),

timed AS (
    SELECT
        clocked.* REPLACE (
            CASE WHEN clocked.stop_minute > clocked.start_minute THEN clocked.start_minute END AS start_minute,
            CASE WHEN clocked.stop_minute > clocked.start_minute THEN clocked.stop_minute END AS stop_minute
        ),
        coalesce(
            clocked.minutes,
            CASE WHEN clocked.stop_minute > clocked.start_minute THEN clocked.stop_minute - clocked.start_minute END,
            stated.minutes,
            date_diff('minute', stated.start_time, stated.stop_time)
        )::INTEGER AS minutes_given
    FROM clocked
    LEFT JOIN stated
        ON clocked.note_id = stated.note_id AND clocked.service_number = stated.service_number
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
