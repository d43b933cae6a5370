-- 97530 beside exercise, neuromuscular re-education or self-care training: the note shows time and purpose of each.
WITH pair AS (
    SELECT
        activity.visit_id,
        activity.minutes AS activity_minutes,
        partner.hcpcs_code AS partner_code,
        partner.minutes AS partner_minutes
    FROM visit_code AS activity
    INNER JOIN visit_code AS partner ON activity.visit_id = partner.visit_id
    WHERE
        activity.hcpcs_code = '97530'
        AND activity.units_billed > 0
        AND partner.hcpcs_code IN ('97110', '97112', '97535')
        AND partner.units_billed > 0
),

judged AS (
    SELECT
        visit.visit_id,
        visit.claim_id,
        visit.claim_line_number,
        pair.partner_code,
        CASE
            WHEN pair.activity_minutes IS NULL THEN 'the note gives 97530 neither minutes nor times of its own'
            WHEN pair.partner_minutes IS NULL
                THEN 'the note gives ' || pair.partner_code || ' neither minutes nor times of its own'
            WHEN described.own_text_key = partner.own_text_key
                THEN 'the note says the same of 97530 and ' || pair.partner_code
        END AS reason
    FROM visits_in_scope($rule) AS visit
    INNER JOIN pair ON visit.visit_id = pair.visit_id
    LEFT JOIN activity_day AS described
        ON
            visit.patient_id = described.patient_id
            AND visit.service_date = described.service_date
            AND visit.discipline = described.discipline
            AND described.hcpcs_code = '97530'
    LEFT JOIN activity_day AS partner
        ON
            visit.patient_id = partner.patient_id
            AND visit.service_date = partner.service_date
            AND visit.discipline = partner.discipline
            AND pair.partner_code = partner.hcpcs_code
    WHERE visit.itemized_minutes
)

SELECT
    claim_id,
    claim_line_number,
    '97530 with ' || string_agg(partner_code, ', ' ORDER BY partner_code) AS codes,
    min(reason) AS reason
FROM judged
WHERE reason IS NOT NULL
GROUP BY visit_id, claim_id, claim_line_number
