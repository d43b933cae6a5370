-- The same text for the same activity, visit after visit, does not show that each visit was needed or even took place;
-- nor does one in which a date, a count or a word or two is another, unless a measure in it moves on.
WITH repeated AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.hcpcs_code,
        day.episode_start,
        day.text_since,
        max(day.text_visits) AS visits,
        max(day.identical_visits) AS identical_visits,
        max(day.identical_visits) >= max(parameter.value) AS is_copied,
        arg_min({'claim_id': day.claim_id, 'claim_line_number': day.claim_line_number}, day.service_date)
            FILTER (day.text_visits >= parameter.value) AS anchor_line,
        list(stake(day.service_date, day.hcpcs_code, NULL) ORDER BY day.service_date) FILTER (day.text_visits > 1)
            AS at_stake
    FROM descriptions_in_scope($rule) AS day
    INNER JOIN parameter
        ON parameter.name = $visits AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
    WHERE day.text_key IS NOT NULL
    GROUP BY day.patient_id, day.discipline, day.hcpcs_code, day.episode_start, day.text_since
    HAVING
        max(day.text_visits) >= max(parameter.value)
        AND (max(day.identical_visits) >= max(parameter.value) OR NOT bool_or(day.measure_moves))
)

SELECT
    anchor_line.claim_id,
    anchor_line.claim_line_number,
    at_stake,
    -- A reviewer calls either a clone; what changes may yet be what the visit was about.
    CASE WHEN is_copied THEN 'error' ELSE 'warning' END AS severity,
    hcpcs_code,
    episode_start,
    text_since AS since,
    visits,
    identical_visits,
    CASE WHEN identical_visits = visits THEN 'the same' ELSE 'nearly the same' END AS likeness,
    CASE
        WHEN identical_visits < visits AND is_copied THEN ', the same at ' || identical_visits || ' of them'
        ELSE ''
    END AS stretch
FROM repeated
