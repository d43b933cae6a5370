-- The lines of each claim's current state: of the version that is neither replaced, voided, sent again nor a void.
SELECT
    claim_line.rowid AS line_id, -- joining on it costs less than on claim and line number
    claim_line.*
FROM claim_line
ANTI JOIN (SELECT * FROM claim_history WHERE state <> 'current') AS superseded
    ON claim_line.claim_id = superseded.claim_id AND claim_line.claim_version = superseded.claim_version
