-- The recipes that planted cases need: see recipes.sql for how they are written.
INSERT INTO recipe_text VALUES
('units_exceed', 'PT', 1, '97530:20-20 97110:10-10 | 97110:15-24 97140:10-20'),
('units_exceed', 'OT', 1, '97530:15-24 97535:10-20'),
('units_below', 'PT', 1, '97110:31-38 97140:16-24'),
('units_below', 'OT', 1, '97530:31-38 97535:16-24'),
('unit_on_wrong_code', 'PT', 1, '97110:30-36 97530:8-14'),
('unit_on_wrong_code', 'OT', 1, '97535:30-36 97530:8-14'),
('minutes_missing', 'PT', 1, '97530:15-24 97110:15-20'),
('minutes_missing', 'OT', 1, '97530:15-24 97535:15-20'),
('modifier_missing', 'PT', 1, '97110:15-22 97530:15-22'),
('modifier_missing', 'OT', 1, '97530:15-22 97535:15-22'),
('modifier_missing', 'SLP', 1, '92507:30-45'),
('two_modifiers', 'PT', 1, '97110:15-22 97530:15-22'),
('two_modifiers', 'OT', 1, '97530:15-22 97535:15-22'),
('modifier_of_other', 'PT', 1, '97530:15-22 97110:15-22'),
('modifier_of_other', 'OT', 1, '97530:15-22 97535:15-22'),
('pair_unmarked', 'PT', 1, '97530:15-25 97542:15-20 | 97113:20-25 97110:15-20 | 97150:20-30 97530:15-25'),
('pair_unmarked', 'OT', 1, '97530:15-25 97542:15-20'),
('pair_not_allowed', 'PT', 1, '97140:15-20 97124:15-20 97110:10-15 | 97150:25-35 97750/59:15-25'),
('pair_not_allowed', 'OT', 1, '97140:15-20 97124:15-20'),
('mark_unneeded', 'PT', 1, '97530:15-28 97140/59:15-20 | 97110:15-25 97112/59:15-20'),
('mark_unneeded', 'OT', 1, '97530:15-25 97535/59:15-20'),
('note_missing', 'PT', 1, '97530:15-24 97110:15-20 97140:8-12'),
('note_missing', 'OT', 1, '97530:15-24 97535:15-20'),
('note_missing', 'SLP', 1, '92507:30-45'),
('service_missing', 'PT', 1, '97530:16-22 97110:15-20 97140:8-12'),
('service_missing', 'OT', 1, '97530:16-22 97535:15-20'),
('service_missing', 'SLP', 1, '92507:20-30 92526:20-25'),
('midpoint_exceeded', 'PT', 1, '97530:15-22 97110:10-20'),
('midpoint_exceeded', 'OT', 1, '97530:15-22 97535:10-20'),
('midpoint_missed', 'PT', 1, '97110:24-36 97530:10-20'),
('midpoint_missed', 'OT', 1, '97535:24-36 97530:10-20'),
('boundary', 'PT', 1, '97110:8-8 | 97530:15-15 97110:8-8 | 97530:20-20 97110:18-18'),
('boundary', 'OT', 1, '97530:31-31 97535:22-22'),
('below_boundary', 'PT', 1, '97530:22-22 | 97110:18-18 97140:13-13 97116:10-10 97035:8-8'),
('below_boundary', 'OT', 1, '97535:20-20 97530:17-17'),
('tie', 'PT', 1, '97112:20-20 97110:20-20'),
('tie', 'OT', 1, '97535:20-20 97530:20-20'),
('seven_minutes', 'PT', 1, '97110:33-33 97140:7-7 | 97110:7-7 97112:7-7 97140:7-7'),
('seven_minutes', 'OT', 1, '97530:28-28 97140:2-2'),
('pair_withdrawn', 'PT', 1, '97530:15-28 97140:15-25'),
('pair_withdrawn', 'OT', 1, '97530:15-28 97535:15-25'),
('pair_marked', 'PT', 1, '97530:15-25 97542/59:15-20'),
('pair_marked', 'OT', 1, '97530:15-25 97542/59:15-20'),
('two_notes', 'PT', 1, '97110:6-6 97530:17-17'),
('two_notes', 'OT', 1, '97535:6-6 97530:17-17'),
('late_note', 'PT', 1, '97530:15-24 97110:15-20'),
('late_note', 'OT', 1, '97530:15-24 97535:15-20'),
('by_assistant', 'PT', 1, '97110:15-24 97116:15-20'),
('by_assistant', 'OT', 1, '97110:15-24 97535:15-20'),
('midpoint_boundary', 'PT', 1, '97110:8-8 97530:23-23 97140:7-7'),
('midpoint_boundary', 'OT', 1, '97535:8-8 97530:22-22'),
('sole_under_eight', 'PT', 1, '97110:7-7;units=1 | 97530:5-5;units=1 | 97140:7-7;units=1 G0283:15-15'),
('sole_under_eight', 'OT', 1, '97530:7-7;units=1 | 97535:5-5;units=1'),
('eight_or_pooled', 'PT', 1, '97110:8-8 | 97110:7-7 97140:7-7 | 97530:8-8 G0283:15-15'),
('eight_or_pooled', 'OT', 1, '97530:8-8 | 97530:7-7 97535:7-7'),
('timed_total_more', 'PT', 1, '97530:22-24 97110:19-21'),
('timed_total_more', 'OT', 1, '97530:22-24 97535:19-21'),
('timed_total_less', 'PT', 1, '97530:23-25 97110:21-23'),
('timed_total_less', 'OT', 1, '97530:23-25 97535:21-23'),
('treatment_total_short', 'PT', 1, '97161:25-35 97110:8-15 | 97163:35-40'),
('treatment_total_short', 'OT', 1, '97165:25-35 97530:8-15'),
('treatment_total_short', 'SLP', 1, '92523:40-40'),
('modality_beside', 'PT', 1, '97110:15-22 97116:15-20 G0283:15-15;from=0'),
('modality_beside', 'OT', 1, '97530:15-24 G0283:15-15;from=0'),
('timed_over_treatment', 'PT', 1, '97530:15-24 97110:15-20'),
('timed_over_treatment', 'OT', 1, '97530:15-24 97535:15-20'),
('treatment_total_longer', 'PT', 1, '97530:15-24 97110:15-20'),
('treatment_total_longer', 'OT', 1, '97530:15-24 97535:15-20'),
('total_alone', 'PT', 1, '97110:15-24;clock=none;silent=1 97116:15-20;clock=none;silent=1'),
('total_alone', 'OT', 1, '97535:15-24;clock=none;silent=1 97110:15-20;clock=none;silent=1'),
('untimed_twice', 'PT', 1, '97150:30-40;units=2 | G0283:20-20;units=2 97110:15-22'),
('untimed_twice', 'OT', 1, '97150:30-40;units=2 | G0283:20-20;units=2 97530:15-22'),
('untimed_twice', 'SLP', 1, '92507:30-45;units=2'),
('evaluation_twice', 'PT', 1, '97161:25-35;units=2 97110:8-15'),
('evaluation_twice', 'OT', 1, '97166:30-40;units=2 97530:8-15'),
('evaluation_twice', 'SLP', 1, '92523:40-40;units=2'),
('group_twice_in_office', 'PT', 1, '97150:30-40;units=2'),
('group_twice_in_office', 'OT', 1, '97150:30-40;units=2'),
('group_twice_in_hospital', 'PT', 1, '97150:30-40;units=2'),
('group_twice_in_hospital', 'OT', 1, '97150:30-40;units=2'),
('over_daily_cap', 'PT', 1, '97530:30-34 97110:30-34 97112:15-20 | 97530:38-44 97110:38-44'),
('over_daily_cap', 'OT', 1, '97535:30-34 97530:38-44 | 97535:30-34 97530:30-34 97110:15-20'),
('at_daily_cap', 'PT', 1, '97110:30-30 97530:30-30 | 97110:16-20 97530:16-20 97112:24-27'),
('at_daily_cap', 'OT', 1, '97535:30-30 97530:30-30'),
('five_units_uncapped', 'PT', 1, '97530:30-34 97110:30-34 97112:15-18'),
('five_units_uncapped', 'OT', 1, '97535:30-34 97530:38-44'),
('over_mue_in_office', 'PT', 1, '97112:68-75 | 97110:98-104'),
('over_mue_in_office', 'OT', 1, '97530:98-104 | 97112:68-75'),
('over_mue_in_hospital', 'PT', 1, '97116:68-74 | 97112:98-104'),
('over_mue_in_hospital', 'OT', 1, '97530:98-104'),
('at_mue_in_office', 'PT', 1, '97112:53-60 | 97110:83-90'),
('at_mue_in_office', 'OT', 1, '97530:83-90'),
('at_mue_in_hospital', 'PT', 1, '97112:83-90 | 97110:113-120'),
('at_mue_in_hospital', 'OT', 1, '97112:83-90'),
('over_mue_on_two_lines', 'PT', 1, '97112:70-70;assistant=30;marked=2'),
('over_mue_on_two_lines', 'OT', 1, '97112:70-70;assistant=30;marked=2'),
('split_on_two_lines', 'PT', 1, '97110:30-36;lines=2 | 97530:30-36;lines=2 97140:15-15'),
('split_on_two_lines', 'OT', 1, '97530:30-36;lines=2'),
('split_in_other_order', 'PT', 1, '97110:30-36;lines=2'),
('split_in_other_order', 'OT', 1, '97530:30-36;lines=2'),
('split_by_assistant', 'PT', 1, '97110:30-30;assistant=15;marked=1'),
('split_by_assistant', 'OT', 1, '97530:30-30;assistant=15;marked=1'),
('blocks_overlap', 'PT', 1, '97530:24-24 97110:18-18;from=18 | 97530:30-30 97110:15-15;from=8'),
('blocks_overlap', 'PT', 1, '97530:20-20 97112:18-18;from=0 | 97530:20-20;block=30 97110:20-20;from=0;block=30'),
('blocks_overlap', 'OT', 1, '97530:24-24 97535:18-18;from=18 | 97530:30-30 97535:15-15;from=8'),
('blocks_overlap', 'OT', 1, '97530:20-20 97110:18-18;from=0 | 97530:20-20;block=30 97535:20-20;from=0;block=30'),
('blocks_in_turn', 'PT', 1, '97530:15-15;block=35 97110:20-20;from=0;block=35'),
('blocks_in_turn', 'PT', 1, '97110:18-18;block=24 97116:16-16;from=24'),
('blocks_in_turn', 'OT', 1, '97530:15-15;block=35 97535:20-20;from=0;block=35'),
('blocks_in_turn', 'OT', 1, '97535:18-18;block=24 97110:16-16;from=24'),
('times_missing', 'PT', 1, '97530:15-24;clock=none 97110:15-20;clock=none | 97530:15-24 97110:15-20;clock=none'),
('times_missing', 'PT', 1, '97110:15-24 97116:15-20;clock=start'),
('times_missing', 'OT', 1, '97530:15-24;clock=none 97535:15-20;clock=none | 97530:15-24 97535:15-20;clock=start'),
('untimed_without_times', 'PT', 1, '97110:15-24 97116:10-14 G0283:15-15;clock=none | 97150:30-40;clock=none'),
('untimed_without_times', 'OT', 1, '97530:15-24 G0283:15-15;clock=none'),
('pair_same_text', 'PT', 1, '97530:15-24 97110:15-20 | 97530:15-24 97112:15-20'),
('pair_same_text', 'OT', 1, '97530:15-24 97535:15-20'),
('pair_text_respelled', 'PT', 1, '97530:15-24 97110:15-20'),
('pair_text_respelled', 'OT', 1, '97530:15-24 97535:15-20 | 97530:15-24 97110:15-20'),
('pair_without_time', 'PT', 1, '97530:38-38 97110:15-15;clock=none;silent=1'),
('pair_without_time', 'PT', 1, '97530:15-15;clock=none;silent=1 97112:38-38'),
('pair_without_time', 'OT', 1, '97530:38-38 97535:15-15;clock=none;silent=1'),
('pair_without_texts', 'PT', 1, '97530:15-24 97110:15-20'),
('pair_without_texts', 'OT', 1, '97530:15-24 97535:15-20'),
('booked_twice', 'PT', 1, '97530:30-30'),
('booked_twice', 'OT', 1, '97530:30-30'),
('booked_twice_partner', 'PT', 1, '97110:25-25;from=20'),
('booked_twice_partner', 'OT', 1, '97535:25-25;from=20'),
('booked_within', 'PT', 1, '97530:22-22 97110:18-18'),
('booked_within', 'OT', 1, '97530:22-22 97535:18-18'),
('booked_within_partner', 'PT', 1, '97110:20-20;from=10'),
('booked_within_partner', 'OT', 1, '97535:20-20;from=10'),
('turns_too_long', 'PT', 1, '97530:20-20;block=30'),
('turns_too_long', 'OT', 1, '97530:20-20;block=30'),
('turns_too_long_partner', 'PT', 1, '97110:18-18;block=30'),
('turns_too_long_partner', 'OT', 1, '97535:18-18;block=30'),
('in_turns', 'PT', 1, '97530:22-22;block=40'),
('in_turns', 'OT', 1, '97530:22-22;block=40'),
('in_turns_partner', 'PT', 1, '97110:18-18;block=40'),
('in_turns_partner', 'OT', 1, '97535:18-18;block=40'),
('one_after_another', 'PT', 1, '97530:25-25'),
('one_after_another', 'OT', 1, '97530:25-25'),
('one_after_another_partner', 'PT', 1, '97110:20-20;from=25'),
('one_after_another_partner', 'OT', 1, '97535:20-20;from=25'),
('group_of_two', 'PT', 1, '97150:30-30'),
('group_of_two', 'OT', 1, '97150:30-30'),
('group_of_two_partner', 'PT', 1, '97150:30-30'),
('group_of_two_partner', 'OT', 1, '97150:30-30'),
('day_too_long', 'PT', 1, '97530:20-20 97112:15-15 97110:25-25'),
('day_too_long', 'OT', 1, '97530:20-20 97535:15-15 97110:25-25'),
('day_full', 'PT', 1, '97530:20-20 97112:15-15 97110:25-25'),
('day_full', 'OT', 1, '97530:20-20 97535:15-15 97110:25-25'),
('day_in_less_time', 'PT', 1, '97530:20-20;block=15 97110:17-17;block=13 | 97110:24-24;block=19'),
('day_in_less_time', 'OT', 1, '97530:20-20;block=15 97535:17-17;block=13'),
('together_double', 'PT', 1, '97530:30-30'),
('together_double_partner', 'OT', 1, '97530:30-30'),
('together_three', 'PT', 1, '97530:30-30'),
('together_three_partner', 'OT', 1, '97530:22-22'),
('together_partly', 'OT', 1, '97535:30-30;from=15'),
('together_partly_partner', 'PT', 1, '97530:30-30'),
('together_split', 'PT', 1, '97530:15-15;block=30'),
('together_split_partner', 'OT', 1, '97530:15-15;block=30'),
('together_half_billed', 'PT', 1, '97530:30-30;units=1'),
('together_half_billed_partner', 'OT', 1, '97530:30-30;units=1'),
('mue_of_both', 'OT', 1, '97112:25-25;from=45'),
('mue_of_both_partner', 'PT', 1, '97112:40-40'),
('mue_of_both_later', 'PT', 1, '97112:40-40'),
('mue_of_both_later_partner', 'OT', 1, '97112:25-25;from=45'),
('assistant_unmarked', 'PT', 1, '97110:15-22;marked=0 97116:15-20;marked=0 | 97150:30-40;marked=0'),
('assistant_unmarked', 'OT', 1, '97110:15-22;marked=0 97535:15-20;marked=0 | 97150:30-40;marked=0'),
('mixed_unmarked', 'PT', 1, '97110:15-15;assistant=10 | 97110:25-25;assistant=5 | 97530:26-26;assistant=14'),
('mixed_unmarked', 'PT', 1, '97530:8-8;assistant=1 | 97150:30-30;assistant=10'),
('mixed_unmarked', 'OT', 1, '97535:15-15;assistant=10 | 97535:25-25;assistant=5 | 97530:26-26;assistant=14'),
('mixed_right', 'PT', 1, '97110:20-20;assistant=12 | 97110:12-12;assistant=1 | 97530:26-26;assistant=14;marked=1'),
('mixed_right', 'PT', 1, '97530:53-53;assistant=23;marked=2 | 97150:40-40;assistant=4'),
('mixed_right', 'OT', 1, '97535:20-20;assistant=12 | 97535:12-12;assistant=1 | 97530:26-26;assistant=14;marked=1'),
('mark_without_assistant', 'PT', 1, '97110:15-20;marked=1 | 97110:20-20;assistant=10;marked=1'),
('mark_without_assistant', 'PT', 1, '97530:30-30;assistant=15;marked=2 | 97110:12-12;assistant=1;marked=1'),
('mark_without_assistant', 'OT', 1, '97535:15-20;marked=1 | 97535:20-20;assistant=10;marked=1'),
('mark_by_one_test', 'PT', 1, '97110:8-8;assistant=1;marked=1'),
('mark_by_one_test', 'OT', 1, '97535:8-8;assistant=1;marked=1'),
('cosigned', 'PT', 1, '97110:15-24 97116:15-20'),
('cosigned', 'OT', 1, '97110:15-24 97535:15-20'),
('both_assistant_marks', 'PT', 1, '97110:15-22'),
('both_assistant_marks', 'OT', 1, '97535:15-22'),
('mark_before_discipline', 'PT', 1, '97110:15-22'),
('mark_before_discipline', 'OT', 1, '97535:15-22'),
('mark_of_other_assistant', 'PT', 1, '97110:15-22'),
('mark_of_other_assistant', 'OT', 1, '97535:15-22'),
('mark_with_other_discipline', 'PT', 1, '97530:15-22'),
('mark_with_other_discipline', 'OT', 1, '97530:15-22'),
('mark_on_evaluation', 'PT', 1, '97161:25-35 97110:8-15'),
('mark_on_evaluation', 'OT', 1, '97165:25-35 97530:8-15'),
('mark_on_speech', 'SLP', 1, '92507:30-45'),
('pair_marked_overlapping', 'PT', 1, '97530:25-25 97542/59:15-15;from=12 | 97113:20-20 97110/59:15-15;from=5'),
('pair_marked_overlapping', 'OT', 1, '97530:25-25 97542/59:15-15;from=12'),
('group_marked_overlapping', 'PT', 1, '97150:30-30 97110/59:15-15;from=10'),
('group_marked_overlapping', 'OT', 1, '97150:30-30 97110/XU:15-15;from=10'),
('group_marked_elsewhere', 'PT', 1, '97150:30-30 97110/59:15-15;from=10'),
('group_marked_elsewhere', 'OT', 1, '97150:30-30 97110/59:15-15;from=10'),
('pair_marked_in_turn', 'PT', 1, '97530:15-25 97542/59:15-20 | 97113:20-25 97110/XU:15-20'),
('pair_marked_in_turn', 'OT', 1, '97530:15-25 97542/XS:15-20'),
('two_distinct_marks', 'PT', 1, '97530:15-25 97542/59+XE:15-20 | 97113:20-25 97110/XU+59:15-20'),
('two_distinct_marks', 'OT', 1, '97530:15-25 97542/59+XS:15-20'),
('evaluation_marked', 'PT', 1, '97161/59:25-35 97110:8-15 | 97162/XE:30-40 97530:8-15'),
('evaluation_marked', 'OT', 1, '97165/59:25-35 97530:8-15'),
('evaluation_marked', 'SLP', 1, '92523/59:40-40'),
('reevaluation_marked', 'PT', 1, '97164/59:20-25 97035:8-10 97110:15-20'),
('reevaluation_marked', 'OT', 1, '97168/59:20-25 97535:15-20'),
('payer_pair_unmarked', 'PT', 1, '97530:15-25 97140:15-20 | 97530:15-25 97140/76:15-20'),
('payer_pair_unmarked', 'OT', 1, '97530:15-25 97140:15-20'),
('payer_pair_marked', 'PT', 1, '97530/59:15-25 97140:15-20 | 97530:15-25 97140/XE:15-20'),
('payer_pair_marked', 'OT', 1, '97530:15-25 97140/XS:15-20'),
('reduced_timed', 'PT', 1, '97110/52:10-14 | 97530/52:15-20 97110:15-20'),
('reduced_timed', 'OT', 1, '97535/52:10-14 | 97530/52:15-20 97535:15-20'),
('reduced_untimed', 'PT', 1, '97150/52:20-25 | G0283/52:10-10 97110:15-22'),
('reduced_untimed', 'OT', 1, '97150/52:20-25'),
('test_with_evaluation', 'PT', 1, '97161:25-35 97750/59:15-25'),
('test_with_evaluation', 'OT', 1, '97165:25-35 97750/59:15-25'),
('test_in_hospital', 'PT', 1, '97161:25-35 97750/59:15-25'),
('test_in_hospital', 'OT', 1, '97165:25-35 97750/59:15-25'),
('test_in_hospital_unmarked', 'PT', 1, '97161:25-35 97750:15-25'),
('test_in_hospital_unmarked', 'OT', 1, '97165:25-35 97750:15-25');

