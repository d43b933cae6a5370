-- Each timed code of a visit with what either counting method gives it. Pooled: full 15s first; the units left over go
-- to the largest remainders, and among equal ones to any (Medicare Claims Processing Manual ch. 5 §20.2.C).
WITH allotted AS (
    SELECT
        code_minutes.*,
        -- yes: every allowed allocation gives the code one of the units left; tied: some of them do.
        CASE
            WHEN visit_minutes.code_minutes IS NULL THEN NULL
            WHEN
                visit_minutes.units_left = 0
                OR code_minutes.remainder < visit_minutes.remainders[visit_minutes.units_left]
                THEN 'no'
            WHEN code_minutes.remainder > coalesce(visit_minutes.remainders[visit_minutes.units_left + 1], -1)
                THEN 'yes'
            ELSE 'tied'
        END AS extra_unit
    FROM code_minutes
    INNER JOIN visit_minutes ON code_minutes.visit_id = visit_minutes.visit_id
)

SELECT
    *,
    -- Units beyond, and short of, every allowed allocation: full 15s, and one more where the allocation gives it.
    greatest(units_billed - full_units - (extra_unit <> 'no')::INTEGER, 0) AS units_over,
    greatest(full_units + (extra_unit = 'yes')::INTEGER - units_billed, 0) AS units_under
FROM allotted
