"""Elements of many segments at once: as places in the buffer, as Arrow strings, as whole numbers, as days."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from therapy_audit.intake.x12.scan import Kind

if TYPE_CHECKING:
    from therapy_audit.intake.x12.scan import Flags, Ints, Segments, Small, Words

NONE = -1  # no segment, no row
_DIGITS = 18  # the longest number that is read; it fits 64 bits
_MONEY = pa.decimal128(12, 2)
_MONEY_MOST = 10**12
_FAR = np.iinfo(np.int64).max
_MASKS = np.array([(1 << 8 * width) - 1 for width in range(9)], np.uint64)  # the first bytes of eight


@dataclass(frozen=True)
class Spans:
    """Values as places in a buffer: value i is text[start[i]:end[i]]; an empty one is no value."""

    source: Segments
    start: Ints
    end: Ints

    @property
    def given(self) -> Flags:
        """Which are not empty."""
        return self.end > self.start

    def chosen(self, rows: Ints | Flags) -> Spans:
        """Return these values alone."""
        return Spans(self.source, self.start[rows], self.end[rows])


@dataclass(frozen=True)
class Numbers:
    """Whole numbers (of cents, of units). Where `known` is false, the value is empty or, if `bad`, cannot be read."""

    value: Ints
    known: Flags
    bad: Flags


@dataclass
class Notes:
    """What was met in one buffer: problems, and sums or counts that do not agree."""

    problems: list[tuple[Ints, str, str]] = field(default_factory=list)  # segment numbers, code, sentence
    imbalances: list[tuple[Ints, str, str, Ints, Ints]] = field(default_factory=list)  # ..., expected, found: in cents

    def problem(self, numbers: Ints, code: str, sentence: str) -> None:
        """Note a problem at these segments."""
        if len(numbers):
            self.problems.append((numbers, code, sentence))

    def imbalance(self, numbers: Ints, check: str, place: str, expected: Ints, found: Ints) -> None:
        """Note sums that do not agree, at these segments."""
        if len(numbers):
            self.imbalances.append((numbers, check, place, expected, found))


def elements(source: Segments, rows: Ints, k: int | Ints) -> Spans:
    """Return element k of these segments, without spaces around; empty where a segment is NONE or has no element k."""
    if not len(source) or not len(rows) or int(rows.max()) < 0:
        zeros = np.zeros(len(rows), np.int64)
        return Spans(source, zeros, zeros)
    first, last = source.bounds(rows)
    at = first + k
    absent = at >= last
    if int(rows.min()) < 0:
        absent |= rows < 0
    grid = source.grid(rows)
    if grid is not None and isinstance(k, int) and k < len(grid):
        start, end = grid[k - 1] + 1, grid[k]
    else:
        at[absent] = 0
        start, end = source.seps[at] + 1, source.seps[at + 1]
    if absent.any():
        end = np.where(absent, 0, end)
        start[absent] = 0
    return _trimmed(Spans(source, start, end))


def _trimmed(spans: Spans) -> Spans:
    if not spans.source.padded:
        return spans
    letters, start, end = spans.source.letters, spans.start, spans.end
    while (blank := (letters[end - 1] == 0x20) & (end > start)).any():
        end = end - blank
    while (blank := (letters[start] == 0x20) & (end > start)).any():
        start = start + blank
    return Spans(spans.source, start, end)


def components(whole: Spans, most: int) -> list[Spans]:
    """Split composite values into their first components, `most` of them."""
    if not whole.given.any():
        return [whole] * most
    separators = whole.source.components
    at = np.searchsorted(separators, whole.start)
    ends = np.append(separators, _FAR)
    parts = []
    start = whole.start
    for k in range(most):
        end = np.minimum(ends[np.minimum(at + k, len(separators))], whole.end)
        parts.append(_trimmed(Spans(whole.source, np.minimum(start, whole.end), np.maximum(end, start))))
        start = np.minimum(end + 1, whole.end)
    return parts


def keys(spans: Spans) -> Words:
    """Return short values as numbers that compare with key('82'); longer ones than eight bytes are cut."""
    return np.asarray(spans.source.words[spans.start] & _MASKS[np.minimum(spans.end - spans.start, 8)])


def key(text: str) -> np.uint64:
    """Return the number that `keys` gives for a value."""
    return np.uint64(int.from_bytes(text.encode(), "little"))


def is_one_of(values: Words, *texts: str) -> Flags:
    """Say which values are one of these."""
    found: Flags = values == key(texts[0])
    for text in texts[1:]:
        found |= values == key(text)
    return found


def strings(spans: Spans) -> pa.Array:
    """Return the values as Arrow strings, null where empty. Values without order in the buffer are put in order."""
    flags = spans.given
    if not flags.any():
        return pa.nulls(len(spans.start), pa.string())
    every = bool(flags.all())
    start, end = (spans.start, spans.end) if every else (spans.start[flags], spans.end[flags])
    place: Ints = np.arange(len(start))
    if (start[1:] < end[:-1]).any():
        order = np.argsort(start, kind="stable")  # next to nothing where several rows share a value in order
        start, end = start[order], end[order]
        begins = np.flatnonzero(np.concatenate([[True], start[1:] != start[:-1]]))
        place[order] = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(start)))
        start, end = start[begins], np.maximum.reduceat(end, begins)
    offsets = np.empty(2 * len(start), np.int32)
    offsets[0::2], offsets[1::2] = start, end
    pool = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(spans.source.text))
    if every:
        return pool.take(pa.array(2 * place))
    index = np.zeros(len(flags), np.int64)
    index[flags] = 2 * place
    return pool.take(pa.array(index, mask=~flags))


def upper(spans: Spans) -> pa.Array:
    """Return codes as Arrow strings in upper case, null where empty."""
    found = strings(spans)
    return pc.ascii_upper(found) if spans.source.has_small else found


def lists(parts: list[Spans]) -> pa.Array:
    """Return, for each row, the list of those parts that are not empty, in upper case."""
    start = np.stack([part.start for part in parts], axis=1).ravel()
    end = np.stack([part.end for part in parts], axis=1).ravel()
    given = end > start
    if not given.any():
        return pa.ListArray.from_arrays(pa.array(np.zeros(len(parts[0].start) + 1, np.int32)), pa.nulls(0, pa.string()))
    offsets = np.concatenate([[0], np.cumsum(given.reshape(-1, len(parts)).sum(axis=1))]).astype(np.int32)
    flat = upper(Spans(parts[0].source, start[given], end[given]))
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


def taken(column: pa.Array, rows: Ints) -> pa.Array:
    """Return column[rows], null where a row is NONE."""
    if column.null_count == len(column):
        return pa.nulls(len(rows), column.type)
    missing = rows < 0
    if missing.any():
        return column.take(pa.array(np.where(missing, 0, rows), mask=missing))
    return column.take(pa.array(rows))


def first_of(owners: Ints, values: Ints, count: int) -> Ints:
    """Return for each of `count` owners the first value that is its own, or NONE. Owners that are NONE are left out."""
    result = np.full(count, NONE, np.int64)
    if (owners < 0).any():
        values, owners = values[owners >= 0], owners[owners >= 0]
    result[owners[::-1]] = values[::-1]
    return result


def sums(owners: Ints, values: Ints, count: int) -> Ints:
    """Return each owner's sum, exactly; owners are in ascending order."""
    edges = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=count))])
    totals = np.concatenate([[0], np.cumsum(values)])
    return np.asarray(totals[edges[1:]] - totals[edges[:-1]], np.int64)


