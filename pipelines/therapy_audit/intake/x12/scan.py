"""Bytes to segments: delimiters from the ISA, whole buffers searched at once, no Python step per segment."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cache, cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

Ints = npt.NDArray[np.integer]
Flags = npt.NDArray[np.bool_]
Small = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

_ISA_REACH = 300  # bytes within which an ISA, wrapped or not, must end
PAD = b" " * 8  # so that eight bytes can be loaded from any place
_ISA = re.compile(b"ISA")  # searches twice as fast as bytes.find
_BLANKS = b" \t\r\n\x00\x1a\x0b\x0c"


class Kind(IntEnum):
    """The segments that are read. Every other one is only counted."""

    OTHER = 0
    ISA = 1
    GS = 2
    ST = 3
    SE = 4
    GE = 5
    IEA = 6
    HL = 7
    NM1 = 8
    SBR = 9
    PAT = 10
    DMG = 11
    CLM = 12
    DTP = 13
    REF = 14
    HI = 15
    LX = 16
    SV1 = 17
    SVD = 18
    BPR = 19
    TRN = 20
    DTM = 21
    N1 = 22
    TS3 = 23
    TS2 = 24
    CLP = 25
    CAS = 26
    MIA = 27
    MOA = 28
    AMT = 29
    SVC = 30
    LQ = 31
    PLB = 32
    BHT = 33
    PRV = 34


ENVELOPE_LAST = int(Kind.IEA)


@dataclass(frozen=True)
class Delimiters:
    """One byte each, as the ISA states them; repetition is empty where the ISA names none."""

    element: bytes
    component: bytes
    repetition: bytes
    terminator: bytes


@dataclass(frozen=True)
class Segments:
    """Segments of one buffer. seps[first] is the terminator before a segment, seps[last] its own.

    Element k lies between seps[first + k] and seps[first + k + 1]. The segments before `new` are context repeated
    from an earlier buffer.
    """

    text: bytes
    letters: Small
    words: Words  # the eight bytes from each place on, little end first
    delimiters: Delimiters
    seps: Ints
    first: Ints
    last: Ints
    kind: Small
    number: Ints  # 1 is the file's first segment
    new: int
    components: Ints  # every component separator's place
    padded: bool  # whether any element or component begins or ends with a space
    _bounds: dict[int, tuple[Ints, Ints, Ints]] = field(default_factory=dict)
    _grids: dict[int, Ints] = field(default_factory=dict)
    _rows: dict[Kind, Ints] = field(default_factory=dict)
    memory: dict[tuple[int, int], Any] = field(default_factory=dict)  # numbers read, by (id of rows, element)

    def __len__(self) -> int:
        """How many segments."""
        return len(self.kind)

    def chosen(self, rows: Ints, new: int) -> Segments:
        """Return these segments alone."""
        first, last, kind, number = self.first[rows], self.last[rows], self.kind[rows], self.number[rows]
        return replace(
            self, first=first, last=last, kind=kind, number=number, new=new, _bounds={}, _grids={}, _rows={}, memory={}
        )

    def until(self, stop: int) -> Segments:
        """Return the segments before `stop`."""
        return self.chosen(np.arange(stop), self.new)

    @cached_property
    def has_small(self) -> bool:
        """Whether a small letter stands anywhere."""
        return bool(((self.letters >= ord("a")) & (self.letters <= ord("z"))).any())

    @cached_property
    def _by_kind(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.kind, kind="stable")
        return order, np.searchsorted(self.kind[order], np.arange(len(Kind) + 1))

    def of(self, kind: Kind) -> Ints:
        """Return the segments of a kind."""
        rows = self._rows.get(kind)
        if rows is None:
            order, edges = self._by_kind
            rows = self._rows[kind] = order[edges[kind] : edges[kind + 1]]
        return rows

    def those(self, kind: Kind, where: Flags) -> Ints:
        """Return the segments of a kind where the flags say so; the same array as `of` if that is all of them."""
        rows = self.of(kind)
        kept = where[rows]
        return rows if kept.all() else rows[kept]

    def bounds(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return self.first[rows], self.last[rows]; once for the same array, as most are asked for several elements."""
        known = self._bounds.get(id(rows))
        if known is None:  # the array itself is kept, so that its id stays its own
            known = self._bounds[id(rows)] = (rows, self.first[rows], self.last[rows])
        return known[1], known[2]

    def raw(self, rows: Ints) -> bytes:
        """Return the bytes of a few segments with their terminators."""
        starts = (self.seps[self.first[rows]] + 1).tolist()
        ends = (self.seps[self.last[rows]] + 1).tolist()
        return b"".join(self.text[start:end] for start, end in zip(starts, ends, strict=True))

    def forget(self) -> None:
        """Let go of what was kept for repeated questions: some of it points back here."""
        for kept in (self._bounds, self._grids, self._rows, self.memory):
            kept.clear()

    def spread(self, rows: Ints, most: int) -> None:
        """Fetch the places of the first `most` elements of these segments together: they lie side by side."""
        first, _ = self.bounds(rows)
        at = first + np.arange(1, most + 2)[:, None]
        self._grids[id(rows)] = self.seps[np.minimum(at, len(self.seps) - 1)]

    def grid(self, rows: Ints) -> Ints | None:
        """Return what `spread` fetched for these segments."""
        return self._grids.get(id(rows))

    def element(self, row: int, k: int) -> str:
        """Return one element of one segment; for what occurs a few times in a file."""
        at = int(self.first[row]) + k
        if at >= self.last[row]:
            return ""
        return self.text[int(self.seps[at]) + 1 : int(self.seps[at + 1])].decode("utf-8", "replace").strip()

    def texts(self, rows: Ints, k: int) -> list[str]:
        """Return one element of some segments."""
        at = self.first[rows] + k
        present = at < self.last[rows]
        at = np.where(present, at, 0)
        starts = np.where(present, self.seps[at] + 1, 0).tolist()
        ends = np.where(present, self.seps[at + 1], 0).tolist()
        return [
            self.text[start:end].decode("utf-8", "replace").strip() for start, end in zip(starts, ends, strict=True)
        ]


