-- One row: what the audit found in all. Amounts are exposure, so that no line's dollars are counted twice.
WITH line AS (
    SELECT
        count(*) AS lines_audited,
        count(DISTINCT claim_id) AS claims_audited,
        count(DISTINCT patient_id) AS patients
    FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN period_start AND period_end
),

found AS (
    SELECT
        count(*) AS findings,
        count(*) FILTER (WHERE severity = 'error') AS errors,
        count(*) FILTER (WHERE severity = 'warning') AS warnings,
        count(*) FILTER (WHERE severity = 'info') AS infos,
        count(*) FILTER (WHERE direction = 'overpayment') AS overpayment_findings,
        count(*) FILTER (WHERE direction = 'underpayment') AS underpayment_findings,
        count(*) FILTER (WHERE direction = 'compliance') AS compliance_findings,
        count(DISTINCT (claim_id, claim_line_number)) FILTER (WHERE claim_line_number > 0) AS lines_with_findings,
        coalesce(sum(exposure_amount) FILTER (WHERE direction = 'overpayment'), 0.00) AS overpayment_amount,
        coalesce(sum(exposure_amount) FILTER (WHERE direction = 'underpayment'), 0.00) AS underpayment_amount,
        count(*) FILTER (WHERE reference_state = 'stale_reference') AS stale_findings
    FROM report_finding
),

silent AS (
    SELECT
        count(*) AS dismissed_findings,
        coalesce(sum(amount_at_risk), 0.00) AS dismissed_amount
    FROM report_dismissed
),

exposed AS (
    SELECT
        count(*) FILTER (WHERE report_finding.direction = 'overpayment') AS overpayment_lines,
        count(*) FILTER (WHERE report_finding.direction = 'underpayment') AS underpayment_lines
    FROM finding_line
    INNER JOIN report_finding ON finding_line.finding_id = report_finding.finding_id
    WHERE finding_line.exposure_amount > 0
),

-- Findings about dollars on lines for which the export gives no amount of any kind.
unpriced AS (
    SELECT count(*) AS unpriced_findings
    FROM report_finding
    INNER JOIN current_line USING (claim_id, claim_line_number)
    WHERE
        report_finding.direction <> 'compliance'
        AND report_finding.amount_at_risk = 0
        AND coalesce(current_line.allowed_amount, current_line.paid_amount, current_line.charge_amount) IS NULL
),

judged AS (
    SELECT
        coalesce(sum(in_scope), 0)::BIGINT AS in_scope,
        coalesce(sum(not_evaluable), 0)::BIGINT AS not_evaluable,
        coalesce(sum(error), 0)::BIGINT AS error,
        count(*) FILTER (WHERE error > 0) AS rules_failed
    FROM coverage
),

intake AS (
    SELECT
        count(*) AS files,
        coalesce(sum(rows_in), 0)::BIGINT AS rows_in,
        coalesce(sum(rows_loaded), 0)::BIGINT AS rows_loaded,
        coalesce(sum(rows_quarantined), 0)::BIGINT AS rows_quarantined
    FROM intake_file
)

SELECT
    audit_period.*,
    line.*,
    found.*,
    exposed.*,
    silent.*,
    unpriced.*,
    judged.*,
    intake.*
FROM audit_period
CROSS JOIN line
CROSS JOIN found
CROSS JOIN exposed
CROSS JOIN silent
CROSS JOIN unpriced
CROSS JOIN judged
CROSS JOIN intake