def places(owners: Ints) -> Ints:
    """Return 1, 2, ... within each run of equal owners."""
    begins = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]])[: len(owners)])
    return np.arange(1, len(owners) + 1) - np.repeat(begins, np.diff(begins, append=len(owners)))


def either(column: pa.Array, other: pa.Array) -> pa.Array:
    """Return the column, with the other's values where it has none."""
    if column.null_count == len(column):
        return other
    return pc.coalesce(column, other) if column.null_count and other.null_count < len(other) else column


def kinds(*chosen: Kind) -> Flags:
    """Return a table that says of each kind whether it is one of these."""
    table = np.zeros(len(Kind) + 1, bool)
    table[list(chosen)] = True
    return table


def filled(values: Small, events: Flags, before: int) -> Small:
    """Return at each place the value of the last event at or before it."""
    at = np.flatnonzero(events)
    lengths = np.diff(at, append=len(values))
    head = len(values) if not len(at) else int(at[0])
    return np.concatenate([np.full(head, before, np.uint8), np.repeat(values[at], lengths)])


def amounts(spans: Spans) -> Numbers:
    """Read amounts of money as cents."""
    return numbers(spans, 2, _MONEY_MOST)


def amounts_of(source: Segments, rows: Ints, k: int) -> Numbers:
    """Read element k of these segments as cents; once for the same array."""
    known = source.memory.get((id(rows), k))
    if known is None:
        source.bounds(rows)  # keeps the array, so that its id stays its own
        known = source.memory[id(rows), k] = amounts(elements(source, rows, k))
    return Numbers(known.value, known.known, known.bad)


