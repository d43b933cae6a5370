-- A plan's own pairs: column two is paid on the day of column one only with a modifier that sets it apart.
WITH code AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        plan,
        hcpcs_code,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line,
        list_distinct(flatten(list(modifiers))) AS modifiers
    FROM visit_lines_in_scope($rule)
    WHERE (plan, hcpcs_code) IN (
        SELECT (plan, unnest([column_one, column_two]))
        FROM payer_pair
    )
    GROUP BY patient_id, service_date, discipline, plan, hcpcs_code
),

pair AS (
    SELECT
        second.*,
        payer_pair.column_one,
        payer_pair.modifiers AS modifiers_asked
    FROM code AS second
    INNER JOIN payer_pair
        ON
            second.plan = payer_pair.plan
            AND second.hcpcs_code = payer_pair.column_two
            AND second.service_date BETWEEN payer_pair.effective_from AND payer_pair.effective_to
    INNER JOIN code AS first
        ON
            second.patient_id = first.patient_id
            AND second.service_date = first.service_date
            AND second.discipline = first.discipline
            AND second.plan = first.plan
            AND payer_pair.column_one = first.hcpcs_code
    WHERE
        NOT list_has_any(second.modifiers, string_split(payer_pair.modifiers, ' '))
        AND NOT (payer_pair.either_line AND list_has_any(first.modifiers, string_split(payer_pair.modifiers, ' ')))
)

SELECT
    min(pair.first_line).claim_id AS claim_id,
    min(pair.first_line).claim_line_number AS claim_line_number,
    list(DISTINCT stake(pair.service_date, pair.hcpcs_code, NULL)) AS at_stake,
    arg_min(pair.column_one, (pair.first_line, pair.column_one)) AS column_one,
    arg_min(pair.hcpcs_code, (pair.first_line, pair.column_one)) AS column_two,
    replace(arg_min(pair.modifiers_asked, (pair.first_line, pair.column_one)), ' ', ', ') AS modifiers,
    plan.title AS plan
FROM pair
INNER JOIN plan ON pair.plan = plan.plan
GROUP BY pair.patient_id, pair.service_date, pair.discipline, pair.plan, plan.title