@cache
def _kinds() -> Small:
    """Return the kind for every possible three bytes of an identifier (of two letters and a zero byte, too).

    Lower-case letters count as capitals: a claim is not lost for how its identifiers are written.
    """
    table = np.zeros(1 << 24, np.uint8)
    for kind in Kind:
        if kind:
            for letters in product(*({letter, letter.lower()} for letter in kind.name)):
                table[int.from_bytes("".join(letters).encode(), "little")] = kind
    return table


def delimiters(text: bytes) -> Delimiters | None:
    """Read the delimiters from an ISA at the text's begin; None where it is cut or garbled. Wrong lengths are fine."""
    element = text[3:4]
    parts = text[:_ISA_REACH].split(element, 16) if element else []
    if text[:3] != b"ISA" or len(parts) < 17:
        return None
    parts[:16] = [part.translate(None, b"\r\n") for part in parts[:16]]
    component, terminator = _two_marks(parts[16].lstrip(b"\r\n"))
    marks = element + component + terminator
    if (
        len(marks) != len(set(marks))
        or len(marks) != 3
        or any(chr(mark).isalnum() or mark in b" \t" or mark > 0x7E for mark in marks)
        or not re.fullmatch(rb"\d{5}", parts[12].strip())
        or any(len(part.strip()) > 15 for part in parts[1:16])
    ):
        return None
    repetition = parts[11].strip()
    return Delimiters(element, component, b"" if repetition.isalnum() else repetition[:1], terminator)


def _two_marks(text: bytes) -> tuple[bytes, bytes]:
    """Return component separator and terminator, between which a line may be wrapped."""
    wrapped = re.match(rb"[\r\n]+([^A-Za-z0-9\s])", text[1:])
    return text[:1], wrapped[1] if wrapped else text[1:2]


