-- Some payers pay no more than a fixed number of timed units of a discipline a day, whatever the minutes.
SELECT
    visit.claim_id,
    visit.claim_line_number,
    [stake(visit.service_date, NULL, visit.timed_units_billed - visit.daily_timed_unit_cap)] AS at_stake,
    visit.timed_units_billed AS units_billed,
    visit.daily_timed_unit_cap AS cap,
    plan.title AS plan
FROM visits_in_scope($rule) AS visit
INNER JOIN plan ON visit.plan = plan.plan
WHERE visit.timed_units_billed > visit.daily_timed_unit_cap
