-- Each line of a remittance, and each claim that was judged as a whole, with whether a claim given here is what it is
-- about.
WITH loose AS (
    SELECT *
    FROM remitted_line
    WHERE remitted_id NOT IN (SELECT remitted_id FROM line_remittance)
),

billed AS (
    SELECT
        claim_line.claim_id,
        claim_line.service_date,
        claim_line.hcpcs_code,
        bool_or(claim_history.state <> 'current') AS was_replaced
    FROM claim_line
    INNER JOIN claim_history
        ON claim_line.claim_id = claim_history.claim_id AND claim_line.claim_version = claim_history.claim_version
    WHERE claim_line.claim_id IN (SELECT claim_id FROM loose)
    GROUP BY claim_line.claim_id, claim_line.service_date, claim_line.hcpcs_code
),

known AS (
    SELECT DISTINCT claim_id
    FROM billed
),

judged AS (
    SELECT
        remitted_line.*,
        NULL::BOOLEAN AS claim_known,
        TRUE AS is_matched
    FROM remitted_line
    WHERE remitted_id IN (SELECT remitted_id FROM line_remittance)
    UNION ALL
    SELECT
        loose.*,
        known.claim_id IS NOT NULL AS claim_known,
        known.claim_id IS NOT NULL
        AND (
            loose.line_kind = 'claim'
            OR loose.service_date IS NULL
            OR loose.hcpcs_code IS NULL
            -- What answered an earlier version of the claim is matched as well.
            OR coalesce(billed.was_replaced, FALSE)
        ) AS is_matched
    FROM loose
    LEFT JOIN known ON loose.claim_id = known.claim_id
    LEFT JOIN billed
        ON
            loose.claim_id = billed.claim_id
            AND loose.service_date = billed.service_date
            AND loose.hcpcs_code = billed.hcpcs_code
)

SELECT
    judged.remittance_id,
    judged.remittance_line_number,
    judged.line_kind,
    judged.claim_id,
    judged.patient_id,
    judged.payer,
    payer_plan.plan,
    coalesce(judged.service_date, judged.paid_date) AS service_date,
    judged.hcpcs_code,
    judged.charge_amount,
    judged.paid_amount,
    judged.paid_date,
    judged.source_file,
    judged.source_row,
    judged.claim_known, -- null where it is matched
    judged.is_matched
FROM judged
LEFT JOIN payer_plan ON judged.payer = payer_plan.payer
