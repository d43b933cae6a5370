-- Each claim line with its plan, its discipline, how its code is counted, what it is worth and what its day's note
-- holds.
WITH remitted AS (
    SELECT
        claim_id,
        claim_line_number,
        sum(allowed_amount) AS allowed_amount
    FROM remittance_line
    WHERE
        (claim_id, claim_line_number) IN (
            SELECT (claim_id, claim_line_number) FROM claim_line WHERE allowed_amount IS NULL
        )
    GROUP BY claim_id, claim_line_number
),

-- A note that does not say its discipline may support the line of any.
note_of_day AS (
    SELECT
        patient_id,
        service_date,
        bool_or(discipline = 'unknown') AS has_unknown
    FROM note_day
    GROUP BY patient_id, service_date
),

-- The days for which notes were given at all: a line outside them cannot be held against its note.
note_span AS (
    SELECT
        min(service_date) AS first_note_date,
        max(service_date) AS last_note_date
    FROM visit_note
)

SELECT
    claim_line.rowid AS line_id,
    claim_line.claim_id,
    claim_line.claim_line_number,
    claim_line.patient_id,
    claim_line.payer,
    payer_plan.plan,
    claim_line.service_date,
    claim_line.hcpcs_code,
    claim_line.modifiers,
    claim_line.units,
    coalesce(claim_line.allowed_amount, remitted.allowed_amount) AS allowed_amount,
    coalesce(
        claim_line.allowed_amount, remitted.allowed_amount, claim_line.paid_amount, claim_line.charge_amount, 0.00
    )::DECIMAL(12, 2) AS line_amount,
    claim_line.rendering_npi,
    claim_line.billing_npi,
    line_discipline.discipline,
    line_discipline.discipline_modifier_count,
    line_discipline.modifier_discipline,
    line_discipline.code_discipline,
    line_discipline.clinician_discipline,
    line_discipline.therapy,
    coalesce(procedure_code.kind = 'timed_15', FALSE) AS timed,
    coalesce(procedure_code.kind = 'untimed', FALSE) AS untimed,
    coalesce(procedure_code.evaluation, FALSE) AS evaluation,
    line_discipline.discipline IN ('PT', 'OT')
    AND line_discipline.therapy
    AND NOT coalesce(procedure_code.evaluation, FALSE) AS assistant_may_treat,
    coalesce(procedure_code.always_therapy, FALSE) AS always_therapy,
    coalesce(procedure_code.skilled_activity, FALSE) AS skilled_activity,
    coalesce(place_setting.setting, 'practitioner') AS setting,
    claim_line.place_of_service,
    modifier_set.distinct_service,
    modifier_set.distinct_service_count,
    modifier_set.assistant_modifier_count,
    modifier_set.assistant_modifier_discipline,
    modifier_set.has_reduced_service,
    modifier_set.modifiers_sorted,
    modifier_set.ncci_bypass,
    modifier_set.has_kx,
    modifier_set.has_liability_modifier,
    CASE
        WHEN
            claim_line.service_date BETWEEN note_span.first_note_date AND note_span.last_note_date
            AND (
                note_day.note_id IS NOT NULL
                OR note_of_day.patient_id IS NULL
                OR NOT (note_of_day.has_unknown OR line_discipline.discipline = 'unknown')
            )
            THEN TRUE
    END AS notes_given,
    note_day.note_id,
    note_day_code.minutes AS documented_minutes,
    note_day_code.assistant_minutes,
    CASE
        WHEN note_day_code.hcpcs_code IS NOT NULL THEN note_day_code.sole_giver
        -- Notes that do not itemize, all by an assistant: so was whatever they tell of.
        WHEN note_day.by_assistant AND note_day.services_coded IS DISTINCT FROM TRUE THEN 'assistant'
    END AS sole_giver,
    CASE
        WHEN note_day_code.minutes >= note_day_code.assistant_minutes OR note_day_code.sole_giver IS NOT NULL THEN TRUE
        WHEN
            note_day_code.hcpcs_code IS NULL
            AND note_day.by_assistant
            AND note_day.services_coded IS DISTINCT FROM TRUE
            THEN TRUE
    END AS giver_known,
    -- Whether the day's notes chart the code. An evaluation's note is its documentation, whether or not it names the
    -- code; where a service is charted without a code, it may be this one.
    CASE
        WHEN note_day_code.hcpcs_code IS NOT NULL OR (procedure_code.evaluation AND note_day.evaluates) THEN TRUE
        WHEN note_day.services_coded THEN FALSE
    END AS documented
FROM claim_line
INNER JOIN line_discipline ON claim_line.rowid = line_discipline.line_id
INNER JOIN modifier_set ON line_discipline.modifier_set_id = modifier_set.modifier_set_id
CROSS JOIN note_span
LEFT JOIN payer_plan ON claim_line.payer = payer_plan.payer
LEFT JOIN procedure_code ON claim_line.hcpcs_code = procedure_code.hcpcs_code
LEFT JOIN place_setting ON claim_line.place_of_service = place_setting.spelling
LEFT JOIN note_day
    ON
        claim_line.patient_id = note_day.patient_id
        AND claim_line.service_date = note_day.service_date
        AND line_discipline.discipline = note_day.discipline
LEFT JOIN note_day_code
    ON
        claim_line.patient_id = note_day_code.patient_id
        AND claim_line.service_date = note_day_code.service_date
        AND line_discipline.discipline = note_day_code.discipline
        AND claim_line.hcpcs_code = note_day_code.hcpcs_code
LEFT JOIN note_of_day
    ON claim_line.patient_id = note_of_day.patient_id AND claim_line.service_date = note_of_day.service_date
LEFT JOIN remitted
    ON claim_line.claim_id = remitted.claim_id AND claim_line.claim_line_number = remitted.claim_line_number
