"""Measures that notes state, as numbers that can be compared from visit to visit, and what they say of progress.

Every number of a batch is looked at together: the word behind it, the words before it, and what its phrase is about
tell which measure of rules/codes/measure.csv it is, if any. Words that name steps (one rail, tandem) are measures too.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from therapy_audit import resources
from therapy_audit.notes import english, lexicon
from therapy_audit.notes.lexicon import LEVELS
from therapy_audit.notes.matching import Matcher, Matches, look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from therapy_audit.notes.cutting import Flags, Ints, Vocabulary
    from therapy_audit.notes.matching import Found, Segments

    Floats = npt.NDArray[np.float64]

FLAGS = ("plateau", "plan_changed", "setback", "advanced")
NOTHING = -1
_ASIDE = (  # what these words of the evidence's lexicon reach was not measured on this visit
    "planned", "goal_scope", "history", "home_program", "elsewhere", "not_performed", "other_text",
    "plan_section",
)  # fmt: skip
_FLAG_ASIDE = {
    "plateau": (),  # no gain since the evaluation is told of the past
    "plan_changed": (),
    "setback": ("goal_scope",),
    "advanced": ("planned", "home_program", "history"),
}
_SMALL = {
    "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0,
    "nine": 9.0, "once": 1.0, "twice": 2.0, "thrice": 3.0, "zero": 0.0, "dozen": 12.0, "seventy": 70.0, "eighty": 80.0,
    "hundred": 100.0,
}  # fmt: skip
_WRITTEN = english.NUMBERS | _SMALL
_OFTEN = 15
_CODE = 5  # a number of five digits is a billing code
_SAME = {"&": "and", "+": "and", "@": "at"}
_MARKS = {
    "/": 1, "x": 2, "*": 2, "of": 3, "out": 4, "-": 5, "the": 9, "her": 9, "his": 9, "their": 9,
    "around": 9, "about": 9, "no": 13, "without": 13, "once": _OFTEN, "twice": _OFTEN, "thrice": _OFTEN,
}  # fmt: skip
_SLASH, _TIMES, _OF, _OUT, _DASH, _ARTICLE, _NO = 1, 2, 3, 4, 5, 9, 13
_SMALL_WORDS = frozenset((
    "of", "in", "on", "for", "with", "w", "to", "from", "and", "at", "the", "a", "an", "by", "as", "than", "then",
    "per", "or", "but", "x", "is", "was", "were", "be", "it", "that", "this", "after", "until", "each", "every", "when",
    "while", "only", "about", "over", "under", "into", "onto", "off", "up", "down",
))  # fmt: skip
_AMOUNTS = ("unit weight", "unit distance", "unit length", "unit second", "unit minute", "unit none")
_ACTS = ("cue_count", "errors", "balance_losses", "rests", "drops", "coughs", "refusals")
_COUNTABLE = frozenset(
    f"unit {name}" for name in (*_ACTS, "times", "repetition", "trip", "stairs", "rails", "hand_support")
)
_LONG = 1 << 10  # words, more than any phrase has
_PAD = 12  # words beyond the last one that may be looked at


@dataclass(frozen=True)
class Vocabularies:
    """Words and measures as rules/measures.yaml has them, made ready.

    `roles` are the kinds of word that a number counts or rates, by their number; the others name matcher concepts.
    """

    matcher: Matcher
    measures: tuple[str, ...]
    roles: tuple[str, ...]
    factor: Floats  # by role
    measure: Ints  # by role: place in measures, -1 where it is none
    scales: tuple[str, ...]
    ladders: tuple[tuple[str, int, float], ...]  # concept, place in measures, value
    learning: _Learning


@dataclass(frozen=True)
class _Words:
    """What is known of each word of the vocabulary, by its number there."""

    number: Ints  # in rules/measures.yaml
    value: Floats  # nan where it is no number
    mark: npt.NDArray[np.uint8]
    written: Flags  # a number in letters
    padded: Flags  # 04
    small: Flags  # of, with, the; a mark of punctuation


@dataclass
class _Learning:
    """Keeps what is known of the words, and adds those that come; safe to share among threads."""

    known: _Words
    lock: threading.Lock = field(default_factory=threading.Lock)

    def words(self, matcher: Matcher, texts: Sequence[str]) -> _Words:
        with self.lock:
            new = texts[self.known.value.size :]
            if new:
                more = _Words(
                    np.array([matcher.number_of(_SAME.get(word, word)) for word in new], np.int64),
                    np.array([_value(word) for word in new], np.float64),
                    np.array([_MARKS.get(word, 0) for word in new], np.uint8),
                    np.array([word in _WRITTEN for word in new], np.bool_),
                    np.array([word[0] == "0" and len(word) == 2 for word in new], np.bool_),
                    np.array([word in _SMALL_WORDS or not word[0].isalpha() for word in new], np.bool_),
                )
                self.known = _Words(
                    *(
                        np.concatenate((getattr(self.known, name), getattr(more, name)))
                        for name in _Words.__dataclass_fields__
                    )
                )
            return self.known


def _value(word: str) -> float:
    found = _WRITTEN.get(word)
    if found is not None:
        return found
    return float(word) if word[0].isdigit() and len(word) < _CODE and word.replace(".", "", 1).isdecimal() else np.nan


@dataclass(frozen=True)
class Measured:
    """A batch's measures, each with the words that state it, in the notes' order; and the flags, one per note each."""

    note: Ints
    measure: Ints  # place in the vocabularies' measures
    value: Floats
    start: Ints
    end: Ints
    flags: Mapping[str, Flags]


@cache
def ready(known: _Shared) -> Vocabularies:
    """Return rules/measures.yaml made ready for words of a vocabulary."""
    raw = resources.parsed((resources.folder("rules") / "measures.yaml").read_text(encoding="utf-8"))
    measures: list[str] = ["assist"]
    concepts: dict[str, dict[str, Any]] = {}
    roles: list[str] = []
    factor: list[float] = []
    measure: list[int] = []

    def place(name: str) -> int:
        if name not in measures:
            measures.append(name)
        return measures.index(name)

    def role(name: str, told: Mapping[str, Any], kind: str, of: str | None, by: float = 1.0) -> None:
        concepts[f"{kind} {name}"] = {"title": name, **told}
        roles.append(f"{kind} {name}")
        factor.append(by)
        measure.append(place(of) if of else NOTHING)

    for name, told in raw["units"].items():
        own = {key: value for key, value in told.items() if key in {"terms", "nouns", "verbs", "patterns"}}
        target = told.get("measure", name)
        bare = name.startswith("none") or target in {"length", "angle", "percent", "second", "minute"}
        role(name, own, "unit", None if bare else target, float(told.get("factor", 1)))
    for terms in raw["things"]:
        role(terms[0], {"terms": terms}, "thing", terms[0].replace(" ", "_"))
    for name, terms in raw["scales"].items():
        role(name, {"terms": terms}, "scale", None if name.startswith("none") else name)
    ladders = []
    for name, steps in raw["ladders"].items():
        for step, told in steps.items():
            concepts[f"ladder {name} {step}"] = {"title": name, **told}
            ladders.append((f"ladder {name} {step}", place(name), float(step)))
    for name, told in raw["contexts"].items():
        concepts[f"context {name}"] = {"title": name, **told}
    concepts["context body"] = {"title": "body", "terms": raw["body"]}
    concepts["context links"] = {"title": "links", "terms": raw["links"]}
    concepts |= raw["concepts"]
    for name in ("height", "seat_height", "angle", "lag", "grip", "hold", "endurance", "time_taken", "seconds_taken",
                 "success_share", "successes", "cue_share"):  # fmt: skip
        place(name)
    none, empty = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    return Vocabularies(
        Matcher(lexicon.made_of(concepts), known=known.vocabulary),
        tuple(measures),
        tuple(roles),
        np.array(factor),
        np.array(measure, np.int64),
        tuple(raw["scales"]),
        tuple(ladders),
        _Learning(_Words(none, np.zeros(0), np.zeros(0, np.uint8), empty, empty, empty)),
    )


@dataclass(frozen=True, eq=False)
class _Shared:
    vocabulary: Vocabulary


_SHARED: dict[int, _Shared] = {}


def vocabularies(known: Vocabulary) -> Vocabularies:
    """Return what is made ready for a vocabulary, once."""
    return ready(_SHARED.setdefault(id(known), _Shared(known)))


def measure(found: Found, own: Vocabularies) -> Measured:
    """Return the measures and flags of a batch, of which the evidence's concepts were found."""
    told = own.learning.words(own.matcher, found.known)
    learned = replace(found.learned, number=told.number)
    mine = look(own.matcher, found.words, learned, found.segments)
    scene = _scene(found, mine, own, told)
    parts = [_help(found), *_numbered(scene, own), *_laddered(scene, own)]
    rows = [np.concatenate([part[column] for part in parts]) for column in range(4)]
    order = np.argsort(rows[2], kind="stable")
    which, value, start, end = (column[order] for column in rows)
    start, end = start.astype(np.int64), end.astype(np.int64)
    return Measured(
        found.words.note[start] if start.size else start, which.astype(np.int64), value, start, end,
        _flags(found, mine),
    )  # fmt: skip


