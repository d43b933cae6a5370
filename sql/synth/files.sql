-- The files as a billing system and an electronic record would export them, in the order in which they are written.
CREATE VIEW sent_line AS
-- What was paid of each line in the end, by all payers.
WITH paid_in_all AS (
    SELECT
        line_id,
        sum(paid_amount)::DECIMAL(12, 2) AS paid_amount
    FROM answer
    WHERE NOT is_stray AND claim_id[1] <> 'D'
    GROUP BY line_id
)

SELECT
    claim.line_id,
    claim.claim_line_number,
    claim.patient_id,
    claim.payer,
    claim.medicare,
    claim.service_date,
    claim.hcpcs_code,
    claim.units,
    claim.charge_amount,
    claim_version.* EXCLUDE (line_id),
    coalesce(claim_version.claim_id[1] = 'D' OR (claim.story = 'replaced' AND claim_version.frequency = '1'), FALSE)
        AS superseded,
    -- Only of the version that counts, once it is answered.
    if(claim.unanswered OR superseded, NULL, claim.allowed_amount) AS allowed_amount,
    if(claim.unanswered OR superseded, NULL, paid_in_all.paid_amount) AS paid_amount,
    rendering.rendering_npi AS therapist_npi,
    site.billing_npi,
    if(claim.setting = 'hospital', '22', '11') AS place_of_service,
    [
        if(claim.plant IS NOT DISTINCT FROM 'evaluated_for_another', 'S83.241A', pick(CASE claim.discipline
            WHEN 'PT' THEN ['M54.50', 'M25.561', 'M25.511', 'R26.89', 'M62.81', 'Z47.1']
            WHEN 'OT' THEN ['M25.531', 'S52.501D', 'I69.351', 'G56.01', 'M18.11']
            ELSE ['R47.01', 'R13.12', 'I69.320', 'R48.8']
        END, 'diagnosis', claim.episode_id))
    ] || if(draw('second diagnosis', claim.episode_id) % 2 = 0, ['R26.81'], []) AS diagnosis_codes
FROM claim
INNER JOIN claim_version USING (line_id)
INNER JOIN rendering ON claim.visit_id = rendering.visit_id
INNER JOIN site ON claim.site = site.site
LEFT JOIN paid_in_all ON claim.line_id = paid_in_all.line_id;

CREATE VIEW claims AS
WITH numbered AS (
    SELECT
        *,
        row_number() OVER (ORDER BY line_id, claim_id, submitted_date) AS place,
        getvariable('dirt') AND getvariable('first_patient') = 1 AS dirty
    FROM sent_line
),

-- Dirt that an intake must cope with: two lines twice, a date that is none, junk after a code, lower case, 1,000s.
exported AS (
    SELECT
        *,
        0 AS copy
    FROM numbered
    UNION ALL
    SELECT
        *,
        1 AS copy
    FROM numbered
    WHERE dirty AND place IN (10, 20)
    UNION ALL
    SELECT
        * REPLACE ('C999999999' AS claim_id, 1 AS claim_line_number, 1012.5::DECIMAL(12, 2) AS charge_amount),
        2 AS copy
    FROM numbered
    WHERE dirty AND place = 30
)

SELECT
    claim_id AS "Claim #",
    claim_line_number AS "Line",
    patient_id AS "Patient ID",
    payer AS "Payer",
    if(copy = 2, '13/45/2026', us_date(service_date)) AS "DOS",
    hcpcs_code || if(dirty AND place IN (40, 41), '.', '') AS "CPT",
    if(dirty AND place % 50 = 0, lower(modifiers[1]), modifiers[1]) AS "Mod 1",
    modifiers[2] AS "Mod 2",
    modifiers[3] AS "Mod 3",
    modifiers[4] AS "Mod 4",
    units AS "Units",
    if(dirty, format('{:,.2f}', charge_amount::DOUBLE), charge_amount::VARCHAR) AS "Charge",
    allowed_amount AS "Allowed",
    paid_amount AS "Paid",
    therapist_npi AS "Rendering NPI",
    billing_npi AS "Billing NPI",
    place_of_service AS "POS",
    diagnosis_codes[1] AS "Dx 1",
    diagnosis_codes[2] AS "Dx 2",
    NULL::VARCHAR AS "Dx 3",
    NULL::VARCHAR AS "Dx 4",
    us_date(received_date) AS "Received Date",
    us_date(submitted_date) AS "Submitted Date",
    frequency AS "Frequency",
    if(frequency = '1', NULL, claim_id) AS "Original Claim #"
