-- Each version of a claim and of those that stand in its place or that it stands in for: what became of it, how much.
WITH family AS (
    SELECT DISTINCT claim_id FROM claim_history
    WHERE claim_id = $claim_id OR superseded_by_claim_id = $claim_id
    UNION
    SELECT superseded_by_claim_id FROM claim_history
    WHERE claim_id = $claim_id AND superseded_by_claim_id IS NOT NULL
),

billed AS (
    SELECT
        claim_id,
        claim_version,
        count(*) AS lines,
        sum(units) AS units,
        sum(charge_amount) AS charge_amount,
        max(received_date) AS received_date
    FROM claim_line
    WHERE claim_id IN (SELECT claim_id FROM family)
    GROUP BY claim_id, claim_version
)

SELECT
    history.claim_id,
    history.claim_version,
    history.claim_frequency_code,
    history.submitted_date,
    billed.received_date,
    history.state,
    history.superseded_by_claim_id,
    history.superseded_by_version,
    billed.lines,
    billed.units,
    billed.charge_amount
FROM claim_history AS history
INNER JOIN family ON history.claim_id = family.claim_id
LEFT JOIN billed ON history.claim_id = billed.claim_id AND history.claim_version = billed.claim_version
ORDER BY history.submitted_date NULLS FIRST, history.claim_id, history.claim_version
