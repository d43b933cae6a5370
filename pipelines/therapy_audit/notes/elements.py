"""From concepts to judgements: a batch's four elements with their words, narrative, help, minutes, times and score.

Each function takes what matching.find found in a batch and returns arrays with one entry per note, or the words that
show an element.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from therapy_audit.notes.lexicon import ELEMENTS, LEVELS
from therapy_audit.notes.matching import Matches, inside, outermost, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from therapy_audit.notes.cutting import Flags, Ints
    from therapy_audit.notes.matching import Found

    Floats = npt.NDArray[np.float64]

FUNCTIONAL, IMPAIRMENT, INSTRUCTION, PASSIVE, VAGUE = range(5)  # places in lexicon.NARRATIVES
NOTHING = -1
_ENOUGH = 3.0  # weight of the actions and things that make a named task one with its components
_TASKS = ("name", "open", "action", "object", "posture")  # what lies within an earlier one does not count again
_WEIGHTS = np.array([2.0, 1.5, 1.0, 1.0, 0.5])  # a name says as much as an action and a thing
_DOINGS = np.array([True, True, True, False, True])
_PARTS = np.array([False, True, True, True, True])  # a name alone has no components
_TOGETHER = 2.0  # of the weight stands in one sentence: words scattered over a note name no task
_DIRECTIONS = ("cue", "therapist_act", "graded_act", "directed", "task_change")
_OPENING = 8  # words at a note's begin that tell what it is about
_UNNAMED = 0.5  # exercise that is not named, nor dosed, says little of a note's nature
_NAMED = 2.0  # weight of the actions and things that name a task
_TIE = 0.1  # what can be read as exercise or as treatment is treatment
_AIDED = 0.5  # where the therapist is the doer, a task is named beside the direction
_TOLD, _STRANGE = 5, 2  # a word of the patient's life makes a goal, and so do three that the lexicon does not know
_LIKELY_MINUTES = (8, 240)
_HALF_DAY = 720
_APART = 5  # words between two times that are a pair
_BILLED = "97530"


@dataclass(frozen=True)
class Judged:
    """A batch's judgements; every array has one entry per note.

    `evidence` holds for each element the first word and the word after the last of what shows it, in reading order.
    `minutes`, `start` and `stop` (minutes of the day), and `level` (place in LEVELS) are -1 where the note says none.
    """

    present: Mapping[str, Flags]
    evidence: Mapping[str, Matches]
    narrative: Ints
    level: Ints
    minutes: Ints
    start: Ints
    stop: Ints
    score: Floats


def judge(found: Found, weights: Mapping[str, float], codes: Sequence[str | None] | None = None) -> Judged:
    """Judge a batch. `codes` are the notes' billed codes, where they are known: one for each note."""
    notes = found.words.first.size - 1
    whole_note = found
    found = _of_code(found, notes, codes)
    activity = _activity(found, notes)
    evidence = {
        "specific_activity": activity.evidence,
        "skilled_direction": outermost([found.matches[name] for name in _DIRECTIONS]),
        "functional_goal": _goal(found),
        "patient_response": _response(found),
    }
    present = {name: _counts(found, matches, notes) > 0 for name, matches in evidence.items()}
    narrative = _narrative(found, activity, present, notes)
    evidence["skilled_direction"] = _direction(found, narrative)
    # What was done to the patient is no activity of the patient's.
    shown = evidence["specific_activity"]
    evidence["specific_activity"] = shown.where(narrative[found.words.note[shown.start]] != PASSIVE)
    for name in ELEMENTS[:2]:
        present[name] = _counts(found, evidence[name], notes) > 0
    start, stop = _times(whole_note, notes)
    minutes = _minutes(whole_note, notes, start >= 0, codes)
    whole = sum(weights.values())
    parts = {**present, "time_stated": (minutes >= 0) | (start >= 0)}
    score = sum((flags * (100 * weights[name] / whole) for name, flags in parts.items()), np.zeros(notes))
    return Judged(
        present=present,
        evidence=evidence,
        narrative=narrative,
        level=_level(found, notes),
        minutes=minutes,
        start=start,
        stop=stop,
        score=np.round(score, 1),
    )


