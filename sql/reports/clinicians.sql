-- Each clinician: lines audited, findings, and exposure over and under, the most dollars first.
WITH line AS (
    SELECT
        rendering_npi,
        count(*) AS lines_audited
    FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN period_start AND period_end
    GROUP BY rendering_npi
),

counted AS (
    SELECT
        rendering_npi,
        count(*) AS findings,
        0.00 AS overpayment_amount,
        0.00 AS underpayment_amount
    FROM report_finding
    GROUP BY rendering_npi
    UNION ALL
    SELECT
        rendering_npi,
        0 AS findings,
        sum(CASE WHEN direction = 'overpayment' THEN exposure_amount ELSE 0.00 END) AS overpayment_amount,
        sum(CASE WHEN direction = 'underpayment' THEN exposure_amount ELSE 0.00 END) AS underpayment_amount
    FROM report_exposure
    GROUP BY rendering_npi
),

found AS (
    SELECT
        rendering_npi,
        sum(findings)::BIGINT AS findings,
        sum(overpayment_amount)::DECIMAL(18, 2) AS overpayment_amount,
        sum(underpayment_amount)::DECIMAL(18, 2) AS underpayment_amount
    FROM counted
    GROUP BY rendering_npi
)

SELECT
    coalesce(line.rendering_npi, found.rendering_npi) AS rendering_npi,
    provider.provider_name,
    provider.credential,
    coalesce(line.lines_audited, 0) AS lines_audited,
    coalesce(found.findings, 0) AS findings,
    coalesce(found.overpayment_amount, 0.00) AS overpayment_amount,
    coalesce(found.underpayment_amount, 0.00) AS underpayment_amount
FROM line
FULL OUTER JOIN found ON line.rendering_npi IS NOT DISTINCT FROM found.rendering_npi
LEFT JOIN provider ON coalesce(line.rendering_npi, found.rendering_npi) = provider.npi
ORDER BY overpayment_amount DESC, underpayment_amount DESC, findings DESC, rendering_npi
