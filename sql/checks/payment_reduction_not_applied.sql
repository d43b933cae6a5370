-- Medicare reduces the practice expense of all units of a day but one, pays 85 % of its part for an assistant's
-- services, and withholds sequestration: each shows in what was allowed, or in what was paid of it.
WITH payment AS (
    SELECT
        *,
        judged_by <> 'any locality'
        AND allowed_amount > most_allowed + tolerance
        AND allowed_amount BETWEEN least_unreduced - tolerance AND most_unreduced + tolerance AS unreduced,
        paid_amount > due_payment + tolerance AND NOT is_explained AS overpaid,
        abs(paid_amount - due_amount) <= tolerance AS without_either,
        abs(paid_amount - payment_after(due_amount, 0.0000, sequestration_share)) <= tolerance AS without_assistant,
        abs(paid_amount - payment_after(due_amount, assistant_share, 0.0000)) <= tolerance AS without_sequestration
    FROM payments_in_scope($rule)
    WHERE is_answered AND pays_first AND reductions_known
),

told AS (
    SELECT
        *,
        overpaid AND assistant_share > 0 AND (without_either OR without_assistant) AS assistant_missing,
        overpaid AND sequestration_share > 0 AND (without_either OR without_sequestration) AS sequestration_missing
    FROM payment
)

SELECT
    claim_id,
    claim_line_number,
    if(unreduced, allowed_amount - likely_allowed, 0.00)
    + if(assistant_missing OR sequestration_missing, paid_amount - due_payment, 0.00) AS amount_at_risk,
    hcpcs_code,
    units,
    allowed_amount,
    likely_allowed AS price,
    paid_amount,
    share_amount,
    due_payment,
    judged_by,
    concat_ws(
        ', ',
        if(unreduced, 'multiple procedure', NULL),
        if(assistant_missing, 'assistant', NULL),
        if(sequestration_missing, 'sequestration', NULL)
    ) AS missing,
    concat_ws(
        '; ',
        CASE
            WHEN unreduced
                THEN 'allowed ' || format('${:,.2f}', allowed_amount::DOUBLE)
                    || ' as though no unit were reduced, where the price is '
                    || format('${:,.2f}', likely_allowed::DOUBLE) || ' ('
                    || price_in_words(full_units, full_unit_fee, reduced_units, reduced_unit_fee, judged_by) || ')'
        END,
        CASE
            WHEN assistant_missing OR sequestration_missing
                THEN 'paid ' || format('${:,.2f}', paid_amount::DOUBLE) || ' without '
                    || concat_ws(
                        ' and ',
                        if(assistant_missing, 'the reduction for an assistant', NULL),
                        if(sequestration_missing, 'sequestration', NULL)
                    )
                    || ', where ' || format('${:,.2f}', due_payment::DOUBLE) || ' was due'
        END
    ) AS missing_in_words
FROM told
WHERE unreduced OR assistant_missing OR sequestration_missing
