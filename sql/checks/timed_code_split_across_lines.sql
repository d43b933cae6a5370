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
    FROM therapy_line
    WHERE timed AND units > 0
    GROUP BY
        patient_id, service_date, discipline, plan, claim_id, hcpcs_code, modifiers_sorted, rendering_npi,
        place_of_service
    HAVING count(*) > 1
)

SELECT
    min(split.first_line).claim_id AS claim_id,
    min(split.first_line).claim_line_number AS claim_line_number,
    0.00 AS amount_at_risk,
    arg_min(split.hcpcs_code, split.first_line) AS hcpcs_code,
    arg_min(split.lines, split.first_line) AS lines,
    string_agg(
        split.hcpcs_code || ' on ' || split.lines || ' lines', ', ' ORDER BY split.hcpcs_code, split.first_line
    ) AS split
FROM visits_in_scope($rule) AS visit
INNER JOIN split
    ON
        visit.patient_id = split.patient_id
        AND visit.service_date = split.service_date
        AND visit.discipline = split.discipline
        AND visit.plan IS NOT DISTINCT FROM split.plan
GROUP BY visit.visit_id
