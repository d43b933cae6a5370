-- Minutes that were watched differ from visit to visit; a clinician whose minutes are all alike, or all multiples of
-- 15, may have written what was billed.
WITH clinician AS (
    SELECT
        clinician_npi,
        sum(services) AS services,
        sum(if(minutes % 15 = 0, services, 0)) AS round_services,
        max(services) AS alike_services,
        arg_max(minutes, (services, minutes)) AS minutes
    FROM clinician_minutes
    GROUP BY clinician_npi
),

anchor AS (
    SELECT
        clinician_npi,
        min({'service_date': service_date, 'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line
    FROM clinician_visits_in_scope($rule)
    GROUP BY clinician_npi
)

SELECT
    anchor.first_line.claim_id,
    anchor.first_line.claim_line_number,
    clinician.clinician_npi,
    clinician.services,
    floor(100 * greatest(clinician.round_services, clinician.alike_services) / clinician.services)::INTEGER
        AS percent,
    CASE
        WHEN clinician.alike_services >= clinician.round_services THEN clinician.minutes || ' minutes'
        ELSE 'multiples of 15'
    END AS pattern,
    clinician.minutes
FROM clinician
INNER JOIN anchor ON clinician.clinician_npi = anchor.clinician_npi
INNER JOIN parameter AS share
    ON share.name = $share AND anchor.first_line.service_date BETWEEN share.effective_from AND share.effective_to
INNER JOIN parameter AS least_services
    ON
        least_services.name = $least
        AND anchor.first_line.service_date BETWEEN least_services.effective_from AND least_services.effective_to
WHERE
    clinician.services >= least_services.value
    AND greatest(clinician.round_services, clinician.alike_services) >= share.value * clinician.services
