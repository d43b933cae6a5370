-- The running total of allowed charges per patient, year and pool (PT with SLP; OT apart), line by line, against the
-- year's threshold. What other providers billed is known only as far as opening balances were given.
WITH opening AS (
    SELECT
        patient_id,
        year,
        pool,
        sum(amount) AS amount
    FROM patient_opening_balance
    GROUP BY patient_id, year, pool
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
        therapy_line.hcpcs_code,
        therapy_line.plan,
        therapy_line.allowed_amount,
        therapy_line.line_amount,
        therapy_line.has_kx,
        therapy_line.has_liability_modifier
    FROM therapy_line
    INNER JOIN plan ON therapy_line.plan = plan.plan
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
        count(*) OVER before_line - count(accruing.allowed_amount) OVER before_line AS unknown_before
    FROM accruing
    LEFT JOIN opening
        ON
            accruing.patient_id = opening.patient_id
            AND accruing.year = opening.year
            AND accruing.pool = opening.pool
    WINDOW before_line AS (
        PARTITION BY accruing.patient_id, accruing.year, accruing.pool
        ORDER BY accruing.service_date, accruing.claim_id, accruing.claim_line_number
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
    running.hcpcs_code,
    running.plan,
    running.allowed_amount,
    running.line_amount,
    running.opening_balance::DECIMAL(12, 2) AS opening_balance,
    running.balance_before::DECIMAL(18, 2) AS balance_before,
    (running.balance_before + coalesce(running.allowed_amount, 0.00))::DECIMAL(18, 2) AS balance_after,
    parameter.value::DECIMAL(12, 2) AS threshold,
    running.has_kx,
    running.has_liability_modifier,
    running.unknown_before > 0 AS is_lower_bound,
    -- Null where a missing allowed amount leaves the balance open: an amount known to be past the threshold is enough.
    CASE
        WHEN running.unknown_before = 0 OR running.balance_before >= parameter.value OR running.has_kx THEN TRUE
    END AS reached_known,
    CASE WHEN running.unknown_before = 0 AND running.allowed_amount IS NOT NULL THEN TRUE END AS balance_known
FROM running
LEFT JOIN parameter
    ON
        parameter.name = 'medicare.kx_threshold'
        AND running.pool = parameter.key
        AND running.service_date BETWEEN parameter.effective_from AND parameter.effective_to
