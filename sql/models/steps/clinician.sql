-- Each clinician's discipline and credential: as the provider list or the 837P has them, else the credential that all
-- of the clinician's notes give; of several, one that may bill.
WITH noted AS (
    SELECT
        visit_note.rendering_npi AS npi,
        coalesce(bool_or(credential.may_render), FALSE) AS may_render,
        CASE
            WHEN bool_or(credential.may_render)
                THEN min(visit_note.clinician_credential) FILTER (credential.may_render)
            -- One without a known credential leaves it open who it is.
            WHEN count(*) = count(credential.credential) THEN min(visit_note.clinician_credential)
        END AS credential
    FROM visit_note
    LEFT JOIN credential ON visit_note.clinician_credential = credential.credential
    WHERE visit_note.rendering_npi IS NOT NULL
    GROUP BY visit_note.rendering_npi
),

known AS (
    SELECT
        coalesce(provider.npi, noted.npi) AS npi,
        provider.discipline,
        coalesce(provider.credential, noted.credential) AS credential,
        provider.credential IS NOT NULL AS is_listed
    FROM provider
    FULL JOIN noted ON provider.npi = noted.npi
)

SELECT
    known.npi,
    known.discipline,
    known.credential,
    known.is_listed, -- the credential is the provider list's, or that of the 837P's taxonomy code
    credential.may_render,
    credential.kind
FROM known
LEFT JOIN credential ON known.credential = credential.credential
