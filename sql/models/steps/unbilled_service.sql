-- Services that the notes chart and no line bills, by visit and code; and visits that are billed not at all, whose
-- notes chart no codes. Whether each could have been billed, and whether its claim would be among those given.
WITH charted AS (
    SELECT
        note_day_code.patient_id,
        note_day_code.service_date,
        note_day_code.discipline,
        note_day_code.hcpcs_code,
        note_day_code.minutes
    FROM note_day_code
    ANTI JOIN therapy_line AS line
        ON
            note_day_code.patient_id = line.patient_id
            AND note_day_code.service_date = line.service_date
            AND note_day_code.discipline = line.discipline
            AND note_day_code.hcpcs_code = line.hcpcs_code
    ANTI JOIN code_swap
        ON
            note_day_code.patient_id = code_swap.patient_id
            AND note_day_code.service_date = code_swap.service_date
            AND note_day_code.discipline = code_swap.discipline
            AND note_day_code.hcpcs_code = code_swap.documented_code
    ANTI JOIN date_slip
        ON
            note_day_code.patient_id = date_slip.patient_id
            AND note_day_code.service_date = date_slip.note_date
            AND note_day_code.discipline = date_slip.note_discipline
            AND note_day_code.hcpcs_code = date_slip.hcpcs_code
),

bare AS (
    SELECT
        note_day.patient_id,
        note_day.service_date,
        note_day.discipline,
        NULL::VARCHAR AS hcpcs_code,
        note_day.visit_minutes::INTEGER AS minutes
    FROM note_day
    ANTI JOIN note_day_code
        ON
            note_day.patient_id = note_day_code.patient_id
            AND note_day.service_date = note_day_code.service_date
            AND note_day.discipline = note_day_code.discipline
    ANTI JOIN therapy_line AS line
        ON note_day.patient_id = line.patient_id AND note_day.service_date = line.service_date AND line.therapy
    ANTI JOIN date_slip
        ON
            note_day.patient_id = date_slip.patient_id
            AND note_day.service_date = date_slip.note_date
            AND note_day.discipline = date_slip.note_discipline
),

unbilled AS (
    SELECT * FROM charted
    UNION ALL
    SELECT * FROM bare
),

-- The days of billed lines with what they bill: of a note whose bill is dated otherwise, that bill's.
billed AS (
    SELECT
        line.patient_id,
        line.service_date,
        line.discipline,
        line.plan,
        line.payer,
        line.hcpcs_code,
        line.timed
    FROM therapy_line AS line
    SEMI JOIN unbilled ON line.patient_id = unbilled.patient_id AND line.service_date = unbilled.service_date
    WHERE line.therapy
    UNION ALL
    SELECT
        date_slip.patient_id,
        date_slip.note_date AS service_date,
        date_slip.note_discipline AS discipline,
        line.plan,
        line.payer,
        line.hcpcs_code,
        line.timed
    FROM date_slip
    INNER JOIN therapy_line AS line ON date_slip.line_id = line.line_id
),

day AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        bool_or(timed) AS bills_timed,
        min({'plan': plan, 'payer': payer}) AS coverage
    FROM billed
    GROUP BY patient_id, service_date, discipline
),

-- Put together first: edits are many, and most codes have some.
beside AS MATERIALIZED (
    SELECT DISTINCT
        unbilled.patient_id,
        unbilled.service_date,
        unbilled.discipline,
        unbilled.hcpcs_code,
        billed.hcpcs_code AS billed_code
    FROM unbilled
    INNER JOIN billed ON unbilled.patient_id = billed.patient_id AND unbilled.service_date = billed.service_date
    WHERE unbilled.hcpcs_code <> billed.hcpcs_code
),

edit AS (
    SELECT
        column_one AS hcpcs_code,
        column_two AS other_code,
        effective_from,
        effective_to
    FROM ncci_pair
    UNION ALL
    SELECT
        column_two AS hcpcs_code,
        column_one AS other_code,
        effective_from,
        effective_to
    FROM ncci_pair
),

