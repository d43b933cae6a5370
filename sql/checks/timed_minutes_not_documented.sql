-- Timed units need the total timed minutes in the treatment note; without them no unit is supported.
SELECT
    claim_id,
    claim_line_number,
    [stake(service_date, NULL, timed_units_billed)] AS at_stake,
    timed_units_billed AS units_billed,
    note_id
FROM visits_in_scope($rule)
WHERE note_id IS NOT NULL AND timed_units_billed > 0 AND minutes_undocumented
