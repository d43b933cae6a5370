-- An episode that goes on past its first visits shows in its notes why: a clinician's report, a functional goal, and a
-- gain or a decision about the lack of one.
WITH past AS (
    SELECT
        patient_id,
        discipline,
        plan,
        episode_start,
        min({'service_date': service_date, 'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_day,
        max(episode_visit) AS visits,
        count(*) AS visits_past,
        any_value(visits_before) AS visits_before,
        any_value(missing_elements) AS missing_elements,
        list(stake(service_date, NULL, NULL) ORDER BY service_date) AS at_stake
    FROM extended_days_in_scope($rule)
    WHERE elements_known AND missing_elements IS NOT NULL
    GROUP BY patient_id, discipline, plan, episode_start
)

SELECT
    first_day.claim_id,
    first_day.claim_line_number,
    at_stake,
    episode_start,
    episode_start AS since,
    visits,
    visits_past,
    visits_before,
    missing_elements
FROM past
