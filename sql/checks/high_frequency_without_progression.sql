-- What is given at nearly every visit is expected to lead somewhere. Where the notes measure it, the lack of change is
-- judged as a stall; here none of them measures anything, makes the task harder or changes the plan.
WITH activity AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.hcpcs_code,
        day.episode_start,
        any_value(day.visits_of_activity) AS activity_visits,
        any_value(day.episode_visits) AS visits,
        any_value(day.measure_since) AS since,
        arg_max(
            {'measures': day.measures_so_far, 'run': day.measure_visits, 'number': day.visit_number}, day.service_date
        ) AS last_visit,
        arg_min({'claim_id': day.claim_id, 'claim_line_number': day.claim_line_number}, day.service_date)
            FILTER (day.visit_number >= least(from_visit.value, day.visits_of_activity)) AS anchor_line,
        list(stake(day.service_date, day.hcpcs_code, NULL) ORDER BY day.service_date)
            FILTER (day.visit_number >= from_visit.value) AS at_stake
    FROM activities_in_scope($rule) AS day
    INNER JOIN parameter AS from_visit
        ON from_visit.name = $visits AND day.service_date BETWEEN from_visit.effective_from AND from_visit.effective_to
    WHERE day.is_frequent
    GROUP BY day.patient_id, day.discipline, day.hcpcs_code, day.episode_start
    HAVING count(*) = count(day.described)
)

SELECT
    anchor_line.claim_id,
    anchor_line.claim_line_number,
    coalesce(at_stake, [stake(since, hcpcs_code, 0)]) AS at_stake,
    hcpcs_code,
    episode_start,
    since,
    activity_visits,
    visits
FROM activity
WHERE
    anchor_line IS NOT NULL
    AND last_visit.measures IS NULL
    -- No gain, decision or changed plan since the first visit.
    AND last_visit.run = last_visit.number
