-- 59 and its subsets exclude each other; an evaluation takes none, unless an NCCI edit that a modifier opens concerns
-- it.
WITH paired AS (
    SELECT claim_id, claim_line_number FROM ncci_hit
    WHERE modifier_indicator = 1
    UNION
    SELECT first_line.claim_id, first_line.claim_line_number
    FROM (SELECT unnest(column_one_lines) AS first_line FROM ncci_hit WHERE modifier_indicator = 1) AS hit
)

SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code,
    array_to_string(line.modifiers, ' ') AS modifiers,
    CASE
        WHEN line.distinct_service_count > 1 THEN '59 and XE, XS, XP, XU exclude each other'
        ELSE 'an evaluation takes none of them'
    END AS conflict
FROM in_scope($rule) AS line
LEFT JOIN paired ON line.claim_id = paired.claim_id AND line.claim_line_number = paired.claim_line_number
LEFT JOIN reference_edition
    ON
        reference_edition.reference = 'ncci_pair'
        AND line.setting = reference_edition.setting
        AND line.service_date >= reference_edition.covers_from
WHERE
    line.distinct_service
    AND (
        line.distinct_service_count > 1
        -- Before the tables reach, an edit may have concerned the evaluation.
        OR (line.evaluation AND paired.claim_id IS NULL AND reference_edition.reference IS NOT NULL)
    )
