-- What the payer to whom a claim line was billed has answered, all its answers netted. What others pay after it, or
-- before, follows other rules: it is left out.
WITH by_payer AS (
    SELECT
        line_id,
        payer,
        min(payer_order) AS payer_order,
        min(paid_date) AS paid_date,
        sum(allowed_amount) AS allowed_amount,
        sum(paid_amount) AS paid_amount,
        sum(share_amount) AS share_amount,
        sum(deductible_amount) AS deductible_amount,
        sum(coinsurance_amount) AS coinsurance_amount,
        sum(withheld_amount) AS withheld_amount,
        sum(reduction_amount) AS reduction_amount,
        sum(other_amount) AS other_amount,
        bool_or(has_reasons) AS has_reasons
    FROM line_adjudication
    GROUP BY line_id, payer
),

several AS (
    SELECT
        by_payer.line_id,
        upper(any_value(current_line.payer)) AS billed_payer,
        min(by_payer.paid_date) AS first_paid_date
    FROM by_payer
    INNER JOIN current_line ON by_payer.line_id = current_line.line_id
    GROUP BY by_payer.line_id
    HAVING count(*) > 1
),

-- Of several payers it is the one that the claim names.
chosen AS (
    SELECT
        by_payer.*,
        TRUE AS is_billed,
        by_payer.paid_date AS first_paid_date
    FROM by_payer
    ANTI JOIN several ON by_payer.line_id = several.line_id
    UNION ALL
    SELECT
        by_payer.*,
        coalesce(by_payer.payer = several.billed_payer, FALSE) AS is_billed,
        several.first_paid_date
    FROM by_payer
    INNER JOIN several ON by_payer.line_id = several.line_id
    QUALIFY
        row_number() OVER (
            PARTITION BY by_payer.line_id
            ORDER BY
                coalesce(by_payer.payer = several.billed_payer, FALSE) DESC,
                by_payer.payer_order NULLS LAST,
                by_payer.paid_date NULLS LAST,
                by_payer.payer NULLS LAST
        ) = 1
)

SELECT
    line_id,
    allowed_amount::DECIMAL(12, 2) AS allowed_amount,
    paid_amount::DECIMAL(12, 2) AS paid_amount,
    share_amount::DECIMAL(12, 2) AS share_amount,
    deductible_amount::DECIMAL(12, 2) AS deductible_amount,
    coinsurance_amount::DECIMAL(12, 2) AS coinsurance_amount,
    withheld_amount::DECIMAL(12, 2) AS withheld_amount,
    reduction_amount::DECIMAL(12, 2) AS reduction_amount,
    other_amount::DECIMAL(12, 2) AS other_amount,
    has_reasons,
    -- Null where another payer paid first, or it is not known which did.
    CASE
        WHEN is_billed AND coalesce(payer_order, 1) = 1 AND coalesce(paid_date <= first_paid_date, TRUE) THEN TRUE
    END AS pays_first
FROM chosen
