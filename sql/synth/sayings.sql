-- Notes that say too little, or the wrong thing, for what was billed, and notes that careless reading takes for such.
-- A layout's braces stand for what a clean note of the visit would have said: see notes.sql. What is billed first is
-- what the case is about. Fields: whether the export's own fields (assistance, cues, goal) are filled or empty there.
CREATE TABLE saying AS
SELECT *
FROM (
    VALUES
    (
        'goal_general', '97530', 'fault', ['clinic.functional_goal_missing'], FALSE, [],
        [
            '{Did}, {dose}; {direction}, {assist}. {Response}. Goal: improve function.',
            '{Did}, {dose}. {Direction}, {assist}. {Response}. To maximize functional independence.',
            '{Assist}: {did}, {dose}; {direction}. {Response}. Continue per plan of care toward goals.',
            '{Did} to increase strength and endurance, {dose}. {Direction}. {Assist}; {response}.'
        ]
    ),
    (
        'goal_left_out', '97530', 'fault', ['clinic.functional_goal_missing'], FALSE, [],
        [
            '{Did}, {dose}; {direction}, {assist}. {Response}.',
            '{Assist}: {did}, {dose}. {Direction}; {response}.',
            '{Did} ({dose}) with {assist}. {Direction}. {Response}.'
        ]
    ),
    (
        'cues_negated', '97530', 'fault', ['clinic.skilled_direction_missing'], FALSE, [],
        [
            '{Did}, {dose}, independent. No cues needed. {Response}. {goal}.',
            '{goal}. {Did}, {dose}; did not require cueing, mod I. {Response}.',
            '{Did}, {dose}. Independent without verbal or tactile cues. {Response}. {goal}.'
        ]
    ),
    (
        'direction_left_out', '97530', 'fault', ['clinic.skilled_direction_missing'], FALSE, [],
        [
            '{Did}, {dose}, {assist}. {Response}. {goal}.', '{goal}. {Did}, {dose}. {Response}. Level: {assist}.',
            '{Assist}: {did}, {dose}. {Response}. {goal}.'
        ]
    ),
    (
        'note_vague', '97530', 'fault', ['clinic.activity_not_specific'], FALSE,
        [
            'clinic.functional_goal_missing', 'clinic.skilled_direction_missing', 'clinic.patient_response_missing',
            'clinic.assistance_level_missing'
        ],
        [
            'Therapeutic activities to improve function, 20 min.', 'Functional activity training performed.',
            'Dynamic activities for functional performance per plan of care.',
            'Patient participated in therapeutic activities, tolerated well.',
            'Functional tasks as per flow sheet. Continue plan of care.'
        ]
    ),
    (
        'task_planned', '97530', 'fault', ['clinic.activity_not_specific'], FALSE,
        [
            'clinic.functional_goal_missing', 'clinic.skilled_direction_missing', 'clinic.patient_response_missing',
            'clinic.assistance_level_missing'
        ],
        [
            'Next visit: {task}. {goal}.',
            'Will begin {task} next session. {goal}.', '{Task} deferred today, patient arrived late. {goal}.'
        ]
    ),
    (
        'response_left_out', '97530', 'fault', ['clinic.patient_response_missing'], FALSE,
        ['clinic.assistance_level_missing'],
        [
            'Practised {task} with verbal cues for {f}. {goal}.', 'Worked on {task}; therapist cued {f}. {goal}.',
            '{goal}. Practised {task}, tactile cues for {f}.'
        ]
    ),
    (
        'assistance_left_out', '97530', 'fault', ['clinic.assistance_level_missing'], FALSE, [],
        [
            '{Did}, {dose}; verbal cues for {f}. Tolerated well with mild fatigue. {goal}.',
            '{goal}. {Did}, {dose}. Therapist cued {f}. Pain {p}/10 during, no change after.',
            '{Did} ({dose}), tactile cues for {f}. No loss of balance. {goal}.'
        ]
    ),
    (
        'exercise_as_activity', '97530', 'fault', ['clinic.impairment_level_activity'], FALSE,
        [
            'clinic.functional_goal_missing', 'clinic.skilled_direction_missing', 'clinic.patient_response_missing'
        ],
        [
            'Seated knee extension 12 reps with {b} lb cuff, hamstring curls, hip abduction. Tolerated well.',
            'Straight leg raises, clamshells and bridges, 12 reps each, red band. Mild fatigue.',
            'Rows, scaption and external rotation with green band, 12 reps each. Cues for form.',
            'Nustep level {b}, then leg press 12 reps and heel raises. Pain {p}/10.',
            'Bicep curls, triceps extension and shoulder flexion with {b} lb, 12 reps each.'
        ]
    ),
    (
        'exercise_at_the_counter', '97530', 'fault', ['clinic.impairment_level_activity'], FALSE,
        [
            'clinic.functional_goal_missing', 'clinic.skilled_direction_missing', 'clinic.patient_response_missing'
        ],
        [
            'Mini squats, heel raises and hip abduction standing at the kitchen counter, 12 reps each.',
            'Standing at the sink: marching, hamstring curls and heel raises, 12 reps each. Tolerated well.',
            'Sit to stand position held for quad sets and knee extension, 12 reps. Cues for full range.'
        ]
    ),
    (
        'handout_reviewed', '97530', 'fault', ['clinic.instruction_not_activity'], FALSE,
        [
            'clinic.functional_goal_missing', 'clinic.patient_response_missing'
        ],
        [
            'Reviewed handout on body mechanics for lifting with patient. Patient verbalized understanding.',
            'Therapist demonstrated {task} and explained {f}; patient observed, did not practice.',
            'Discussed joint protection and energy conservation, written handout given. Questions answered.',
            'Educated patient on fall prevention and home safety, handout issued. Patient stated understanding.'
        ]
    ),
    (
        'caregiver_instructed', '97530', 'fault', ['clinic.instruction_not_activity'], FALSE,
        [
            'clinic.functional_goal_missing', 'clinic.patient_response_missing'
        ],
        [
            'Instructed daughter in safe transfer technique and gait belt use; she verbalized understanding.',
            'Educated spouse on positioning and skin checks, handout reviewed. Spouse had no questions.',
            'Explained home set-up and transfer technique to the caregiver; patient remained seated and watched.'
        ]
    ),
    (
        'manual_work_as_activity', '97530', 'fault', ['clinic.passive_treatment_as_activity'], FALSE,
        [
            'clinic.functional_goal_missing', 'clinic.skilled_direction_missing', 'clinic.patient_response_missing'
        ],
        [
            'Soft tissue mobilization to upper trapezius and joint mobilization grade {b}. Pain {p}/10 after.',
            'PROM to the shoulder by therapist and manual stretching of the pectorals. Tolerated well.',
            'Myofascial release to the low back, manual traction, then moist heat. Less pain after.',
            'Trigger point release and massage of the paraspinals. Pain {p}/10 after.'
        ]
    ),
    (
        'modality_as_activity', '97530', 'fault', ['clinic.passive_treatment_as_activity'], FALSE,
        [
            'clinic.functional_goal_missing', 'clinic.skilled_direction_missing', 'clinic.patient_response_missing'
        ],
        [
            'Ultrasound to the lateral elbow, then ice pack. Tolerated well.',
            'Moist heat and electrical stimulation to the low back. Pain {p}/10 after.',
            'Kinesio taping of the shoulder and cold pack. No adverse reaction.'
        ]
    ),
    (
        'care_vague', '97535', 'fault', ['clinic.activity_not_specific'], FALSE,
        [
            'clinic.functional_goal_missing', 'clinic.skilled_direction_missing', 'clinic.patient_response_missing',
            'clinic.assistance_level_missing'
        ],
        [
            'ADL training performed.', 'Self-care training to improve function, 15 min.',
            'Self care activities per plan of care, tolerated well.'
        ]
    ),
    (
        'task_in_sets', '97530', 'near_miss', ['clinic.impairment_level_activity', 'clinic.activity_not_specific'],
        FALSE, [],
        [
            '{Did}, two sets, {dose}; {direction}, {assist}. {Response}. {goal}.',
            '{goal}. {Did} in three sets, {dose}. {Direction}. {Assist}; {response}.'
        ]
    ),
    (
        'warm_up_first', '97530', 'near_miss', ['clinic.impairment_level_activity'], FALSE, [],
        [
            'Warm-up with heel raises. {Did}, {dose}; {direction}, {assist}. {Response}. {goal}.',
            '{goal}. Ankle pumps to warm up. {Did}, {dose}. {Direction}. {Assist}; {response}.'
        ]
    ),
    (
        'instruction_within', '97530', 'near_miss', ['clinic.instruction_not_activity'], FALSE, [],
        [
            'Explained {f} briefly. {Did}, {dose}; {direction}, {assist}. {Response}. {goal}.',
            '{Did}, {dose}, after one demonstration. {Direction}, {assist}. {Response}. {goal}.',
            '{goal}. {Did}, {dose}; {direction}, {assist}. {Response}. Handout given at the end.'
        ]
    ),
    (
        'manual_work_first', '97530', 'near_miss', ['clinic.passive_treatment_as_activity'], FALSE, [],
        [
            'After brief manual stretching, {task}, {dose}; {direction}, {assist}. {Response}. {goal}.',
            '{Did}, {dose}; {direction}, {assist}. {Response}. Ice to finish. {goal}.'
        ]
    ),
    (
        'negated_elsewhere', '97530', 'near_miss',
        [
            'clinic.skilled_direction_missing', 'clinic.patient_response_missing', 'clinic.activity_not_specific',
            'clinic.functional_goal_missing'
        ],
        FALSE, [],
        [
            'Denies falls, no complaints, no pain at rest. {Did}, {dose}; {direction}, {assist}. {goal}. {Response}.',
            'No change in medication. {Did}, {dose}. {Direction}, {assist}. Needed no walker. {Response}. {goal}.'
        ]
    ),
    (
        'fields_say_it', '97530', 'near_miss',
        [
            'clinic.functional_goal_missing', 'clinic.skilled_direction_missing', 'clinic.patient_response_missing',
            'clinic.assistance_level_missing'
        ],
        TRUE, [],
        ['Patient practised {task}, {dose}.', '{Task}, {dose}.', 'Today {task}, {dose}.']
    ),
    (
        'care_taught', '97535', 'near_miss', ['clinic.instruction_not_activity', 'clinic.activity_not_specific'],
        FALSE, [],
        [
            '{Did}, {dose}; {direction}, {assist}. {Response}. {goal}. Educated on safety at home.',
            'Explained {f} briefly. {Did}, {dose}. {Direction}. {Assist}; {response}. {goal}.'
        ]
    )
) AS listed (plant, hcpcs_code, kind, rules, fields_filled, consequences, layouts);

