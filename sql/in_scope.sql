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

-- USD of so many units: those that sit on a code at that code's own price per unit, the rest at the visit's average.
CREATE OR REPLACE MACRO price_of_units(units, codes, units_by_code, unit_amount) AS round(
    coalesce(
        list_sum(list_transform(
            list_zip(codes, units_by_code),
            lambda pair: pair[2] * coalesce(pair[1].amount / nullif(pair[1].units_billed, 0), unit_amount)
        ))
        + (units - list_sum(units_by_code)) * unit_amount,
        units * unit_amount
    ), 2
);

-- A visit's codes in words, with one of their numbers: 97110 x1, 97530 x2.
CREATE OR REPLACE MACRO units_in_words(codes, units) AS coalesce(
    nullif(
        array_to_string(
            list_transform(
                list_filter(list_zip(codes, units), lambda pair: pair[2] > 0),
                lambda pair: pair[1].hcpcs_code || ' x' || pair[2]
            ), ', '
        ), ''
    ), 'nothing'
);

-- A visit's codes in words, with their minutes: 97110 10 min, 97530 20 min.
CREATE OR REPLACE MACRO minutes_in_words(codes) AS array_to_string(
    list_transform(codes, lambda item: item.hcpcs_code || ' ' || coalesce(item.minutes || ' min', 'no minutes')), ', '
);
