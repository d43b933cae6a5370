-- Why rows were refused, the most frequent reason first.
SELECT
    source_file,
    contract_table,
    column_name,
    value_class,
    reason,
    count(*) AS rows_refused,
    min(source_row) AS first_row
FROM quarantine
GROUP BY ALL
ORDER BY rows_refused DESC, source_file, contract_table, column_name, value_class, reason
