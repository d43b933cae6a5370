-- Each claim line with its plan, its discipline, how its code is counted, what it is worth and what its day's note
-- holds.
WITH
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
    current_line.line_id,
    current_line.claim_id,
    current_line.claim_line_number,
    current_line.patient_id,
    current_line.payer,
    payer_plan.plan,
    current_line.service_date,
    current_line.hcpcs_code,
    current_line.modifiers,
    current_line.units,
    current_line.charge_amount,
    coalesce(current_line.allowed_amount, line_payment.allowed_amount) AS allowed_amount,
    coalesce(
        current_line.allowed_amount,
        line_payment.allowed_amount,
        current_line.paid_amount,
        line_payment.paid_amount,
        current_line.charge_amount,
        0.00
    )::DECIMAL(12, 2) AS line_amount,
    -- Billed already, to another payer or on another claim: what notes and units say of it is said of the first bill.
    second_bill.line_id IS NOT NULL OR coalesce(repeated_line.on_another_claim AND repeated_line.is_duplicate, FALSE)
        AS second_bill,
    CASE WHEN repeated_line.line_id IS NULL THEN FALSE ELSE repeated_line.is_duplicate END AS is_duplicate,
    current_line.rendering_npi,
    current_line.billing_npi,
    line_discipline.discipline,
    line_discipline.discipline_modifier_count,
    line_discipline.modifier_discipline,
    line_discipline.code_discipline,
    line_discipline.clinician_discipline,
    line_discipline.may_render,
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
    current_line.place_of_service,
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
            current_line.service_date BETWEEN note_span.first_note_date AND note_span.last_note_date
            AND (
                note_day.note_id IS NOT NULL
                OR note_of_day.patient_id IS NULL
                OR NOT (note_of_day.has_unknown OR line_discipline.discipline = 'unknown')
            )
            THEN TRUE
    END AS notes_given,
    note_day.note_id,
    -- Whether another than the billed clinician wrote the day's notes: unknown of an assistant's notes, which are
    -- billed under the therapist, and of claims under the group's number.
    CASE
        WHEN current_line.rendering_npi IN (note_day.first_npi, note_day.last_npi) THEN FALSE
        WHEN
            note_day.by_therapists
            AND note_day.first_npi = note_day.last_npi
            AND current_line.rendering_npi IS DISTINCT FROM current_line.billing_npi
            -- A name that the provider list does not know tells nothing beside a number.
            AND (current_line.rendering_npi < ':') = (note_day.first_npi < ':')
            THEN current_line.rendering_npi <> note_day.first_npi
    END AS clinician_differs,
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
FROM current_line
INNER JOIN line_discipline ON current_line.line_id = line_discipline.line_id
INNER JOIN modifier_set ON line_discipline.modifier_set_id = modifier_set.modifier_set_id
CROSS JOIN note_span
LEFT JOIN payer_plan ON current_line.payer = payer_plan.payer
LEFT JOIN procedure_code ON current_line.hcpcs_code = procedure_code.hcpcs_code
LEFT JOIN place_setting ON current_line.place_of_service = place_setting.spelling
LEFT JOIN note_day
    ON
        current_line.patient_id = note_day.patient_id
        AND current_line.service_date = note_day.service_date
        AND line_discipline.discipline = note_day.discipline
LEFT JOIN note_day_code
    ON
        current_line.patient_id = note_day_code.patient_id
        AND current_line.service_date = note_day_code.service_date
        AND line_discipline.discipline = note_day_code.discipline
        AND current_line.hcpcs_code = note_day_code.hcpcs_code
LEFT JOIN note_of_day
    ON current_line.patient_id = note_of_day.patient_id AND current_line.service_date = note_of_day.service_date
LEFT JOIN second_bill ON current_line.line_id = second_bill.line_id
LEFT JOIN repeated_line ON current_line.line_id = repeated_line.line_id
LEFT JOIN line_payment
    ON current_line.line_id = line_payment.line_id AND line_payment.adjudications > 0
