-- What each claim line should be allowed and paid, and what it was. Medicare: the fee schedule of date and locality,
-- the multiple procedure payment reduction, never more than was charged; of that the patient's share, the reduction
-- for assistants and sequestration, in this order. Payers with a fee table: its fee, and the patient's share.
WITH
-- The line's own modifier decides which of a code's fees it is, in the order billed; else the fee without one.
contract AS (
    SELECT
        priced_line.line_id,
        arg_min(
            {'fee_amount': contract_fee.fee_amount, 'per': contract_fee.per},
            {
                'place': coalesce(list_position(priced_line.modifiers, contract_fee.modifier), 999),
                'fee_amount': contract_fee.fee_amount
            }
        ) AS fee
    FROM priced_line
    INNER JOIN contract_fee
        ON
            priced_line.plan = contract_fee.plan
            AND priced_line.hcpcs_code = contract_fee.hcpcs_code
            AND priced_line.service_date BETWEEN contract_fee.effective_from AND contract_fee.effective_to
    WHERE
        NOT priced_line.by_schedule
        AND (contract_fee.modifier IS NULL OR list_contains(priced_line.modifiers, contract_fee.modifier))
    GROUP BY priced_line.line_id
),

counted AS (
    SELECT
        priced_line.*,
        CASE
            WHEN unit_fee.hcpcs_code IS NOT NULL THEN 'fee_schedule'
            WHEN contract.line_id IS NOT NULL THEN 'contract'
            ELSE 'none'
        END AS price_source,
        CASE
            WHEN unit_fee.schedule_known AND unit_fee.index_current THEN 'current'
            WHEN unit_fee.hcpcs_code IS NOT NULL THEN 'stale_reference'
            ELSE 'none'
        END AS reference_state,
        unit_fee.release_date,
        coalesce(unit_fee.full_unit_fee, contract.fee.fee_amount) AS full_unit_fee,
        unit_fee.reduced_unit_fee,
        CASE
            WHEN unit_fee.hcpcs_code IS NULL THEN if(contract.fee.per = 'line', 1, priced_line.units)
            WHEN NOT unit_fee.multiple_procedure THEN priced_line.units
            ELSE (payable.payable_line_id IS NOT NULL)::INTEGER
        END AS full_units,
        unit_fee.multiple_procedure,
        -- Where a denied line held the whole unit, payers differ in which is paid whole instead.
        unit_fee.multiple_procedure AND payable.payable_line_id IS NOT NULL AND first_unit.line_id IS NULL
            AS may_be_reduced,
        unit_fee.locality_known,
        unit_fee.schedule_known,
        unit_fee.lowest,
        unit_fee.highest,
        price_day.coinsurance_share,
        CASE
            WHEN priced_line.has_assistant_modifier THEN price_day.assistant_share
            WHEN priced_line.by_schedule AND (NOT priced_line.has_assistant_modifier OR price_day.assistant_share = 0)
                THEN 0.0000
        END::DECIMAL(6, 4) AS assistant_share,
        price_day.sequestration_share
    FROM priced_line
    -- (A condition on the lines alone would keep these from being hash joins.)
    LEFT JOIN price_day ON if(priced_line.by_schedule, priced_line.service_date, NULL) = price_day.service_date
    LEFT JOIN unit_fee
        ON
            if(priced_line.by_schedule, priced_line.hcpcs_code, NULL) = unit_fee.hcpcs_code
            AND priced_line.service_date = unit_fee.service_date
    LEFT JOIN contract ON priced_line.line_id = contract.line_id
    LEFT JOIN first_unit ON priced_line.line_id = first_unit.line_id
    LEFT JOIN first_unit AS payable ON priced_line.line_id = payable.payable_line_id
),

priced AS (
    SELECT
        * EXCLUDE (has_assistant_modifier, multiple_procedure),
        CASE WHEN price_source = 'fee_schedule' THEN units - full_units ELSE 0 END AS reduced_units,
        (
            full_units * full_unit_fee
            + if(price_source = 'fee_schedule', (units - full_units) * reduced_unit_fee, 0.00)
        )::DECIMAL(10, 2) AS fee_amount,
        CASE WHEN multiple_procedure THEN units * full_unit_fee END::DECIMAL(10, 2) AS unreduced_amount,
        CASE WHEN may_be_reduced THEN units * reduced_unit_fee END::DECIMAL(10, 2) AS least_amount,
        -- Without reasons the patient's share is all that is known of it.
        coalesce(coinsurance_amount, if(deductible_amount IS NULL, share_amount, 0.00)) AS coinsurance,
        coalesce(deductible_amount, 0.00) AS deductible,
        -- What is left of each allowed dollar once an assistant's reduction is taken from it.
        (1 - (1 - coinsurance_share) * assistant_share)::DECIMAL(6, 4) AS left_by_assistant
    FROM counted
),

