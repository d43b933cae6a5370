-- Each claim line in force with its discipline. Who treated tells it better than what was billed: a wrong modifier must
-- not hide the note.
WITH note_day_discipline AS (
    SELECT
        patient_id,
        service_date,
        min(discipline) AS discipline
    FROM note_discipline
    GROUP BY patient_id, service_date
    HAVING min(discipline) = max(discipline)
),

line AS (
    SELECT
        current_line.*,
        modifier_set.modifier_set_id,
        modifier_set.discipline_modifier_count,
        modifier_set.modifier_discipline
    FROM current_line
    INNER JOIN modifier_set ON current_line.modifiers = modifier_set.modifiers
)

SELECT
    line.line_id, -- the row of claim_line
    line.patient_id,
    line.service_date,
    line.discipline_modifier_count,
    line.modifier_discipline,
    line.modifier_set_id,
    procedure_code.discipline AS code_discipline,
    clinician.discipline AS clinician_discipline,
    clinician.may_render,
    -- Codes that are only sometimes therapy are therapy where a modifier, the clinician or the export says so.
    coalesce(procedure_code.always_therapy, FALSE)
    OR line.discipline_modifier_count > 0
    OR (procedure_code.hcpcs_code IS NOT NULL AND coalesce(clinician.discipline, line.discipline) IS NOT NULL)
        AS therapy,
    coalesce(
        clinician.discipline,
        line.discipline,
        procedure_code.discipline,
        line.modifier_discipline,
        note_day_discipline.discipline,
        'unknown'
    ) AS discipline
FROM line
LEFT JOIN procedure_code ON line.hcpcs_code = procedure_code.hcpcs_code
LEFT JOIN clinician ON line.rendering_npi = clinician.npi
LEFT JOIN note_day_discipline
    ON line.patient_id = note_day_discipline.patient_id AND line.service_date = note_day_discipline.service_date
