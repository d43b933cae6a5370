-- A modifier that sets two services apart rests on a note that does: by times that do not overlap, or by other regions.
WITH unsupported AS (
    SELECT
        line.claim_id,
        line.claim_line_number,
        line.patient_id,
        line.service_date,
        line.discipline,
        line.plan,
        line.hcpcs_code,
        min({'column_one': evidence.column_one, 'column_two': evidence.column_two, 'reason': evidence.reason}) AS pair
    FROM visit_lines_in_scope($rule) AS line
    INNER JOIN pair_evidence AS evidence
        ON line.claim_id = evidence.claim_id AND line.claim_line_number = evidence.claim_line_number
    WHERE evidence.reason IS NOT NULL AND line.documented IS NOT NULL
    GROUP BY ALL
),

-- A visit is one finding, worth all of its column two lines.
visit AS (
    SELECT
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number, 'pair': pair}) AS first_line,
        list(DISTINCT stake(service_date, hcpcs_code, NULL)) AS at_stake
    FROM unsupported
    GROUP BY patient_id, service_date, discipline, plan
)

SELECT
    first_line.claim_id,
    first_line.claim_line_number,
    at_stake,
    first_line.pair.column_one,
    first_line.pair.column_two,
    first_line.pair.reason
FROM visit
