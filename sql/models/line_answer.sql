-- Each claim line with the answer that its payer owes it, by remittances: when it was sent, when it was answered, until
-- when the payer's remittances are known. No rows where no remittances were given.
WITH
-- The payer's remittances are those that answer its lines, however either spells it, and those that name it.
payer_date AS (
    SELECT
        current_line.payer,
        min(line_payment.first_paid_date) AS first_paid_date,
        max(line_payment.last_paid_date) AS last_paid_date
    FROM line_payment
    INNER JOIN current_line ON line_payment.line_id = current_line.line_id
    GROUP BY current_line.payer
    UNION ALL
    SELECT
        billed.payer,
        min(remitted_line.paid_date) AS first_paid_date,
        max(remitted_line.paid_date) AS last_paid_date
    FROM (SELECT DISTINCT payer FROM current_line) AS billed
    INNER JOIN remitted_line ON upper(billed.payer) = upper(remitted_line.payer)
    GROUP BY billed.payer
),

span AS (
    SELECT
        payer,
        min(first_paid_date) AS first_paid_date,
        max(last_paid_date) AS last_paid_date
    FROM payer_date
    GROUP BY payer
),

-- How far the files look: nothing is known of what was done later.
known AS (
    SELECT coalesce(
        (SELECT max(as_of) FROM audit_period),
        greatest((SELECT max(paid_date) FROM remitted_line), (SELECT max(submitted_date) FROM current_line))
    ) AS known_until
),

waiting AS (
    SELECT max(value)::INTEGER AS days
    FROM parameter
    WHERE name = 'clinic.remittance_days'
),

line AS (
    SELECT
        therapy_line.line_id,
        therapy_line.claim_id,
        therapy_line.claim_line_number,
        therapy_line.patient_id,
        therapy_line.payer,
        therapy_line.plan,
        therapy_line.service_date,
        therapy_line.hcpcs_code,
        therapy_line.line_amount,
        therapy_line.has_liability_modifier,
        coalesce(current_line.submitted_date, current_line.received_date, current_line.service_date) AS sent_date,
        line_payment.adjudications,
        line_payment.payment_status,
        line_payment.paid_amount,
        line_payment.denied_amount,
        line_payment.last_group_code,
        line_payment.last_reason_code,
        line_payment.last_remark_code,
        line_payment.last_paid_date
    FROM therapy_line
    INNER JOIN current_line ON therapy_line.line_id = current_line.line_id
    INNER JOIN line_payment ON therapy_line.line_id = line_payment.line_id
    WHERE EXISTS(SELECT 1 FROM remitted_line)
),

-- A line that was billed again after its denial under another claim's number, or was paid there.
again AS (
    SELECT DISTINCT denied.line_id
    FROM line AS denied
    INNER JOIN line AS other
        ON
            denied.patient_id = other.patient_id
            AND denied.service_date = other.service_date
            AND denied.hcpcs_code = other.hcpcs_code
            AND denied.line_id <> other.line_id
    WHERE
        denied.payment_status IN ('denied', 'partly denied')
        AND (other.payment_status = 'paid' OR other.sent_date > denied.last_paid_date)
)

SELECT
    line.*,
    line.sent_date + waiting.days AS due_date,
    known.known_until,
    line.adjudications > 0 OR line.sent_date + waiting.days <= known.known_until AS is_due,
    CASE
        WHEN line.adjudications > 0 THEN TRUE
        WHEN span.first_paid_date <= line.sent_date AND span.last_paid_date >= line.sent_date + waiting.days THEN TRUE
    END AS answer_known,
    line.payment_status IN ('denied', 'partly denied') AS is_denied,
    CASE WHEN line.payment_status IN ('denied', 'partly denied') THEN line.last_paid_date END AS denied_date,
    again.line_id IS NOT NULL AS billed_again
FROM line
CROSS JOIN known
CROSS JOIN waiting
LEFT JOIN span ON line.payer = span.payer
LEFT JOIN again ON line.line_id = again.line_id
