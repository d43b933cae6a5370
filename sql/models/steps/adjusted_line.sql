-- Each remittance line with what its adjustments take from the charge: the patient's share, the contract's price, what
-- was denied and why. What is taken from a claim as a whole stands in a row of its own (line_kind claim).
WITH adjusted AS (
    SELECT
        remitted_line.remitted_id,
        adjustment.group_code,
        adjustment.reason_code,
        adjustment.remark_code,
        adjustment.adjustment_number,
        CASE WHEN remitted_line.reverses THEN -abs(adjustment.amount) ELSE adjustment.amount END AS amount,
        coalesce(denial_reason.category = 'patient share', FALSE) AS patients,
        -- A reason that is not known denies where nothing is paid.
        coalesce(denial_reason.is_denial, coalesce(remitted_line.paid_amount, 0.00) = 0) AS denies,
        adjustment.reason_code = '253' AS withheld
    FROM remittance_adjustment AS adjustment
    INNER JOIN remitted_line
        ON
            adjustment.remittance_id = remitted_line.remittance_id
            AND adjustment.remittance_line_number = remitted_line.remittance_line_number
    LEFT JOIN denial_reason ON adjustment.reason_code = denial_reason.reason_code
),

line AS (
    SELECT
        remitted_id,
        sum(amount) AS adjusted_amount,
        coalesce(sum(amount) FILTER (WHERE patients), 0.00) AS share_amount,
        coalesce(sum(amount) FILTER (WHERE withheld), 0.00) AS withheld_amount,
        sum(amount) FILTER (WHERE reason_code = '1') AS deductible_amount,
        sum(amount) FILTER (WHERE reason_code = '2') AS coinsurance_amount,
        coalesce(sum(amount) FILTER (WHERE reason_code = '59'), 0.00) AS reduction_amount,
        -- What is neither the patient's share nor the price of the service.
        coalesce(sum(amount) FILTER (WHERE NOT patients AND reason_code NOT IN ('45', '59', '253')), 0.00)
            AS other_amount,
        coalesce(sum(amount) FILTER (WHERE denies), 0.00) AS denied_amount,
        coalesce(sum(amount) FILTER (WHERE NOT denies AND NOT patients AND group_code = 'CO'), 0.00)
            AS written_off_amount,
        arg_max(
            {'group_code': group_code, 'reason_code': reason_code, 'remark_code': remark_code, 'amount': amount},
            {'amount': amount, 'earlier': -adjustment_number}
        ) FILTER (WHERE denies AND amount > 0) AS denial
    FROM adjusted
    GROUP BY remitted_id
),

remark AS (
    SELECT
        remitted_line.remitted_id,
        min(remittance_remark.remark_code) AS remark_code
    FROM remittance_remark
    INNER JOIN remitted_line
        ON
            remittance_remark.remittance_id = remitted_line.remittance_id
            AND remittance_remark.remittance_line_number = remitted_line.remittance_line_number
    GROUP BY remitted_line.remitted_id
),

-- One of the claim's rows tells when, by whom and with which status the claim was judged.
judged AS (
    SELECT
        remittance_id,
        remittance_claim_number,
        min(remitted_id) AS remitted_id,
        sum(paid_amount) AS paid_amount
    FROM remitted_line
    WHERE remittance_claim_number IS NOT NULL
    GROUP BY remittance_id, remittance_claim_number
),

whole AS (
    SELECT
        judged.remitted_id,
        CASE WHEN any_value(first_line.reverses) THEN -abs(sum(adjustment.amount)) ELSE sum(adjustment.amount) END
            AS adjusted_amount,
        bool_or(coalesce(denial_reason.category = 'patient share', FALSE)) AS patients,
        bool_or(coalesce(denial_reason.is_denial, FALSE)) AS denies,
        -- Where the services come to what the claim was paid, they have it taken from them already.
        bool_and(judged.paid_amount IS DISTINCT FROM remittance_claim.paid_amount)::INTEGER AS takes,
        adjustment.group_code,
        adjustment.reason_code,
        any_value(adjustment.remark_code) AS remark_code
    FROM remittance_adjustment AS adjustment
    INNER JOIN judged
        ON
            adjustment.remittance_id = judged.remittance_id
            AND adjustment.remittance_claim_number = judged.remittance_claim_number
    INNER JOIN remitted_line AS first_line ON judged.remitted_id = first_line.remitted_id
    LEFT JOIN remittance_claim
        ON
            judged.remittance_id = remittance_claim.remittance_id
            AND judged.remittance_claim_number = remittance_claim.remittance_claim_number
    LEFT JOIN denial_reason ON adjustment.reason_code = denial_reason.reason_code
    WHERE adjustment.remittance_line_number IS NULL
    GROUP BY judged.remitted_id, adjustment.group_code, adjustment.reason_code
)

