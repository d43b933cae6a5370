-- How often a clinician charts which number of minutes for a timed service, within the period.
SELECT
    charted_service.clinician_npi,
    charted_service.minutes,
    count(*) AS services
FROM charted_service
INNER JOIN audit_period
    ON charted_service.service_date BETWEEN audit_period.period_start AND audit_period.period_end
WHERE
    charted_service.clinician_npi IS NOT NULL
    AND charted_service.kind = 'timed_15'
    AND charted_service.minutes > 0
GROUP BY charted_service.clinician_npi, charted_service.minutes
