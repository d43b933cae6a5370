-- Each clinician of the audit with credentials and discipline: lines audited, findings, exposure over and under.
WITH line AS (
    SELECT
        rendering_npi AS clinician_npi,
        count(*) AS lines_audited
    FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN period_start AND period_end
    WHERE rendering_npi IS NOT NULL
    GROUP BY rendering_npi
),

found AS (
    SELECT
        rendering_npi AS clinician_npi,
        count(*) AS findings,
        count(DISTINCT (claim_id, claim_line_number)) FILTER (WHERE claim_line_number > 0) AS lines_with_findings
    FROM report_finding
    WHERE rendering_npi IS NOT NULL
    GROUP BY rendering_npi
),

exposed AS (
    SELECT
        rendering_npi AS clinician_npi,
        coalesce(sum(exposure_amount) FILTER (WHERE direction = 'overpayment'), 0.00) AS overpayment_amount,
        coalesce(sum(exposure_amount) FILTER (WHERE direction = 'underpayment'), 0.00) AS underpayment_amount
    FROM report_exposure
    WHERE rendering_npi IS NOT NULL
    GROUP BY rendering_npi
)

SELECT
    clinician_npi,
    provider.provider_name,
    provider.credential,
    coalesce(line.lines_audited, 0) AS lines_audited,
    coalesce(found.findings, 0) AS findings,
    coalesce(found.lines_with_findings, 0) AS lines_with_findings,
    coalesce(exposed.overpayment_amount, 0.00) AS overpayment_amount,
    coalesce(exposed.underpayment_amount, 0.00) AS underpayment_amount
FROM line
FULL OUTER JOIN found USING (clinician_npi)
FULL OUTER JOIN exposed USING (clinician_npi)
LEFT JOIN provider ON clinician_npi = provider.npi
ORDER BY overpayment_amount DESC, underpayment_amount DESC, findings DESC, clinician_npi
