-- What a unit of a code brings on the average, by plan: what an unbilled service would have been worth. A line that was
-- denied says nothing of the price.
SELECT
    plan,
    hcpcs_code,
    sum(line_amount) / sum(units) AS unit_amount
FROM therapy_line
WHERE therapy AND units > 0 AND line_amount > 0
GROUP BY plan, hcpcs_code
