-- What a unit of a code brings on the average, by plan: what an unbilled service would have been worth.
SELECT
    plan,
    hcpcs_code,
    sum(line_amount) / sum(units) AS unit_amount
FROM therapy_line
WHERE therapy AND units > 0
GROUP BY plan, hcpcs_code
