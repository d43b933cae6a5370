-- A note's totals and the minutes of its services tell of the same visit, so they add up.
SELECT
    claim_id,
    claim_line_number,
    stated_timed_minutes,
    charted_timed_minutes,
    minutes_conflict AS conflict
FROM treatment_days_in_scope($rule)
WHERE minutes_conflict IS NOT NULL
