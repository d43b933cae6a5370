-- One timed code of a claim's day on several lines that differ in nothing: its units belong on one line, and
-- contractors reject the rest. With and without CQ, or any other modifier, they do differ.
WITH several AS (
    SELECT
        visit.visit_id,
        visit.patient_id,
        visit.service_date,
        visit.discipline,
        visit.plan,
        code.hcpcs_code
    FROM visits_in_scope($rule) AS visit
    INNER JOIN visit_code AS code ON visit.visit_id = code.visit_id
    WHERE code.lines > 1
),

split AS (
    SELECT
        several.visit_id,
        line.hcpcs_code,
        min({'claim_id': line.claim_id, 'claim_line_number': line.claim_line_number}) AS first_line,
        count(*) AS lines
    FROM therapy_line AS line
    INNER JOIN several
        ON
            line.patient_id = several.patient_id
            AND line.service_date = several.service_date
            AND line.discipline = several.discipline
            AND line.plan IS NOT DISTINCT FROM several.plan
            AND line.hcpcs_code = several.hcpcs_code
    WHERE line.units > 0
    GROUP BY
        several.visit_id, line.claim_id, line.hcpcs_code, line.modifiers_sorted, line.rendering_npi,
        line.place_of_service
    HAVING count(*) > 1
)

SELECT
    min(first_line).claim_id AS claim_id,
    min(first_line).claim_line_number AS claim_line_number,
    arg_min(hcpcs_code, first_line) AS hcpcs_code,
    arg_min(lines, first_line) AS lines,
    string_agg(hcpcs_code || ' on ' || lines || ' lines', ', ' ORDER BY hcpcs_code, first_line) AS split
FROM split
GROUP BY visit_id
