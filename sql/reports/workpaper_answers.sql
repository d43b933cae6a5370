-- What payers answered to each line of a claim, with the adjustments of each answer, in the order of payment.
WITH adjusted AS (
    SELECT
        adjustment.remittance_id,
        adjustment.remittance_line_number,
        list(
            struct_pack(
                group_code := adjustment.group_code,
                reason_code := adjustment.reason_code,
                remark_code := adjustment.remark_code,
                amount := adjustment.amount,
                category := reason.category
            )
            ORDER BY adjustment.adjustment_number
        ) AS adjustments
    FROM remittance_adjustment AS adjustment
    LEFT JOIN denial_reason AS reason ON adjustment.reason_code = reason.reason_code
    WHERE adjustment.remittance_line_number IS NOT NULL
    GROUP BY adjustment.remittance_id, adjustment.remittance_line_number
)

SELECT
    matched.claim_line_number,
    matched.match_key,
    matched.match_score,
    answer.remittance_id,
    answer.remittance_line_number,
    answer.claim_status_code,
    answer.payer,
    answer.service_date,
    answer.hcpcs_code,
    answer.units,
    answer.charge_amount,
    answer.allowed_amount,
    answer.paid_amount,
    answer.patient_responsibility_amount,
    answer.paid_date,
    answer.source_file,
    answer.source_row,
    coalesce(adjusted.adjustments, []) AS adjustments
FROM line_remittance AS matched
INNER JOIN remittance_line AS answer
    ON
        matched.remittance_id = answer.remittance_id
        AND matched.remittance_line_number = answer.remittance_line_number
LEFT JOIN adjusted
    ON
        matched.remittance_id = adjusted.remittance_id
        AND matched.remittance_line_number = adjusted.remittance_line_number
WHERE matched.claim_id = $claim_id
ORDER BY matched.claim_line_number, answer.paid_date, answer.remittance_id, answer.remittance_line_number
