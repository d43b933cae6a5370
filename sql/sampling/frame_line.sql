-- The claim lines of the audited period that a frame is made of, each with its item, what was reported for it and what
-- of it is at risk: its exposure, in which no dollar counts twice.
-- An item's key begins with what it is, so that no spreadsheet takes it for a formula.
-- A finding is on the line that it names and on those whose dollars it puts at stake.
WITH found_on AS (
    SELECT
        finding_id,
        claim_id,
        claim_line_number,
        0.00::DECIMAL(12, 2) AS exposure_amount
    FROM finding
    UNION ALL
    SELECT
        finding_id,
        claim_id,
        claim_line_number,
        exposure_amount
    FROM finding_line
    WHERE claim_line_number IS NOT NULL
),

at_risk AS (
    SELECT
        found_on.claim_id,
        found_on.claim_line_number,
        sum(found_on.exposure_amount) FILTER (WHERE finding.direction = 'overpayment') AS amount_at_risk,
        bool_or(list_contains($rules::VARCHAR[], finding.rule)) AS asked_for
    FROM found_on
    INNER JOIN finding ON found_on.finding_id = finding.finding_id
    GROUP BY found_on.claim_id, found_on.claim_line_number
),

-- What the claim export says of the version that counts.
exported AS (
    SELECT
        claim_line.claim_id,
        claim_line.claim_line_number,
        claim_line.paid_amount
    FROM claim_line
    INNER JOIN claim_history
        ON claim_line.claim_id = claim_history.claim_id AND claim_line.claim_version = claim_history.claim_version
    WHERE claim_history.state = 'current'
)

SELECT
    CASE $frame
        WHEN 'claims' THEN 'claim:' || therapy_line.claim_id
        WHEN 'lines' THEN concat('line:', therapy_line.claim_id, '|', therapy_line.claim_line_number)
        ELSE
            concat(
                'visit:',
                concat_ws('|', therapy_line.patient_id, therapy_line.service_date, therapy_line.discipline),
                '|',
                therapy_line.plan
            )
    END AS item_key,
    therapy_line.claim_id,
    therapy_line.claim_line_number,
    therapy_line.patient_id,
    therapy_line.payer,
    therapy_line.plan,
    therapy_line.discipline,
    therapy_line.rendering_npi,
    therapy_line.service_date,
    concat_ws(' x', therapy_line.hcpcs_code, therapy_line.units) AS code,
    if(
        $amount = 'paid',
        coalesce(line_payment.paid_amount, exported.paid_amount),
        therapy_line.allowed_amount
    )::DECIMAL(12, 2) AS amount,
    coalesce(at_risk.amount_at_risk, 0.00)::DECIMAL(12, 2) AS amount_at_risk,
    at_risk.claim_id IS NOT NULL AS has_finding,
    coalesce(at_risk.asked_for, FALSE) AS asked_for,
    line_payment.last_paid_date AS paid_date
FROM therapy_line
INNER JOIN audit_period
    ON therapy_line.service_date BETWEEN audit_period.period_start AND audit_period.period_end
LEFT JOIN exported
    ON
        therapy_line.claim_id = exported.claim_id
        AND therapy_line.claim_line_number = exported.claim_line_number
LEFT JOIN line_payment
    ON therapy_line.line_id = line_payment.line_id AND line_payment.adjudications > 0
LEFT JOIN at_risk
    ON
        therapy_line.claim_id = at_risk.claim_id
        AND therapy_line.claim_line_number = at_risk.claim_line_number
WHERE
    ($plans IS NULL OR list_contains($plans::VARCHAR[], therapy_line.plan))
    AND ($payers IS NULL OR list_contains($payers::VARCHAR[], therapy_line.payer))
