-- What a clinician's profile compares, in the order in which it is shown.
SELECT
    metric,
    kind,
    title,
    counted,
    divided_by
FROM profile_metric
ORDER BY place
