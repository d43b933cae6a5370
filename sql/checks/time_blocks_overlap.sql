-- Two one-on-one services of a visit cannot take the same minutes of the clock.
SELECT
    claim_id,
    claim_line_number,
    CASE
        WHEN timed_minutes IS NULL THEN 0.00
        ELSE round(
            greatest(timed_units_billed - units_of_minutes(greatest(timed_minutes - overlap_minutes, 0)), 0)
            * unit_amount, 2
        )
    END AS amount_at_risk,
    overlap_minutes,
    timed_minutes AS minutes
FROM visits_in_scope($rule)
WHERE overlap_minutes > 0
