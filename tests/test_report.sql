-- A made-up clinic for the report's tests: `lines` claim lines, the models they lead to, and about one finding per 25
-- lines. Some values are hostile on purpose: markup, spreadsheet formulas, an address that is no web address. Each note
-- on 97530 has one of four texts; the word Zaffre is in all of them.
INSERT INTO audit_period VALUES ('2026-07-01', '2026-09-30', NULL);

INSERT INTO plan VALUES
('medicare_part_b', 'Medicare Part B', 'cms', TRUE, TRUE, TRUE),
('aetna', 'Aetna', 'midpoint', FALSE, TRUE, TRUE),
('blue_cross', 'Blue Cross Blue Shield', 'cms', FALSE, TRUE, TRUE),
('unitedhealthcare', 'UnitedHealthcare commercial', 'cms', FALSE, TRUE, TRUE);

INSERT INTO payer_plan VALUES
('MEDICARE PART B OF ILLINOIS', 'medicare_part_b'),
('AETNA PPO', 'aetna'),
('BCBS OF IL', 'blue_cross'),
('UHC CHOICE PLUS', 'unitedhealthcare'),
('PRAIRIE STATE WORKERS COMP', NULL),
('=HYPERLINK("http://x.invalid","pay")', NULL);

INSERT INTO provider
SELECT
    (1790000000 + i)::VARCHAR,
    (['Okafor, Adaeze', 'Lindqvist, Maja', 'Reyes, Tomás', 'Brandt-Whitfield, Alexandria', 'Nguyen, Thi',
        '<b onclick="alert(1)">Smith</b>', 'Kowalski, Piotr', 'Haddad, Rana', 'Ito, Kenji', 'Murphy, Sean'])[i + 1],
    (['PT', 'PT', 'OT', 'SLP', 'PT'])[i % 5 + 1],
    (['PT', 'PTA', 'OT', 'SLP', 'PT'])[i % 5 + 1],
    'providers.csv',
    i + 2
FROM range(10) AS r (i);

INSERT INTO rule VALUES
('medicare.timed_units_exceed_minutes', 'More timed units billed than the minutes allow', 'error', 'overpayment', 'visit',
    'Reduce the units to what the documented minutes allow and send a corrected claim.',
    ['The note''s total leaves out minutes that a signed addendum documents.'],
    '[{"title": "Medicare Claims Processing Manual (Pub. 100-04) ch. 5 §20.2 C", "href": "https://www.cms.gov/manuals/clm104c05.pdf"}]', 'f1'),
('medicare.kx_missing', 'KX missing past the year''s threshold', 'error', 'overpayment', 'line',
    'Confirm that the record supports medical necessity, add KX and resubmit; otherwise the patient may not be billed without notice.',
    ['A KX that the payer''s remittance shows but the export lacks.'],
    '[{"title": "Medicare Claims Processing Manual (Pub. 100-04) ch. 5 §10.3", "href": "https://www.cms.gov/manuals/clm104c05.pdf"}, {"title": "42 CFR 410.59(e)(2)", "href": "https://www.ecfr.gov/current/title-42/section-410.59"}]', 'f2'),
('medicare.kx_routine', 'KX used well below the threshold', 'warning', 'compliance', 'line',
    'Use KX only from the line that crosses the threshold.', [],
    '[{"title": "Medicare Claims Processing Manual (Pub. 100-04) ch. 5 §10.3", "href": "javascript:alert(1)"}]', 'f3'),
('medicare.ncci_pair_without_modifier', 'Two codes that NCCI bundles, without a modifier', 'error', 'overpayment', 'visit',
    'Where the services were separate and the note shows it, add 59 or an X modifier; otherwise withdraw the column 2 code.',
    ['Services at separate times, documented as such.'],
    '[{"title": "NCCI Policy Manual ch. 11", "href": "https://www.cms.gov/ncci/policy-manual"}]', 'f4'),
