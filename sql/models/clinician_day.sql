-- One clinician's day, whoever the patients: stub.
SELECT
    therapy_line.rendering_npi AS clinician_npi,
    therapy_line.service_date,
    min(therapy_line.plan) AS plan,
    min({'claim_id': therapy_line.claim_id, 'claim_line_number': therapy_line.claim_line_number}) AS first_line
FROM therapy_line
GROUP BY therapy_line.rendering_npi, therapy_line.service_date
