-- Each combination of modifiers that was billed, and what it says: there are few, so that lines need not be searched.
WITH billed AS (
    SELECT DISTINCT modifiers
    FROM current_line
),

counted AS (
    SELECT
        modifiers,
        list_contains(modifiers, 'GP')::INTEGER
        + list_contains(modifiers, 'GO')::INTEGER
        + list_contains(modifiers, 'GN')::INTEGER AS discipline_modifier_count
    FROM billed
)

SELECT
    row_number() OVER (ORDER BY modifiers) AS modifier_set_id,
    modifiers,
    array_to_string(list_sort(modifiers), ' ') AS modifiers_sorted,
    discipline_modifier_count,
    CASE
        WHEN discipline_modifier_count <> 1 THEN NULL
        WHEN list_contains(modifiers, 'GP') THEN 'PT'
        WHEN list_contains(modifiers, 'GO') THEN 'OT'
        ELSE 'SLP'
    END AS modifier_discipline,
    list_has_any(modifiers, (SELECT list(modifier) FROM modifier_code WHERE distinct_service)) AS distinct_service,
    list_has_any(modifiers, (SELECT list(modifier) FROM modifier_code WHERE ncci_bypass)) AS ncci_bypass,
    len(list_intersect(modifiers, (SELECT list(modifier) FROM modifier_code WHERE distinct_service)))
        AS distinct_service_count,
    len(list_intersect(modifiers, (SELECT list(modifier) FROM modifier_code WHERE assistant_discipline IS NOT NULL)))
        AS assistant_modifier_count,
    CASE WHEN list_contains(modifiers, 'CQ') THEN 'PT' WHEN list_contains(modifiers, 'CO') THEN 'OT' END
        AS assistant_modifier_discipline,
    list_contains(modifiers, '52') AS has_reduced_service,
    list_contains(modifiers, 'KX') AS has_kx,
    list_has_any(modifiers, ['GA', 'GZ', 'GY']) AS has_liability_modifier
FROM counted
