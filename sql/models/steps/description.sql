-- Each skilled activity of an episode as the notes chart it, visit by visit: whose note, which line, which amount.
-- `series` stands for patient, discipline, code and episode.
SELECT
    day_number,
    patient_id,
    discipline,
    hcpcs_code,
    service_date,
    services,
    note_id,
    clinician_npi,
    independence,
    activity_number AS series,
    plan,
    episode_start,
    claim_id,
    claim_line_number,
    amount,
    row_number() OVER (PARTITION BY activity_number ORDER BY service_date) AS visit_number
FROM activity_frame
