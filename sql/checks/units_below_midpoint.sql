-- Each code on its own: a code's minutes earn more units than were billed for it.
SELECT
    claim_id,
    claim_line_number,
    round(units_under_midpoint * unit_amount, 2) AS amount_at_risk,
    timed_units_billed AS units_billed,
    midpoint_units AS units_allowed,
    units_under_midpoint AS units_under,
    units_in_words(codes, codes.list_transform(lambda item: item.units_billed)) AS billed_by_code,
    units_in_words(codes, codes.list_transform(lambda item: item.midpoint_units)) AS midpoint_by_code,
    minutes_in_words(codes) AS minutes_by_code
FROM visits_in_scope($rule)
WHERE
    sole_plan
    AND code_minutes IS NOT NULL
    AND timed_units_billed IS NOT NULL
    AND units_under_midpoint > 0
    AND units_over_midpoint = 0
