-- Each input file with its reconciliation.
SELECT
    source_file,
    input,
    byte_count,
    rows_in,
    rows_loaded,
    rows_quarantined,
    rows_in = rows_loaded + rows_quarantined AS reconciles,
    notices
FROM intake_file
ORDER BY input, source_file
