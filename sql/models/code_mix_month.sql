-- A clinician's units of 97530 and 97110 in each month, up to the end of the audited period.
SELECT
    rendering_npi AS clinician_npi,
    month,
    min(discipline) AS discipline,
    sum(units) AS units,
    sum(activity_units) AS activity_units
FROM code_mix_patient
GROUP BY rendering_npi, month
