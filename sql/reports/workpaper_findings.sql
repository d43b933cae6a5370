-- The findings that name a claim or put its dollars at risk, the largest amounts first, with what reviewers decided.
WITH touched AS (
    SELECT finding_id FROM finding
    WHERE claim_id = $claim_id
    UNION
    SELECT finding_id FROM finding_line
    WHERE claim_id = $claim_id
),

stake AS (
    SELECT
        finding_id,
        sum(amount_at_risk) AS claim_amount
    FROM finding_line
    WHERE claim_id = $claim_id
    GROUP BY finding_id
)

SELECT
    finding.finding_id,
    coalesce(stake.claim_amount, 0.00) AS claim_amount,
    CASE
        WHEN review.finding_id IS NOT NULL
            THEN struct_pack(
                disposition := review.disposition,
                review_state := review.review_state,
                reviewer := review.reviewer,
                reviewed_on := review.reviewed_on,
                valid_until := review.valid_until,
                note := review.note
            )
    END AS decision
FROM finding
INNER JOIN touched ON finding.finding_id = touched.finding_id
LEFT JOIN stake ON finding.finding_id = stake.finding_id
LEFT JOIN finding_review AS review ON finding.finding_id = review.finding_id
ORDER BY claim_amount DESC, finding.amount_at_risk DESC, finding.finding_id
