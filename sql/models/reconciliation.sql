-- Claims against notes against remittances: each billed line with the note that it rests on, by which key, and its
-- payer's answer; each charted service that no line bills; each remitted line that no claim given here names.
WITH billed AS (
    SELECT
        line.line_id,
        line.claim_id,
        line.claim_line_number,
        line.patient_id,
        line.service_date,
        line.discipline,
        line.payer,
        line.plan,
        line.hcpcs_code,
        line.units,
        line.line_amount,
        coalesce(date_slip.note_id, line.note_id) AS note_id,
        CASE
            WHEN date_slip.line_id IS NOT NULL THEN date_slip.note_date
            WHEN line.note_id IS NOT NULL THEN line.service_date
        END AS note_date,
        CASE
            WHEN code_swap.billed_code IS NOT NULL THEN code_swap.documented_code
            WHEN line.documented OR date_slip.has_code THEN line.hcpcs_code
        END AS documented_code,
        coalesce(code_swap.minutes, line.documented_minutes) AS documented_minutes,
        CASE
            WHEN line.second_bill THEN 'billed twice'
            WHEN code_swap.billed_code IS NOT NULL OR date_slip.is_documented THEN 'matched'
            WHEN line.notes_given IS NULL AND line.note_id IS NULL THEN 'not compared'
            WHEN line.note_id IS NULL OR NOT line.documented THEN 'billed only'
            ELSE 'matched'
        END AS reconciliation_state,
        CASE
            WHEN line.second_bill THEN NULL
            WHEN code_swap.billed_code IS NOT NULL THEN 'day and other code'
            WHEN date_slip.is_documented THEN date_slip.match_key
            WHEN line.note_id IS NULL OR NOT line.documented THEN NULL
            WHEN line.claim_id = line.note_id THEN 'note number'
            WHEN line.documented THEN 'day and code'
            ELSE 'day'
        END AS match_key,
        line.documented,
        line.clinician_differs,
        line.is_duplicate
    FROM therapy_line AS line
    LEFT JOIN date_slip ON line.line_id = date_slip.line_id
    LEFT JOIN code_swap
        ON
            line.patient_id = code_swap.patient_id
            AND line.service_date = code_swap.service_date
            AND line.discipline = code_swap.discipline
            AND line.hcpcs_code = code_swap.billed_code
    WHERE line.therapy AND (NOT line.second_bill OR line.is_duplicate)
)

-- By name, since each part has columns of its own.
SELECT -- noqa: AM07
    billed.* EXCLUDE (documented),
    -- Null where no notes were given to compare with.
    nullif(billed.reconciliation_state <> 'not compared', FALSE) AS notes_compared,
    CASE WHEN billed.documented IS NOT NULL OR billed.reconciliation_state = 'billed twice' THEN TRUE END AS itemized,
    CASE
        WHEN line_answer.adjudications > 0 THEN line_answer.payment_status
        WHEN line_answer.answer_known AND line_answer.is_due THEN 'not remitted'
        WHEN line_answer.line_id IS NOT NULL THEN 'not known'
    END AS remittance_state,
    line_answer.paid_amount,
    billed.reconciliation_state <> 'billed twice' AND billed.note_id IS NOT NULL AS billable,
    TRUE AS claims_given,
    TRUE AS service_known
FROM billed
LEFT JOIN line_answer ON billed.line_id = line_answer.line_id
UNION ALL BY NAME
SELECT
    unbilled_service.patient_id,
    unbilled_service.service_date,
    unbilled_service.discipline,
    unbilled_service.payer,
    unbilled_service.plan,
    unbilled_service.hcpcs_code,
    CASE
        WHEN unbilled_service.timed THEN units_of_minutes(unbilled_service.minutes)
        WHEN unbilled_service.hcpcs_code IS NOT NULL THEN 1
    END::INTEGER AS units,
    CASE
        WHEN unbilled_service.billable
            THEN round(
                code_price.unit_amount
                * CASE WHEN unbilled_service.timed THEN units_of_minutes(unbilled_service.minutes) ELSE 1 END, 2
            )
    END::DECIMAL(12, 2) AS line_amount,
    unbilled_service.note_id,
    unbilled_service.service_date AS note_date,
    unbilled_service.hcpcs_code AS documented_code,
    unbilled_service.minutes AS documented_minutes,
    'documented only' AS reconciliation_state,
    unbilled_service.billable,
    unbilled_service.claims_given,
    unbilled_service.service_known
FROM unbilled_service
LEFT JOIN code_price
    ON
        unbilled_service.plan IS NOT DISTINCT FROM code_price.plan
        AND unbilled_service.hcpcs_code = code_price.hcpcs_code
UNION ALL BY NAME
SELECT
    remittance_match.claim_id,
    remittance_match.patient_id,
    remittance_match.service_date,
    remittance_match.payer,
    remittance_match.plan,
    remittance_match.hcpcs_code,
    remittance_match.charge_amount AS line_amount,
    'remitted only' AS reconciliation_state,
    CASE WHEN remittance_match.paid_amount > 0 THEN 'paid' ELSE 'denied' END AS remittance_state,
    remittance_match.paid_amount,
    FALSE AS billable
FROM remittance_match
WHERE NOT remittance_match.is_matched
