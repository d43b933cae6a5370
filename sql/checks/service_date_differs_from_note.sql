-- A note and its bill are of one date. A day off, where neither has a partner of its own, they are one visit all the
-- same: one fault, not a bill without a note and a note without a bill.
SELECT
    min({'claim_id': claim_id, 'claim_line_number': claim_line_number}).claim_id AS claim_id,
    min({'claim_id': claim_id, 'claim_line_number': claim_line_number}).claim_line_number AS claim_line_number,
    string_agg(DISTINCT hcpcs_code, ', ' ORDER BY hcpcs_code) AS codes,
    service_date,
    discipline,
    note_date,
    any_value(note_id) AS note_id,
    min(match_key) AS match_key
FROM reconciled_visits_in_scope($rule)
WHERE reconciliation_state = 'matched' AND note_date <> service_date AND match_key IN ('adjacent day', 'note number')
GROUP BY patient_id, service_date, discipline, plan, note_date
