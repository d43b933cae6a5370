-- What the notes on functional activities document: in all, by clinician, and by clinician and month, with the average
-- score (0-100) and how many of the notes with text show each element and are of each narrative. Clinicians with the
-- most notes first.
SELECT
    CASE
        WHEN grouping(month) = 0 THEN 'month'
        WHEN grouping(clinician_npi) = 0 THEN 'clinician'
        ELSE 'all'
    END AS level,
    clinician_npi,
    any_value(provider_name) AS provider_name,
    any_value(credential) AS credential,
    month,
    string_agg(DISTINCT hcpcs_code, ', ' ORDER BY hcpcs_code) AS codes,
    count(*) AS services,
    count(score) AS scored,
    round(avg(score), 1) AS average_score,
    count(*) FILTER (score IS NOT NULL AND specific_activity) AS specific_activity,
    count(*) FILTER (score IS NOT NULL AND skilled_direction) AS skilled_direction,
    count(*) FILTER (score IS NOT NULL AND functional_goal) AS functional_goal,
    count(*) FILTER (score IS NOT NULL AND patient_response) AS patient_response,
    count(*) FILTER (score IS NOT NULL AND time_stated) AS time_stated,
    count(*) FILTER (score IS NOT NULL AND narrative = 'functional') AS functional,
    count(*) FILTER (score IS NOT NULL AND narrative = 'impairment') AS impairment,
    count(*) FILTER (score IS NOT NULL AND narrative = 'instruction') AS instruction,
    count(*) FILTER (score IS NOT NULL AND narrative = 'passive') AS passive,
    count(*) FILTER (score IS NOT NULL AND narrative = 'vague') AS vague,
    count(*) FILTER (score IS NOT NULL AND narrative IS NULL) AS not_told_apart
FROM report_service
GROUP BY GROUPING SETS ((), (clinician_npi), (clinician_npi, month))
ORDER BY level, CASE WHEN level = 'clinician' THEN scored END DESC, clinician_npi NULLS LAST, month
