-- Two codes of an NCCI edit with indicator 1 on one day: column two is denied unless an NCCI modifier sets it apart.
SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code AS column_two,
    if(line.setting = 'hospital', 'outpatient hospital', line.setting) AS edit_table,
    ncci_hit.column_one
FROM in_scope($rule) AS line
INNER JOIN ncci_hit USING (claim_id, claim_line_number)
WHERE ncci_hit.modifier_indicator = 1 AND NOT ncci_hit.let_through
