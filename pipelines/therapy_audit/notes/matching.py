"""The lexicon's concepts found in a batch of notes: phrases by one trie over word numbers, then patterns and scopes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from therapy_audit.notes import cutting, english

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from therapy_audit.notes.cutting import Flags, Ints, Words
    from therapy_audit.notes.lexicon import Concept, Lexicon

    Literal = frozenset[tuple[str, ...]]
    Named = str | Literal
    Item = int | Named

_ABBREVIATIONS = frozenset((
    "lb", "lbs", "ft", "in", "min", "mins", "approx", "vs", "yr", "yrs", "mo", "mos", "wk", "wks", "dr", "mr",
    "mrs", "ms", "hr", "hrs", "sec", "secs", "no", "ext", "flex", "abd", "e", "i", "g", "etc", "rep", "reps",
    "deg", "incl", "bil", "cm", "mm", "oz", "st", "prof",
))  # fmt: skip
_TURNS = frozenset((
    "but", "however", "although", "though", "whereas", "except", "until",
))  # fmt: skip
_THERAPIST = "therapist"
_SAME = {"&": "and", "+": "and", "@": "at"}
_UNITS = ("to", "deg", "degrees", "x", "of", "out", "lb", "in", "min", "and")  # after a nought that is a number
_LONGEST_GAP = 99  # words between two items of a pattern, more than any pattern has
_CUED = ("vc", "vcs", "tc", "tcs", "cue", "cues", "cueing", "prompts")
_ORDINARY = "ordinary"  # the concept whose words are never taken for misspellings
_SHORTEST, _LONG = 6, 9  # letters of a word that can be a misspelling, and of one where any one letter may be wrong
_ODD = np.uint64(0x9E3779B97F4A7C15)
_SLOT_BITS = 18
_SLOT_SHIFT = np.uint64(64 - _SLOT_BITS)
_LENGTH_BITS = 10  # of a phrase's words
_LONGEST_PHRASE = 1 << _LENGTH_BITS
_PLACE_BITS = 36  # of a word's place in a batch
_PLACE = (1 << _PLACE_BITS) - 1
_ABBREVIATED, _STOP, _LINE, _END, _SEMICOLON, _HYPHEN, _COMMA, _TURN = (1 << bit for bit in range(8))
_MARKS = (
    (_ABBREVIATED, _ABBREVIATIONS), (_STOP, (".",)), (_LINE, ("\n",)), (_END, ("!", "?", "|")), (_SEMICOLON, (";",)),
    (_HYPHEN, ("-",)), (_COMMA, (",", ":", "(", ")")), (_TURN, _TURNS),
)  # fmt: skip
_LEVELS = ("phrase", "clause", "sentence", "section")


@dataclass(frozen=True)
class Matches:
    """Where a concept was found: first word and the word after the last, in reading order, none within another."""

    start: Ints
    end: Ints

    def where(self, keep: Flags) -> Matches:
        return Matches(self.start[keep], self.end[keep])


@dataclass
class Matcher:
    """A lexicon made ready: numbers for its words, the trie of its phrases. Keeps what it learns of unknown words."""

    lexicon: Lexicon
    numbers: dict[str, int] = field(default_factory=dict)
    trie: Trie = field(init=False)
    rows: dict[str, int] = field(init=False)  # of the trie's names
    marks: npt.NDArray[np.uint8] = field(init=False)  # by number: which of _MARKS it is among
    known: cutting.Vocabulary = field(default_factory=cutting.Vocabulary)
    meaning: Flags = field(init=False)  # by number: alone, not only in a phrase or a pattern, it is a concept's word
    learned: Learned = field(init=False)  # what is known of the vocabulary's words, as arrays
    meant: dict[str, int] = field(default_factory=dict)  # number by word, misspelled ones too
    parts: dict[frozenset[tuple[str, ...]], str] = field(default_factory=dict)  # literal items of patterns
    tables: dict[frozenset[tuple[str, ...]], Flags] = field(default_factory=dict)  # their single words
    correctable: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # by first and last letter

    def __post_init__(self) -> None:
        self.numbers = {"": 0, "#": 1}  # 0 is a word that the lexicon does not know
        entries: dict[str, frozenset[tuple[str, ...]]] = {}
        for concept in self.lexicon.concepts.values():
            entries[concept.name] = frozenset() if concept.name == _ORDINARY else concept.phrases
            for pattern in concept.patterns:
                for item in pattern:
                    if isinstance(item, frozenset):
                        self.parts.setdefault(item, f"literal {len(self.parts)}")
        entries |= {name: phrases for phrases, name in self.parts.items()}
        for word in (_THERAPIST, "pt", "zero", "lb", "in", *(word for _, texts in _MARKS for word in texts)):
            self._number(word)
        coded = {
            name: [tuple(self._number(word) for word in phrase) for phrase in phrases]
            for name, phrases in entries.items()
        }
        self.trie = _trie(coded, len(self.numbers))
        self.marks = np.zeros(len(self.numbers), np.uint8)
        for bit, texts in _MARKS:
            self.marks[[self.numbers[text] for text in texts]] |= bit
        self.rows = {name: row for row, name in enumerate(self.trie.names)}
        for item, name in self.parts.items():
            self.tables[item] = np.isin(np.arange(len(self.numbers)), self.trie.words_of(self.rows[name]))
        ordinary = self.lexicon.concepts.get(_ORDINARY)
        guarded = {phrase[0] for phrase in ordinary.phrases if len(phrase) == 1} if ordinary else set()
        self.meant = dict(self.numbers) | {word: 0 for word in guarded if word not in self.numbers}
        for word in sorted(self.numbers):
            if len(word) >= _SHORTEST - 1 and word.isalpha() and word not in guarded:
                self.correctable.setdefault((word[0], word[-1]), []).append(word)
        self.meaning = np.zeros(len(self.numbers), np.bool_)
        self.meaning[1] = True
        for concept in self.lexicon.concepts.values():
            self.meaning[[self.numbers[phrase[0]] for phrase in entries[concept.name] if len(phrase) == 1]] = True
        self.learned = _learned(self, [])

    def learn(self) -> Learned:
        """Return what is known of all words of the vocabulary, after a look at those that came since the last time."""
        if self.learned.number.size < len(self.known.texts):
            with self.known.lock:
                self.learned = self.learned.joined(_learned(self, self.known.texts[self.learned.number.size :]))
        return self.learned

    def _number(self, word: str) -> int:
        return self.numbers.setdefault(word, len(self.numbers))

    def number_of(self, word: str) -> int:
        """Return the number of a word, or of the only word of the lexicon that it can be a misspelling of, else 0."""
        found = self.meant.get(word)
        if found is None:
            found = 1 if word[0].isdigit() or word in english.NUMBERS else self._corrected(word)
            self.meant[word] = found
        return found

    def _corrected(self, word: str) -> int:
        if len(word) < _SHORTEST or not word.isalpha() or not word.isascii():
            return 0
        # A first letter is seldom wrong, and with another ending it is another word (reach and reached).
        near = self.correctable.get((word[0], word[-1]), ())
        allowed = 1 if len(word) < 2 * _SHORTEST else 2
        close = process.extract(word, near, scorer=OSA.distance, score_cutoff=allowed, limit=3, processor=None)
        for likely, distance, _ in close:
            # A wrong letter makes another real word of many a short one; a lost, doubled or turned one seldom does.
            turned = sorted(likely) == sorted(word)
            if (distance == 1 and len(likely) != len(word)) or turned or len(word) >= _LONG:
                return self.numbers[likely]
        return 0


@dataclass(frozen=True)
class Learned:
    """What is known of the words of a vocabulary: an entry per word."""

    number: Ints  # in the lexicon
    value: npt.NDArray[np.float64]  # nan where it is no number
    shapes: dict[str, Flags]

    def joined(self, more: Learned) -> Learned:
        return Learned(
            np.concatenate((self.number, more.number)),
            np.concatenate((self.value, more.value)),
            {name: np.concatenate((flags, more.shapes[name])) for name, flags in self.shapes.items()},
        )


_BETWEEN_TIMES = frozenset((
    "-", "to", "until", "till", "thru", "through", "out", "stop", "stopped", "stops", "end", "ended", "ends",
    "finish", "finished", "and", ",", ":", "/", ">", "time", "tm", ";", ".", "am", "pm", "a", "p", "hrs", "h",
    "min", "|", "=", "at", "\n",
))  # fmt: skip
_NO_TIME = frozenset((
    "lb", "lbs", "steps", "ft", "m", "cal", "mg", "ml", "kg", "g", "feet", "meters", "rpm", "watts", "psi",
    "mmhg", "hz", "#", "in", "cm",
))  # fmt: skip
_SHAPES: dict[str, Callable[[str], bool]] = {
    "letters": lambda word: word[0].isalpha(),
    "past": english.is_past,
    "ing": lambda word: len(word) > 4 and word.endswith("ing"),
    "long": lambda word: len(word) > 2,
    "nought": lambda word: word == "0",
    "pound": lambda word: word == "#",
    "inch": lambda word: word == '"',
    "pt": lambda word: word == "pt",
    "hour": lambda word: word.isdecimal() and len(word) <= 2 and int(word) < 24,
    "minute": lambda word: word.isdecimal() and len(word) == 2 and int(word) < 60,
    "military": lambda word: word.isdecimal() and len(word) in {3, 4} and int(word) % 100 < 60 and int(word) < 2400,
    "colon": lambda word: word == ":",
    "pm": lambda word: word in {"pm", "p"},
    "am": lambda word: word in {"am", "a"},
    "joins_times": lambda word: word in _BETWEEN_TIMES,
    "unit": lambda word: word in _NO_TIME,
}


def _learned(matcher: Matcher, words: Sequence[str]) -> Learned:
    return Learned(
        np.array([matcher.number_of(_SAME.get(word, word)) for word in words], np.int64),
        np.array([_value(word) for word in words], np.float64),
        {name: np.array([shape(word) for word in words], np.bool_) for name, shape in _SHAPES.items()},
    )


def _value(word: str) -> float:
    if word in english.NUMBERS:
        return english.NUMBERS[word]
    return float(word) if word[0].isdigit() and word.replace(".", "", 1).isdecimal() else np.nan


@dataclass(frozen=True)
class Trie:
    """Phrases as transitions between states: keys state * words + word, their next states, what ends there.

    Phrases of one word are told apart: they are most of what is found, and found without the trie.
    """

    words: int
    slots: npt.NDArray[np.int32]  # by the upper bits of a key times an odd number: the place of such a key, 0: none
    keys: Ints
    others: Ints  # by place of a key: the next one of its slot, 0: none
    following: Ints
    root: Ints  # next state by word, 0 where no phrase of several words begins with it
    singles: Ints  # the phrases of one word, name by name
    first: Ints  # by name, the first of its singles; one longer
    ends: Ints  # by state, the first of its rows in `concept`
    counts: Ints  # and how many they are
    concept: Ints  # its place among the names, shifted to the upper bits
    goes_on: Flags  # by state: a longer phrase begins with it
    names: tuple[str, ...]

    def words_of(self, row: int) -> Ints:
        """Return the phrases of one word of a name."""
        return self.singles[self.first[row] : self.first[row + 1]]


def _trie(entries: dict[str, list[tuple[int, ...]]], words: int) -> Trie:
    names = tuple(entries)
    states: dict[tuple[int, int], int] = {}
    outputs: dict[int, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        for phrase in entries[name]:
            if len(phrase) == 1:
                continue
            state = 0
            for word in phrase:
                state = states.setdefault((state, word), len(states) + 1)
            outputs[state].append(row)
    size = words
    singles = [sorted(phrase[0] for phrase in entries[name] if len(phrase) == 1) for name in names]
    # The first place stands for no key.
    keys = np.array([-1, *(state * size + word for state, word in states)], np.int64)
    slots, others = np.zeros(1 << _SLOT_BITS, np.int32), np.zeros(keys.size, np.int64)
    for place, slot in enumerate(_slots(keys[1:]).tolist(), 1):
        others[place], slots[slot] = slots[slot], place
    root = np.zeros(size, np.int64)
    for (state, word), following in states.items():
        if state == 0:
            root[word] = following
    counts = np.array([len(outputs.get(state, ())) for state in range(len(states) + 1)], np.int64)
    return Trie(
        words=size,
        slots=slots,
        keys=keys,
        others=others,
        following=np.array([0, *states.values()], np.int64),
        root=root,
        singles=np.array([word for words in singles for word in words], np.int64),
        first=np.cumsum([0, *(len(words) for words in singles)]),
        ends=np.cumsum(counts) - counts,
        counts=counts,
        concept=np.array([row for state in range(len(states) + 1) for row in outputs.get(state, ())], np.int64)
        << (_PLACE_BITS + _LENGTH_BITS),
        goes_on=np.isin(np.arange(len(states) + 1), [state for state, _ in states]),
        names=names,
    )


def _slots(keys: Ints) -> Ints:
    return ((keys.view(np.uint64) * _ODD) >> _SLOT_SHIFT).view(np.int64)


@dataclass(frozen=True)
class Found:
    """What was found in a batch: words, each level's segments, the concepts' matches and the reach of the scopes."""

    words: Words
    known: Sequence[str]  # the texts of the vocabulary's words
    learned: Learned
    numbers: Ints  # each word's number in the lexicon
    segments: dict[str, Segments]
    matches: dict[str, Matches]  # those not cancelled
    everywhere: dict[str, Matches]  # cancelled or not
    reached: dict[str, Flags]  # by scope: the words that it covers
    shapes: dict[str, Flags]  # by built-in concept


@dataclass(frozen=True)
class Segments:
    """A level's segments: each word's segment, and each segment's first word; the latter is one longer."""

    of: Ints
    first: Ints

    def begin(self, word: Ints) -> Ints:
        return self.first[self.of[word]]

    def end(self, word: Ints) -> Ints:
        return self.first[self.of[word] + 1]


