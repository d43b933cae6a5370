"""Measures in notes: what counts as one, in which words; and whether an episode progresses, through models and rule."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import casebook
from therapy_audit import engine, rules
from therapy_audit.notes import measures, reading, store

ROOT = Path(__file__).parents[1]
OWN = Path(__file__).parent / "notes" / "episodes.jsonl"
DEVELOPMENT = Path(__file__).parents[2] / "shared" / "notes" / "episodes.jsonl"
MEASURES = {
    row["measure"]
    for row in csv.DictReader((ROOT / "rules" / "codes" / "measure.csv").read_text(encoding="utf-8").splitlines())
}


def episodes(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


@cache
def stalled_since(path: Path) -> dict[str, list[int]]:
    """Return by episode the visits since which progression is stalled, as the rule finds it."""
    first = date(2026, 3, 2)
    told = episodes(path)
    tables: dict[str, list[dict[str, Any]]] = {"claim_line": [], "visit_note": [], "note_service": []}
    for episode in told:
        for visit in episode["visits"]:
            casebook._add_day(  # noqa: SLF001
                tables,
                f"{episode['episode']}~",
                visit["visit"],
                first + timedelta(days=2 * visit["visit"]),
                {
                    "billed": {97530: 1},
                    "documented": {97530: 15},
                    "discipline": episode["discipline"],
                    "service": {"text": visit["text"]},
                },
            )
    ruleset = rules.load()
    with engine.connect() as con:
        engine.prepare(con, ruleset)
        casebook.insert_rows(con, [tables])
        engine.map_payers(con, ruleset.payer_patterns)
        engine.set_period(con)
        store.fill(con)
        engine.build_models(con)
        errors = engine.run_rules(con, [rule for rule in ruleset.rules if rule.name == "clinic.progression_stalled"])
        assert not errors
        rows = con.execute("SELECT patient_id, facts ->> 'since' FROM finding").fetchall()
    found: dict[str, list[int]] = {episode["episode"]: [] for episode in told}
    for patient, since in rows:
        found[patient.partition("~")[0]].append((date.fromisoformat(since) - first).days // 2)
    return found


# A text, and all measures that it states, with their values.
STATED: list[tuple[str, dict[str, float]]] = [
    ("Lifted 20# bag x8.", {"weight": 20, "repetitions": 8}),
    ("Lifted a 20 lb bag eight times.", {"weight": 20, "repetitions": 8}),
    ("Lifted a twenty-pound bag, 8 reps.", {"weight": 20, "repetitions": 8}),
    ("Box weighing thirty five pounds, 3 x 10.", {"weight": 35, "sets": 3, "repetitions": 10}),
    ("Crate 10 kg, 8x.", {"weight": 22.046, "repetitions": 8}),
    ("8 oz hammer, 3 sets of 12 reps.", {"weight": 0.5, "sets": 3, "repetitions": 12}),
    ("Ambulated 80 ft x 2 with RW.", {"distance": 80, "repetitions": 2, "device": 4}),
    ("Ambulated eighty feet twice with a rolling walker.", {"distance": 80, "repetitions": 2, "device": 4}),
    ("Gait 150' with SPC.", {"distance": 150, "device": 1}),
    ("Carried it one hundred fifty feet.", {"distance": 150}),
    ("Walked 40 yards, no AD.", {"distance": 120, "device": 0}),
    ("Gait speed 0.48 m/s.", {"speed": 0.48}),
    ("STS from 19 in mat x10.", {"seat_height": 19, "repetitions": 10}),
    ('Ten sit to stands off 19" plinth.', {"seat_height": 19, "repetitions": 10}),
    ("Climbed 6 inch step x10.", {"height": 6, "repetitions": 10}),
    ("5/8 cans placed.", {"success_share": 0.625, "successes": 5}),
    ("5 of 8 cans placed.", {"success_share": 0.625, "successes": 5}),
    ("Five out of eight cans placed.", {"success_share": 0.625, "successes": 5}),
    ("Five out of the eight cans placed.", {"success_share": 0.625, "successes": 5}),
    ("Rolling R min A, 8 of 10.", {"assist": 4, "success_share": 0.8, "successes": 8}),
    ("Finished 2 shoes of 4 tries.", {"success_share": 0.5, "successes": 2}),
    ("Named pictures with 60% accuracy.", {"success_share": 0.6}),
    ("VC x4 for hinge.", {"cue_count": 4}),
    ("Four verbal cues for hinge.", {"cue_count": 4}),
    ("Hip hinge reminder four times.", {"cue_count": 4}),
    ("Reminded him three times to stagger feet.", {"cue_count": 3}),
    ("Foot placement prompts 3x.", {"cue_count": 3}),
    ("No cues.", {"cue_count": 0}),
    ("Mod verbal cues.", {"cue_level": 2}),
    ("Chin tuck cue on 6 of 10 swallows.", {"cue_share": 0.6}),
    ("Pain 4/10.", {"pain": 4}),
    ("LBP 3-4/10.", {"pain": 3.5}),
    ("Pain decreased from 6/10 to 3/10.", {"pain": 3}),
    ("Low back 4/10.", {"pain": 4}),
    ("4 of 10 pain.", {"pain": 4}),
    ("Pain 4 of 10, exertion 5.", {"pain": 4, "exertion": 5}),
    ("RPE 13/20.", {"exertion": 13}),
    ("Effort rated 6.", {"exertion": 6}),
    ("Fatigue 6/10.", {"symptom": 6}),
    ("2 LOB, three errors, one rest break.", {"balance_losses": 2, "errors": 3, "rests": 1}),
    ("Lost balance twice.", {"balance_losses": 2}),
    ("No LOB.", {"balance_losses": 0}),
    ("Stairs with one rail.", {"rails": 1}),
    ("Stairs with both rails.", {"rails": 2}),
    ("12 steps reciprocal, no rail.", {"stairs": 12, "step_pattern": 2, "rails": 0}),
    ("Tandem stance held 15 sec.", {"stance": 4, "hold": 15}),
    ("Standing tolerance 8 min at sink.", {"endurance": 8}),
    ("Buttoned shirt in 4 min with hook.", {"time_taken": 4}),
    ("Grip 32 lb.", {"grip": 32}),
    ("Nectar thick liquids.", {"liquid": 3}),
    ("Words in sentences 7/10 correct.", {"success_share": 0.7, "successes": 7, "speech_unit": 5}),
    ("Walked on grass.", {"surface": 4}),
    ("Green theraband rows.", {"band": 4}),
    ("Min A.", {"assist": 4}),
    ("From mod A to min A.", {"assist": 4}),
    ("3-step command followed.", {"sequence_steps": 3}),
    ("Moved 6 plates to the cupboard.", {"plates": 6}),
    # No measures.
    ("Goal is 40# bags at work.", {}),
    ("Heading to 40# for job.", {}),
    ("Job needs 40#.", {}),
    ("Return to lifting 40# is his work goal.", {}),
    ("Dining room (200 ft) remains the goal.", {}),
    ("Next visit: 25# x 10.", {}),
    ("Full duty 50# trial planned for next week.", {}),
    ("Last visit 20# x 8.", {}),
    ("HEP: 3 x 10 heel raises daily.", {}),
    ("DOS 3/04.", {}),
    ("Seen 3/11/26 from 9:00 to 9:15.", {}),
    ("TA 20 min.", {}),
    ("20 min.", {}),
    ("TA 20'.", {}),
    ("Visit 3 of 12.", {}),
    ("5 y/o boy, wk 7 after surgery.", {}),
    ("HR 112, BP 128/76, SpO2 95%.", {}),
    ("Seen 2x/wk for 4 weeks.", {}),
    ("L5 strain.", {}),
    ("97530 and 97110.", {}),
    ("Unable to lift 30 lb.", {}),
    ("Walked without walker.", {}),
]
# A text, and the flags that it raises.
FLAGGED: list[tuple[str, set[str]]] = [
    ("Pt has plateaued. POC revised: frequency reduced to 1x/wk.", {"plateau", "plan_changed"}),
    ("No change over three visits.", {"plateau"}),
    ("No sign of plateau.", set()),
    ("Has reached max benefit. Transition to HEP.", {"plateau", "plan_changed"}),
    ("Function leveled off since eval; frequency decreased to monthly.", {"plateau", "plan_changed"}),
    ("Scores have not budged. Long-term goal restated.", {"plateau", "plan_changed"}),
    ("Unchanged x 4 visits, referred back to surgeon.", {"plateau", "plan_changed"}),
    ("Plan of care to end in two visits.", {"plan_changed"}),
    ("D/C next visit.", {"plan_changed"}),
    ("Continue same plan, frequency 2x/wk.", set()),
    ("Goal: d/c to home.", set()),
    ("Seen since discharge from SNF.", set()),
    ("Goal downgraded to bathing with two aides.", {"plan_changed"}),
    ("Off day, poor sleep.", {"setback"}),
    ("Flare since Saturday.", {"setback"}),
    ("No flare since last visit.", set()),
    ("Progressed to grass.", {"advanced"}),
    ("Added a 10 ft carry.", {"advanced"}),
    ("Uneven-shaped boxes added.", {"advanced"}),
    ("Held complexity, did not add stairs.", set()),
    ("Will progress to stairs next visit.", set()),
    ("OT added tactile cue and a rest break.", set()),
    ("Changed to built-up handle.", set()),
    ("Same task as last time.", set()),
    ("Continued sit to stand from a standard chair while carrying a laundry basket.", set()),
    ("Jacket took seven minutes from start to finish.", set()),
    ("Now carrying a cup.", {"advanced"}),
]


@cache
def answers(texts: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return dict(zip(texts, reading.read(list(texts)).to_pylist(), strict=True))


@pytest.mark.parametrize(("text", "stated"), STATED, ids=[text for text, _ in STATED])
def test_what_a_text_measures(text: str, stated: dict[str, float]) -> None:
    found = answers(tuple(text for text, _ in STATED))[text]["measures"]
    assert {one["measure"]: pytest.approx(one["value"]) for one in found} == stated
    assert set(stated) <= MEASURES
    assert all(0 <= one["start"] < one["end"] <= len(text) for one in found)


@pytest.mark.parametrize(("text", "flags"), FLAGGED, ids=[text for text, _ in FLAGGED])
def test_what_a_text_says_of_progress(text: str, flags: set[str]) -> None:
    found = answers(tuple(text for text, _ in FLAGGED))[text]
    assert {name for name in measures.FLAGS if found[name]} == flags


def test_every_measure_has_a_direction() -> None:
    assert set(measures.vocabularies(reading.matcher().known).measures) <= MEASURES


def test_positions_are_characters_of_the_text() -> None:
    text = "Pt\u2019s caf\u00e9 task \u2013 lifted 20 lb \u00d7 8."
    (found,) = reading.read([text]).to_pylist()
    assert [text[one["start"] : one["end"]] for one in found["measures"]] == ["20 lb", "8"]


def test_measures_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text for text, _ in STATED]
    whole = reading.read(texts).column("measures").to_pylist()
    monkeypatch.setattr(reading, "BATCH", 1)
    assert reading.read(texts).column("measures").to_pylist() == whole


def wanted(episode: dict[str, Any]) -> list[int]:
    since = episode["labels"]["stalled_run_from_visit"]
    return [] if since is None else [since]


@pytest.mark.parametrize("episode", episodes(OWN), ids=lambda episode: episode["episode"])
def test_whether_and_since_when_an_episode_is_stalled(episode: dict[str, Any]) -> None:
    assert stalled_since(OWN)[episode["episode"]] == wanted(episode), episode["labels"]


@pytest.mark.skipif(not DEVELOPMENT.is_file(), reason="the development notes are not beside the repository")
def test_the_development_episodes() -> None:
    found = stalled_since(DEVELOPMENT)
    wrong = {
        episode["episode"]: found[episode["episode"]]
        for episode in episodes(DEVELOPMENT)
        if found[episode["episode"]] != wanted(episode)
    }
    assert not wrong
