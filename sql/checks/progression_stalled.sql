-- Skilled therapy expects change: assist level, cues, difficulty or a measure. A run of visits without any is a stall.
WITH stalled AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.hcpcs_code,
        day.episode_start,
        day.measure_since,
        max(day.measure_visits) AS visits,
        arg_min({'claim_id': day.claim_id, 'claim_line_number': day.claim_line_number}, day.service_date)
            FILTER (day.measure_visits >= parameter.value) AS anchor_line,
        replace(coalesce(max(day.assist_level), 'not stated'), '_', ' ') AS assist_level,
        sum(day.amount) FILTER (day.measure_visits >= parameter.value) AS amount_at_risk
    FROM activities_in_scope($rule) AS day
    INNER JOIN parameter
        ON parameter.name = $visits AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
    WHERE day.measure_key IS NOT NULL
    GROUP BY day.patient_id, day.discipline, day.hcpcs_code, day.episode_start, day.measure_since
    HAVING max(day.measure_visits) >= max(parameter.value)
)

SELECT
    anchor_line.claim_id,
    anchor_line.claim_line_number,
    amount_at_risk,
    hcpcs_code,
    episode_start,
    measure_since AS since,
    visits,
    assist_level
FROM stalled