def pieces(file: BinaryIO, size: int) -> Iterator[tuple[Delimiters | None, bytes, bool]]:
    """Yield (delimiters, bytes, last with these delimiters), cut anywhere but within an ISA that changes them.

    (None, b"", True) where the file does not begin with an ISA that can be read.
    """
    text = file.read(max(size, 4096)).removeprefix(b"\xef\xbb\xbf").lstrip(_BLANKS)
    current = delimiters(text)
    if current is None:
        yield None, text, True
        return
    at, before, ended = 3, b"", False
    while True:
        isa = _ISA.search(text, at)
        found = isa.start() if isa else -1
        if found < 0 or (not ended and found + _ISA_REACH > len(text)):
            if ended:
                yield current, text, True
                return
            # an ISA may begin in the last two bytes, or have begun and not ended
            keep = len(text) - next((n for n in (2, 1) if text.endswith(b"ISA"[:n])), 0) if found < 0 else found
            if keep:
                yield current, text[:keep], False
                before = text[keep - 1 : keep]
            more = file.read(size)
            at = 0
            ended = not more
            text = text[keep:] + more
            continue
        previous = text[found - 1 : found] if found else before
        at = found + 3
        if previous and (previous in current.terminator or previous in _BLANKS):
            other = delimiters(text[found : found + _ISA_REACH])
            if other is not None and other != current:
                yield current, text[:found], True
                text, at, before, current = text[found:], 3, b"", other


def without_breaks(text: bytes, marks: Delimiters) -> bytes:
    """Drop line breaks wherever they stand, unless one is the terminator: lines may be wrapped within a segment."""
    breaks = bytes(set(b"\r\n") - set(marks.terminator))
    return text.translate(None, breaks) if any(text.find(bytes([mark])) >= 0 for mark in breaks) else text


def readable(text: bytes, marks: Delimiters) -> bytes:
    """Return the text as UTF-8, each segment that is not being read as Windows-1252."""
    if text.isascii():
        return text
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return marks.terminator.join(map(_segment_as_utf8, text.split(marks.terminator)))
    return text


def _segment_as_utf8(segment: bytes) -> bytes:
    try:
        segment.decode("utf-8")
    except UnicodeDecodeError:
        return segment.decode("cp1252", "replace").encode()
    return segment


def segments(text: bytes, marks: Delimiters, repeated: Ints, number: int) -> tuple[Segments, int]:
    """Find the segments of a text that begins and ends with a terminator, PAD after it; keep those of a known kind.

    `repeated` numbers the first segments, which are context; the rest count from `number`, blank ones not at all.
    Also returns the number that the next segment would have.
    """
    element, terminator = marks.element[0], marks.terminator[0]
    whole = np.frombuffer(text, np.uint8)
    length = len(text) - len(PAD)
    letters = whole[:length]
    words = np.ndarray((length,), "<u8", whole.data, strides=(1,))
    mask = letters == element
    mask |= letters == terminator
    wide = np.flatnonzero(mask)  # which fetches faster than the narrow places that are kept
    ends = np.flatnonzero(letters[wide] == terminator)
    seps = wide.astype(np.int32)
    first, last = ends[:-1], ends[1:]
    start = (seps[first] + 1).astype(np.int64)
    id_end = seps[first + 1]
    blanks = letters == 0x20

    def beside_marks() -> bool:
        return bool((blanks[1:] & mask[:-1]).any() or (blanks[:-1] & mask[1:]).any())

    padded = beside_marks()
    if padded or (letters[start] <= 0x20).any():
        while (blank := (letters[np.minimum(start, length - 1)] <= 0x20) & (start < id_end)).any():
            start = start + blank
    empty = (start == id_end) & (last - first == 1)
    if empty.any():
        keep = np.flatnonzero(~empty)
        first, last, start, id_end = first[keep], last[keep], start[keep], id_end[keep]
    width = id_end - start
    width[width > 3] = 0
    code = words[np.minimum(start, length - 1)] & np.array([0, 0, 0xFFFF, 0xFFFFFF], np.uint64)[width]
    kind = _kinds()[code.astype(np.int64)]
    if padded:  # as every ISA is, whose elements are trimmed where they are read
        for row in np.flatnonzero(kind == Kind.ISA):
            blanks[seps[first[row]] : seps[last[row]]] = False
        padded = beside_marks()
    numbers = np.arange(len(kind)) + (number - len(repeated))
    numbers[: len(repeated)] = repeated
    known = np.flatnonzero(kind)
    new = int(np.searchsorted(known, len(repeated)))
    parts = np.flatnonzero(letters == marks.component[0])
    padded |= bool(((letters[parts - 1] == 0x20) | (whole[parts + 1] == 0x20)).any())
    found = Segments(
        text, letters, words, marks, seps, first[known], last[known], kind[known], numbers[known], new, parts, padded
    )
    return found, number + len(kind) - len(repeated)
