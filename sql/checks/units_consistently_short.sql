-- Fifteen minutes a unit is what Medicare expects on the average; a clinician who stays far below it should be looked
-- at.
WITH clinician AS (
    SELECT
        clinician_npi,
        count(*) AS visits,
        sum(timed_minutes) AS minutes,
        sum(timed_units_billed) AS units,
        min({'service_date': service_date, 'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line
    FROM clinician_visits_in_scope($rule)
    WHERE timed_minutes IS NOT NULL AND timed_units_billed > 0
    GROUP BY clinician_npi
)

SELECT
    clinician.first_line.claim_id,
    clinician.first_line.claim_line_number,
    clinician.clinician_npi,
    clinician.visits,
    round(clinician.minutes / clinician.units, 1) AS minutes_per_unit,
    short.value::INTEGER AS expected_minutes
FROM clinician
INNER JOIN parameter AS short
    ON short.name = $short AND clinician.first_line.service_date BETWEEN short.effective_from AND short.effective_to
INNER JOIN parameter AS least_visits
    ON
        least_visits.name = $least
        AND clinician.first_line.service_date BETWEEN least_visits.effective_from AND least_visits.effective_to
WHERE clinician.visits >= least_visits.value AND clinician.minutes < short.value * clinician.units