def numbers(spans: Spans, places: int = 0, most: int = 10**9) -> Numbers:
    """Read decimals below `most` as whole numbers of 10^-places; more places than that must be zeros."""
    if not spans.given.any():
        return _none(len(spans.start))
    result = _short_numbers(spans, places, most)
    rest = np.flatnonzero(result.bad)
    if len(rest):
        value, known = _any_numbers(spans.chosen(rest), places, most)
        result.value[rest], result.known[rest], result.bad[rest] = value, known, ~known
    return result


def _none(count: int) -> Numbers:
    return Numbers(np.zeros(count, np.int64), np.zeros(count, bool), np.zeros(count, bool))


def _short_numbers(spans: Spans, places: int, most: int) -> Numbers:
    """Read what has up to eight bytes, no sign and `places` decimals or none; all else is bad."""
    given = spans.given
    width = spans.end - spans.start
    blank = np.uint64(0x3030303030303030)
    shown = _MASKS[8 - np.clip(width, 0, 8)]
    word = (spans.source.words[np.maximum(spans.end - 8, 0)] & ~shown) | (blank & shown)
    if places:
        low = 8 * (7 - places)  # where the point stands
        pointed = ((word >> np.uint64(low)) & np.uint64(0xFF)) == ord(".")
        pointed &= width > places
        before = (word & np.uint64((1 << low) - 1)) << np.uint64(8)
        after = word & np.uint64(((1 << 8 * places) - 1) << 8 * (8 - places))
        word = np.where(pointed, before | after | np.uint64(0x30), word)
        value = _eight_digits(word) * np.where(pointed, 1, 10**places)
        fine = given & (width <= 8) & _all_digits(word)
    else:
        value = _eight_digits(word)
        fine = given & (width <= 8) & _all_digits(word)
    fine &= (value < most) & (spans.end >= 8)
    return Numbers(np.where(fine, value, 0), fine, given & ~fine)


