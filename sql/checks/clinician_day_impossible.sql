-- A clinician's one-on-one timed minutes of a day fit into the clock, and hardly fill more than a working day. At risk
-- are the units that the clock does not hold, those of the last visits first.
WITH judged AS (
    SELECT
        day.*,
        parameter.value::INTEGER AS working_minutes,
        day.minutes > day.clock_minutes AS is_past_clock,
        -- No more than lie past what the clock holds; minutes with two patients at once are another rule's dollars.
        greatest(
            least(
                units_of_minutes(day.minutes - day.clock_minutes - day.double_booked_minutes),
                coalesce(day.units_billed - units_of_minutes(day.clock_minutes), 0)
            ), 0
        ) AS units_over
    FROM clinician_days_in_scope($rule) AS day
    INNER JOIN parameter
        ON
            parameter.name = $working_day
            AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
)

SELECT
    claim_id,
    claim_line_number,
    CASE WHEN is_past_clock THEN coalesce(stake_of_visits(service_date, units_over, visits), []) ELSE [] END
        AS at_stake,
    CASE WHEN is_past_clock THEN 'error' ELSE 'warning' END AS severity,
    clinician_npi,
    minutes,
    clock_minutes,
    patients,
    CASE WHEN is_past_clock THEN clock_minutes ELSE working_minutes END AS limit,
    CASE
        WHEN NOT is_past_clock THEN 'of a working day'
        WHEN clock_minutes = 1440 THEN 'of the clock'
        ELSE 'from the first start to the last stop'
    END AS limit_of,
    CASE WHEN is_past_clock THEN units_over ELSE 0 END AS units_over
FROM judged
WHERE
    -- Past one patient's block, less than half a unit is rounding.
    (is_past_clock AND (patients > 1 OR minutes >= clock_minutes + 8))
    OR minutes > working_minutes
