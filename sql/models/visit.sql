-- One patient's timed services on one day in one discipline under one plan, against what the day's note holds of them.
WITH
-- Codes that bill less than every allowed allocation gives them, or more than any does.
misplaced AS (
    SELECT
        visit_id,
        count(*) AS codes
    FROM visit_code
    WHERE units_over > 0 OR units_under > 0
    GROUP BY visit_id
),

-- Days with several notes: only then two clinicians may have treated together.
notes_of_day AS (
    SELECT
        patient_id,
        service_date,
        sum(notes) AS notes
    FROM note_day
    GROUP BY patient_id, service_date
    HAVING sum(notes) > 1
),

-- Whether the clinic writes start and stop beside its timed services as a rule.
practice AS (
    SELECT
        (SELECT coalesce(1 - sum(services_without_times) / nullif(sum(timed_services), 0), 0) FROM note_day)
        >= (SELECT max(value) FROM parameter WHERE name = 'clinic.start_stop_share') AS start_stop_practised
)

SELECT
    timed_visit.visit_id,
    timed_visit.patient_id,
    timed_visit.service_date,
    timed_visit.discipline,
    timed_visit.plan,
    timed_visit.first_line.claim_id,
    timed_visit.first_line.claim_line_number,
    timed_visit.timed_units_billed,
    timed_visit.timed_amount,
    -- Rounded only once it is multiplied.
    timed_visit.timed_amount / nullif(timed_visit.timed_units_billed, 0) AS unit_amount,
    note_day.note_id,
    note_day.clinician_npi,
    note_day.timed_minutes,
    note_day.minutes_undocumented,
    CASE WHEN note_day.services_coded THEN TRUE END AS itemized,
    note_day.timed_services,
    note_day.services_without_times,
    -- At least one service has minutes: that another has none is then the note's fault, not the export's.
    CASE WHEN note_day.services_coded AND note_day.services_with_minutes > 0 THEN TRUE END AS itemized_minutes,
    CASE WHEN note_day.services_with_minutes > 0 THEN TRUE END AS minutes_charted,
    CASE WHEN note_day.services_coded OR note_day.services_without_times > 0 THEN TRUE END AS times_looked_at,
    coalesce(notes_of_day.notes > 1, FALSE) AS several_notes,
    CASE
        WHEN
            cotreatment.patient_id IS NOT NULL
            OR (note_day.timed_services > 0 AND note_day.services_without_times = 0)
            THEN TRUE
    END AS clock_known,
    practice.start_stop_practised,
    coalesce(visit_overlap.overlap_minutes, 0) AS overlap_minutes,
    CASE
        WHEN visit_overlap.overlap_minutes > 0 OR (note_day.timed_services > 0 AND note_day.services_without_times = 0)
            THEN TRUE
    END AS times_known,
    unit_cap.value::INTEGER AS daily_timed_unit_cap,
    CASE WHEN timed_visit.plans = 1 THEN TRUE END AS sole_plan,
    units_of_minutes(note_day.timed_minutes) AS units_allowed,
    visit_minutes.codes,
    visit_minutes.code_minutes,
    visit_minutes.code_units_allowed,
    visit_minutes.midpoint_units,
    visit_minutes.units_over_midpoint,
    visit_minutes.amount_over_midpoint,
    visit_minutes.units_under_midpoint,
    coalesce(misplaced.codes, 0) AS misplaced_codes
FROM timed_visit
INNER JOIN visit_minutes ON timed_visit.visit_id = visit_minutes.visit_id
LEFT JOIN misplaced ON timed_visit.visit_id = misplaced.visit_id
CROSS JOIN practice
LEFT JOIN notes_of_day
    ON timed_visit.patient_id = notes_of_day.patient_id AND timed_visit.service_date = notes_of_day.service_date
LEFT JOIN cotreatment
    ON timed_visit.patient_id = cotreatment.patient_id AND timed_visit.service_date = cotreatment.service_date
LEFT JOIN visit_overlap
    ON
        timed_visit.patient_id = visit_overlap.patient_id
        AND timed_visit.service_date = visit_overlap.service_date
        AND timed_visit.discipline = visit_overlap.discipline
LEFT JOIN parameter AS unit_cap
    ON
        unit_cap.name = 'payers.daily_timed_unit_cap'
        AND timed_visit.plan = unit_cap.key
        AND timed_visit.service_date BETWEEN unit_cap.effective_from AND unit_cap.effective_to
LEFT JOIN note_day
    ON
        timed_visit.patient_id = note_day.patient_id
        AND timed_visit.service_date = note_day.service_date
        AND timed_visit.discipline = note_day.discipline
