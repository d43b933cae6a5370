-- Lines of a claim that bills to another payer what a claim bills already: the same patient, dates, codes, units,
-- clinician and charges. First is the one that was not denied, then as its remittance says, then the one sent first.
WITH billed AS (
    SELECT
        line_id,
        claim_id,
        payer,
        submitted_date,
        hash(patient_id, service_date, hcpcs_code, units, rendering_npi, charge_amount) AS service
    FROM current_line
    WHERE charge_amount > 0 AND payer IS NOT NULL
),

shared AS (
    SELECT service
    FROM billed
    GROUP BY service
    HAVING min(payer) <> max(payer)
),

doubled AS (
    SELECT *
    FROM billed
    WHERE service IN (SELECT service FROM shared)
),

whole AS (
    SELECT
        claim_id,
        count(*) AS lines
    FROM current_line
    WHERE claim_id IN (SELECT claim_id FROM doubled)
    GROUP BY claim_id
),

answered AS (
    SELECT
        doubled.claim_id,
        bool_and(line_payment.payment_status = 'denied') AS is_denied,
        min(adjusted_line.payer_order) AS payer_order,
        min(doubled.submitted_date) AS submitted_date
    FROM doubled
    INNER JOIN line_payment ON doubled.line_id = line_payment.line_id
    LEFT JOIN line_remittance ON doubled.line_id = line_remittance.line_id
    LEFT JOIN adjusted_line ON line_remittance.remitted_id = adjusted_line.remitted_id
    GROUP BY doubled.claim_id
),

ranked AS (
    SELECT
        claim_id,
        row_number() OVER (
            ORDER BY is_denied, coalesce(payer_order, 1), submitted_date NULLS LAST, claim_id
        ) AS place
    FROM answered
),

second AS (
    SELECT doubled.claim_id
    FROM doubled
    INNER JOIN doubled AS other ON doubled.service = other.service AND doubled.payer <> other.payer
    INNER JOIN ranked ON doubled.claim_id = ranked.claim_id
    INNER JOIN ranked AS other_ranked ON other.claim_id = other_ranked.claim_id
    INNER JOIN whole ON doubled.claim_id = whole.claim_id
    WHERE other_ranked.place < ranked.place
    GROUP BY doubled.claim_id, other.claim_id, whole.lines
    HAVING count(DISTINCT doubled.line_id) = whole.lines
)

SELECT doubled.line_id
FROM doubled
WHERE doubled.claim_id IN (SELECT claim_id FROM second)