def find(matcher: Matcher, data: npt.NDArray[np.uint8], offsets: Ints) -> Found:
    """Find every concept of the lexicon in the notes data[offsets[i]:offsets[i + 1]]."""
    return look(matcher, cutting.cut(data, offsets, matcher.known))


def look(
    matcher: Matcher, words: Words, learned: Learned | None = None, segments: dict[str, Segments] | None = None
) -> Found:
    """Find every concept of the lexicon in words of its vocabulary; what is known of them, and where they end."""
    learned = learned or matcher.learn()
    numbers, flags = _numbers(matcher, words, learned)
    segments = segments or _segments(matcher, words, numbers, learned)
    size = numbers.size
    openings = _openings(matcher, numbers, segments["sentence"])
    places = _Places(matcher, numbers, segments["sentence"], flags)
    everywhere = places.concepts
    everywhere["opening"] = Matches(openings, openings)  # no word, but the place before a sentence's first
    matches: dict[str, Matches] = {}
    reached: dict[str, Flags] = {}
    for concept in matcher.lexicon.concepts.values():
        parts = [places.phrases(concept.name)]
        parts += [places.in_order(pattern) for pattern in concept.patterns]
        whole = outermost(parts)
        for other in concept.unless_within:
            whole = whole.where(~inside(whole, places.concept(other)))
        everywhere[concept.name] = whole
        if concept.scope is not None:
            stops = [places.concept(name).start for name in concept.scope.ends_at]
            reached[concept.name] = _reach(concept, whole, segments, size, stops)
    for concept in matcher.lexicon.concepts.values():
        kept = everywhere[concept.name]
        for scope in concept.cancelled_by:
            if kept.start.size:
                kept = kept.where(~reached[scope][kept.start])
        matches[concept.name] = kept
    return Found(words, matcher.known.texts, learned, numbers, segments, matches, everywhere, reached, flags)