-- Codes that an edit keeps from being billed beside what the day bills.
bundled AS (
    SELECT DISTINCT
        beside.patient_id,
        beside.service_date,
        beside.discipline,
        beside.hcpcs_code
    FROM beside
    INNER JOIN edit
        ON
            beside.hcpcs_code = edit.hcpcs_code
            AND beside.billed_code = edit.other_code
            AND beside.service_date BETWEEN edit.effective_from AND edit.effective_to
),

patient AS (
    SELECT
        line.patient_id,
        arg_max({'plan': line.plan, 'payer': line.payer}, (line.service_date, line.claim_id, line.claim_line_number))
            AS coverage
    FROM therapy_line AS line
    SEMI JOIN unbilled ON line.patient_id = unbilled.patient_id
    GROUP BY line.patient_id
),

-- What was billed once and taken back is not forgotten.
withdrawn AS (
    SELECT DISTINCT
        claim_line.patient_id,
        claim_line.service_date
    FROM claim_line
    INNER JOIN claim_history
        ON claim_line.claim_id = claim_history.claim_id AND claim_line.claim_version = claim_history.claim_version
    WHERE claim_history.state <> 'current'
),

-- How far the claims look: the last days' visits may be billed yet.
known AS (
    SELECT
        min(service_date) AS first_date,
        coalesce(
            (SELECT max(as_of) FROM audit_period), greatest(max(service_date), max(submitted_date))
        )
        - (SELECT max(value)::INTEGER FROM parameter WHERE name = 'clinic.billing_days') AS last_date
    FROM current_line
)

SELECT
    unbilled.patient_id,
    unbilled.service_date,
    unbilled.discipline,
    unbilled.hcpcs_code,
    unbilled.minutes,
    note_day.note_id,
    coalesce(procedure_code.kind = 'timed_15', FALSE) AS timed,
    coalesce(day.coverage.plan, patient.coverage.plan) AS plan,
    coalesce(day.coverage.payer, patient.coverage.payer) AS payer,
    CASE
        WHEN patient.patient_id IS NOT NULL AND unbilled.service_date BETWEEN known.first_date AND known.last_date
            THEN TRUE
    END AS claims_given,
    -- A note without services and minutes may tell of a visit that did not take place.
    CASE
        WHEN unbilled.hcpcs_code IS NULL THEN CASE WHEN unbilled.minutes > 0 OR note_day.has_evaluation THEN TRUE END
        WHEN procedure_code.kind = 'timed_15' THEN CASE WHEN unbilled.minutes IS NOT NULL THEN TRUE END
        ELSE TRUE
    END AS service_known,
    -- Units that timed codes of a billed visit lack are told of by the rules on units.
    withdrawn.patient_id IS NULL
    AND bundled.patient_id IS NULL
    AND CASE
        WHEN unbilled.hcpcs_code IS NULL THEN TRUE
        WHEN procedure_code.kind = 'timed_15'
            THEN NOT coalesce(day.bills_timed, FALSE) AND coalesce(unbilled.minutes >= 8, TRUE)
        ELSE coalesce(procedure_code.always_therapy, FALSE)
    END AS billable
FROM unbilled
INNER JOIN note_day
    ON
        unbilled.patient_id = note_day.patient_id
        AND unbilled.service_date = note_day.service_date
        AND unbilled.discipline = note_day.discipline
CROSS JOIN known
LEFT JOIN procedure_code ON unbilled.hcpcs_code = procedure_code.hcpcs_code
LEFT JOIN patient ON unbilled.patient_id = patient.patient_id
LEFT JOIN day
    ON
        unbilled.patient_id = day.patient_id
        AND unbilled.service_date = day.service_date
        AND unbilled.discipline = day.discipline
LEFT JOIN bundled
    ON
        unbilled.patient_id = bundled.patient_id
        AND unbilled.service_date = bundled.service_date
        AND unbilled.discipline = bundled.discipline
        AND unbilled.hcpcs_code = bundled.hcpcs_code
LEFT JOIN withdrawn
    ON unbilled.patient_id = withdrawn.patient_id AND unbilled.service_date = withdrawn.service_date
