-- A clinician's units of 97530 and 97110 for each patient in each month, up to the end of the audited period.
SELECT
    therapy_line.rendering_npi,
    therapy_line.patient_id,
    date_trunc('month', therapy_line.service_date)::DATE AS month,
    min(therapy_line.discipline) AS discipline,
    sum(therapy_line.units)::DOUBLE AS units,
    coalesce(sum(therapy_line.units) FILTER (therapy_line.hcpcs_code = '97530'), 0)::DOUBLE AS activity_units
FROM therapy_line
INNER JOIN audit_period ON therapy_line.service_date <= audit_period.period_end
WHERE
    therapy_line.hcpcs_code IN ('97110', '97530')
    AND therapy_line.rendering_npi IS NOT NULL
    AND therapy_line.therapy
    AND NOT therapy_line.second_bill
    AND therapy_line.units > 0
GROUP BY therapy_line.rendering_npi, therapy_line.patient_id, month
