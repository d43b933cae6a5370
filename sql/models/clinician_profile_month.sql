-- Each rendering clinician's figures of each month of the audited period by metric, with the middle of the clinicians
-- of the discipline who have enough to be compared, where these are enough.
WITH month AS (
    SELECT
        *,
        median(value) FILTER (comparable) OVER span AS peer_median,
        count(*) FILTER (comparable) OVER span AS peers
    FROM clinician_figure
    WHERE month IS NOT NULL
    WINDOW span AS (PARTITION BY discipline, month, metric)
)

SELECT
    month.clinician_npi,
    month.discipline,
    month.month,
    month.metric,
    month.numerator,
    month.denominator,
    month.value,
    month.suppressed,
    CASE WHEN month.peers >= least.value AND month.discipline <> 'unknown' THEN month.peer_median END AS p50
FROM month
CROSS JOIN audit_period
INNER JOIN parameter AS least
    ON
        least.name = 'clinic.profile_peers'
        AND audit_period.period_end BETWEEN least.effective_from AND least.effective_to
