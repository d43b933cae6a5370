-- Blocks of patients' days on which some overlap: few, so that only these need to be gone through one after another.
WITH day AS (
    SELECT
        patient_id,
        service_date,
        list_sort(list(start_minute * 1440 + stop_minute)) AS blocks
    FROM time_block
    GROUP BY patient_id, service_date
    HAVING count(*) > 1
),

overlapping AS (
    SELECT
        patient_id,
        service_date
    FROM day
    WHERE has_overlap(blocks)
)

SELECT time_block.*
FROM time_block
SEMI JOIN overlapping
    ON time_block.patient_id = overlapping.patient_id AND time_block.service_date = overlapping.service_date
