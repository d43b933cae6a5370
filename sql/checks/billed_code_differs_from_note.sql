-- What is billed is what the note documents. One code billed and another charted in its place are one fault, worth the
-- difference between them.
SELECT
    line.claim_id,
    line.claim_line_number,
    -- The documented code is priced in the billed one's place, at the level that its biller is paid; without a schedule
    -- at what its units bring on the average.
    greatest(
        line.line_amount - coalesce(
            (price.full_units * fee.full_unit_fee + price.reduced_units * fee.reduced_unit_fee)
            * coalesce(price.likely_allowed / nullif(price.expected_allowed, 0), 1),
            code_price.unit_amount * coalesce(line.units, 1),
            0.00
        ), 0.00
    )::DECIMAL(12, 2) AS amount_at_risk,
    line.hcpcs_code,
    line.documented_code,
    coalesce(line.documented_minutes || ' minutes', 'no minutes') AS minutes,
    line.note_id
FROM reconciled_lines_in_scope($rule) AS line
LEFT JOIN expected_payment AS price ON line.line_id = price.line_id AND price.price_source = 'fee_schedule'
LEFT JOIN unit_fee AS fee ON line.documented_code = fee.hcpcs_code AND line.service_date = fee.service_date
LEFT JOIN code_price
    ON line.plan IS NOT DISTINCT FROM code_price.plan AND line.documented_code = code_price.hcpcs_code
WHERE line.match_key = 'day and other code'