def _numbers(matcher: Matcher, words: Words, learned: Learned) -> tuple[Ints, dict[str, Flags]]:
    """Return each word's number in the lexicon, and where the words of each built-in shape are."""
    kind = words.kind
    numbers = learned.number.take(kind)
    shapes = learned.shapes
    letters = shapes["letters"].take(kind)
    flags = {
        "number": numbers == 1,
        "past": shapes["past"].take(kind),
        "ing": shapes["ing"].take(kind),
        "unknown": ~matcher.meaning.take(numbers) & letters & shapes["long"].take(kind),
        "word": letters,
    }
    same = words.note[1:] == words.note[:-1]  # what begins the next note says nothing of this one
    touching = same & (words.start[1:] == words.end[:-1])
    for mark, unit in (("pound", "lb"), ("inch", "in")):
        at = 1 + np.flatnonzero(shapes[mark].take(kind[1:]) & flags["number"][:-1] & touching)
        numbers[at] = matcher.numbers[unit]
    noughts = shapes["nought"].take(kind)
    nought = np.flatnonzero(noughts[:-1] & letters[1:] & same)  # 0 cues is none, but 0 to 90 is a range
    numbers[nought[~np.isin(numbers[nought + 1], [matcher.numbers.get(unit, -1) for unit in _UNITS])]] = (
        matcher.numbers["zero"]
    )
    nought = np.flatnonzero(noughts[1:]) + 1  # and so is it behind them: VC 0%, cues: 0
    cued = np.array([matcher.numbers.get(word, -1) for word in _CUED])
    near = np.isin(numbers[nought - 1], cued)
    near &= words.note[nought - 1] == words.note[nought]
    two = np.maximum(nought - 2, 0)
    apart = np.isin(numbers[two], cued) & (numbers[nought - 1] == matcher.numbers[":"])
    near |= apart & (words.note[two] == words.note[nought])
    numbers[nought[near]] = matcher.numbers["zero"]
    at = np.flatnonzero(shapes["pt"].take(kind) & words.upper)
    if at.size:
        # PT is the therapist and pt the patient, but in a note all in capitals nobody can tell.
        notes = words.first.size - 1
        shouting = np.bincount(words.note, words.upper, notes) > 0.5 * np.bincount(words.note, letters, notes)
        numbers[at[~shouting[words.note[at]]]] = matcher.numbers[_THERAPIST]
    return numbers, flags