SELECT
    remitted_line.remitted_id,
    remitted_line.line_kind,
    remitted_line.claim_id,
    remitted_line.remittance_id,
    remitted_line.remittance_claim_number,
    remitted_line.remittance_line_number,
    remitted_line.adjudication,
    upper(remitted_line.payer) AS payer,
    CASE
        WHEN remitted_line.claim_status_code IN ('2', '20') THEN 2
        WHEN remitted_line.claim_status_code IN ('3', '21') THEN 3
        WHEN remitted_line.claim_status_code <> '22' THEN 1
    END AS payer_order,
    remitted_line.is_reversal,
    remitted_line.paid_date,
    remitted_line.paid_amount,
    -- A payer that does not say what it allows has paid it, or left it to the patient, or withheld it.
    coalesce(
        remitted_line.allowed_amount,
        CASE
            WHEN abs(remitted_line.charge_amount) = abs(line.adjusted_amount + remitted_line.paid_amount)
                THEN remitted_line.paid_amount + line.share_amount + line.withheld_amount
        END
    ) AS allowed_amount,
    remitted_line.patient_responsibility_amount,
    coalesce(line.share_amount, remitted_line.patient_responsibility_amount, 0.00) AS share_amount,
    line.deductible_amount,
    line.coinsurance_amount,
    coalesce(line.withheld_amount, 0.00) AS withheld_amount,
    coalesce(line.reduction_amount, 0.00) AS reduction_amount,
    coalesce(line.other_amount, 0.00) AS other_amount,
    line.remitted_id IS NOT NULL AS has_reasons,
    -- Without reasons, what is neither paid nor left to the patient is denied.
    CASE
        WHEN line.denied_amount > 0 THEN line.denied_amount
        WHEN
            remitted_line.paid_amount = 0
            AND NOT remitted_line.is_reversal
            AND coalesce(remitted_line.allowed_amount, 0.00) = 0
            AND (
                (line.remitted_id IS NULL AND coalesce(remitted_line.patient_responsibility_amount, 0.00) = 0)
                OR (remitted_line.claim_status_code = '4' AND line.share_amount = 0)
            )
            THEN coalesce(remitted_line.charge_amount, 0.00)
        ELSE 0.00
    END AS denied_amount,
    coalesce(line.written_off_amount, 0.00) AS written_off_amount,
    {
        'group_code': line.denial.group_code,
        'reason_code': line.denial.reason_code,
        'remark_code': coalesce(line.denial.remark_code, remark.remark_code),
        'amount': line.denial.amount
    } AS denial
FROM remitted_line
LEFT JOIN line ON remitted_line.remitted_id = line.remitted_id
LEFT JOIN remark ON remitted_line.remitted_id = remark.remitted_id
UNION ALL
SELECT
    remitted_line.remitted_id,
    'claim' AS line_kind,
    remitted_line.claim_id,
    remitted_line.remittance_id,
    remitted_line.remittance_claim_number,
    remitted_line.remittance_line_number,
    remitted_line.adjudication,
    upper(remitted_line.payer) AS payer,
    NULL AS payer_order,
    remitted_line.is_reversal,
    remitted_line.paid_date,
    -whole.takes * whole.adjusted_amount AS paid_amount,
    NULL AS allowed_amount,
    CASE WHEN whole.group_code = 'PR' THEN whole.takes * whole.adjusted_amount ELSE 0.00 END
        AS patient_responsibility_amount,
    CASE WHEN whole.patients THEN whole.takes * whole.adjusted_amount ELSE 0.00 END AS share_amount,
    CASE WHEN whole.reason_code = '1' THEN whole.takes * whole.adjusted_amount END AS deductible_amount,
    CASE WHEN whole.reason_code = '2' THEN whole.takes * whole.adjusted_amount END AS coinsurance_amount,
    CASE WHEN whole.reason_code = '253' THEN whole.takes * whole.adjusted_amount ELSE 0.00 END AS withheld_amount,
    CASE WHEN whole.reason_code = '59' THEN whole.takes * whole.adjusted_amount ELSE 0.00 END AS reduction_amount,
    CASE
        WHEN NOT whole.patients AND whole.reason_code NOT IN ('45', '59', '253')
            THEN whole.takes * whole.adjusted_amount
        ELSE 0.00
    END AS other_amount,
    TRUE AS has_reasons,
    CASE WHEN whole.denies THEN whole.takes * greatest(whole.adjusted_amount, 0.00) ELSE 0.00 END AS denied_amount,
    CASE
        WHEN NOT whole.denies AND NOT whole.patients AND whole.group_code = 'CO'
            THEN whole.takes * whole.adjusted_amount
        ELSE 0.00
    END AS written_off_amount,
    {
        'group_code': whole.group_code,
        'reason_code': whole.reason_code,
        'remark_code': whole.remark_code,
        'amount': CASE WHEN whole.denies THEN whole.adjusted_amount END
    } AS denial
FROM whole
INNER JOIN remitted_line ON whole.remitted_id = remitted_line.remitted_id
WHERE whole.adjusted_amount <> 0
