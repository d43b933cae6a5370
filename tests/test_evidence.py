"""Evidence in notes: the lexicon's own examples, offsets, what does not count, shorthand, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from therapy_audit.cli import cli
from therapy_audit.errors import AuditError
from therapy_audit.notes import cutting, lexicon, matching, reading, scoring
from therapy_audit.notes.lexicon import ELEMENTS, LEVELS, NARRATIVES

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[1]
LABELLED = ROOT.parent / "shared" / "notes" / "notes.jsonl"
INDEPENDENT = ROOT / "tests" / "notes" / "notes.jsonl"
CONCEPTS = lexicon.load().concepts


def answers(*texts: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reading.read(list(texts)).to_pylist()
    return found


def answer(text: str) -> dict[str, Any]:
    return answers(text)[0]


def present(text: str) -> set[str]:
    return {name for name, found in answer(text)["elements"].items() if found["present"]}


def found_in(text: str) -> set[str]:
    data = np.frombuffer(text.encode(), np.uint8)
    found = matching.find(reading.matcher(), data, np.array([0, data.size]))
    return {name for name, matches in found.matches.items() if matches.start.size}


@pytest.mark.parametrize(("concept", "text"), [(one.name, text) for one in CONCEPTS.values() for text in one.found])
def test_a_concept_is_found_in_its_examples(concept: str, text: str) -> None:
    assert concept in found_in(text)


@pytest.mark.parametrize(("concept", "text"), [(one.name, text) for one in CONCEPTS.values() for text in one.not_found])
def test_a_concept_is_not_found_where_its_file_says_so(concept: str, text: str) -> None:
    assert concept not in found_in(text)


NOTES = [
    (
        (
            "Patient engaged in simulated laundry task: retrieved wet clothing from front-load washer, placed in "
            "basket on floor, and hung six garments on a line at shoulder height. Therapist provided tactile cues"
            " to the lower trapezius and lowered the line by 4 inches when shoulder hiking was observed. Patient "
            "completed task with minimal assistance and 2/10 shoulder pain. Task selected to support patient's "
            "goal of doing laundry for her household of five. 23 minutes."
        ),
        "ADGR", "functional", "minimal", 23,
    ),
    (
        (
            "Pt transferred from w/c to toilet using grab bar, managed clothing, and completed hygiene seated. "
            "Verbal cueing for locking brakes and for anterior weight shift; OT adjusted w/c angle after first "
            "trial. Required CGA, down from min A last session. Pt's LTG is to toilet independently at home while"
            " spouse is at work. 15 min"
        ),
        "ADGR", "functional", "contact_guard", 15,
    ),
    (
        (
            "Stair training: pt ascended and descended one flight (12 steps) carrying a 5 lb bag in one hand. No "
            "verbal cues needed. SpO2 94% and RPE 5/10. Goal: carry groceries up to 2nd floor apartment. Time in "
            "10:02, time out 10:25."
        ),
        "A-GR", "functional", None, None,
    ),
    (
        (
            "Child worked on stringing 6 large beads and completing a 12-piece inset puzzle in prone on elbows. "
            "Therapist graded the activity by moving pieces to the left to encourage crossing midline. Needed "
            "moderate assist for the last bead. Needed for participation in preschool table-top centers. 30 min"
        ),
        "ADGR", "functional", "moderate", 30,
    ),
    (
        (
            "Ther-Act 25': Pt practised loading/unloading the dishwasher with R hemiparetic UE as gross assist, "
            "stacking 8 plates in overhead cupboard. Max cues for visual scanning to the R. 3 plates chipped the "
            "counter; min A."
        ),
        "AD-R", "functional", "minimal", 25,
    ),
    (
        (
            "Pt performed therapeutic activities to improve function. Pt tolerated treatment well. Continue with "
            "plan of care."
        ),
        "---R", "vague", None, None,
    ),
    (
        "Dynamic balance and functional activities x 30 minutes. Pt doing well. Will progress as tolerated.",
        "---R", "vague", None, 30,
    ),
    (
        "Therapeutic activity as per flow sheet. 2 units.",
        "----", "vague", None, None,
    ),
    (
        (
            "Instructed pt in use of long-handled reacher and sock aid; therapist demonstrated donning a sock "
            "with device and discussed where to purchase. Pt verbalized understanding but did not practice today "
            "due to time. 15 min"
        ),
        "----", "instruction", None, 15,
    ),
    (
        (
            "Reviewed posterior hip precautions and car transfer sequence with pt and wife using written handout:"
            " back up to seat, reach for dash, lower hips, swing legs in together. Wife verbalized understanding."
            " 97530 x 15 min."
        ),
        "A---", "instruction", None, 15,
    ),
    (
        (
            "Discussed fall risk in home environment. Recommended removal of clutter, night light in hallway. "
            "Patient asked good questions. 12 mins"
        ),
        "----", "instruction", None, 12,
    ),
    (
        (
            "Moist heat x 15 min to lumbar spine followed by STM to bilat QL and grade III PA mobs L4-5. Patient "
            "relaxed in prone. Pain decreased from 6/10 to 3/10."
        ),
        "---R", "passive", None, None,
    ),
    (
        (
            "E-stim to R quad 10/10 duty cycle in long sit, then manual stretching of hamstrings by therapist 3 x"
            " 60 sec and patellar mobilization. No c/o. 97530 23 min"
        ),
        "---R", "passive", None, 23,
    ),
    (
        (
            "Pt received PROM to all joints of R UE by OT, retrograde edema massage, and resting hand splint "
            "applied at end. Pt drowsy."
        ),
        "----", "passive", None, None,
    ),
    (
        (
            "Seated LAQ 3x10 with 3 lb, standing hip abduction 2x15 w/ green band, mini squats at counter 2x10, "
            "heel raises x20. Pt required rest between sets d/t fatigue. 30 min."
        ),
        "---R", "impairment", None, 30,
    ),
    (
        (
            "UBE 6 min level 3, rows with blue tband 3x12, biceps curls 5# 3x10, wall push-ups 2x15. VCs for "
            "scapular depression. RPE 4."
        ),
        "-D-R", "impairment", None, None,
    ),
    (
        (
            "Wrist AROM all planes x 15, tendon glides x10, yellow theraputty gripping x 5 min. Strengthening "
            "needed for goal of returning to work as dental hygienist. Grip 32 lb."
        ),
        "--GR", "impairment", None, None,
    ),
    (
        (
            "Balance on foam with eyes closed 3 x 30 sec, tandem stance 3x30 s, SLS 5 x 10 s each. Held sway "
            "under control, CGA for tandem. 12 min neuro re-ed."
        ),
        "---R", "impairment", "contact_guard", 12,
    ),
    (
        (
            "Worker s/p L4-5 discectomy lifted a 25 lb milk crate from knuckle height to shelf at 54 inches x 10,"
            " then pushed a loaded pallet jack 50 feet. Therapist halted lifting at rep 7 to correct lumbar "
            "flexion, and reduced load to 20 lb for the final three. HR 124, reported 3/10 LBP. Job demand for "
            "warehouse position: lift 35 lb to shoulder. 28 min"
        ),
        "ADGR", "functional", None, 28,
    ),
    (
        (
            "Bed mobility: rolled to L, pushed up from side-lying to EOB, sat 5 min, then returned to supine x 3."
            " Max A x1 progressing to mod A. OTR blocked knees and facilitated trunk at scapula. STG: supine<>sit"
            " with min A so that daughter can assist safely at home."
        ),
        "ADGR", "functional", "moderate", None,
    ),
    (
        (
            "Patient completed upper body dressing, lower body dressing and grooming at sink level with setup "
            "only. Therapist downgraded clothing fasteners from buttons to velcro. Pt to discharge home alone "
            "Friday and must dress without help. 38 minutes"
        ),
        "ADGR", "functional", None, 38,
    ),
    (
        (
            "Golf swing progression: half swings with 7 iron x 20, then full swings x 10 off tee. Cued for weight"
            " shift and thoracic rotation; backed off to 3/4 swing when elbow pain reached 4/10. Pain 2/10 at "
            "end. Wants to play 9 holes with his league by May."
        ),
        "ADGR", "functional", None, None,
    ),
    (
        (
            "4yo donned/doffed jacket x3 and manipulated large buttons on dressing board. HOH assist faded to "
            "gestural prompts. 2/4 buttons independently. Parent goal: dress for preschool w/o tantrums. "
            "1:00-1:30 pm"
        ),
        "ADGR", "functional", "independent", None,
    ),
    (
        (
            "Functional mobility tasks graded for endurance; PTA provided intermittent tactile cues at pelvis and"
            " increased the demand after each trial. Gait speed improved from 0.6 to 0.7 m/s. Goal is crossing "
            "the street to the bus stop before the light changes. 22 min"
        ),
        "-DGR", "functional", None, 22,
    ),
    (
        (
            "Pt practiced picking up laundry from floor, squatting to low cabinets and reaching overhead for "
            "pots. PT widened her stance and cued breathing. Goal is to resume cooking and cleaning for family."
        ),
        "ADG-", "functional", None, None,
    ),
    (
        (
            "Plan for next session: kitchen mobility with walker and item transport. Today: NuStep x 12 min L4, "
            "seated marching 3x15, sit and reach stretch."
        ),
        "----", "impairment", None, None,
    ),
    (
        (
            "Car transfer training deferred due to rain. Quad sets x20, SLR 2x10, heel slides x20, knee flexion "
            "94 deg."
        ),
        "---R", "impairment", None, None,
    ),
    (
        (
            "HEP reviewed: pt to perform bridges, clamshells and walking 20 min daily. Provided printed copy. "
            "Patient expressed understanding of the program."
        ),
        "----", "instruction", None, None,
    ),
    (
        (
            "Pt seen for skilled OT intervention addressing ADL deficits, UE strength and coordination. Pt "
            "motivated and cooperative. Progressing towards goals."
        ),
        "----", "vague", None, None,
    ),
    (
        (
            "Simulated cooking: gathered ingredients, cracked eggs, whisked and poured batter into hot pan using "
            "L hand as stabilizer. Pt burned one pancake, flipped 3/4 correctly w/ supervision. Therapist set "
            "timer & simplified recipe to 3 steps. To live independently in own apartment pt must prepare hot "
            "meals. 0930-1000"
        ),
        "ADGR", "functional", "supervision", None,
    ),
    (
        (
            "Nurse s/p RTC repair simulated boosting a patient in bed with draw sheet and pushed hospital bed 40 "
            "ft. OT cued for scapular setting, decreased mannequin weight to 60 lb. Pain 3/10. RTW full duty "
            "goal. 30 min"
        ),
        "ADGR", "functional", None, 30,
    ),
    (
        (
            "Pt walked over thresholds, up a ramp and around obstacles with rollator, then opened a self closing "
            "door. Independent, no LOB."
        ),
        "A--R", "functional", "independent", None,
    ),
    (
        (
            "Pt practiced floor transfers via half kneeling using a sturdy chair: lowered to knees, side sat, "
            "then returned to standing, 3 reps. Min A x 1 first rep, SBA by last. VC's for hand placement and "
            "sequencing. Fell twice last month and wants to be able to get up by herself. 18 min"
        ),
        "ADGR", "functional", "supervision", 18,
    ),
    (
        (
            "Handwriting: copied 3 sentences on raised-line paper with built up pencil grip. OT repositioned "
            "paper and gave visual boundary prompts. 80% letters on baseline vs 60% prior. Goal to complete "
            "classroom assignments. 30 minutes."
        ),
        "ADGR", "functional", None, 30,
    ),
    (
        (
            "Toddler crept up 3 stairs, cruised along couch to retrieve toys, and transitioned from floor to "
            "stand through half kneel. PT facilitated at hips, placed toys out of reach. 4 of 6 transitions "
            "without help. For playing with siblings at home. 45 min."
        ),
        "ADGR", "functional", None, 45,
    ),
    (
        (
            "Pt attempted bathtub transfer with tub bench. Independent with verbalizing sequence. Mod assist for "
            "legs over edge. Cues: none."
        ),
        "A--R", "functional", "moderate", None,
    ),
    (
        (
            "Education provided to caregiver on safe guarding for stairs, use of gait belt and proper body "
            "mechanics; caregiver independent with recall. Patient not seen on stairs today. 15 min"
        ),
        "----", "instruction", None, 15,
    ),
    (
        "Ultrasound 1.0 w/cm2 to R lateral epicondyle, IASTM, kinesiotape applied. Goal: return to tennis.",
        "--G-", "passive", None, None,
    ),
    (
        (
            "Pt positioned in stander for 20 min by staff, LEs stretched, AFOs donned by tech. Dependent. Skin "
            "intact."
        ),
        "---R", "passive", "dependent", 20,
    ),
    (
        (
            "Mock grocery store: pt used list to find 10 items, pushed cart, bagged and paid with cash. Without "
            "cues. 9/10 items found. 25 min."
        ),
        "A--R", "functional", None, 25,
    ),
]  # fmt: skip
SHORT = dict(zip("ADGR", ELEMENTS, strict=True))


@pytest.mark.parametrize(("text", "elements", "narrative", "level", "minutes"), NOTES)
def test_notes(text: str, elements: str, narrative: str, level: str | None, minutes: int | None) -> None:
    found = answer(text)
    got = {name for name, one in found["elements"].items() if one["present"]}
    assert got == {SHORT[letter] for letter in elements if letter != "-"}
    assert (found["narrative"], found["assist_level"], found["minutes"]) == (narrative, level, minutes)


TASK = "Pt carried a laundry basket up the stairs and folded six towels"


@pytest.mark.parametrize(
    "text",
    [
        "No laundry basket was carried and no towels were folded today.",
        "Pt did not carry the laundry basket or fold towels.",
        "Next visit: carry laundry basket up the stairs, fold towels.",
        "Carrying the laundry basket and folding towels deferred due to pain.",
        "Will carry the laundry basket and fold towels at next session.",
        "Goal: carry a laundry basket up the stairs and fold towels.",
        "Last week pt carried the laundry basket and folded towels.",
        "HEP: carry the laundry basket and fold towels daily.",
        "Plan: carry laundry basket, fold towels.",
    ],
)
def test_a_task_that_was_not_done_is_no_evidence(text: str) -> None:
    assert "specific_activity" in present(f"{TASK}.")
    assert "specific_activity" not in present(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{TASK}. No cues needed.",
        f"{TASK} without verbal cues.",
        f"{TASK}. Cues were not required.",
        f"{TASK}; 0 cues.",
        f"{TASK}. Will cue for pacing next visit.",
        f"{TASK}. VCs: none.",
        "OT explained the precautions and discussed equipment.",
    ],
)
def test_direction_that_was_not_given_is_no_evidence(text: str) -> None:
    assert "skilled_direction" in present(f"{TASK}. Mod VCs for pacing.")
    assert "skilled_direction" not in present(text)


@pytest.mark.parametrize(
    "text", ["Goal: improve function.", "Goals 1, 2 and 4 addressed.", "To return to prior level of function."]
)
def test_a_general_aim_is_no_goal(text: str) -> None:
    assert "functional_goal" in present("Goal: bathe her toddler without help.")
    assert "functional_goal" not in present(text)


@pytest.mark.parametrize("text", ["Pt verbalized understanding.", "Happy and cooperative.", "3 x 10, 4 trials."])
def test_understanding_mood_and_doses_are_no_response(text: str) -> None:
    assert "patient_response" not in present(text)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("STS from couch x5, CGA.", "contact_guard"),
        ("Went from mod A to min A on the tub transfer.", "minimal"),
        ("Toilet transfer min A (was max A).", "minimal"),
        ("Sup for meal prep.", "supervision"),
        ("Bed mobility mod I.", "modified_independent"),
        ("SBA at end.", "supervision"),
        ("Max assist x 2 for floor transfer.", "maximal"),
        ("Dependent for transfers.", "dependent"),
        ("Goal: independent with dressing.", None),
        ("Lives in independent living. 20 min.", None),
        ("Pt required moderate assistance; goal is mod I.", "moderate"),
    ],
)
def test_the_level_of_help_is_the_last_that_was_given(text: str, level: str | None) -> None:
    assert answer(text)["assist_level"] == level


@pytest.mark.parametrize(
    ("text", "minutes", "start", "stop"),
    [
        ("Carried boxes. 23 min.", 23, None, None),
        ("Carried boxes, rested 3 min. TA 19'", 19, None, None),
        ("97110: 18 min. 97530: 15 min.", 15, None, None),
        ("Pt stood 4 min at the sink. 9:15-9:30", None, "09:15", "09:30"),
        ("Time in 0900, time out 0928 = 28 minutes.", 28, "09:00", "09:28"),
        ("Start 7:30 Stop 8:00", None, "07:30", "08:00"),
        ("2:10-2:33 pm", None, "14:10", "14:33"),
        ("11:50 am to 12:15 pm", None, "11:50", "12:15"),
        ("12:50-1:15", None, "12:50", "13:15"),
        ("Circuit time 4:05 down to 3:32.", None, None, None),
        ("Twenty minutes of ther act.", 20, None, None),
        ("Lifted 1500 lb in all.", None, None, None),
    ],
)
def test_minutes_and_times(text: str, minutes: int | None, start: str | None, stop: str | None) -> None:
    found = answer(text)
    assert (found["minutes"], found["start"], found["stop"]) == (minutes, start, stop)


def test_the_billed_code_says_which_minutes() -> None:
    found = reading.read(["97110: 18 min. 97530: 15 min."] * 2, ["97110", "97530"])
    assert found.column("minutes").to_pylist() == [18, 15]


def test_misspellings_are_read() -> None:
    text = "Pt caried the laundrey basket upstairs and foldded towels. Verbal cuing for safty, facilitaton at pelvis."
    assert {"specific_activity", "skilled_direction"} <= present(text)
    assert "skilled_direction" not in present("The neighbour has a new porch.")


def test_the_therapist_and_the_patient_are_told_apart() -> None:
    assert "skilled_direction" in present("PT narrowed the path between cones.")
    assert "skilled_direction" not in present("Pt narrowed the path between cones.")


@pytest.mark.parametrize(
    "text",
    [
        "Asked pt to name the next step before moving.",
        "Had him pause between steps.",
        "Put the phone on the weak side to force the reach.",
        "Took the rail away for the last flight.",
        "Blocked practice x5, then random order.",
        "Summary feedback after each set of five.",
        "Seat dropped two inches for trial 3.",
        "Stayed with 10 lb since lumbar flexion at 15.",
        "Hand over hand for the first two buttons.",
        "Non-slip mat added under the bowl.",
        "Made the target smaller once 8/10 were hit.",
        "Eyes covered for the last three coins.",
        "Band pulled the knee inward so he had to fight it: error augmentation.",
        "Instructed in hip hinge, then patient performed six lifts, verbal cues for pacing.",
    ],
)
def test_direction_is_found_by_its_kind(text: str) -> None:
    assert "skilled_direction" in present(f"{TASK}. {text}")


@pytest.mark.parametrize(
    "text",
    [
        "Pt moved the chair closer to reach the sink.",
        "Patient told a story about her dog.",
        "Pt asked to stop early.",
        "Wife told him to rest over the weekend.",
        "VC 0%, TC 0%.",
        "Toilet had a raised seat.",
        "Another patient in the gym was cued at the same time.",
        "Moved 21 items.",
    ],
)
def test_what_the_patient_or_others_do_is_no_direction(text: str) -> None:
    assert "skilled_direction" not in present(f"{TASK}. {text}")


@pytest.mark.parametrize(
    "text",
    [
        "Her boss will take her back once she can lift 50 lb.",
        "This is to let her keep up with her walking group.",
        "He can't get to the pharmacy because the light beats him.",
        "Chosen because he has to carry feed buckets every morning.",
        "Returns to a mail route in two weeks and that is what we built the session on.",
        "Toward doing own laundry.",
        "LTG 2: don shoe without help for church.",
        "Mirrors what she does at the salon all day.",
        "So she won't have to call her daughter to get off the toilet.",
    ],
)
def test_a_goal_said_in_passing_is_one(text: str) -> None:
    assert "functional_goal" in present(f"{TASK}. {text}")


@pytest.mark.parametrize(
    "text", ["LTG 2 addressed.", "Has to hold rail.", "Pt lives alone.", "Aim: shoulder elevation."]
)
def test_what_ties_to_nothing_is_no_goal(text: str) -> None:
    assert "functional_goal" not in present(f"{TASK}. {text}")


@pytest.mark.parametrize(
    "text",
    [
        "Toe scuffed on 3 of 12 steps.",
        "Unable to complete the last flight.",
        "Did not spill.",
        "Third trial was the cleanest.",
        "Rested twice.",
        "Quad fatigue.",
        "Time 1:52, was 2:30.",
        "Help with the last hook only.",
        "Said it was easier today.",
    ],
)
def test_a_response_is_found_by_its_kind(text: str) -> None:
    assert "patient_response" in present(text)


@pytest.mark.parametrize(
    "text", ["PWB 50% per MD.", "4 trips.", "Step height 6 in.", "At the last visit she tolerated 6."]
)
def test_loads_and_earlier_visits_are_no_response(text: str) -> None:
    assert "patient_response" not in present(text)


@pytest.mark.parametrize(
    "text",
    [
        "Pt completed functional activities with min A and verbal cues. Tolerated well.",
        "Therapeutic activities x 30 min, CGA, mod VC. Continue POC.",
        "Skilled instruction provided. Pt responded well.",
        "Reviewed POC with patient. Completed program. No new complaints.",
        "Therapeutic activities performed, good effort. Stairs and floor transfers not attempted today.",
    ],
)
def test_general_phrases_with_a_level_and_cues_stay_vague(text: str) -> None:
    assert answer(text)["narrative"] == "vague"


@pytest.mark.parametrize(
    "text", ["Car transfers x 5, mod I.", "Got in and out of the car x 4, CGA.", "Stepped over the tub wall x 6, SBA."]
)
def test_a_task_in_few_words_is_specific_with_its_amount(text: str) -> None:
    assert "specific_activity" in present(text)
    assert answer(text)["narrative"] == "functional"


@pytest.mark.parametrize(
    "text",
    [
        "Recliner transfers, 7 of them, min A.",
        "Practised tub transfers with the bench, 6 in all.",
        "Transfer into and out of the car simulator (18 times) with CGA.",
        "Practised lying to sitting on the edge of the bed, 12 repetitions.",
        "Practised getting down to the floor mat and up again, holding a chair, 12 repetitions.",
        "Practised pivot transfers out of bed into a chair, 12 repetitions.",
        "Tray carrying from kitchen to dining room (4 lb over 61 feet).",
        "Shopping cart pushing with turns and stops, 74 feet with 3 lb.",
        "Trash can rolling down the driveway and back.",
        "Vacuum pushing over carpet and tile, mod I.",
        "Making soup and a sandwich at the stove and counter, 8 steps done without help.",
        "Bus step ups with a shopping bag, supervision.",
        "Typing a half page, 4 errors.",
    ],
)
def test_a_task_named_as_a_noun_is_specific(text: str) -> None:
    assert "specific_activity" in present(text)
    assert answer(text)["narrative"] == "functional"


@pytest.mark.parametrize(
    "text",
    [
        "Instructed in log roll, then patient performed it 8 times from bed to sitting; verbal cues for the knees.",
        "Taught safe reach, patient then took six plates from the top shelf, verbal cues for weight shift.",
        "Taught her how to slide the tray, she did it 10 times along the counter with four cups on it, verbal cues.",
        "Taught posture during washing the face and brushing teeth at the sink, completed 15 steps; 6 verbal cues.",
        "Heel raises as warm-up, then moving from bed to chair and back with a walker, done 6 times; tactile cues.",
        "Washing dishes at the sink with rest breaks planned, completed 13 steps; verbal cues for breathing.",
    ],
)
def test_what_was_taught_or_warmed_up_for_was_then_done(text: str) -> None:
    assert {"specific_activity", "skilled_direction"} <= present(text)
    assert answer(text)["narrative"] == "functional"


@pytest.mark.parametrize(
    ("text", "narrative"),
    [
        ("Planned stair climbing with a grocery bag for next visit; not attempted today.", "vague"),
        ("Stair climbing with a bag of groceries not done today, patient arrived late.", "vague"),
        ("Session cut short. Nothing was attempted.", "vague"),
        ("Taught log roll, patient did not perform it.", "instruction"),
        ("Passive range of motion to the shoulder and manual stretching of the hamstrings.", "passive"),
        ("PROM to the right shoulder in all planes, manual stretching of pectorals. Tolerated well.", "passive"),
        ("Tandem walking along the line 4 x 20 ft, CGA, verbal cues to look up.", "impairment"),
        ("Rows 3 x 12 with cues for the scapula, tired after. Goal: swim again.", "impairment"),
    ],
)
def test_where_no_task_was_done_the_narrative_says_what_was(text: str, narrative: str) -> None:
    assert not {"specific_activity"} & present(text)
    assert answer(text)["narrative"] == narrative


def test_a_heading_opens_a_sentence_and_a_goal_of_an_earlier_episode_is_none() -> None:
    assert "functional_goal" in present("O: Carried laundry basket 40 ft.\nA: Toward doing own laundry.")
    assert "functional_goal" not in present("Met his goal of driving again in his last episode of care in 2023.")


@pytest.mark.parametrize(
    "text",
    ["Lives alone and cooks for herself.", "Hurt back lifting a box off a shelf.", "No cooking or carrying done."],
)
def test_what_is_done_elsewhere_is_no_activity(text: str) -> None:
    assert "specific_activity" not in present(text)


def test_a_part_headed_by_another_code_is_left_out() -> None:
    text = "97530: climbed 8 stairs carrying a bag; pain 2/10.\n97110: leg press 3 x 10, verbal cues, min A."
    (own,) = reading.read([text], ["97530"]).to_pylist()
    assert {name for name, one in own["elements"].items() if one["present"]} == {ELEMENTS[0], ELEMENTS[3]}
    assert own["assist_level"] is None
    (other,) = reading.read([text], ["97110"]).to_pylist()
    assert (other["narrative"], other["assist_level"]) == ("impairment", "minimal")


def test_length_earns_nothing() -> None:
    short, long = answers("Tolerated well.", "Tolerated well. " * 40)
    assert short["score"] == long["score"] == lexicon.load().weights["patient_response"]


def spans(found: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    return (tuple(span.values()) for one in found["elements"].values() for span in one["evidence"])


PIECES = (
    "Pt carried 3 cups", "PT cued hip hinge", "Goal: cook für die Enkel", "pain 3/10", "β-Test", "\u2022 donned socks",
    "min A", "didn\u2019t drop", "19\u2019", "10:00\u201310:25", "\U0001f600", "e\u0301clair", "\n", ". ", "; ", ", ",
    "w/o cues", "5\u00d710", "SpO2 95\u00a0%", "\u201cbig step\u201d", "\x00", "||",
    "moved \u00d7", "\u2192 stairs", "\u2019", "vc 0", "Goal: moved", "#", "0",
)  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=12).map(" ".join), max_size=6))
@settings(deadline=None)
def test_evidence_stands_in_the_text_where_it_says(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    found = answers(*texts)
    assert found == [answer(text) for text in texts]  # a batch says what each note alone says
    for text, one in zip(texts, found, strict=True):
        assert all(text[start:end] == words and words for start, end, words in spans(one))
        assert all(bool(element["evidence"]) == element["present"] for element in one["elements"].values())
        assert one["narrative"] in NARRATIVES
        assert one["assist_level"] is None or one["assist_level"] in LEVELS
        assert 0 <= one["score"] <= 100


def test_batches_say_what_one_batch_says(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text for text, *_ in NOTES]
    whole = reading.read(texts)
    monkeypatch.setattr(reading, "BATCH", 3)
    assert reading.read(texts, threads=3).equals(whole.combine_chunks())


@pytest.fixture(scope="module")
def plain_answers() -> list[dict[str, Any]]:
    """What the labelled texts hold, as they are read."""
    return answers(*(text for text, *_ in NOTES), *_examples())


def _examples() -> Iterable[str]:
    return (". ".join(one.found[:20]) for one in CONCEPTS.values())


@pytest.mark.parametrize("many", [0, 10**9])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_what_is_rare_is_found_like_what_is_frequent(
    plain_answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, many: int, share: float
) -> None:
    """Which of two ways is taken to look for something never shows."""
    monkeypatch.setattr(matching, "_MANY", many)
    monkeypatch.setattr(matching, "_SHARE", share)
    assert answers(*(text for text, *_ in NOTES), *_examples()) == plain_answers


def test_words_and_phrases_that_share_a_slot_are_told_apart(
    plain_answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (cutting, matching):
        monkeypatch.setattr(module, "_SLOT_BITS", 3)
        monkeypatch.setattr(module, "_SLOT_SHIFT", np.uint64(64 - 3))
    fresh = reading.matcher.__wrapped__()
    monkeypatch.setattr(reading, "matcher", lambda _folder: fresh)
    assert answers(*(text for text, *_ in NOTES), *_examples()) == plain_answers
    assert len(set(fresh.known.texts)) == len(fresh.known.texts) > 8


def test_spans_without_their_words() -> None:
    texts = [text for text, *_ in NOTES]
    quoted = reading.read(texts).to_pylist()
    for row in quoted:
        for element in row["elements"].values():
            for span in element["evidence"]:
                span["text"] = None
    assert reading.read(texts, quoted=False).to_pylist() == quoted


def test_no_notes_and_null_notes() -> None:
    assert reading.read([]).num_rows == 0
    (nothing,) = reading.read([None]).to_pylist()
    assert (nothing["narrative"], nothing["score"]) == ("vague", 0)


def run(*arguments: str) -> list[str]:
    done = CliRunner().invoke(cli, ["evidence", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout.splitlines()


def test_the_command_reads_each_kind_of_file_alike(tmp_path: Path) -> None:
    rows = [{"id": f"N{place}", "text": text} for place, (text, *_) in enumerate(NOTES[:4])]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    duckdb.sql(f"COPY (FROM read_json('{tmp_path}/a.jsonl')) TO '{tmp_path}/a.csv' (HEADER)")
    duckdb.sql(f"COPY (FROM read_json('{tmp_path}/a.jsonl')) TO '{tmp_path}/a.parquet'")
    told = [run(str(tmp_path / f"a.{kind}"), "--json") for kind in ("jsonl", "csv", "parquet")]
    assert told[0] == told[1] == told[2]
    first = json.loads(told[0][0])
    assert list(first) == ["id", "elements", "narrative", "assist_level", "minutes", "start", "stop", "score"]
    assert [json.loads(line)["id"] for line in told[0]] == ["N0", "N1", "N2", "N3"]
    assert "specific activity" in "\n".join(run(str(tmp_path / "a.csv")))


def test_the_command_numbers_rows_without_an_id_and_takes_a_column(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('Note\n"Tolerated well, café"\n\n"CGA"\n', encoding="utf-8")
    told = [json.loads(line) for line in run(str(file), "--text-column", "note", "--json")]
    assert told[0]["id"] == 1
    assert told[0]["elements"]["patient_response"]["evidence"] == [{"start": 0, "end": 14, "text": "Tolerated well"}]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", None, "no such file"),
        ("a.csv", "", "is empty"),
        ("a.csv", "id,text\n", "holds no notes"),
        ("a.csv", "id,words\n1,x\n", "no column 'text'; the columns are id, words"),
        ("a.txt", "x", "must end with"),
        ("a.jsonl", "{", "cannot be read as JSONL"),
        ("a.jsonl", '{"id": 1, "text": 5}\n', "holds no text"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, name: str, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(AuditError, match=sentence):
        run(str(tmp_path / name))


def test_a_clinic_adds_its_own_words(tmp_path: Path) -> None:
    text = "Zorbed the patient at the pelvis while pt flimbed the grotch and grundled snibs."
    assert present(text) == set()
    (tmp_path / "cue.yaml").write_text("terms: [zorbed]\n", encoding="utf-8")
    (tmp_path / "task_action.yaml").write_text("verbs: [flimb, grundle]\n", encoding="utf-8")
    (tmp_path / "task_object.yaml").write_text("nouns: [grotch, snib]\n", encoding="utf-8")
    (own,) = reading.read([text], folder=tmp_path).to_pylist()
    assert {name for name, one in own["elements"].items() if one["present"]} == set(ELEMENTS[:2])
    assert own["score"] == 50


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (None, "", "no such folder"),
        ("cue.txt", "", "no .yaml file"),
        ("other.yaml", "terms: [x]", "there is no concept 'other'"),
        ("cue.yaml", "terms: [yes]", "terms is not a list of words"),
        ("cue.yaml", "terms: [", "not YAML"),
        ("cue.yaml", "- x", "holds no mapping"),
        ("cue.yaml", "scope: {}", "scope is not a clinic's to set"),
        ("cue.yaml", "patterns: ['{nothing} x']", "there is no concept 'nothing'"),
        ("cue.yaml", "patterns: ['~2 x']", "must begin and end with"),
    ],
)
def test_a_lexicon_folder_that_is_wrong(tmp_path: Path, name: str | None, content: str, sentence: str) -> None:
    if name:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(AuditError, match=sentence):
        lexicon.load(tmp_path if name else tmp_path / "none")


def test_agreement_is_counted(tmp_path: Path) -> None:
    labels = {**dict.fromkeys(ELEMENTS, False), "narrative": "vague"}
    rows = [
        {"id": "a", "text": "Tolerated well.", "labels": {**labels, "patient_response": True}},
        {"id": "b", "text": "Tolerated well.", "labels": labels},
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = scoring.compare(scoring.labelled(file))
    one = result.elements["patient_response"]
    assert (one.right, one.wrong, one.missed, one.precision, one.recall) == (1, 1, 0, 0.5, 1.0)
    assert result.confusion["vague", "vague"] == 2
    done = CliRunner().invoke(cli, ["bench", "evidence", str(file)])
    assert "narrative, macro" in done.stdout
    file.write_text("{}\n", encoding="utf-8")
    with pytest.raises(AuditError, match="every line needs"):
        scoring.labelled(file)


@pytest.mark.skipif(not LABELLED.exists(), reason="the labelled notes are not beside this checkout")
@pytest.mark.parametrize("half", scoring.HALVES)
def test_the_labelled_notes(half: str) -> None:
    rows = [row for row in scoring.labelled(LABELLED) if scoring.half(row["id"]) == half]
    result = scoring.compare(rows)
    assert min(one.f1 for one in result.elements.values()) >= 0.9
    assert result.macro_f1 >= 0.85


def test_the_independent_notes() -> None:
    rows = [row for row in scoring.labelled(INDEPENDENT) if scoring.half(str(row["id"])) == scoring.HALVES[1]]
    result = scoring.compare(rows)
    assert min(one.f1 for one in result.elements.values()) >= 0.92
    assert result.macro_f1 >= 0.93
