-- Patients by year and pool, allowed charges so far against the year's threshold: $rows of those who are not past it,
-- first whoever passes it soonest at the pace of the last visits, and of those who are past it the $rows nearest it.
WITH used AS (
    SELECT
        patient_id,
        year,
        pool,
        balance AS used_amount,
        threshold,
        is_lower_bound,
        amounts_expected,
        lines_past,
        lines_past_without_kx,
        crossing_date,
        visits_left,
        expected_crossing_date,
        balance > threshold AS is_past
    FROM kx_year
)

SELECT
    * EXCLUDE (is_past),
    used_amount / nullif(threshold, 0) AS share,
    threshold - used_amount AS left_amount
FROM used
QUALIFY
    row_number() OVER (
        PARTITION BY is_past
        ORDER BY
            NOT is_past AND expected_crossing_date IS NULL,
            CASE WHEN NOT is_past AND expected_crossing_date IS NOT NULL THEN visits_left END,
            abs(threshold - used_amount),
            year DESC,
            patient_id,
            pool
    ) <= $rows
ORDER BY
    is_past NULLS LAST,
    NOT is_past AND expected_crossing_date IS NULL,
    CASE WHEN NOT is_past AND expected_crossing_date IS NOT NULL THEN visits_left END,
    abs(threshold - used_amount),
    year DESC,
    patient_id,
    pool
