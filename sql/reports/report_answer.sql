-- Each answer of a payer on a current claim line of the audited period that was denied at least once: what it pays,
-- and what it denies and why (no denial: nulls). An answer denies where an adjustment's reason is a denial; and where
-- nothing is allowed, if a reason is not in the table or none is given. A claim's adjustments stand for those of its
-- lines that have none of their own and are not paid. Few lines are ever denied: they are looked for first, in tables
-- of their own, since DuckDB plans what follows by how few they are.

-- The lines of the claims that were judged as a whole, which are shared over them by what they are worth.
CREATE OR REPLACE TEMP TABLE report_whole AS
WITH answered AS (
    SELECT
        remittance_line.remittance_id,
        remittance_line.remittance_line_number,
        remittance_line.claim_id
    FROM remittance_line
    CROSS JOIN audit_period
    WHERE remittance_line.line_kind = 'claim' AND coalesce(remittance_line.paid_date <= audit_period.as_of, TRUE)
)

SELECT
    line.claim_id,
    line.claim_line_number,
    answered.remittance_id,
    answered.remittance_line_number,
    row_number() OVER claim_lines AS place,
    count(*) OVER (PARTITION BY answered.remittance_id, answered.remittance_line_number) AS lines,
    coalesce(sum(line.line_amount) OVER claim_lines, 0.00) AS amount_up_to,
    sum(line.line_amount) OVER (PARTITION BY answered.remittance_id, answered.remittance_line_number) AS claim_amount,
    line.line_amount
FROM therapy_line AS line
INNER JOIN audit_period ON line.service_date BETWEEN audit_period.period_start AND audit_period.period_end
INNER JOIN answered ON line.claim_id = answered.claim_id
WINDOW claim_lines AS (
    PARTITION BY answered.remittance_id, answered.remittance_line_number ORDER BY line.claim_line_number
);

-- The lines with an answer that may deny: no other line is denied.
CREATE OR REPLACE TEMP TABLE report_may_be_denied AS
WITH reason AS (
    SELECT
        adjustment.remittance_id,
        adjustment.remittance_claim_number,
        adjustment.remittance_line_number
    FROM remittance_adjustment AS adjustment
    INNER JOIN denial_reason ON adjustment.reason_code = denial_reason.reason_code
    WHERE denial_reason.is_denial
),

may_deny AS (
    SELECT
        remittance_id,
        remittance_line_number
    FROM remittance_line
    WHERE coalesce(allowed_amount, 0.00) = 0 AND coalesce(paid_amount, 0.00) = 0
    UNION
    SELECT
        remittance_id,
        remittance_line_number
    FROM reason
    WHERE remittance_line_number IS NOT NULL
    UNION
    SELECT
        answered.remittance_id,
        answered.remittance_line_number
    FROM remittance_line AS answered
    INNER JOIN reason
        ON
            answered.remittance_id = reason.remittance_id
            AND answered.remittance_claim_number = reason.remittance_claim_number
            AND reason.remittance_line_number IS NULL
)

SELECT
    line_remittance.claim_id,
    line_remittance.claim_line_number
FROM line_remittance
SEMI JOIN may_deny
    ON
        line_remittance.remittance_id = may_deny.remittance_id
        AND line_remittance.remittance_line_number = may_deny.remittance_line_number
UNION
SELECT
    whole.claim_id,
    whole.claim_line_number
FROM report_whole AS whole
SEMI JOIN may_deny
    ON
        whole.remittance_id = may_deny.remittance_id
        AND whole.remittance_line_number = may_deny.remittance_line_number;

-- All answers on these lines, each with the part of it that is the line's.
CREATE OR REPLACE TEMP TABLE report_answered AS
WITH line AS (
    SELECT
        therapy_line.claim_id,
        therapy_line.claim_line_number
    FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN audit_period.period_start AND audit_period.period_end
    INNER JOIN report_may_be_denied AS may_be_denied
        ON
            therapy_line.claim_id = may_be_denied.claim_id
            AND therapy_line.claim_line_number = may_be_denied.claim_line_number
),

