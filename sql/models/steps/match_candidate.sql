-- Pairs of a remittance line that names no claim line and a line that it may be about, with the points in which they
-- agree: of its claim, on the same day or under the same code; where the claim's number is not known, of its patient
-- and day; where the patient's is not either, of its payer, day, code and charge, if there is one such pair only.
WITH weight AS (
    SELECT
        key,
        max(value) / sum(max(value)) OVER () AS share
    FROM parameter
    WHERE name = 'clinic.remittance_match_weight'
    GROUP BY key
),

weights AS (
    SELECT
        max(share) FILTER (WHERE key = 'date') AS of_date,
        max(share) FILTER (WHERE key = 'code') AS of_code,
        max(share) FILTER (WHERE key = 'modifiers') AS of_modifiers,
        max(share) FILTER (WHERE key = 'units') AS of_units,
        max(share) FILTER (WHERE key = 'charge') AS of_charge
    FROM weight
),

least_score AS (
    SELECT
        key AS reach,
        max(value) AS score
    FROM parameter
    WHERE name = 'clinic.remittance_match_score'
    GROUP BY key
),

loose AS (
    SELECT
        remitted_line.*,
        remitted_line.claim_id IN (SELECT claim_id FROM claim_line) AS claim_known
    FROM remitted_line
    WHERE
        remitted_line.line_kind = 'service'
        AND remitted_line.remitted_id NOT IN (SELECT remitted_id FROM keyed_match)
),

line_of_payer AS (
    SELECT
        line_id,
        upper(payer) AS payer,
        service_date,
        hcpcs_code,
        charge_amount
    FROM current_line
    WHERE (service_date, hcpcs_code) IN (SELECT (service_date, hcpcs_code) FROM loose WHERE NOT claim_known)
),

of_payer AS (
    SELECT
        loose.remitted_id,
        line_of_payer.line_id,
        count(*) OVER (PARTITION BY loose.remitted_id) AS lines,
        count(*) OVER (PARTITION BY line_of_payer.line_id, loose.is_reversal) AS remittances
    FROM loose
    INNER JOIN line_of_payer
        ON
            upper(loose.payer) = line_of_payer.payer
            AND loose.service_date = line_of_payer.service_date
            AND loose.hcpcs_code = line_of_payer.hcpcs_code
            AND loose.charge_amount = line_of_payer.charge_amount
    WHERE
        NOT loose.claim_known
        AND (loose.patient_id IS NULL OR loose.patient_id NOT IN (SELECT patient_id FROM current_line))
),

pair AS (
    SELECT
        loose.remitted_id,
        current_line.line_id,
        'claim' AS reach
    FROM loose
    INNER JOIN current_line
        ON
            loose.claim_id = current_line.claim_id
            AND (loose.service_date = current_line.service_date OR loose.hcpcs_code = current_line.hcpcs_code)
    WHERE loose.claim_known
    UNION ALL
    SELECT
        loose.remitted_id,
        current_line.line_id,
        'patient' AS reach
    FROM loose
    INNER JOIN current_line
        ON loose.patient_id = current_line.patient_id AND loose.service_date = current_line.service_date
    WHERE NOT loose.claim_known
    UNION ALL
    SELECT
        remitted_id,
        line_id,
        'payer' AS reach
    FROM of_payer
    WHERE lines = 1 AND remittances = 1
),

compared AS (
    SELECT
        pair.*,
        loose.adjudication,
        loose.is_reversal,
        loose.remittance_id,
        loose.remittance_line_number,
        current_line.claim_id,
        current_line.claim_line_number,
        coalesce((loose.service_date = current_line.service_date)::INTEGER, 0.5) AS same_date,
        coalesce((loose.hcpcs_code = current_line.hcpcs_code)::INTEGER, 0.5) AS same_code,
        CASE
            WHEN len(loose.modifiers) + len(current_line.modifiers) = 0 THEN 1.0
            ELSE
                len(list_intersect(loose.modifiers, current_line.modifiers))
                / len(list_distinct(list_concat(loose.modifiers, current_line.modifiers)))
        END AS same_modifiers,
        coalesce((loose.units = current_line.units)::INTEGER, 0.5) AS same_units,
        coalesce((loose.charge_amount = current_line.charge_amount)::INTEGER, 0.5) AS same_charge
    FROM pair
    INNER JOIN loose ON pair.remitted_id = loose.remitted_id
    INNER JOIN current_line ON pair.line_id = current_line.line_id
    -- What the payer judged together names each claim line once.
    ANTI JOIN keyed_match
        ON
            pair.line_id = keyed_match.line_id
            AND loose.adjudication = keyed_match.adjudication
            AND loose.is_reversal = keyed_match.is_reversal
),

scored AS (
    SELECT
        compared.*,
        (
            compared.same_date * weights.of_date
            + compared.same_code * weights.of_code
            + compared.same_modifiers * weights.of_modifiers
            + compared.same_units * weights.of_units
            + compared.same_charge * weights.of_charge
        )::DECIMAL(4, 3) AS match_score
    FROM compared
    CROSS JOIN weights
)

SELECT
    scored.remitted_id,
    scored.line_id,
    scored.match_score,
    hash(scored.adjudication, scored.is_reversal, scored.line_id) AS answered, -- one line in what was judged together
    row_number() OVER (
        ORDER BY
            scored.match_score DESC,
            scored.remittance_line_number,
            scored.claim_line_number,
            scored.remittance_id,
            scored.claim_id
    ) AS place
FROM scored
INNER JOIN least_score ON scored.reach = least_score.reach
WHERE scored.match_score >= least_score.score