FROM exported
ORDER BY copy, line_id, claim_id, submitted_date;

CREATE VIEW notes AS
WITH said AS (
    SELECT
        note.service_id,
        note.note_part,
        note.text,
        note.assist_level,
        note.cue_level,
        note.difficulty,
        note.goal_id,
        service.* EXCLUDE (service_id, visit_id, number, episode_id, service_date),
        visit.*,
        visit.plant IS NOT DISTINCT FROM 'minutes_missing' AS unsaid,
        note_case.note_case,
        total_change.timed_minutes AS timed_change,
        total_change.total_minutes AS total_change,
        -- Minutes after midnight.
        treated.start_minute + service.block_from AS starts,
        treated.writer_npi,
        treated.writer_credential,
        sum(if(service.timed, service.minutes, 0)) OVER one AS timed_minutes,
        sum(service.minutes) OVER one AS total_minutes,
        visit.service_date
        + CASE
            WHEN visit.plant = 'late_note' THEN 6
            WHEN note_case.note_case = 'signed_on_last_day' THEN 7
            WHEN note_case.note_case = 'signed_after_days' THEN 8
            ELSE (draw('signed', note.visit_id) % 2)::INTEGER
        END AS signed_date
    FROM note
    INNER JOIN service ON note.service_id = service.service_id
    INNER JOIN visit ON note.visit_id = visit.visit_id
    INNER JOIN treated ON note.visit_id = treated.visit_id
    LEFT JOIN total_change ON visit.plant = total_change.plant
    LEFT JOIN note_case ON note.visit_id = note_case.visit_id
    WINDOW one AS (PARTITION BY note.visit_id, note.note_part)
)

SELECT
    format('N{:09d}', visit_id) || ['', 'A', 'B'][1 + note_part] AS "Note ID",
    patient_id AS "Patient ID",
    us_date(service_date + (plant IS NOT DISTINCT FROM 'note_next_day')::INTEGER) AS "DOS",
    discipline AS "Discipline",
    if(note_case IS NOT DISTINCT FROM 'credential_missing', NULL, writer_npi) AS "Therapist NPI",
    CASE note_case
        WHEN 'credential_missing' THEN NULL
        WHEN 'student_unsigned' THEN 'S' || discipline
        WHEN 'student_signed' THEN 'S' || discipline
        ELSE writer_credential
    END AS "Credential",
    note_type AS "Note Type",
    if(unsaid, NULL, timed_minutes + coalesce(timed_change, 0)) AS "Total Timed Minutes",
    if(unsaid, NULL, total_minutes + coalesce(total_change, 0)) AS "Total Treatment Minutes",
    if(note_case IS NOT DISTINCT FROM 'unsigned', NULL, us_date(signed_date)) AS "Signed Date",
    -- A cosignature does not make an assistant's work a therapist's.
    CASE
        WHEN note_case = 'student_signed' THEN us_date(signed_date + 1)
        WHEN NOT by_assistant OR (episode_plant = 'report_by_assistant' AND by_assistant_set) THEN NULL
        WHEN lot // 3 % 2 = 0 OR plant = 'cosigned' OR by_assistant_set THEN us_date(signed_date + 1)
    END AS "Cosigned Date",
    hcpcs_code AS "CPT",
    if(unsaid OR silent, NULL, minutes) AS "Minutes",
    if(unsaid OR silent, NULL, assistant_minutes) AS "Assistant Minutes",
    if(unsaid OR clock = 'none', NULL, clock_time(starts)) AS "Start Time",
    if(unsaid OR clock <> 'both', NULL, clock_time(starts + block_minutes)) AS "Stop Time",
    assist_level AS "Assist Level",
    cue_level AS "Cue Level",
    difficulty AS "Difficulty",
    goal_id AS "Goal ID",
    text AS "Intervention Text"
