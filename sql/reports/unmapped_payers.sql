-- Payers that map to no plan, with the lines that only the rules for every plan have judged.
SELECT
    coalesce(therapy_line.payer, '(no payer on the line)') AS payer,
    count(*) AS lines,
    coalesce(sum(therapy_line.line_amount), 0.00) AS line_amount
FROM therapy_line
INNER JOIN audit_period ON therapy_line.service_date BETWEEN period_start AND period_end
WHERE therapy_line.plan IS NULL
GROUP BY therapy_line.payer
ORDER BY lines DESC, payer
