-- How many patients (by year and pool) stand where in relation to the KX threshold.
WITH warn AS (
    SELECT coalesce(max(value), 0.8) AS share
    FROM parameter
    WHERE name = 'clinic.kx_warn_share'
)

SELECT
    count(*) AS patients,
    count(*) FILTER (WHERE kx_year.balance > kx_year.threshold) AS past,
    count(*) FILTER (
        WHERE kx_year.balance >= warn.share * kx_year.threshold AND kx_year.balance <= kx_year.threshold
    ) AS near,
    count(*) FILTER (WHERE kx_year.visits_left <= 6 AND kx_year.expected_crossing_date IS NOT NULL) AS soon,
    count(*) FILTER (WHERE kx_year.threshold IS NULL) AS threshold_unknown,
    coalesce(any_value(warn.share), 0.8) AS warn_share
FROM kx_year
CROSS JOIN warn