('medicare.discipline_modifier_missing', 'Always-therapy line without GP, GO or GN', 'error', 'overpayment', 'line',
    'Add the modifier of the plan of care and resubmit.', [],
    '[{"title": "Medicare Claims Processing Manual (Pub. 100-04) ch. 5 §20.1"}]', 'f5'),
('medicare.timed_units_below_minutes', 'Fewer timed units billed than the minutes earn', 'info', 'underpayment', 'visit',
    'Send a corrected claim within timely filing if the documentation supports the units.', [],
    '[{"title": "Medicare Claims Processing Manual (Pub. 100-04) ch. 5 §20.2 C", "href": "https://www.cms.gov/manuals/clm104c05.pdf"}]', 'f6'),
('clinic.line_without_note', 'Billed service without a note', 'error', 'overpayment', 'line',
    'Find the note; if there is none, refund within 60 days of identifying the overpayment.', ['The note is kept in another system.'],
    '[{"title": "Medicare Benefit Policy Manual (Pub. 100-02) ch. 15 §220.3", "href": "https://www.cms.gov/manuals/bp102c15.pdf"}]', 'f7'),
('clinic.description_cloned', 'Same text at four or more visits in a row', 'warning', 'overpayment', 'activity',
    'Read the visits side by side; educate the writer.', [],
    '[{"title": "Medicare Benefit Policy Manual (Pub. 100-02) ch. 15 §220.3 E", "href": "https://www.cms.gov/manuals/bp102c15.pdf"}]', 'f8'),
('medicare.progress_report_overdue', 'Progress report overdue', 'error', 'overpayment', 'episode',
    NULL, [], '[{"title": "Medicare Benefit Policy Manual (Pub. 100-02) ch. 15 §220.3 D", "href": "https://www.cms.gov/manuals/bp102c15.pdf"}]', 'f9'),
('clinic.skilled_direction_missing', 'No skilled direction in the note', 'warning', 'overpayment', 'service',
    'Have the clinician chart what was cued.', [],
    '[{"title": "Medicare Benefit Policy Manual (Pub. 100-02) ch. 15 §220.2.B"}]', 'f11'),
('medicare.ncci_pair_not_allowed', 'Two codes that are never paid together', 'error', 'overpayment', 'visit',
    'Withdraw the column 2 code.', [], '[{"title": "NCCI Policy Manual ch. 11", "href": "https://www.cms.gov/ncci/policy-manual"}]', 'f10');

