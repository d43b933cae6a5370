-- Up to $examples findings of each clinician and rule, the largest amounts first, each with the note of that service,
-- where there is one; its words only $with_text, and where it names no other writer. $clinicians: NPIs; null: all.
WITH chosen AS (
    SELECT
        rendering_npi AS clinician_npi,
        rule,
        row_number() OVER (PARTITION BY rendering_npi, rule ORDER BY place) AS example,
        finding_id,
        claim_id,
        claim_line_number,
        patient_id,
        service_date,
        discipline,
        hcpcs_code,
        payer,
        amount_at_risk,
        message,
        source_file,
        source_row
    FROM report_finding
    WHERE
        rendering_npi IS NOT NULL
        AND ($clinicians::VARCHAR[] IS NULL OR list_contains($clinicians::VARCHAR[], rendering_npi))
    QUALIFY example <= $examples
),

-- The note that the line rests on, whoever wrote it; where there is none, the clinician's first note of the day.
candidate AS (
    SELECT
        chosen.finding_id,
        chosen.hcpcs_code,
        note.note_id,
        note.service_date,
        note.text,
        note.source_file,
        note.source_row,
        coalesce(note.rendering_npi = chosen.clinician_npi, TRUE) AS is_own,
        note.note_id IS NOT DISTINCT FROM reconciliation.note_id AS is_matched
    FROM chosen
    LEFT JOIN reconciliation
        ON
            chosen.claim_id = reconciliation.claim_id
            AND chosen.claim_line_number = reconciliation.claim_line_number
    INNER JOIN visit_note AS note
        ON
            chosen.patient_id = note.patient_id
            AND (
                note.note_id = reconciliation.note_id
                OR (
                    coalesce(note.rendering_npi = chosen.clinician_npi, TRUE)
                    AND note.service_date = chosen.service_date
                    AND coalesce(note.discipline, chosen.discipline, '') = coalesce(chosen.discipline, note.discipline, '')
                )
            )
    QUALIFY row_number() OVER (PARTITION BY chosen.finding_id ORDER BY is_matched DESC, note.note_id) = 1
),

written AS (
    SELECT
        candidate.finding_id,
        string_agg(DISTINCT service.text, ' / ' ORDER BY service.text) AS text
    FROM candidate
    INNER JOIN note_service AS service
        ON
            candidate.note_id = service.note_id
            AND candidate.service_date = service.service_date
            AND (candidate.hcpcs_code IS NULL OR candidate.hcpcs_code = service.hcpcs_code)
    GROUP BY candidate.finding_id
)

SELECT
    chosen.* EXCLUDE (patient_id),
    candidate.note_id,
    candidate.service_date AS note_date,
    candidate.source_file AS note_file,
    candidate.source_row AS note_row,
    candidate.is_own,
    CASE WHEN $with_text AND candidate.is_own THEN coalesce(written.text, candidate.text) END AS note_text
FROM chosen
LEFT JOIN candidate ON chosen.finding_id = candidate.finding_id
LEFT JOIN written ON chosen.finding_id = written.finding_id
ORDER BY chosen.clinician_npi, chosen.rule, chosen.example