def _of_code(found: Found, notes: int, codes: Sequence[str | None] | None) -> Found:
    """Leave out the parts of a note that are headed by another code, where the billed code heads one too."""
    at = found.everywhere["code"].start
    heads = at[found.segments["sentence"].begin(at) == at]
    if not heads.size:
        return found
    note = found.words.note[heads]
    wanted = [(codes[one] if codes is not None else None) or _BILLED for one in note.tolist()]
    own = np.array([found.known[kind] for kind in found.words.kind[heads].tolist()]) == np.array(wanted)
    mixed = np.zeros(notes, np.bool_)
    mixed[note[own]] = True
    begin = heads[~own & mixed[note]]
    if not begin.size:
        return found
    # A part ends where the next one begins, or with the note.
    following = np.append(heads, found.numbers.size)[np.searchsorted(heads, begin) + 1]
    end = np.minimum(following, found.words.first[found.words.note[begin] + 1])
    size = found.numbers.size
    steps = np.bincount(begin, minlength=size + 1) - np.bincount(end, minlength=size + 1)
    other = np.append(np.cumsum(steps)[:size] > 0, False)
    matches = {name: one.where(~other[one.start]) for name, one in found.matches.items()}
    everywhere = {name: one.where(~other[one.start]) for name, one in found.everywhere.items()}
    return replace(found, matches=matches, everywhere=everywhere)


@dataclass(frozen=True)
class _Activity:
    performed: Floats
    taught: Floats
    specific: Flags  # performed by the patient
    evidence: Matches


def _counts(found: Found, matches: Matches, notes: int) -> Ints:
    return np.bincount(found.words.note[matches.start], minlength=notes).astype(np.int64)


def _activity(found: Found, notes: int) -> _Activity:
    """Add up the distinct actions, things and names of tasks that the patient did, and those that were only taught."""
    kinds = [found.matches[f"task_{kind}"] for kind in _TASKS]
    aside = [found.everywhere[name] for name in ("therapist_act", "cue", "graded_act")]
    taken = np.zeros(found.numbers.size, np.bool_)
    for place, matches in enumerate(kinds):
        for others in aside[:1] if place == 0 else aside[1:]:
            taken[words_of(others)] = True
        before = np.append(0, np.cumsum(taken))
        kinds[place] = matches.where(before.take(matches.start) == before.take(matches.end))
        taken[words_of(kinds[place])] = True
    sizes = [matches.start.size for matches in kinds]
    start, end = np.concatenate([one.start for one in kinds]), np.concatenate([one.end for one in kinds])
    weight, doing, part = (np.repeat(one, sizes) for one in (_WEIGHTS, _DOINGS, _PARTS))
    note = found.words.note[start]
    # A word said again adds nothing: the first of a note's equal words counts.
    equal = note * (int(found.numbers.max(initial=0)) + 1) + found.numbers[start]
    order = np.lexsort((start, equal))
    first = np.ones(start.size, np.bool_)
    first[1:] = equal[order][1:] != equal[order][:-1]
    fresh = np.zeros(start.size, np.bool_)
    fresh[order] = first
    sentence = found.segments["sentence"].of[start]
    sentences = found.segments["sentence"].first.size
    exercise = found.everywhere["exercise"].start
    exercise = exercise[~found.reached["warm_up"][exercise]]
    exercises = np.bincount(found.segments["sentence"].of[exercise], minlength=sentences)
    tasks = np.bincount(sentence, weight, sentences)
    exercised = (exercises > 0) & (tasks <= 2.0 * exercises + 1)
    only_taught = found.reached["taught"] & ~found.reached["performed_it"]
    taught = only_taught[start]
    counts = fresh & ~exercised[sentence] & ~found.reached["passive_scope"][start]
    aided = found.reached["therapist_clause"][start]
    weight = np.where(aided, weight * _AIDED, weight)
    performed = np.bincount(note, weight * (counts & ~taught), notes)
    acts = np.bincount(note, counts & ~taught & doing & ~aided, notes)
    components = np.bincount(note, counts & ~taught & part, notes)
    told = np.bincount(note, weight * (counts & taught), notes)
    told_acts = np.bincount(note, counts & taught & doing, notes)
    together = np.bincount(sentence, weight * (counts & ~taught), sentences)
    densest = np.zeros(notes)
    np.maximum.at(densest, found.words.note[found.segments["sentence"].first[:-1]], together[:-1])
    # A distance, a load or a number of times is a component too, of what is a task without it.
    core = np.bincount(sentence, np.where(counts & ~taught & ~aided & (weight >= 1), weight, 0), sentences) >= _TOGETHER
    amount = found.matches["task_amount"].start
    held = amount[core[found.segments["sentence"].of[amount]] & ~only_taught[amount]]
    amounts = np.minimum(np.bincount(found.words.note[held], minlength=notes), 1)
    performed, components = performed + amounts, components + amounts
    specific = (performed >= _ENOUGH) & (acts >= 1) & (components >= 1) & (densest >= _TOGETHER)
    explained = (told >= _TOGETHER) & (told_acts >= 2)
    shown = counts & np.where(taught, explained[note], specific[note])
    return _Activity(
        performed.astype(np.float64),
        told.astype(np.float64),
        specific,
        _joined(found, Matches(start[shown], end[shown])),
    )


