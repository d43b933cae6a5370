-- Lines that an NCCI edit in force on their date pairs with another line of the same patient, day, plan and biller.
-- One row per column two line, modifier indicator and whether a modifier lets the pair through. Edits cross disciplines
-- where PT and OT bill under one organization.
WITH line AS (
    SELECT
        therapy_line.claim_id,
        therapy_line.claim_line_number,
        therapy_line.patient_id,
        therapy_line.service_date,
        therapy_line.plan,
        therapy_line.setting,
        coalesce(therapy_line.billing_npi, '') AS billing_npi,
        therapy_line.hcpcs_code,
        therapy_line.ncci_bypass
    FROM therapy_line
    WHERE therapy_line.hcpcs_code IN (SELECT column_one FROM ncci_pair UNION SELECT column_two FROM ncci_pair)
),

candidate AS (
    SELECT
        line.*,
        ncci_pair.column_two,
        ncci_pair.modifier_indicator
    FROM line
    INNER JOIN ncci_pair
        ON
            line.hcpcs_code = ncci_pair.column_one
            AND line.setting = ncci_pair.setting
            AND line.service_date BETWEEN ncci_pair.effective_from AND ncci_pair.effective_to
)

SELECT
    line.claim_id,
    line.claim_line_number,
    candidate.modifier_indicator,
    line.ncci_bypass OR (candidate.ncci_bypass AND coalesce(parameter.value, 0) = 1) AS let_through,
    string_agg(DISTINCT candidate.hcpcs_code, ', ' ORDER BY candidate.hcpcs_code) AS column_one,
    list(DISTINCT {'claim_id': candidate.claim_id, 'claim_line_number': candidate.claim_line_number})
        AS column_one_lines
FROM candidate
INNER JOIN line
    ON
        candidate.patient_id = line.patient_id
        AND candidate.service_date = line.service_date
        AND candidate.setting = line.setting
        AND candidate.column_two = line.hcpcs_code
        AND (candidate.billing_npi = line.billing_npi OR '' IN (candidate.billing_npi, line.billing_npi))
        AND candidate.plan IS NOT DISTINCT FROM line.plan
LEFT JOIN parameter
    ON
        parameter.name = 'medicare.ncci_modifier_on_either_line'
        AND line.service_date BETWEEN parameter.effective_from AND parameter.effective_to
GROUP BY ALL
