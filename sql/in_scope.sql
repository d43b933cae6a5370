-- What a rule looks at, given its id: plans, dates in force and the audited period are applied here and nowhere else.
-- Created after the models, whose tables DuckDB wants to see.

-- The lines that a rule looks at: those of its plans, on the dates on which it is in force, within the period.
CREATE OR REPLACE MACRO in_scope(rule_id) AS TABLE
SELECT therapy_line.*
FROM therapy_line
INNER JOIN rule_scope
    ON
        rule_scope.rule = rule_id
        AND (rule_scope.plan = '*' OR rule_scope.plan = therapy_line.plan)
        AND therapy_line.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to
INNER JOIN audit_period ON therapy_line.service_date BETWEEN audit_period.period_start AND audit_period.period_end;

-- The same lines for rules that judge a visit by its lines, timed or not: coverage counts the visits.
CREATE OR REPLACE MACRO visit_lines_in_scope(rule_id) AS TABLE
SELECT *
FROM in_scope(rule_id);

-- The same for the lines that count toward the KX threshold, with their running balance.
CREATE OR REPLACE MACRO ledger_in_scope(rule_id) AS TABLE
SELECT kx_ledger.*
FROM kx_ledger
INNER JOIN rule_scope
    ON
        rule_scope.rule = rule_id
        AND (rule_scope.plan = '*' OR rule_scope.plan = kx_ledger.plan)
        AND kx_ledger.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to
INNER JOIN audit_period ON kx_ledger.service_date BETWEEN audit_period.period_start AND audit_period.period_end;

-- The same for visits: one patient, day, discipline and plan.
CREATE OR REPLACE MACRO visits_in_scope(rule_id) AS TABLE
SELECT visit.*
FROM visit
INNER JOIN rule_scope
    ON
        rule_scope.rule = rule_id
        AND (rule_scope.plan = '*' OR rule_scope.plan = visit.plan)
        AND visit.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to
INNER JOIN audit_period ON visit.service_date BETWEEN audit_period.period_start AND audit_period.period_end;

-- The same for episodes of care, by the plan of their visits and the date on which each visit falls.
CREATE OR REPLACE MACRO episode_days_in_scope(rule_id) AS TABLE
SELECT episode_day.*
FROM episode_day
INNER JOIN rule_scope
    ON
        rule_scope.rule = rule_id
        AND (rule_scope.plan = '*' OR rule_scope.plan = episode_day.plan)
        AND episode_day.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to
INNER JOIN audit_period ON episode_day.service_date BETWEEN audit_period.period_start AND audit_period.period_end;

-- The same for the skilled activities (codes) of an episode, visit by visit.
CREATE OR REPLACE MACRO activities_in_scope(rule_id) AS TABLE
SELECT activity_day.*
FROM activity_day
INNER JOIN rule_scope
    ON
        rule_scope.rule = rule_id
        AND (rule_scope.plan = '*' OR rule_scope.plan = activity_day.plan)
        AND activity_day.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to
INNER JOIN audit_period ON activity_day.service_date BETWEEN audit_period.period_start AND audit_period.period_end;

-- The same for clinicians' days, by the plan of their lines.
CREATE OR REPLACE MACRO clinician_days_in_scope(rule_id) AS TABLE
SELECT clinician_day.*
FROM clinician_day
INNER JOIN rule_scope
    ON
        rule_scope.rule = rule_id
        AND (rule_scope.plan = '*' OR rule_scope.plan = clinician_day.plan)
        AND clinician_day.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to
INNER JOIN audit_period ON clinician_day.service_date BETWEEN audit_period.period_start AND audit_period.period_end;

-- The same for the visits of a clinician, of which a rule judges the whole period's.
CREATE OR REPLACE MACRO clinician_visits_in_scope(rule_id) AS TABLE
SELECT clinician_visit.*
FROM clinician_visit
INNER JOIN rule_scope
    ON
        rule_scope.rule = rule_id
        AND (rule_scope.plan = '*' OR rule_scope.plan = clinician_visit.plan)
        AND clinician_visit.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to
INNER JOIN audit_period ON clinician_visit.service_date BETWEEN audit_period.period_start AND audit_period.period_end;

-- The same for patients' years in a pool of the KX threshold, by the day that the year stands at.
CREATE OR REPLACE MACRO patient_years_in_scope(rule_id) AS TABLE
SELECT kx_year.*
FROM kx_year
INNER JOIN rule_scope
    ON
        rule_scope.rule = rule_id
        AND (rule_scope.plan = '*' OR rule_scope.plan = kx_year.plan)
        AND kx_year.service_date BETWEEN rule_scope.effective_from AND rule_scope.effective_to
INNER JOIN audit_period ON kx_year.service_date BETWEEN audit_period.period_start AND audit_period.period_end;
