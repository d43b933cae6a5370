-- Two one-on-one services of a visit cannot take the same minutes of the clock.
SELECT
    claim_id,
    claim_line_number,
    [stake(
        service_date, NULL,
        greatest(timed_units_billed - units_of_minutes(timed_minutes - overlap_minutes), 0)
    )] AS at_stake,
    overlap_minutes,
    timed_minutes AS minutes
FROM visits_in_scope($rule)
WHERE overlap_minutes > 0