-- What the notes of a whole episode say of one code, in turn: well enough, but for any measure.
CREATE TABLE episode_saying AS
SELECT
    unnest(['unmeasured', 'unmeasured_seldom', 'unmeasured_reevaluated']) AS episode_plant,
    '97530' AS hcpcs_code,
    [
        'Practised {task}; therapist cued {f}. Tolerated well with mild fatigue. {goal}.',
        '{goal}. Worked on {task}, tactile cues for {f}. Tolerated well, mild fatigue.',
        '{Task}, verbal cues for {f} throughout. Mild fatigue, no complaints. {goal}.',
        'Today {task}. {goal}. Therapist cued {f}; mild fatigue, settled with rest.',
        '{Task} as practised before, with tactile cues for {f}. Good tolerance, no complaints. {goal}.'
    ] AS layouts;

-- Every case is put on ordinary visits that begin with the code that it is about.
INSERT INTO recipe_text
SELECT
    plant,
    discipline,
    1,
    services
FROM saying
INNER JOIN (
    VALUES
    ('97530', 'PT', '97530:15-25 97110:10-20 97140:8-12'),
    ('97530', 'PT', '97530:15-25 97112:10-20'),
    ('97530', 'OT', '97530:15-25 97110:10-20'),
    ('97530', 'OT', '97530:15-25 97535:10-20'),
    ('97535', 'OT', '97535:15-25 97110:10-20')
) AS told (hcpcs_code, discipline, services) ON saying.hcpcs_code = told.hcpcs_code;

INSERT INTO recipe_text
SELECT
    unnest(['copied_to_others', 'heading_to_others']),
    discipline,
    1,
    services
FROM (VALUES ('PT', '97530:15-25 97110:10-20'), ('OT', '97530:15-25 97535:10-20')) AS told (discipline, services);
