-- Each denial, with what became of the money. denied_amount is what the answer denies. counted_amount is the part of it
-- that no later answer denies again, so that a line's dollars count once: all of it is either recovered (a later answer
-- pays it), the patient's (left to them), written off (settled later without being paid: mostly the difference to the
-- contract's price), or open.
CREATE OR REPLACE TEMP TABLE report_denial AS
WITH reckoned AS (
    SELECT
        *,
        sum(paid_amount) OVER (
            PARTITION BY claim_id, claim_line_number ORDER BY answer_number ROWS UNBOUNDED PRECEDING
        ) AS paid_so_far,
        min(CASE WHEN denied_amount IS NOT NULL THEN answer_number END) OVER (
            PARTITION BY claim_id, claim_line_number
            ORDER BY answer_number ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS next_denial,
        max(answer_number) OVER (PARTITION BY claim_id, claim_line_number) AS last_answer
    FROM report_answer
),

-- The answer that closes a denial: the next denial of the line, or else its last answer, if that takes nothing back.
closed AS (
    SELECT
        denial.*,
        closing.answer_number IS NOT NULL AS is_closed,
        denial.next_denial IS NOT NULL AS is_denied_again,
        CASE
            WHEN denial.next_denial IS NULL THEN denial.denied_amount
            ELSE greatest(denial.denied_amount - closing.denied_amount, 0.00)
        END AS counted_amount,
        greatest(coalesce(closing.paid_so_far - denial.paid_so_far, 0.00), 0.00) AS paid_later,
        greatest(coalesce(closing.patient_amount - denial.patient_amount, 0.00), 0.00) AS patient_later
    FROM reckoned AS denial
    LEFT JOIN reckoned AS closing
        ON
            denial.claim_id = closing.claim_id
            AND denial.claim_line_number = closing.claim_line_number
            AND coalesce(denial.next_denial, denial.last_answer) = closing.answer_number
            AND denial.answer_number < closing.answer_number
            AND NOT closing.reversal
    WHERE denial.denied_amount IS NOT NULL
),

split AS (
    SELECT
        *,
        least(counted_amount, paid_later) AS recovered_amount,
        CASE
            WHEN is_closed THEN least(counted_amount - least(counted_amount, paid_later), patient_later)
            ELSE denied_to_patient_amount
        END AS left_to_patient_amount
    FROM closed
),

dated AS (
    SELECT coalesce(any_value(audit_period.as_of), max(remittance_line.paid_date)) AS as_of
    FROM audit_period
    LEFT JOIN remittance_line ON remittance_line.paid_date IS NOT NULL
)

SELECT
    split.answer_id,
    split.claim_id,
    split.claim_line_number,
    line.patient_id,
    line.service_date,
    strftime(line.service_date, '%Y-%m') AS month,
    line.discipline,
    line.hcpcs_code,
    line.rendering_npi,
    provider.provider_name,
    line.payer,
    line.plan,
    split.remittance_id,
    split.remittance_line_number,
    split.paid_date AS denied_date,
    split.category,
    split.group_code,
    split.reason_code,
    split.remark_code,
    split.codes,
    CASE
        WHEN split.is_denied_again THEN 'denied again'
        WHEN split.recovered_amount > 0 THEN 'recovered'
        WHEN split.is_closed AND split.left_to_patient_amount > 0 THEN 'patient'
        WHEN split.is_closed THEN 'written off'
        WHEN split.left_to_patient_amount >= split.counted_amount THEN 'patient'
        ELSE 'open'
    END AS outcome,
    dated.as_of - split.paid_date AS age_days,
    split.charge_amount,
    split.denied_amount,
    split.counted_amount,
    split.recovered_amount,
    split.left_to_patient_amount AS patient_amount,
    CASE
        WHEN split.is_closed THEN split.counted_amount - split.recovered_amount - split.left_to_patient_amount
        ELSE 0.00
    END::DECIMAL(12, 2) AS written_off_amount,
    CASE WHEN split.is_closed THEN 0.00 ELSE split.counted_amount - split.left_to_patient_amount END::DECIMAL(12, 2)
        AS open_amount
FROM split
INNER JOIN therapy_line AS line
    ON split.claim_id = line.claim_id AND split.claim_line_number = line.claim_line_number
LEFT JOIN provider ON line.rendering_npi = provider.npi
CROSS JOIN dated
