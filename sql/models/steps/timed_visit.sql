-- One patient's timed lines on one day in one discipline under one plan: the visit that units are counted for.
SELECT
    patient_id,
    service_date,
    discipline,
    plan,
    min(line_id) AS visit_id,
    count(*) OVER (PARTITION BY patient_id, service_date, discipline) AS plans,
    CASE WHEN count(*) = count(units) THEN sum(units) END::INTEGER AS timed_units_billed,
    sum(line_amount) AS timed_amount,
    min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line
FROM therapy_line
WHERE timed AND NOT second_bill
GROUP BY patient_id, service_date, discipline, plan