def _joined(found: Found, matches: Matches) -> Matches:
    """Join the matches of each clause into one, from its first word to its last."""
    if not matches.start.size:
        return matches
    order = np.argsort(matches.start, kind="stable")
    start, end = matches.start[order], matches.end[order]
    clause = found.segments["clause"].of[start]
    new = np.flatnonzero(np.append(True, clause[1:] != clause[:-1]))
    return Matches(start[new], np.maximum.reduceat(end, new))


def _direction(found: Found, narrative: Ints) -> Matches:
    """Take what directs an activity; where nothing was done there is none, and treatment's own settings are none."""
    parts = []
    for name in _DIRECTIONS:
        matches = found.matches[name]
        nature = narrative[found.words.note[matches.start]]
        parts.append(matches.where((nature != INSTRUCTION) & ((nature != PASSIVE) | (name in {"cue", "directed"}))))
    return outermost(parts)


def _goal(found: Found) -> Matches:
    """Take goal words that something of this patient's life follows in the sentence, or stands before the last word."""
    goals = outermost([found.matches[name] for name in ("goal_word", "goal_tie")])
    size = found.numbers.size
    if not goals.start.size:
        return goals
    value = np.zeros(size, np.uint8)
    value[found.shapes["unknown"]] = _STRANGE
    value[found.everywhere["stop_words"].start] = 0
    for name in ("task_action", "task_object", "task_name", "task_posture", "participation"):
        value[found.everywhere[name].start] = _TOLD
    for name in ("goal_generic", "exercise", "measure", "goal_of_course", "symptom"):
        value[words_of(found.everywhere[name])] = 0
    told = np.flatnonzero(value)
    total = np.zeros(size + 1, np.int64)
    np.cumsum(value, out=total[1:])
    sentences = found.segments["sentence"]
    begin, end = sentences.begin(goals.start), sentences.end(goals.start)
    after = total[end] - total[goals.start]
    last = goals.end >= end - 2
    before = np.where(last, total[goals.start] - total[np.maximum(begin, goals.start - 8)], 0)
    last_told = np.append(told, 0)[np.searchsorted(told, end) - 1]  # of the sentence, where there is one
    till = np.where(after >= _TOLD, last_told + 1, goals.end)
    since = np.where((after < _TOLD) & (before >= _TOLD), np.maximum(begin, goals.start - 8), goals.start)
    keep = (after >= _TOLD) | (before >= _TOLD)
    return outermost([Matches(since[keep], till[keep])])


def _response(found: Found) -> Matches:
    parts = [found.matches[name] for name in ("tolerance", "performance", "shortfall", "measurement")]
    parts += [found.matches[f"assist_{level}"] for level in LEVELS]
    whole = outermost(parts)
    return whole.where(~inside(whole, found.everywhere["not_a_response"]))


def _narrative(found: Found, activity: _Activity, present: Mapping[str, Flags], notes: int) -> Ints:
    def count(name: str) -> Ints:
        return _counts(found, found.matches[name], notes)

    unnamed = count("exercise_generic")
    exercise = count("exercise") + np.where((count("exercise") > 0) | (count("dose") > 0), 1.0, _UNNAMED) * unnamed
    told = np.where(count("instruction") > 0, count("instruction") + 2 * count("instruction_only"), 0)
    passive = count("passive")
    # A task that is only named makes a note functional where nothing else was done.
    named = (activity.performed >= _NAMED) & (exercise + told + passive == 0)
    done = np.where(activity.specific | named, activity.performed, 0)
    directed, goal, response = (present[name] for name in ELEMENTS[1:])
    others = np.stack((exercise, told, passive + _TIE * (passive > 0)))
    most = others.max(axis=0)
    kind = np.array([IMPAIRMENT, INSTRUCTION, PASSIVE])[others.argmax(axis=0)]
    listening = (count("instruction_only") > 0) & (told >= 3)
    told_mostly = (told >= 2) & (told * 1.5 >= done) & ~directed
    generic = count("task_generic") > 0
    functional = (done > 0) & (done >= 1.2 * exercise) & (done >= 1.5 * passive) & (done >= 1.0 * told) & ~listening
    # Where no task is named, bare cues and a bare level say nothing: the direction must grade, or serve a goal.
    graded = count("therapist_act") + count("graded_act") + count("directed") + count("task_change") > 0
    led = directed & (goal | (graded & response & (count("vague") < 2) & (_directions(found, notes) > 1)))
    answer = np.where(most >= 1, kind, np.where(led, FUNCTIONAL, VAGUE))
    unexplained = (kind == INSTRUCTION) & (told <= 1) & (activity.taught < 1) & ~goal
    answer = np.where(unexplained & (most >= 1) & (generic | (count("vague") > 0)), VAGUE, answer)
    # An exercise with its dose and nothing else done is an exercise, whatever it is for.
    dosed = (exercise >= 1) & (count("dose") > 0) & (activity.performed < 1) & ~generic
    led_on = led & (generic | goal) & (exercise <= 1) & (passive <= 1) & (most <= 2) & ~listening & ~dosed
    answer = np.where(led_on, FUNCTIONAL, answer)
    answer = np.where(functional, FUNCTIONAL, answer)
    answer = np.where(listening | (told_mostly & (told >= exercise) & (told >= passive)), INSTRUCTION, answer)
    teaching = found.matches["instruction"]
    early = teaching.start - found.words.first[found.words.note[teaching.start]] < _OPENING
    opened = _counts(found, teaching.where(early), notes) > 0
    bare = (done == 0) & ~directed & ~goal & (count("vague") >= 2)
    undosed = (kind == IMPAIRMENT) & (count("dose") == 0) & (most <= 2)
    aside = (kind == INSTRUCTION) & generic & (most <= 2) & (count("instruction_only") == 0) & ~opened
    empty = bare & ((most <= 1) | undosed | aside)
    return np.where(empty, VAGUE, answer).astype(np.int64)


