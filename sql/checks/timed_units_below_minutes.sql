-- The day's timed minutes earn more units than were billed: no minute from the eighth on is thrown away.
SELECT
    claim_id,
    claim_line_number,
    price_of_units(units_allowed - timed_units_billed, codes, units_under, unit_amount) AS amount_at_risk,
    timed_units_billed AS units_billed,
    timed_minutes AS minutes,
    units_allowed,
    units_in_words(codes, codes.list_transform(lambda item: item.units_billed)) AS billed_by_code,
    minutes_in_words(codes) AS minutes_by_code
FROM visits_in_scope($rule)
WHERE sole_plan AND timed_units_billed BETWEEN 1 AND units_allowed - 1