def _segments(matcher: Matcher, words: Words, numbers: Ints, learned: Learned) -> dict[str, Segments]:
    size = numbers.size
    marks = matcher.marks.take(numbers)
    fresh = np.zeros(size, np.bool_)
    fresh[words.first[:-1][words.first[:-1] < size]] = True
    capital = np.ones(size, np.bool_)
    capital[:-1] = words.initial[1:]
    small = np.zeros(size, np.bool_)
    small[:-1] = learned.shapes["letters"].take(words.kind[1:]) & ~words.initial[1:]
    abbreviation = np.zeros(size, np.bool_)
    abbreviation[1:] = (marks[:-1] & _ABBREVIATED) != 0
    full_stop = ((marks & _STOP) != 0) & (words.spaced | capital) & ~(abbreviation & small)
    line = (marks & _LINE) != 0
    ends = full_stop | line | ((marks & _END) != 0)
    apart = np.zeros(size, np.bool_)
    apart[1:] = words.spaced[:-1]
    ends_clause = ends | ((marks & _SEMICOLON) != 0) | (((marks & _HYPHEN) != 0) & words.spaced & apart)
    halts = {
        "sentence": ends,
        "clause": ends_clause,
        "phrase": ends_clause | ((marks & _COMMA) != 0),
        "section": line,
    }
    turns = (marks & _TURN) != 0
    found = {}
    for level in _LEVELS:
        begins = fresh.copy()
        begins[1:] |= halts[level][:-1]
        if level in {"phrase", "clause"}:
            begins |= turns
        of = np.cumsum(begins, dtype=np.int64)
        of -= 1
        found[level] = Segments(of, np.append(np.flatnonzero(begins), size))
    return found


