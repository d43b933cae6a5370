-- Some payers pay no more than a fixed number of timed units of a discipline a day, whatever the minutes.
SELECT
    claim_id,
    claim_line_number,
    round((timed_units_billed - daily_timed_unit_cap) * unit_amount, 2) AS amount_at_risk,
    timed_units_billed AS units_billed,
    daily_timed_unit_cap AS cap,
    plan
FROM visits_in_scope($rule)
WHERE timed_units_billed > daily_timed_unit_cap
