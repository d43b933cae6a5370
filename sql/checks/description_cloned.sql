-- The same text for the same activity, visit after visit, does not show that each visit was needed or even took place.
WITH repeated AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.hcpcs_code,
        day.episode_start,
        day.text_since,
        max(day.text_visits) AS visits,
        arg_min({'claim_id': day.claim_id, 'claim_line_number': day.claim_line_number}, day.service_date)
            FILTER (day.text_visits >= parameter.value) AS anchor_line,
        sum(day.amount) FILTER (day.text_visits > 1) AS amount_at_risk
    FROM activities_in_scope($rule) AS day
    INNER JOIN parameter
        ON parameter.name = $visits AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
    WHERE day.text_key IS NOT NULL
    GROUP BY day.patient_id, day.discipline, day.hcpcs_code, day.episode_start, day.text_since
    HAVING max(day.text_visits) >= max(parameter.value)
)

SELECT
    anchor_line.claim_id,
    anchor_line.claim_line_number,
    amount_at_risk,
    hcpcs_code,
    episode_start,
    text_since AS since,
    visits
FROM repeated
