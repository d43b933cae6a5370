-- How payers answer: how soon, what they leave to the patient, what they deny and for which reason.
-- Share: of what is allowed, a fifth (coinsurance) or a fixed sum of the claim (copay), or nothing. Least and most days
-- from the day that a claim was sent.
CREATE TABLE payer_habit AS
SELECT
    *,
    row_number() OVER (ORDER BY payer) AS payer_number
FROM (
    VALUES
    ('MEDICARE PART B', 14, 16, 'coinsurance', TRUE),
    ('Medicare - Palmetto GBA', 14, 18, 'coinsurance', TRUE),
    ('UHC MEDICARE ADVANTAGE', 16, 30, 'coinsurance', TRUE),
    ('AETNA', 15, 30, 'copay', FALSE),
    ('BCBS OF SC', 10, 26, 'copay', FALSE),
    ('UNITEDHEALTHCARE', 12, 28, 'coinsurance', FALSE),
    ('TRICARE EAST', 18, 30, 'coinsurance', FALSE),
    ('SC MEDICAID', 14, 34, 'none', FALSE),
    ('CIGNA', 16, 34, 'copay', FALSE),
    ('WORKERS COMP - TRAVELERS', 28, 42, 'none', FALSE),
    ('SELF-FUNDED TPA 22', 22, 42, 'coinsurance', FALSE)
) AS listed (payer, least_days, most_days, share, sequestered);

-- What a planted fault may bring: how many of a hundred claims with it are denied, which line or codes (null: all) and
-- why. cut: the payer takes one unit off and pays the others.
CREATE TABLE denial_cause AS
SELECT
    plant,
    percent,
    story,
    target_line,
    target_codes,
    reason
FROM (
    VALUES
    ('modifier_missing', 60, 'denied', 1, NULL, 'CO 4 N822'),
    ('two_modifiers', 50, 'denied', 1, NULL, 'CO 4 N519'),
    ('modifier_of_other', 40, 'denied', 1, NULL, 'CO 4 N823'),
    ('modifier_of_other_on_evaluation', 40, 'denied', 1, NULL, 'CO 4 N823'),
    ('both_assistant_marks', 40, 'denied', 1, NULL, 'CO 4 N519'),
    ('mark_of_other_assistant', 40, 'denied', 1, NULL, 'CO 4 N823'),
    ('mark_with_other_discipline', 40, 'denied', 1, NULL, 'CO 4 N519'),
    ('pair_unmarked', 70, 'denied', 2, NULL, 'CO 236'),
    ('pair_not_allowed', 80, 'denied', NULL, ['97124', '97150'], 'CO 236'),
    ('test_with_evaluation', 80, 'denied', NULL, ['97750'], 'CO 236'),
    ('test_in_hospital_unmarked', 60, 'denied', NULL, ['97750'], 'CO 97 M80'),
    ('payer_pair_unmarked', 50, 'denied', NULL, ['97140'], 'CO 97 M15'),
    ('over_mue_in_office', 70, 'denied', 1, NULL, 'CO 151 N362'),
    ('over_mue_in_hospital', 70, 'denied', 1, NULL, 'CO 151 N362'),
    ('over_mue_on_two_lines', 70, 'denied', 2, NULL, 'CO 151 N362'),
    ('group_twice_in_office', 70, 'denied', 1, NULL, 'CO 151 N362'),
    ('mue_of_both', 60, 'denied', 1, NULL, 'CO 151 N362'),
    ('mue_of_both_later', 60, 'denied', 1, NULL, 'CO 151 N362'),
    ('untimed_twice', 50, 'cut', 1, NULL, 'CO 151 N430'),
    ('evaluation_twice', 50, 'cut', 1, NULL, 'CO 151 N430'),
    ('over_daily_cap', 60, 'cut', 1, NULL, 'CO 222'),
    ('split_on_two_lines', 60, 'denied', 2, NULL, 'OA 18'),
    ('split_in_other_order', 40, 'denied', 2, NULL, 'OA 18'),
    ('note_missing', 20, 'denied', NULL, NULL, 'CO 226 N465'),
    ('service_missing', 15, 'denied', 2, NULL, 'CO B12'),
    ('times_missing', 10, 'denied', NULL, NULL, 'CO 226 N443'),
    ('units_exceed', 8, 'cut', 1, NULL, 'CO 151'),
    ('midpoint_exceeded', 8, 'cut', 1, NULL, 'CO 151'),
    ('pair_marked_overlapping', 20, 'denied', 2, NULL, 'CO 97 M80'),
    ('group_marked_overlapping', 20, 'denied', 2, NULL, 'CO 97 M80'),
    ('report_overdue', 20, 'denied', NULL, NULL, 'CO 226 N393'),
    ('cloned', 20, 'denied', NULL, ['97530'], 'CO 50 N661'),
    ('cloned_nearly', 20, 'denied', NULL, ['97530'], 'CO 50 N661'),
    ('stalled', 20, 'denied', NULL, ['97530'], 'CO 50 N661')
) AS listed (plant, percent, story, target_line, target_codes, reason)
UNION ALL
-- What a note lacks is seen when records are asked for, which is seldom.
SELECT
    plant,
    20 AS percent,
    'denied' AS story,
    1 AS target_line,
    NULL AS target_codes,
    'CO 150 N661' AS reason
