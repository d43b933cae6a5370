-- What was planted: the truth that an audit is measured by.
CREATE OR REPLACE TABLE truth AS
WITH row_of AS (
    SELECT
        unnest(plant.rules) AS rule,
        plant.grain,
        claim.visit_id,
        if(plant.grain = 'line', claim.claim_line_number, NULL) AS claim_line_number,
        plant.kind
    FROM claim
    INNER JOIN plant ON claim.plant = plant.plant
    WHERE plant.grain <> 'line' OR plant.target_line IS NULL OR claim.claim_line_number = plant.target_line
    UNION ALL
    SELECT
        consequence.rule,
        consequence.grain,
        claim.visit_id,
        if(consequence.grain = 'line', claim.claim_line_number, NULL),
        'consequence'
    FROM claim
    INNER JOIN consequence ON claim.plant = consequence.plant
    UNION ALL
    SELECT
        kx_truth.rule,
        'line',
        claim.visit_id,
        claim.claim_line_number,
        kx_truth.kind
    FROM claim
    INNER JOIN kx_truth ON claim.kx_case = kx_truth.kx_case
    UNION ALL
    SELECT
        if(position = 'reaching', 'medicare.kx_missing_on_crossing_line', 'medicare.kx_routine'),
        'line',
        visit_id,
        claim_line_number,
        'near_miss'
    FROM claim
    WHERE position IN ('reaching', 'crossing') AND kx_case IS NULL
    UNION ALL
    SELECT
        unnest(CASE
            WHEN visit.episode_plant IN ('cloned', 'cloned_nearly', 'repeated_thrice', 'template_moving')
                THEN ['clinic.description_cloned', 'clinic.progression_stalled']
            ELSE ['clinic.progression_stalled']
        END),
        'episode',
        visit_id,
        NULL,
        unnest(CASE
            WHEN visit.episode_plant IN ('cloned', 'cloned_nearly') THEN ['fault', 'consequence']
            WHEN visit.episode_plant IN ('repeated_thrice', 'template_moving') THEN ['near_miss', 'near_miss']
            WHEN visit.episode_plant = 'stalled' THEN ['fault']
            ELSE ['near_miss']
        END)
    FROM charted
    INNER JOIN visit USING (visit_id)
    INNER JOIN (SELECT episode_id, run_first FROM episode_plant) AS run ON visit.episode_id = run.episode_id
    WHERE charted.still AND visit_number = run_first + if(visit.episode_plant = 'repeated_thrice', 2, 3)
    UNION ALL
    SELECT
        'medicare.progress_report_overdue',
        'episode',
        visit_id,
        NULL,
        if(report_just_in_time, 'near_miss', 'fault')
    FROM visit
    WHERE report_just_in_time OR (episode_plant = 'report_overdue' AND visit_number = 11)
),

of_visit AS (
    SELECT
        row_of.rule,
        row_of.grain,
        visit.patient_id,
        visit.service_date,
        visit.discipline,
        visit.claim_id,
        row_of.claim_line_number,
        row_of.kind
    FROM row_of
    INNER JOIN visit ON row_of.visit_id = visit.visit_id
    WHERE row_of.grain <> 'clinician_day'
),

of_clinician AS (
    SELECT
        row_of.rule,
        row_of.grain,
        visit.service_date,
        treated.writer_npi AS clinician_npi,
        row_of.kind
    FROM row_of
    INNER JOIN visit ON row_of.visit_id = visit.visit_id
    INNER JOIN treated ON row_of.visit_id = treated.visit_id
    WHERE row_of.grain = 'clinician_day'
    UNION ALL
    SELECT
        habit_truth.rule,
        'clinician',
        NULL,
        treated.therapist_npi,
        habit_truth.kind
    FROM visit
    INNER JOIN habit_truth ON visit.habit = habit_truth.habit
    INNER JOIN treated ON visit.visit_id = treated.visit_id
    WHERE visit.visit_number = 1
    UNION ALL
    SELECT
        'clinic.description_cloned_across_patients',
        'clinician',
        NULL,
        treated.writer_npi,
        if(visit.plant = 'copied_to_others', 'fault', 'near_miss')
    FROM visit
    INNER JOIN treated ON visit.visit_id = treated.visit_id
    WHERE visit.plant IN ('copied_to_others', 'heading_to_others')
    -- What a relief clinician copied too may be the group's template.
    GROUP BY visit.copyist, visit.plant, treated.writer_npi
    HAVING count(*) = 4
),

-- The patients' years as the ledger has them, whether planted or not. In a year that is over, nothing approaches.
patient_year AS (
    SELECT
        patient_id,
        year,
        pool,
        max(balance_after) AS balance,
        max(threshold) AS threshold
    FROM ledger
    GROUP BY patient_id, year, pool
),

of_year AS (
    SELECT
        'medicare.kx_threshold_approaching' AS rule,
        'patient_year' AS grain,
        patient_id,
        year,
        pool,
        if(balance < 0.8 * threshold OR year < year(getvariable('end_date')::DATE), 'near_miss', 'fault') AS kind
    FROM patient_year
    WHERE balance BETWEEN 0.79 * threshold AND threshold
    UNION ALL
    SELECT
        'medicare.medical_review_threshold_passed',
        'patient_year',
        patient_id,
        year,
        pool,
        if(balance > 3000, 'fault', 'near_miss')
    FROM patient_year
    WHERE balance >= 3000
)

SELECT
    rule,
    grain,
    patient_id,
    service_date,
    discipline,
    claim_id,
    claim_line_number,
    NULL AS clinician_npi,
    NULL AS year,
    NULL AS pool,
    kind
FROM of_visit
UNION
SELECT rule, grain, NULL, service_date, NULL, NULL, NULL, clinician_npi, NULL, NULL, kind FROM of_clinician
UNION
SELECT rule, grain, patient_id, NULL, NULL, NULL, NULL, NULL, year, pool, kind FROM of_year;
