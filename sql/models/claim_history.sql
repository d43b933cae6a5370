-- Each version of each claim and what became of it: of the versions of one claim the last one sent counts, and none
-- where that is a void. Under another number a replacement or void belongs to the claim that it names.
WITH RECURSIVE version AS (
    SELECT
        claim_id,
        claim_version,
        min(patient_id) AS patient_id,
        max(claim_frequency_code) AS claim_frequency_code,
        max(original_claim_id) AS original_claim_id,
        max(submitted_date) AS submitted_date,
        max(received_date) AS received_date
    FROM claim_line
    GROUP BY claim_id, claim_version
),

cutoff AS (
    SELECT max(as_of) AS as_of
    FROM audit_period
),

sent AS (
    SELECT
        version.*,
        coalesce(version.submitted_date > cutoff.as_of, FALSE) AS is_later
    FROM version
    CROSS JOIN cutoff
),

naming AS (
    SELECT DISTINCT
        claim_id,
        patient_id,
        original_claim_id
    FROM sent
    WHERE claim_frequency_code IN ('7', '8') AND original_claim_id <> claim_id AND NOT is_later
),

-- The number named is the provider's or the payer's; a remittance tells whose claim the payer's is.
named AS (
    SELECT
        naming.claim_id,
        naming.patient_id,
        naming.original_claim_id AS named_id
    FROM naming
    UNION
    SELECT
        naming.claim_id,
        naming.patient_id,
        remittance_claim.claim_id AS named_id
    FROM naming
    INNER JOIN remittance_claim ON naming.original_claim_id = remittance_claim.payer_claim_control_number
    WHERE
        naming.claim_id <> remittance_claim.claim_id
        AND naming.original_claim_id NOT IN (SELECT claim_id FROM sent)
),

link AS (
    SELECT
        named.claim_id,
        named.named_id,
        bool_or(named.patient_id = sent.patient_id) AS same_patient
    FROM named
    INNER JOIN sent ON named.named_id = sent.claim_id
    WHERE NOT sent.is_later
    GROUP BY named.claim_id, named.named_id
),

-- From each claim back to all that it goes back to. A number that many patients' claims name is a mistake: it ties
-- nothing together.
back AS (
    SELECT
        claim_id,
        claim_id AS earlier_id
    FROM link
    UNION
    SELECT
        named_id AS claim_id,
        named_id AS earlier_id
    FROM link
    UNION
    SELECT
        back.claim_id,
        link.named_id AS earlier_id
    FROM back
    INNER JOIN link ON back.earlier_id = link.claim_id
    WHERE link.same_patient
),

family AS (
    SELECT
        claim_id,
        coalesce(
            min(earlier_id) FILTER (WHERE earlier_id NOT IN (SELECT claim_id FROM link WHERE same_patient)),
            min(earlier_id)
        ) AS family_id,
        count(*) AS depth
    FROM back
    GROUP BY claim_id
),

repeated AS (
    SELECT claim_id
    FROM sent
    GROUP BY claim_id
    HAVING count(*) > 1
),

-- Only claims with several versions, or that others name, need to be put in order.
several AS (
    SELECT
        sent.*,
        coalesce(family.family_id, sent.claim_id) AS family_id,
        coalesce(family.depth, 0) AS depth,
        max(sent.submitted_date) OVER (PARTITION BY sent.claim_id ORDER BY sent.claim_version) AS sent_by
    FROM sent
    LEFT JOIN family ON sent.claim_id = family.claim_id
    WHERE
        NOT sent.is_later
        AND (
            family.claim_id IS NOT NULL
            OR sent.claim_id IN (SELECT claim_id FROM repeated)
        )
),

followed AS (
    SELECT
        claim_id,
        claim_version,
        family_id,
        submitted_date,
        claim_frequency_code,
        lead({'claim_id': claim_id, 'version': claim_version, 'code': coalesce(claim_frequency_code, '1')}) OVER (
            PARTITION BY family_id
            ORDER BY sent_by NULLS FIRST, depth, claim_version, received_date NULLS FIRST, claim_id
        ) AS following
    FROM several
),

-- What another patient's claim names is superseded all the same: the patient may be what was put right.
taken AS (
    SELECT
        followed.claim_id,
        followed.claim_version,
        min({
            'claim_id': replacement.claim_id,
            'version': replacement.claim_version,
            'code': replacement.claim_frequency_code
        }) AS following
    FROM followed
    INNER JOIN link ON followed.claim_id = link.named_id
    INNER JOIN followed AS replacement ON link.claim_id = replacement.claim_id
    WHERE
        followed.family_id <> replacement.family_id
        AND replacement.claim_frequency_code IN ('7', '8')
        AND coalesce(replacement.submitted_date >= followed.submitted_date, TRUE)
    GROUP BY followed.claim_id, followed.claim_version
),

settled AS (
    SELECT
        followed.claim_id,
        followed.claim_version,
        coalesce(followed.following, taken.following) AS following
    FROM followed
    LEFT JOIN taken ON followed.claim_id = taken.claim_id AND followed.claim_version = taken.claim_version
)

SELECT
    sent.claim_id,
    sent.claim_version,
    sent.claim_frequency_code,
    sent.submitted_date,
    -- later: sent after the date that the run looks from.
    CASE
        WHEN sent.is_later THEN 'later'
        WHEN sent.claim_frequency_code = '8' THEN 'void'
        WHEN settled.following IS NULL THEN 'current'
        WHEN settled.following.code = '7' THEN 'replaced'
        WHEN settled.following.code = '8' THEN 'voided'
        ELSE 'resubmitted'
    END AS state,
    settled.following.claim_id AS superseded_by_claim_id,
    settled.following.version AS superseded_by_version
FROM sent
LEFT JOIN settled ON sent.claim_id = settled.claim_id AND sent.claim_version = settled.claim_version
