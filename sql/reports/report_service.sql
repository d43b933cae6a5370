-- Each functional activity of a patient's day in the audited period, once whoever pays, with the points that its notes
-- earn for each element: the published weights of the date (clinic.documentation_weight), scaled to 100.
CREATE OR REPLACE TEMP TABLE report_service AS
WITH once AS (
    SELECT documented_service.*
    FROM documented_service
    INNER JOIN audit_period
        ON documented_service.service_date BETWEEN audit_period.period_start AND audit_period.period_end
    QUALIFY row_number() OVER (
        PARTITION BY
            documented_service.patient_id,
            documented_service.discipline,
            documented_service.service_date,
            documented_service.hcpcs_code
        ORDER BY documented_service.claim_id, documented_service.claim_line_number, documented_service.plan
    ) = 1
),

-- Points of each element of 100.
weight AS (
    SELECT
        effective_from,
        effective_to,
        coalesce(max(value) FILTER (key = 'specific_activity'), 0) / nullif(sum(value), 0) * 100 AS specific_activity,
        coalesce(max(value) FILTER (key = 'skilled_direction'), 0) / nullif(sum(value), 0) * 100 AS skilled_direction,
        coalesce(max(value) FILTER (key = 'functional_goal'), 0) / nullif(sum(value), 0) * 100 AS functional_goal,
        coalesce(max(value) FILTER (key = 'patient_response'), 0) / nullif(sum(value), 0) * 100 AS patient_response,
        coalesce(max(value) FILTER (key = 'time_stated'), 0) / nullif(sum(value), 0) * 100 AS time_stated
    FROM parameter
    WHERE name = 'clinic.documentation_weight'
    GROUP BY effective_from, effective_to
)

SELECT
    once.*,
    strftime(once.service_date, '%Y-%m') AS month,
    provider.provider_name,
    provider.credential,
    round(weight.specific_activity * coalesce(once.specific_activity, FALSE)::INTEGER, 1) AS specific_activity_points,
    round(weight.skilled_direction * coalesce(once.skilled_direction, FALSE)::INTEGER, 1) AS skilled_direction_points,
    round(weight.functional_goal * coalesce(once.functional_goal, FALSE)::INTEGER, 1) AS functional_goal_points,
    round(weight.patient_response * coalesce(once.patient_response, FALSE)::INTEGER, 1) AS patient_response_points,
    round(weight.time_stated * coalesce(once.time_stated, FALSE)::INTEGER, 1) AS time_stated_points
FROM once
-- A service without a score has no points either.
LEFT JOIN weight
    ON once.score IS NOT NULL AND once.service_date BETWEEN weight.effective_from AND weight.effective_to
LEFT JOIN provider ON once.clinician_npi = provider.npi
