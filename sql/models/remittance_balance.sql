-- Each remittance as an 835 has it, once for each of its sums that does not agree (else once): which sum, how often, by
-- how much. The counts of a file's envelope stand under the file's name.
WITH cutoff AS (
    SELECT max(as_of) AS as_of
    FROM audit_period
),

paid_for AS (
    SELECT
        remittance_id,
        max(service_date) AS service_date
    FROM remittance_line
    GROUP BY remittance_id
),

payment AS (
    SELECT
        remittance.remittance_id,
        remittance.payer,
        -- One without service dates is looked at in any period.
        coalesce(
            paid_for.service_date,
            greatest(least(remittance.paid_date, audit_period.period_end), audit_period.period_start)
        ) AS service_date,
        remittance.source_file,
        remittance.source_row
    FROM remittance
    CROSS JOIN audit_period
    CROSS JOIN cutoff
    LEFT JOIN paid_for ON remittance.remittance_id = paid_for.remittance_id
    WHERE cutoff.as_of IS NULL OR remittance.paid_date IS NULL OR remittance.paid_date <= cutoff.as_of
    UNION ALL
    SELECT
        remittance.source_file AS remittance_id,
        min(remittance.payer) AS payer,
        audit_period.period_end AS service_date,
        remittance.source_file,
        1 AS source_row
    FROM remittance
    CROSS JOIN audit_period
    GROUP BY remittance.source_file, audit_period.period_end
),

imbalance AS (
    SELECT
        coalesce(remittance_id, source_file) AS remittance_id,
        source_file,
        claim_id,
        check_name,
        count(*) AS times,
        sum(expected) AS expected,
        sum(found) AS found,
        min(source_row) AS source_row
    FROM x12_imbalance
    GROUP BY coalesce(remittance_id, source_file), source_file, claim_id, check_name
)

SELECT
    payment.remittance_id,
    payment.payer,
    payer_plan.plan,
    payment.service_date,
    payment.source_file,
    coalesce(imbalance.source_row, payment.source_row) AS source_row,
    imbalance.claim_id,
    imbalance.check_name,
    CASE imbalance.check_name
        WHEN 'payment' THEN 'the payment (BPR02) and what its claims (CLP04) less its own adjustments (PLB) come to'
        WHEN 'claim_paid' THEN 'a claim''s payment (CLP04) and its charge (CLP03) less its adjustments (CAS)'
        WHEN 'service_paid' THEN 'a service''s payment (SVC03) and its charge (SVC02) less its adjustments (CAS)'
        WHEN 'claim_charge' THEN 'a claim''s charge (CLP03) and the sum of its services (SVC02)'
        WHEN 'claim_services_paid'
            THEN 'a claim''s payment (CLP04) and that of its services (SVC03) less the claim''s adjustments (CAS)'
        ELSE 'the ' || replace(imbalance.check_name, '_', ' ') || ' counted and those that the trailer states'
    END AS sum_in_words,
    imbalance.times,
    imbalance.expected,
    imbalance.found
FROM payment
LEFT JOIN payer_plan ON payment.payer = payer_plan.payer
LEFT JOIN imbalance ON payment.remittance_id = imbalance.remittance_id AND payment.source_file = imbalance.source_file
