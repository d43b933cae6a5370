-- A visit's codes together: minutes, the units that they earn pooled and code by code, and the units left after full
-- 15s.
WITH code AS (
    SELECT
        visit_id,
        count(*) AS codes,
        -- Null as long as one code of the visit lacks its minutes.
        CASE WHEN count(*) = count(minutes) THEN sum(minutes) END::INTEGER AS code_minutes,
        sum(full_units)::INTEGER AS full_units,
        list_reverse_sort(list(remainder)) AS remainders,
        sum(midpoint_units)::INTEGER AS midpoint_units,
        sum(greatest(units_billed - midpoint_units, 0))::INTEGER AS units_over_midpoint,
        sum(amount * greatest(units_billed - midpoint_units, 0) / nullif(units_billed, 0)) AS amount_over_midpoint,
        sum(greatest(midpoint_units - units_billed, 0))::INTEGER AS units_under_midpoint
    FROM code_minutes
    GROUP BY visit_id
)

SELECT
    *,
    units_of_minutes(code_minutes) AS code_units_allowed,
    units_of_minutes(code_minutes) - full_units AS units_left
FROM code
