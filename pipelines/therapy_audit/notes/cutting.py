"""Notes cut into words and segments, many at once: byte arrays in, arrays of word numbers and positions out.

Everything here works on a batch's UTF-8 bytes with numpy; Python sees only each distinct word, once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]
    Bytes = npt.NDArray[np.uint8]

_SPACE, _LETTER, _DIGIT, _NEWLINE, _MARK = range(5)
_CLASS = np.full(256, _MARK, np.uint8)
_CLASS[[0, 9, 11, 12, 13, 32]] = _SPACE
_CLASS[10] = _NEWLINE
_CLASS[48:58] = _DIGIT
_CLASS[65:91] = _CLASS[97:123] = _LETTER
_CLASS[128:] = _LETTER
_A, _LETTERS = np.uint8(ord("A")), np.uint8(26)
_EIGHT = 8
_MASKS = np.array([(1 << 8 * length) - 1 for length in range(_EIGHT + 1)], np.uint64)
_LONGEST = 5 * _EIGHT  # bytes of a word that tell it from others; the rest of a longer one is not looked at
_ODD = np.uint64(0x9E3779B97F4A7C15)
_DRIFT = np.uint64(29)
_TYPOGRAPHIC = {  # the last two of three bytes that all begin with E2
    (0x80, 0x98): b"'", (0x80, 0x99): b"'", (0x80, 0x9C): b'"', (0x80, 0x9D): b'"', (0x80, 0x93): b"-",
    (0x80, 0x94): b"-", (0x80, 0x90): b"-", (0x80, 0x91): b"-", (0x88, 0x92): b"-", (0x80, 0xA2): b"\n",
    (0x86, 0x92): b">", (0x80, 0xB2): b"'", (0x80, 0xB3): b'"', (0x80, 0xA6): b".",
}  # fmt: skip
_LATIN = {(0xC2, 0xA0): b" ", (0xC2, 0xB0): b" ", (0xC3, 0x97): b"x", (0xC2, 0xB7): b"\n"}


_SLOT_BITS = 16
_SLOT_SHIFT = np.uint64(64 - _SLOT_BITS)


@dataclass
class Vocabulary:
    """All words seen so far, each once, with its number of this vocabulary by its hash; safe to share among threads.

    Most words are looked up at once: `slots` holds the hash and the number (-1: none) of the first word that came to
    each slot, and is replaced, never changed. A word whose slot is another's is found in `number`.
    """

    number: dict[int, int] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    slots: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]] = field(
        default_factory=lambda: (np.zeros(1 << _SLOT_BITS, np.uint64), np.full(1 << _SLOT_BITS, -1, np.int32))
    )

    def numbers(self, hashes: npt.NDArray[np.uint64], text: Callable[[int], str]) -> Ints:
        """Return the words' numbers; `text` tells a word's letters by its place among the hashes."""
        held, numbers = self.slots
        slot = (hashes >> _SLOT_SHIFT).view(np.int64)
        found = numbers.take(slot).astype(np.int64)
        others = np.flatnonzero((held.take(slot) != hashes) | (found < 0))
        if others.size:
            encoded = pa.array(hashes.take(others)).dictionary_encode()
            rows = encoded.indices.to_numpy(zero_copy_only=False)
            where = np.zeros(len(encoded.dictionary), np.int64)
            where[rows[::-1]] = others[::-1]  # so that the first place stays
            found[others] = np.array(self._learned(encoded.dictionary.to_pylist(), where, text), np.int64)[rows]
        return found

    def _learned(self, hashes: list[int], where: Ints, text: Callable[[int], str]) -> list[int]:
        """Return the numbers of distinct words, and take in those that are new."""
        known = self.number
        found = [known.get(one, -1) for one in hashes]
        if -1 not in found:
            return found
        with self.lock:
            new = []
            for place, one in enumerate(hashes):
                if found[place] < 0 and one not in known:
                    self.texts.append(text(int(where[place])))
                    known[one] = len(self.texts) - 1
                    new.append(place)
                found[place] = known[one]
            held, numbers = self.slots[0].copy(), self.slots[1].copy()
            for place in new:
                slot = hashes[place] >> (64 - _SLOT_BITS)
                if numbers[slot] < 0:
                    held[slot], numbers[slot] = hashes[place], found[place]
            self.slots = held, numbers
        return found


@dataclass(frozen=True)
class Words:
    """The words of a batch. All arrays are as long as there are words, in reading order, but for `first`.

    Words are runs of letters or of digits (one decimal point within), each mark of punctuation, and line breaks.
    """

    start: Ints  # byte in the batch
    end: Ints
    note: Ints  # which note of the batch
    kind: Ints  # number in the vocabulary
    upper: Flags  # the word has a capital as its second letter
    initial: Flags  # the word begins with a capital
    spaced: Flags  # white space or the note's end follows
    first: Ints  # each note's first word; one longer than there are notes


def cut(data: Bytes, offsets: Ints, known: Vocabulary) -> Words:
    """Cut the notes data[offsets[i]:offsets[i + 1]] into words; new ones are added to the vocabulary."""
    plain = _plain(data)
    size = plain.size
    capital = (plain - _A) < _LETTERS
    lower = np.zeros(size + _LONGEST + _EIGHT, np.uint8)  # room for what is looked at behind the last word
    np.add(plain, capital.view(np.uint8) << 5, out=lower[:size])
    kind = _classes(plain, lower[:size])
    if size > 2:
        before, middle, after = kind[:-2], kind[1:-1], kind[2:]
        point = (plain[1:-1] == ord(".")) & (before == _DIGIT) & (after == _DIGIT)
        joint = ((plain[1:-1] == ord("-")) | (plain[1:-1] == ord("'"))) & (before == _LETTER) & (after == _LETTER)
        # What stands before a note or behind it is another note's.
        edge = offsets[1:-1]
        for at in (edge - 2, edge - 1):
            inner = at[(at >= 0) & (at < point.size)]
            point[inner], joint[inner] = False, False
        middle[point] = _DIGIT
        middle[joint] = _SPACE
    begins = np.ones(size, np.bool_)
    begins[1:] = (kind[1:] != kind[:-1]) | (kind[1:] >= _NEWLINE)
    begins[offsets[:-1][offsets[:-1] < size]] = True
    run = np.flatnonzero(begins)
    keep = np.flatnonzero(kind.take(run) != _SPACE)
    start, end = run.take(keep), np.append(run[1:], size)[: run.size].take(keep)
    folded = _wrapped_lines(plain, start, offsets)
    if folded.size:
        start, end = np.delete(start, folded), np.delete(end, folded)
    length = end - start

    def text(word: int) -> str:
        return lower[start[word] : end[word]].tobytes().decode("utf-8", "replace")

    numbers = known.numbers(_hashes(lower, start, length), text)
    first = np.searchsorted(start, offsets)
    note = np.repeat(np.arange(offsets.size - 1), np.diff(first))
    behind = lower.take(end)
    spaced = (behind == 32) | (behind == 10) | (behind == 13) | (behind == 9) | (end >= offsets[1:].take(note))
    initial = capital.take(start)
    upper = capital.take(start + 1, mode="clip") & (length > 1)
    if plain is not data:
        # A typographic mark is one of its bytes; where it stands begins and ends with the whole character.
        within = np.append((data & 0xC0) == 0x80, False)
        for _ in range(2):
            start, end = start - within[start], end + within[end]
    return Words(
        start=start,
        end=end,
        note=note,
        kind=numbers,
        upper=upper,
        initial=initial,
        spaced=spaced,
        first=first,
    )


def _hashes(lower: Bytes, start: Ints, length: Ints) -> npt.NDArray[np.uint64]:
    """Return a number for each word's letters, from eight bytes at a time; `lower` has room after its last word."""
    windows = np.ndarray((lower.size - _EIGHT + 1,), np.dtype("<u8"), lower.data, strides=(1,))
    found = (windows[start] & _MASKS.take(length, mode="clip")) * _ODD
    found ^= found >> _DRIFT
    for begin in range(_EIGHT, _LONGEST, _EIGHT):
        longer = np.flatnonzero(length > begin)
        if not longer.size:
            break
        part = windows[start[longer] + begin] & _MASKS.take(length[longer] - begin, mode="clip")
        mixed = (found[longer] ^ part) * _ODD
        found[longer] = mixed ^ (mixed >> _DRIFT)
    return found


