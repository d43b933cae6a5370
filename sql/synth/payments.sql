-- Cases in what Medicare allowed and paid of one line: whole claims without another case, of patients whose year cannot
-- come near the KX threshold by it. The amounts are changed in the claim and its remittance alike.
CREATE OR REPLACE TABLE payment_plant AS
WITH quiet AS (
    SELECT patient_id
    FROM ledger
    GROUP BY patient_id
    HAVING max(balance_after / threshold) < 0.6 AND bool_and(opening IN ('none', 'some'))
),

day AS (
    SELECT
        number,
        service_date,
        count(DISTINCT visit_id) AS visits
    FROM claim
    GROUP BY number, service_date
),

-- One line of a visit: full_price is what it would be without the reduction for multiple procedures.
eligible AS (
    SELECT
        claim.line_id,
        claim.visit_id,
        claim.allowed_amount,
        (fee.full_amount * claim.units)::DECIMAL(12, 2) AS full_price,
        claim.marked,
        claim.claim_line_number = 1 AS is_first
    FROM claim
    INNER JOIN quiet ON claim.patient_id = quiet.patient_id
    INNER JOIN day ON claim.number = day.number AND claim.service_date = day.service_date
    INNER JOIN fee ON claim.hcpcs_code = fee.hcpcs_code
    WHERE
        claim.plan = 'medicare_part_b'
        AND claim.plant IS NULL
        AND claim.episode_plant IS NULL
        AND claim.kx_case IS NULL
        AND day.visits = 1
        AND claim.allowed_amount > 15
),

-- Which cases a line can hold: only what is reduced can lack the reduction, only an assistant's line the assistant's.
bid AS (
    SELECT
        eligible.*,
        kind.payment_case,
        kind.kind
    FROM eligible
    INNER JOIN payment_case AS kind
        ON
            (NOT kind.needs_reduction OR eligible.full_price >= 1.2 * eligible.allowed_amount)
            AND (NOT kind.needs_assistant OR eligible.marked)
            AND eligible.full_price IS NOT NULL
),

dealt AS (
    SELECT *
    FROM bid
    QUALIFY
        row_number() OVER (
            PARTITION BY visit_id ORDER BY draw('payment', concat_ws('.', payment_case, line_id)), payment_case, line_id
        ) = 1
)

SELECT
    line_id,
    payment_case,
    full_price
FROM dealt
QUALIFY
    row_number() OVER (PARTITION BY payment_case ORDER BY draw('payment case', line_id), line_id)
    <= greatest(2, (SELECT count(*) FROM visit) // 1500);
