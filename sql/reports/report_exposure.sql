-- The dollars that count in totals, by claim line: whose line it is, its payer and its month, not its finding's (an
-- episode's finding speaks of several days). Without a line they are the finding's.
CREATE OR REPLACE TEMP TABLE report_exposure AS
SELECT
    finding_line.finding_id,
    report_finding.direction,
    CASE WHEN line.claim_id IS NULL THEN report_finding.rendering_npi ELSE line.rendering_npi END AS rendering_npi,
    CASE WHEN line.claim_id IS NULL THEN report_finding.payer ELSE line.payer END AS payer,
    strftime(coalesce(line.service_date, report_finding.service_date), '%Y-%m') AS month,
    finding_line.exposure_amount
FROM finding_line
INNER JOIN report_finding ON finding_line.finding_id = report_finding.finding_id
LEFT JOIN therapy_line AS line
    ON finding_line.claim_id = line.claim_id AND finding_line.claim_line_number = line.claim_line_number
WHERE finding_line.exposure_amount > 0
