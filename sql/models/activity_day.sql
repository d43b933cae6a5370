-- Each skilled activity of an episode, visit by visit: since which visit its text, and its measures, stay the same.
-- Measures are assist level, cue level, difficulty and the numbers in the text other than minutes and clock times.
WITH service AS (
    SELECT
        note_service.patient_id,
        note_minutes.discipline,
        note_service.hcpcs_code,
        note_service.service_date,
        note_service.note_id,
        note_service.assist_level,
        coalesce(note_service.assist_level, note_service.cue_level, note_service.difficulty) IS NOT NULL AS has_level,
        hash(note_service.assist_level, note_service.cue_level, note_service.difficulty) AS levels,
        lower(coalesce(note_service.text, visit_note.text)) AS text,
        note_service.text IS NOT NULL AS has_own_text,
        contains(lower(visit_note.text), 'plateau') AS mentions_plateau
    FROM note_service
    INNER JOIN note_minutes ON note_service.note_id = note_minutes.note_id
    INNER JOIN visit_note ON note_service.note_id = visit_note.note_id
    INNER JOIN procedure_code
        ON note_service.hcpcs_code = procedure_code.hcpcs_code AND procedure_code.skilled_activity
),

measured AS (
    SELECT
        * EXCLUDE (text, mentions_plateau),
        -- What is left when spaces and punctuation are gone, but for signs that belong to a number (2.5, -10, 1/2);
        -- translate() takes a third of a regular expression's time.
        rtrim(translate(replace(text, '. ', ''), ' ,;:!?()"''' || chr(9) || chr(10) || chr(13), ''), '.') AS words,
        -- Numbers, without those that are minutes (15 min) or clock times (9:30).
        list_sort(list_filter(
            regexp_extract_all(text, '[0-9]+(?:[.:][0-9]+)?(?: ?-?min)?'),
            lambda number: NOT contains(number, 'm') AND NOT contains(number, ':')
        )) AS numbers,
        mentions_plateau OR coalesce(contains(text, 'plateau'), FALSE) AS mentions_plateau
    FROM service
),

-- A day's services under one code make one row, whatever their order.
keyed AS (
    SELECT
        patient_id,
        discipline,
        hcpcs_code,
        service_date,
        min(note_id) AS note_id,
        min(assist_level) AS assist_level,
        bool_or(mentions_plateau) AS mentions_plateau,
        -- hash() of a null is a number, so a missing text must be kept out of it.
        CASE WHEN count(*) FILTER (words <> '') > 0 THEN hash(list_sort(list(hash(words)))) END AS text_key,
        bool_and(has_own_text) AS has_own_text,
        CASE
            WHEN bool_or(has_level OR len(numbers) > 0) THEN hash(list_sort(list(hash(levels, numbers))))
        END AS measure_key
    FROM measured
    GROUP BY patient_id, discipline, hcpcs_code, service_date
),

-- Rules about notes judge a day once, whoever pays.
day AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        arg_min(plan, claim_id) AS plan,
        min(claim_id) AS claim_id,
        arg_min(claim_line_number, claim_id) AS claim_line_number,
        any_value(episode_start) AS episode_start,
        bool_or(has_new_plan) AS has_new_plan
    FROM episode_day
    GROUP BY patient_id, discipline, service_date
),

billed AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        hcpcs_code,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line,
        sum(line_amount) AS amount
    FROM therapy_line
    WHERE skilled_activity
    GROUP BY patient_id, discipline, service_date, hcpcs_code
),

placed AS (
    SELECT
        keyed.*,
        row_number() OVER visit_order AS visit_number,
        day.plan,
        day.episode_start,
        coalesce(billed.first_line.claim_id, day.claim_id) AS claim_id,
        coalesce(billed.first_line.claim_line_number, day.claim_line_number) AS claim_line_number,
        coalesce(billed.amount, 0.00) AS amount,
        keyed.text_key IS DISTINCT FROM lag(keyed.text_key) OVER visit_order OR keyed.text_key IS NULL AS text_changed,
        -- A documented plateau or a new plan is a decision about the missing change: the count begins again.
        keyed.measure_key IS DISTINCT FROM lag(keyed.measure_key) OVER visit_order
        OR keyed.measure_key IS NULL
        OR keyed.mentions_plateau
        OR day.has_new_plan AS measure_changed
    FROM keyed
    INNER JOIN day
        ON
            keyed.patient_id = day.patient_id
            AND keyed.discipline = day.discipline
            AND keyed.service_date = day.service_date
    LEFT JOIN billed
        ON
            keyed.patient_id = billed.patient_id
            AND keyed.discipline = billed.discipline
            AND keyed.service_date = billed.service_date
            AND keyed.hcpcs_code = billed.hcpcs_code
    WINDOW visit_order AS (
        PARTITION BY keyed.patient_id, keyed.discipline, keyed.hcpcs_code, day.episode_start
        ORDER BY keyed.service_date
    )
),

run AS (
    SELECT
        *,
        max(CASE WHEN text_changed THEN service_date END) OVER visit_order AS text_since,
        max(CASE WHEN text_changed THEN visit_number END) OVER visit_order AS text_since_visit,
        max(CASE WHEN measure_changed THEN service_date END) OVER visit_order AS measure_since,
        max(CASE WHEN measure_changed THEN visit_number END) OVER visit_order AS measure_since_visit
    FROM placed
    WINDOW visit_order AS (PARTITION BY patient_id, discipline, hcpcs_code, episode_start ORDER BY service_date)
)

SELECT
    patient_id,
    discipline,
    hcpcs_code,
    service_date,
    plan,
    episode_start,
    note_id,
    claim_id,
    claim_line_number,
    assist_level,
    text_key,
    -- Null where the text is that of the whole note.
    CASE WHEN has_own_text THEN text_key END AS own_text_key,
    measure_key,
    amount,
    text_since,
    visit_number - text_since_visit + 1 AS text_visits,
    measure_since,
    visit_number - measure_since_visit + 1 AS measure_visits
FROM run