FROM said
ORDER BY service_id;

CREATE VIEW plans_of_care AS
WITH first_plan AS (
    SELECT
        visit.episode_id,
        0 AS turn,
        visit.patient_id,
        visit.discipline,
        visit.service_date AS start_date,
        CASE
            WHEN plan_case.plan_case IN ('plan_ended', 'not_signed_again', 'signed_again', 'signed_again_late')
                THEN plan_case.middle_date
            WHEN plan_case.plan_case = 'ends_with_last_visit' THEN plan_case.last_date
            ELSE visit.service_date + 89
        END AS end_date,
        CASE
            WHEN plan_case.plan_case IN ('never_certified', 'sent_late', 'sent_on_thirtieth') THEN NULL
            WHEN plan_case.plan_case = 'certified_after' THEN plan_case.late_date + 1
            WHEN plan_case.plan_case = 'certified_on_thirtieth' THEN visit.service_date + 30
            ELSE visit.service_date + (2 + draw('certified', visit.episode_id) % 20)::INTEGER
        END AS certified_date,
        CASE
            WHEN plan_case.plan_case = 'never_certified' THEN NULL
            WHEN plan_case.plan_case = 'sent_late' THEN visit.service_date + 31
            WHEN plan_case.plan_case = 'sent_on_thirtieth' THEN visit.service_date + 30
            WHEN plan_case.plan_case = 'certified_after' THEN NULL
            ELSE visit.service_date + 1
        END AS sent_date,
        visit.service_date - (1 + draw('referral', visit.episode_id) % 9)::INTEGER AS referral_date
    FROM visit
    LEFT JOIN plan_case USING (episode_id)
    WHERE visit.visit_number = 1 AND plan_case.plan_case IS DISTINCT FROM 'unlisted'
),

-- What follows where the first plan ends.
later_plan AS (
    SELECT
        visit.episode_id,
        1 AS turn,
        visit.patient_id,
        visit.discipline,
        plan_case.middle_date AS start_date,
        plan_case.middle_date + 89 AS end_date,
        CASE plan_case.plan_case
            WHEN 'signed_again' THEN plan_case.middle_date
            WHEN 'signed_again_late' THEN plan_case.after_middle_date + 1
        END AS certified_date,
        plan_case.middle_date AS sent_date,
        NULL AS referral_date
    FROM visit
    INNER JOIN plan_case USING (episode_id)
    WHERE
        visit.visit_number = 1
        AND plan_case.plan_case IN ('not_signed_again', 'signed_again', 'signed_again_late')
)

SELECT
    format('PC{:07d}', episode_id) AS "Plan ID",
    patient_id AS "Patient ID",
    discipline AS "Discipline",
    us_date(start_date) AS "Start Date",
    us_date(end_date) AS "End Date",
    us_date(certified_date) AS "Certified Date",
    us_date(sent_date) AS "Sent Date",
    us_date(referral_date) AS "Referral Date"
FROM (SELECT * FROM first_plan UNION ALL SELECT * FROM later_plan) AS every_plan
ORDER BY episode_id, turn;

