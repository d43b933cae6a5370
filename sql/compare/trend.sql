-- Findings and dollars of each run by rule, clinician and payer; 0 where a run has none. Dollars: exposure.
WITH told AS (
    SELECT
        compare_finding.run_number,
        unnest([
            {'level': 'rule', 'item': rule, 'title': title},
            {'level': 'clinician', 'item': rendering_npi, 'title': coalesce(provider_name, rendering_npi)},
            {'level': 'payer', 'item': payer, 'title': payer}
        ], recursive := TRUE),
        exposure_amount
    FROM compare_finding
    WHERE NOT is_silent
),

counted AS (
    SELECT
        level,
        item,
        run_number,
        count(*) AS findings,
        sum(exposure_amount) AS exposure_amount
    FROM told
    GROUP BY level, item, run_number
),

listed AS (
    SELECT
        level,
        item,
        arg_max(title, run_number) AS title
    FROM told
    GROUP BY level, item
)

SELECT
    listed.level,
    listed.item,
    listed.title,
    compare_run.run_number,
    compare_run.name AS run,
    compare_run.period,
    coalesce(counted.findings, 0) AS findings,
    coalesce(counted.exposure_amount, 0.00) AS exposure_amount
FROM listed
CROSS JOIN compare_run
LEFT JOIN counted
    ON
        listed.level = counted.level
        AND listed.item IS NOT DISTINCT FROM counted.item
        AND compare_run.run_number = counted.run_number
ORDER BY listed.level, listed.item NULLS LAST, compare_run.run_number
