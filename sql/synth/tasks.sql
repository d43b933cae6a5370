-- Tasks of daily life and work that functional activities practise: each in three wordings, with what is counted of
-- it, what the clinician cues, and what the patient wants it for.
CREATE TABLE task AS
SELECT *
FROM (
    VALUES
    (
        '97530', 'load',
        [
            'lifting a crate from floor to counter', 'crate lifts from the floor up to the counter',
            'picking up a crate from the floor and setting it on the counter'
        ],
        ['load close to the body', 'hip hinge', 'foot placement', 'breathing with the lift'],
        ['lift grocery bags out of the car', 'return to stocking shelves', 'lift a toddler from the floor']
    ),
    (
        '97530', 'load',
        [
            'sit to stand from a standard chair with a laundry basket',
            'standing up from a standard chair with a laundry basket in the arms',
            'rising from a standard chair holding a laundry basket'
        ],
        ['foot placement', 'forward trunk lean', 'slow lowering', 'equal weight through both legs'],
        ['carry laundry at home', 'get up from the sofa alone', 'rise from the toilet without help']
    ),
    (
        '97530', 'times',
        [
            'stepping into a car seat and lifting the legs in', 'getting into and out of the car seat, door held open',
            'car transfers, sitting down first and lifting the legs in'
        ],
        ['hand placement', 'leading with the hips', 'turning before sitting', 'lifting the leg over the sill'],
        ['get in and out of the car alone', 'ride to church with the family', 'drive to work']
    ),
    (
        '97530', 'stairs',
        [
            'climbing stairs with a grocery bag in one hand', 'stair climbing with a grocery bag',
            'going up and down stairs with a bag of groceries'
        ],
        ['step pattern', 'rail use', 'whole foot on the step', 'pacing'],
        ['climb the stairs at home', 'carry groceries up to the apartment', 'reach the bedroom upstairs']
    ),
    (
        '97530', 'items',
        [
            'putting dishes away in an overhead cabinet', 'placing plates and cups on the overhead cabinet shelf',
            'unloading dishes into the upper cabinet'
        ],
        ['shoulder blade control', 'elbow height', 'trunk control', 'pacing'],
        ['put dishes away at home', 'cook a meal standing', 'reach the top shelf in the kitchen']
    ),
    (
        '97530', 'times',
        [
            'stand pivot transfers from bed to chair, armrest off',
            'transfers from bed to chair, then scooting up in bed',
            'moving from bed to chair and back, shoes on'
        ],
        ['hand placement', 'forward lean', 'brake check', 'weight shift'],
        ['get out of bed alone', 'use the bedside commode at night', 'move to the wheelchair without help']
    ),
    (
        '97530', 'trips',
        [
            'carrying a loaded tray through a doorway', 'walking a loaded tray from the counter to the table',
            'carrying a tray of cups from kitchen to dining room table'
        ],
        ['gaze ahead', 'level tray', 'pacing', 'foot clearance'],
        ['serve dinner at home', 'return to waiting tables', 'carry a plate to the table']
    ),
    (
        '97530', 'trips',
        [
            'carrying a full laundry basket down the hallway', 'hallway carry of a laundry basket to the washer',
            'walking and carrying a laundry basket in both arms'
        ],
        ['step length', 'load close to the body', 'turning with small steps', 'upright trunk'],
        ['do the laundry alone', 'carry laundry from the dryer to the bedroom', 'keep house without help']
    ),
    (
        '97530', 'trips',
        [
            'pushing a loaded shopping cart around obstacles', 'steering a loaded shopping cart through an aisle',
            'pushing a shopping cart with turns and stops at shelves'
        ],
        ['weight shift', 'hand placement', 'speed control', 'scanning to the left'],
        ['shop for groceries alone', 'walk through the store with the family', 'push the supply cart at work']
    ),
    (
        '97530', 'times',
        [
            'getting up from the floor through half kneeling with a hand on a chair',
            'floor to stand transfers, pushing up from a chair',
            'getting up from the floor by kneeling and pushing on a chair'
        ],
        ['hand placement', 'lead leg', 'weight shift', 'sequence'],
        ['get up after a fall at home', 'play on the floor with the grandchildren', 'kneel to work in the garden']
    ),
    (
        '97530', 'items',
        [
            'loading and unloading a dishwasher', 'bending to load plates into the dishwasher',
            'moving plates from dishwasher to counter'
        ],
        ['hip hinge', 'trunk rotation', 'foot placement', 'pacing'],
        ['clean up after meals', 'load the dishwasher alone', 'work in the school kitchen']
    ),
    (
        '97530', 'items',
        [
            'squatting to reach pots in a low cupboard', 'reaching into low cupboards for pots and pans',
            'moving pots from a low cupboard to the stove'
        ],
        ['knee alignment', 'heel contact', 'hand support', 'weight shift'],
        ['cook dinner for the family', 'reach low cupboards at home', 'return to work as a cook']
    ),
    (
        '97530', 'load',
        [
            'lifting a weighted doll from a crib to a changing table', 'doll lifts out of the crib',
            'picking up a weighted doll from the crib and carrying it to the table'
        ],
        ['load close to the body', 'wrist position', 'bending at the hips', 'staggered stance'],
        ['lift her baby from the crib', 'care for an infant at home', 'return to work in day care']
    ),
    (
        '97530', 'items',
        [
            'putting groceries on the refrigerator shelves', 'moving cans and bottles from bags to the refrigerator',
            'storing groceries at low and high refrigerator shelves'
        ],
        ['trunk control', 'grip', 'pacing', 'shoulder blade control'],
        ['put groceries away', 'prepare meals at home', 'stock the cooler at work']
    ),
    (
        '97530', 'items',
        [
            'hanging shirts on a closet rod', 'reaching overhead to hang shirts in the closet',
            'moving clothes hangers from bed to closet rod'
        ],
        ['elbow height', 'upright posture', 'slow lowering of the arm', 'shoulder blade control'],
        ['hang up clothes at home', 'dress from the closet', 'return to retail work']
    ),
    (
        '97530', 'load',
        [
            'lifting boxes from pallet to conveyor height', 'box lifts from a pallet to the conveyor table',
            'moving boxes from the pallet onto a conveyor table'
        ],
        ['pivot with the feet', 'load close to the body', 'hip hinge', 'pacing'],
        ['return to warehouse work', 'go back to full duty as a package handler', 'lift boxes at work']
    ),
    (
        '97530', 'stairs',
        [
            'climbing a ladder with a paint can', 'ladder climbing with a paint can',
            'going up and down a ladder holding a paint can'
        ],
        ['hand placement', 'three points of contact', 'foot placement', 'pacing'],
        ['return to work as a painter', 'climb the ladder to the attic', 'return to roofing work']
    ),
    (
        '97530', 'times',
        [
            'rolling in bed and sitting up at the edge of the bed', 'getting out of bed by rolling and sitting up',
            'bed mobility, rolling to the side and sitting up'
        ],
        ['log roll', 'pushing through the elbow', 'leg placement', 'sequence'],
        ['get out of bed alone', 'sit up for breakfast', 'sleep in the own bed at home']
    ),
    (
        '97530', 'items',
        [
            'opening jars and pouring from a pitcher', 'jar opening and pouring water into cups',
            'unscrewing jar lids, then pouring from a pitcher'
        ],
        ['grip', 'wrist position', 'joint protection', 'use of both hands'],
        ['open jars in the kitchen', 'prepare breakfast', 'pour coffee at home']
    ),
    (
        '97530', 'load',
        [
            'loading bags of soil into a wheelbarrow', 'lifting bags of soil into a wheelbarrow',
            'lifting bags of soil from the floor to the wheelbarrow'
        ],
        ['hip hinge', 'hand spacing', 'pivot with the feet', 'pacing'],
        ['return to landscaping', 'clear the driveway', 'work in the garden']
    ),
    (
        '97530', 'items',
        [
            'picking up coins and putting them into a purse', 'counting coins and handing bills to a mock cashier',
            'sorting coins from a purse onto the counter'
        ],
        ['tip pinch', 'thumb position', 'wrist position', 'release of the fingers'],
        ['pay at the store', 'return to work as a cashier', 'handle money while shopping']
    ),
    (
        '97530', 'trips',
        [
            'carrying a toolbox across the yard and lifting it to a bench',
            'lifting and carrying a toolbox across the yard',
            'carrying a toolbox to a bench and lifting it onto the top'
        ],
        ['gaze ahead', 'step height', 'trunk control', 'switching hands'],
        ['return to work as an electrician', 'carry tools to the garage', 'return to construction work']
    ),
    (
        '97535', 'parts',
        [
            'lower body dressing with reacher and sock aid', 'putting on pants and socks with reacher and sock aid',
            'donning socks and shoes with a sock aid'
        ],
        ['sequence', 'use of the reacher', 'hip precautions', 'affected leg first'],
        ['dress alone', 'get ready for work without help', 'put on socks and shoes at home']
    ),
    (
        '97535', 'parts',
        [
            'upper body dressing with a button hook', 'putting on a shirt and buttoning it with a button hook',
            'buttoning a shirt with a button hook'
        ],
        ['affected arm first', 'sequence', 'use of the hook', 'sitting balance'],
        ['dress alone', 'button a shirt for church', 'get dressed for school']
    ),
    (
        '97535', 'parts',
        [
            'tub transfer with bench and washing the legs', 'getting into the tub over a bench and bathing',
            'bathing on a tub bench with a long sponge'
        ],
        ['safety with equipment', 'hand placement', 'energy conservation', 'sequence'],
        ['bathe with set-up only', 'shower at home alone', 'bathe without help from a daughter']
    ),
    (
        '97535', 'parts',
        [
            'grooming at the sink: teeth, face and hair', 'brushing teeth and combing hair at the sink',
            'washing the face and brushing teeth at the sink'
        ],
        ['upright posture', 'use of the affected hand', 'sequence', 'joint protection'],
        ['groom alone in the morning', 'get ready for work', 'brush teeth without help']
    ),
    (
        '97535', 'parts',
        [
            'preparing a sandwich and soup in the kitchen', 'making a sandwich and heating soup on the stove',
            'meal preparation of soup and a sandwich'
        ],
        ['energy conservation', 'stove safety', 'joint protection', 'sequence'],
        ['prepare a simple meal', 'cook lunch at home', 'live alone again']
    ),
    (
        '97535', 'parts',
        [
            'sorting medication into a weekly pill box', 'filling the weekly pill box from labelled bottles',
            'opening pill bottles and filling a pill box'
        ],
        ['reading the label', 'checking each day', 'grip', 'sequence'],
        ['take medication without reminders', 'manage medication at home', 'live alone again']
    ),
    (
        '97535', 'parts',
        [
            'toilet transfers and clothing management', 'getting on and off the toilet and pulling up pants',
            'toileting with clothing management'
        ],
        ['hand placement', 'safety with the grab bar', 'standing balance', 'sequence'],
        ['use the toilet alone', 'toilet at night without help', 'go out without an aide']
    ),
    (
        '97535', 'parts',
        [
            'eating with a built-up spoon and plate guard', 'self feeding with a built-up spoon',
            'scooping food and drinking from a cup'
        ],
        ['elbow support', 'grip', 'small bites', 'upright posture'],
        ['eat at the family table', 'feed self without spills', 'eat out with friends']
    ),
    (
        '97535', 'parts',
        [
            'putting on the ankle brace and tying shoes', 'donning the ankle brace and shoes, then tying laces',
            'brace and shoe management at the edge of the bed'
        ],
        ['sequence', 'strap tension', 'skin check', 'figure-four position'],
        ['put on the brace alone', 'dress for work', 'walk to the mailbox with the brace on']
    ),
    (
        '97535', 'parts',
        [
            'washing and drying dishes with pacing', 'washing dishes at the sink with paced rest breaks',
            'dish washing and wiping the counter'
        ],
        ['energy conservation', 'joint protection', 'breathing', 'standing balance'],
        ['clean up after meals', 'keep house alone', 'cook and clean at home']
    )
) AS listed (hcpcs_code, dose, said, focus, goals);