CREATE VIEW authorizations AS
SELECT
    format('AU{:07d}', visit.episode_id) AS "Auth #",
    visit.patient_id AS "Patient ID",
    visit.payer AS "Payer",
    visit.discipline AS "Discipline",
    us_date(visit.service_date) AS "Start Date",
    us_date(CASE given.authorization_case
        WHEN 'authorization_expired' THEN given.before_last_date
        WHEN 'authorization_used_up' THEN given.last_date
        ELSE visit.service_date + 119
    END) AS "End Date",
    CASE given.authorization_case
        WHEN 'visits_short' THEN visit.visits - 1
        WHEN 'authorization_used_up' THEN visit.visits
        ELSE 6 * (visit.visits // 6 + 1)
    END AS "Visits Authorized",
    CASE given.authorization_case
        WHEN 'units_short' THEN given.units - 1
        WHEN 'authorization_used_up' THEN given.units
        ELSE greatest(30 * (visit.visits // 6 + 1), given.units)
    END AS "Units Authorized"
FROM visit
INNER JOIN authorization_case AS given USING (episode_id)
WHERE visit.visit_number = 1
ORDER BY visit.episode_id;

CREATE VIEW opening_balances AS
SELECT
    patient_id AS "Patient ID",
    year AS "Year",
    pool AS "Pool",
    if(getvariable('dirt'), format('{:,.2f}', amount::DOUBLE), amount::VARCHAR) AS "Amount"
FROM opening_balance
ORDER BY number, year, pool;

CREATE VIEW remittances AS
SELECT
    remittance_id AS "Check #",
    remittance_line_number AS "Remittance Line",
    claim_id AS "Claim #",
    if(is_garbled, NULL, line_number) AS "Claim Line",
    payer AS "Payer",
    patient_id AS "Patient ID",
    us_date(service_date) AS "DOS",
    hcpcs_code AS "CPT",
    array_to_string(modifiers, ' ') AS "Modifiers",
    units_paid AS "Units",
    charge_amount AS "Charge",
    allowed_amount AS "Allowed",
    paid_amount AS "Paid",
    share_amount AS "Patient Responsibility",
    us_date(paid_date) AS "Paid Date",
    adjustments[1].of_group AS "Adj Group 1",
    adjustments[1].code AS "Adj Reason 1",
    adjustments[1].remark AS "Remark Code 1",
    adjustments[1].amount::DECIMAL(12, 2) AS "Adj Amount 1",
    adjustments[2].of_group AS "Adj Group 2",
    adjustments[2].code AS "Adj Reason 2",
    adjustments[2].remark AS "Remark Code 2",
    adjustments[2].amount::DECIMAL(12, 2) AS "Adj Amount 2",
    adjustments[3].of_group AS "Adj Group 3",
    adjustments[3].code AS "Adj Reason 3",
    adjustments[3].remark AS "Remark Code 3",
    adjustments[3].amount::DECIMAL(12, 2) AS "Adj Amount 3",
    adjustments[4].of_group AS "Adj Group 4",
    adjustments[4].code AS "Adj Reason 4",
    adjustments[4].remark AS "Remark Code 4",
    adjustments[4].amount::DECIMAL(12, 2) AS "Adj Amount 4"
FROM answer
ORDER BY paid_date, remittance_id, remittance_line_number;

CREATE VIEW truth_rows AS
SELECT
    rule,
    grain,
    patient_id,
    service_date,
    discipline,
    claim_id,
    claim_line_number,
    clinician_npi,
    year,
    pool,
    remittance_id,
    kind
FROM truth
ORDER BY rule, kind, claim_id, claim_line_number, service_date, clinician_npi, patient_id, year, pool, remittance_id;

CREATE VIEW providers AS
SELECT
    npi AS "NPI",
    format('Clinician {:02d}', number) AS "Provider Name",
    discipline AS "Discipline",
    credential AS "Credential"
FROM clinician
ORDER BY number;

-- The contract's fee table, as `[fees]` of audit.toml names it.
CREATE VIEW blue_cross_fees AS
SELECT
    hcpcs_code,
    fee_amount AS fee,
    'unit' AS per
FROM contract
ORDER BY hcpcs_code;
