-- What the notes say: minutes as given, levels that move over the episode, and texts put together from phrases.
CREATE TABLE IF NOT EXISTS phrase AS
SELECT *
FROM (
    VALUES
    (
        '97530',
        [
            'sit to stand from a standard chair while carrying a laundry basket',
            'lifting a crate from floor to counter',
            'car transfer with a simulated door frame', 'stairs with a grocery bag in one hand',
            'putting dishes away in an overhead cabinet', 'bed to chair transfer and moving up in bed',
            'kitchen tasks at the counter with reaching across the sink', 'carrying a tray through a doorway'
        ],
        '{a} repetitions with a {b} lb load', 6, 1, 2,
        ['foot placement', 'trunk control', 'hand placement', 'pacing', 'weight shift', 'load close to the body'],
        [
            'carry laundry at home', 'get in and out of the car alone', 'cook a meal standing',
            'return to stocking shelves', 'climb the stairs at home'
        ]
    ),
    (
        '97110',
        [
            'closed-chain knee extension', 'hip abduction in standing', 'shoulder scaption with a band',
            'heel raises at the rail', 'scapular retraction with pulleys', 'step-ups on a platform',
            'bridging with hold'
        ],
        '{a} repetitions by sets, {b} lb resistance', 8, 1, 2,
        ['alignment', 'slow lowering', 'full range', 'breathing'],
        ['rise from a low chair', 'lift a pan overhead', 'walk to the mailbox', 'stand through a work shift']
    ),
    (
        '97112',
        [
            'tandem stance on foam', 'weight shifts with reach', 'single-leg stance', 'perturbations in standing',
            'seated balance on a ball', 'proprioceptive taps to targets'
        ],
        'held {a} seconds on surface level {b}', 10, 2, 1,
        ['midline', 'ankle strategy', 'gaze', 'hip strategy'],
        ['turn in the kitchen without holding on', 'stand in the shower', 'walk on uneven ground']
    ),
    (
        '97113',
        ['aquatic gait in chest-deep water', 'aquatic squats at the bar', 'kickboard drills with trunk held steady'],
        '{a} repetitions at resistance level {b}', 6, 1, 1,
        ['upright trunk', 'step length'],
        ['walk in the shop', 'stand at work']
    ),
    (
        '97116',
        [
            'gait with a rolling walker', 'gait with a cane', 'gait without a device on level ground', 'curb and ramp',
            'gait with head turns', 'backward and sideways walking'
        ],
        '{a} feet, terrain level {b}', 60, 15, 1,
        ['step length', 'heel strike', 'cane sequence', 'turning'],
        ['walk to the dining room', 'cross the street', 'walk in the shop']
    ),
    (
        '97535',
        [
            'dressing with adaptive equipment', 'tub transfer with bench', 'grooming at the sink', 'meal preparation',
            'medication sorting', 'toileting and clothing management'
        ],
        '{a} task steps completed, set-up level {b}', 4, 1, 1,
        ['sequence', 'safety with equipment', 'joint protection', 'energy conservation'],
        ['dress alone', 'bathe with set-up only', 'prepare a simple meal']
    ),
    (
        '97542',
        ['wheelchair propulsion on carpet', 'ramp and threshold with wheelchair', 'pressure relief and positioning'],
        '{a} feet, surface level {b}', 40, 10, 1,
        ['push stroke', 'brake use', 'leaning forward'],
        ['move about at home', 'get to the van']
    ),
    (
        '97750', ['performance test with written report'], '{a} points, {b} items', 10, 1, 5, ['effort'],
        ['return to work']
    ),
    (
        '92507',
        ['naming in categories', 'sentence repetition', 'word retrieval with pictures', 'sound production in words'],
        '{a} targets right in {b} sets', 10, 1, 2,
        ['first sound', 'slow rate', 'gesture'],
        ['order in a restaurant', 'talk on the phone', 'tell the day to family']
    ),
    (
        '92526',
        ['effortful swallow', 'chin-down swallow with thin liquids', 'tongue-base exercise with trial solids'],
        '{a} swallows, texture level {b}', 8, 1, 1,
        ['bolus size', 'second swallow', 'posture'],
        ['eat a regular diet', 'drink thin liquids safely']
    ),
    (
        '97140',
        ['joint mobilization, lumbar', 'soft tissue mobilization, upper trapezius', 'patellar mobilization'],
        'range {a} degrees after, grade {b}', 40, 2, 1, NULL, NULL
    ),
    ('97124', ['massage of the paraspinals'], 'range {a} degrees after, region {b}', 40, 2, 1, NULL, NULL),
    (
        '97035', ['ultrasound to the shoulder', 'ultrasound to the heel'], '{a} percent duty, setting {b}', 20, 1, 1,
        NULL, NULL
    ),
    ('97032', ['attended electrical stimulation to the quadriceps'], '{a} milliamps, site {b}', 20, 1, 1, NULL, NULL),
    ('G0283', ['electrical stimulation to the low back'], '{a} milliamps, site {b}', 20, 1, 1, NULL, NULL),
    ('97150', ['balance and strength circuit in a group'], '{a} rounds in all, group of {b}', 4, 1, 2, NULL, NULL)
) AS listed (hcpcs_code, tasks, dose, a_first, a_step, b_first, focus, goals);

