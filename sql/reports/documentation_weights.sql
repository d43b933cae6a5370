-- The points of each element in the documentation score, scaled to 100, for the dates of the audited period.
SELECT
    parameter.key AS element,
    parameter.value::DOUBLE AS weight,
    (100 * parameter.value / nullif(sum(parameter.value) OVER span, 0))::DOUBLE AS points,
    parameter.effective_from,
    parameter.effective_to
FROM parameter
INNER JOIN audit_period
    ON
        parameter.effective_from <= audit_period.period_end
        AND parameter.effective_to >= audit_period.period_start
WHERE parameter.name = 'clinic.documentation_weight'
WINDOW span AS (PARTITION BY parameter.effective_from, parameter.effective_to)
ORDER BY parameter.effective_from, points DESC, element
