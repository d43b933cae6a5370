-- Cases in what Medicare, or the payer with a contract, allowed and paid of one line: of visits without another case,
-- of patients whose year cannot come near the KX threshold by it. Claims and remittances tell the same amounts.
CREATE OR REPLACE TABLE payment_case AS
SELECT *
FROM (
    VALUES
    ('unreduced', 'fault', ['medicare.payment_reduction_not_applied'], TRUE, FALSE),
    ('assistant_paid_whole', 'fault', ['medicare.payment_reduction_not_applied'], FALSE, TRUE),
    ('not_sequestered', 'fault', ['medicare.payment_reduction_not_applied'], FALSE, FALSE),
    ('priced_above', 'fault', ['medicare.allowed_above_fee_schedule'], FALSE, FALSE),
    ('priced_below', 'fault', ['medicare.paid_below_expected'], FALSE, FALSE),
    ('little_above', 'near_miss', ['medicare.allowed_above_fee_schedule'], FALSE, FALSE),
    ('little_below', 'near_miss', ['medicare.paid_below_expected'], FALSE, FALSE),
    ('reduced', 'near_miss', ['medicare.paid_below_expected', 'medicare.payment_reduction_not_applied'], TRUE, FALSE),
    (
        'assistant_reduced', 'near_miss',
        ['medicare.paid_below_expected', 'medicare.payment_reduction_not_applied'], FALSE, TRUE
    ),
    ('above_contract', 'fault', ['payers.contract.allowed_above_contract'], FALSE, FALSE),
    ('below_contract', 'fault', ['payers.contract.paid_below_contract'], FALSE, FALSE),
    ('cents_above_contract', 'near_miss', ['payers.contract.allowed_above_contract'], FALSE, FALSE),
    ('cents_below_contract', 'near_miss', ['payers.contract.paid_below_contract'], FALSE, FALSE),
    -- What a copay leaves the payer to pay is less than the fee, and no less than the contract has it.
    ('copay', 'near_miss', ['payers.contract.paid_below_contract'], FALSE, FALSE)
) AS listed (payment_case, kind, rules, needs_reduction, needs_assistant);

CREATE OR REPLACE TABLE payment_plant AS
WITH quiet AS (
    SELECT patient_id
    FROM ledger
    GROUP BY patient_id
    HAVING max(balance_after / threshold) < 0.6 AND bool_and(opening IN ('none', 'some'))
),

lone_day AS (
    SELECT
        number,
        service_date
    FROM claim
    GROUP BY number, service_date
    HAVING count(DISTINCT visit_id) = 1
),

-- Full price: without the reduction for multiple procedures.
eligible AS (
    SELECT
        claim.line_id,
        claim.visit_id,
        (fee.full_amount * claim.units)::DECIMAL(12, 2) AS full_price,
        full_price >= 1.2 * claim.allowed_amount AS is_reduced,
        billed_line.marked,
        claim.plan = 'blue_cross' AS by_contract,
        claim.claim_line_number
    FROM claim
    LEFT JOIN quiet ON claim.patient_id = quiet.patient_id
    INNER JOIN lone_day ON claim.number = lone_day.number AND claim.service_date = lone_day.service_date
    INNER JOIN billed_line ON claim.line_id = billed_line.line_id
    INNER JOIN fee ON claim.hcpcs_code = fee.hcpcs_code
    WHERE
        if(claim.plan = 'medicare_part_b', quiet.patient_id IS NOT NULL, claim.plan = 'blue_cross')
        AND claim.plant IS NULL
        AND claim.episode_plant IS NULL
        AND claim.kx_case IS NULL
        AND claim.story IS NULL
        AND NOT claim.unanswered
        AND claim.allowed_amount > 15
),

-- Only what is reduced can lack the reduction, only an assistant's line the assistant's. One case a visit.
offered AS (
    SELECT
        eligible.line_id,
        eligible.full_price,
        payment_case.payment_case
    FROM eligible
    INNER JOIN payment_case
        ON
            eligible.by_contract = starts_with(payment_case.rules[1], 'payers.contract')
            AND (payment_case.payment_case <> 'copay' OR eligible.claim_line_number = 1)
            AND (NOT payment_case.needs_reduction OR eligible.is_reduced)
            AND (payment_case.needs_assistant = eligible.marked OR payment_case.payment_case = 'priced_above')
    QUALIFY
        row_number() OVER (
            PARTITION BY eligible.visit_id
            ORDER BY draw('payment', concat_ws('.', payment_case.payment_case, eligible.line_id))
        ) = 1
)

SELECT *
FROM offered
QUALIFY
    row_number() OVER (PARTITION BY payment_case ORDER BY draw('payment case', line_id), line_id)
    <= greatest(2, (SELECT count(*) FROM visit) // 1500);

-- What is paid of it follows in remittances.sql.
UPDATE claim
SET
    allowed_amount = round(allowed_amount * change.factor, 2) + change.cents,
    price_amount = round(price_amount * change.factor, 2) + change.cents
FROM payment_plant AS plant
INNER JOIN (
    VALUES
    ('priced_above', 1.8, 0.00),
    ('priced_below', 0.75, 0.00),
    ('little_above', 1.05, 0.00),
    ('little_below', 0.95, 0.00),
    ('above_contract', 1.3, 0.00),
    ('below_contract', 0.75, 0.00),
    ('cents_above_contract', 1.0, 0.02),
    ('cents_below_contract', 1.0, -0.02)
) AS change (payment_case, factor, cents)
    ON plant.payment_case = change.payment_case
WHERE claim.line_id = plant.line_id;

UPDATE claim
SET
    allowed_amount = plant.full_price,
    price_amount = plant.full_price
FROM payment_plant AS plant
WHERE claim.line_id = plant.line_id AND plant.payment_case = 'unreduced';

-- Lines with CQ or CO for no assistant were paid whole.
CREATE OR REPLACE TABLE payment_truth AS
SELECT
    unnest(payment_case.rules) AS rule,
    claim.visit_id,
    claim.claim_line_number,
    payment_case.kind
FROM payment_plant
INNER JOIN payment_case ON payment_plant.payment_case = payment_case.payment_case
INNER JOIN claim ON payment_plant.line_id = claim.line_id
UNION ALL
SELECT
    'medicare.payment_reduction_not_applied' AS rule,
    claim.visit_id,
    claim.claim_line_number,
    'consequence' AS kind
FROM claim
INNER JOIN billed_line ON claim.line_id = billed_line.line_id
WHERE list_has_any(claim.modifiers, ['CQ', 'CO']) AND NOT billed_line.marked AND claim.plan = 'medicare_part_b'
UNION ALL
-- A code billed for another was paid as that one.
SELECT
    unnest(
        if(
            claim.plan = 'blue_cross',
            ['payers.contract.allowed_above_contract', 'payers.contract.paid_below_contract'],
            [
                'medicare.allowed_above_fee_schedule', 'medicare.payment_reduction_not_applied',
                'medicare.paid_below_expected'
            ]
        )
    ) AS rule,
    claim.visit_id,
    claim.claim_line_number,
    'consequence' AS kind
FROM claim
INNER JOIN plant ON claim.plant = plant.plant
WHERE
    list_contains(plant.rules, 'clinic.billed_code_differs_from_note')
    AND claim.plan IN ('medicare_part_b', 'blue_cross');
