-- Lines that bill what another line bills already: the same patient, day, code, modifiers, units and clinician. A
-- denied line may be billed again, 76 and 77 say that the service was repeated, and so do notes that chart it as often.
WITH billed AS (
    SELECT
        line_id,
        hash(patient_id, service_date, hcpcs_code, units, rendering_npi) AS service
    FROM current_line
),

repeated AS (
    SELECT service
    FROM billed
    GROUP BY service
    HAVING count(*) > 1
),

-- Few are left, so that their modifiers can be put in order.
candidate AS (
    SELECT
        line_id,
        service
    FROM billed
    WHERE service IN (SELECT service FROM repeated)
),

line AS (
    SELECT
        current_line.line_id,
        current_line.claim_id,
        current_line.claim_line_number,
        current_line.patient_id,
        current_line.service_date,
        current_line.hcpcs_code,
        current_line.units,
        line_discipline.discipline,
        coalesce(procedure_code.kind = 'timed_15', FALSE) AS timed,
        first_value(current_line.claim_id) OVER claim_order AS first_claim_id,
        first_value(current_line.claim_line_number) OVER claim_order AS first_line_number,
        row_number() OVER claim_order AS place,
        count(*) OVER service AS lines,
        sum(current_line.units) OVER service AS service_units
    FROM candidate
    INNER JOIN current_line ON candidate.line_id = current_line.line_id
    INNER JOIN line_discipline ON candidate.line_id = line_discipline.line_id
    INNER JOIN modifier_set ON line_discipline.modifier_set_id = modifier_set.modifier_set_id
    INNER JOIN line_payment ON candidate.line_id = line_payment.line_id
    LEFT JOIN procedure_code ON current_line.hcpcs_code = procedure_code.hcpcs_code
    WHERE
        candidate.line_id NOT IN (SELECT line_id FROM second_bill)
        AND line_payment.payment_status NOT IN ('denied', 'reversed')
        AND NOT list_has_any(current_line.modifiers, ['76', '77'])
    WINDOW
        service AS (PARTITION BY candidate.service, modifier_set.modifiers_sorted),
        claim_order AS (service ORDER BY current_line.claim_id, current_line.claim_line_number)
),

-- How often the day's notes chart the code, and whether that is at times of their own.
charted AS (
    SELECT
        charted_service.patient_id,
        charted_service.service_date,
        note_minutes.discipline,
        charted_service.hcpcs_code,
        count(*) AS services,
        CASE WHEN count(*) = count(charted_service.minutes) THEN sum(charted_service.minutes) END AS minutes
    FROM charted_service
    INNER JOIN note_minutes ON charted_service.note_id = note_minutes.note_id
    SEMI JOIN line
        ON
            charted_service.patient_id = line.patient_id
            AND charted_service.service_date = line.service_date
            AND charted_service.hcpcs_code = line.hcpcs_code
    GROUP BY
        charted_service.patient_id, charted_service.service_date, note_minutes.discipline, charted_service.hcpcs_code
)

SELECT
    line.line_id,
    line.first_claim_id,
    line.first_line_number,
    line.claim_id <> line.first_claim_id AS on_another_claim,
    -- A claim's timed code on two lines is split: its units are held against the minutes, where there are any.
    CASE
        WHEN line.timed AND line.claim_id = line.first_claim_id
            THEN CASE WHEN charted.minutes IS NOT NULL THEN FALSE END
        WHEN line.timed AND units_of_minutes(charted.minutes) >= line.service_units THEN FALSE
        WHEN NOT line.timed AND charted.services >= line.lines THEN FALSE
        ELSE TRUE
    END AS is_duplicate
FROM line
LEFT JOIN charted
    ON
        line.patient_id = charted.patient_id
        AND line.service_date = charted.service_date
        AND line.discipline = charted.discipline
        AND line.hcpcs_code = charted.hcpcs_code
WHERE line.place > 1
