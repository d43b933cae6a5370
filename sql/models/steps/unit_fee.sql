-- What one unit of each code is worth under Medicare's fee schedule on each service date, rounded to cents: whole, and
-- with the multiple procedure payment reduction, which takes half of the practice expense (Medicare Claims Processing
-- Manual ch. 5 §10.7). Place: the code with the highest practice expense keeps its fee, of several the dearest.
WITH code AS (
    SELECT DISTINCT
        hcpcs_code,
        service_date
    FROM priced_line
    WHERE by_schedule
),

-- Codes whose unlikely edit is 0 (97010, 97014) have relative values, and are never paid on their own.
unpaid_code AS (
    SELECT hcpcs_code
    FROM mue
    WHERE setting = 'practitioner'
    GROUP BY hcpcs_code
    HAVING max(units) = 0
),

-- Of several releases of the schedule for a date, the latest counts. A code without values is priced by the contractor.
value AS (
    SELECT
        code.hcpcs_code,
        code.service_date,
        relative_value.* EXCLUDE (hcpcs_code, effective_to)
        REPLACE (
            CASE WHEN unpaid_code.hcpcs_code IS NULL THEN relative_value.conversion_factor ELSE 0.0000 END
                AS conversion_factor
        )
    FROM code
    INNER JOIN relative_value
        ON
            code.hcpcs_code = relative_value.hcpcs_code
            AND code.service_date BETWEEN relative_value.effective_from AND relative_value.effective_to
    LEFT JOIN unpaid_code ON code.hcpcs_code = unpaid_code.hcpcs_code
    WHERE relative_value.work + relative_value.practice_expense + relative_value.malpractice > 0
    QUALIFY
        row_number() OVER (
            PARTITION BY code.hcpcs_code, code.service_date ORDER BY relative_value.effective_from DESC
        ) = 1
),

-- How far any locality's price lies from the national one, whole or reduced.
anywhere AS (
    SELECT
        relative_value.work,
        relative_value.practice_expense,
        relative_value.malpractice,
        min(least(
            (
                relative_value.work * gpci.work
                + relative_value.practice_expense * gpci.practice_expense
                + relative_value.malpractice * gpci.malpractice
            ) / (relative_value.work + relative_value.practice_expense + relative_value.malpractice),
            (
                relative_value.work * gpci.work
                + 0.5 * relative_value.practice_expense * gpci.practice_expense
                + relative_value.malpractice * gpci.malpractice
            ) / (relative_value.work + 0.5 * relative_value.practice_expense + relative_value.malpractice)
        )) AS lowest,
        max(greatest(
            (
                relative_value.work * gpci.work
                + relative_value.practice_expense * gpci.practice_expense
                + relative_value.malpractice * gpci.malpractice
            ) / (relative_value.work + relative_value.practice_expense + relative_value.malpractice),
            (
                relative_value.work * gpci.work
                + 0.5 * relative_value.practice_expense * gpci.practice_expense
                + relative_value.malpractice * gpci.malpractice
            ) / (relative_value.work + 0.5 * relative_value.practice_expense + relative_value.malpractice)
        )) AS highest
    FROM (SELECT DISTINCT work, practice_expense, malpractice FROM value) AS relative_value
    CROSS JOIN gpci
    GROUP BY relative_value.work, relative_value.practice_expense, relative_value.malpractice
),

dated AS (
    SELECT
        value.service_date,
        bool_or(edition.reference IS NOT NULL) AS edition_known
    FROM (SELECT DISTINCT service_date FROM value) AS value
    LEFT JOIN reference_edition AS edition
        ON
            edition.reference = 'relative_value'
            AND value.service_date BETWEEN edition.covers_from AND edition.covers_to
    GROUP BY value.service_date
),

fee AS (
    SELECT
        value.hcpcs_code,
        value.service_date,
        value.effective_from AS release_date,
        value.multiple_procedure,
        value.practice_expense,
        round(
            value.conversion_factor * (
                value.work * price_day.work
                + value.practice_expense * price_day.practice_expense
                + value.malpractice * price_day.malpractice
            ), 2
        )::DECIMAL(12, 2) AS full_unit_fee,
        round(
            value.conversion_factor * (
                value.work * price_day.work
                + (1 - price_day.expense_reduction) * value.practice_expense * price_day.practice_expense
                + value.malpractice * price_day.malpractice
            ), 2
        )::DECIMAL(12, 2) AS reduced_unit_fee,
        dated.edition_known AS schedule_known,
        price_day.index_known AND NOT price_day.is_national AS locality_known,
        price_day.index_known OR price_day.is_national AS index_current,
        CASE WHEN locality_known THEN 1.0000 ELSE anywhere.lowest END::DECIMAL(8, 4) AS lowest,
        CASE WHEN locality_known THEN 1.0000 ELSE anywhere.highest END::DECIMAL(8, 4) AS highest
    FROM value
    INNER JOIN price_day ON value.service_date = price_day.service_date
    INNER JOIN dated ON value.service_date = dated.service_date
    INNER JOIN anywhere
        ON
            value.work = anywhere.work
            AND value.practice_expense = anywhere.practice_expense
            AND value.malpractice = anywhere.malpractice
)

SELECT
    *,
    row_number() OVER (
        PARTITION BY service_date, multiple_procedure
        ORDER BY practice_expense DESC, full_unit_fee DESC, hcpcs_code
    ) AS place
FROM fee
