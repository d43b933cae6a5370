-- Two codes of an NCCI edit with indicator 0 on one day: column two is denied, and no modifier helps.
SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code AS column_two,
    if(line.setting = 'hospital', 'outpatient hospital', line.setting) AS edit_table,
    string_agg(DISTINCT ncci_hit.column_one, ', ' ORDER BY ncci_hit.column_one) AS column_one
FROM in_scope($rule) AS line
INNER JOIN ncci_hit USING (claim_id, claim_line_number)
WHERE ncci_hit.modifier_indicator = 0
GROUP BY line.claim_id, line.claim_line_number, line.hcpcs_code, line.setting
