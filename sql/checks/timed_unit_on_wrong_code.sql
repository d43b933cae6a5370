-- The total is right, but a unit sits on a code that the allocation would not give it: full 15s go first, the units
-- left over to the largest remainders, and any choice among equal remainders is accepted.
SELECT
    claim_id,
    claim_line_number,
    0.00 AS amount_at_risk,
    timed_units_billed AS units_billed,
    code_minutes AS minutes,
    units_in_words(codes, codes.list_transform(lambda item: item.units_billed)) AS billed_by_code,
    minutes_in_words(codes) AS minutes_by_code
FROM visits_in_scope($rule)
WHERE timed_units_billed = code_units_allowed AND misplaced_codes > 0
