-- The denials sheet of the workbook: what is open first, the largest amounts first.
WITH flagged AS (
    SELECT
        denial_rule.answer_id,
        string_agg(rule.title, '; ' ORDER BY rule.title) AS flagged_by
    FROM report_denial_rule AS denial_rule
    INNER JOIN rule ON denial_rule.rule = rule.rule
    WHERE denial_rule.state = 'flagged'
    GROUP BY denial_rule.answer_id
)

SELECT
    denial.outcome,
    denial.open_amount,
    denial.age_days,
    denial.category,
    denial.group_code,
    denial.reason_code,
    denial.remark_code,
    denial.denied_date,
    denial.denied_amount,
    denial.recovered_amount,
    denial.patient_amount,
    denial.written_off_amount,
    denial.claim_id,
    denial.claim_line_number,
    denial.patient_id,
    denial.service_date,
    denial.hcpcs_code,
    denial.rendering_npi,
    denial.provider_name,
    denial.payer,
    denial.remittance_id,
    flagged.flagged_by
FROM report_denial AS denial
LEFT JOIN flagged ON denial.answer_id = flagged.answer_id
ORDER BY
    denial.outcome = 'open' DESC,
    denial.open_amount DESC,
    denial.denied_amount DESC,
    denial.claim_id,
    denial.claim_line_number,
    denial.remittance_id,
    denial.remittance_line_number
LIMIT $rows
