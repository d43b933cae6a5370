-- The versions of claims that are sent, and the payers' answers to them, line by line, gathered into remittances.
-- Replaced claims are sent twice, the first time perhaps without a modifier; voided ones are sent once more under
-- another number by mistake, which is then taken back.
CREATE OR REPLACE TABLE claim_version AS
SELECT
    claim.line_id,
    story.submitted_date,
    claim.received_date,
    claim.claim_id,
    '1' AS frequency,
    claim.modifiers
FROM claim
INNER JOIN story USING (visit_id)
WHERE claim.story IS DISTINCT FROM 'replaced'
UNION ALL
SELECT
    claim.line_id,
    story.submitted_date,
    claim.received_date,
    claim.claim_id,
    '1' AS frequency,
    if(
        claim.concerned AND claim.denial_reason = 'CO 4 N822',
        list_filter(claim.modifiers, lambda modifier: modifier <> claim.discipline_modifier), claim.modifiers
    ) AS modifiers
FROM claim
INNER JOIN story USING (visit_id)
WHERE claim.story = 'replaced'
UNION ALL
SELECT
    claim.line_id,
    story.second_submitted_date AS submitted_date,
    story.second_submitted_date + 1 AS received_date,
    claim.claim_id,
    '7' AS frequency,
    claim.modifiers
FROM claim
INNER JOIN story USING (visit_id)
WHERE claim.story = 'replaced'
UNION ALL
SELECT
    claim.line_id,
    if(frequency = '1', story.submitted_date + 1, story.second_submitted_date) AS submitted_date,
    if(frequency = '1', story.submitted_date + 2, story.second_submitted_date + 1) AS received_date,
    'D' || claim.claim_id[2:] AS claim_id,
    frequency,
    claim.modifiers
FROM claim
INNER JOIN story USING (visit_id)
CROSS JOIN (VALUES ('1'), ('8')) AS sent (frequency)
WHERE claim.story = 'voided';

-- What a paid line leaves to the patient, and what the law withholds of the rest.
CREATE OR REPLACE TABLE settled AS
WITH shared AS (
    SELECT
        claim.line_id,
        payer_habit.sequestered AND payment_plant.payment_case IS DISTINCT FROM 'not_sequestered' AS sequestered,
        claim.plan IS NOT DISTINCT FROM 'medicare_part_b'
        AND claim.marked
        AND payment_plant.payment_case IS DISTINCT FROM 'assistant_paid_whole' AS by_assistant,
        claim.price_amount,
        claim.concerned AND claim.story = 'cut' AS is_cut,
        if(is_cut, round(claim.price_amount * (claim.units - 1) / claim.units, 2), claim.price_amount)
            ::DECIMAL(12, 2) AS allowed_amount,
        if(is_cut, round(claim.charge_amount / claim.units, 2), 0.00)::DECIMAL(12, 2) AS cut_amount,
        CASE
            WHEN payer_habit.share = 'none' THEN NULL
            WHEN payer_habit.share = 'copay' THEN '3'
            WHEN claim.visit_number = 1 AND draw('deductible', claim.number) % 4 = 0 THEN '1'
            ELSE '2'
        END AS share_reason,
        claim.claim_line_number = 1 AS is_first
    FROM claim
    INNER JOIN payer_habit USING (payer)
    LEFT JOIN payment_plant ON claim.line_id = payment_plant.line_id
),

owed AS (
    SELECT
        *,
        CASE share_reason
            WHEN '1' THEN allowed_amount
            WHEN '2' THEN round(0.2 * allowed_amount, 2)
            WHEN '3' THEN if(is_first, least(allowed_amount, 25.00), 0.00)
            ELSE 0.00
        END::DECIMAL(12, 2) AS share_amount
    FROM shared
),

due AS (
    SELECT
        *,
        round((allowed_amount - share_amount) * if(by_assistant, 0.85, 1.00), 2)::DECIMAL(12, 2) AS due_amount,
        if(sequestered, round(0.02 * due_amount, 2), 0.00)::DECIMAL(12, 2) AS withheld_amount
    FROM owed
)

SELECT
    * EXCLUDE (sequestered, is_first, price_amount),
    (due_amount - withheld_amount)::DECIMAL(12, 2) AS paid_amount
FROM due;

-- Each answer to each line: what is paid, denied, cut or taken back, by whom and when.
CREATE OR REPLACE TABLE answer AS
WITH told AS (
    SELECT
        claim.line_id,
        claim.claim_id,
        claim.story,
        claim.concerned,
        bool_or(NOT claim.concerned) OVER (PARTITION BY claim.visit_id) AS partly,
        claim.payer,
        claim.plan,
        claim.visit_id,
        claim.received_date,
        story.plain,
        story.first_paid_date,
        story.second_paid_date,
        story.second_submitted_date,
        story.turn
    FROM claim
    INNER JOIN story USING (visit_id)
    WHERE NOT claim.unanswered
),