@dataclass(frozen=True)
class _Scene:
    """A batch's words as the measures see them; arrays are longer than the words by _PAD where they are looked up."""

    found: Found
    mine: Found
    mark: npt.NDArray[np.uint8]
    flags: Mapping[str, Flags]
    value: Floats
    role: npt.NDArray[np.int16]  # of the words that begin here, -1: none
    role_end: Ints  # where they end, if there are any
    ends: npt.NDArray[np.int16]  # role of the words that end before here
    aside: Flags
    sentence: Ints  # -1 beyond the last word
    size: int


def _scene(found: Found, mine: Found, own: Vocabularies, told: _Words) -> _Scene:
    kind = found.words.kind
    size = kind.size

    def padded(table: Any, fill: Any) -> Any:
        """Return what a table says of each word."""
        values = np.empty(size + _PAD, table.dtype)
        np.take(table, kind, out=values[:size], mode="clip")  # which never clips, but writes where it is to
        values[size:] = fill
        return values

    parts = [mine.everywhere[name] for name in own.roles]
    start = np.concatenate([part.start for part in parts])
    end = np.concatenate([part.end for part in parts])
    which = np.repeat(np.arange(len(parts)), [part.start.size for part in parts])
    order = _longest_first(start, end)
    start, end, which = start.take(order), end.take(order), which.take(order)
    if start.size:  # of words that overlap, the longer ones tell
        furthest = np.concatenate((np.zeros(1, np.int64), np.maximum.accumulate(end)[:-1]))
        keep = np.flatnonzero(end > furthest)
        start, end, which = start.take(keep), end.take(keep), which.take(keep)
    role = np.full(size + _PAD, NOTHING, np.int16)
    role_end = np.zeros(size + _PAD, np.int64)
    ends = np.full(size + _PAD, NOTHING, np.int16)
    role[start], role_end[start], ends[end] = which, end, which
    aside = np.zeros(size + _PAD, np.bool_)
    for name in _ASIDE:
        if name in found.reached:
            aside[:size] |= found.reached[name]
    for name in ("goal_number", "goal_behind", "not_number", "not_done"):
        aside[:size] |= mine.reached[name]
    sentence = np.full(size + _PAD, NOTHING)
    sentence[:size] = found.segments["sentence"].of
    return _Scene(
        found, mine, padded(told.mark, 0),
        {
            "written": padded(told.written, 0),
            "padded": padded(told.padded, 0),
            "small": padded(told.small, 0),
            "letters": padded(found.learned.shapes["letters"], 0),
        },
        padded(told.value, np.nan), role, role_end, ends, aside, sentence, size,
    )  # fmt: skip