INSERT INTO claim_line (
    claim_id, claim_line_number, patient_id, payer, service_date, hcpcs_code, modifiers, units, charge_amount,
    allowed_amount, paid_amount, rendering_npi, billing_npi, discipline, place_of_service, diagnosis_codes, received_date,
    claim_frequency_code, original_claim_id, source_file, source_row
)
SELECT
    'C' || lpad((i // 3)::VARCHAR, 7, '0'),
    i % 3 + 1,
    'P' || lpad((hash(i // 60) % 90000 + 10000)::VARCHAR, 6, '0'),
    (['MEDICARE PART B OF ILLINOIS', 'MEDICARE PART B OF ILLINOIS', 'AETNA PPO', 'BCBS OF IL', 'UHC CHOICE PLUS',
        'PRAIRIE STATE WORKERS COMP', '=HYPERLINK("http://x.invalid","pay")'])[(hash(i // 60, 1) % 7)::INTEGER + 1],
    DATE '2026-07-01' + ((i // 3) % 92)::INTEGER,
    (['97110', '97530', '97140', '97112'])[(hash(i, 2) % 4)::INTEGER + 1],
    ['GP'],
    1 + (hash(i, 3) % 3)::INTEGER,
    (45 + hash(i, 4) % 9000 / 100)::DECIMAL(12, 2),
    (10 + hash(i // 60, 5) % 34 + hash(i, 5) % 1000 / 100)::DECIMAL(12, 2),
    NULL,
    (1790000000 + hash(i // 3, 6) % 10)::VARCHAR,
    NULL, 'PT', '11', [], NULL, '1', NULL, 'claims_2026q3.csv', i + 2
FROM range(getvariable('lines')) AS r (i);

CREATE TABLE current_line AS SELECT * FROM claim_line;

CREATE TABLE therapy_line AS
SELECT
    claim_line.*, payer_plan.plan, allowed_amount AS line_amount, list_contains(modifiers, 'KX') AS has_kx,
    'practitioner' AS setting
FROM claim_line LEFT JOIN payer_plan USING (payer);

CREATE TABLE kx_ledger AS
SELECT
    patient_id,
    2026 AS year,
    'PT+SLP' AS pool,
    claim_id,
    claim_line_number,
    service_date,
    hcpcs_code,
    allowed_amount,
    0.00::DECIMAL(12, 2) AS opening_balance,
    (sum(allowed_amount) OVER w - allowed_amount)::DECIMAL(18, 2) AS balance_before,
    (sum(allowed_amount) OVER w)::DECIMAL(18, 2) AS balance_after,
    2480.00::DECIMAL(12, 2) AS threshold,
    has_kx,
    'export' AS amount_source,
    hash(patient_id) % 4 = 0 AS is_lower_bound
FROM therapy_line
WHERE plan = 'medicare_part_b'
WINDOW w AS (PARTITION BY patient_id ORDER BY service_date, claim_id, claim_line_number);

CREATE TABLE kx_year AS
SELECT
    patient_id,
    year,
    pool,
    max(balance_after) AS balance,
    any_value(threshold) AS threshold,
    bool_or(is_lower_bound) AS is_lower_bound,
    (hash(patient_id) % 3)::INTEGER AS amounts_expected,
    count_if(balance_before >= threshold)::INTEGER AS lines_past,
    count_if(balance_before >= threshold AND NOT has_kx)::INTEGER AS lines_past_without_kx,
    min(service_date) FILTER (WHERE balance_after > threshold) AS crossing_date,
    CASE WHEN balance <= any_value(threshold) THEN (hash(patient_id) % 9 + 1)::INTEGER END AS visits_left,
    CASE WHEN visits_left > 1 THEN max(service_date) + 3 * visits_left END AS expected_crossing_date
FROM kx_ledger
GROUP BY patient_id, year, pool;

INSERT INTO visit_note
SELECT
    'N' || claim_id, patient_id, service_date, 'PT', rendering_npi, 'PT', 'daily', 30, 35, service_date, NULL,
    'Patient performed sit to stand from 18 inch surface.', 'notes.xlsx#Notes', source_row
FROM claim_line
WHERE claim_line_number = 1;

INSERT INTO parameter VALUES
('clinic.documentation_weight', 'specific_activity', '1990-01-01', '2099-12-31', 25),
('clinic.documentation_weight', 'skilled_direction', '1990-01-01', '2099-12-31', 25),
('clinic.documentation_weight', 'functional_goal', '1990-01-01', '2099-12-31', 20),
('clinic.documentation_weight', 'patient_response', '1990-01-01', '2099-12-31', 15),
('clinic.documentation_weight', 'time_stated', '1990-01-01', '2099-12-31', 15),
('clinic.profile_peers', 'all', '1990-01-01', '2099-12-31', 5),
('clinic.smallest_cell', 'all', '1990-01-01', '2099-12-31', 11);

INSERT INTO profile_metric VALUES
('activity_over_exercise', 3, 'share', '97530 of 97530 and 97110', 'units of 97530', 'units of 97530 and 97110'),
('kx_share', 7, 'share', 'Lines with KX', 'lines with KX', 'lines that count toward the threshold'),
('allowed_per_patient', 9, 'money', 'Allowed per patient', 'allowed amounts', 'patients');

-- Every clinician by the lines above; KX as if there were three lines with it, too few to be shown.
CREATE TABLE clinician_profile_month AS
WITH total AS (
    SELECT
        rendering_npi AS clinician_npi, provider.discipline, strftime(service_date, '%Y-%m') AS month, count(*) AS lines,
        sum(units) FILTER (hcpcs_code = '97530') AS activity, count(DISTINCT patient_id) AS patients,
        sum(units) FILTER (hcpcs_code IN ('97110', '97530')) AS both_units, sum(allowed_amount) AS allowed
    FROM therapy_line INNER JOIN provider ON rendering_npi = npi
    GROUP BY ALL
),
figure AS (
    SELECT clinician_npi, discipline, month, 'activity_over_exercise' AS metric, activity::DOUBLE AS numerator, both_units AS denominator
    FROM total
    UNION ALL SELECT clinician_npi, discipline, month, 'kx_share', 3, lines FROM total
    UNION ALL SELECT clinician_npi, discipline, month, 'allowed_per_patient', allowed, patients FROM total
)
SELECT
    clinician_npi, discipline, month, metric, numerator::DECIMAL(18, 2) AS numerator, denominator::BIGINT AS denominator,
    numerator / denominator AS value, metric = 'kx_share' OR denominator < 11 AS suppressed,
    if(metric = 'kx_share', NULL, 0.5) AS p50
FROM figure;

CREATE TABLE clinician_profile AS
SELECT
    clinician_npi, discipline, metric, sum(numerator) AS numerator, sum(denominator)::BIGINT AS denominator,
    sum(numerator)::DOUBLE / sum(denominator) AS value, bool_or(suppressed) AS suppressed, 'peers' AS compared_with,
    5::BIGINT AS peers, 75.0 AS percentile, 0.25 AS p20, 0.5 AS p50, 0.75 AS p80, 'high' AS outlier
FROM clinician_profile_month
GROUP BY clinician_npi, discipline, metric;

INSERT INTO measure VALUES ('weight', 'more', 0.25, '# lb'), ('errors', 'less', 1, '# errors'), ('task', 'either', 0, 'the same task');

INSERT INTO note_service
SELECT
    'N' || claim_id, claim_line_number, patient_id, service_date, hcpcs_code, 15, 0, NULL, NULL,
    (['moderate', 'minimal', NULL, 'contact_guard'])[(hash(claim_id, 11) % 4)::INTEGER + 1], 'minimal', 'grade ' || hash(claim_id, 12) % 3, NULL,
    ([
        ' Zaffre: sit to stand from a chair; verbal cues for hip hinge so she can toilet at home.',
        'Zaffre, Zoë 😀 said "<script>window.hacked = 1</script>" & stood; cues for <b>hip</b> hinge, to toilet alone.',
        'Zaffre: therapeutic activity, 15 minutes.',
        '=Zaffre: tactile guidance'
    ])[(hash(claim_id, 13) % 4)::INTEGER + 1],
    'notes.xlsx#Notes', source_row
FROM claim_line
WHERE hcpcs_code = '97530';

INSERT INTO service_text
SELECT note_id, service_number, hash(trim(text), hcpcs_code), 'service' FROM note_service;

INSERT INTO evidence_span
WITH phrase AS (
    SELECT unnest([
        {'element': 'specific_activity', 'words': 'sit to stand from a chair'}, {'element': 'specific_activity', 'words': 'stood'},
        {'element': 'skilled_direction', 'words': 'cues for hip hinge so she can'}, {'element': 'skilled_direction', 'words': 'cues for <b>hip</b> hinge'},
        {'element': 'skilled_direction', 'words': 'tactile guidance'},
        {'element': 'functional_goal', 'words': 'so she can toilet at home'}, {'element': 'functional_goal', 'words': 'hinge, to toilet alone'}
    ], recursive := TRUE)
)

SELECT DISTINCT
    hash(trim(text), hcpcs_code), element, instr(trim(text), words) - 1, instr(trim(text), words) - 1 + length(words)
FROM note_service CROSS JOIN phrase
WHERE contains(text, words);

INSERT INTO text_evidence
SELECT
    text_number,
    coalesce(bool_or(element = 'specific_activity'), FALSE), coalesce(bool_or(element = 'skilled_direction'), FALSE),
    coalesce(bool_or(element = 'functional_goal'), FALSE), FALSE,
    CASE WHEN bool_or(element = 'specific_activity') THEN 'functional' ELSE 'vague' END,
    NULL, NULL, NULL, NULL, FALSE, FALSE, FALSE, FALSE
FROM service_text LEFT JOIN evidence_span USING (text_number)
GROUP BY text_number;

INSERT INTO text_measure
SELECT text_number, measure, value, 0, 1
FROM text_evidence CROSS JOIN (VALUES ('weight', 2.5), ('errors', 3), ('task', 12345)) AS told (measure, value);

CREATE TABLE documented_service AS
SELECT
    line.patient_id, line.discipline, line.service_date, line.plan, line.hcpcs_code, min(note.note_id) AS note_id,
    any_value(line.rendering_npi ORDER BY claim_id) AS clinician_npi, TRUE AS text_read,
    bool_or(evidence.specific_activity) AS specific_activity, bool_or(evidence.skilled_direction) AS skilled_direction,
    bool_or(evidence.functional_goal) AS functional_goal, FALSE AS patient_response, NULL AS assist_level, TRUE AS time_stated,
    min(evidence.narrative) AS narrative, min(claim_id) AS claim_id, arg_min(claim_line_number, claim_id) AS claim_line_number,
    (25 * bool_or(evidence.specific_activity)::INTEGER + 25 * bool_or(evidence.skilled_direction)::INTEGER
        + 20 * bool_or(evidence.functional_goal)::INTEGER + 15) AS score
FROM therapy_line AS line
INNER JOIN note_service AS note ON 'N' || line.claim_id = note.note_id AND line.claim_line_number = note.service_number
INNER JOIN service_text USING (note_id, service_number)
INNER JOIN text_evidence AS evidence USING (text_number)
GROUP BY line.patient_id, line.discipline, line.service_date, line.plan, line.hcpcs_code;

CREATE TABLE activity_day AS
SELECT DISTINCT
    patient_id, discipline, hcpcs_code, service_date, min(service_date) OVER (PARTITION BY patient_id) AS episode_start
FROM therapy_line
WHERE hcpcs_code = '97530';

INSERT INTO finding
WITH numbered AS (
    SELECT *, row_number() OVER (ORDER BY rule) - 1 AS rule_number, count(*) OVER () AS rules FROM rule
),

picked AS (
    SELECT therapy_line.*, unnest([1, 2])::INTEGER AS pick
    FROM therapy_line
    WHERE hash(claim_id, claim_line_number, 7) % 25 = 0
)

SELECT
    left(sha256(claim_id || '-' || claim_line_number || '-' || rule), 16),
    rule, severity, direction, claim_id, claim_line_number, patient_id, service_date, 'PT', hcpcs_code, rendering_npi,
    payer, plan,
    CASE direction WHEN 'compliance' THEN 0 ELSE (line_amount * (1 + hash(claim_id) % 3)).round(2) END,
    0,
    CASE
        WHEN hash(claim_id) % 40 = 0 THEN '=2+3 </script><script>window.hacked = 1</script><!-- & <img src=x onerror=alert(1)>'
        ELSE units || ' units of ' || hcpcs_code || ' were billed on ' || service_date || '; the documented minutes allow '
            || (units - 1) || '.'
    END,
    CASE rule
        WHEN 'clinic.description_cloned'
            THEN
                json_object('hcpcs_code', '97530', 'since', service_date, 'visits', 4, 'episode_start', (
                    SELECT min(day.service_date) FROM activity_day AS day WHERE day.patient_id = picked.patient_id
                ))
        ELSE json_object('units_billed', units, 'units_allowed', units - 1, 'timed_minutes', units * 15 - 9,
        'allowed_amount', line_amount, 'minutes_by_code', json_object('97110', 12, hcpcs_code, 9))
    END,
    CASE WHEN rule LIKE '%ncci%' THEN 'stale_reference' ELSE 'none' END,
    source_file, source_row
FROM picked
INNER JOIN numbered
    ON rule_number = CASE pick
        WHEN 1 THEN hash(claim_id, claim_line_number, 8) % rules
        ELSE rules - 1
    END
WHERE pick = 1 OR hash(claim_id, 9) % 4 = 0
QUALIFY row_number() OVER (PARTITION BY claim_id, claim_line_number, rule ORDER BY pick) = 1;

-- A line's dollars count once per direction.
UPDATE finding SET exposure_amount = amount_at_risk
WHERE finding_id IN (
    SELECT arg_max(finding_id, (amount_at_risk, finding_id))
    FROM finding
    WHERE direction = 'underpayment' OR (direction = 'overpayment' AND severity <> 'info')
    GROUP BY claim_id, claim_line_number, direction
);

INSERT INTO finding_line
SELECT finding_id, claim_id, claim_line_number, NULL, amount_at_risk, exposure_amount FROM finding;

INSERT INTO coverage
WITH judged AS (
    SELECT
        rule.rule,
        rule.grain,
        getvariable('lines') AS lines,
        getvariable('lines') * (hash(rule.rule) % 4)::BIGINT // 10 AS not_evaluable,
        count(finding_id) AS failed,
        coalesce(sum(amount_at_risk), 0) AS amount_at_risk
    FROM rule LEFT JOIN finding ON rule.rule = finding.rule
    GROUP BY rule.rule, rule.grain
)

SELECT
    rule,
    grain,
    lines,
    lines - failed - not_evaluable,
    failed,
    not_evaluable,
    0,
    failed,
    amount_at_risk,
    CASE
        WHEN not_evaluable = 0 THEN '{}'
        ELSE json_object('minutes missing', not_evaluable - 3, 'parameter not known for that date', 3)
    END
FROM judged;

INSERT INTO quarantine
SELECT
    'notes.xlsx#Notes', i * 7 + 3, 'visit_note', 'service_date', 'letters',
    'service_date is not a date; write 2026-07-31 or 07/31/2026.'
FROM range(41) AS r (i)
UNION ALL
SELECT 'claims_2026q3.csv', i + 90, 'claim_line', 'hcpcs_code', 'empty', '+hcpcs_code is empty; a line needs its five-character code.'
FROM range(7) AS r (i);

INSERT INTO intake_file VALUES
('claims_2026q3.csv', 'claims', 'a1', 812345, getvariable('lines') + 7, getvariable('lines'), 7,
    ['Dates read as month/day/year.', 'Column "Patient Name" left out.']),
('notes.xlsx#Notes', 'notes', 'b2', 412345, 2041, 2000, 41, []),
('providers.csv', 'providers', 'c3', 845, 10, 10, 0, ['Read as Windows-1252.']);

INSERT INTO rule_reference VALUES
('medicare.ncci_pair_without_modifier', 'ncci_pair'), ('medicare.ncci_pair_not_allowed', 'ncci_pair');

INSERT INTO reference_edition VALUES
('ncci_pair', NULL, '2024 Q3 (v302)', '2019-01-01', '2024-09-30',
    'the current quarter''s Medicare NCCI practitioner PTP edits (ccipra-v32...-f1.txt to f4.txt)');

-- Nine of ten lines have an answer; of these one in eight is denied, and half of the denials are paid a month later.
CREATE TABLE answered AS
SELECT
    *,
    hash(claim_id, claim_line_number, 21) % 8 = 0 AS denied,
    (hash(claim_id, claim_line_number, 22) % 7)::INTEGER + 1 AS why,
    hash(claim_line_number, 23, claim_id) // 4096 % 2 = 0 AS paid_later,
    service_date + 14 + (hash(claim_id, 24) % 30)::INTEGER AS paid_date
FROM claim_line
WHERE hash(claim_id, claim_line_number, 20) % 10 > 0;

INSERT INTO remittance_line (
    remittance_id, remittance_line_number, remittance_claim_number, line_kind, claim_status_code, claim_id,
    claim_line_number, patient_id, service_date, hcpcs_code, modifiers, units, charge_amount, allowed_amount, paid_amount,
    patient_responsibility_amount, paid_date, source_file, source_row
)
SELECT
    'R1', source_row, source_row, 'service', if(denied, '4', '1'), claim_id, claim_line_number, patient_id, service_date,
    hcpcs_code, modifiers, units, charge_amount, if(denied, 0, allowed_amount), if(denied, 0, allowed_amount),
    0, paid_date, 'era.835', source_row
FROM answered
UNION ALL
SELECT
    'R2', source_row, source_row, 'service', '1', claim_id, claim_line_number, patient_id, service_date,
    hcpcs_code, modifiers, units, charge_amount, allowed_amount, allowed_amount, 0, paid_date + 30, 'era.835', 90000 + source_row
FROM answered
WHERE denied AND paid_later;

INSERT INTO remittance_adjustment
SELECT
    'R1', source_row, source_row, 1, (['CO', 'CO', 'CO', 'CO', 'PR', 'OA', 'CO'])[why],
    (['16', '97', '151', '50', '204', '18', '197'])[why], (['N822', NULL, 'N362', NULL, NULL, NULL, NULL])[why],
    charge_amount, 'era.835', source_row
FROM answered
WHERE denied
UNION ALL
SELECT 'R1', source_row, source_row, 1, 'CO', '45', NULL, charge_amount - allowed_amount, 'era.835', source_row
FROM answered
WHERE NOT denied;

CREATE TABLE line_remittance AS
SELECT claim_id, claim_line_number, remittance_id, remittance_line_number, 'claim and line number' AS match_key, 1.000 AS match_score
FROM remittance_line;

CREATE TABLE line_payment AS
SELECT
    claim_id, claim_line_number, count(remittance_id)::INTEGER AS adjudications, sum(paid_amount)::DECIMAL(12, 2) AS paid_amount,
    min(paid_date) AS first_paid_date, max(paid_date) AS last_paid_date,
    (max(paid_date) - any_value(claim_line.service_date) - 3)::INTEGER AS days_to_payment
FROM (SELECT claim_id, claim_line_number, service_date FROM claim_line) AS claim_line
LEFT JOIN (
    SELECT claim_id, claim_line_number, remittance_id, paid_amount, paid_date FROM remittance_line
) AS answer USING (claim_id, claim_line_number)
GROUP BY claim_id, claim_line_number;

CREATE TABLE reconciliation AS
SELECT
    claim_id, claim_line_number, patient_id, service_date, discipline, payer, hcpcs_code, units, allowed_amount AS line_amount,
    if(source_row % 50 = 0, 'billed only', 'matched') AS reconciliation_state,
    if(source_row % 50 = 0, NULL, 'day and code') AS match_key, NULL::VARCHAR AS note_id, service_date AS note_date,
    hcpcs_code AS documented_code, 15 AS documented_minutes, source_row % 70 = 0 AS clinician_differs,
    if(adjudications > 0, 'paid', 'not known') AS remittance_state, line_payment.paid_amount, TRUE AS billable
FROM claim_line INNER JOIN line_payment USING (claim_id, claim_line_number);

INSERT INTO denial_reason VALUES
('16', 'information missing', TRUE, TRUE), ('97', 'bundled or mutually exclusive', TRUE, FALSE),
('151', 'too many units or too often', TRUE, FALSE), ('50', 'not medically necessary', TRUE, FALSE),
('204', 'not covered', TRUE, FALSE), ('18', 'duplicate', TRUE, FALSE), ('197', 'authorization', TRUE, FALSE),
('45', 'contract amount', FALSE, FALSE);

INSERT INTO remark_reason VALUES ('N822', 'modifier');

INSERT INTO rule_denial_reason VALUES
('medicare.discipline_modifier_missing', 'N822'), ('medicare.ncci_pair_without_modifier', '97'),
('medicare.timed_units_exceed_minutes', '151'), ('clinic.skilled_direction_missing', '50');
