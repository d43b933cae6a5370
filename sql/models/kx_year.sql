-- A patient's calendar year in one pool of the KX threshold, as it stands after its last line: stub.
SELECT
    patient_id,
    year,
    pool,
    plan,
    max(service_date) AS service_date
FROM kx_ledger
GROUP BY patient_id, year, pool, plan
