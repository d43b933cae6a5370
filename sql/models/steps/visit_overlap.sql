-- Minutes of one visit with one clinician that lie in two one-on-one services at once. Solid blocks count where they
-- cross; blocks with turns in them only where all minutes of a stretch of the clock are more than the clock holds.
WITH covered AS (
    SELECT
        *,
        max(stop_minute) OVER before_block AS covered_to,
        max(CASE WHEN solid THEN stop_minute END) OVER before_block AS solid_to
    FROM patient_overlap
    WINDOW before_block AS (
        PARTITION BY patient_id, service_date, discipline, clinician
        ORDER BY start_minute, stop_minute, note_id, service_number
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),

placed AS (
    SELECT
        *,
        count(*) FILTER (covered_to IS NULL OR start_minute >= covered_to) OVER (
            PARTITION BY patient_id, service_date, discipline, clinician
            ORDER BY start_minute, stop_minute, note_id, service_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stretch
    FROM covered
),

stretched AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        clinician,
        greatest(
            sum(CASE WHEN solid THEN greatest(least(stop_minute, coalesce(solid_to, 0)) - start_minute, 0) ELSE 0 END),
            sum(minutes) - (max(stop_minute) - min(start_minute)),
            0
        ) AS overlap_minutes
    FROM placed
    GROUP BY patient_id, service_date, discipline, clinician, stretch
)

SELECT
    patient_id,
    service_date,
    discipline,
    sum(overlap_minutes)::INTEGER AS overlap_minutes
FROM stretched
GROUP BY patient_id, service_date, discipline
HAVING sum(overlap_minutes) > 0