-- A payer may have taken the reduction for an assistant from what it says it allows: the coinsurance shows it.
restated AS (
    SELECT
        * EXCLUDE (left_by_assistant)
        REPLACE (
            CASE
                WHEN
                    assistant_share > 0
                    AND abs(coinsurance - coinsurance_share * (allowed_amount - deductible)) > 0.015
                    AND abs(coinsurance * left_by_assistant - coinsurance_share * (allowed_amount - deductible)) < 0.015
                    THEN round(deductible + (allowed_amount - deductible) / left_by_assistant, 2)
                ELSE allowed_amount
            END::DECIMAL(12, 2) AS allowed_amount
        )
    FROM priced
),

margin AS (
    SELECT
        max(value) FILTER (WHERE name = 'clinic.price_margin' AND key = 'locality') AS of_locality,
        max(value) FILTER (WHERE name = 'clinic.price_margin' AND key = 'stale') AS of_stale,
        max(value) FILTER (WHERE name = 'clinic.price_level_lines') AS level_lines,
        max(value) FILTER (WHERE name = 'clinic.price_tolerance') AS tolerance
    FROM parameter
),

-- Where no locality tells the price to the cent, or the schedule is of another year, the biller's other lines tell its
-- level: half of them are allowed this much of the national price, or less.
level AS (
    SELECT
        restated.billing_npi,
        restated.release_date,
        quantile_disc((restated.allowed_amount / restated.fee_amount)::DECIMAL(8, 4), 0.5) AS price_level
    FROM restated
    CROSS JOIN margin
    WHERE
        restated.price_source = 'fee_schedule'
        AND NOT (restated.locality_known AND restated.schedule_known)
        AND restated.allowed_amount > 0
        AND restated.fee_amount > 0
        AND coalesce(restated.fee_amount < restated.charge_amount, TRUE)
        AND coalesce(restated.allowed_amount < restated.charge_amount, TRUE)
        AND (restated.payment_status IS NULL OR (restated.payment_status = 'paid' AND restated.pays_first))
        AND NOT restated.second_bill
    GROUP BY restated.billing_npi, restated.release_date
    HAVING count(*) >= any_value(margin.level_lines)
),

leveled AS (
    SELECT
        restated.*,
        CASE
            WHEN level.price_level IS NOT NULL
                THEN least(greatest(level.price_level, restated.lowest), restated.highest)
        END AS price_level,
        (margin.tolerance * greatest(restated.units, 1))::DECIMAL(12, 2) AS tolerance,
        CASE
            WHEN restated.price_source <> 'fee_schedule' OR (restated.locality_known AND restated.schedule_known)
                THEN 0.0000
            WHEN restated.locality_known THEN margin.of_stale
            WHEN restated.schedule_known THEN margin.of_locality
            ELSE greatest(margin.of_locality, margin.of_stale)
        END::DECIMAL(8, 4) AS margin
    FROM restated
    CROSS JOIN margin
    LEFT JOIN level
        ON restated.billing_npi = level.billing_npi AND restated.release_date = level.release_date
),

-- Between which shares of the schedule's price an amount is right: the price itself, the biller's level (within what
-- any locality explains) with its margin, or what any locality explains.
scaled AS (
    SELECT
        *,
        CASE
            WHEN margin = 0 THEN 1.0000
            ELSE coalesce(price_level, 1.0000)
        END::DECIMAL(7, 4) AS scale,
        CASE
            WHEN margin = 0 THEN 1.0000
            ELSE coalesce(price_level, lowest) * (1 - margin)
        END::DECIMAL(7, 4) AS least_scale,
        CASE
            WHEN margin = 0 THEN 1.0000
            ELSE coalesce(price_level, highest) * (1 + margin)
        END::DECIMAL(7, 4) AS most_scale
    FROM leveled
),

-- No payer allows more than was charged.
bounded AS (
    SELECT
        *,
        CASE
            WHEN margin = 0 THEN 'price'
            WHEN price_level IS NOT NULL THEN 'level of the biller'
            ELSE 'any locality'
        END AS judged_by,
        at_most(fee_amount, charge_amount)::DECIMAL(12, 2) AS expected_allowed,
        at_most(round(fee_amount * scale, 2), charge_amount)::DECIMAL(12, 2) AS likely_allowed,
        at_most(round(coalesce(least_amount, fee_amount) * least_scale, 2), charge_amount)::DECIMAL(12, 2)
            AS least_allowed,
        at_most(round(fee_amount * most_scale, 2), charge_amount)::DECIMAL(12, 2) AS most_allowed,
        at_most(round(unreduced_amount * least_scale, 2), charge_amount)::DECIMAL(12, 2) AS least_unreduced,
        at_most(round(unreduced_amount * most_scale, 2), charge_amount)::DECIMAL(12, 2) AS most_unreduced,
        coalesce(payment_status = 'paid', FALSE) AS is_answered
    FROM scaled
),

