-- One-on-one means one patient: a clinician's minutes with one are not billed for another at the same time.
SELECT
    later_line.claim_id,
    later_line.claim_line_number,
    -- Services that are not counted in time are at risk as a whole.
    [stake(service_date, NULL, CASE WHEN unit_amount IS NOT NULL THEN units_of_minutes(double_booked_minutes) END)]
        AS at_stake,
    clinician_npi,
    double_booked_minutes,
    double_booked_patients AS patients
FROM clinician_days_in_scope($rule)
WHERE double_booked_minutes > 0
