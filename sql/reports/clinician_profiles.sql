-- clinician_profiles.parquet and clinician_profiles.csv: each rendering clinician's figures of the audited period
-- (month is empty) and of each month of it, against peers of the discipline. What rests on counts of fewer than
-- clinic.smallest_cell is left blank, with what it could be reckoned from.
WITH figure AS (
    SELECT
        clinician_npi,
        discipline,
        NULL AS month,
        metric,
        numerator,
        denominator,
        value,
        suppressed,
        compared_with,
        peers,
        percentile,
        p20,
        p50,
        p80,
        outlier
    FROM clinician_profile
    UNION ALL BY NAME
    SELECT
        clinician_npi,
        discipline,
        month,
        metric,
        numerator,
        denominator,
        value,
        suppressed,
        if(p50 IS NULL, NULL, 'peers') AS compared_with,
        p50
    FROM clinician_profile_month
)

SELECT
    figure.clinician_npi,
    provider.provider_name,
    provider.credential,
    figure.discipline,
    figure.month,
    figure.metric,
    profile_metric.title,
    profile_metric.kind,
    if(figure.suppressed, NULL, round(figure.value, 4)) AS value,
    if(figure.suppressed, NULL, figure.numerator) AS counted,
    if(figure.suppressed, NULL, figure.denominator) AS divided_by,
    figure.compared_with,
    figure.peers::BIGINT AS peers,
    if(figure.suppressed, NULL, round(figure.percentile, 1)) AS percentile,
    round(figure.p20, 4) AS p20,
    round(figure.p50, 4) AS p50,
    round(figure.p80, 4) AS p80,
    if(figure.suppressed, NULL, figure.outlier) AS outlier,
    figure.suppressed
FROM figure
INNER JOIN profile_metric ON figure.metric = profile_metric.metric
LEFT JOIN provider ON figure.clinician_npi = provider.npi
ORDER BY figure.discipline, figure.clinician_npi, figure.month NULLS FIRST, profile_metric.place
