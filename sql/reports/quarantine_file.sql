-- Every refused row: where it is and why, never its value.
SELECT *
FROM quarantine
ORDER BY ALL
LIMIT $rows
