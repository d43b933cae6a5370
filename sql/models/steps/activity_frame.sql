-- Each skilled activity's day: whose, by whom, in which episode, on which claim line; what the notes say of progress.
WITH
-- A decision about the missing change may stand in the note's own text, beside the services'.
decided AS (
    SELECT
        note_id,
        regexp_matches(lower(text), '\b(plan|poc|goal|frequency|approach|discharge|d/c)\b') AS plan_changed
    FROM visit_note
    -- Told apart without making every text lower case.
    WHERE contains(text, 'lateau') OR contains(text, 'LATEAU')
),

-- A day's services under one code make one row, whatever their order.
keyed AS (
    SELECT
        service.day_number,
        any_value(service.treatment_day_number) AS treatment_day_number,
        any_value(service.patient_id) AS patient_id,
        any_value(service.discipline) AS discipline,
        any_value(service.hcpcs_code) AS hcpcs_code,
        any_value(service.service_date) AS service_date,
        count(*) AS services,
        min(service.note_id) AS note_id,
        -- Null where several clinicians wrote of it, or nobody says who.
        CASE
            WHEN min(service.clinician_npi) = max(service.clinician_npi) AND count(*) = count(service.clinician_npi)
                THEN min(service.clinician_npi)
        END AS clinician_npi,
        -- How much the patient does alone, 1 to 8; null where nobody says.
        min(nullif(list_position(
            [
                'dependent', 'maximal', 'moderate', 'minimal', 'contact_guard', 'supervision', 'modified_independent',
                'independent'
            ],
            coalesce(service.assist_level, text_evidence.assist_level)
        ), 0)) AS independence,
        bool_and(service.has_own_text) AS has_own_texts,
        count(service.text_number) > 0 AS described,
        sum(service.text_length) AS text_length,
        coalesce(bool_or(text_evidence.plateau OR decided.note_id IS NOT NULL), FALSE) AS plateau,
        coalesce(bool_or(text_evidence.plan_changed OR decided.plan_changed), FALSE) AS plan_changed,
        coalesce(bool_or(text_evidence.setback), FALSE) AS setback,
        coalesce(bool_or(text_evidence.advanced), FALSE) AS advanced
    FROM activity_service AS service
    LEFT JOIN text_evidence ON service.text_number = text_evidence.text_number
    LEFT JOIN decided ON service.note_id = decided.note_id
    GROUP BY service.day_number
),

-- Texts are compared only where another activity of the day has one that begins alike.
opened AS (
    SELECT DISTINCT
        treatment_day_number,
        day_number,
        text_opening
    FROM activity_service
    WHERE text_opening <> ''
),

alike AS (
    SELECT DISTINCT unnest(day_numbers) AS day_number
    FROM (
        SELECT list(day_number) AS day_numbers
        FROM opened
        GROUP BY treatment_day_number, text_opening
        HAVING count(*) > 1
    ) AS beginning
),

-- What is left when spaces and punctuation are gone, but for signs that belong to a number (2.5, -10, 1/2).
worded AS (
    SELECT
        service.day_number,
        rtrim(
            translate(
                replace(lower(note_service.text), '. ', ''), ' ,;:!?()"''' || chr(9) || chr(10) || chr(13), ''
            ),
            '.'
        ) AS words
    FROM activity_service AS service
    INNER JOIN alike ON service.day_number = alike.day_number
    INNER JOIN note_service
        ON service.note_id = note_service.note_id AND service.service_number = note_service.service_number
),

own_text AS (
    SELECT
        day_number,
        hash(list_sort(list(hash(words)))) AS own_text_key
    FROM worded
    GROUP BY day_number
    HAVING count(*) FILTER (words <> '') > 0
),

-- Rules about notes judge a day once, whoever pays.
day AS (
    SELECT
        hash(patient_id, discipline, service_date) AS treatment_day_number,
        arg_min(plan, claim_id) AS plan,
        min(claim_id) AS claim_id,
        arg_min(claim_line_number, claim_id) AS claim_line_number,
        any_value(episode_start) AS episode_start,
        bool_or(has_new_plan) AS has_new_plan
    FROM episode_day
    GROUP BY treatment_day_number
),

billed AS (
    SELECT
        hash(patient_id, discipline, hcpcs_code, service_date) AS day_number,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line,
        sum(line_amount) AS amount
    FROM therapy_line
    WHERE skilled_activity
    GROUP BY day_number
)

SELECT
    keyed.day_number,
    hash(keyed.patient_id, keyed.discipline, keyed.hcpcs_code, day.episode_start) AS activity_number,
    keyed.patient_id,
    keyed.discipline,
    keyed.hcpcs_code,
    keyed.service_date,
    keyed.services,
    keyed.note_id,
    keyed.clinician_npi,
    keyed.independence,
    keyed.plateau,
    keyed.plan_changed,
    keyed.setback,
    keyed.advanced,
    keyed.text_length,
    keyed.described,
    -- Null where the text is that of the whole note, and where no other of the day begins alike.
    CASE WHEN keyed.has_own_texts THEN own_text.own_text_key END AS own_text_key,
    day.plan,
    day.episode_start,
    coalesce(day.has_new_plan, FALSE) AS has_new_plan,
    coalesce(billed.first_line.claim_id, day.claim_id) AS claim_id,
    coalesce(billed.first_line.claim_line_number, day.claim_line_number) AS claim_line_number,
    coalesce(billed.amount, 0.00) AS amount
FROM keyed
INNER JOIN day ON keyed.treatment_day_number = day.treatment_day_number
LEFT JOIN billed ON keyed.day_number = billed.day_number
LEFT JOIN own_text ON keyed.day_number = own_text.day_number