def _openings(matcher: Matcher, numbers: Ints, sentences: Segments) -> Ints:
    """Return where a sentence begins, and where it goes on behind a heading of one word ("A: toward doing laundry")."""
    first = sentences.first[:-1]
    colon = first[first + 2 < numbers.size]
    colon = colon[numbers[colon + 1] == matcher.numbers[":"]] + 2
    found = np.concatenate((first, colon[sentences.of[colon] == sentences.of[colon - 2]]))
    found.sort(kind="stable")  # which is fast for two that are in order
    return found


def _phrases(trie: Trie, numbers: Ints, sentences: Segments) -> tuple[Ints, Ints]:
    """Follow the trie from every word at once, one word further each round, and note which phrases end.

    Returns phrases of several words, each its first word and its length packed, by name and in reading order, and the
    bounds of the names. None lies within another of its name.
    """
    state = trie.root.take(numbers)
    over = np.zeros(numbers.size + 1, np.bool_)  # words that begin a sentence, and what is behind the last one
    over[sentences.first] = True
    begin = np.flatnonzero((state != 0) & ~over[1:])
    last, state = begin, state.take(begin)
    packed = [np.zeros(0, np.int64)]  # concept, first word and length in one number
    while begin.size:
        last = last + 1
        keys = state * trie.words + numbers.take(last)
        at = trie.slots.take(_slots(keys))
        may = np.flatnonzero(at != 0)
        begin, last, keys, at = begin.take(may), last.take(may), keys.take(may), at.take(may)
        other = np.flatnonzero(trie.keys.take(at) != keys)
        while other.size:
            at[other] = trie.others.take(at.take(other))
            other = other[trie.keys.take(at.take(other)) != keys.take(other)]
            other = other[at.take(other) != 0]
        goes = np.flatnonzero(at != 0)
        begin, last, state = begin.take(goes), last.take(goes), trie.following.take(at.take(goes))
        counts = trie.counts.take(state)
        hit = np.flatnonzero(counts != 0)
        if hit.size:
            times, ended = counts.take(hit), state.take(hit)
            first = np.cumsum(times) - times
            rows = np.repeat(trie.ends.take(ended) - first, times) + np.arange(int(times.sum()))
            place = (begin.take(hit) << _LENGTH_BITS) + (_LONGEST_PHRASE - 1) - (last.take(hit) - begin.take(hit))
            packed.append(trie.concept.take(rows) + np.repeat(place, times))
        more = np.flatnonzero(trie.goes_on.take(state) & ~over.take(last + 1))
        begin, last, state = begin.take(more), last.take(more), state.take(more)
    found = np.concatenate(packed)
    # Numbers so short are sorted without comparing them, and what is then nearly in order takes little more.
    found = found[np.argsort((found >> (_PLACE_BITS + _LENGTH_BITS)).astype(np.uint16), kind="stable")]
    found.sort(kind="stable")
    place = found >> _LENGTH_BITS  # concept and first word
    end = place + _LONGEST_PHRASE - (found & (_LONGEST_PHRASE - 1))
    keep = np.ones(end.size, np.bool_)  # what does not lie within an earlier one of its concept
    keep[1:] = end[1:] > np.maximum.accumulate(end)[:-1]
    found = found[keep]
    names = np.arange(len(trie.names) + 1) << (_PLACE_BITS + _LENGTH_BITS)
    return found & ((1 << (_PLACE_BITS + _LENGTH_BITS)) - 1), np.searchsorted(found, names)