def _longest_first(start: Ints, end: Ints) -> Ints:
    """Return the reading order; where several begin with one word, the longest is the first."""
    if start.size and int((end - start).max()) < _LONG:
        return np.argsort(start * _LONG - (end - start), kind="stable")  # which is fast for runs that are in order
    return np.lexsort((-end, start))


Part = tuple[Any, Any, Any, Any]  # place in measures, value, first word, word after the last


def _help(found: Found) -> Part:
    """Return the levels of help, as they stand in the evidence."""
    starts, ends, values = [], [], []
    for level, name in enumerate(LEVELS):
        matches = found.matches[f"assist_{name}"]
        starts.append(matches.start)
        ends.append(matches.end)
        values.append(np.full(matches.start.size, float(level)))
    start = np.concatenate(starts)
    return np.zeros(start.size, np.int64), np.concatenate(values), start, np.concatenate(ends)


def _laddered(scene: _Scene, own: Vocabularies) -> list[Part]:
    """Return the steps that words name; of words that overlap on one ladder, the longer ones tell."""
    found = []
    for ladder in dict.fromkeys(place for _, place, _ in own.ladders):
        steps = [(scene.mine.everywhere[name], value) for name, place, value in own.ladders if place == ladder]
        start = np.concatenate([one.start for one, _ in steps])
        if not start.size:
            continue
        end = np.concatenate([one.end for one, _ in steps])
        value = np.repeat([value for _, value in steps], [one.start.size for one, _ in steps])
        order = _longest_first(start, end)
        start, end, value = start[order], end[order], value[order]
        keep = end > np.concatenate((np.zeros(1, np.int64), np.maximum.accumulate(end)[:-1]))
        keep &= ~scene.aside[start] | (scene.mark[start] == _NO)
        found.append((np.full(int(keep.sum()), ladder), value[keep], start[keep], end[keep]))
    return found


