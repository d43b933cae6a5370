-- One row: how many clinicians are profiled, from how many peers on they are compared, how many figures a benchmark
-- stands for, and the smallest count shown.
SELECT
    (SELECT count(DISTINCT clinician_npi) FROM clinician_profile) AS clinicians,
    (SELECT count(*) FROM benchmark) AS benchmarks,
    max(parameter.value) FILTER (parameter.name = 'clinic.profile_peers')::INTEGER AS peers,
    max(parameter.value) FILTER (parameter.name = 'clinic.smallest_cell')::INTEGER AS cell
FROM parameter
INNER JOIN audit_period ON audit_period.period_end BETWEEN parameter.effective_from AND parameter.effective_to
