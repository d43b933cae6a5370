-- The trend as a page shows it: per rule, clinician and payer a list over the runs; those with most dollars first.
SELECT
    level,
    item,
    any_value(title) AS title,
    list(findings ORDER BY run_number) AS findings,
    list(exposure_amount ORDER BY run_number) AS amounts,
    max(exposure_amount) AS most
FROM compare_trend
GROUP BY level, item
QUALIFY
    row_number() OVER (
        PARTITION BY level
        ORDER BY max(exposure_amount) DESC, sum(findings) DESC, item NULLS LAST
    ) <= $rows
ORDER BY level, most DESC, sum(findings) DESC, item NULLS LAST
