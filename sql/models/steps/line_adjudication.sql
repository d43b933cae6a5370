-- Each answer of a payer to a current claim line. What was judged for a claim as a whole is shared over its lines by
-- charge, to the cent.
WITH shared AS (
    SELECT
        current_line.line_id,
        current_line.claim_id,
        current_line.claim_line_number,
        coalesce(current_line.charge_amount, 0.00) AS charge_amount,
        sum(coalesce(current_line.charge_amount, 0.00)) OVER (PARTITION BY current_line.claim_id) AS claim_charge,
        count(*) OVER (PARTITION BY current_line.claim_id) AS lines,
        row_number() OVER (PARTITION BY current_line.claim_id ORDER BY current_line.claim_line_number) AS place,
        sum(coalesce(current_line.charge_amount, 0.00)) OVER (
            PARTITION BY current_line.claim_id ORDER BY current_line.claim_line_number
        ) AS charge_up_to
    FROM current_line
    WHERE current_line.claim_id IN (SELECT claim_id FROM adjusted_line WHERE line_kind = 'claim')
),

-- The share of the lines before, and with the line: differences of rounded sums add up to the whole.
part AS (
    SELECT
        line_id,
        claim_id,
        CASE WHEN claim_charge > 0 THEN (charge_up_to - charge_amount) / claim_charge ELSE (place - 1) / lines END
            AS part_from,
        CASE WHEN claim_charge > 0 THEN charge_up_to / claim_charge ELSE place / lines END AS part_to
    FROM shared
)

SELECT
    line_remittance.line_id,
    adjusted_line.* EXCLUDE (claim_id)
FROM line_remittance
INNER JOIN adjusted_line ON line_remittance.remitted_id = adjusted_line.remitted_id
WHERE adjusted_line.line_kind = 'service'
UNION ALL
SELECT
    part.line_id,
    adjusted_line.* EXCLUDE (claim_id)
    REPLACE (
        share_of(adjusted_line.paid_amount, part.part_from, part.part_to) AS paid_amount,
        share_of(adjusted_line.allowed_amount, part.part_from, part.part_to) AS allowed_amount,
        share_of(adjusted_line.patient_responsibility_amount, part.part_from, part.part_to)
            AS patient_responsibility_amount,
        share_of(adjusted_line.share_amount, part.part_from, part.part_to) AS share_amount,
        share_of(adjusted_line.deductible_amount, part.part_from, part.part_to) AS deductible_amount,
        share_of(adjusted_line.coinsurance_amount, part.part_from, part.part_to) AS coinsurance_amount,
        share_of(adjusted_line.withheld_amount, part.part_from, part.part_to) AS withheld_amount,
        share_of(adjusted_line.reduction_amount, part.part_from, part.part_to) AS reduction_amount,
        share_of(adjusted_line.other_amount, part.part_from, part.part_to) AS other_amount,
        share_of(adjusted_line.denied_amount, part.part_from, part.part_to) AS denied_amount,
        share_of(adjusted_line.written_off_amount, part.part_from, part.part_to) AS written_off_amount
    )
FROM adjusted_line
INNER JOIN part ON adjusted_line.claim_id = part.claim_id
WHERE adjusted_line.line_kind = 'claim'