def _classes(plain: Bytes, lower: Bytes) -> Bytes:
    """Return each byte's _CLASS: to reckon with all bytes at once is faster than to look each one up."""
    kind = np.full(plain.size, _MARK, np.uint8)
    letter = ((lower - np.uint8(ord("a"))) < _LETTERS) | (plain >= 128)
    kind -= letter.view(np.uint8) * np.uint8(_MARK - _LETTER)
    kind -= ((plain - np.uint8(ord("0"))) < 10).view(np.uint8) * np.uint8(_MARK - _DIGIT)
    line = plain == 10
    kind -= line.view(np.uint8)
    blank = (plain == 32) | (plain == 0) | (((plain - np.uint8(9)) < 5) & ~line)
    kind -= blank.view(np.uint8) * np.uint8(_MARK - _SPACE)
    return kind


def _wrapped_lines(plain: Bytes, start: Ints, offsets: Ints) -> Ints:
    """Say which words are line breaks within a sentence: a small letter follows, no stop, colon or break precedes."""
    lines = np.flatnonzero(plain.take(start) == 10)
    lines = lines[(lines > 0) & (lines + 1 < start.size)]
    following, before = plain[start[lines + 1]], plain[start[lines - 1]]
    within = np.searchsorted(offsets, start[lines - 1], "right") == np.searchsorted(offsets, start[lines + 1], "right")
    small = (following >= 97) & (following <= 122)
    within &= small & ~np.isin(before, (10, 46, 58, 59, 33, 63, 124))
    found: Ints = lines[within]
    return found


