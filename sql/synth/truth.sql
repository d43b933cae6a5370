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
    -- What a replaced version lacked, the version that counts has.
    SELECT
        'medicare.discipline_modifier_missing',
        'line',
        visit_id,
        claim_line_number,
        'near_miss'
    FROM claim
    WHERE story = 'replaced' AND concerned AND denial_reason = 'CO 4 N822'
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
    SELECT DISTINCT
        'clinic.code_mix_drift',
        'clinician',
        NULL::DATE,
        clinician.npi,
        if(visit.mix = 'mix_drifts', 'fault', 'near_miss')
    FROM visit
    INNER JOIN clinician
        ON
            visit.site = clinician.site
            AND visit.credential = clinician.credential
            AND visit.mix_post = clinician.post
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
        ledger.patient_id,
        year,
        pool,
        max(balance_after) - coalesce(sum(ledger.allowed_amount) FILTER (claim.allowed_amount = 0), 0) AS balance,
        max(threshold) AS threshold
    FROM ledger
    INNER JOIN claim USING (line_id)
    GROUP BY ledger.patient_id, year, pool
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
),

-- Lines without an answer: lost, or not due yet when the files end.
of_unanswered AS (
    SELECT
        'clinic.line_not_remitted' AS rule,
        claim.patient_id,
        claim.service_date,
        claim.discipline,
        claim.claim_id,
        claim.claim_line_number,
        if(story.is_lost, 'fault', 'near_miss') AS kind
    FROM claim
    INNER JOIN story USING (visit_id)
    WHERE story.is_lost OR (story.is_open AND story.submitted_date + 45 > getvariable('cutoff'))
),

-- The answers to each line that count, and what is known of its code on that day otherwise.
answered AS (
    SELECT
        claim.line_id,
        claim.patient_id,
        claim.service_date,
        claim.hcpcs_code,
        claim.discipline,
        claim.claim_id,
        claim.claim_line_number,
        claim.denial_reason,
        claim.story,
        claim.concerned,
        coalesce(claim.kx_case IN ('with_ga', 'with_gz', 'with_gy'), FALSE) AS has_liability_modifier,
        last_answer.paid_date AS denied_date
    FROM claim
    INNER JOIN (
        SELECT
            line_id,
            max(paid_date) AS paid_date
        FROM answer
        WHERE NOT is_stray AND claim_id[1] <> 'D'
        GROUP BY line_id
    ) AS last_answer USING (line_id)
),

-- The same code on the same day was paid on another line.
billed_again AS (
    SELECT denied.line_id
    FROM answered AS denied
    INNER JOIN answered AS other USING (patient_id, service_date, hcpcs_code)
    WHERE
        denied.line_id <> other.line_id
        AND NOT coalesce(
            other.concerned AND other.story IN ('denied', 'upheld', 'cut', 'taken_back', 'reversed'), FALSE
        )
),

-- Denials that stand: forgotten, or for a good reason not (yet) to be chased.
of_denial AS (
    SELECT
        'clinic.denial_open' AS rule,
        denied.patient_id,
        denied.service_date,
        denied.discipline,
        denied.claim_id,
        denied.claim_line_number,
        if(
            denied.denied_date + 90 < getvariable('cutoff')
            AND denied.denial_reason[:2] <> 'PR'
            AND NOT denied.has_liability_modifier
            AND denied.line_id NOT IN (SELECT line_id FROM billed_again),
            'fault', 'near_miss'
        ) AS kind
    FROM answered AS denied
    WHERE denied.concerned AND denied.story IN ('denied', 'upheld', 'cut', 'taken_back')
),

-- Answers that name no line that was billed; a wrong claim number alone does not hide which line is meant, and what
-- was sent by mistake was sent.
of_answer AS (
    SELECT
        'clinic.remittance_not_matched' AS rule,
        patient_id,
        service_date,
        claim_id,
        remittance_id,
        if(is_stray, 'fault', 'near_miss') AS kind
    FROM answer
    WHERE is_stray OR is_garbled OR claim_id[1] = 'D'
),

-- Sums that disagree are planted in the X12 form alone: another has none.
of_remittance AS (
    SELECT
        'clinic.remittance_does_not_balance' AS rule,
        remittance_id,
        if(imbalance IS NULL, 'near_miss', 'fault') AS kind
    FROM remittance
    WHERE
        getvariable('x12')
        AND (imbalance IS NOT NULL OR forward_amount <> 0 OR interest_amount <> 0 OR takes_back)
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
    NULL AS remittance_id,
    kind
FROM of_visit
UNION
SELECT rule, grain, NULL, service_date, NULL, NULL, NULL, clinician_npi, NULL, NULL, NULL, kind FROM of_clinician
UNION
SELECT rule, grain, patient_id, NULL, NULL, NULL, NULL, NULL, year, pool, NULL, kind FROM of_year
UNION
SELECT rule, 'line', patient_id, service_date, discipline, claim_id, claim_line_number, NULL, NULL, NULL, NULL, kind
FROM of_unanswered
UNION
SELECT rule, 'line', patient_id, service_date, discipline, claim_id, claim_line_number, NULL, NULL, NULL, NULL, kind
FROM of_denial
UNION
SELECT
    rule, 'remittance_line', patient_id, service_date, NULL, claim_id, NULL, NULL, NULL, NULL, remittance_id, kind
FROM of_answer
UNION
SELECT rule, 'remittance', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, remittance_id, kind FROM of_remittance;
