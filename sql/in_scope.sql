-- What a rule looks at, given its id: plans, dates in force and the audited period are applied here and nowhere else.
-- Created after the models, whose tables DuckDB wants to see.

-- The rows of a model (with plan and service_date) of a rule's plans, on the dates on which it is in force, within the
-- audited period.
CREATE OR REPLACE MACRO rows_in_scope(rule_id, model) AS TABLE
SELECT model_row.*
FROM query_table(model) AS model_row
INNER JOIN rule_scope
    ON
        rule_scope.rule = rule_id
        AND (rule_scope.plan = '*' OR rule_scope.plan = model_row.plan)
        AND model_row.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to
INNER JOIN audit_period ON model_row.service_date BETWEEN audit_period.period_start AND audit_period.period_end;

-- Claim lines.
CREATE OR REPLACE MACRO in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'therapy_line');

-- The same lines, for rules that judge a visit by its lines, timed or not: coverage counts the visits.
CREATE OR REPLACE MACRO visit_lines_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'therapy_line');

-- Lines that count toward the KX threshold, with their running balance.
CREATE OR REPLACE MACRO ledger_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'kx_ledger');

-- Visits: one patient, day, discipline and plan, with timed services.
CREATE OR REPLACE MACRO visits_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'visit');

-- Treatment days: one patient, day, discipline and plan, with or without timed services.
CREATE OR REPLACE MACRO treatment_days_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'episode_day');

-- Episodes of care, by the plan of their visits and the date on which each visit falls.
CREATE OR REPLACE MACRO episode_days_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'episode_day');

-- Skilled activities (codes) of an episode, visit by visit.
CREATE OR REPLACE MACRO activities_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'activity_day');

-- Functional activities of a patient's day, with what the notes document of them.
CREATE OR REPLACE MACRO documented_services_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'documented_service');

-- What the notes say of each skilled activity of an episode, visit by visit.
CREATE OR REPLACE MACRO descriptions_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'description_day');

-- The same, which a rule judges together for each clinician; null is all that nobody or several wrote.
CREATE OR REPLACE MACRO clinician_descriptions_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'description_day');

-- Clinicians' days, by the plan of their first line.
CREATE OR REPLACE MACRO clinician_days_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'clinician_day');

-- The visits that one clinician alone wrote of, which a rule judges together for each clinician; under several plans a
-- visit is left out.
CREATE OR REPLACE MACRO clinician_visits_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'visit')
WHERE clinician_npi IS NOT NULL AND sole_plan;

-- Lines of activities and exercises, which a rule judges together for each rendering clinician; null is all that name
-- none. Billed to a second payer they are the same.
CREATE OR REPLACE MACRO clinician_lines_in_scope(rule_id) AS TABLE
SELECT
    *,
    rendering_npi AS clinician_npi
FROM rows_in_scope(rule_id, 'therapy_line')
WHERE therapy AND NOT second_bill AND hcpcs_code IN ('97110', '97530');

-- Patients' years in a pool of the KX threshold, by the day that the year stands at.
CREATE OR REPLACE MACRO patient_years_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'kx_year');

-- Claim lines with the answer that their payer owes them; none where no remittances were given.
CREATE OR REPLACE MACRO answers_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'line_answer');

-- Lines of remittances.
CREATE OR REPLACE MACRO remitted_lines_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'remittance_match');

-- Remittances, by the last service date that they pay for, with their sums that do not agree.
CREATE OR REPLACE MACRO remittances_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'remittance_balance');

-- Billed lines and charted services as claims, notes and remittances agree on them.
CREATE OR REPLACE MACRO reconciled_lines_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'reconciliation');

-- The same, by billed visits.
CREATE OR REPLACE MACRO reconciled_visits_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'reconciliation');

-- The same, by visits of the notes, billed or not.
CREATE OR REPLACE MACRO documented_visits_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'reconciliation');

-- Lines of group therapy, with the one-on-one minutes at the same time.
CREATE OR REPLACE MACRO group_sessions_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'group_session');

-- Lines of initial evaluations, with the one before in the patient's care.
CREATE OR REPLACE MACRO evaluations_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'evaluation');

-- Claim lines that can have a price, with it and with what was allowed and paid.
CREATE OR REPLACE MACRO payments_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'expected_payment');

-- Treatment days of patients with authorizations, or of plans that ask for one.
CREATE OR REPLACE MACRO authorized_days_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'authorized_day');

-- Treatment days with the signatures under their notes.
CREATE OR REPLACE MACRO signed_days_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'signed_day');

-- Visits that an assistant or a student gave, in part or whole.
CREATE OR REPLACE MACRO supervised_days_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'supervised_day');

-- Treatment days past an episode's first ones.
CREATE OR REPLACE MACRO extended_days_in_scope(rule_id) AS TABLE
SELECT * FROM rows_in_scope(rule_id, 'extended_day');
