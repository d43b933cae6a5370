-- Patients by year and pool of the KX ledger, allowed charges so far against the year's threshold: the $rows nearest it
-- from below, who may cross it next, and the $rows nearest it from above.
WITH used AS (
    SELECT
        patient_id,
        year,
        pool,
        max(balance_after) AS used_amount,
        max(threshold) AS threshold,
        bool_or(is_lower_bound) OR count(allowed_amount) < count(*) AS is_lower_bound,
        count(*) FILTER (WHERE balance_before >= threshold) AS lines_past,
        count(*) FILTER (WHERE balance_before >= threshold AND NOT has_kx) AS lines_past_without_kx
    FROM kx_ledger
    WHERE year IN (SELECT unnest(range(year(period_start), year(period_end) + 1)) FROM audit_period)
    GROUP BY patient_id, year, pool
)

SELECT
    used.*,
    used_amount / nullif(threshold, 0) AS share,
    threshold - used_amount AS left_amount
FROM used
QUALIFY
    row_number() OVER (
        PARTITION BY used_amount >= threshold
        ORDER BY abs(threshold - used_amount), year DESC, patient_id, pool
    ) <= $rows
ORDER BY used_amount >= threshold NULLS LAST, abs(threshold - used_amount), year DESC, patient_id, pool