def _directions(found: Found, notes: int) -> Ints:
    return _counts(found, outermost([found.matches[name] for name in _DIRECTIONS]), notes)


def _level(found: Found, notes: int) -> Ints:
    """Take the last level that a note states for what was done."""
    last = np.full(notes, NOTHING, np.int64)
    level = np.full(notes, NOTHING, np.int64)
    for place, name in enumerate(LEVELS):
        matches = found.matches[f"assist_{name}"]
        own = np.full(notes, NOTHING, np.int64)
        own[found.words.note[matches.start]] = matches.start  # in reading order, so the last one stays
        level = np.where(own > last, place, level)
        last = np.maximum(own, last)
    return level


def _values(found: Found) -> Floats:
    """Return each word's value as a number, nan where it is none."""
    return found.learned.value[found.words.kind]


def _covered(found: Found, name: str) -> Ints:
    """Return how many words before each word begin a match of a concept; one longer than there are words."""
    counts = np.bincount(found.everywhere[name].start, minlength=found.numbers.size)
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))


def _minutes(found: Found, notes: int, timed: Flags, codes: Sequence[str | None] | None) -> Ints:
    """Take the likeliest of the stated durations: alone in its phrase, or beside the billed service's name or code."""
    stated = found.everywhere["minutes_stated"]
    answer = np.full(notes, NOTHING, np.int64)
    if not stated.start.size:
        return answer
    values = _values(found)
    place = stated.start.copy()
    for step in range(1, int((stated.end - stated.start).max())):
        later = np.minimum(stated.start + step, stated.end - 1)
        place = np.where(np.isnan(values[place]) | (found.numbers[place] != 1), later, place)
    value = values[place]
    note = found.words.note[stated.start]
    phrases, sentences = found.segments["phrase"], found.segments["sentence"]
    begin, end = phrases.begin(stated.start), phrases.end(stated.end - 1)
    billed, other = _covered(found, "time_billed"), _covered(found, "time_other")
    near_billed = (billed[end] - billed[begin]) > 0
    near_other = (other[np.minimum(end, stated.end + 4)] - other[np.maximum(begin, stated.start - 4)]) > 0
    spoken: Ints = np.concatenate((np.zeros(1, np.int64), np.cumsum(found.shapes["word"])))
    alone = (spoken[end] - spoken[begin]) <= (spoken[stated.end] - spoken[stated.start])
    at_end = sentences.end(stated.start) >= found.words.first[note + 1]
    in_sentence = (billed[sentences.end(stated.start)] - billed[sentences.begin(stated.start)]) > 0
    rank = 3.0 * near_billed + 2.0 * alone + 0.5 * in_sentence + 1.0 * at_end - 3.5 * (near_other & ~near_billed)
    rank -= 1.0 * (near_other & near_billed)
    rank += _code_rank(found, stated, notes, codes)
    likely = (value >= _LIKELY_MINUTES[0]) & (value <= _LIKELY_MINUTES[1]) & (value == np.floor(value))
    fits = (
        (value >= 1)
        & (value <= _LIKELY_MINUTES[1])
        & (rank >= np.where(likely & ~timed[note], 0, np.where(likely, 2, 3)))
    )
    order = np.lexsort((stated.start, rank, note))
    order = order[fits[order]]
    answer[note[order]] = value[order].astype(np.int64)  # the highest rank comes last in its note
    return answer


