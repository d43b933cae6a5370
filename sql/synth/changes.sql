-- Cases of what a note says join the others: on the first line of a daily visit, whatever the plan.
INSERT INTO plant
SELECT
    plant,
    kind,
    rules,
    'line',
    1,
    'any',
    FALSE,
    'daily',
    NULL,
    FALSE,
    1 + (draw('plant bid', plant) % 1000002)::BIGINT
FROM saying;

INSERT INTO plant_plan
SELECT
    saying.plant,
    practice.plan
FROM saying
CROSS JOIN plan_practice AS practice;

-- By how many units a planted case changes what is billed.
CREATE TABLE unit_change (plant VARCHAR, slot INTEGER, units INTEGER);
INSERT INTO unit_change VALUES
('units_exceed', 1, 1),
('units_below', 1, -1),
('unit_on_wrong_code', 1, -1),
('unit_on_wrong_code', 2, 1),
('midpoint_exceeded', 1, 1),
('midpoint_missed', 1, -1);

-- By how many minutes a planted case changes the totals that the note states.
CREATE TABLE total_change (plant VARCHAR, timed_minutes INTEGER, total_minutes INTEGER);
INSERT INTO total_change VALUES
('timed_total_more', 5, 5),
('timed_total_less', -5, 0),
('treatment_total_short', 0, -10),
('modality_beside', 0, -15),
('timed_over_treatment', 0, -8),
('treatment_total_longer', 0, 10);

-- The discipline's and the assistant's modifiers that a planted case puts on its first line in place of the right ones.
CREATE TABLE modifier_change (plant VARCHAR, discipline VARCHAR, modifiers VARCHAR []);
INSERT INTO modifier_change VALUES
('modifier_missing', 'PT', []),
('modifier_missing', 'OT', []),
('modifier_missing', 'SLP', []),
('two_modifiers', 'PT', ['GP', 'GO']),
('two_modifiers', 'OT', ['GO', 'GP']),
('modifier_of_other', 'PT', ['GO']),
('modifier_of_other', 'OT', ['GP']),
('modifier_of_other_on_evaluation', 'PT', ['GO']),
('modifier_of_other_on_evaluation', 'OT', ['GP']),
('modifier_of_other_on_evaluation', 'SLP', ['GP']),
('both_assistant_marks', 'PT', ['GP', 'CQ', 'CO']),
('both_assistant_marks', 'OT', ['GO', 'CO', 'CQ']),
('mark_before_discipline', 'PT', ['CQ', 'GP']),
('mark_before_discipline', 'OT', ['CO', 'GO']),
('mark_of_other_assistant', 'PT', ['GP', 'CO']),
('mark_of_other_assistant', 'OT', ['GO', 'CQ']),
('mark_with_other_discipline', 'PT', ['GO', 'CQ']),
('mark_with_other_discipline', 'OT', ['GP', 'CO']),
('mark_on_evaluation', 'PT', ['GP', 'CQ']),
('mark_on_evaluation', 'OT', ['GO', 'CO']),
('mark_on_speech', 'SLP', ['GN', 'CQ']);

-- What a planted case writes of a service in place of its own text; null is nothing.
CREATE TABLE text_change (plant VARCHAR, slot INTEGER, text VARCHAR);
INSERT INTO text_change VALUES
('pair_same_text', 1, 'Therapy as listed on the flow sheet, patient tolerated treatment well.'),
('pair_same_text', 2, 'Therapy as listed on the flow sheet, patient tolerated treatment well.'),
(
    'pair_text_respelled', 1,
    'Reaching and lifting pots at the kitchen counter, min A, verbal cues for pacing; tolerated well. Goal: cook.'
),
(
    'pair_text_respelled', 2,
    'Reaching and lifting pots at the kitchen counter, Min A,  verbal cues for pacing; tolerated well; goal: cook'
),
('pair_without_texts', 1, NULL),
('pair_without_texts', 2, NULL),
(
    'pair_marked_overlapping', 1,
    'Practised lifting boxes onto a shelf, right shoulder, cues for pacing, min A; no pain. Goal: stock shelves.'
),
('pair_marked_overlapping', 2, 'Worked on the push stroke of the right shoulder, cues for pacing.'),
('group_marked_overlapping', 1, 'Group circuit for the left knee, four stations.'),
('group_marked_overlapping', 2, 'Strengthening of the left knee, three sets of ten.'),
('group_marked_elsewhere', 1, 'Group circuit for the neck, four stations.'),
('group_marked_elsewhere', 2, 'Strengthening of the left knee, three sets of ten.');

