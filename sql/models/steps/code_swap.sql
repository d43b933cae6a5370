-- Codes of a visit that were billed and not charted, each with a code that was charted and not billed in its place: of
-- the same kind, and worth a unit. Of several the one with most units goes with the one with most minutes.
WITH billed AS (
    SELECT
        line.patient_id,
        line.service_date,
        line.discipline,
        line.hcpcs_code,
        concat(procedure_code.kind, procedure_code.evaluation) AS kind,
        coalesce(sum(line.units), 0) AS units
    FROM therapy_line AS line
    INNER JOIN procedure_code ON line.hcpcs_code = procedure_code.hcpcs_code
    ANTI JOIN note_day_code
        ON
            line.patient_id = note_day_code.patient_id
            AND line.service_date = note_day_code.service_date
            AND line.discipline = note_day_code.discipline
            AND line.hcpcs_code = note_day_code.hcpcs_code
    -- An evaluation's note is its documentation, unless it charts another evaluation.
    WHERE line.therapy AND NOT line.second_bill AND (NOT line.documented OR (line.evaluation AND line.documented))
    GROUP BY
        line.patient_id,
        line.service_date,
        line.discipline,
        line.hcpcs_code,
        procedure_code.kind,
        procedure_code.evaluation
),

charted AS (
    SELECT
        note_day_code.patient_id,
        note_day_code.service_date,
        note_day_code.discipline,
        note_day_code.hcpcs_code,
        note_day_code.minutes,
        concat(procedure_code.kind, procedure_code.evaluation) AS kind
    FROM note_day_code
    INNER JOIN procedure_code ON note_day_code.hcpcs_code = procedure_code.hcpcs_code
    SEMI JOIN billed
        ON
            note_day_code.patient_id = billed.patient_id
            AND note_day_code.service_date = billed.service_date
            AND note_day_code.discipline = billed.discipline
    ANTI JOIN therapy_line AS line
        ON
            note_day_code.patient_id = line.patient_id
            AND note_day_code.service_date = line.service_date
            AND note_day_code.discipline = line.discipline
            AND note_day_code.hcpcs_code = line.hcpcs_code
    WHERE procedure_code.kind <> 'timed_15' OR coalesce(note_day_code.minutes >= 8, TRUE)
),

billed_order AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY patient_id, service_date, discipline, kind ORDER BY units DESC, hcpcs_code
        ) AS place
    FROM billed
),

charted_order AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY patient_id, service_date, discipline, kind ORDER BY minutes DESC NULLS LAST, hcpcs_code
        ) AS place
    FROM charted
)

SELECT
    billed_order.patient_id,
    billed_order.service_date,
    billed_order.discipline,
    billed_order.hcpcs_code AS billed_code,
    charted_order.hcpcs_code AS documented_code,
    charted_order.minutes,
    billed_order.units
FROM billed_order
INNER JOIN charted_order
    ON
        billed_order.patient_id = charted_order.patient_id
        AND billed_order.service_date = charted_order.service_date
        AND billed_order.discipline = charted_order.discipline
        AND billed_order.kind = charted_order.kind
        AND billed_order.place = charted_order.place
