-- The sampling frame: one row per item that can be drawn (claim, line or visit), numbered in the order of its key, and
-- why an item is left out. No more is at risk of it than its amount.
WITH item AS (
    SELECT
        item_key,
        min(claim_id) AS claim_id,
        min(patient_id) AS patient_id,
        min(service_date) AS service_date_from,
        max(service_date) AS service_date_to,
        -- A value that differs between an item's lines is told as such; the item belongs to one stratum all the same.
        if(count(DISTINCT payer) > 1, 'several', coalesce(min(payer), 'none')) AS payer,
        if(count(DISTINCT plan) > 1, 'several', coalesce(min(plan), 'none')) AS plan,
        if(count(DISTINCT discipline) > 1, 'several', coalesce(min(discipline), 'none')) AS discipline,
        if(count(DISTINCT rendering_npi) > 1, 'several', coalesce(min(rendering_npi), 'none')) AS clinician,
        count(*) AS lines,
        sum(amount)::DECIMAL(18, 2) AS amount,
        least(sum(amount_at_risk), sum(amount))::DECIMAL(18, 2) AS amount_at_risk,
        count(*) FILTER (WHERE has_finding) AS lines_with_findings,
        max(paid_date) AS paid_date,
        bool_or(amount IS NULL) AS amount_unknown,
        bool_or(asked_for) AS asked_for
    FROM frame_line
    GROUP BY item_key
),

judged AS (
    SELECT
        * EXCLUDE (amount_unknown, asked_for),
        CASE
            WHEN $rules IS NOT NULL AND NOT asked_for THEN 'no finding of the rules asked for'
            WHEN amount_unknown THEN 'amount not known'
            WHEN amount <= 0 THEN 'amount of 0 or less'
        END AS left_out
    FROM item
)

SELECT
    if(left_out IS NULL, row_number() OVER (PARTITION BY left_out IS NULL ORDER BY item_key), NULL) AS item_number,
    *
FROM judged