class _Places:
    """Where the words and phrases of a batch are, each looked up when it is asked for; concepts as they are found."""

    def __init__(self, matcher: Matcher, numbers: Ints, sentences: Segments, flags: Mapping[str, Flags]) -> None:
        self.matcher, self.numbers, self.sentences = matcher, numbers, sentences
        self.concepts: dict[str, Matches] = {}
        self.literals: dict[str, Matches] = {}
        # A pattern may look beyond the last word.
        self.padded = np.append(numbers, np.zeros(_LONGEST_GAP + 1, np.int64))
        self.flags = flags
        self.shapes: dict[str, Flags] = {}
        self.longer, bounds = _phrases(matcher.trie, numbers, sentences)
        self.bounds: list[int] = bounds.tolist()
        # Numbers so short are sorted without comparing them.
        words = len(matcher.numbers)
        self.order = np.argsort(numbers.astype(np.min_scalar_type(words)), kind="stable")
        self.counts = np.bincount(numbers, minlength=words)
        self.firsts = np.cumsum(self.counts) - self.counts
        before = np.append(0, np.cumsum(self.counts.take(matcher.trie.singles))).take(matcher.trie.first)
        self.sizes: list[int] = np.diff(before).tolist()  # how many phrases of one word there are, by name

    def concept(self, name: str) -> Matches:
        """Return where a concept was found that stands before those looked for now, or a built-in one."""
        if name not in self.concepts:
            at = np.flatnonzero(self.flags[name])
            self.concepts[name] = Matches(at, at + 1)
        return self.concepts[name]

    def phrases(self, name: str) -> Matches:
        """Return where the phrases of a name are, of one word and of several."""
        row = self.matcher.rows[name]
        at, longer = self._single(row), self._longer(row)
        if not longer.size:
            return Matches(at, at + 1) if at.size else _NONE
        packed = np.concatenate(((at << _LENGTH_BITS) + (_LONGEST_PHRASE - 1), longer))
        packed.sort(kind="stable")
        return _apart(*_unpacked(packed))

    def literal(self, item: Literal) -> Matches:
        name = self.matcher.parts[item]
        if name not in self.literals:
            self.literals[name] = self.phrases(name)
        return self.literals[name]

    def in_order(self, pattern: Sequence[Item]) -> Matches:
        """Match items in order within a sentence, the words between two no more than the gaps that stand there."""
        first = pattern[0]
        if isinstance(first, int):
            raise TypeError
        if not all(isinstance(item, int) or self._count(item) for item in pattern):
            return _NONE
        found = self.concept(first) if isinstance(first, str) else self.literal(first)
        start, end, gap = found.start, found.end, 0
        of = self.sentences.of
        for item in pattern[1:]:
            if isinstance(item, int):
                gap += item
                continue
            if start is found.start and start.size > _MANY * self._count(item):  # later ends may be out of order
                near_by = self._before(item, end, gap)
                start, end = start.take(near_by), end.take(near_by)
            begin, finish = self._next(item, end, gap)
            kept = np.flatnonzero(begin >= 0)
            begin = begin.take(kept)
            start, finish = start.take(kept), finish.take(kept)
            kept = np.flatnonzero(of.take(np.minimum(begin, of.size - 1)) == of.take(start))
            start, end, gap = start.take(kept), finish.take(kept), 0
            if not start.size:
                break
        return Matches(start, end)

    def _next(self, item: Named, end: Ints, gap: int) -> tuple[Ints, Ints]:
        """Return where the nearest match of an item begins and ends that is no more than a gap behind; -1: none is."""
        begin, finish = np.full(end.size, -1), np.full(end.size, -1)
        found, single = self._known(item)
        if found.start.size:
            at = np.searchsorted(found.start, end)
            at[at == found.start.size] = 0  # which begins before them
            opens = found.start.take(at)
            near = np.flatnonzero((opens >= end) & (opens <= end + gap))
            begin[near], finish[near] = opens.take(near), found.end.take(at.take(near))
        if single is None:
            return begin, finish
        for step in range(gap, -1, -1):  # so that the nearest stays
            at = end + step
            hit = np.flatnonzero(single(at))
            at, held = at.take(hit), begin.take(hit)
            fresh = (held < 0) | (at < held)
            hit, at = hit[fresh], at[fresh]
            begin[hit] = at
            finish[hit] = at + 1
        return begin, finish

    def _known(self, item: Named) -> tuple[Matches, Callable[[Ints], Flags] | None]:
        """Return where an item was found, and what tells of other words whether they are such a match by themselves."""
        if not isinstance(item, str):
            table = self.matcher.tables[item]
            longer = self._longer(self.matcher.rows[self.matcher.parts[item]])
            return Matches(*_unpacked(longer)), lambda words: table.take(self.padded.take(words))
        if item not in self.flags:
            return self.concept(item), None
        if item not in self.shapes:
            self.shapes[item] = np.append(self.flags[item], np.zeros(_LONGEST_GAP + 1, np.bool_))
        return _NONE, self.shapes[item].take

    def _before(self, item: Named, end: Ints, gap: int) -> Ints:
        """Return which of the ends have a match of an item no more than a gap behind them."""
        found = self.concept(item) if isinstance(item, str) else self.literal(item)
        since = np.searchsorted(end, found.start - gap)
        return words_of(_up(since, np.searchsorted(end, found.start, "right")))

    def _count(self, item: Named) -> int:
        """Return about how often an item was found."""
        if isinstance(item, str):
            if item in self.flags:
                return self.numbers.size
            return int(self.concepts[item].start.size)
        row = self.matcher.rows[self.matcher.parts[item]]
        return self.sizes[row] + self.bounds[row + 1] - self.bounds[row]

    def _single(self, row: int) -> Ints:
        size, words = self.sizes[row], self.matcher.trie.words_of(row)
        if not size:
            return _NONE.start
        if size > _SHARE * self.numbers.size:
            table = np.zeros(self.counts.size, np.bool_)
            table[words] = True
            return np.flatnonzero(table.take(self.numbers))
        counts, firsts = self.counts.take(words), self.firsts.take(words)
        if words.size == 1:
            return self.order[int(firsts[0]) : int(firsts[0]) + size]
        at = self.order.take(np.repeat(firsts - np.cumsum(counts) + counts, counts) + np.arange(size))
        at.sort(kind="stable")
        return at

    def _longer(self, row: int) -> Ints:
        return self.longer[self.bounds[row] : self.bounds[row + 1]]


