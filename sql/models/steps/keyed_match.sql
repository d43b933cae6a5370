-- Remittance lines that name their claim line: by the line's control number within the claim, else by its number. A
-- number that leads to a line of another day and another code is that of an earlier version.
WITH controlled AS (
    SELECT
        claim_id,
        line_control_number,
        min(line_id) AS line_id
    FROM current_line
    WHERE line_control_number IS NOT NULL
    GROUP BY claim_id, line_control_number
    HAVING count(*) = 1
),

by_control AS (
    SELECT
        remitted_line.remitted_id,
        controlled.line_id
    FROM remitted_line
    INNER JOIN controlled
        ON
            remitted_line.claim_id = controlled.claim_id
            AND remitted_line.line_control_number = controlled.line_control_number
),

-- A claim without control numbers has its line numbers given back in their place.
numbered AS (
    SELECT
        remitted_id,
        claim_id,
        coalesce(claim_line_number, try_cast(line_control_number AS INTEGER)) AS claim_line_number,
        claim_line_number IS NULL AS from_control
    FROM remitted_line
    WHERE line_kind = 'service'
),

by_number AS (
    SELECT
        numbered.remitted_id,
        current_line.line_id
    FROM numbered
    INNER JOIN current_line
        ON numbered.claim_id = current_line.claim_id AND numbered.claim_line_number = current_line.claim_line_number
    WHERE
        NOT (numbered.from_control AND current_line.line_control_number IS NOT NULL)
        AND numbered.remitted_id NOT IN (SELECT remitted_id FROM by_control)
),

keyed AS (
    SELECT
        remitted_id,
        line_id,
        'line control number' AS match_key
    FROM by_control
    UNION ALL
    SELECT
        remitted_id,
        line_id,
        'claim and line number' AS match_key
    FROM by_number
)

SELECT
    keyed.remitted_id,
    keyed.line_id,
    keyed.match_key,
    1.000::DECIMAL(4, 3) AS match_score,
    remitted_line.adjudication,
    remitted_line.is_reversal
FROM keyed
INNER JOIN remitted_line ON keyed.remitted_id = remitted_line.remitted_id
INNER JOIN current_line ON keyed.line_id = current_line.line_id
WHERE
    coalesce(remitted_line.service_date = current_line.service_date, TRUE)
    OR coalesce(remitted_line.hcpcs_code = current_line.hcpcs_code, TRUE)