def _any_numbers(spans: Spans, places: int, most: int) -> tuple[Ints, Flags]:
    """Read decimals digit by digit."""
    letters, start, end = spans.source.letters, spans.start, spans.end
    width = end - start
    negative = letters[start] == ord("-")
    start = start + negative
    width = width - negative
    value = np.zeros(len(start), np.int64)
    after: Ints = np.full(len(start), NONE, np.int64)  # digits after the point; NONE before there is one
    count = np.zeros(len(start), np.int64)
    bad: Flags = width > _DIGITS
    for k in range(min(int(width.max(initial=0)), _DIGITS)):
        letter = letters[np.minimum(start + k, end - 1)]
        inside = k < width
        digit = letter - np.uint8(48)
        is_digit = inside & (digit <= 9)
        value = np.where(is_digit, value * 10 + digit, value)
        count += is_digit
        after += is_digit & (after >= 0)
        point = inside & (letter == ord("."))
        bad |= (point & (after >= 0)) | (inside & ~is_digit & ~point)
        after[point & (after < 0)] = 0
    after = np.maximum(after, 0)
    power = 10 ** np.arange(_DIGITS + 1)
    longer = power[np.clip(after - places, 0, _DIGITS)]
    bad |= (count == 0) | (value % longer != 0) | (value // longer >= most)
    value = np.where(bad, 0, value // longer) * power[np.clip(places - after, 0, places)]
    bad |= value >= most
    return np.where(bad, 0, np.where(negative, -value, value)), ~bad


def _all_digits(word: Words) -> Flags:
    """Say which eight bytes are digits throughout."""
    halves = np.uint64(0xF0F0F0F0F0F0F0F0)
    beyond_nine = ((word + np.uint64(0x0606060606060606)) & halves) >> np.uint64(4)
    return np.asarray(((word & halves) | beyond_nine) == np.uint64(0x3333333333333333))


def _pairs(word: Words) -> Words:
    """Return, in every other byte, the number of two digits (eight bytes, little end first)."""
    word = word - np.uint64(0x3030303030303030)
    return np.asarray((word * np.uint64(10) + (word >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF))


def _eight_digits(word: Words) -> Ints:
    pairs = _pairs(word)
    fours = (pairs * np.uint64(100) + (pairs >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    eight = (fours * np.uint64(10000) + (fours >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return eight.view(np.int64)


def days(spans: Spans) -> Numbers:
    """Read dates written YYYYMMDD as days since 1970."""
    if not spans.given.any():
        return _none(len(spans.start))
    return _days(spans.source, spans.start, spans.given, spans.end - spans.start == 8)


def day_ranges(spans: Spans) -> tuple[Numbers, Numbers]:
    """Read YYYYMMDD-YYYYMMDD as first and last day; the last is bad where it lies before the first."""
    width = spans.end - spans.start
    dash = spans.source.letters[np.minimum(spans.start + 8, np.maximum(spans.end - 1, 0))] == ord("-")
    begins = _days(spans.source, spans.start, spans.given, (width == 17) & dash)
    second = np.where(width == 17, spans.start + 9, spans.start)
    ends = _days(spans.source, second, spans.given, (width == 17) & dash)
    order = ~begins.known | (ends.value >= begins.value)
    return begins, Numbers(ends.value, ends.known & order, ends.bad | (ends.known & ~order))


def _days(source: Segments, start: Ints, given: Flags, shape: Flags) -> Numbers:
    word = source.words[start]
    digits = _all_digits(word)
    pairs = _pairs(word)
    part = [((pairs >> np.uint64(16 * k)) & np.uint64(0xFF)).astype(np.int64) for k in range(4)]
    year, month, day = part[0] * 100 + part[1], part[2], part[3]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
    last = lengths[np.where(month <= 12, month, 0)] + (leap & (month == 2))
    known = given & shape & digits & (year > 0) & (day >= 1) & (day <= last)
    from_march = year - (month <= 2)
    day_of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    era = from_march // 400
    of_era = from_march - era * 400
    since = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + day_of_year - 719468
    return Numbers(np.where(known, since, 0), known, given & ~known)


def money(values: Numbers) -> pa.Array:
    """Return cents as DECIMAL(12,2)."""
    return cents(values.value, values.known)


def cents(value: Ints, known: Flags | None = None, kind: Any = _MONEY) -> pa.Array:
    """Return cents as a decimal column."""
    parts = np.empty((len(value), 2), np.int64)
    parts[:, 0] = value
    parts[:, 1] = value >> 63
    return pa.Array.from_buffers(kind, len(value), [_validity(known), pa.py_buffer(parts)])


def whole(values: Numbers) -> pa.Array:
    """Return whole numbers as 32-bit integers."""
    return pa.array(values.value.astype(np.int32), mask=~values.known)


def dates(values: Numbers) -> pa.Array:
    """Return days as dates."""
    return pa.array(values.value.astype(np.int32), mask=~values.known).view(pa.date32())


def _validity(known: Flags | None) -> Any:
    return None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
