-- Each denial with each rule of this run that speaks to one of its reason or remark codes.
CREATE OR REPLACE TEMP TABLE report_denial_spoken AS
WITH coded AS (
    SELECT
        * EXCLUDE (codes),
        unnest(codes) AS denial_code
    FROM report_denial
)

SELECT DISTINCT
    coded.answer_id,
    coded.claim_id,
    coded.claim_line_number,
    coded.patient_id,
    coded.service_date,
    coded.discipline,
    coded.hcpcs_code,
    coded.plan,
    rule_denial_reason.rule
FROM coded
INNER JOIN rule_denial_reason ON coded.denial_code = rule_denial_reason.denial_code
INNER JOIN rule ON rule_denial_reason.rule = rule.rule
