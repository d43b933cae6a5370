-- The findings that the report shows: the largest amounts first. Those about a service have the points of its note's
-- elements, those about an activity the start of its episode. Stakes are lines and cents, for totals of what is
-- filtered: of each line the most counts.
WITH staked AS (
    SELECT
        finding_id,
        dense_rank() OVER (
            ORDER BY claim_id NULLS FIRST, claim_line_number, CASE WHEN claim_id IS NULL THEN finding_id END
        ) AS line,
        (greatest(amount_at_risk, exposure_amount) * 100)::BIGINT AS cents
    FROM finding_line
    WHERE amount_at_risk > 0
),

stakes AS (
    SELECT
        finding_id,
        string_agg(line || ':' || cents, ' ' ORDER BY line) AS stakes
    FROM staked
    GROUP BY finding_id
)

SELECT
    report_finding.finding_id,
    report_finding.rule,
    report_finding.severity,
    report_finding.direction,
    report_finding.claim_id,
    report_finding.claim_line_number,
    report_finding.patient_id,
    report_finding.service_date::VARCHAR AS service_date,
    report_finding.month,
    report_finding.discipline,
    report_finding.hcpcs_code,
    report_finding.rendering_npi,
    report_finding.payer,
    report_finding.plan,
    report_finding.amount_at_risk::DOUBLE AS amount_at_risk,
    report_finding.message,
    report_finding.facts::VARCHAR AS facts,
    report_finding.reference_state,
    report_finding.source_file,
    report_finding.source_row,
    stakes.stakes,
    CASE
        WHEN report_finding.review_state <> 'open'
            THEN
                concat_ws(
                    ' ',
                    report_finding.disposition,
                    'by ' || report_finding.reviewer,
                    'on ' || report_finding.reviewed_on,
                    CASE report_finding.review_state
                        WHEN 'changed' THEN '- its facts have changed since'
                        WHEN 'expired' THEN '- no longer valid'
                        WHEN 'came_back' THEN '- came back'
                    END
                )
    END AS review,
    rule.grain,
    -- Specific activity, skilled direction, functional goal, patient's response, time: in this order.
    CASE
        WHEN rule.grain = 'service' AND service.score IS NOT NULL
            THEN
                concat_ws(
                    ' ',
                    service.score,
                    service.specific_activity_points,
                    service.skilled_direction_points,
                    service.functional_goal_points,
                    service.patient_response_points,
                    service.time_stated_points
                )
    END AS points
FROM report_finding
LEFT JOIN rule ON report_finding.rule = rule.rule
LEFT JOIN stakes ON report_finding.finding_id = stakes.finding_id
LEFT JOIN report_service AS service
    ON
        report_finding.patient_id = service.patient_id
        AND report_finding.discipline = service.discipline
        AND report_finding.service_date = service.service_date
        AND report_finding.hcpcs_code = service.hcpcs_code
WHERE report_finding.place <= $rows
ORDER BY report_finding.place