matched AS (
    SELECT
        line.claim_id,
        line.claim_line_number,
        line_remittance.remittance_id,
        line_remittance.remittance_line_number,
        0.0::DOUBLE AS part_from,
        1.0::DOUBLE AS part_to
    FROM line_remittance
    INNER JOIN line
        ON line_remittance.claim_id = line.claim_id AND line_remittance.claim_line_number = line.claim_line_number
    ANTI JOIN report_whole AS whole
        ON
            line_remittance.remittance_id = whole.remittance_id
            AND line_remittance.remittance_line_number = whole.remittance_line_number
    UNION ALL
    SELECT
        whole.claim_id,
        whole.claim_line_number,
        whole.remittance_id,
        whole.remittance_line_number,
        CASE
            WHEN whole.claim_amount > 0 THEN (whole.amount_up_to - whole.line_amount) / whole.claim_amount
            ELSE (whole.place - 1) / whole.lines
        END AS part_from,
        CASE WHEN whole.claim_amount > 0 THEN whole.amount_up_to / whole.claim_amount ELSE whole.place / whole.lines END
            AS part_to
    FROM report_whole AS whole
    SEMI JOIN report_may_be_denied AS may_be_denied
        ON whole.claim_id = may_be_denied.claim_id AND whole.claim_line_number = may_be_denied.claim_line_number
)

SELECT
    matched.*,
    hash(
        matched.claim_id, matched.claim_line_number, matched.remittance_id, matched.remittance_line_number
    ) AS answer_id,
    answered.remittance_claim_number,
    answered.paid_date,
    answered.claim_status_code = '4' AS whole_claim_denied,
    coalesce(
        answered.claim_status_code = '22' OR answered.paid_amount < 0 OR answered.charge_amount < 0, FALSE
    ) AS reversal,
    coalesce(share_of(answered.charge_amount, matched.part_from, matched.part_to), 0.00) AS charge_amount,
    coalesce(share_of(answered.paid_amount, matched.part_from, matched.part_to), 0.00) AS paid_amount,
    coalesce(share_of(answered.patient_responsibility_amount, matched.part_from, matched.part_to), 0.00)
        AS patient_amount,
    coalesce(answered.paid_amount, 0.00) = 0
    AND coalesce(answered.allowed_amount, 0.00) = 0
    AND coalesce(answered.patient_responsibility_amount, 0.00) = 0
    AND coalesce(answered.charge_amount, 0.00) > 0 AS nothing_allowed
FROM matched
INNER JOIN remittance_line AS answered
    ON
        matched.remittance_id = answered.remittance_id
        AND matched.remittance_line_number = answered.remittance_line_number;

CREATE OR REPLACE TEMP TABLE report_answer AS
WITH adjustment AS (
    SELECT
        answer.answer_id,
        answer.nothing_allowed,
        own.adjustment_number,
        own.group_code,
        own.reason_code,
        own.remark_code,
        coalesce(share_of(own.amount, answer.part_from, answer.part_to), answer.charge_amount) AS amount
    FROM report_answered AS answer
    INNER JOIN remittance_adjustment AS own
        ON answer.remittance_id = own.remittance_id AND answer.remittance_line_number = own.remittance_line_number
    WHERE NOT answer.reversal
    UNION ALL
    SELECT
        answer.answer_id,
        answer.nothing_allowed,
        of_claim.adjustment_number,
        of_claim.group_code,
        of_claim.reason_code,
        of_claim.remark_code,
        answer.charge_amount AS amount
    FROM report_answered AS answer
    INNER JOIN remittance_adjustment AS of_claim
        ON
            answer.remittance_id = of_claim.remittance_id
            AND answer.remittance_claim_number = of_claim.remittance_claim_number
            AND of_claim.remittance_line_number IS NULL
    ANTI JOIN remittance_adjustment AS own
        ON answer.remittance_id = own.remittance_id AND answer.remittance_line_number = own.remittance_line_number
    WHERE NOT answer.reversal AND answer.paid_amount = 0
),

judged AS (
    SELECT
        adjustment.*,
        coalesce(denial_reason.category, 'reason not in the table') AS category,
        coalesce(denial_reason.remark_decides, TRUE) AS remark_decides,
        adjustment.amount > 0 AND coalesce(denial_reason.is_denial, adjustment.nothing_allowed) AS denies
    FROM adjustment
    LEFT JOIN denial_reason ON adjustment.reason_code = denial_reason.reason_code
),

-- Of several reasons the one that denies most dollars is told.
reasoned AS (
    SELECT
        answer_id,
        arg_min(
            struct_pack(
                of_group := group_code,
                reason := reason_code,
                about := category,
                left_to_remark := remark_decides
            ),
            (-amount, adjustment_number, reason_code)
        ) FILTER (denies) AS main,
        list(DISTINCT reason_code) FILTER (denies AND reason_code IS NOT NULL) AS reason_codes,
        sum(amount) FILTER (denies) AS denied_amount,
        sum(amount) FILTER (denies AND group_code = 'PR') AS denied_to_patient_amount
    FROM judged
    GROUP BY answer_id
),

