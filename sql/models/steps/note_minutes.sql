-- Each note's discipline and timed minutes: the note's own total, else the sum over its services in 15-minute codes.
-- Codes timed otherwise (97545, 97550 ...) are taken out of a total; what cannot be told apart is unknown, not nothing.
WITH claim_day_discipline AS (
    SELECT
        patient_id,
        service_date,
        min(discipline) AS discipline
    FROM line_discipline
    WHERE therapy
    GROUP BY patient_id, service_date
    HAVING min(discipline) = max(discipline)
),

claim_patient_discipline AS (
    SELECT
        patient_id,
        min(discipline) AS discipline
    FROM line_discipline
    WHERE therapy
    GROUP BY patient_id
    HAVING min(discipline) = max(discipline)
),

charted AS (
    SELECT
        note_id,
        count(*) FILTER (hcpcs_code IS NULL) AS uncoded,
        count(minutes) > 0 AS has_minutes,
        count(*) FILTER (kind = 'timed_15' AND minutes IS NULL) AS timed_without_minutes,
        coalesce(sum(minutes) FILTER (kind = 'timed_15'), 0) AS timed_minutes,
        count(*) FILTER (kind = 'timed_other') AS timed_otherwise,
        -- Supervised modalities may run beside anything else, so that their minutes come on top of no total.
        CASE
            WHEN count(*) FILTER (one_on_one) = count(minutes) FILTER (one_on_one)
                THEN sum(minutes) FILTER (one_on_one)
        END AS one_on_one_minutes,
        coalesce(sum(assistant_minutes) FILTER (kind = 'timed_15'), 0) AS assistant_timed_minutes,
        coalesce(bool_or(minutes > assistant_minutes), FALSE) AS has_therapist_minutes,
        count(*) FILTER (one_on_one AND start_minute IS NULL) AS one_on_one_without_times,
        min(start_minute) AS first_start_minute,
        max(stop_minute) AS last_stop_minute,
        count(*) FILTER (kind = 'timed_15') AS timed_services,
        count(minutes) FILTER (kind = 'timed_15') AS services_with_minutes,
        count(*) FILTER (kind = 'timed_15' AND start_minute IS NULL) AS services_without_times,
        CASE
            WHEN count(*) FILTER (kind = 'timed_other' AND minutes IS NULL) = 0
                THEN coalesce(sum(minutes) FILTER (kind = 'timed_other'), 0)
        END AS otherwise_minutes
    FROM charted_service
    GROUP BY note_id
)

SELECT
    visit_note.note_id,
    visit_note.patient_id,
    visit_note.service_date,
    coalesce(
        note_discipline.discipline, claim_day_discipline.discipline, claim_patient_discipline.discipline, 'unknown'
    ) AS discipline,
    visit_note.note_type,
    note_discipline.by_assistant_alone,
    note_discipline.by_student,
    note_discipline.by_student_alone,
    note_discipline.clinician_npi,
    note_discipline.by_assistant,
    coalesce(charted.assistant_timed_minutes, 0)::INTEGER AS assistant_timed_minutes,
    coalesce(charted.has_therapist_minutes, FALSE) AS has_therapist_minutes,
    charted.one_on_one_without_times,
    charted.first_start_minute,
    charted.last_stop_minute,
    charted.note_id IS NOT NULL AND charted.uncoded = 0 AS all_services_coded,
    -- A report or discharge summary beside a treatment note need not chart services of its own.
    charted.note_id IS NULL
    AND visit_note.total_timed_minutes IS NULL
    AND coalesce(visit_note.note_type NOT IN ('progress_report', 'recertification', 'discharge'), TRUE) AS is_bare,
    visit_note.total_timed_minutes IS NULL AND coalesce(charted.timed_without_minutes, 0) > 0 AS lacks_minutes,
    visit_note.total_timed_minutes IS NOT NULL OR coalesce(charted.has_minutes, FALSE) AS has_minutes,
    visit_note.total_timed_minutes IS NULL AND coalesce(charted.uncoded, 0) > 0 AS is_unclear,
    coalesce(charted.timed_services, 0) AS timed_services,
    coalesce(charted.services_without_times, 0) AS services_without_times,
    coalesce(charted.services_with_minutes, 0) AS services_with_minutes,
    visit_note.total_timed_minutes AS stated_timed_minutes,
    visit_note.total_minutes AS stated_minutes,
    -- What the services' own minutes make; null where one has none or no code.
    CASE
        WHEN charted.timed_without_minutes = 0 AND charted.uncoded = 0 THEN charted.timed_minutes
    END::INTEGER AS charted_timed_minutes,
    CASE
        WHEN charted.timed_without_minutes = 0 AND charted.uncoded = 0 THEN charted.otherwise_minutes
    END::INTEGER AS charted_otherwise_minutes,
    charted.one_on_one_minutes::INTEGER AS charted_minutes,
    CASE
        WHEN visit_note.total_timed_minutes IS NULL OR charted.timed_otherwise > 0
            THEN
                CASE
                    WHEN charted.timed_without_minutes = 0 AND charted.uncoded = 0 THEN charted.timed_minutes
                    ELSE visit_note.total_timed_minutes - charted.otherwise_minutes
                END
        ELSE visit_note.total_timed_minutes
    END::INTEGER AS timed_minutes
FROM visit_note
INNER JOIN note_discipline ON visit_note.note_id = note_discipline.note_id
LEFT JOIN charted ON visit_note.note_id = charted.note_id
LEFT JOIN claim_day_discipline
    ON
        visit_note.patient_id = claim_day_discipline.patient_id
        AND visit_note.service_date = claim_day_discipline.service_date
LEFT JOIN claim_patient_discipline ON visit_note.patient_id = claim_patient_discipline.patient_id
