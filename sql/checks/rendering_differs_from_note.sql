-- The claim names who treated, as the note does. Physicians bill what therapists give incident to their services, and
-- Q5 and Q6 stand for a substitute.
SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code,
    therapy_line.rendering_npi,
    note_day.first_npi AS note_npi,
    line.note_id
FROM reconciled_lines_in_scope($rule) AS line
INNER JOIN therapy_line ON line.line_id = therapy_line.line_id
INNER JOIN note_day
    ON
        line.patient_id = note_day.patient_id
        AND line.service_date = note_day.service_date
        AND line.discipline = note_day.discipline
LEFT JOIN clinician ON therapy_line.rendering_npi = clinician.npi
WHERE
    line.clinician_differs
    AND line.reconciliation_state <> 'billed twice'
    AND coalesce(clinician.kind NOT IN ('physician', 'practitioner'), TRUE)
    AND NOT list_has_any(therapy_line.modifiers, ['Q5', 'Q6'])