denied AS (
    SELECT
        answer.*,
        reasoned.main,
        reasoned.reason_codes,
        reasoned.denied_to_patient_amount,
        CASE
            WHEN answer.reversal THEN NULL
            -- Each adjustment of a claim may stand for all of a line.
            WHEN reasoned.denied_amount > answer.charge_amount AND answer.charge_amount > 0 THEN answer.charge_amount
            WHEN reasoned.denied_amount IS NOT NULL THEN reasoned.denied_amount
            WHEN answer.nothing_allowed AND (reasoned.answer_id IS NULL OR answer.whole_claim_denied)
                THEN answer.charge_amount
        END AS denied_amount
    FROM report_answered AS answer
    LEFT JOIN reasoned ON answer.answer_id = reasoned.answer_id
),

denied_line AS (
    SELECT DISTINCT
        claim_id,
        claim_line_number
    FROM denied
    WHERE denied_amount IS NOT NULL
),

-- The remarks of a denial: beside its adjustments, on its line, on its claim, in this order.
remarked AS (
    SELECT
        adjustment.answer_id,
        adjustment.remark_code,
        1 AS level
    FROM adjustment
    WHERE adjustment.remark_code IS NOT NULL
    UNION ALL
    SELECT
        denied.answer_id,
        remark.remark_code,
        CASE WHEN remark.remittance_line_number IS NULL THEN 3 ELSE 2 END AS level
    FROM denied
    INNER JOIN remittance_remark AS remark
        ON
            denied.remittance_id = remark.remittance_id
            AND coalesce(denied.remittance_claim_number = remark.remittance_claim_number, TRUE)
            AND coalesce(denied.remittance_line_number = remark.remittance_line_number, TRUE)
    WHERE denied.denied_amount IS NOT NULL
),

-- A remark that says what is wrong goes before one that only says that something is missing.
remark AS (
    SELECT
        remarked.answer_id,
        list(DISTINCT remarked.remark_code) AS remark_codes,
        arg_min(
            struct_pack(remark := remarked.remark_code, about := remark_reason.category),
            (
                remark_reason.category IS NULL,
                coalesce(remark_reason.category = 'information missing', FALSE),
                remarked.level,
                remarked.remark_code
            )
        ) AS main
    FROM remarked
    LEFT JOIN remark_reason ON remarked.remark_code = remark_reason.remark_code
    GROUP BY remarked.answer_id
)

SELECT
    denied.answer_id,
    denied.claim_id,
    denied.claim_line_number,
    denied.remittance_id,
    denied.remittance_line_number,
    denied.paid_date,
    denied.reversal,
    denied.charge_amount,
    CASE WHEN denied.reversal THEN -abs(denied.paid_amount) ELSE denied.paid_amount END AS paid_amount,
    denied.denied_amount,
    least(coalesce(denied.denied_to_patient_amount, 0.00), coalesce(denied.denied_amount, 0.00))
        AS denied_to_patient_amount,
    greatest(denied.patient_amount - coalesce(denied.denied_to_patient_amount, 0.00), 0.00) AS patient_amount,
    denied.main.of_group AS group_code,
    denied.main.reason AS reason_code,
    remark.main.remark AS remark_code,
    CASE
        WHEN denied.denied_amount IS NOT NULL
            THEN
                coalesce(
                    CASE WHEN coalesce(denied.main.left_to_remark, TRUE) THEN remark.main.about END,
                    denied.main.about,
                    'reason not told'
                )
    END AS category,
    list_sort(list_concat(coalesce(denied.reason_codes, []), coalesce(remark.remark_codes, []))) AS codes,
    row_number() OVER (
        PARTITION BY denied.claim_id, denied.claim_line_number
        ORDER BY denied.paid_date NULLS FIRST, denied.remittance_id, denied.remittance_line_number
    ) AS answer_number
FROM denied
LEFT JOIN remark ON denied.answer_id = remark.answer_id
SEMI JOIN denied_line
    ON denied.claim_id = denied_line.claim_id AND denied.claim_line_number = denied_line.claim_line_number;

DROP TABLE report_whole;
DROP TABLE report_may_be_denied;
DROP TABLE report_answered
