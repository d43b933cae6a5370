-- Each reference table with its latest edition: whether it reaches over the whole period, and how many findings were
-- made on dates that it does not cover.
WITH latest AS (
    SELECT
        concat_ws(', ', replace(reference, '_', ' '), setting) AS reference,
        arg_max(edition, (covers_to, edition)) AS edition,
        min(covers_from) AS covers_from,
        max(covers_to) AS covers_to,
        arg_max(official_file, (covers_to, edition)) AS official_file
    FROM reference_edition
    GROUP BY ALL
)

SELECT
    latest.*,
    latest.covers_to < audit_period.period_end OR latest.covers_from > audit_period.period_start AS stale,
    (
        SELECT count(*)
        FROM report_finding
        WHERE
            report_finding.reference_state = 'stale_reference'
            AND report_finding.service_date NOT BETWEEN latest.covers_from AND latest.covers_to
    ) AS findings
FROM latest
CROSS JOIN audit_period
ORDER BY stale DESC, findings DESC, latest.reference
