-- 52 does not stand for less time: under 8 minutes are not billed, and more are a unit.
SELECT
    claim_id,
    claim_line_number,
    hcpcs_code,
    units
FROM in_scope($rule)
WHERE timed AND has_reduced_service
