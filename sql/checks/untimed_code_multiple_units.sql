-- A code that is not counted in time is one unit a day, however long it took. Where the setting's medically unlikely
-- edit allows as many, they may be separate sessions.
SELECT
    line.claim_id,
    line.claim_line_number,
    line.units - 1 AS units_at_stake,
    CASE WHEN arg_min(mue.units, mue.effective_from) >= line.units THEN 'warning' ELSE 'error' END AS severity,
    line.hcpcs_code,
    line.units
FROM in_scope($rule) AS line
-- The edit of the day; before the table reaches, its first.
LEFT JOIN mue
    ON
        line.hcpcs_code = mue.hcpcs_code
        AND line.setting = mue.setting
        AND line.service_date <= mue.effective_to
WHERE line.untimed AND line.units > 1
GROUP BY line.claim_id, line.claim_line_number, line.hcpcs_code, line.units
