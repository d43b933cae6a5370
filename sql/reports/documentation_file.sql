-- documentation.parquet and documentation.csv: each functional activity of a patient's day with the score of its notes
-- and the points that make it up. No text. Null where no note has a text on it.
SELECT
    claim_id,
    claim_line_number,
    patient_id,
    service_date,
    discipline,
    hcpcs_code,
    note_id,
    clinician_npi,
    provider_name,
    score,
    specific_activity_points,
    skilled_direction_points,
    functional_goal_points,
    patient_response_points,
    time_stated_points,
    narrative,
    assist_level
FROM report_service
ORDER BY service_date, patient_id, discipline, hcpcs_code, claim_id, claim_line_number
