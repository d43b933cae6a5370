-- The running total of allowed charges per patient, year and pool (PT with SLP; OT apart), line by line, against the
-- year's threshold. What other providers billed is known only as far as opening balances were given. An amount comes
-- from the claim line, else from its remittance, else it is what the fee schedule lets expect.
WITH opening AS (
    SELECT
        patient_id,
        year,
        pool,
        sum(amount) AS amount
    FROM patient_opening_balance
    GROUP BY patient_id, year, pool
),

-- Medicare counts claims as it receives them; exports seldom say when, so the service date decides unless set
-- otherwise.
receipt AS (
    SELECT coalesce(max(value), 0) <> 0 AS decides
    FROM parameter
    WHERE name = 'medicare.kx_accrual_by_receipt'
),

claimed AS (
    SELECT
        current_line.line_id,
        current_line.allowed_amount IS NULL AS is_open,
        CASE WHEN receipt.decides THEN current_line.received_date END AS received_date
    FROM current_line
    CROSS JOIN receipt
    WHERE current_line.allowed_amount IS NULL OR (receipt.decides AND current_line.received_date IS NOT NULL)
),

accruing AS (
    SELECT
        therapy_line.patient_id,
        year(therapy_line.service_date)::INTEGER AS year,
        -- The modifier routes the amount to its pool, even where it is the wrong one (CR 10176).
        CASE coalesce(therapy_line.modifier_discipline, therapy_line.discipline) WHEN 'OT' THEN 'OT' ELSE 'PT+SLP' END
            AS pool,
        therapy_line.claim_id,
        therapy_line.claim_line_number,
        therapy_line.service_date,
        coalesce(claimed.received_date, therapy_line.service_date) AS accrual_date,
        therapy_line.hcpcs_code,
        therapy_line.plan,
        -- A line that is billed as not covered and has no amount does not accrue.
        CASE
            WHEN therapy_line.allowed_amount IS NULL AND therapy_line.has_liability_modifier THEN 0.00
            ELSE coalesce(therapy_line.allowed_amount, expected_payment.expected_allowed)
        END AS allowed_amount,
        CASE
            WHEN therapy_line.allowed_amount IS NULL AND therapy_line.has_liability_modifier THEN 'not_covered'
            WHEN therapy_line.allowed_amount IS NULL AND expected_payment.expected_allowed IS NULL THEN NULL
            WHEN therapy_line.allowed_amount IS NULL
                THEN if(
                    expected_payment.reference_state = 'stale_reference', 'fee_schedule_stale', 'fee_schedule'
                )
            WHEN claimed.is_open THEN 'remittance'
            ELSE 'export'
        END AS amount_source,
        (therapy_line.allowed_amount IS NULL AND expected_payment.expected_allowed IS NOT NULL)::INTEGER AS expected,
        (
            therapy_line.allowed_amount IS NULL
            AND expected_payment.expected_allowed IS NOT NULL
            AND expected_payment.reference_state = 'stale_reference'
        )::INTEGER AS stale,
        therapy_line.line_amount,
        therapy_line.has_kx,
        therapy_line.has_liability_modifier
    FROM therapy_line
    INNER JOIN plan ON therapy_line.plan = plan.plan
    LEFT JOIN claimed ON therapy_line.line_id = claimed.line_id
    LEFT JOIN expected_payment ON therapy_line.line_id = expected_payment.line_id
    WHERE
        plan.counts_toward_kx_threshold
        AND (therapy_line.always_therapy OR therapy_line.discipline_modifier_count > 0)
),

running AS (
    SELECT
        accruing.*,
        coalesce(opening.amount, 0.00) AS opening_balance,
        coalesce(opening.amount, 0.00) + coalesce(sum(accruing.allowed_amount) OVER before_line, 0.00)
            AS balance_before,
        count(*) OVER before_line - count(accruing.allowed_amount) OVER before_line AS unknown_before,
        coalesce(sum(accruing.expected) OVER before_line, 0)::INTEGER AS expected_before,
        coalesce(sum(accruing.stale) OVER before_line, 0)::INTEGER AS stale_before
    FROM accruing
    LEFT JOIN opening
        ON
            accruing.patient_id = opening.patient_id
            AND accruing.year = opening.year
            AND accruing.pool = opening.pool
    WINDOW before_line AS (
        PARTITION BY accruing.patient_id, accruing.year, accruing.pool
        ORDER BY accruing.accrual_date, accruing.claim_id, accruing.claim_line_number
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)

SELECT
    running.patient_id,
    running.year,
    running.pool,
    running.claim_id,
    running.claim_line_number,
    running.service_date,
    running.accrual_date,
    running.hcpcs_code,
    running.plan,
    running.allowed_amount,
    -- export, remittance, fee_schedule, fee_schedule_stale, not_covered; null where no amount is known.
    running.amount_source,
    running.line_amount,
    running.opening_balance::DECIMAL(12, 2) AS opening_balance,
    running.balance_before::DECIMAL(18, 2) AS balance_before,
    (running.balance_before + coalesce(running.allowed_amount, 0.00))::DECIMAL(18, 2) AS balance_after,
    parameter.value::DECIMAL(12, 2) AS threshold,
    running.has_kx,
    running.has_liability_modifier,
    running.unknown_before > 0 AS is_lower_bound,
    -- How many amounts, before the line and with it, are expected ones, and how many of these by another date's
    -- edition.
    running.expected_before,
    running.stale_before,
    running.expected_before + running.expected AS amounts_expected,
    running.stale_before + running.stale AS amounts_stale,
    -- Null where a missing allowed amount leaves the balance open: an amount known to be past the threshold is enough.
    CASE
        WHEN running.unknown_before = 0 OR running.balance_before >= parameter.value OR running.has_kx THEN TRUE
    END AS reached_known,
    CASE WHEN running.unknown_before = 0 AND running.allowed_amount IS NOT NULL THEN TRUE END AS balance_known,
    -- Where nobody's opening balance of the year was given, what was billed elsewhere is open for every patient.
    CASE WHEN opening_year.year IS NOT NULL THEN TRUE END AS elsewhere_known
FROM running
LEFT JOIN (SELECT DISTINCT opening.year FROM opening) AS opening_year
    ON running.year = opening_year.year
LEFT JOIN parameter
    ON
        parameter.name = 'medicare.kx_threshold'
        AND running.pool = parameter.key
        AND running.service_date BETWEEN parameter.effective_from AND parameter.effective_to
