-- Each clinician: lines audited, findings, and exposure over and under, the most dollars first.
WITH line AS (
    SELECT
        rendering_npi,
        count(*) AS lines_audited
    FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN period_start AND period_end
    GROUP BY rendering_npi
),

found AS (
    SELECT
        rendering_npi,
        count(*) AS findings,
        coalesce(sum(exposure_amount) FILTER (WHERE direction = 'overpayment'), 0.00) AS overpayment_amount,
        coalesce(sum(exposure_amount) FILTER (WHERE direction = 'underpayment'), 0.00) AS underpayment_amount
    FROM report_finding
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
