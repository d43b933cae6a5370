-- Each service date with what Medicare's prices and payments depend on besides the code: the locality's indices, and
-- the reductions in force. Null where a value is not known for the date.
WITH locality AS (
    SELECT coalesce(max(locality), 'national') AS locality
    FROM fee_locality
),

day AS (
    SELECT DISTINCT service_date
    FROM priced_line
    WHERE by_schedule
),

day_index AS (
    SELECT
        day.service_date,
        coalesce(arg_max(gpci.work, gpci.effective_from), 1.000) AS work,
        coalesce(arg_max(gpci.practice_expense, gpci.effective_from), 1.000) AS practice_expense,
        coalesce(arg_max(gpci.malpractice, gpci.effective_from), 1.000) AS malpractice,
        locality.locality = 'national' AS is_national,
        count(gpci.work) > 0
        AND coalesce(bool_or(day.service_date BETWEEN edition.covers_from AND edition.covers_to), FALSE)
            AS index_known
    FROM day
    CROSS JOIN locality
    LEFT JOIN gpci
        ON
            locality.locality = gpci.locality
            AND day.service_date BETWEEN gpci.effective_from AND gpci.effective_to
    LEFT JOIN reference_edition AS edition ON edition.reference = 'gpci'
    GROUP BY day.service_date, locality.locality
),

in_force AS (
    SELECT
        day.service_date,
        max(parameter.value) FILTER (parameter.name = 'medicare.practice_expense_reduction') AS expense_reduction,
        max(parameter.value) FILTER (parameter.name = 'medicare.sequestration_share') AS sequestration_share,
        max(parameter.value) FILTER (parameter.name = 'medicare.coinsurance_share') AS coinsurance_share,
        -- Told as a share of the allowed amount; it is taken from the payment.
        coalesce(max(parameter.value) FILTER (parameter.name = 'medicare.assistant_reduction'), 0.0000)
            AS assistant_reduction
    FROM day
    INNER JOIN parameter ON day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
    GROUP BY day.service_date
)

SELECT
    day_index.*,
    in_force.expense_reduction::DECIMAL(6, 4) AS expense_reduction,
    in_force.sequestration_share::DECIMAL(6, 4) AS sequestration_share,
    in_force.coinsurance_share::DECIMAL(6, 4) AS coinsurance_share,
    (in_force.assistant_reduction / (1 - in_force.coinsurance_share))::DECIMAL(6, 4) AS assistant_share
FROM day_index
INNER JOIN in_force ON day_index.service_date = in_force.service_date