given AS (
    SELECT
        *,
        payer AS answering_payer,
        1 AS step,
        if(concerned AND story IN ('denied', 'upheld', 'won', 'replaced'), 'denied', 'paid') AS outcome,
        1 AS sign,
        first_paid_date AS paid_date
    FROM told
    UNION ALL
    -- A claim that was denied as a whole has nothing to take back when it is sent again.
    SELECT
        *,
        payer AS answering_payer,
        2 AS step,
        if(concerned AND story IN ('won', 'replaced'), 'denied', 'paid') AS outcome,
        -1 AS sign,
        second_paid_date AS paid_date
    FROM told
    WHERE
        story IN ('won', 'taken_back', 'reversed')
        OR (story = 'replaced' AND partly)
    UNION ALL
    SELECT
        * REPLACE (if(story = 'replaced', second_submitted_date + 1, received_date) AS received_date),
        payer AS answering_payer,
        3 AS step,
        if(story IN ('upheld', 'taken_back'), 'denied', 'paid') AS outcome,
        1 AS sign,
        second_paid_date AS paid_date
    FROM told
    WHERE story IN ('won', 'replaced', 'upheld', 'taken_back')
    UNION ALL
    SELECT
        told.* REPLACE ('D' || told.claim_id[2:] AS claim_id, told.received_date + 1 AS received_date),
        payer AS answering_payer,
        if(sign = 1, 1, 2) AS step,
        'paid' AS outcome,
        sign,
        if(sign = 1, business_day(first_paid_date + 1), second_paid_date) AS paid_date
    FROM told
    CROSS JOIN (VALUES (1), (-1)) AS both_ways (sign)
    WHERE story = 'voided'
    UNION ALL
    -- A second payer takes over what Medicare leaves to the patient.
    SELECT
        *,
        'MEDIGAP OF OMAHA' AS answering_payer,
        4 AS step,
        'second' AS outcome,
        1 AS sign,
        business_day(first_paid_date + 9) AS paid_date
    FROM told
    WHERE
        plain AND story IS NULL AND plan IS NOT DISTINCT FROM 'medicare_part_b'
        AND draw('second payer', visit_id) % 3 = 0
        AND first_paid_date + 11 <= getvariable('cutoff')
),

