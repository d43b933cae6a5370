-- A clinician's one-on-one timed minutes of a day fit into the clock, and hardly fill more than a working day.
SELECT
    day.claim_id,
    day.claim_line_number,
    CASE
        WHEN day.minutes > day.clock_minutes
            -- Minutes with two patients at once are another rule's dollars.
            THEN [stake(
                day.service_date, NULL,
                units_of_minutes(greatest(day.minutes - day.clock_minutes - day.double_booked_minutes, 0))
            )]
        ELSE []
    END AS at_stake,
    CASE WHEN day.minutes > day.clock_minutes THEN 'error' ELSE 'warning' END AS severity,
    day.clinician_npi,
    day.minutes,
    day.clock_minutes,
    day.patients,
    CASE WHEN day.minutes > day.clock_minutes THEN day.clock_minutes ELSE parameter.value::INTEGER END AS limit,
    CASE
        WHEN day.minutes <= day.clock_minutes THEN 'of a working day'
        WHEN day.clock_minutes = 1440 THEN 'of the clock'
        ELSE 'from the first start to the last stop'
    END AS limit_of
FROM clinician_days_in_scope($rule) AS day
INNER JOIN parameter
    ON
        parameter.name = $working_day
        AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
WHERE
    -- Past one patient's block, less than half a unit is rounding.
    (day.minutes > day.clock_minutes AND (day.patients > 1 OR day.minutes >= day.clock_minutes + 8))
    OR day.minutes > parameter.value