def _plain(data: Bytes) -> Bytes:
    """Return the bytes with typographic marks as ASCII of the same length, so that positions stay."""
    lead = np.flatnonzero(data >= 0xC2)
    if not lead.size:
        return data
    plain = data.copy()
    three = lead[(data[lead] == 0xE2) & (lead + 2 < data.size)]
    for (one, two), mark in _TYPOGRAPHIC.items():
        at = three[(data[three + 1] == one) & (data[three + 2] == two)]
        if mark == b"'":
            # Only the last byte stands for the mark; the two before it join the word, else "didn't" would fall apart.
            plain[at + 2] = ord("'")
            inside = at[(at > 0) & (at + 3 < data.size)]
            both = inside[(_CLASS[data[inside - 1]] == _LETTER) & (_CLASS[data[inside + 3]] == _LETTER)]
            plain[at], plain[at + 1] = 32, 32
            plain[both + 2] = 32
        else:
            plain[at], plain[at + 1], plain[at + 2] = mark[0], 32, 32
    two_bytes = lead[(lead + 1 < data.size)]
    for (one, two), mark in _LATIN.items():
        at = two_bytes[(data[two_bytes] == one) & (data[two_bytes + 1] == two)]
        plain[at], plain[at + 1] = mark[0], 32
    return plain


def characters(data: Bytes, offsets: Ints) -> Callable[[Ints, Ints], Ints]:
    """Return what turns byte positions into character positions within their notes."""
    inside = (data & 0xC0) == 0x80
    if not inside.any():
        return lambda position, note: position - offsets[note]
    count = np.concatenate((np.zeros(1, np.int64), np.cumsum(~inside)))
    return lambda position, note: count[position] - count[offsets[note]]
