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
),

reviewed AS (
    SELECT
        finding_id,
        arg_max(
            struct_pack(disposition := disposition, reviewer := reviewer, reviewed_on := reviewed_on),
            coalesce(reviewed_on, DATE '0001-01-01')
        ) AS decision
    FROM review
    GROUP BY finding_id
)

SELECT
    finding.finding_id,
    coalesce(stake.claim_amount, 0.00) AS claim_amount,
    reviewed.decision
FROM finding
INNER JOIN touched ON finding.finding_id = touched.finding_id
LEFT JOIN stake ON finding.finding_id = stake.finding_id
LEFT JOIN reviewed ON finding.finding_id = reviewed.finding_id
ORDER BY claim_amount DESC, finding.amount_at_risk DESC, finding.finding_id
