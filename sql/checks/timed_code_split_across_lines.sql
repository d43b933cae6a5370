-- One timed code of a claim's day on several lines that differ in nothing: its units belong on one line, and
-- contractors reject the rest. With and without CQ, or any other modifier, they do differ.
WITH split AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        plan,
        hcpcs_code,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line,
        count(*) AS lines
    FROM visit_lines_in_scope($rule)
    WHERE timed
    GROUP BY patient_id, service_date, discipline, plan, claim_id, hcpcs_code, modifiers_sorted
    HAVING count(*) > 1
)

SELECT
    min(first_line).claim_id AS claim_id,
    min(first_line).claim_line_number AS claim_line_number,
    0.00 AS amount_at_risk,
    arg_min(hcpcs_code, first_line) AS hcpcs_code,
    arg_min(lines, first_line) AS lines,
    string_agg(hcpcs_code || ' on ' || lines || ' lines', ', ' ORDER BY hcpcs_code, first_line) AS split
FROM split
GROUP BY patient_id, service_date, discipline, plan
