-- A day's timed minutes, all codes together: 8 to 22 make one unit, 23 to 37 two, and so on by 15 without end.
SELECT
    claim_id,
    claim_line_number,
    price_of_units(timed_units_billed - units_allowed, codes, units_over, unit_amount) AS amount_at_risk,
    timed_units_billed AS units_billed,
    timed_minutes AS minutes,
    units_allowed,
    units_in_words(codes, codes.list_transform(lambda item: item.units_billed)) AS billed_by_code,
    minutes_in_words(codes) AS minutes_by_code
FROM visits_in_scope($rule)
WHERE timed_units_billed > units_allowed
