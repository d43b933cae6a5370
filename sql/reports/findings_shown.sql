-- The findings that the report shows: the largest amounts first. Those about a service have the points of its note's
-- elements, those about an activity the start of its episode.
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
LEFT JOIN report_service AS service
    ON
        report_finding.patient_id = service.patient_id
        AND report_finding.discipline = service.discipline
        AND report_finding.service_date = service.service_date
        AND report_finding.hcpcs_code = service.hcpcs_code
WHERE report_finding.place <= $rows
ORDER BY report_finding.place
