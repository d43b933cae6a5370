-- Each billed therapy line rests on a note of that patient, day and discipline.
WITH any_note AS (
    SELECT
        patient_id,
        service_date,
        string_agg(discipline, ', ' ORDER BY discipline) AS disciplines
    FROM note_day
    GROUP BY patient_id, service_date
)

SELECT
    line.claim_id,
    line.claim_line_number,
    line.line_amount AS amount_at_risk,
    line.hcpcs_code,
    line.discipline,
    coalesce('; that day has a note of ' || any_note.disciplines || ' only', '') AS other_note
FROM in_scope($rule) AS line
ANTI JOIN note_day USING (patient_id, service_date, discipline)
LEFT JOIN any_note USING (patient_id, service_date)
WHERE line.therapy AND line.notes_given
