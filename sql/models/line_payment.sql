-- What payers made of each current claim line: allowed and paid, net of what they took back, and the last answer.
-- Several payers' payments add up; what was allowed is what the first one allowed.
WITH counted AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY line_id) AS answers
    FROM line_adjudication
),

-- Most lines are answered once: nothing needs to be put in order there.
lone AS (
    SELECT *
    FROM counted
    WHERE answers = 1
),

answer AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY
                paid_date NULLS FIRST,
                remittance_id,
                remittance_claim_number NULLS FIRST,
                remittance_line_number,
                line_kind,
                line_id
        ) AS place
    FROM counted
    WHERE answers > 1
),

by_payer AS (
    SELECT
        line_id,
        payer,
        min(payer_order) AS payer_order,
        min(place) AS first_place,
        max(place) AS last_place,
        sum(allowed_amount) AS allowed_amount,
        sum(patient_responsibility_amount) AS patient_responsibility_amount
    FROM answer
    GROUP BY line_id, payer
),

-- Where no status tells who pays first, it is whoever answered first.
placed AS (
    SELECT
        *,
        coalesce(payer_order, if(first_place = min(first_place) OVER (PARTITION BY line_id), 1, 2)) AS payer_place
    FROM by_payer
),

ranked AS (
    SELECT
        *,
        min(payer_place) OVER (PARTITION BY line_id) AS first_payer,
        row_number() OVER (PARTITION BY line_id ORDER BY payer_place DESC, last_place DESC) = 1 AS is_last
    FROM placed
),

payer AS (
    SELECT
        line_id,
        sum(allowed_amount) FILTER (WHERE payer_place = first_payer) AS allowed_amount,
        sum(patient_responsibility_amount) FILTER (WHERE is_last) AS patient_responsibility_amount
    FROM ranked
    GROUP BY line_id
),

total AS (
    SELECT
        line_id,
        count(DISTINCT {'adjudication': adjudication, 'reversal': is_reversal}) AS adjudications,
        2 * count(*) FILTER (WHERE is_reversal) >= count(*) AS is_reversed,
        sum(paid_amount) AS paid_amount,
        min(paid_date) AS first_paid_date,
        max(paid_date) AS last_paid_date,
        arg_max(adjudication, place) FILTER (WHERE NOT is_reversal) AS last_adjudication
    FROM answer
    GROUP BY line_id
),

last_answer AS (
    SELECT
        answer.line_id,
        min(answer.remittance_id) AS remittance_id,
        min(answer.remittance_claim_number) AS remittance_claim_number,
        sum(answer.share_amount) AS share_amount,
        sum(answer.denied_amount) AS denied_amount,
        sum(answer.written_off_amount) AS written_off_amount,
        arg_max(answer.denial, {'amount': answer.denial.amount, 'place': -answer.place})
            FILTER (WHERE answer.denial.amount > 0) AS denial
    FROM answer
    INNER JOIN total
        ON answer.line_id = total.line_id AND answer.adjudication = total.last_adjudication
    WHERE NOT answer.is_reversal
    GROUP BY answer.line_id
),

net AS (
    SELECT
        line_id,
        1 AS adjudications,
        is_reversal AS is_reversed,
        allowed_amount,
        paid_amount,
        patient_responsibility_amount,
        paid_date AS first_paid_date,
        paid_date AS last_paid_date,
        remittance_id,
        remittance_claim_number,
        share_amount,
        denied_amount,
        written_off_amount,
        denial
    FROM lone
    UNION ALL
    SELECT
        total.line_id,
        total.adjudications,
        total.is_reversed,
        payer.allowed_amount,
        total.paid_amount,
        payer.patient_responsibility_amount,
        total.first_paid_date,
        total.last_paid_date,
        last_answer.remittance_id,
        last_answer.remittance_claim_number,
        last_answer.share_amount,
        last_answer.denied_amount,
        last_answer.written_off_amount,
        last_answer.denial
    FROM total
    INNER JOIN payer ON total.line_id = payer.line_id
    LEFT JOIN last_answer ON total.line_id = last_answer.line_id
),

stated AS (
    SELECT
        current_line.line_id,
        current_line.claim_id,
        current_line.claim_line_number,
        coalesce(net.adjudications, 0)::INTEGER AS adjudications,
        -- A version that was sent after the last answer has none yet.
        net.line_id IS NULL
        OR coalesce(current_line.claim_version > 1 AND net.last_paid_date < current_line.submitted_date, FALSE)
            AS is_open,
        net.* EXCLUDE (line_id, adjudications, remittance_id, remittance_claim_number),
        coalesce(current_line.received_date, remittance_claim.received_date, current_line.submitted_date)
            AS received_date
    FROM current_line
    LEFT JOIN net ON current_line.line_id = net.line_id
    LEFT JOIN remittance_claim
        ON
            net.remittance_id = remittance_claim.remittance_id
            AND net.remittance_claim_number = remittance_claim.remittance_claim_number
)

SELECT
    line_id,
    claim_id,
    claim_line_number,
    adjudications,
    CASE
        WHEN is_open THEN 'open'
        WHEN is_reversed THEN 'reversed'
        WHEN denied_amount > 0 AND (paid_amount > 0 OR share_amount > 0) THEN 'partly denied'
        WHEN denied_amount > 0 THEN 'denied'
        ELSE 'paid'
    END AS payment_status,
    allowed_amount::DECIMAL(12, 2) AS allowed_amount,
    paid_amount::DECIMAL(12, 2) AS paid_amount,
    patient_responsibility_amount::DECIMAL(12, 2) AS patient_responsibility_amount,
    CASE WHEN NOT is_open AND NOT is_reversed THEN denied_amount END::DECIMAL(12, 2) AS denied_amount,
    CASE WHEN NOT is_open AND NOT is_reversed THEN written_off_amount END::DECIMAL(12, 2) AS written_off_amount,
    first_paid_date,
    last_paid_date,
    CASE WHEN last_paid_date >= received_date THEN last_paid_date - received_date END::INTEGER AS days_to_payment,
    CASE WHEN NOT is_open THEN denial.group_code END AS last_group_code,
    CASE WHEN NOT is_open THEN denial.reason_code END AS last_reason_code,
    -- A paid line may carry remarks too.
    CASE WHEN NOT is_open AND denied_amount > 0 THEN denial.remark_code END AS last_remark_code
FROM stated