_NONE = Matches(np.zeros(0, np.int64), np.zeros(0, np.int64))
_MANY = 8  # times as many matches of an item as of the one behind it: the latter tells which to look at
_SHARE = 0.05  # of all words: so many are found faster by a look at each


def _unpacked(packed: Ints) -> tuple[Ints, Ints]:
    start = packed >> _LENGTH_BITS
    return start, start + _LONGEST_PHRASE - (packed & (_LONGEST_PHRASE - 1))


def _apart(start: Ints, end: Ints) -> Matches:
    """Leave out what lies within an earlier one."""
    if (end[1:] > end[:-1]).all():
        return Matches(start, end)
    keep = np.ones(end.size, np.bool_)
    keep[1:] = end[1:] > np.maximum.accumulate(end)[:-1]
    return Matches(start[keep], end[keep])


def outermost(parts: list[Matches]) -> Matches:
    """Join matches in reading order, without those that lie within another."""
    filled = [part for part in parts if part.start.size]
    if len(filled) < 2:
        return filled[0] if filled else parts[0]
    return _outer(np.concatenate([part.start for part in filled]), np.concatenate([part.end for part in filled]))


def _outer(start: Ints, end: Ints) -> Matches:
    if start.size < 2:
        return Matches(start, end)
    order = np.argsort((start << 10) - (end - start), kind="stable")  # which is fast for runs that are in order
    start, end = start[order], end[order]
    return _apart(start, end)


