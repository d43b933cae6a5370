-- Timed minutes that two clinicians gave one patient together: each counts once, however many gave it. As for overlaps,
-- blocks with turns in them count only where all their minutes do not fit the clock.
WITH block AS (
    SELECT *
    FROM patient_overlap
    WHERE kind = 'timed_15'
),

covered AS (
    SELECT
        *,
        max(CASE WHEN solid THEN stop_minute END) OVER day_before AS solid_to,
        max(CASE WHEN solid THEN stop_minute END) OVER own_before AS own_solid_to,
        max(stop_minute) OVER own_before AS own_covered_to,
        max(stop_minute) OVER day_before AS covered_to
    FROM block
    WINDOW
        day_before AS (
            PARTITION BY patient_id, service_date
            ORDER BY start_minute, stop_minute, discipline, note_id, service_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        own_before AS (
            PARTITION BY patient_id, service_date, clinician
            ORDER BY start_minute, stop_minute, discipline, note_id, service_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
),

placed AS (
    SELECT
        *,
        count(*) FILTER (covered_to IS NULL OR start_minute >= covered_to) OVER (
            PARTITION BY patient_id, service_date
            ORDER BY start_minute, stop_minute, discipline, note_id, service_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stretch
    FROM covered
),

-- One clinician's minutes within a stretch cannot be more than the clock of the blocks: that they are is the visit's
-- fault.
own_stretch AS (
    SELECT
        patient_id,
        service_date,
        stretch,
        clinician,
        min(start_minute) AS first_start_minute,
        max(stop_minute) AS last_stop_minute,
        least(
            sum(minutes), sum(greatest(stop_minute - greatest(start_minute, coalesce(own_covered_to, 0)), 0))
        ) AS minutes,
        -- What another's solid blocks had covered before, without what one's own had.
        sum(
            CASE
                WHEN solid
                    THEN greatest(least(stop_minute, coalesce(solid_to, 0)) - start_minute, 0)
                        - greatest(least(stop_minute, coalesce(own_solid_to, 0)) - start_minute, 0)
                ELSE 0
            END
        ) AS crossed_minutes
    FROM placed
    GROUP BY patient_id, service_date, stretch, clinician
),

stretched AS (
    SELECT
        patient_id,
        service_date,
        greatest(
            sum(crossed_minutes), sum(minutes) - (max(last_stop_minute) - min(first_start_minute)), 0
        ) AS joint_minutes
    FROM own_stretch
    GROUP BY patient_id, service_date, stretch
    HAVING count(*) > 1
),

clinician_start AS (
    SELECT
        patient_id,
        service_date,
        clinician,
        min(discipline) AS discipline,
        min(start_minute) AS start_minute
    FROM block
    GROUP BY patient_id, service_date, clinician
),

day AS (
    SELECT
        patient_id,
        service_date,
        sum(joint_minutes)::INTEGER AS joint_minutes
    FROM stretched
    GROUP BY patient_id, service_date
    HAVING sum(joint_minutes) > 0
)

SELECT
    day.patient_id,
    day.service_date,
    day.joint_minutes,
    count(DISTINCT clinician_start.discipline) AS disciplines,
    arg_max(clinician_start.discipline, (clinician_start.start_minute, clinician_start.discipline)) AS later_discipline
FROM day
INNER JOIN clinician_start
    ON day.patient_id = clinician_start.patient_id AND day.service_date = clinician_start.service_date
GROUP BY day.patient_id, day.service_date, day.joint_minutes
