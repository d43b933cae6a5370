-- A clinician's one-on-one minutes of a day that lie with two patients at once, from blocks of the clock: those of
-- group and of supervised modalities are not among them, and what an assistant gave in a therapist's note is left out.
WITH block AS (
    SELECT *
    FROM time_block
    WHERE clinician_npi IS NOT NULL AND NOT is_shared
),

day AS (
    SELECT
        clinician_npi,
        service_date,
        list_sort(list(start_minute * 1440 + stop_minute)) AS blocks
    FROM block
    GROUP BY clinician_npi, service_date
    HAVING count(DISTINCT patient_id) > 1
),

overlapping AS (
    SELECT
        clinician_npi,
        service_date
    FROM day
    WHERE has_overlap(blocks)
),

covered AS (
    SELECT
        block.*,
        max(CASE WHEN block.solid THEN block.stop_minute END) OVER day_before AS solid_to,
        arg_max(block.patient_id, CASE WHEN block.solid THEN block.stop_minute END) OVER day_before AS solid_patient_id,
        max(CASE WHEN block.solid THEN block.stop_minute END) OVER own_before AS own_solid_to,
        max(block.stop_minute) OVER own_before AS own_covered_to,
        max(block.stop_minute) OVER day_before AS covered_to
    FROM block
    SEMI JOIN overlapping
        ON block.clinician_npi = overlapping.clinician_npi AND block.service_date = overlapping.service_date
    WINDOW
        day_before AS (
            PARTITION BY block.clinician_npi, block.service_date
            ORDER BY block.start_minute, block.stop_minute, block.patient_id, block.note_id, block.service_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        own_before AS (
            PARTITION BY block.clinician_npi, block.service_date, block.patient_id
            ORDER BY block.start_minute, block.stop_minute, block.note_id, block.service_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
),

placed AS (
    SELECT
        *,
        CASE
            WHEN solid
                THEN greatest(least(stop_minute, coalesce(solid_to, 0)) - start_minute, 0)
                    - greatest(least(stop_minute, coalesce(own_solid_to, 0)) - start_minute, 0)
            ELSE 0
        END AS crossed_minutes,
        count(*) FILTER (covered_to IS NULL OR start_minute >= covered_to) OVER (
            PARTITION BY clinician_npi, service_date
            ORDER BY start_minute, stop_minute, patient_id, note_id, service_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stretch
    FROM covered
),

-- One patient's minutes within a stretch cannot be more than the clock of the blocks: that they are is the visit's
-- fault.
own_stretch AS (
    SELECT
        clinician_npi,
        service_date,
        stretch,
        patient_id,
        discipline,
        min(start_minute) AS first_start_minute,
        min(start_minute) FILTER (crossed_minutes > 0) AS crossed_start_minute,
        max(stop_minute) AS last_stop_minute,
        least(
            sum(minutes), sum(greatest(stop_minute - greatest(start_minute, coalesce(own_covered_to, 0)), 0))
        ) AS minutes,
        sum(greatest(crossed_minutes, 0)) AS crossed_minutes
    FROM placed
    GROUP BY clinician_npi, service_date, stretch, patient_id, discipline
),

stretched AS (
    SELECT
        clinician_npi,
        service_date,
        list_distinct(list(patient_id)) AS patient_ids,
        -- The patient whose time was taken for another's: where blocks cross, the later one; else the last to begin.
        arg_max(
            {'patient_id': patient_id, 'discipline': discipline},
            (coalesce(crossed_start_minute, -1), first_start_minute, patient_id)
        ) AS later,
        greatest(
            sum(crossed_minutes), sum(minutes) - (max(last_stop_minute) - min(first_start_minute)), 0
        ) AS double_booked_minutes
    FROM own_stretch
    GROUP BY clinician_npi, service_date, stretch
    HAVING count(*) > 1
)

SELECT
    clinician_npi,
    service_date,
    arg_max(later, (double_booked_minutes, later.patient_id)) AS later,
    len(list_distinct(flatten(list(patient_ids)))) AS patients,
    sum(double_booked_minutes)::INTEGER AS double_booked_minutes
FROM stretched
WHERE double_booked_minutes > 0
GROUP BY clinician_npi, service_date