def _code_rank(found: Found, stated: Matches, notes: int, codes: Sequence[str | None] | None) -> Floats:
    """Favour minutes behind the billed code, and rule out those behind another."""
    at = found.everywhere["code"].start
    rank = np.zeros(stated.start.size)
    if not at.size:
        return rank
    texts = [found.known[kind] for kind in found.words.kind[at].tolist()]
    note = found.words.note[at].tolist()
    told: dict[int, set[str]] = {}
    for where, text in zip(note, texts, strict=True):
        told.setdefault(where, set()).add(text)
    wanted = {
        where: (codes[where] if codes is not None else None) or (next(iter(own)) if len(own) == 1 else _BILLED)
        for where, own in told.items()
    }
    del notes
    right = np.array([text == (wanted[where] or "").lower() for where, text in zip(note, texts, strict=True)])
    sentence = found.segments["sentence"]
    before = np.searchsorted(at, stated.start, "right") - 1
    after = np.minimum(before + 1, at.size - 1)
    held = np.maximum(before, 0)
    clause = found.segments["clause"].of
    leads = (before >= 0) & (clause[at[held]] == clause[stated.start])
    same = sentence.of[at[after]] == sentence.of[stated.start]
    follows = ~leads & same & (at[after] >= stated.start) & (at[after] <= stated.end + 2)
    code = np.where(leads, held, after)
    told_by = leads | follows
    return np.where(told_by & right[code], 3.0, np.where(told_by, -9.0, rank))


def _times(found: Found, notes: int) -> tuple[Ints, Ints]:
    """Take the first pair of clock times with only words like "to" and "stop" between them."""
    start, stop = np.full(notes, NOTHING, np.int64), np.full(notes, NOTHING, np.int64)
    size = found.numbers.size
    if not size:
        return start, stop
    shapes, kind, numbers = found.learned.shapes, found.words.kind, found.learned.value

    def are(name: str, words: Ints) -> Flags:
        """Say which words are of a shape; what is beyond the last word is none."""
        return shapes[name].take(kind.take(words, mode="clip")) & (words < size)

    at = np.flatnonzero((shapes["hour"] | shapes["military"]).take(kind))
    long = are("hour", at) & are("colon", at + 1) & are("minute", at + 2)
    long[long] = found.words.end[at[long]] == found.words.start[at[long] + 1]
    behind = np.isin(at, at[long] + 2, kind="table")
    short = are("military", at) & ~are("unit", at + 1)
    kept = (long | short) & ~behind
    at, long = at[kept], long[kept]
    if at.size < 2:
        return start, stop
    following = np.where(long, at + 3, at + 1)
    afternoon, morning = are("pm", following), are("am", following)
    marked = afternoon | morning
    last = following + marked

    def value(words: Ints) -> Ints:
        told = numbers.take(kind.take(words, mode="clip"))
        return np.clip(np.nan_to_num(told), 0, 9_999).astype(np.int64)  # no time has more digits

    minutes = np.where(long, value(at) * 60 + value(at + 2), value(at) // 100 * 60 + value(at) % 100)
    one, two_ = slice(None, -1), slice(1, None)
    pair = found.words.note[at[one]] == found.words.note[at[two_]]
    pair &= (at[two_] - last[one] >= 1) & (at[two_] - last[one] <= _APART) & (long[one] == long[two_])
    for step in range(_APART):
        pair &= are("joins_times", last[one] + step) | (last[one] + step >= at[two_])
    begin, end = minutes[one].copy(), minutes[two_].copy()
    late = afternoon[two_] & (end < _HALF_DAY)
    end = end + _HALF_DAY * late - _HALF_DAY * (morning[two_] & (end >= _HALF_DAY))
    early = (afternoon[one] & (begin < _HALF_DAY)) | (afternoon[two_] & ~marked[one] & (begin + _HALF_DAY <= end))
    begin = begin + _HALF_DAY * early - _HALF_DAY * (morning[one] & (begin >= _HALF_DAY))
    end = np.where((end < begin) & ~marked[two_] & (end < _HALF_DAY), end + _HALF_DAY, end)
    pair &= (end > begin) & (end - begin <= 480)
    chosen = np.flatnonzero(pair)[::-1]  # so that the first pair of a note stays
    note = found.words.note[at[chosen]]
    start[note], stop[note] = begin[chosen], end[chosen]
    return start, stop