-- What else an audit may say where a case is planted: it follows from the same fault. Line rules name the case's lines.
CREATE TABLE consequence (plant VARCHAR, grain VARCHAR, rule VARCHAR);
INSERT INTO consequence VALUES
('note_missing', 'visit', 'medicare.timed_minutes_not_documented'),
('minutes_missing', 'visit', 'clinic.start_stop_missing'),
('minutes_missing', 'visit', 'clinic.same_day_pair_not_distinct'),
('service_missing', 'visit', 'medicare.timed_units_exceed_minutes'),
('service_missing', 'visit', 'medicare.timed_unit_on_wrong_code'),
('service_missing', 'visit', 'payers.ama_midpoint.units_exceed_midpoint'),
('service_missing', 'visit', 'clinic.same_day_pair_not_distinct'),
('two_modifiers', 'line', 'clinic.line_without_note'),
('modifier_of_other', 'line', 'clinic.line_without_note'),
('modifier_of_other_on_evaluation', 'line', 'clinic.line_without_note'),
('sole_under_eight', 'visit', 'medicare.timed_units_exceed_minutes'),
('untimed_twice', 'line', 'medicare.mue_exceeded'),
('evaluation_twice', 'line', 'medicare.mue_exceeded'),
('group_twice_in_office', 'line', 'medicare.untimed_code_multiple_units'),
('group_twice_in_hospital', 'line', 'medicare.untimed_code_multiple_units'),
('timed_total_more', 'clinician_day', 'medicare.clinician_day_impossible'),
('total_alone', 'visit', 'clinic.start_stop_missing'),
('blocks_overlap', 'clinician_day', 'medicare.clinician_day_impossible'),
('pair_same_text', 'line', 'clinic.activity_not_specific'),
('pair_same_text', 'line', 'clinic.functional_goal_missing'),
('pair_same_text', 'line', 'clinic.skilled_direction_missing'),
('pair_without_time', 'visit', 'clinic.start_stop_missing'),
('booked_twice', 'clinician_day', 'medicare.clinician_day_impossible'),
('booked_within', 'clinician_day', 'medicare.clinician_day_impossible'),
('turns_too_long', 'clinician_day', 'medicare.clinician_day_impossible'),
('together_half_billed', 'visit', 'medicare.timed_units_below_minutes'),
('together_half_billed_partner', 'visit', 'medicare.timed_units_below_minutes'),
('mark_with_other_discipline', 'line', 'medicare.discipline_modifier_conflict'),
('mark_with_other_discipline', 'line', 'clinic.line_without_note'),
('mark_on_evaluation', 'line', 'medicare.assistant_modifier_unsupported'),
('mark_on_speech', 'line', 'medicare.assistant_modifier_unsupported'),
('pair_marked_overlapping', 'visit', 'clinic.time_blocks_overlap'),
('pair_marked_overlapping', 'clinician_day', 'medicare.clinician_day_impossible');

INSERT INTO consequence
SELECT
    plant,
    'line',
    unnest(consequences)
FROM saying;

-- What the truth says of lines that carry or lack KX, and of clinicians' habits.
CREATE TABLE kx_truth (kx_case VARCHAR, rule VARCHAR, kind VARCHAR);
INSERT INTO kx_truth VALUES
('missing', 'medicare.kx_missing', 'fault'),
('missing_on_crossing_line', 'medicare.kx_missing_on_crossing_line', 'fault'),
('routine', 'medicare.kx_routine', 'fault'),
('with_ga', 'medicare.kx_with_liability_modifier', 'fault'),
('with_gz', 'medicare.kx_with_liability_modifier', 'fault'),
('with_gy', 'medicare.kx_with_liability_modifier', 'near_miss'),
('first', 'medicare.kx_missing', 'near_miss'),
('first', 'medicare.discipline_modifier_missing', 'near_miss');

CREATE TABLE habit_truth (habit VARCHAR, rule VARCHAR, kind VARCHAR);
INSERT INTO habit_truth VALUES
('estimated', 'clinic.minutes_look_estimated', 'fault'),
('same_number', 'clinic.minutes_look_estimated', 'fault'),
('nearly_estimated', 'clinic.minutes_look_estimated', 'near_miss'),
('short', 'medicare.units_consistently_short', 'fault'),
('nearly_short', 'medicare.units_consistently_short', 'near_miss');
