-- The contract: what each table holds, what one row is, each column's meaning, unit and whether it may be null.
-- Intake fills these tables; everything to the right (quality, models, checks, reports) reads them and never a file.
-- Every row carries source_file and source_row (1 is the header or first record of the file), so that each finding
-- leads back to a line of a file. Narratives are stored as zstd, which takes a third of the room and half the time to
-- write of what DuckDB would choose.

-- One row per billed service line of each version of a claim, as the claim export or 837P has it.
CREATE TABLE claim_line (
    -- the export's claim number; made from patient and date where it has none; with the first service date after it
    -- where claims share a number, as where a system sends the patient's account number with each
    claim_id VARCHAR NOT NULL,
    claim_version INTEGER NOT NULL DEFAULT 1, -- 1, 2, ... per claim_id, in the order submitted
    claim_line_number INTEGER NOT NULL, -- 1, 2, ... within the claim; unique with claim_id and claim_version
    patient_id VARCHAR NOT NULL,
    payer VARCHAR, -- as the export spells it
    service_date DATE NOT NULL,
    hcpcs_code VARCHAR NOT NULL, -- five characters, upper case
    modifiers VARCHAR [] NOT NULL, -- upper case, in the order billed; empty where there is none
    units INTEGER, -- units billed
    charge_amount DECIMAL(12, 2), -- USD billed for the line
    allowed_amount DECIMAL(12, 2), -- USD allowed by the payer, deductible and coinsurance included
    paid_amount DECIMAL(12, 2), -- USD paid by the payer
    rendering_npi VARCHAR,
    billing_npi VARCHAR,
    discipline VARCHAR, -- PT, OT or SLP where the export says so
    place_of_service VARCHAR,
    diagnosis_codes VARCHAR [] NOT NULL,
    received_date DATE, -- when the payer received the claim
    claim_frequency_code VARCHAR, -- 1 original, 7 replacement, 8 void
    original_claim_id VARCHAR, -- the claim that a replacement or void refers to: its claim_id, or the payer's number
    submitted_date DATE, -- when the claim was sent (837P); an export may lack it
    line_control_number VARCHAR, -- the provider's number of the line, which a remittance gives back
    supervising_npi VARCHAR,
    prior_authorization VARCHAR,
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per visit note: a patient's record of one visit with one clinician.
CREATE TABLE visit_note (
    note_id VARCHAR NOT NULL, -- unique; made from patient, date, discipline and clinician where the export has none
    patient_id VARCHAR NOT NULL,
    service_date DATE NOT NULL,
    discipline VARCHAR, -- PT, OT or SLP
    rendering_npi VARCHAR,
    clinician_credential VARCHAR, -- PT, PTA, OT, OTA, SLP, ... of the writer
    note_type VARCHAR, -- evaluation, reevaluation, daily, progress_report, recertification, discharge
    total_timed_minutes INTEGER, -- minutes of all timed codes together, as the note states them
    total_minutes INTEGER, -- total treatment minutes, timed and untimed
    signed_date DATE,
    cosigned_date DATE,
    text VARCHAR USING COMPRESSION zstd, -- the note's narrative
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per intervention within a note.
CREATE TABLE note_service (
    note_id VARCHAR NOT NULL,
    service_number INTEGER NOT NULL, -- 1, 2, ... within the note; unique with note_id
    patient_id VARCHAR NOT NULL,
    service_date DATE NOT NULL,
    hcpcs_code VARCHAR, -- the code that the intervention is charted under
    minutes INTEGER, -- one-on-one minutes, therapist and assistant together
    assistant_minutes INTEGER, -- of these, by an assistant
    start_time TIME,
    stop_time TIME,
    assist_level VARCHAR, -- independent, modified_independent, supervision, contact_guard,
    -- minimal, moderate, maximal, dependent
    cue_level VARCHAR, -- none, minimal, moderate, maximal
    difficulty VARCHAR, -- the task's grade, load or complexity as the export has it
    goal_id VARCHAR,
    text VARCHAR USING COMPRESSION zstd, -- the intervention's narrative
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per plan of care (or its recertification) of a patient and discipline.
CREATE TABLE plan_of_care (
    plan_of_care_id VARCHAR NOT NULL,
    patient_id VARCHAR NOT NULL,
    discipline VARCHAR,
    start_date DATE NOT NULL,
    end_date DATE,
    certified_date DATE, -- physician's or NPP's dated signature
    sent_date DATE, -- when the plan was sent to the referrer
    referral_date DATE, -- signed and dated order or referral on file
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per payer authorization.
CREATE TABLE "authorization" (
    authorization_id VARCHAR NOT NULL,
    patient_id VARCHAR NOT NULL,
    payer VARCHAR,
    discipline VARCHAR,
    start_date DATE NOT NULL,
    end_date DATE,
    visits_authorized INTEGER,
    units_authorized INTEGER,
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per clinician.
CREATE TABLE provider (
    npi VARCHAR NOT NULL, -- unique
    provider_name VARCHAR,
    discipline VARCHAR, -- PT, OT or SLP; null for physicians and others
    credential VARCHAR, -- PT, PTA, OT, OTA, SLP, MD, DO, NP, PA, ...
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per patient, year and pool: what other providers' therapy had used before the first claim given here.
CREATE TABLE patient_opening_balance (
    patient_id VARCHAR NOT NULL,
    year INTEGER NOT NULL,
    pool VARCHAR NOT NULL, -- PT+SLP or OT
    amount DECIMAL(12, 2) NOT NULL, -- USD allowed
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per finding of an earlier run as it came back from its reviewer.
CREATE TABLE review (
    finding_id VARCHAR NOT NULL,
    rule VARCHAR,
    disposition VARCHAR, -- confirmed, dismissed, corrected, refunded; null: not decided yet
    reviewer VARCHAR,
    reviewed_on DATE,
    note VARCHAR,
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL,
    valid_until DATE, -- of a dismissal: the last day on which it holds; null: as clinic.dismissal_days has it
    facts_hash VARCHAR -- facts_hash() of the finding as it was decided on; null: not known
);

-- One row per finding that was decided: the decision of the last day. Where decisions of that day differ, one that
-- does not dismiss counts: silence takes agreement.
CREATE VIEW review_decision AS
WITH last_day AS (
    SELECT
        finding_id,
        max(rule) AS rule,
        disposition,
        reviewed_on,
        -- Of several that agree the first by name speaks for all.
        arg_min({'reviewer': reviewer, 'note': note}, {'reviewer': reviewer, 'note': note}) AS said,
        min(valid_until) AS valid_until,
        -- What was decided on: no hash where one of the decisions does not know.
        CASE WHEN count(*) = count(facts_hash) THEN list(DISTINCT facts_hash) ELSE [] END AS facts_hashes
    FROM review
    WHERE disposition IS NOT NULL
    GROUP BY finding_id, reviewed_on, disposition
    QUALIFY
        row_number() OVER (
            PARTITION BY finding_id
            ORDER BY reviewed_on DESC NULLS LAST, disposition = 'dismissed', disposition
        ) = 1
)

SELECT
    finding_id,
    rule,
    disposition,
    said.reviewer,
    reviewed_on,
    said.note,
    valid_until,
    facts_hashes
FROM last_day;

-- One row per payment: an 835 transaction.
CREATE TABLE remittance (
    remittance_id VARCHAR NOT NULL, -- trace number; made unique with file and transaction where several have one
    payer VARCHAR,
    payer_id VARCHAR,
    payment_method VARCHAR, -- CHK, ACH, NON, ...
    paid_amount DECIMAL(12, 2), -- USD paid in all; negative where the payer takes back
    paid_date DATE,
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per claim of a remittance.
CREATE TABLE remittance_claim (
    remittance_id VARCHAR NOT NULL,
    remittance_claim_number INTEGER NOT NULL, -- unique with remittance_id
    claim_id VARCHAR, -- the claim number sent, as returned
    claim_status_code VARCHAR, -- 1 primary, 2 secondary, 3 tertiary, 4 denied, 19-21 forwarded, 22 reversal, ...
    charge_amount DECIMAL(12, 2),
    paid_amount DECIMAL(12, 2),
    patient_responsibility_amount DECIMAL(12, 2),
    payer_claim_control_number VARCHAR, -- the payer's number of the claim
    claim_frequency_code VARCHAR,
    patient_id VARCHAR,
    rendering_npi VARCHAR,
    received_date DATE, -- when the payer received the claim
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per service line of a remittance; one for a claim of an 835 without service lines.
CREATE TABLE remittance_line (
    remittance_id VARCHAR NOT NULL, -- check or trace number; made from the file where the export has none
    remittance_line_number INTEGER NOT NULL, -- unique with remittance_id
    remittance_claim_number INTEGER, -- null where the export has no such level
    line_kind VARCHAR NOT NULL DEFAULT 'service', -- service; claim: judged as a whole, without service lines
    claim_status_code VARCHAR, -- of its claim: 22 takes back what was paid before
    claim_id VARCHAR NOT NULL, -- the claim number sent, as returned
    claim_line_number INTEGER,
    line_control_number VARCHAR, -- the provider's number of the line, given back
    payer VARCHAR,
    patient_id VARCHAR,
    service_date DATE,
    hcpcs_code VARCHAR, -- as paid
    modifiers VARCHAR [] NOT NULL,
    billed_hcpcs_code VARCHAR, -- where the payer judged another code
    units INTEGER, -- units paid
    billed_units INTEGER,
    charge_amount DECIMAL(12, 2),
    allowed_amount DECIMAL(12, 2),
    paid_amount DECIMAL(12, 2),
    patient_responsibility_amount DECIMAL(12, 2),
    paid_date DATE,
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per adjustment of a remittance line, or of a claim (what a claim repeats of its lines is left out).
CREATE TABLE remittance_adjustment (
    remittance_id VARCHAR NOT NULL,
    remittance_claim_number INTEGER,
    remittance_line_number INTEGER, -- null for an adjustment of a claim that has service lines
    adjustment_number INTEGER NOT NULL, -- unique within the remittance line, or claim
    group_code VARCHAR, -- CO, PR, OA, PI, CR
    reason_code VARCHAR, -- CARC
    remark_code VARCHAR, -- RARC, where the export has it beside the reason
    amount DECIMAL(12, 2),
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per remark code of a remittance claim or line.
CREATE TABLE remittance_remark (
    remittance_id VARCHAR NOT NULL,
    remittance_claim_number INTEGER,
    remittance_line_number INTEGER, -- null for a remark on the claim
    remark_code VARCHAR NOT NULL, -- RARC
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per adjustment of a payment that belongs to no claim (PLB).
CREATE TABLE remittance_provider_adjustment (
    remittance_id VARCHAR NOT NULL,
    adjustment_number INTEGER NOT NULL, -- unique with remittance_id
    provider_id VARCHAR,
    reason_code VARCHAR,
    reference_id VARCHAR,
    amount DECIMAL(12, 2), -- positive takes from the payment
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per sum or count of an X12 file that does not agree.
CREATE TABLE x12_imbalance (
    check_name VARCHAR NOT NULL, -- payment, claim_paid, service_paid, claim_charge, transaction_segments, ...
    remittance_id VARCHAR, -- null where it is about a claim file, or the envelope
    claim_id VARCHAR,
    expected DECIMAL(18, 2),
    found DECIMAL(18, 2),
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per thing of an X12 file that could not be read, or is not as the standard has it: nothing was guessed.
CREATE TABLE x12_problem (
    code VARCHAR NOT NULL,
    sentence VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL -- segment, from 1
);

-- One row per input row that was refused: where it is, what kind of value it held (never the value), and why.
CREATE TABLE quarantine (
    source_file VARCHAR NOT NULL,
    source_row BIGINT, -- null where the whole file or sheet was refused
    contract_table VARCHAR NOT NULL, -- the table that the row was meant for
    column_name VARCHAR, -- the contract column; null where the row as a whole is at fault
    value_class VARCHAR, -- the refused value's shape: empty, letters, digits, mixed, date, money, long
    reason VARCHAR NOT NULL -- one sentence: what is wrong, what would be right
);

-- One row per input file (a sheet of a workbook counts as a file), with its reconciliation.
CREATE TABLE intake_file (
    source_file VARCHAR NOT NULL, -- file name (its folder before it where two share one), #sheet for a sheet
    input VARCHAR NOT NULL, -- claims, notes, providers, plans_of_care, authorizations, opening_balances, remittances,
    -- reviews
    sha256 VARCHAR NOT NULL,
    byte_count BIGINT NOT NULL,
    rows_in BIGINT NOT NULL, -- rows that hold anything; blank lines are not rows
    rows_loaded BIGINT NOT NULL,
    rows_quarantined BIGINT NOT NULL,
    notices VARCHAR [] NOT NULL -- what was assumed: encoding, date form, columns left out
);

-- One row per plan that payers map to (rules/plans.yaml).
CREATE TABLE plan (
    plan VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    unit_method VARCHAR NOT NULL, -- cms (pooled minutes, 8-minute rule) or midpoint (each code on its own)
    counts_toward_kx_threshold BOOLEAN NOT NULL,
    discipline_modifier_required BOOLEAN NOT NULL, -- GP, GO or GN
    assistant_modifier_required BOOLEAN NOT NULL -- CQ or CO
);

-- One row per payer as spelled in the claims: the plan that it maps to (audit.toml, else rules/plans.yaml).
CREATE TABLE payer_plan (
    payer VARCHAR NOT NULL,
    plan VARCHAR -- null where the payer maps to nothing: only rules for every plan judge its lines
);

-- One row per rule that ran (rules/), as the report shows it.
CREATE TABLE rule (
    rule VARCHAR NOT NULL, -- its path: medicare.kx_missing
    title VARCHAR NOT NULL,
    severity VARCHAR NOT NULL, -- error, warning, info
    direction VARCHAR NOT NULL, -- overpayment, underpayment, compliance
    grain VARCHAR NOT NULL, -- what it is about: rules/grains.yaml
    remedy VARCHAR,
    exceptions VARCHAR [] NOT NULL, -- when a finding is legitimately fine
    "references" JSON NOT NULL, -- list of {title, href}; the title names the section
    fingerprint VARCHAR NOT NULL -- hash of its YAML and SQL
);

-- One row per rule and reference table that it reads.
CREATE TABLE rule_reference (
    rule VARCHAR NOT NULL,
    reference VARCHAR NOT NULL
);

-- One row per rule and reason or remark code of the denials that it speaks to.
CREATE TABLE rule_denial_reason (
    rule VARCHAR NOT NULL,
    denial_code VARCHAR NOT NULL -- CARC or RARC
);

-- One row per parameter, key and span of dates (rules/parameters/, audit.toml).
CREATE TABLE parameter (
    name VARCHAR NOT NULL, -- authority and name: medicare.kx_threshold
    key VARCHAR NOT NULL, -- what the value is for: a pool, a code; 'all' where there is one value for everything
    effective_from DATE NOT NULL,
    effective_to DATE NOT NULL, -- last day on which the value is known to hold
    value DECIMAL(18, 4) NOT NULL
);

-- One row per rule and plan that it judges, with the dates on which it is in force (plan '*' is every plan and none).
CREATE TABLE rule_scope (
    rule VARCHAR NOT NULL,
    plan VARCHAR NOT NULL,
    effective_from DATE NOT NULL,
    effective_to DATE NOT NULL
);

-- One row: the service dates on which this run reports. Claims outside still count toward running totals.
CREATE TABLE audit_period (
    period_start DATE NOT NULL,
    period_end DATE NOT NULL,
    as_of DATE -- claims submitted and payments made later do not count; null: all that was given
);

-- One row: the day of the run, by which dismissals expire. Without one none does.
CREATE TABLE run_day (
    run_day DATE NOT NULL
);

-- One row per reference table, or part of one: the service dates that its edition covers.
CREATE TABLE reference_edition (
    reference VARCHAR NOT NULL, -- ncci_pair, ...
    setting VARCHAR, -- practitioner or hospital where the table has a part for each
    edition VARCHAR NOT NULL,
    covers_from DATE NOT NULL,
    covers_to DATE NOT NULL,
    official_file VARCHAR NOT NULL -- the file to load to renew it
);

-- One row per procedure code that the rules know (rules/codes/procedure.csv).
CREATE TABLE procedure_code (
    hcpcs_code VARCHAR NOT NULL,
    kind VARCHAR NOT NULL, -- timed_15, timed_other, untimed (one a day), counted (by body part), unlisted
    always_therapy BOOLEAN NOT NULL,
    discipline VARCHAR, -- the only discipline that may bill it; null where several may
    skilled_activity BOOLEAN NOT NULL, -- the patient performs and the therapist directs: its note is expected to change
    functional_activity BOOLEAN NOT NULL, -- of these, the patient performs a task of life or work, not an exercise
    evaluation BOOLEAN NOT NULL,
    one_on_one BOOLEAN NOT NULL -- takes the clinician's time for one patient alone
);

-- One row per NCCI procedure-to-procedure edit, setting and span of dates (rules/codes/ncci_pair.*.csv).
CREATE TABLE ncci_pair (
    setting VARCHAR NOT NULL, -- practitioner or hospital
    column_one VARCHAR NOT NULL,
    column_two VARCHAR NOT NULL, -- the code that is denied
    modifier_indicator INTEGER NOT NULL, -- 0 never together, 1 with an NCCI modifier; withdrawn edits (9) are left out
    effective_from DATE NOT NULL,
    effective_to DATE NOT NULL
);

-- One row per code, setting and span of dates: its medically unlikely edit (rules/codes/mue.*.csv).
CREATE TABLE mue (
    setting VARCHAR NOT NULL, -- practitioner or hospital
    hcpcs_code VARCHAR NOT NULL,
    units INTEGER NOT NULL, -- the most that is paid without question
    adjudication_indicator INTEGER NOT NULL, -- 1 by line, 2 by day (policy, absolute), 3 by day (clinical)
    effective_from DATE NOT NULL,
    effective_to DATE NOT NULL
);

-- One row per code and release of the Medicare physician fee schedule; of several for a date, the latest release counts
-- (rules/codes/relative_value.csv).
CREATE TABLE relative_value (
    hcpcs_code VARCHAR NOT NULL,
    effective_from DATE NOT NULL,
    effective_to DATE NOT NULL,
    work DECIMAL(8, 4) NOT NULL,
    practice_expense DECIMAL(8, 4) NOT NULL, -- non-facility: therapy is paid by it in every setting
    malpractice DECIMAL(8, 4) NOT NULL,
    multiple_procedure BOOLEAN NOT NULL, -- the therapy reduction applies (indicator 5)
    conversion_factor DECIMAL(10, 4) NOT NULL -- USD
);

-- One row per Medicare locality and span of dates (rules/codes/gpci.csv). 'national' has 1 throughout.
CREATE TABLE gpci (
    locality VARCHAR NOT NULL, -- contractor and locality number: 10112-00
    title VARCHAR NOT NULL,
    effective_from DATE NOT NULL,
    effective_to DATE NOT NULL,
    work DECIMAL(6, 3) NOT NULL,
    practice_expense DECIMAL(6, 3) NOT NULL,
    malpractice DECIMAL(6, 3) NOT NULL
);

-- One row per place of service whose claims fall under the hospital tables (rules/codes/place_of_service.csv).
CREATE TABLE place_of_service (
    place_of_service VARCHAR NOT NULL,
    setting VARCHAR NOT NULL
);

-- One row per word that names a region of the body (rules/codes/body_region.csv).
CREATE TABLE body_region (
    word VARCHAR NOT NULL, -- lower case
    region VARCHAR NOT NULL
);

-- One row per plan, pair of codes and span of dates: what the plan pays on one day only with a modifier
-- (rules/codes/payer_pair.csv, audit.toml).
CREATE TABLE payer_pair (
    plan VARCHAR NOT NULL,
    column_one VARCHAR NOT NULL,
    column_two VARCHAR NOT NULL, -- the code that needs the modifier
    modifiers VARCHAR NOT NULL, -- any of these will do: 59 XE XS XP XU
    either_line BOOLEAN NOT NULL, -- on column one's line it counts as well
    effective_from DATE NOT NULL,
    effective_to DATE NOT NULL,
    source VARCHAR NOT NULL
);

-- One row per modifier that the rules know (rules/codes/modifier.csv).
CREATE TABLE modifier_code (
    modifier VARCHAR NOT NULL,
    discipline VARCHAR, -- PT, OT or SLP for GP, GO, GN
    ncci_bypass BOOLEAN NOT NULL, -- lets an NCCI pair with indicator 1 through
    distinct_service BOOLEAN NOT NULL, -- 59 and its four subsets
    assistant_discipline VARCHAR -- PT or OT for CQ, CO
);

-- One row per clinician's credential that the rules know (rules/codes/credential.csv).
CREATE TABLE credential (
    credential VARCHAR NOT NULL,
    kind VARCHAR NOT NULL, -- therapist, physician, practitioner (non-physician), assistant, student, other
    may_render BOOLEAN NOT NULL -- Medicare enrolls it, so that a claim may name it as the rendering provider of therapy
);

-- One row per classification of providers that tells a clinician's credential: the first four characters of a taxonomy
-- code, as the PRV segment of an 837P has it (rules/codes/provider_taxonomy.csv).
CREATE TABLE provider_taxonomy (
    classification VARCHAR NOT NULL,
    discipline VARCHAR, -- PT, OT or SLP
    credential VARCHAR NOT NULL
);

-- One row per code of an initial evaluation for which there is one of a re-evaluation (rules/codes/reevaluation.csv).
CREATE TABLE reevaluation (
    hcpcs_code VARCHAR NOT NULL,
    reevaluation_code VARCHAR NOT NULL
);

-- One row per reason code (CARC) of remittances that is known, by what it is about (rules/codes/denial_reason.csv).
CREATE TABLE denial_reason (
    reason_code VARCHAR NOT NULL,
    category VARCHAR NOT NULL, -- own words: modifier, documentation, ...
    is_denial BOOLEAN NOT NULL, -- false: the service stays paid; a price, the patient's share, a reduction
    remark_decides BOOLEAN NOT NULL -- a remark code says more than the reason
);

-- One row per remark code (RARC) that says what a reason code leaves open (rules/codes/remark_reason.csv).
CREATE TABLE remark_reason (
    remark_code VARCHAR NOT NULL,
    category VARCHAR NOT NULL
);

-- One row per fee of a payer's contract: plan, code, modifier and span of dates ([fees] in audit.toml).
CREATE TABLE contract_fee (
    plan VARCHAR NOT NULL,
    hcpcs_code VARCHAR NOT NULL,
    modifier VARCHAR, -- the fee of lines that carry it; null: of all others
    fee_amount DECIMAL(12, 2) NOT NULL, -- USD
    per VARCHAR NOT NULL, -- unit or line
    effective_from DATE NOT NULL,
    effective_to DATE NOT NULL,
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per metric of a clinician's profile (rules/codes/profile_metric.csv).
CREATE TABLE profile_metric (
    metric VARCHAR NOT NULL,
    place INTEGER NOT NULL, -- order in which it is shown
    kind VARCHAR NOT NULL, -- share, number, money
    title VARCHAR NOT NULL,
    counted VARCHAR NOT NULL, -- in words
    divided_by VARCHAR NOT NULL
);

-- One row per discipline and metric of the user's benchmark file, which stands in place of the peers in the data.
CREATE TABLE benchmark (
    discipline VARCHAR NOT NULL, -- PT, OT or SLP
    metric VARCHAR NOT NULL,
    p20 DOUBLE,
    p50 DOUBLE,
    p80 DOUBLE
);

-- One row: the Medicare locality by which expected amounts are reckoned (audit.toml; none: national).
CREATE TABLE fee_locality (
    locality VARCHAR NOT NULL
);

-- One row per note service whose text is read: of a skilled activity, or without minutes and times of its own; and one
-- for a note without services (service_number 0). Texts that are the same under the same code are read once.
CREATE TABLE service_text (
    note_id VARCHAR NOT NULL,
    service_number INTEGER NOT NULL, -- unique with note_id
    text_number UBIGINT NOT NULL, -- the text in text_evidence
    text_source VARCHAR NOT NULL -- service: its own text; note: that of the whole note
);

-- One row per distinct text and code: what the text documents, by the vocabulary of rules/lexicon/.
CREATE TABLE text_evidence (
    text_number UBIGINT NOT NULL, -- hash of text and code
    specific_activity BOOLEAN NOT NULL, -- names a task with its components, which the patient did
    skilled_direction BOOLEAN NOT NULL, -- cues, facilitation, grading or a decision by the clinician
    functional_goal BOOLEAN NOT NULL, -- ties the activity to something of this patient's life
    patient_response BOOLEAN NOT NULL, -- tolerance, performance or a measure
    narrative VARCHAR NOT NULL, -- functional, impairment, instruction, passive, vague: what most of the text is about
    assist_level VARCHAR, -- the last one stated: independent ... dependent
    minutes INTEGER, -- stated for the billed code
    start_time TIME,
    stop_time TIME,
    plateau BOOLEAN NOT NULL, -- it is said that there is no further gain
    plan_changed BOOLEAN NOT NULL, -- plan, goal, approach or frequency was changed or ended
    setback BOOLEAN NOT NULL, -- a reason for doing worse: a flare, a fall, an off day
    advanced BOOLEAN NOT NULL -- the task itself was made harder or more complex
);

-- One row per place in a text that shows an element.
CREATE TABLE evidence_span (
    text_number UBIGINT NOT NULL,
    element VARCHAR NOT NULL, -- specific_activity, skilled_direction, functional_goal, patient_response
    span_start INTEGER NOT NULL, -- characters from the text's begin
    span_end INTEGER NOT NULL -- exclusive
);

-- One row per measure that a text states.
CREATE TABLE text_measure (
    text_number UBIGINT NOT NULL,
    measure VARCHAR NOT NULL, -- rules/measures.yaml
    value DOUBLE NOT NULL, -- in the measure's unit
    span_start INTEGER NOT NULL,
    span_end INTEGER NOT NULL
);

-- One row per measure that notes state: which way it gets better, and the smallest change that counts.
CREATE TABLE measure (
    measure VARCHAR NOT NULL PRIMARY KEY,
    better VARCHAR NOT NULL, -- more; less; either: any other value is a change of the task
    smallest_change DOUBLE NOT NULL,
    words VARCHAR -- how a value is told, # standing for it; null: assist levels have words of their own
);

-- One row per finding.
CREATE TABLE finding (
    finding_id VARCHAR NOT NULL, -- the same next month for the same fault
    rule VARCHAR NOT NULL,
    severity VARCHAR NOT NULL, -- error, warning, info; a check may judge less severely than its rule
    direction VARCHAR NOT NULL, -- overpayment, underpayment, compliance
    claim_id VARCHAR NOT NULL, -- of a remittance: the claim that it names; empty where it names none
    claim_line_number INTEGER NOT NULL, -- the line at fault, or the visit's first line concerned; 0 of a remittance
    patient_id VARCHAR NOT NULL, -- empty where a remittance names none
    service_date DATE NOT NULL,
    discipline VARCHAR,
    hcpcs_code VARCHAR,
    rendering_npi VARCHAR,
    payer VARCHAR,
    plan VARCHAR,
    amount_at_risk DECIMAL(12, 2) NOT NULL, -- USD that would not be paid, or are missing
    exposure_amount DECIMAL(12, 2) NOT NULL, -- USD of it that count in totals, so that no dollar counts twice
    message VARCHAR NOT NULL, -- one sentence, worded from the facts
    facts JSON NOT NULL, -- what was seen and expected
    reference_state VARCHAR NOT NULL, -- current, stale_reference, none
    source_file VARCHAR NOT NULL,
    source_row BIGINT NOT NULL
);

-- One row per finding and claim line with dollars at stake; one without a line where it is about a remittance.
CREATE TABLE finding_line (
    finding_id VARCHAR NOT NULL,
    claim_id VARCHAR,
    claim_line_number INTEGER,
    units_at_stake INTEGER, -- null: all of the line's; below 0: units that are missing
    amount_at_risk DECIMAL(12, 2) NOT NULL, -- USD
    exposure_amount DECIMAL(12, 2) NOT NULL -- USD that count in totals: of a line's, the most that can be lost, once
);

-- One row per finding that was decided on before: what the decision means for it.
CREATE TABLE finding_review (
    finding_id VARCHAR NOT NULL, -- unique
    disposition VARCHAR NOT NULL, -- as it was last decided: confirmed, dismissed, corrected, refunded
    -- dismissed: silent, it counts nowhere; confirmed, refunded, corrected: as decided; came_back: corrected, and found
    -- again all the same; changed: decided on other facts, to be looked at again; expired: the dismissal holds no more
    review_state VARCHAR NOT NULL,
    reviewer VARCHAR,
    reviewed_on DATE,
    valid_until DATE, -- of a dismissal: the last day on which it holds
    note VARCHAR
);

-- One row per rule: how many of what it judges were in scope, and with which outcome.
CREATE TABLE coverage (
    rule VARCHAR NOT NULL,
    grain VARCHAR NOT NULL, -- what it is about: rules/grains.yaml
    in_scope BIGINT NOT NULL,
    passed BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    not_evaluable BIGINT NOT NULL,
    error BIGINT NOT NULL, -- in scope of a rule whose query failed
    findings BIGINT NOT NULL, -- those dismissed by review left out
    amount_at_risk DECIMAL(18, 2) NOT NULL, -- USD
    reasons JSON NOT NULL -- reason: count, of what could not be judged
);
