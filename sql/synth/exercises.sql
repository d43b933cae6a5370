-- What other services consist of, as tasks.sql has it. Treatment that the patient only receives has no goal of its own.
INSERT INTO task
SELECT *
FROM (
    VALUES
    (
        '97110', 'sets', ['closed-chain knee extension', 'terminal knee extension against a band'],
        ['alignment', 'slow lowering', 'full range', 'breathing'],
        ['rise from a low chair', 'climb the stairs at home', 'stand through a work shift']
    ),
    (
        '97110', 'sets', ['hip abduction in standing', 'standing hip abduction with a cuff weight'],
        ['level pelvis', 'slow lowering', 'upright trunk', 'breathing'],
        ['walk to the mailbox', 'stand through a work shift', 'get in and out of the tub']
    ),
    (
        '97110', 'sets', ['shoulder scaption with a band', 'resisted scaption of the shoulder'],
        ['alignment', 'shoulder blade control', 'full range', 'breathing'],
        ['lift a pan overhead', 'reach the top shelf', 'return to painting']
    ),
    (
        '97110', 'sets', ['heel raises at the rail', 'calf raises on both feet at the rail'],
        ['full range', 'slow lowering', 'even weight', 'knee position'],
        ['walk to the mailbox', 'climb the stairs at home', 'push off on uneven ground']
    ),
    (
        '97110', 'sets', ['scapular retraction with pulleys', 'rows with pulleys'],
        ['upright posture', 'elbow position', 'slow release', 'breathing'],
        ['lift a pan overhead', 'carry a backpack to school', 'return to warehouse work']
    ),
    (
        '97110', 'sets', ['step-ups on a platform', 'forward step-ups to a platform'],
        ['knee alignment', 'slow lowering', 'level pelvis', 'upright trunk'],
        ['climb the stairs at home', 'step onto a bus', 'rise from a low chair']
    ),
    (
        '97110', 'sets', ['bridging with hold', 'bridges with a hold at the top'],
        ['level pelvis', 'breathing', 'slow lowering', 'even weight'],
        ['turn over in bed', 'rise from a low chair', 'get out of bed alone']
    ),
    (
        '97112', 'held', ['tandem stance on foam', 'heel-to-toe stance on a foam pad'],
        ['midline', 'ankle strategy', 'gaze', 'hip strategy'],
        ['turn in the kitchen without holding on', 'stand in the shower', 'walk on uneven ground']
    ),
    (
        '97112', 'held', ['weight shifts with reach', 'reaching outside the base of support'],
        ['midline', 'ankle strategy', 'trunk control', 'hip strategy'],
        ['reach into the cupboard safely', 'stand in the shower', 'dress while standing']
    ),
    (
        '97112', 'held', ['single-leg stance', 'standing on one leg'],
        ['level pelvis', 'ankle strategy', 'gaze', 'soft knee'],
        ['step over the tub edge', 'put on pants while standing', 'walk on uneven ground']
    ),
    (
        '97112', 'held', ['perturbations in standing', 'reactive balance to nudges in standing'],
        ['step reaction', 'ankle strategy', 'midline', 'hip strategy'],
        ['stand on the bus', 'walk in crowds', 'turn in the kitchen without holding on']
    ),
    (
        '97112', 'held', ['seated balance on a ball', 'sitting on a therapy ball with arm movements'],
        ['midline', 'trunk control', 'breathing', 'pelvic tilt'],
        ['sit at the desk through a school day', 'sit on the edge of the bed to dress', 'drive again']
    ),
    (
        '97112', 'held', ['proprioceptive taps to targets', 'foot taps to floor targets with eyes ahead'],
        ['gaze', 'knee position', 'midline', 'slow return'],
        ['climb curbs safely', 'walk on uneven ground', 'return to the bowling team']
    ),
    (
        '97113', 'level', ['aquatic gait in chest-deep water', 'walking in chest-deep water'],
        ['upright trunk', 'step length', 'arm swing'],
        ['walk in the shop', 'stand at work', 'walk the dog']
    ),
    (
        '97113', 'level', ['aquatic squats at the bar', 'squats in the pool at the bar'],
        ['upright trunk', 'knee alignment', 'breathing'],
        ['rise from a low chair', 'stand at work', 'kneel in the garden']
    ),
    (
        '97113', 'level', ['kickboard drills with trunk held steady', 'trunk control with a kickboard in the pool'],
        ['upright trunk', 'midline', 'breathing'],
        ['walk in the shop', 'stand at work', 'lift boxes again']
    ),
    (
        '97116', 'distance', ['gait with a rolling walker', 'walking with a rolling walker in the hallway'],
        ['step length', 'heel strike', 'walker distance', 'turning'],
        ['walk to the dining room', 'walk to the mailbox', 'get to the bathroom at night']
    ),
    (
        '97116', 'distance', ['gait with a cane', 'walking with a cane indoors'],
        ['cane sequence', 'step length', 'heel strike', 'turning'],
        ['walk to the dining room', 'cross the street', 'walk in the shop']
    ),
    (
        '97116', 'distance', ['gait without a device on level ground', 'walking without a device'],
        ['arm swing', 'step length', 'heel strike', 'knee control'],
        ['cross the street', 'walk the dog', 'walk in the shop']
    ),
    (
        '97116', 'distance', ['walking over curb and ramp', 'gait over a ramp and a curb'],
        ['step height', 'cane sequence', 'pacing', 'foot placement'],
        ['get into the church', 'cross the street', 'walk to the bus stop']
    ),
    (
        '97116', 'distance', ['gait with head turns', 'walking while looking from side to side'],
        ['gaze', 'step length', 'straight path', 'pacing'],
        ['cross the street', 'shop for groceries', 'walk in crowds']
    ),
    (
        '97116', 'distance', ['backward and sideways walking', 'walking backward and side-stepping'],
        ['upright trunk', 'step length', 'weight shift', 'foot clearance'],
        ['move about in the kitchen', 'step back to sit down safely', 'walk in the shop']
    ),
    (
        '97542', 'distance', ['wheelchair propulsion on carpet', 'pushing the wheelchair over carpet'],
        ['push stroke', 'leaning forward', 'straight path', 'pacing'],
        ['move about at home', 'get to the dining room', 'get to the van']
    ),
    (
        '97542', 'distance', ['ramp and threshold with the wheelchair', 'wheelchair over a ramp and a door threshold'],
        ['leaning forward', 'brake use', 'push stroke', 'caster position'],
        ['get to the van', 'enter the house alone', 'move about at work']
    ),
    (
        '97542', 'distance', ['turning and parking the wheelchair', 'wheelchair turns in a narrow hallway'],
        ['brake use', 'hand position', 'pacing', 'clearing the corner'],
        ['move about at home', 'park at the bed for transfers', 'get to the bathroom']
    ),
    (
        '97750', 'points', ['performance test with written report', 'physical performance test, report written'],
        ['effort'],
        ['return to work']
    ),
    (
        '92507', 'targets', ['naming in categories', 'naming items of a category'],
        ['first sound', 'slow rate', 'gesture'],
        ['order in a restaurant', 'talk on the phone', 'tell the day to family']
    ),
    (
        '92507', 'targets', ['sentence repetition', 'repeating sentences'],
        ['slow rate', 'phrasing', 'breath'],
        ['talk on the phone', 'read aloud to the grandchildren', 'order in a restaurant']
    ),
    (
        '92507', 'targets', ['word retrieval with pictures', 'retrieving words for pictures'],
        ['first sound', 'describing the item', 'gesture'],
        ['tell the day to family', 'order in a restaurant', 'ask for help in a shop']
    ),
    (
        '92507', 'targets', ['sound production in words', 'producing target sounds in words'],
        ['tongue placement', 'slow rate', 'voicing'],
        ['talk on the phone', 'be understood at school', 'tell the day to family']
    ),
    (
        '92526', 'swallows', ['effortful swallow', 'effortful swallows with trial solids'],
        ['bolus size', 'second swallow', 'posture'],
        ['eat a regular diet', 'eat out with friends']
    ),
    (
        '92526', 'swallows', ['chin-down swallow with thin liquids', 'thin liquids with the chin tucked'],
        ['posture', 'small sips', 'second swallow'],
        ['drink thin liquids safely', 'drink coffee at home']
    ),
    (
        '92526', 'swallows', ['tongue-base exercise with trial solids', 'tongue-base retraction, then trial solids'],
        ['bolus size', 'second swallow', 'slow rate'],
        ['eat a regular diet', 'eat at the family table']
    ),
    ('97140', 'range', ['joint mobilization, lumbar', 'lumbar joint mobilization'], NULL, NULL),
    ('97140', 'range', ['soft tissue mobilization, upper trapezius', 'upper trapezius soft tissue work'], NULL, NULL),
    ('97140', 'range', ['patellar mobilization', 'mobilization of the patella'], NULL, NULL),
    ('97124', 'range', ['massage of the paraspinals', 'paraspinal massage'], NULL, NULL),
    ('97035', 'percent', ['ultrasound to the shoulder', 'ultrasound, shoulder'], NULL, NULL),
    ('97035', 'percent', ['ultrasound to the heel', 'ultrasound, heel'], NULL, NULL),
    ('97032', 'current', ['attended electrical stimulation to the quadriceps'], NULL, NULL),
    ('G0283', 'current', ['electrical stimulation to the low back'], NULL, NULL),
    ('97150', 'rounds', ['balance and strength circuit in a group'], NULL, NULL)
) AS listed;

-- The tasks of a code by number, and how many there are.
CREATE TABLE repertoire AS
SELECT
    *,
    row_number() OVER one - 1 AS place
FROM task
WINDOW one AS (PARTITION BY hcpcs_code ORDER BY dose, said[1]);

CREATE TABLE repertoire_size AS
SELECT
    hcpcs_code,
    count(*)::INTEGER AS tasks,
    bool_and(focus IS NOT NULL) AS active
FROM task
GROUP BY hcpcs_code;
