-- How many patients (by year and pool) stand where in relation to the KX threshold.
WITH used AS (
    SELECT
        patient_id,
        year,
        pool,
        max(balance_after) AS used_amount,
        max(threshold) AS threshold
    FROM kx_ledger
    WHERE year IN (SELECT unnest(range(year(period_start), year(period_end) + 1)) FROM audit_period)
    GROUP BY patient_id, year, pool
)

SELECT
    count(*) AS patients,
    count(*) FILTER (WHERE used_amount >= threshold) AS past,
    count(*) FILTER (WHERE used_amount >= 0.8 * threshold AND used_amount < threshold) AS near,
    count(*) FILTER (WHERE threshold IS NULL) AS threshold_unknown
FROM used
