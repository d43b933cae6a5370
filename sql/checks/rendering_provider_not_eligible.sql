-- Medicare pays for therapy of therapists, physicians and practitioners whom it enrolls. Assistants treat under a
-- therapist and are billed under that one; students, aides and other trades are not paid for.
SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code,
    line.rendering_npi,
    clinician.credential,
    clinician.kind,
    if(clinician.is_listed, '', ', as all of the notes under that number say') AS source,
    -- An assistant's notes may carry the supervisor's number.
    if(clinician.is_listed, 'error', 'warning') AS severity
FROM in_scope($rule) AS line
INNER JOIN clinician ON line.rendering_npi = clinician.npi
WHERE line.therapy AND NOT line.may_render
