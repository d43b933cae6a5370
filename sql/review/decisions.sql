-- The decisions of table review, each once, as the file of decisions holds them, and where each was read.
SELECT
    {
        'finding_id': finding_id,
        'rule': rule,
        'disposition': disposition,
        'reviewer': regexp_replace(reviewer, '^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]', '''\0'),
        'reviewed_on': reviewed_on,
        'valid_until': valid_until,
        -- Neutral to a spreadsheet, as in the workbooks.
        'note': regexp_replace(note, '^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]', '''\0'),
        'facts_hash': facts_hash
    } AS decision,
    min(source_file || ' row ' || source_row) AS place
FROM review
WHERE disposition IS NOT NULL
GROUP BY ALL
