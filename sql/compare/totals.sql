-- How many findings had which fate, with the dollars that they counted before and count now.
SELECT
    status,
    reason,
    changed,
    count(*) AS findings,
    coalesce(sum(amount_before) FILTER (WHERE direction = 'overpayment'), 0.00) AS overpayment_before,
    coalesce(sum(amount_after) FILTER (WHERE direction = 'overpayment'), 0.00) AS overpayment_after,
    coalesce(sum(amount_before) FILTER (WHERE direction = 'underpayment'), 0.00) AS underpayment_before,
    coalesce(sum(amount_after) FILTER (WHERE direction = 'underpayment'), 0.00) AS underpayment_after
FROM finding_change
GROUP BY ALL
ORDER BY status, reason NULLS FIRST, changed
