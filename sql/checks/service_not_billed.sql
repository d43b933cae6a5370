-- What was given and documented may be billed: a visit without any claim line, or a service that is not counted in time
-- and has none. Minutes that a billed visit leaves unbilled are judged by the rules on units.
WITH service AS (
    SELECT *
    FROM documented_visits_in_scope($rule)
    WHERE reconciliation_state = 'documented only' AND billable AND claims_given AND service_known
),

billed AS (
    SELECT DISTINCT
        reconciliation.patient_id,
        reconciliation.note_date AS service_date,
        reconciliation.discipline
    FROM reconciliation
    SEMI JOIN service
        ON reconciliation.patient_id = service.patient_id AND reconciliation.note_date = service.service_date
    WHERE reconciliation.claim_line_number IS NOT NULL
),

visit AS (
    SELECT
        service.patient_id,
        service.service_date,
        service.discipline,
        any_value(service.payer) AS payer,
        any_value(service.plan) AS plan,
        any_value(service.note_id) AS note_id,
        min(service.hcpcs_code) AS hcpcs_code,
        count(*) AS services,
        string_agg(
            coalesce(service.hcpcs_code, 'A visit')
            || coalesce(' for ' || service.documented_minutes || ' minutes', ''),
            ', ' ORDER BY service.hcpcs_code
        ) AS listed,
        any_value(billed.patient_id IS NOT NULL) AS is_billed,
        coalesce(sum(service.line_amount), 0.00) AS amount_at_risk
    FROM service
    LEFT JOIN billed
        ON
            service.patient_id = billed.patient_id
            AND service.service_date = billed.service_date
            AND service.discipline = billed.discipline
    GROUP BY service.patient_id, service.service_date, service.discipline
)

SELECT
    NULL::VARCHAR AS claim_id,
    NULL::INTEGER AS claim_line_number,
    visit.amount_at_risk,
    visit.patient_id,
    visit.service_date,
    visit.payer,
    visit.plan,
    visit.hcpcs_code,
    visit.discipline,
    visit.listed AS services,
    if(visit.is_billed, ', beside what is billed of the day', '') AS beside,
    if(visit.services = 1, 'it', 'them') AS it,
    visit.note_id,
    visit_note.source_file,
    visit_note.source_row
FROM visit
INNER JOIN visit_note ON visit.note_id = visit_note.note_id
