-- A payer allows its price, and pays what the patient's share and the law's reductions leave of it, unless it gives
-- another reason. Denials have reasons of their own.
SELECT
    payment.claim_id,
    payment.claim_line_number,
    if(payment.is_priced_below, payment.likely_allowed - payment.allowed_amount, 0.00)
    + if(payment.is_paid_below, payment.due_payment - payment.paid_amount, 0.00) AS amount_at_risk,
    payment.hcpcs_code,
    payment.units,
    payment.allowed_amount,
    payment.likely_allowed AS price,
    payment.least_allowed,
    payment.paid_amount,
    payment.share_amount,
    payment.due_payment,
    payment.judged_by,
    concat_ws(
        '; ',
        CASE
            WHEN payment.is_priced_below
                THEN 'allowed ' || format('${:,.2f}', payment.allowed_amount::DOUBLE) || ', where the price is '
                    || format('${:,.2f}', payment.likely_allowed::DOUBLE) || ' ('
                    || price_in_words(
                        payment.full_units,
                        payment.full_unit_fee,
                        payment.reduced_units,
                        payment.reduced_unit_fee,
                        payment.judged_by
                    ) || ')'
        END,
        CASE
            WHEN payment.is_paid_below
                THEN 'paid ' || format('${:,.2f}', payment.paid_amount::DOUBLE) || ' of '
                    || format('${:,.2f}', payment.allowed_amount::DOUBLE) || ' allowed, '
                    || format('${:,.2f}', payment.share_amount::DOUBLE) || ' of it the patient''s, where '
                    || format('${:,.2f}', payment.due_payment::DOUBLE) || ' was due'
        END
    ) AS shortfall_in_words
FROM payments_in_scope($rule) AS payment
WHERE
    payment.is_answered
    AND payment.pays_first
    AND payment.shortfall_known
    AND payment.allowed_amount IS NOT NULL
    AND payment.expected_allowed IS NOT NULL
    AND (payment.is_priced_below OR payment.is_paid_below)
