-- 97530 beside exercise, neuromuscular re-education or self-care training: the note shows time and purpose of each.
WITH visit AS (
    SELECT
        *,
        list_filter(codes, lambda item: item.hcpcs_code = '97530' AND item.units_billed > 0)[1] AS activity,
        list_filter(
            codes, lambda item: item.hcpcs_code IN ('97110', '97112', '97535') AND item.units_billed > 0
        ) AS partners
    FROM visits_in_scope($rule)
    WHERE itemized
),

pair AS (
    SELECT
        * EXCLUDE (partners),
        unnest(partners) AS partner
    FROM visit
    WHERE activity IS NOT NULL
),

judged AS (
    SELECT
        pair.claim_id,
        pair.claim_line_number,
        pair.partner.hcpcs_code AS partner_code,
        CASE
            WHEN pair.activity.minutes IS NULL THEN 'the note gives 97530 neither minutes nor times of its own'
            WHEN pair.partner.minutes IS NULL
                THEN 'the note gives ' || pair.partner.hcpcs_code || ' neither minutes nor times of its own'
            WHEN activity_day.own_text_key = partner_day.own_text_key
                THEN 'the note says the same of 97530 and ' || pair.partner.hcpcs_code
        END AS reason
    FROM pair
    LEFT JOIN activity_day
        ON
            pair.patient_id = activity_day.patient_id
            AND pair.service_date = activity_day.service_date
            AND pair.discipline = activity_day.discipline
            AND activity_day.hcpcs_code = '97530'
    LEFT JOIN activity_day AS partner_day
        ON
            pair.patient_id = partner_day.patient_id
            AND pair.service_date = partner_day.service_date
            AND pair.discipline = partner_day.discipline
            AND pair.partner.hcpcs_code = partner_day.hcpcs_code
)

SELECT
    claim_id,
    claim_line_number,
    0.00 AS amount_at_risk,
    '97530 with ' || string_agg(partner_code, ', ' ORDER BY partner_code) AS codes,
    min(reason) AS reason
FROM judged
WHERE reason IS NOT NULL
GROUP BY claim_id, claim_line_number
