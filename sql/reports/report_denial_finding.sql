-- Each denial with each finding that is about what it denies: its line or, by the rule's grain, its visit, activity or
-- episode. An activity's and an episode's finding reaches from the day since when it holds to the day that it names.
CREATE OR REPLACE TEMP TABLE report_denial_finding AS
WITH found AS (
    SELECT
        finding.finding_id,
        finding.rule,
        finding.claim_id,
        finding.claim_line_number,
        finding.patient_id,
        finding.service_date,
        finding.discipline,
        finding.plan,
        finding.hcpcs_code,
        rule.grain,
        CASE
            WHEN rule.grain IN ('activity', 'episode')
                THEN coalesce(try_cast(finding.facts ->> 'since' AS DATE), finding.service_date)
        END AS since
    FROM finding
    INNER JOIN rule ON finding.rule = rule.rule
)

SELECT
    denial.answer_id,
    found.finding_id,
    found.rule
FROM report_denial AS denial
INNER JOIN found ON denial.claim_id = found.claim_id AND denial.claim_line_number = found.claim_line_number
UNION
SELECT
    denial.answer_id,
    found.finding_id,
    found.rule
FROM report_denial AS denial
INNER JOIN found
    ON
        denial.patient_id = found.patient_id
        AND denial.service_date = found.service_date
        AND denial.discipline IS NOT DISTINCT FROM found.discipline
        AND denial.plan IS NOT DISTINCT FROM found.plan
WHERE found.grain = 'visit' OR (found.grain = 'service' AND denial.hcpcs_code = found.hcpcs_code)
UNION
SELECT
    denial.answer_id,
    found.finding_id,
    found.rule
FROM report_denial AS denial
INNER JOIN found
    ON
        denial.patient_id = found.patient_id
        AND denial.discipline IS NOT DISTINCT FROM found.discipline
        AND denial.service_date BETWEEN least(found.since, found.service_date) AND found.service_date
WHERE found.grain = 'episode' OR (found.grain = 'activity' AND denial.hcpcs_code = found.hcpcs_code)
