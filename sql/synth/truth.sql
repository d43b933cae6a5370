-- Cases of plans of care: certified never, late, on the last day or by the referral alone; ended, and signed again or
-- not. They change nothing but the list of plans.
CREATE OR REPLACE TABLE plan_case AS
WITH course AS (
    SELECT
        episode_id,
        min(service_date) AS first_date,
        max(service_date) AS last_date,
        list(service_date ORDER BY service_date) AS dates
    FROM visit
    WHERE medicare
    GROUP BY episode_id
    HAVING count(*) >= 6 AND max(service_date) > min(service_date) + 31
),

dealt AS (
    SELECT
        *,
        row_number() OVER (ORDER BY draw('plan case', episode_id), episode_id) - 1 AS place
    FROM course
)

SELECT
    episode_id,
    first_date,
    last_date,
    list_filter(dates, lambda day: day > first_date + 30)[1] AS late_date,
    dates[len(dates) // 2] AS middle_date,
    dates[len(dates) // 2 + 1] AS after_middle_date,
    -- Until 2024 a referral was not enough.
    CASE
        WHEN place % 11 = 5 AND first_date < DATE '2025-01-01' THEN 'certified_on_thirtieth'
        ELSE [
            'never_certified', 'plan_ended', 'unlisted', 'certified_on_thirtieth', 'certified_after',
            'sent_on_thirtieth', 'sent_late', 'not_signed_again', 'signed_again', 'signed_again_late',
            'ends_with_last_visit'
        ][1 + place % 11]
    END AS plan_case
FROM dealt
WHERE place < 11 * greatest(1, (SELECT count(*) FROM course) // 80);

-- Authorizations, and the cases in which they are too short by a visit, a unit or a day, or used up to the last.
CREATE OR REPLACE TABLE authorization_case AS
WITH course AS (
    SELECT
        episode_id,
        max(visits) AS visits,
        max(service_date) AS last_date,
        list(service_date ORDER BY service_date)[-2] AS before_last_date
    FROM visit
    WHERE plan IN ('medicare_advantage', 'aetna', 'blue_cross', 'medicaid', 'tricare', 'workers_compensation')
    GROUP BY episode_id
),

unit AS (
    SELECT
        episode_id,
        sum(units)::INTEGER AS units
    FROM claim
    GROUP BY episode_id
),

dealt AS (
    SELECT
        *,
        row_number() OVER (ORDER BY visits < 4 OR visits = 13, draw('authorization case', episode_id), episode_id) - 1
            AS place
    FROM course
)

SELECT
    dealt.episode_id,
    dealt.last_date,
    dealt.before_last_date,
    unit.units,
    CASE
        WHEN place < 4 * greatest(1, (SELECT count(*) FROM course) // 60) AND visits >= 4 AND visits <> 13
            THEN ['visits_short', 'units_short', 'authorization_expired', 'authorization_used_up'][1 + place % 4]
    END AS authorization_case
FROM dealt
INNER JOIN unit USING (episode_id);

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
        rule,
        'line',
        visit_id,
        claim_line_number,
        kind
    FROM payment_truth
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
    -- What is not billed has no claim.
    SELECT
        'clinic.service_not_billed',
        'visit',
        visit_id,
        NULL,
        'fault'
    FROM visit
    WHERE plant = 'visit_unbilled'
    UNION ALL
    SELECT
        'medicare.progress_report_overdue',
        'episode',
        visit_id,
        NULL,
        if(report_just_in_time, 'near_miss', 'fault')
    FROM visit
    WHERE report_just_in_time OR (episode_plant = 'report_overdue' AND visit_number = 11)
    UNION ALL
    SELECT
        if(
            plan_case.plan_case IN (
                'plan_ended', 'not_signed_again', 'signed_again', 'signed_again_late', 'ends_with_last_visit'
            ),
            'medicare.plan_not_recertified', 'medicare.plan_not_certified'
        ),
        'episode',
        visit.visit_id,
        NULL,
        if(
            plan_case.plan_case IN (
                'certified_on_thirtieth', 'sent_on_thirtieth', 'signed_again', 'ends_with_last_visit'
            ),
            'near_miss', 'fault'
        )
    FROM visit
    INNER JOIN plan_case
        ON
            visit.episode_id = plan_case.episode_id
            AND visit.service_date = CASE
                WHEN plan_case.plan_case = 'ends_with_last_visit' THEN plan_case.last_date
                WHEN plan_case.plan_case IN ('plan_ended', 'not_signed_again', 'signed_again', 'signed_again_late')
                    THEN plan_case.after_middle_date
                ELSE plan_case.late_date
            END
    UNION ALL
    SELECT
        'payers.authorization.authorization_exceeded',
        'episode',
        visit.visit_id,
        NULL,
        if(given.authorization_case = 'authorization_used_up', 'near_miss', 'fault')
    FROM visit
    INNER JOIN authorization_case AS given
        ON visit.episode_id = given.episode_id AND visit.service_date = given.last_date
    WHERE given.authorization_case IS NOT NULL
    UNION ALL
    SELECT
        CASE
            WHEN visit.episode_plant IN ('report_by_assistant', 'report_cosigned')
                THEN 'medicare.progress_report_by_assistant'
            WHEN visit.episode_plant IN ('assistant_throughout', 'therapist_once')
                THEN 'medicare.clinician_absent_in_progress_period'
            ELSE 'clinic.extended_therapy_unsupported'
        END,
        'episode',
        visit.visit_id,
        NULL,
        if(
            visit.episode_plant IN ('report_by_assistant', 'assistant_throughout', 'reports_never'),
            'fault', 'near_miss'
        )
    FROM visit
    INNER JOIN episode USING (episode_id)
    WHERE
        CASE
            WHEN visit.episode_plant IN ('report_by_assistant', 'report_cosigned') THEN visit.visit_number = 11
            WHEN visit.episode_plant IN ('assistant_throughout', 'therapist_once')
                THEN visit.visit_number = episode.report_every + 1
            WHEN visit.episode_plant = 'reports_never' THEN visit.visit_number = 13
            WHEN visit.episode_plant = 'twelve_without_report' THEN visit.visit_number = 12
        END
    UNION ALL
    SELECT
        'clinic.high_frequency_without_progression',
        'activity',
        visit_id,
        NULL,
        if(episode_plant = 'unmeasured', 'fault', 'near_miss')
    FROM visit
    WHERE episode_plant[:10] = 'unmeasured' AND visit_number = 10
    UNION ALL
    -- Assistance would be a measure.
    SELECT
        'clinic.assistance_level_missing',
        'line',
        claim.visit_id,
        claim.claim_line_number,
        'consequence'
    FROM claim
    INNER JOIN visit ON claim.visit_id = visit.visit_id
    WHERE visit.episode_plant[:10] = 'unmeasured' AND claim.hcpcs_code = '97530'
    UNION ALL
    -- An assistant's report alone leaves a long episode without a clinician's, unless another follows.
    SELECT
        'clinic.extended_therapy_unsupported',
        'episode',
        visit.visit_id,
        NULL,
        'consequence'
    FROM visit
    WHERE visit.episode_plant = 'report_by_assistant' AND visit.visit_number = 13
    UNION ALL
    SELECT
        if(
            starts_with(note_case, 'student'),
            'medicare.assistant_supervision_missing', 'clinic.note_unsigned_or_late'
        ),
        'visit',
        visit_id,
        NULL,
        if(note_case IN ('student_signed', 'signed_on_last_day'), 'near_miss', 'fault')
    FROM note_case
    UNION ALL
    -- Two texts without a measure among an activity's few visits may look like a stall.
    SELECT
        'clinic.progression_stalled',
        'episode',
        visit.visit_id,
        NULL,
        'consequence'
    FROM visit
    INNER JOIN saying ON visit.plant = saying.plant AND saying.kind = 'fault'
    QUALIFY count(*) OVER (PARTITION BY visit.episode_id) > 1
    UNION ALL
    -- Until 2024, assistants of a private practice on days on which no therapist of the discipline worked there.
    SELECT
        'medicare.assistant_supervision_missing',
        'visit',
        visit.visit_id,
        NULL,
        'fault'
    FROM visit
    INNER JOIN (
        SELECT
            worked.site,
            worked.discipline,
            worked.service_date
        FROM visit AS worked
        INNER JOIN (
            SELECT
                visit_id,
                bool_or(minutes > assistant_minutes) AS therapist_took_part
            FROM service
            GROUP BY visit_id
        ) AS given USING (visit_id)
        GROUP BY worked.site, worked.discipline, worked.service_date
        HAVING NOT bool_or(given.therapist_took_part)
    ) AS unsupervised USING (site, discipline, service_date)
    WHERE visit.medicare AND visit.setting = 'practitioner' AND visit.service_date < DATE '2025-01-01'
),

of_visit AS (
    SELECT
        row_of.rule,
        row_of.grain,
        visit.patient_id,
        visit.service_date,
        visit.discipline,
        -- Of two claims the second is the one too many.
        if(row_of.rule = 'clinic.duplicate_line', 'E' || visit.claim_id[2:], visit.claim_id) AS claim_id,
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
