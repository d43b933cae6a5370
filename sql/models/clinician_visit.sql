-- A visit's timed minutes and units with the clinician who wrote its only note; under several plans it is left out.
WITH note AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        min(clinician_npi) AS clinician_npi
    FROM note_minutes
    GROUP BY patient_id, service_date, discipline
    HAVING min(clinician_npi) = max(clinician_npi)
)

SELECT
    note.clinician_npi,
    visit.patient_id,
    visit.service_date,
    visit.discipline,
    visit.plan,
    visit.claim_id,
    visit.claim_line_number,
    visit.timed_minutes,
    visit.timed_units_billed
FROM visit
INNER JOIN note
    ON
        visit.patient_id = note.patient_id
        AND visit.service_date = note.service_date
        AND visit.discipline = note.discipline
WHERE visit.sole_plan