FROM plant
WHERE
    kind = 'fault'
    AND list_has_any(
        rules, ['clinic.skilled_direction_missing', 'clinic.functional_goal_missing', 'clinic.activity_not_specific']
    );

-- Of ten thousand claims without any fault: what becomes of how many, on which line (null: all), and the reasons that
-- payers give. A replaced claim is denied and sent again (frequency 7); of one that is won the payer takes back what it
-- denied, one that is upheld it denies again; taken_back and reversed ones are paid first; voided ones were sent twice,
-- under two numbers.
CREATE TABLE unexplained AS
SELECT
    *,
    sum(often) OVER (ORDER BY place) - often AS lot_from,
    sum(often) OVER (ORDER BY place) AS lot_to
FROM (
    VALUES
    (1, 90, 'denied', NULL, ['CO 16 M76', 'CO 29', 'CO 31', 'CO 109', 'CO 226 N485', 'CO 197', 'CO B7', 'OA 18']),
    (2, 60, 'denied', 2, ['CO 97 M80', 'CO 50 N115', 'CO 167', 'CO 151 N435', 'PR 204', 'CO 16 M53']),
    (3, 90, 'replaced', NULL, ['CO 16 M76', 'CO 197', 'CO 31', 'CO 22', 'CO 16 MA130']),
    (4, 40, 'replaced', 1, ['CO 4 N822']),
    (5, 50, 'won', NULL, ['CO 226 N465', 'CO 27', 'CO 50 N661', 'CO 226 N238']),
    (6, 40, 'won', 2, ['CO 97 M80', 'CO 151 N435', 'CO 50 N115']),
    (7, 25, 'taken_back', NULL, ['CO 27', 'CO 22', 'CO 226 N393']),
    (8, 20, 'reversed', NULL, ['']),
    (9, 30, 'voided', NULL, ['']),
    (10, 20, 'cut', 1, ['CO 151 N640', 'CO 119']),
    (11, 40, 'upheld', NULL, ['CO 50 N661', 'CO 226 N465', 'CO 151 N435'])
) AS listed (place, often, story, target_line, reasons);

-- Of a hundred lines with a KX case, those from and before which number are denied, and why.
CREATE TABLE kx_denial (kx_case VARCHAR, lot_from INTEGER, lot_to INTEGER, reason VARCHAR);
INSERT INTO kx_denial VALUES
('missing', 0, 50, 'CO 119'),
('missing', 50, 70, 'PR 119'),
('with_ga', 0, 60, 'PR 50'),
('with_gz', 0, 100, 'CO 50'),
('with_gy', 0, 100, 'PR 96');
