-- No payer allows more than its price: Medicare's with the multiple procedure payment reduction, a contract's by its
-- fee table. Where the reduction was not made at all and its payment can be judged, that is another rule's.
SELECT
    payment.claim_id,
    payment.claim_line_number,
    payment.allowed_amount - payment.likely_allowed AS amount_at_risk,
    payment.hcpcs_code,
    payment.units,
    payment.allowed_amount,
    payment.likely_allowed AS price,
    payment.most_allowed,
    payment.judged_by,
    price_in_words(
        payment.full_units, payment.full_unit_fee, payment.reduced_units, payment.reduced_unit_fee, payment.judged_by
    ) AS price_in_words
FROM payments_in_scope($rule) AS payment
WHERE
    payment.is_judged
    AND payment.pays_first
    AND payment.allowed_amount > payment.most_allowed + payment.tolerance
    AND NOT (
        payment.reduced_units > 0
        AND payment.reductions_known IS NOT DISTINCT FROM TRUE
        AND payment.judged_by <> 'any locality'
        AND payment.allowed_amount
        BETWEEN payment.least_unreduced - payment.tolerance AND payment.most_unreduced + payment.tolerance
    )