-- One row per charted service. Its turn counts the code's visits in the episode; measures move with it. In a repeated
-- run, the first service's measures stand still, and so does its wording where the text is cloned.
CREATE OR REPLACE TABLE charted AS
WITH turned AS (
    SELECT
        service.service_id,
        service.visit_id,
        service.episode_id,
        service.slot,
        service.hcpcs_code,
        service.timed,
        service.minutes,
        visit.plant,
        visit.episode_plant,
        row_number() OVER (
            PARTITION BY service.episode_id, service.hcpcs_code ORDER BY service.visit_id
        )::INTEGER AS turn,
        visit.repeated AND service.slot = 1 AS still
    FROM service
    INNER JOIN visit USING (visit_id)
),

stilled AS (
    SELECT
        *,
        if(still, min(turn) OVER (PARTITION BY episode_id, hcpcs_code, still), turn) AS measure_turn
    FROM turned
    WHERE plant IS DISTINCT FROM 'note_missing' AND NOT (plant IS NOT DISTINCT FROM 'service_missing' AND slot = 2)
)

SELECT
    * EXCLUDE (episode_plant),
    if(episode_plant = 'stalled', turn, measure_turn) AS text_turn,
    if(plant = 'two_notes', slot, 0) AS note_part,
    draw('words', concat_ws('.', episode_id, hcpcs_code)) AS words
FROM stilled;

CREATE OR REPLACE TABLE note AS
WITH levelled AS (
    SELECT
        charted.*,
        visit.note_type,
        phrase.* EXCLUDE (hcpcs_code),
        phrase.focus IS NOT NULL AS active,
        -- Cueing fades as assistance does.
        least(4, 1 + (least(7, 2 + (words % 3)::INTEGER + measure_turn // 5) + (words // 8 % 2)::INTEGER) // 2) AS cue,
        phrase.tasks[1 + ((words + measure_turn // 4) % len(phrase.tasks))::INTEGER] AS task,
        least(7, 2 + (words % 3)::INTEGER + measure_turn // 5) AS assist,
        a_first + (words // 16 % 5)::INTEGER + a_step * measure_turn AS a,
        b_first + (words // 128 % 2)::INTEGER + measure_turn // 4 AS b
    FROM charted
    INNER JOIN visit USING (visit_id)
    LEFT JOIN phrase USING (hcpcs_code)
),

worded AS (
    SELECT
        *,
        replace(replace(dose, '{a}', a::VARCHAR), '{b}', b::VARCHAR) AS measured,
        focus[1 + ((words // 7 + text_turn) % len(focus))::INTEGER] AS focus_word,
        goals[1 + (words // 11 % len(goals))::INTEGER] AS goal,
        [
            'Practised ', 'Worked on ', 'Continued ', 'Patient performed ', 'Session of '
        ][1 + ((words // 3 + text_turn) % 5)::INTEGER] AS lead,
        [
            'no rise in symptoms', 'mild fatigue, settled with a seated rest', 'quality held to the end',
            'needed a pause between sets, then resumed', 'vital signs stable, no complaint',
            'soreness eased after the task', 'carried the correction over to the next attempt'
        ][1 + ((words // 5 + text_turn) % 7)::INTEGER] AS response
    FROM levelled
)

SELECT
    service_id,
    visit_id,
    note_part,
    hcpcs_code,
    timed,
    minutes,
    if(active, 'G' || (1 + words % 3), NULL) AS goal_id,
    CASE
        WHEN text_change.plant IS NOT NULL THEN text_change.text
        WHEN lead IS NULL OR tasks IS NULL
            THEN concat(
                if(note_type = 'evaluation', 'Initial examination', 'Re-examination'), ': history, ',
                (4 + words % 5)::VARCHAR, ' tests of mobility, strength and function, findings discussed; ',
                ['goals set with the patient', 'plan of care agreed', 'home program begun'][1 + (words % 3)::INTEGER],
                '.'
            )
        WHEN active
            THEN concat(
                lead, task, ', ', measured, '; ',
                [
                    'steady hands-on guidance for ', 'verbal and tactile cues for ', 'occasional verbal cues for ',
                    'without cues, self-corrected '
                ][cue], focus_word, ', ',
                [
                    'maximal assist', 'moderate assist', 'minimal assist', 'contact guard', 'standby supervision',
                    'modified independent', 'independent'
                ][assist], '. Response: ', response, '. Goal: ', goal, '.'
            )
        ELSE concat(lead, task, ', ', measured, '. Response: ', response, '.')
    END AS text,
    if(active, [
        'maximal', 'moderate', 'minimal', 'contact_guard', 'supervision', 'modified_independent', 'independent'
    ][assist], NULL) AS assist_level,
    if(active, ['maximal', 'moderate', 'minimal', 'none'][cue], NULL) AS cue_level,
    if(active, 'grade ' || (1 + measure_turn // 3), NULL) AS difficulty
FROM worded
LEFT JOIN text_change ON worded.plant = text_change.plant AND worded.slot = text_change.slot;