-- A claim that the payer knows under a number of its own making, and money for what was never billed: on a Sunday.
strange AS (
    SELECT
        visit_id,
        ['stray', 'other_line', 'garbled'][1 + (turn % 3)::INTEGER] AS strange
    FROM told
    WHERE plain AND turn <= 3 * greatest(3, (SELECT count(*) FROM visit) // 1500)
    GROUP BY visit_id, turn
),

answered AS (
    SELECT
        given.*,
        strange.strange = 'garbled' AND given.step = 1 AS is_garbled,
        FALSE AS is_stray,
        claim.claim_line_number AS line_number,
        claim.hcpcs_code,
        claim.service_date,
        if(
            given.story = 'replaced' AND given.step < 3 AND given.concerned AND claim.denial_reason = 'CO 4 N822',
            list_filter(claim.modifiers, lambda modifier: modifier <> claim.discipline_modifier), claim.modifiers
        ) AS modifiers
    FROM given
    INNER JOIN claim USING (line_id)
    LEFT JOIN strange ON given.visit_id = strange.visit_id
    UNION ALL
    SELECT
        given.* REPLACE (if(strange.strange = 'stray', 'X' || given.claim_id[2:], given.claim_id) AS claim_id),
        FALSE AS is_garbled,
        TRUE AS is_stray,
        NULL AS line_number,
        '97124' AS hcpcs_code,
        claim.service_date + 7 - isodow(claim.service_date)::INTEGER AS service_date,
        [claim.discipline_modifier] AS modifiers
    FROM given
    INNER JOIN claim USING (line_id)
    INNER JOIN strange ON given.visit_id = strange.visit_id
    WHERE
        given.step = 1 AND claim.claim_line_number = 1 AND strange.strange IN ('stray', 'other_line')
        AND claim.hcpcs_code <> '97124'
        AND claim.service_date + 7 - isodow(claim.service_date)::INTEGER <= getvariable('end_date')
),

-- The last day is a day of payment.
dated AS (
    SELECT
        *,
        if(paid_date = max(paid_date) OVER (), getvariable('cutoff'), paid_date)::DATE AS answer_date
    FROM answered
),

amounted AS (
    SELECT
        dated.* EXCLUDE (claim_id, story, concerned, partly, payer, plan, plain, turn, paid_date, answer_date),
        dated.answering_payer AS payer,
        dated.answer_date AS paid_date,
        if(dated.is_garbled, 'K' || dated.claim_id[2:], dated.claim_id) AS claim_id,
        claim.patient_id,
        claim.units,
        claim.units - if(settled.is_cut AND dated.outcome = 'paid', 1, 0) AS units_paid,
        claim.charge_amount,
        settled.allowed_amount,
        settled.paid_amount,
        settled.share_amount,
        settled.share_reason,
        settled.withheld_amount,
        settled.cut_amount,
        settled.by_assistant,
        settled.is_cut,
        string_split(coalesce(claim.denial_reason, ''), ' ') AS reason
    FROM dated
    INNER JOIN claim USING (line_id)
    INNER JOIN settled USING (line_id)
),

adjusted AS (
    SELECT
        * REPLACE (
            CASE outcome WHEN 'denied' THEN 0.00 ELSE sign * allowed_amount END::DECIMAL(12, 2) AS allowed_amount,
            CASE outcome WHEN 'paid' THEN sign * paid_amount WHEN 'second' THEN share_amount ELSE 0.00 END
                ::DECIMAL(12, 2) AS paid_amount,
            (sign * charge_amount)::DECIMAL(12, 2) AS charge_amount,
            CASE
                WHEN outcome = 'paid' THEN sign * share_amount
                WHEN outcome = 'denied' AND reason[1] = 'PR' THEN sign * charge_amount
                ELSE 0.00
            END::DECIMAL(12, 2) AS share_amount
        ),
        CASE outcome
            WHEN 'denied'
                THEN [{'of_group': reason[1], 'code': reason[2], 'remark': reason[3], 'amount': sign * charge_amount}]
            WHEN 'second'
                THEN [{'of_group': 'OA', 'code': '23', 'remark': NULL, 'amount': charge_amount - share_amount}]
            ELSE [
                {
                    'of_group': 'CO', 'code': '45', 'remark': if(by_assistant, 'N851', NULL),
                    'amount': sign * (charge_amount - paid_amount - share_amount - withheld_amount - cut_amount)
                },
                {
                    'of_group': reason[1], 'code': reason[2], 'remark': reason[3],
                    'amount': if(is_cut, sign * cut_amount, 0.00)
                },
                {'of_group': 'PR', 'code': share_reason, 'remark': NULL, 'amount': sign * share_amount},
                {'of_group': 'CO', 'code': '253', 'remark': NULL, 'amount': sign * withheld_amount}
            ]
        END AS every_adjustment
    FROM amounted
),

numbered AS (
    SELECT
        adjusted.*,
        list_filter(every_adjustment, lambda one: one.amount <> 0) AS adjustments,
        CASE
            WHEN sign = -1 THEN '22'
            WHEN outcome = 'second' THEN '2'
            WHEN bool_and(outcome = 'denied') OVER one_claim THEN '4'
            ELSE '1'
        END AS claim_status,
        -- A stray line of a known claim stands in that claim.
        concat_ws('-', claim_id, step) AS claim_key,
        format(
            'E{:02d}{}{:02d}', coalesce(payer_habit.payer_number, 0), strftime(paid_date, '%y%m%d'), getvariable('part')
        ) AS remittance_id
    FROM adjusted
    LEFT JOIN payer_habit USING (payer)
    WINDOW one_claim AS (PARTITION BY claim_id, step, sign, payer)
)

SELECT
    * EXCLUDE (every_adjustment, reason),
    row_number() OVER (
        PARTITION BY remittance_id ORDER BY claim_id, step, is_stray, line_number NULLS LAST
    )::INTEGER AS remittance_line_number
FROM numbered;

-- Payments: what their claims come to, less what belongs to no claim: interest that a payer owes (L6), and a balance
-- below nothing that is carried forward to the next payment (FB).
CREATE OR REPLACE TABLE remittance AS
WITH total AS (
    SELECT
        remittance_id,
        payer,
        paid_date,
        count(DISTINCT claim_key) AS claims,
        sum(paid_amount)::DECIMAL(12, 2) AS claims_amount,
        bool_or(sign = -1) AS takes_back
    FROM answer
    GROUP BY remittance_id, payer, paid_date
),

carried AS (
    SELECT
        *,
        least(claims_amount, 0.00) AS below,
        lag(claims_amount) OVER (PARTITION BY payer ORDER BY paid_date, remittance_id) AS amount_before
    FROM total
),

adjusted AS (
    SELECT
        *,
        CASE
            WHEN claims_amount < 0 THEN claims_amount
            WHEN amount_before < 0 AND claims_amount + amount_before >= 0 THEN -amount_before
            ELSE 0.00
        END::DECIMAL(12, 2) AS forward_amount,
        if(
            claims_amount > 0 AND draw('interest', remittance_id) % 12 = 0,
            -round(0.004 * claims_amount, 2), 0.00
        )::DECIMAL(12, 2) AS interest_amount
    FROM carried
),

dealt AS (
    SELECT
        *,
        row_number() OVER (ORDER BY draw('imbalance', remittance_id), remittance_id) AS turn
    FROM adjusted
    WHERE claims_amount > 20
)

SELECT
    adjusted.* EXCLUDE (below, amount_before),
    (adjusted.claims_amount - adjusted.forward_amount - adjusted.interest_amount)::DECIMAL(12, 2) AS paid_amount,
    -- Where a sum is wrong in the X12 form: the payment, a claim's charge, or a service's adjustment.
    ['payment', 'claim', 'service'][1 + (dealt.turn % 3)::INTEGER] AS imbalance
FROM adjusted
LEFT JOIN dealt
    ON
        adjusted.remittance_id = dealt.remittance_id
        AND dealt.turn <= 3 * greatest(1, (SELECT count(*) FROM total) // 120);
