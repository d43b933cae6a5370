-- In what words a note says how much was done, who directed it, how it went and what for. {a} and {b} are measures that
-- move over the episode; digits stand nowhere else, so that a visit's numbers are its measures.
CREATE TABLE dose AS
SELECT *
FROM (
    VALUES
    ('load', ['{a} repetitions with a {b} lb load', '{b} lb, {a} repetitions', '{a} reps at {b} lb'], 6, 1, 5),
    ('times', ['{a} repetitions', '{a} times', 'done {a} times'], 4, 1, 1),
    ('stairs', ['{a} steps with {b} lb', '{b} lb over {a} steps', '{a} steps carrying {b} lb'], 4, 1, 3),
    ('items', ['{a} items handled', '{a} items in all', 'done with {a} items'], 6, 1, 1),
    ('trips', ['{a} feet with {b} lb', '{b} lb over {a} feet', '{a} ft carrying {b} lb'], 40, 10, 3),
    ('parts', ['{a} task steps completed', 'completed {a} steps of the task', '{a} steps done without help'], 4, 1, 1),
    ('sets', ['{a} repetitions by sets, {b} lb resistance', '{b} lb resistance, {a} repetitions'], 8, 1, 2),
    ('held', ['held {a} seconds on surface level {b}', '{a} seconds held, surface level {b}'], 10, 2, 1),
    ('level', ['{a} repetitions at resistance level {b}', 'resistance level {b}, {a} repetitions'], 6, 1, 1),
    ('distance', ['{a} feet, terrain level {b}', 'terrain level {b}, {a} feet'], 60, 15, 1),
    ('points', ['{a} points, {b} items', '{b} items, {a} points'], 10, 1, 5),
    ('targets', ['{a} targets right in {b} sets', 'in {b} sets {a} targets right'], 10, 1, 2),
    ('swallows', ['{a} swallows, texture level {b}', 'texture level {b}, {a} swallows'], 8, 1, 1),
    ('range', ['range {a} degrees after, grade {b}', 'grade {b}, range {a} degrees after'], 40, 2, 1),
    ('percent', ['{a} percent duty, setting {b}'], 20, 1, 1),
    ('current', ['{a} milliamps, site {b}'], 20, 1, 1),
    ('rounds', ['{a} rounds in all, group of {b}'], 4, 1, 2)
) AS listed (dose, wordings, a_first, a_step, b_first);

-- {f} is what is cued, {n} how many cues it took. With little or no cueing left, the skill is in grading the task.
CREATE TABLE wording AS
SELECT
    ['Practised ', 'Worked on ', 'Continued ', 'Patient performed ', 'Session of ', 'Training: ', ''] AS leads,
    [
        '', ' at the start of the session', ' midway through the session', ' late in the session', ' at own pace',
        ' with family watching', ' with the daughter watching', ' with the spouse present', ' near the window',
        ' in the back room', ' with the door open'
    ] AS places,
    [
        [
            'steady hands-on guidance for {f}', 'therapist guided {f} by hand throughout',
            'tactile and verbal cues for {f} on every attempt', 'hands-on facilitation for {f}'
        ],
        [
            'verbal and tactile cues for {f}', '{n} verbal cues for {f}',
            'therapist cued {f} on about half of the tries',
            'repeated cues for {f}, {n} in all'
        ],
        [
            'occasional verbal cues for {f}', '{n} verbal cues for {f}', 'therapist corrected {f} with {n} cues',
            'brief cueing for {f}'
        ],
        [
            'no cues needed for {f}; therapist graded the task by adding load',
            'self-corrected {f}; therapist increased the demand',
            'therapist progressed the task as {f} was held without cues',
            'without cues for {f}, so therapist upgraded the difficulty'
        ]
    ] AS directions,
    [
        ['maximal assist', 'max A', 'maximal assistance'],
        ['moderate assist', 'mod A', 'moderate assistance'],
        ['minimal assist', 'min A', 'minimal assistance'],
        ['contact guard', 'CGA', 'contact guard assist'],
        ['standby supervision', 'supervision', 'SBA'],
        ['modified independent', 'mod I', 'modified independence'],
        ['independent', 'independently', 'no physical help, independent']
    ] AS assists,
    [
        'no rise in symptoms', 'mild fatigue, settled with a seated rest', 'quality held to the end',
        'needed a pause between sets, then resumed', 'vital signs stable, no complaint',
        'soreness eased after the task', 'carried the correction over to the next attempt',
        'tolerated well with mild fatigue', 'pain {p}/10 during, no change after', 'no loss of balance',
        'finished all attempts', 'rated the effort as moderate', 'denied dizziness throughout',
        'steady pace, no shortness of breath', 'reported pain {p}/10 at the end',
        'good effort, tired by the last attempt'
    ] AS responses,
    [
        'Goal: {g}', 'Functional goal: {g}', 'Patient wants to {g}', 'LTG: {g}', 'Goal is to {g}',
        'Needed so that patient can {g}', 'Aim: {g}', 'Patient hopes to {g}', 'STG toward: {g}'
    ] AS goals,
    -- What a note says besides: in a copied text, where little else differs; of a plateau; of a setback.
    [
        '', ' Seen on time.', ' Arrived early.', ' No new issues.', ' Came with spouse.', ' In good mood.',
        ' Came by bus.'
    ] AS asides,
    [
        ' Plateau: no further gain over the last visits; plan of care changed to a new approach.',
        ' Progress has plateaued; plan changed, frequency reduced and goal revised.',
        ' No further gain, plateau reached; goal revised with the patient and approach changed.'
    ] AS plateaus,
    [
        ' Flare of symptoms since a fall at home, load lowered.', ' Off day after a flare of pain, less done.',
        ' Relapse after illness last week, so less was done.'
    ] AS setbacks,
    ['mat', 'plinth', 'stool', 'bench', 'bars', 'ladder', 'mirror', 'table', 'door', 'window', 'pillar'] AS things,
    ['blue', 'red', 'green', 'small', 'wide', 'tall', 'low', 'padded', 'wooden', 'folding', 'old', 'new', 'spare']
        AS kinds;
