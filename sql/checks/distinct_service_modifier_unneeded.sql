-- 59 or X{EPSU} where no NCCI edit in force pairs the line with another of that day: there is nothing to set apart.
WITH paired AS (
    SELECT claim_id, claim_line_number FROM ncci_hit
    UNION
    SELECT first_line.claim_id, first_line.claim_line_number
    FROM (SELECT unnest(column_one_lines) AS first_line FROM ncci_hit) AS hit
)

SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code,
    array_to_string(line.modifiers, ' ') AS modifiers
FROM in_scope($rule) AS line
INNER JOIN reference_edition
    ON
        reference_edition.reference = 'ncci_pair'
        AND reference_edition.setting = line.setting
        AND line.service_date >= reference_edition.covers_from
ANTI JOIN paired USING (claim_id, claim_line_number)
WHERE line.distinct_service AND NOT line.evaluation