-- Cases of signatures, and of students.
INSERT INTO recipe_text
SELECT
    plant,
    discipline,
    1,
    services
FROM unnest([
    'unsigned', 'signed_after_days', 'signed_on_last_day', 'credential_missing', 'student_unsigned', 'student_signed'
]) AS listed (plant)
CROSS JOIN (
    VALUES
    ('PT', '97530:15-24 97110:15-20'), ('OT', '97530:15-24 97535:15-20'), ('SLP', '92507:30-45')
) AS plain (discipline, services)
WHERE discipline <> 'SLP' OR plant NOT IN ('student_unsigned', 'student_signed');

CREATE TABLE recipe AS
WITH single AS (
    SELECT
        used,
        discipline,
        weight,
        unnest(string_split(services, ' | ')) AS services
    FROM recipe_text
)

SELECT
    row_number() OVER (ORDER BY used, discipline, services) AS recipe_id,
    *
FROM single;

CREATE TABLE recipe_service AS
WITH service AS (
    SELECT
        recipe_id,
        unnest(string_split(services, ' ')) AS service,
        generate_subscripts(string_split(services, ' '), 1)::INTEGER AS slot
    FROM recipe
)

SELECT
    recipe_id,
    slot,
    service[:5] AS hcpcs_code,
    list_filter(string_split(regexp_extract(service, '/([^:]+)', 1), '+'), lambda modifier: modifier <> '')
        AS service_modifiers,
    regexp_extract(service, ':([0-9]+)', 1)::INTEGER AS least_minutes,
    regexp_extract(service, '-([0-9]+)', 1)::INTEGER AS most_minutes,
    nullif(regexp_extract(service, ';units=([0-9]+)', 1), '')::INTEGER AS units_set,
    coalesce(nullif(regexp_extract(service, ';lines=([0-9]+)', 1), '')::INTEGER, 1) AS lines,
    nullif(regexp_extract(service, ';assistant=([0-9]+)', 1), '')::INTEGER AS assistant_set,
    nullif(regexp_extract(service, ';marked=([0-9]+)', 1), '')::INTEGER AS marked_set,
    nullif(regexp_extract(service, ';from=([0-9]+)', 1), '')::INTEGER AS block_from_set,
    nullif(regexp_extract(service, ';block=([0-9]+)', 1), '')::INTEGER AS block_set,
    coalesce(nullif(regexp_extract(service, ';clock=([a-z]+)', 1), ''), 'both') AS clock,
    contains(service, ';silent=1') AS silent
FROM service;

-- Normal days may hold plain recipes as well, and both may hold long ones where no plan caps the units of a day; a
-- recipe is there as often as it weighs.
CREATE TABLE recipe_pool AS
WITH offered AS (
    SELECT * FROM recipe
    UNION ALL
    SELECT * REPLACE ('plain' AS used) FROM recipe
    WHERE used = 'long'
    UNION ALL
    SELECT * REPLACE ('normal' AS used) FROM recipe
    WHERE used IN ('plain', 'long')
)

SELECT
    offered.used,
    offered.discipline,
    plan_kind.capped,
    list(offered.recipe_id ORDER BY offered.recipe_id, one.place) AS recipe_ids
FROM offered
INNER JOIN recipe USING (recipe_id)
CROSS JOIN unnest(range(offered.weight)) AS one (place)
CROSS JOIN (VALUES (FALSE), (TRUE)) AS plan_kind (capped)
WHERE NOT (plan_kind.capped AND recipe.used = 'long')
GROUP BY offered.used, offered.discipline, plan_kind.capped;
