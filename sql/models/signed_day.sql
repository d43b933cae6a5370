-- Each treatment day as billed to one plan, with the signatures under its notes: how many have none, how many name no
-- credential, and how long the last one took. Where an export of notes gives few signatures, or few credentials, it
-- does not give them, and nothing is said of those that are missing.
WITH share AS (
    SELECT coalesce(max(value), 0.5) AS least FROM parameter
    WHERE name = 'clinic.signature_share'
),

note AS (
    SELECT
        visit_note.note_id,
        visit_note.source_file,
        visit_note.signed_date,
        visit_note.signed_date - visit_note.service_date AS days_to_sign,
        coalesce(visit_note.clinician_credential, provider.credential) AS credential
    FROM visit_note
    LEFT JOIN provider ON visit_note.rendering_npi = provider.npi
),

practice AS (
    SELECT
        note.source_file,
        count(note.signed_date) / count(*) >= any_value(share.least) AS gives_signatures,
        count(note.credential) / count(*) >= any_value(share.least) AS gives_credentials
    FROM note
    CROSS JOIN share
    GROUP BY note.source_file
),

day AS (
    SELECT
        note_minutes.patient_id,
        note_minutes.discipline,
        note_minutes.service_date,
        count(*) AS notes,
        count(*) FILTER (note.signed_date IS NULL AND practice.gives_signatures) AS notes_unsigned,
        count(*) FILTER (note.credential IS NULL AND practice.gives_credentials) AS notes_without_credential,
        max(note.days_to_sign) AS days_to_sign,
        bool_or(practice.gives_signatures OR note.signed_date IS NOT NULL) AS signatures_given
    FROM note
    INNER JOIN practice ON note.source_file = practice.source_file
    INNER JOIN note_minutes ON note.note_id = note_minutes.note_id
    GROUP BY note_minutes.patient_id, note_minutes.discipline, note_minutes.service_date
)

SELECT
    episode_day.patient_id,
    episode_day.discipline,
    episode_day.service_date,
    episode_day.plan,
    episode_day.claim_id,
    episode_day.claim_line_number,
    day.notes,
    day.notes_unsigned,
    day.notes_without_credential,
    day.days_to_sign,
    CASE WHEN day.signatures_given THEN TRUE END AS signatures_given
FROM episode_day
LEFT JOIN day
    ON
        episode_day.patient_id = day.patient_id
        AND episode_day.discipline = day.discipline
        AND episode_day.service_date = day.service_date