shared AS (
    SELECT
        *,
        CASE
            WHEN is_answered THEN share_amount
            WHEN by_schedule THEN round(coinsurance_share * expected_allowed, 2)
        END::DECIMAL(12, 2) AS expected_patient_share
    FROM bounded
),

paid AS (
    SELECT
        * EXCLUDE (assistant_share, sequestration_share),
        if(by_schedule, assistant_share, 0.0000)::DECIMAL(6, 4) AS assistant_share,
        if(by_schedule, sequestration_share, 0.0000)::DECIMAL(6, 4) AS sequestration_share,
        CASE WHEN is_answered THEN allowed_amount - share_amount END AS due_amount,
        -- What is neither the patient's nor the contract's: other reasons for a payment. A contract's own reductions
        -- and what it withholds are not known here.
        other_amount <> 0 OR (NOT by_schedule AND (withheld_amount <> 0 OR reduction_amount <> 0)) AS is_explained,
        abs(coinsurance - coinsurance_share * (allowed_amount - deductible)) < 0.015 AS share_agrees
    FROM shared
),

held AS (
    SELECT
        *,
        -- What the payer's own allowed amount and the patient's share leave for it to pay.
        payment_after(due_amount, assistant_share, sequestration_share)::DECIMAL(12, 2) AS due_payment,
        allowed_amount < least_allowed - tolerance AND NOT is_explained AS is_priced_below,
        paid_amount < due_payment - tolerance AND NOT is_explained AS is_paid_below
    FROM paid
)

SELECT
    line_id,
    claim_id,
    claim_line_number,
    service_date,
    plan,
    hcpcs_code,
    units,
    by_schedule,
    price_source, -- fee_schedule, contract, none
    reference_state, -- of the fee schedule: current or stale_reference; none where there is no price by it
    full_unit_fee,
    reduced_unit_fee,
    full_units,
    reduced_units,
    expected_allowed,
    expected_patient_share,
    -- remittance: deductible, coinsurance or copay as it has them; assumed: coinsurance alone.
    CASE
        WHEN is_answered THEN 'remittance'
        WHEN expected_patient_share IS NOT NULL THEN 'assumed'
    END AS patient_share_source,
    greatest(
        payment_after(expected_allowed - expected_patient_share, assistant_share, sequestration_share), 0.00
    )::DECIMAL(12, 2) AS expected_paid,
    assistant_share,
    sequestration_share,
    -- How the price can be held against the line (price, level of the biller, any locality): its likely price, between
    -- which amounts it is right, and between which it would be without the reduction for multiple procedures.
    judged_by,
    likely_allowed,
    least_allowed,
    most_allowed,
    least_unreduced,
    most_unreduced,
    tolerance,
    -- What came of the line. Judged is what was paid, or has an allowed amount in the export; denials are not.
    coalesce(is_answered OR (payment_status IS NULL AND allowed_amount > 0), FALSE) AS is_judged,
    is_answered,
    CASE WHEN NOT second_bill AND (NOT is_answered OR pays_first) THEN TRUE END AS pays_first,
    allowed_amount,
    CASE WHEN is_answered THEN paid_amount END AS paid_amount,
    CASE WHEN is_answered THEN share_amount END AS share_amount,
    due_amount,
    due_payment,
    CASE WHEN is_answered THEN is_explained END AS is_explained,
    -- Whether it can be said that each reduction was taken: the patient's share must fit the allowed amount, and the
    -- price be known well enough where units are to be reduced, and whether an assistant's reduction is due.
    CASE
        WHEN
            is_answered AND share_agrees AND assistant_share IS NOT NULL
            AND (
                (expected_allowed IS NOT NULL AND (reduced_units = 0 OR judged_by <> 'any locality'))
                OR paid_amount > due_payment + tolerance
            )
            THEN TRUE
    END AS reductions_known,
    is_priced_below,
    is_paid_below,
    -- Without reasons it stays open why less was paid than was allowed.
    CASE
        WHEN assistant_share IS NOT NULL AND (has_reasons OR is_priced_below OR NOT is_paid_below) THEN TRUE
    END AS shortfall_known
FROM held
