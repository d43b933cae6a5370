-- What remittances hold in all, and denials on lines of theirs that fit no claim line given here: not counted as such.
WITH unmatched AS (
    SELECT
        remittance_line.remittance_id,
        remittance_line.remittance_line_number,
        sum(adjustment.amount) AS amount
    FROM remittance_adjustment AS adjustment
    CROSS JOIN audit_period
    INNER JOIN denial_reason ON adjustment.reason_code = denial_reason.reason_code AND denial_reason.is_denial
    INNER JOIN remittance_line
        ON
            adjustment.remittance_id = remittance_line.remittance_id
            AND adjustment.remittance_line_number = remittance_line.remittance_line_number
    ANTI JOIN line_remittance
        ON
            remittance_line.remittance_id = line_remittance.remittance_id
            AND remittance_line.remittance_line_number = line_remittance.remittance_line_number
    WHERE
        adjustment.amount > 0
        AND remittance_line.claim_status_code IS DISTINCT FROM '22'
        AND remittance_line.line_kind = 'service'
        AND coalesce(remittance_line.paid_date <= audit_period.as_of, TRUE)
    GROUP BY remittance_line.remittance_id, remittance_line.remittance_line_number
)

SELECT
    (SELECT count(*) FROM remittance_line) AS answers,
    (SELECT max(paid_date) FROM remittance_line) AS last_paid_date,
    count(*) AS denials,
    coalesce(sum(amount), 0.00) AS denied_amount
FROM unmatched
