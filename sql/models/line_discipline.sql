-- Each claim line's discipline. Who treated tells it better than what was billed: a wrong modifier must not hide
-- the note.
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
        *,
        rowid AS line_id,
        list_contains(modifiers, 'GP')::INTEGER
        + list_contains(modifiers, 'GO')::INTEGER
        + list_contains(modifiers, 'GN')::INTEGER AS discipline_modifier_count,
        CASE
            WHEN list_contains(modifiers, 'GP') THEN 'PT'
            WHEN list_contains(modifiers, 'GO') THEN 'OT'
            WHEN list_contains(modifiers, 'GN') THEN 'SLP'
        END AS first_modifier_discipline
    FROM claim_line
)

SELECT
    line.line_id, -- the row of claim_line: joining on it costs less than on claim and line number
    line.patient_id,
    line.service_date,
    line.discipline_modifier_count,
    CASE line.discipline_modifier_count WHEN 1 THEN line.first_modifier_discipline END AS modifier_discipline,
    procedure_code.discipline AS code_discipline,
    provider.discipline AS clinician_discipline,
    procedure_code.hcpcs_code IS NOT NULL AS therapy,
    coalesce(
        provider.discipline,
        line.discipline,
        procedure_code.discipline,
        CASE line.discipline_modifier_count WHEN 1 THEN line.first_modifier_discipline END,
        note_day_discipline.discipline,
        'unknown'
    ) AS discipline
FROM line
LEFT JOIN procedure_code ON line.hcpcs_code = procedure_code.hcpcs_code
LEFT JOIN provider ON line.rendering_npi = provider.npi
LEFT JOIN note_day_discipline
    ON line.patient_id = note_day_discipline.patient_id AND line.service_date = note_day_discipline.service_date
