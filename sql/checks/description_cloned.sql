-- The same text for the same activity, visit after visit, does not show that each visit was needed or even took place;
-- nor does one in which a date, a count or a word or two is another, unless a measure in it moves on.
WITH visit AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.hcpcs_code,
        day.episode_start,
        day.text_since,
        day.text_visits,
        day.identical_visits,
        day.measure_moves,
        day.service_date,
        day.claim_id,
        day.claim_line_number,
        parameter.value AS cloned_visits
    FROM descriptions_in_scope($rule) AS day
    INNER JOIN parameter
        ON parameter.name = $visits AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
    WHERE day.text_key IS NOT NULL
),

-- Few runs are long enough: only their visits are told of.
run AS (
    SELECT
        patient_id,
        discipline,
        hcpcs_code,
        episode_start,
        text_since
    FROM visit
    GROUP BY patient_id, discipline, hcpcs_code, episode_start, text_since
    HAVING
        max(text_visits) >= max(cloned_visits)
        AND (max(identical_visits) >= max(cloned_visits) OR NOT bool_or(measure_moves))
),

repeated AS (
    SELECT
        visit.patient_id,
        visit.discipline,
        visit.hcpcs_code,
        visit.episode_start,
        visit.text_since,
        max(visit.text_visits) AS visits,
        max(visit.identical_visits) AS identical_visits,
        max(visit.identical_visits) >= max(visit.cloned_visits) AS is_copied,
        arg_min({'claim_id': visit.claim_id, 'claim_line_number': visit.claim_line_number}, visit.service_date)
            FILTER (visit.text_visits >= visit.cloned_visits) AS anchor_line,
        list(stake(visit.service_date, visit.hcpcs_code, NULL) ORDER BY visit.service_date)
            FILTER (visit.text_visits > 1) AS at_stake
    FROM visit
    SEMI JOIN run
        ON
            visit.patient_id = run.patient_id
            AND visit.discipline = run.discipline
            AND visit.hcpcs_code = run.hcpcs_code
            AND visit.episode_start = run.episode_start
            AND visit.text_since IS NOT DISTINCT FROM run.text_since
    GROUP BY visit.patient_id, visit.discipline, visit.hcpcs_code, visit.episode_start, visit.text_since
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
