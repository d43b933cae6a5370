-- NCCI pairs that a modifier lets through, and what the day's note shows to set the two services apart: times that do
-- not overlap (minutes of their own, where no times are charted), or body regions that they do not share.
WITH pair AS (
    SELECT DISTINCT
        line.claim_id,
        line.claim_line_number,
        line.patient_id,
        line.service_date,
        line.discipline,
        first.hcpcs_code AS column_one,
        line.hcpcs_code AS column_two,
        first.documented AS column_one_documented,
        line.documented AS column_two_documented
    FROM (
        SELECT
            claim_id,
            claim_line_number,
            unnest(column_one_lines) AS first_line
        FROM ncci_hit
        WHERE modifier_indicator = 1 AND let_through
    ) AS hit
    INNER JOIN therapy_line AS line
        ON hit.claim_id = line.claim_id AND hit.claim_line_number = line.claim_line_number
    INNER JOIN therapy_line AS first
        ON
            hit.first_line.claim_id = first.claim_id
            AND hit.first_line.claim_line_number = first.claim_line_number
            AND line.discipline = first.discipline
    -- What let the pair through is 59 or one of its subsets, not a side or another day's modifier.
    WHERE line.distinct_service OR first.distinct_service
),

concerned AS (
    SELECT patient_id, service_date, discipline, column_one AS hcpcs_code FROM pair
    UNION
    SELECT patient_id, service_date, discipline, column_two FROM pair
),

service AS (
    SELECT
        note_minutes.discipline,
        charted_service.*
    FROM charted_service
    INNER JOIN note_minutes ON charted_service.note_id = note_minutes.note_id
    SEMI JOIN concerned
        ON
            charted_service.patient_id = concerned.patient_id
            AND charted_service.service_date = concerned.service_date
            AND note_minutes.discipline = concerned.discipline
            AND charted_service.hcpcs_code = concerned.hcpcs_code
),

worded AS (
    SELECT
        service.patient_id,
        service.service_date,
        service.discipline,
        service.hcpcs_code,
        service.note_id,
        service.service_number,
        unnest(string_split_regex(lower(note_service.text), '[^a-z]+')) AS word
    FROM service
    INNER JOIN note_service
        ON service.note_id = note_service.note_id AND service.service_number = note_service.service_number
),

named AS (
    SELECT
        worded.* EXCLUDE (word),
        body_region.region
    FROM worded
    INNER JOIN body_region ON worded.word = body_region.word
),

region AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        hcpcs_code,
        list_distinct(list(region)) AS regions,
        count(DISTINCT (note_id, service_number)) AS services
    FROM named
    GROUP BY patient_id, service_date, discipline, hcpcs_code
),

code AS (
    SELECT
        service.patient_id,
        service.service_date,
        service.discipline,
        service.hcpcs_code,
        count(*) AS services,
        count(*) = count(service.start_minute) AS has_times,
        -- A code that is not counted in time needs no minutes.
        count(*) FILTER (service.kind = 'timed_15' AND service.minutes IS NULL) = 0 AS has_minutes,
        list_distinct(list(service.note_id)) AS notes,
        sum(service.minutes) AS minutes,
        min(service.start_minute) AS first_start,
        max(service.stop_minute) AS last_stop,
        list({
            'start': service.start_minute,
            'stop': service.stop_minute,
            'solid': service.minutes >= service.stop_minute - service.start_minute
        }) AS blocks
    FROM service
    GROUP BY service.patient_id, service.service_date, service.discipline, service.hcpcs_code
)

SELECT
    pair.*,
    CASE
        WHEN NOT pair.column_one_documented THEN 'the note does not chart ' || pair.column_one
        WHEN NOT pair.column_two_documented THEN 'the note does not chart ' || pair.column_two
        -- What is not charted by code (an evaluation's note, a service without one) may be anything.
        WHEN first.hcpcs_code IS NULL OR second.hcpcs_code IS NULL THEN NULL
        WHEN NOT list_has_any(first.notes, second.notes) THEN NULL
        WHEN first_region.services = first.services AND second_region.services = second.services
            AND NOT list_has_any(first_region.regions, second_region.regions)
            THEN NULL
        WHEN first.has_times AND second.has_times
            THEN
                CASE
                    WHEN len(list_filter(
                        first.blocks,
                        lambda one: len(list_filter(
                            second.blocks,
                            lambda other: one.solid AND other.solid
                            AND one.start < other.stop AND other.start < one.stop
                        )) > 0
                    )) > 0
                        THEN 'their times overlap'
                    -- Blocks with turns in them: the minutes of both have to fit the clock.
                    WHEN
                        first.minutes + second.minutes
                        > greatest(first.last_stop, second.last_stop) - least(first.first_start, second.first_start)
                        THEN 'their times overlap'
                END
        WHEN NOT first.has_minutes THEN 'the note gives ' || pair.column_one || ' neither minutes nor times of its own'
        WHEN NOT second.has_minutes THEN 'the note gives ' || pair.column_two || ' neither minutes nor times of its own'
    END AS reason
FROM pair
LEFT JOIN code AS first
    ON
        pair.patient_id = first.patient_id
        AND pair.service_date = first.service_date
        AND pair.discipline = first.discipline
        AND pair.column_one = first.hcpcs_code
LEFT JOIN code AS second
    ON
        pair.patient_id = second.patient_id
        AND pair.service_date = second.service_date
        AND pair.discipline = second.discipline
        AND pair.column_two = second.hcpcs_code
LEFT JOIN region AS first_region
    ON
        pair.patient_id = first_region.patient_id
        AND pair.service_date = first_region.service_date
        AND pair.discipline = first_region.discipline
        AND pair.column_one = first_region.hcpcs_code
LEFT JOIN region AS second_region
    ON
        pair.patient_id = second_region.patient_id
        AND pair.service_date = second_region.service_date
        AND pair.discipline = second_region.discipline
        AND pair.column_two = second_region.hcpcs_code
