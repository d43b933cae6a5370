-- Each planted case that changes one visit: where it may be put, and what an audit must (fault) or must not (near_miss)
-- say of it. Target: the claim line that the truth names; null is every line of the visit. Quiet: only patients whose
-- total cannot come near the KX threshold, since a wrong modifier books the amount into another pool, and KX on one of
-- two lines would tell them apart. Note type: null where several visits share the case, which is chosen elsewhere.
CREATE TABLE plant AS
SELECT
    *,
    1 + (draw('plant bid', plant) % 1000002)::BIGINT AS bid
FROM (
    VALUES
    (
        'units_exceed', 'fault', ['medicare.timed_units_exceed_minutes'], 'visit', NULL, 'cms', FALSE, 'daily', NULL,
        FALSE
    ),
    ('units_below', 'fault', ['medicare.timed_units_below_minutes'], 'visit', NULL, 'cms', FALSE, 'daily', NULL, FALSE),
    (
        'unit_on_wrong_code', 'fault', ['medicare.timed_unit_on_wrong_code'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'minutes_missing', 'fault', ['medicare.timed_minutes_not_documented'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'modifier_missing', 'fault', ['medicare.discipline_modifier_missing'], 'line', 1, 'medicare', TRUE, 'daily',
        NULL, FALSE
    ),
    (
        'two_modifiers', 'fault', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare', TRUE, 'daily',
        NULL, FALSE
    ),
    (
        'modifier_of_other', 'fault', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare', TRUE, 'daily',
        NULL, FALSE
    ),
    (
        'modifier_of_other_on_evaluation', 'fault', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare',
        TRUE, 'evaluation', NULL, FALSE
    ),
    (
        'pair_unmarked', 'fault', ['medicare.ncci_pair_without_modifier'], 'visit', NULL, 'medicare', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_not_allowed', 'fault', ['medicare.ncci_pair_not_allowed'], 'visit', NULL, 'medicare', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'mark_unneeded', 'fault', ['medicare.distinct_service_modifier_unneeded'], 'line', 2, 'medicare', FALSE,
        'daily', NULL, FALSE
    ),
    ('note_missing', 'fault', ['clinic.line_without_note'], 'line', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    ('service_missing', 'fault', ['clinic.service_not_documented'], 'line', 2, 'any', FALSE, 'daily', NULL, FALSE),
    (
        'midpoint_exceeded', 'fault', ['payers.ama_midpoint.units_exceed_midpoint'], 'visit', NULL, 'midpoint', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'midpoint_missed', 'fault', ['payers.ama_midpoint.units_below_midpoint'], 'visit', NULL, 'midpoint', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'boundary', 'near_miss', ['medicare.timed_units_exceed_minutes'], 'visit', NULL, 'cms', FALSE, 'daily', NULL,
        FALSE
    ),
    (
        'below_boundary', 'near_miss', ['medicare.timed_units_below_minutes', 'clinic.service_not_billed'], 'visit',
        NULL, 'cms', FALSE, 'daily', NULL, FALSE
    ),
    ('tie', 'near_miss', ['medicare.timed_unit_on_wrong_code'], 'visit', NULL, 'cms', FALSE, 'daily', NULL, FALSE),
    (
        'seven_minutes', 'near_miss', ['medicare.timed_units_exceed_minutes', 'medicare.timed_unit_on_wrong_code'],
        'visit', NULL, 'cms', FALSE, 'daily', NULL, FALSE
    ),
    (
        'pair_withdrawn', 'near_miss', ['medicare.ncci_pair_without_modifier'], 'visit', NULL, 'medicare', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'pair_marked', 'near_miss', ['medicare.distinct_service_modifier_unneeded'], 'line', 2, 'medicare', FALSE,
        'daily', NULL, FALSE
    ),
    (
        -- Neither note charts all that the day bills.
        'two_notes', 'near_miss',
        [
            'medicare.timed_units_exceed_minutes', 'clinic.service_not_documented',
            'clinic.billed_code_differs_from_note'
        ],
        'visit', NULL, 'cms', FALSE, 'daily', NULL, FALSE
    ),
    (
        'late_note', 'near_miss', ['clinic.line_without_note', 'clinic.service_date_differs_from_note'], 'line', NULL,
        'any', FALSE, 'daily', NULL, FALSE
    ),
    (
        'by_assistant', 'near_miss', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare', FALSE, 'daily',
        NULL, TRUE
    ),
    (
        'midpoint_boundary', 'near_miss',
        ['payers.ama_midpoint.units_exceed_midpoint', 'payers.ama_midpoint.units_below_midpoint'], 'visit', NULL,
        'midpoint', FALSE, 'daily', NULL, FALSE
    ),
    (
        'sole_under_eight', 'fault', ['medicare.timed_code_under_eight_minutes'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'eight_or_pooled', 'near_miss', ['medicare.timed_code_under_eight_minutes'], 'visit', NULL, 'cms', FALSE,
        'daily', NULL, FALSE
    ),
    ('timed_total_more', 'fault', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    ('timed_total_less', 'fault', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    (
        'treatment_total_short', 'fault', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'evaluation',
        NULL, FALSE
    ),
    (
        'modality_beside', 'near_miss', ['clinic.minutes_do_not_add_up', 'clinic.time_blocks_overlap'], 'visit', NULL,
        'any', FALSE, 'daily', NULL, FALSE
    ),
    (
        'timed_over_treatment', 'fault', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'daily', NULL,
        FALSE
    ),
    (
        'treatment_total_longer', 'near_miss', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'total_alone', 'near_miss', ['medicare.timed_minutes_not_documented'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    ('untimed_twice', 'fault', ['medicare.untimed_code_multiple_units'], 'line', 1, 'cms', FALSE, 'daily', NULL, FALSE),
    (
        'evaluation_twice', 'fault', ['medicare.untimed_code_multiple_units'], 'line', 1, 'cms', FALSE, 'evaluation',
        NULL, FALSE
    ),
    (
        'untimed_long', 'near_miss', ['medicare.untimed_code_multiple_units'], 'line', 1, 'cms', FALSE, 'daily', NULL,
        FALSE
    ),
    (
        'group_twice_in_office', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, 'daily',
        'practitioner', FALSE
    ),
    (
        'group_twice_in_hospital', 'near_miss', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, 'daily',
        'hospital', FALSE
    ),
    (
        'over_mue_in_office', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, 'daily',
        'practitioner', FALSE
    ),
    (
        'over_mue_in_hospital', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, 'daily', 'hospital',
        FALSE
    ),
    (
        'over_mue_on_two_lines', 'fault', ['medicare.mue_exceeded'], 'line', 2, 'medicare', FALSE, 'daily',
        'practitioner', FALSE
    ),
    (
        'at_mue_in_office', 'near_miss', ['medicare.mue_exceeded'], 'line', NULL, 'medicare', FALSE, 'daily',
        'practitioner', FALSE
    ),
    (
        'at_mue_in_hospital', 'near_miss', ['medicare.mue_exceeded'], 'line', NULL, 'medicare', FALSE, 'daily',
        'hospital', FALSE
    ),
    (
        'over_daily_cap', 'fault', ['payers.unit_cap.daily_timed_units_exceeded'], 'visit', NULL, 'capped', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'at_daily_cap', 'near_miss', ['payers.unit_cap.daily_timed_units_exceeded'], 'visit', NULL, 'capped', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'five_units_uncapped', 'near_miss', ['payers.unit_cap.daily_timed_units_exceeded'], 'visit', NULL, 'uncapped',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'split_on_two_lines', 'fault', ['medicare.timed_code_split_across_lines'], 'visit', NULL, 'medicare', TRUE,
        'daily', NULL, FALSE
    ),
    (
        'split_in_other_order', 'fault', ['medicare.timed_code_split_across_lines'], 'visit', NULL, 'medicare', TRUE,
        'daily', NULL, TRUE
    ),
    (
        'split_by_assistant', 'near_miss', ['medicare.timed_code_split_across_lines'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    ('blocks_overlap', 'fault', ['clinic.time_blocks_overlap'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    ('blocks_in_turn', 'near_miss', ['clinic.time_blocks_overlap'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    ('times_missing', 'fault', ['clinic.start_stop_missing'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    (
        'untimed_without_times', 'near_miss', ['clinic.start_stop_missing'], 'visit', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_same_text', 'fault', ['clinic.same_day_pair_not_distinct'], 'visit', NULL, 'any', FALSE, 'daily', NULL,
        FALSE
    ),
    (
        'pair_text_respelled', 'fault', ['clinic.same_day_pair_not_distinct'], 'visit', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_without_time', 'fault', ['clinic.same_day_pair_not_distinct'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_without_texts', 'near_miss', ['clinic.same_day_pair_not_distinct'], 'visit', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'booked_twice', 'fault', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL, NULL,
        FALSE
    ),
    (
        'booked_within', 'fault', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'turns_too_long', 'fault', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'in_turns', 'near_miss', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL, NULL,
        FALSE
    ),
    (
        'one_after_another', 'near_miss', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE,
        NULL, NULL, FALSE
    ),
    (
        'group_of_two', 'near_miss', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'day_too_long', 'fault', ['medicare.clinician_day_impossible'], 'clinician_day', NULL, 'uncapped', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'day_in_less_time', 'fault', ['medicare.clinician_day_impossible'], 'clinician_day', NULL, 'any', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'day_full', 'near_miss', ['medicare.clinician_day_impossible'], 'clinician_day', NULL, 'uncapped', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_double', 'fault', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_three', 'fault', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_partly', 'fault', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_split', 'near_miss', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_half_billed', 'near_miss', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE,
        NULL, NULL, FALSE
    ),
    ('mue_of_both', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, NULL, NULL, FALSE),
    ('mue_of_both_later', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, NULL, NULL, FALSE),
    (
        'assistant_unmarked', 'fault', ['medicare.assistant_modifier_missing'], 'line', NULL, 'assistant', FALSE,
        'daily', NULL, TRUE
    ),
    (
        'mixed_unmarked', 'fault', ['medicare.assistant_modifier_missing'], 'line', 1, 'assistant', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'mixed_right', 'near_miss', ['medicare.assistant_modifier_missing', 'medicare.assistant_modifier_unsupported'],
        'line', NULL, 'assistant', FALSE, 'daily', NULL, FALSE
    ),
    (
        'mark_without_assistant', 'fault', ['medicare.assistant_modifier_unsupported'], 'line', 1, 'assistant', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'mark_by_one_test', 'near_miss', ['medicare.assistant_modifier_unsupported'], 'line', 1, 'assistant', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'cosigned', 'near_miss',
        [
            'medicare.assistant_modifier_unsupported', 'clinic.rendering_differs_from_note',
            'medicare.rendering_provider_not_eligible'
        ],
        'line', NULL, 'assistant', FALSE, 'daily', NULL, TRUE
    ),
    (
        'both_assistant_marks', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', FALSE,
        'daily', NULL, TRUE
    ),
    (
        'mark_before_discipline', 'near_miss',
        ['medicare.assistant_modifier_mismatch', 'medicare.discipline_modifier_missing'], 'line', 1, 'assistant', FALSE,
        'daily', NULL, TRUE
    ),
    (
        'mark_of_other_assistant', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', FALSE,
        'daily', NULL, TRUE
    ),
    (
        'mark_with_other_discipline', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', TRUE,
        'daily', NULL, TRUE
    ),
    (
        'mark_on_evaluation', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', FALSE,
        'evaluation', NULL, FALSE
    ),
    (
        'mark_on_speech', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_marked_overlapping', 'fault', ['medicare.distinct_service_unsupported'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'group_marked_overlapping', 'fault', ['medicare.distinct_service_unsupported'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'group_marked_elsewhere', 'near_miss', ['medicare.distinct_service_unsupported'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'pair_marked_in_turn', 'near_miss', ['medicare.distinct_service_unsupported'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'two_distinct_marks', 'fault', ['medicare.distinct_service_modifier_conflict'], 'line', 2, 'medicare', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'evaluation_marked', 'fault', ['medicare.distinct_service_modifier_conflict'], 'line', 1, 'medicare', FALSE,
        'evaluation', NULL, FALSE
    ),
    (
        'reevaluation_marked', 'near_miss', ['medicare.distinct_service_modifier_conflict'], 'line', 1, 'medicare',
        FALSE, 'reevaluation', NULL, FALSE
    ),
    (
        'payer_pair_unmarked', 'fault', ['payers.pair_rules.pair_without_modifier'], 'visit', NULL, 'paired', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'payer_pair_marked', 'near_miss',
        ['payers.pair_rules.pair_without_modifier', 'medicare.distinct_service_modifier_unneeded'], 'visit', NULL,
        'paired', FALSE, 'daily', NULL, FALSE
    ),
    (
        'reduced_timed', 'fault', ['medicare.reduced_service_modifier_on_timed_code'], 'line', 1, 'cms', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'reduced_untimed', 'near_miss', ['medicare.reduced_service_modifier_on_timed_code'], 'line', 1, 'cms', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'test_with_evaluation', 'fault', ['medicare.ncci_pair_not_allowed'], 'visit', NULL, 'medicare', FALSE,
        'evaluation', 'practitioner', FALSE
    ),
    (
        'test_in_hospital', 'near_miss', ['medicare.ncci_pair_not_allowed', 'medicare.ncci_pair_without_modifier'],
        'visit', NULL, 'medicare', FALSE, 'evaluation', 'hospital', FALSE
    ),
    (
        'test_in_hospital_unmarked', 'fault', ['medicare.ncci_pair_without_modifier'], 'visit', NULL, 'medicare',
        FALSE, 'evaluation', 'hospital', FALSE
    ),
    -- Claims and notes that do not agree.
    (
        'note_next_day', 'fault', ['clinic.service_date_differs_from_note'], 'visit', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'code_swapped', 'fault', ['clinic.billed_code_differs_from_note'], 'line', 1, 'any', FALSE, 'daily', NULL,
        FALSE
    ),
    ('visit_unbilled', 'fault', ['clinic.service_not_billed'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    (
        'evaluation_unbilled', 'fault', ['clinic.service_not_billed'], 'visit', NULL, 'any', FALSE, 'evaluation', NULL,
        FALSE
    ),
    (
        'billed_under_other', 'fault', ['clinic.rendering_differs_from_note'], 'line', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'billed_under_assistant', 'fault', ['medicare.rendering_provider_not_eligible'], 'line', NULL, 'medicare',
        FALSE, 'daily', NULL, TRUE
    ),
    ('billed_again', 'fault', ['clinic.duplicate_line'], 'line', NULL, 'midpoint', FALSE, 'daily', NULL, FALSE),
    (
        'repeated_with_76', 'near_miss', ['clinic.duplicate_line'], 'line', NULL, 'midpoint', FALSE, 'daily', NULL,
        FALSE
    ),
    (
        'two_sessions', 'near_miss', ['clinic.duplicate_line'], 'line', NULL, 'midpoint', FALSE, 'daily', NULL, FALSE
    ),
    (
        'evaluated_again', 'fault', ['medicare.evaluation_repeated'], 'line', 1, 'medicare', FALSE, 'reevaluation',
        NULL, FALSE
    ),
    (
        'evaluated_for_another', 'near_miss', ['medicare.evaluation_repeated'], 'line', 1, 'medicare', FALSE,
        'reevaluation', NULL, FALSE
    ),
    (
        'group_beside', 'fault', ['medicare.group_and_individual_overlap'], 'line', 1, 'any', FALSE, NULL, NULL, FALSE
    ),
    (
        'group_before', 'near_miss', ['medicare.group_and_individual_overlap'], 'line', 1, 'any', FALSE, NULL, NULL,
        FALSE
    )
) AS listed (plant, kind, rules, grain, target_line, plans, quiet, note_type, setting, by_assistant);

-- Which plans a planted case may be put on.
CREATE TABLE plant_plan AS
SELECT
    plant.plant,
    practice.plan
FROM plant
INNER JOIN plan_practice AS practice
    ON
        CASE plant.plans
            WHEN 'any' THEN TRUE
            WHEN 'medicare' THEN practice.medicare
            WHEN 'assistant' THEN practice.asks_for_assistant
            WHEN 'capped' THEN practice.capped
            WHEN 'uncapped' THEN NOT practice.capped
            WHEN 'paired' THEN practice.sets_manual_therapy_apart
            ELSE practice.plan IS NOT NULL AND plant.plans = practice.unit_method
        END;

-- Cases that two visits share, in the order in which they are dealt out: two patients of one clinician, or one patient
-- with two clinicians (the first is then the physical therapist's). The other visit carries no truth of its own.
CREATE TABLE pair_plant AS
SELECT
    *,
    row_number() OVER (PARTITION BY shared_by ORDER BY place) - 1 AS turn,
    count(*) OVER (PARTITION BY shared_by) AS turns
FROM (
    VALUES
    (1, 'clinician', 'booked_twice', 'booked_twice_partner'),
    (2, 'clinician', 'in_turns', 'in_turns_partner'),
    (3, 'clinician', 'booked_within', 'booked_within_partner'),
    (4, 'clinician', 'one_after_another', 'one_after_another_partner'),
    (5, 'clinician', 'turns_too_long', 'turns_too_long_partner'),
    (6, 'clinician', 'group_of_two', 'group_of_two_partner'),
    (7, 'clinician', 'group_beside', 'group_beside_partner'),
    (8, 'clinician', 'group_before', 'group_before_partner'),
    (1, 'patient', 'together_double', 'together_double_partner'),
    (2, 'patient', 'together_split', 'together_split_partner'),
    (3, 'patient', 'together_partly_partner', 'together_partly'),
    (4, 'patient', 'together_half_billed', 'together_half_billed_partner'),
    (5, 'patient', 'together_three', 'together_three_partner'),
    (6, 'patient', 'mue_of_both_partner', 'mue_of_both')
) AS listed (place, shared_by, first_plant, second_plant);
