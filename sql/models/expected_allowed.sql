-- What the Medicare fee schedule gives each claim line whose allowed amount is not known: unit by unit, rounded to
-- cents. Of a patient's day with one biller the unit with the highest practice expense is paid whole, each other one
-- with half of it (Medicare Claims Processing Manual ch. 5 §10.7).
WITH locality AS (
    SELECT coalesce(max(locality), 'national') AS locality
    FROM fee_locality
),

open_day AS (
    SELECT DISTINCT
        therapy_line.patient_id,
        therapy_line.service_date
    FROM therapy_line
    INNER JOIN plan ON therapy_line.plan = plan.plan
    WHERE therapy_line.allowed_amount IS NULL AND plan.counts_toward_kx_threshold AND therapy_line.therapy
),

-- Lines with GA, GZ or GY are billed to be denied: they are neither priced nor ranked.
line AS (
    SELECT
        therapy_line.line_id,
        therapy_line.claim_id,
        therapy_line.claim_line_number,
        therapy_line.patient_id,
        therapy_line.service_date,
        therapy_line.plan,
        coalesce(therapy_line.billing_npi, '') AS billing_npi,
        therapy_line.hcpcs_code,
        therapy_line.units,
        therapy_line.allowed_amount IS NULL AS is_open
    FROM therapy_line
    INNER JOIN plan ON therapy_line.plan = plan.plan
    WHERE
        (therapy_line.patient_id, therapy_line.service_date) IN (SELECT (patient_id, service_date) FROM open_day)
        AND plan.counts_toward_kx_threshold
        AND therapy_line.therapy
        AND NOT therapy_line.has_liability_modifier
        AND coalesce(therapy_line.units, 1) > 0
),

-- Codes whose unlikely edit is 0 (97010, 97014) have relative values, and are never paid on their own.
unpaid_code AS (
    SELECT hcpcs_code
    FROM mue
    WHERE setting = 'practitioner'
    GROUP BY hcpcs_code
    HAVING max(units) = 0
),

day_index AS (
    SELECT
        day.service_date,
        coalesce(arg_max(gpci.work, gpci.effective_from), 1.000) AS work,
        coalesce(arg_max(gpci.practice_expense, gpci.effective_from), 1.000) AS practice_expense,
        coalesce(arg_max(gpci.malpractice, gpci.effective_from), 1.000) AS malpractice,
        locality.locality = 'national'
        OR (
            count(gpci.work) > 0
            AND coalesce(bool_or(day.service_date BETWEEN edition.covers_from AND edition.covers_to), FALSE)
        ) AS is_current
    FROM (SELECT DISTINCT service_date FROM line) AS day
    CROSS JOIN locality
    LEFT JOIN gpci
        ON
            locality.locality = gpci.locality
            AND day.service_date BETWEEN gpci.effective_from AND gpci.effective_to
    LEFT JOIN reference_edition AS edition ON edition.reference = 'gpci'
    GROUP BY day.service_date, locality.locality
),

-- Of several releases of the schedule for a date, the latest counts. A code without values is priced by the contractor.
value AS (
    SELECT
        code.hcpcs_code,
        code.service_date,
        relative_value.* EXCLUDE (hcpcs_code, effective_from, effective_to)
    FROM (SELECT DISTINCT hcpcs_code, service_date FROM line) AS code
    INNER JOIN relative_value
        ON
            code.hcpcs_code = relative_value.hcpcs_code
            AND code.service_date BETWEEN relative_value.effective_from AND relative_value.effective_to
    WHERE relative_value.work + relative_value.practice_expense + relative_value.malpractice > 0
    QUALIFY
        row_number() OVER (
            PARTITION BY code.hcpcs_code, code.service_date ORDER BY relative_value.effective_from DESC
        ) = 1
),

fee AS (
    SELECT
        value.hcpcs_code,
        value.service_date,
        value.multiple_procedure,
        value.practice_expense,
        round(
            CASE WHEN unpaid_code.hcpcs_code IS NULL THEN value.conversion_factor ELSE 0.0000 END * (
                value.work * day_index.work
                + value.practice_expense * day_index.practice_expense
                + value.malpractice * day_index.malpractice
            ), 2
        )::DECIMAL(12, 2) AS full_amount,
        round(
            CASE WHEN unpaid_code.hcpcs_code IS NULL THEN value.conversion_factor ELSE 0.0000 END * (
                value.work * day_index.work
                + 0.5 * value.practice_expense * day_index.practice_expense
                + value.malpractice * day_index.malpractice
            ), 2
        )::DECIMAL(12, 2) AS reduced_amount,
        CASE
            WHEN
                day_index.is_current
                AND EXISTS(
                    SELECT 1
                    FROM reference_edition
                    WHERE
                        reference_edition.reference = 'relative_value'
                        AND value.service_date BETWEEN reference_edition.covers_from AND reference_edition.covers_to
                )
                THEN 'fee_schedule'
            ELSE 'fee_schedule_stale'
        END AS amount_source
    FROM value
    INNER JOIN day_index ON value.service_date = day_index.service_date
    LEFT JOIN unpaid_code ON value.hcpcs_code = unpaid_code.hcpcs_code
),

ranked AS (
    SELECT
        line.line_id,
        line.claim_id,
        line.claim_line_number,
        line.units,
        line.is_open,
        fee.* EXCLUDE (hcpcs_code, service_date, practice_expense),
        row_number() OVER (
            PARTITION BY line.patient_id, line.service_date, line.billing_npi, line.plan, fee.multiple_procedure
            ORDER BY
                fee.practice_expense DESC,
                fee.full_amount DESC,
                line.hcpcs_code,
                line.claim_id,
                line.claim_line_number
        ) AS place
    FROM line
    INNER JOIN fee ON line.hcpcs_code = fee.hcpcs_code AND line.service_date = fee.service_date
)

-- Medicare never allows more than was charged.
SELECT
    ranked.claim_id,
    ranked.claim_line_number,
    least(
        CASE
            WHEN NOT ranked.multiple_procedure THEN ranked.units * ranked.full_amount
            WHEN ranked.place = 1 THEN ranked.full_amount + (ranked.units - 1) * ranked.reduced_amount
            ELSE ranked.units * ranked.reduced_amount
        END,
        nullif(current_line.charge_amount, 0)
    )::DECIMAL(12, 2) AS expected_amount,
    ranked.amount_source
FROM ranked
INNER JOIN current_line ON ranked.line_id = current_line.line_id
WHERE ranked.is_open AND ranked.units IS NOT NULL
