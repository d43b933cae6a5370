-- KX says that the therapy is covered although the threshold is passed, GA and GZ that it is expected to be denied.
SELECT
    line.claim_id,
    line.claim_line_number,
    line.hcpcs_code,
    array_to_string(line.modifiers, ' ') AS modifiers,
    array_to_string(list_filter(['GA', 'GZ'], lambda code: list_contains(line.modifiers, code)), ' and ') AS conflict
FROM in_scope($rule) AS line
WHERE
    line.has_kx
    AND line.therapy
    AND (list_contains(line.modifiers, 'GA') OR list_contains(line.modifiers, 'GZ'))
