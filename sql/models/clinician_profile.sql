-- Each rendering clinician's figures of the audited period by metric, against peers of the same discipline: a user's
-- benchmark where there is one, else the clinicians of the data, where they are enough.
WITH least AS (
    SELECT parameter.value AS peers
    FROM parameter
    INNER JOIN audit_period
        ON audit_period.period_end BETWEEN parameter.effective_from AND parameter.effective_to
    WHERE parameter.name = 'clinic.profile_peers'
),

peer AS (
    SELECT
        figure.discipline,
        figure.metric,
        count(*) AS peers,
        quantile_cont(figure.value, 0.2) AS p20,
        quantile_cont(figure.value, 0.5) AS p50,
        quantile_cont(figure.value, 0.8) AS p80
    FROM clinician_figure AS figure
    WHERE figure.month IS NULL AND figure.comparable AND figure.discipline <> 'unknown'
    GROUP BY figure.discipline, figure.metric
    HAVING count(*) >= (SELECT max(peers) FROM least)
),

ranked AS (
    SELECT
        clinician_npi,
        metric,
        100 * percent_rank() OVER (PARTITION BY discipline, metric ORDER BY value) AS percentile
    FROM clinician_figure
    WHERE month IS NULL AND comparable
),

compared AS (
    SELECT
        figure.clinician_npi,
        figure.discipline,
        figure.metric,
        figure.numerator,
        figure.denominator,
        figure.value,
        figure.suppressed,
        figure.comparable,
        CASE WHEN benchmark.metric IS NOT NULL THEN 'benchmark' WHEN peer.peers IS NOT NULL THEN 'peers' END
            AS compared_with,
        if(benchmark.metric IS NULL, peer.peers, NULL) AS peers,
        -- Of the other clinicians compared, how many in a hundred have less.
        CASE WHEN benchmark.metric IS NULL AND peer.peers IS NOT NULL THEN ranked.percentile END AS percentile,
        if(benchmark.metric IS NULL, peer.p20, benchmark.p20) AS p20,
        if(benchmark.metric IS NULL, peer.p50, benchmark.p50) AS p50,
        if(benchmark.metric IS NULL, peer.p80, benchmark.p80) AS p80
    FROM clinician_figure AS figure
    LEFT JOIN benchmark ON figure.discipline = benchmark.discipline AND figure.metric = benchmark.metric
    LEFT JOIN peer ON figure.discipline = peer.discipline AND figure.metric = peer.metric
    LEFT JOIN ranked ON figure.clinician_npi = ranked.clinician_npi AND figure.metric = ranked.metric
    WHERE figure.month IS NULL
)

SELECT
    * EXCLUDE (comparable),
    -- Where most have the same, having it is nothing to look at.
    CASE
        WHEN NOT comparable THEN NULL
        WHEN value >= p80 AND value > p50 THEN 'high'
        WHEN value <= p20 AND value < p50 THEN 'low'
    END AS outlier
FROM compared
