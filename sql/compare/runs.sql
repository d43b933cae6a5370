-- The runs that are compared, the first period first, with what each told. Exposure: no dollar counts twice.
SELECT
    compare_run.run_number,
    compare_run.name,
    compare_run.period,
    compare_run.period_start,
    compare_run.period_end,
    compare_run.role,
    compare_run.lines_audited,
    count(told.finding_id) AS findings,
    coalesce(sum(told.exposure_amount) FILTER (WHERE told.direction = 'overpayment'), 0.00) AS overpayment_amount,
    coalesce(sum(told.exposure_amount) FILTER (WHERE told.direction = 'underpayment'), 0.00) AS underpayment_amount,
    round(100 * count(told.finding_id) / nullif(any_value(compare_run.lines_audited), 0), 2)::DOUBLE AS per_100_lines
FROM compare_run
LEFT JOIN (
    SELECT *
    FROM compare_finding
    WHERE NOT is_silent
) AS told ON compare_run.run_number = told.run_number
GROUP BY ALL
ORDER BY compare_run.run_number