def _flags(found: Found, mine: Found) -> dict[str, Flags]:
    notes = found.words.first.size - 1
    told = {}
    for name, scopes in _FLAG_ASIDE.items():
        matches = mine.matches[name]
        for scope in scopes:
            matches = matches.where(~found.reached[scope][matches.start])
        told[name] = np.bincount(found.words.note[matches.start], minlength=notes) > 0
    return told


@dataclass(frozen=True)
class _Numbers:
    """The numbers of a batch; `of` is what they are out of (5/8, 5 of 8), nan where they stand alone."""

    start: Ints
    end: Ints
    value: Floats
    of: Floats
    slashed: Flags
    often: Flags  # once, twice

    def where(self, keep: Flags) -> _Numbers:
        return _Numbers(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


def _numbers(scene: _Scene, own: Vocabularies) -> _Numbers:
    """Join thirty five, one hundred twenty, 5/8, five out of the eight, 3-4; leave out dates and numbers in names."""
    words = scene.found.words
    # The last place stands for no role.
    amounts = np.array([*(name.startswith(_AMOUNTS) for name in own.roles), False])
    bouts = np.array([*(name in {"unit set", "unit trip"} for name in own.roles), False])
    at = np.flatnonzero(~np.isnan(scene.value[: scene.size]))
    value = scene.value[at].copy()
    start, end = at, at + 1
    written = scene.flags["written"][at]
    # hundred and tens take what follows at once
    for _ in range(2):
        if start.size < 2:
            break
        next_to = (start[1:] == end[:-1]) & written[1:] & written[:-1]
        tens = next_to & (value[:-1] >= 20) & (value[:-1] < 100) & (value[:-1] % 10 == 0) & (value[1:] < 10)
        times = next_to & (value[1:] == 100) & (value[:-1] < 10)
        plus = next_to & (value[:-1] >= 100) & (value[:-1] % 100 == 0) & (value[1:] < 100)
        joined = tens | times | plus
        if not joined.any():
            break
        first = np.flatnonzero(joined)
        first = first[np.append(True, np.diff(first) > 1)]
        value[first] = np.where(times[first], value[first] * 100, value[first] + value[first + 1])
        end = end.copy()
        end[first] = end[first + 1]
        keep = np.ones(start.size, np.bool_)
        keep[first + 1] = False
        start, end, value, written = start[keep], end[keep], value[keep], written[keep]
    if not start.size:
        empty = np.zeros(0, np.bool_)
        return _Numbers(start, end, value, value, empty, empty)
    mark, note = scene.mark, words.note
    following = np.append(start[1:], scene.size + _PAD)
    later = np.append(value[1:], np.nan)
    gap = following - end
    same = np.append(note[start[1:]] == note[start[:-1]], False)
    slash = same & (gap == 1) & (mark[end] == _SLASH)
    spoken = same & (
        ((gap == 1) & (mark[end] == _OF))
        | ((gap == 2) & (mark[end] == _OF) & (mark[end + 1] == _ARTICLE))
        | ((gap == 2) & (mark[end] == _OUT) & (mark[end + 1] == _OF))
        | ((gap == 3) & (mark[end] == _OUT) & (mark[end + 1] == _OF) & (mark[end + 2] == _ARTICLE))
    )
    # Two shoes of four; but not two sets of ten, nor two walks of eighty feet.
    behind = scene.role[np.append(end[1:], scene.size)]
    between = same & (gap == 2) & (mark[end + 1] == _OF) & ~scene.flags["small"][end]
    spoken |= between & ~amounts[scene.role[end]] & ~bouts[scene.role[end]] & ~amounts[behind]
    span = same & (gap == 1) & (mark[end] == _DASH) & (value <= later)
    of = np.where(slash | spoken, later, np.nan)
    taken = np.zeros(start.size, np.bool_)
    taken[1:] = (slash | spoken)[:-1]
    third = np.zeros(start.size, np.bool_)  # 3/4/26
    third[:-1] = slash[:-1] & slash[1:]
    third[1:] |= third[:-1]
    padded = np.append(scene.flags["padded"][start[1:]], False) | scene.flags["padded"][start]
    touching = np.zeros(start.size, np.bool_)
    inner = start > words.first[note[start]]
    before = start[inner] - 1
    touching[inner] = (
        scene.flags["letters"][before] & (words.end[before] == words.start[start[inner]]) & (mark[before] != _TIMES)
    )
    ends = np.where(slash | spoken, np.append(end[1:], 0), end)
    drop = taken | third | (slash & padded) | touching
    # of a range the middle counts; the first number stands for both
    for_both = span & ~slash & ~np.append(taken[1:], False)
    ratio_behind = np.append(slash[1:] | spoken[1:], False) & span
    value = np.where(for_both, (value + later) / 2, value)
    of = np.where(ratio_behind, np.append(of[1:], np.nan), of)
    ends = np.where(for_both, np.append(ends[1:], 0), ends)
    drop[1:] |= for_both[:-1]
    slash = slash | (ratio_behind & np.append(slash[1:], False))
    told = _Numbers(start, ends, value, of, slash, mark[start] == _OFTEN)
    return told.where(~drop)


def _near_before(matches: Matches, phrases: Segments, at: Ints, reach: int) -> tuple[Ints, Ints]:
    """Return the nearest match that ends before each word in its phrase, -1 where there is none, and the gap."""
    if not matches.start.size:
        return np.full(at.size, NOTHING), np.full(at.size, 99)
    row = np.searchsorted(matches.start, at) - 1
    held = np.maximum(row, 0)
    gap = at - matches.end[held]
    near = (row >= 0) & (gap >= 0) & (gap <= reach) & (phrases.of[matches.start[held]] == phrases.of[at])
    return np.where(near, held, NOTHING), np.where(near, gap, 99)


def _joined(scene: _Scene, own: Vocabularies, kinds: Sequence[str]) -> tuple[Matches, Ints]:
    """Return the places of these roles in reading order, with the roles; a word may have others besides."""
    parts = [scene.mine.everywhere[kind] for kind in kinds]
    start, end = np.concatenate([one.start for one in parts]), np.concatenate([one.end for one in parts])
    role = np.repeat([own.roles.index(kind) for kind in kinds], [one.start.size for one in parts])
    order = np.argsort(start, kind="stable")
    return Matches(start[order], end[order]), role[order]


def _numbered(scene: _Scene, own: Vocabularies) -> list[Part]:
    """Tell what each number measures; a later kind is looked for only where an earlier one did not fit."""
    numbers = _numbers(scene, own)
    numbers = numbers.where(~scene.aside[numbers.start] | (numbers.value == 0))
    if not numbers.start.size:
        return _none_of(scene, own)
    begin, end, value, of = numbers.start, numbers.end, numbers.value, numbers.of
    mark, words, phrases = scene.mark, scene.found.words, scene.found.segments["phrase"]
    place = {name: row for row, name in enumerate(own.measures)}
    roles = {name: row for row, name in enumerate(own.roles)}
    k = begin.size
    which = np.full(k, NOTHING)
    amount = value.copy()
    free = np.ones(k, np.bool_)  # not told yet
    extra: list[Part] = []

    def tell(fits: Flags, measure: Any, told: Any = None) -> None:
        fits = fits & free
        which[fits] = measure[fits] if isinstance(measure, np.ndarray) else measure
        if told is not None:
            amount[fits] = told[fits]
        free[fits] = False

    everywhere = scene.mine.everywhere

    def before(name: str, at: Ints) -> Ints:
        """Return how many words of a context begin before each word."""
        return np.searchsorted(everywhere[f"context {name}"].start, at)

    first = words.first[words.note[begin]]
    p_begin, p_end = phrases.begin(begin), phrases.end(begin)

    def near(name: str, ahead: int, behind: int, where: Flags) -> Flags:
        """Say of these numbers whether a word of a context begins within so many words, in the phrase."""
        found = np.zeros(k, np.bool_)
        at = np.flatnonzero(where & free)  # what is told already is not asked for
        if at.size and everywhere[f"context {name}"].start.size:
            since = np.maximum(p_begin.take(at), begin.take(at) - ahead)
            till = np.minimum(p_end.take(at), end.take(at) + behind)
            found[at] = before(name, till) > before(name, since)
        return found

    # The word behind the number, after a hyphen (4-step) or up to two other words (two log-roll cues).
    nxt = np.where((mark[end] == _DASH) & ~np.isnan(value), end + 1, end)
    nxt = np.where((scene.role[nxt] == NOTHING) & (mark[nxt] == _OF) & (mark[nxt + 1] == _ARTICLE), nxt + 2, nxt)
    inside = scene.sentence
    here = inside[begin]
    unit = np.where(inside[nxt] == here, scene.role[nxt], NOTHING)
    unit_end = np.where(unit != NOTHING, scene.role_end[nxt], end)
    thing, thing_end = unit.copy(), unit_end.copy()
    open_ = thing == NOTHING
    countable = np.array([name.startswith("thing") or name in _COUNTABLE for name in own.roles])
    step = nxt
    for _ in range(2):
        bare = scene.flags["letters"][step] & ~scene.flags["small"][step] & np.isnan(scene.value[step])
        open_ = open_ & bare & (inside[step + 1] == here)
        step = step + 1
        got = open_ & (scene.role[step] != NOTHING) & countable[scene.role[step]]
        thing = np.where(got, scene.role[step], thing)
        thing_end = np.where(got, scene.role_end[step], thing_end)
        open_ = open_ & ~got & (scene.role[step] == NOTHING)

    def is_unit(*names: str) -> Flags:
        table = np.zeros(len(roles) + 1, np.bool_)  # whose last place stands for no role
        table[[roles[name] for name in names]] = True
        return table[unit]

    alone = np.isnan(of)
    multiplied = np.zeros(k, np.bool_)
    inner = begin > first
    multiplied[inner] = mark[begin[inner] - 1] == _TIMES
    multiplier = (mark[end] == _TIMES) & (end < words.first[words.note[begin] + 1])
    free &= ~is_unit("unit none person", "unit none frequency")
    time = is_unit("unit none time")
    free &= ~time

    # Ratings: pain 3/10, RPE 5, 4 of 10 pain.
    scales, kinds = _joined(scene, own, [f"scale {name}" for name in own.scales])
    vital = roles["scale none vital"]
    row, gap = _near_before(scales, phrases, begin, 8)
    scale = np.where(row >= 0, kinds[np.maximum(row, 0)] if kinds.size else NOTHING, NOTHING)
    linked = before("links", begin) - before("links", begin - gap.clip(0, 8))
    free &= ~((scale == vital) & ((gap <= 1) | (linked >= gap)) & (unit != roles["unit weight"]))
    tens = ~alone & np.isin(of, (10, 100))
    rated = (scale >= 0) & (scale != vital) & (((gap <= 7) & (tens | (of == 20))) | (gap <= linked))
    dosed = (unit != NOTHING) | multiplied | multiplier
    exertion, test = roles["scale exertion"], [roles["scale test_more"], roles["scale test_less"]]
    limit = np.where(scale == exertion, 20, np.where(np.isin(scale, test), 400, 10))
    fits = rated & (value <= limit) & (~alone | ~dosed | np.isin(scale, test)) & ((of <= 100) | alone)
    fits &= alone | np.isin(of, (5, 10, 20, 100)) | np.isin(scale, test)
    fits &= ~((scale == roles["scale strength"]) & (of != 5) & ~alone)
    tell(fits, own.measure[np.maximum(scale, 0)])
    behind = np.where(tens & (inside[end] == here), scene.role[end], NOTHING)
    for gap_behind in (1, 2):
        further = np.where(inside[end + gap_behind] == here, scene.role[end + gap_behind], NOTHING)
        is_scale = np.isin(further, [roles[f"scale {name}"] for name in own.scales])
        behind = np.where((behind == NOTHING) & tens & is_scale, further, behind)
    is_scale = np.isin(behind, [roles[f"scale {name}"] for name in ("pain", "symptom", "exertion", "confidence")])
    tell(tens & is_scale, own.measure[np.maximum(behind, 0)])
    # n/10 of a part of the body, or told by the patient, is pain.
    uncounted = (thing == NOTHING) & tens & (of == 10)
    uncounted &= ~near("correct", 4, 3, uncounted) & ~near("of_cues", 6, 2, uncounted)
    tell(near("body", 3, 3, uncounted), place["pain"])

    # Cues, errors, rests: by the word behind, or before "x 4", "four times".
    counted_acts = [roles[f"unit {name}"] for name in _ACTS]
    acts, act_kinds = _joined(scene, own, [f"unit {name}" for name in (*_ACTS, "repetition")])
    late = near("after", 1, 0, free)
    share = ~alone & (of > 0) & (value <= of)
    cues_ahead = before("of_cues", begin) > before("of_cues", np.maximum(p_begin, begin - 4))
    counted = np.isin(thing, counted_acts)
    cue = roles["unit cue_count"]
    told_times = multiplied | multiplier | numbers.often | is_unit("unit times")
    row, gap = _near_before(acts, phrases, begin, 8)
    act = np.where(row >= 0, act_kinds[np.maximum(row, 0)] if act_kinds.size else NOTHING, NOTHING)
    of_act = alone & told_times & ~is_unit("unit repetition") & np.isin(act, counted_acts)
    of_act &= ~np.isin(unit, [roles[name] for name in ("unit minute", "unit second", "unit distance", "unit weight")])
    tell(counted & alone & ~late & ~is_unit("unit percent"), own.measure[np.maximum(thing, 0)])
    tell(of_act, own.measure[np.maximum(act, 0)])
    tell(near("help", 2, 0, alone & multiplied), NOTHING)
    tell(
        share & (scale != vital) & cues_ahead, place["cue_share"],
        value / np.where(share, of, 1),
    )  # fmt: skip
    percent = is_unit("unit percent")
    then = np.minimum(unit_end, scene.size)
    cue_percent = percent & (cues_ahead | ((scene.role[then] == cue) & (inside[then] == here)))
    tell(cue_percent & ~near("correct", 3, 4, cue_percent), place["cue_share"], value / 100)

    # Shares done right.
    dated = numbers.slashed & (thing == NOTHING)
    dated &= (near("no_ratio", 2, 0, dated) | (begin == first)) & ~near("correct", 0, 4, dated)
    dated |= numbers.slashed & (value >= 60) & (of >= 40)
    tell(share & dated, NOTHING)
    rating = np.zeros(words.first.size - 1, np.bool_)  # notes that rate anything
    rating[words.note[scales.start[kinds != vital]]] = True
    # n of 10 by itself may be pain, but for "of" in a note that rates nothing.
    tens_alone = tens & (of == 10) & (thing == NOTHING)
    tens_alone &= ~near("correct", 6, 4, tens_alone)
    tens_alone &= numbers.slashed | rating[words.note[begin]]
    right = share & free & ~tens_alone & (of > 1)
    extra.append((np.full(int(right.sum()), place["successes"]), value[right], begin[right], end[right]))
    tell(right, place["success_share"], value / np.where(share, of, 1))
    tell(~alone, NOTHING)
    correct = near("correct", 5, 5, percent)
    tell(correct & ~near("no_share", 2, 2, correct), place["success_share"], value / 100)
    tell(percent & ~near("no_share", 4, 3, percent) & (value <= 100), place["success_share"], value / 100)
    tell(percent, NOTHING)

    # What has a unit.
    scaled = value * own.factor[np.maximum(unit, 0)]
    weight = is_unit("unit weight", "unit weight kg", "unit weight oz")
    tell(near("grip", 6, 4, weight), place["grip"], scaled)
    tell(weight, place["weight"], scaled)
    apostrophe = is_unit("unit distance") & ~scene.flags["letters"][nxt]
    tell(apostrophe & ~near("gait", 8, 6, apostrophe), NOTHING)
    metre = is_unit("unit distance m") & (value < 2)
    tell(metre, NOTHING)
    tell(np.isin(unit, [row for name, row in roles.items() if name.startswith("unit distance")]), place["distance"],
         scaled)  # fmt: skip
    length = is_unit("unit length", "unit length cm")
    seat = near("seat", 8, 4, length)
    tell(seat & ~near("not_seat", 6, 3, seat), place["seat_height"], scaled)
    tell(length, place["height"], scaled)
    tell(near("lag", 5, 3, is_unit("unit angle")), place["lag"])
    tell(is_unit("unit angle"), place["angle"])
    tell(is_unit("unit speed"), place["speed"])
    second, minute = is_unit("unit second"), is_unit("unit minute")
    tell(near("taken", 3, 2, second), place["seconds_taken"])
    tell(near("hold", 6, 4, second), place["hold"])
    lone = (p_end - p_begin) <= (unit_end - begin + 2)
    timely = minute & (value < 60) & ~lone
    timely &= ~near("billed", 4, 4, timely)
    tell(near("taken", 2, 4, timely), place["time_taken"])
    tell(near("sustained", 2, 3, timely), place["endurance"])
    tell(second | minute, NOTHING)

    # Doses: sets x repetitions, eight times, x8.
    after_times = np.minimum(end + 1, scene.size + _PAD - 1)
    dose = multiplier & ~np.isnan(scene.value[after_times]) & (inside[after_times] == here)
    unit_behind = np.minimum(end + 2, scene.size + _PAD - 1)
    of_amount = np.isin(
        scene.role[unit_behind],
        [row for name, row in roles.items() if name.startswith((*_AMOUNTS, "unit stairs"))],
    )
    tell(dose & ~(of_amount & (inside[unit_behind] == here)), place["sets"])
    tell(dose, place["repetitions"])
    tell(multiplied & late, NOTHING)
    kept = thing != NOTHING
    tell(kept & ~late & countable[np.maximum(thing, 0)] & ~multiplied, own.measure[np.maximum(thing, 0)])
    tell(is_unit("unit set", "unit sequence_steps") & ~late, own.measure[np.maximum(unit, 0)])
    walked = np.where(begin > first, scene.ends[begin], NOTHING)  # 80 feet twice
    often = numbers.often & np.isin(walked, [row for name, row in roles.items() if name.startswith("unit distance")])
    tell((multiplied | multiplier | often) & (value <= 200), place["repetitions"])

    # one rail, two hands held: no more than two.
    capped = np.isin(which, [place["rails"], place["hand_support"]])
    amount = np.where(capped, np.minimum(amount, 2), amount)
    good = which != NOTHING
    till = np.where(unit != NOTHING, unit_end, np.where(thing != NOTHING, thing_end, end))
    till = np.where(alone, np.maximum(till, end), end)
    rows = (which[good], amount[good], begin[good], np.minimum(till[good], scene.size))
    return [rows, *extra, *_none_of(scene, own)]


def _none_of(scene: _Scene, own: Vocabularies) -> list[Part]:
    """Return the noughts that words tell: no cues, without rest."""
    places, which = _joined(scene, own, [f"unit {name}" for name in _ACTS])
    if not places.start.size:
        return []
    phrases = scene.found.segments["phrase"]
    first = phrases.begin(places.start)
    one, two = places.start - 1, places.start - 2
    denied = (one >= first) & (scene.mark[np.maximum(one, 0)] == _NO)
    denied |= (two >= first) & (scene.mark[np.maximum(two, 0)] == _NO) & scene.flags["letters"][np.maximum(one, 0)]
    return [(own.measure[which[denied]], np.zeros(int(denied.sum())), places.start[denied], places.end[denied])]