def inside(these: Matches, others: Matches) -> Flags:
    """Say which of these overlap one of the others (both in reading order, none within another of its kind)."""
    if _MANY * others.start.size < these.start.size:
        found = np.zeros(these.start.size, np.bool_)
        since = np.searchsorted(these.end, others.start, "right")
        found[words_of(_up(since, np.searchsorted(these.start, others.end)))] = True
        return found
    at = np.searchsorted(others.start, these.end) - 1
    return (at >= 0) & (others.end[np.maximum(at, 0)] > these.start)


def _up(since: Ints, till: Ints) -> Matches:
    """Return spans, whose begins and ends never fall, without what they have in common with the one before."""
    since[1:] = np.maximum(since[1:], till[:-1])
    return Matches(since, np.maximum(till, since))


def words_of(matches: Matches) -> Ints:
    """Return the places of all words of matches, a word that two hold twice."""
    lengths = matches.end - matches.start
    before = np.cumsum(lengths)
    return np.repeat(matches.end - before, lengths) + np.arange(int(before[-1]) if before.size else 0)


def _reach(
    concept: Concept, whole: Matches, segments: dict[str, Segments], size: int, stops: Sequence[Ints] = ()
) -> Flags:
    """Mark the words that a scope covers; its own words are covered too."""
    scope = concept.scope
    if scope is None or not whole.start.size:
        return np.zeros(size, np.bool_)
    level = segments["section" if scope.reach == "section" else scope.until]
    begin = whole.start if scope.reach in {"forward", "section"} else level.begin(whole.start)
    end = whole.end if scope.reach == "backward" else level.end(whole.end - 1)
    if scope.words:
        begin = np.maximum(begin, whole.start - scope.words)
        end = np.minimum(end, whole.end + scope.words)
    for stop in stops:
        if stop.size:
            at = np.searchsorted(stop, whole.end)
            end = np.where(at < stop.size, np.minimum(end, stop[np.minimum(at, stop.size - 1)]), end)
    # Both ends never fall from one to the next, so that reaches which overlap are neighbours, and become one.
    apart = np.ones(begin.size, np.bool_)
    apart[1:] = begin[1:] > end[:-1]
    begin, end = begin[apart], end[np.append(apart[1:], True)]
    covered = np.zeros(size, np.bool_)
    covered[words_of(Matches(begin, end))] = True
    return covered
