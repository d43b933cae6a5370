-- One treatment day as billed to one plan: the day's place in its episode, with the plan's first line and amount.
WITH billed AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        plan,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line,
        sum(line_amount) AS day_amount
    FROM therapy_line
    WHERE therapy AND NOT second_bill
    GROUP BY patient_id, discipline, service_date, plan
)

SELECT
    treatment_day.*,
    billed.plan,
    billed.first_line.claim_id,
    billed.first_line.claim_line_number,
    billed.day_amount
FROM billed
INNER JOIN treatment_day
    ON
        billed.patient_id = treatment_day.patient_id
        AND billed.discipline = treatment_day.discipline
        AND billed.service_date = treatment_day.service_date
