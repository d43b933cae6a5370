"""ISA, GS, ST and their trailers: what each transaction is, whether all are closed, whether the counts agree."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from therapy_audit.intake.x12.scan import ENVELOPE_LAST, Ints, Kind, Segments

if TYPE_CHECKING:
    from therapy_audit.intake.x12.slices import Notes

CLAIMS, REMITTANCES = "837P", "835"
READ = {
    ("837", "005010X222A1"): CLAIMS,
    ("837", "005010X222A2"): CLAIMS,
    ("835", "005010X221A1"): REMITTANCES,
}
VERSIONS = "837P 005010X222A1 or A2 and 835 005010X221A1"
_GUIDES = {"X222": "837P", "X098": "837P", "X223": "837I", "X096": "837I", "X224": "837D", "X097": "837D"}
_VERSION = re.compile(r"\d{6}(X\d{3}([A-Z]\d+)*)?")
# As plain numbers: a file may have a transaction in every few hundred segments, and each is looked at by itself.
_ISA, _GS, _ST, _SE, _GE = (int(kind) for kind in (Kind.ISA, Kind.GS, Kind.ST, Kind.SE, Kind.GE))
_TRAILERS = {Kind.ST: "SE", Kind.GS: "GE", Kind.ISA: "IEA"}  # from within
_LONGEST_COUNT = 10  # digits
_HELD = {Kind.ST: "segments", Kind.GS: "transactions", Kind.ISA: "groups"}
_PLACES = {Kind.ISA: "interchange", Kind.GS: "group", Kind.ST: "transaction"}


@dataclass
class Open:
    """A header that waits for its trailer."""

    number: int  # its segment number
    control: str
    held: int = 0  # groups of an interchange, transactions of a group


@dataclass
class Envelope:
    """Where the reading stands between the headers, and what has been counted in the file so far."""

    source_file: str
    opened: dict[Kind, Open] = field(default_factory=dict)
    version: str = ""  # GS08 of the open group
    kind: str = ""  # what the last ST began; empty: nothing that is read
    interchanges: int = 0
    groups: int = 0
    transactions: int = 0  # those that are read
    transactions_refused: int = 0
    kinds: dict[str, None] = field(default_factory=dict)
    versions: dict[str, None] = field(default_factory=dict)
    senders: dict[str, None] = field(default_factory=dict)
    receivers: dict[str, None] = field(default_factory=dict)
    refusals: dict[str, None] = field(default_factory=dict)


@lru_cache(maxsize=64)
def transaction_kind(code: str, version: str, group_version: str) -> tuple[str, str, str]:
    """Return what an ST begins: kind, version and, unless it is read, the sentence that refuses it."""
    stated = version if _VERSION.fullmatch(version) else group_version if _VERSION.fullmatch(group_version) else ""
    if code == "835" and not stated:
        return REMITTANCES, "", ""  # its ST bears no version: with a lost or garbled GS it can only be tried
    kind = READ.get((code, stated), "")
    if kind:
        return kind, stated, ""
    named = _GUIDES.get(stated[6:10], code) if code == "837" else code
    if not re.fullmatch(r"\d{3}", code):
        return "", stated, f"A transaction has no transaction set code that is known; {VERSIONS} are read."
    what = f"an {named}" if named[:1] == "8" else f"a {named}"
    return named, stated, f"This is {what} of {f'version {stated}' if stated else 'no version'}; {VERSIONS} are read."


def runs(segments: Segments, envelope: Envelope) -> list[tuple[int, str]]:
    """Return (from which segment on, kind), empty where not read; nothing in the envelope changes."""
    found = [(0, envelope.kind)]
    version = envelope.version
    rows = np.flatnonzero((segments.kind == _GS) | (segments.kind == _ST))
    codes, versions = segments.texts(rows, 1), segments.texts(rows, 3)
    for n, (row, begun) in enumerate(zip(rows.tolist(), segments.kind[rows].tolist(), strict=True)):
        if begun == _GS:
            version = segments.element(row, 8)
            continue
        kind, _, refusal = transaction_kind(codes[n], versions[n], version)
        kind = "" if refusal else kind
        if kind != found[-1][1]:
            found.append((row, kind))
    return found


def check(segments: Segments, envelope: Envelope, notes: Notes) -> None:
    """Go through the headers and trailers of a buffer; note what is missing, differs or is not read."""
    rows = np.flatnonzero((segments.kind <= ENVELOPE_LAST) & (segments.kind > 0))
    rows = rows[rows >= segments.new]
    numbers, kinds = segments.number[rows].tolist(), segments.kind[rows].tolist()
    elements = zip(segments.texts(rows, 1), segments.texts(rows, 2), segments.texts(rows, 3), strict=True)
    for row, number, kind, (first, second, third) in zip(rows.tolist(), numbers, kinds, elements, strict=True):
        if kind == _ST:
            close(envelope, notes, Kind.ST)
            _within(envelope, notes, Kind.GS, number)
            envelope.opened[Kind.ST] = Open(number, second)
            _begin(number, first, third, envelope, notes)
        elif kind == _SE:
            _end(number, first, second, envelope, notes, Kind.ST)
        elif kind == _GS:
            close(envelope, notes, Kind.GS)
            envelope.groups += 1
            _within(envelope, notes, Kind.ISA, number)
            envelope.opened[Kind.GS] = Open(number, segments.element(row, 6))
            envelope.version = segments.element(row, 8)
        elif kind == _GE:
            close(envelope, notes, Kind.ST)
            _end(number, first, second, envelope, notes, Kind.GS)
        elif kind == _ISA:
            close(envelope, notes, Kind.ISA)
            envelope.interchanges += 1
            envelope.opened[Kind.ISA] = Open(number, segments.element(row, 13))
            envelope.senders[segments.element(row, 6)] = None
            envelope.receivers[segments.element(row, 8)] = None
            envelope.version = ""
        else:
            close(envelope, notes, Kind.GS)
            _end(number, first, second, envelope, notes, Kind.ISA)


def close(envelope: Envelope, notes: Notes, outermost: Kind) -> None:
    """Note every header from `outermost` inwards that is still open."""
    if not envelope.opened:
        return
    for kind, trailer in _TRAILERS.items():
        if kind < outermost:
            continue
        waiting = envelope.opened.pop(kind, None)
        if waiting:
            sentence = f"The {_PLACES[kind]} that begins here has no {trailer}; it may be cut."
            notes.problem(_one(waiting.number), f"missing_{trailer.lower()}", sentence)


def _within(envelope: Envelope, notes: Notes, outer: Kind, number: int) -> None:
    waiting = envelope.opened.get(outer)
    if waiting:
        waiting.held += 1
    else:
        sentence = f"No open {_PLACES[outer]} ({outer.name}) stands before this segment."
        notes.problem(_one(number), f"missing_{outer.name.lower()}", sentence)


def _begin(number: int, code: str, stated: str, envelope: Envelope, notes: Notes) -> None:
    kind, version, refusal = transaction_kind(code, stated, envelope.version)
    if refusal:
        envelope.kind = ""
        envelope.transactions_refused += 1
        # once for all that follow each other: a file of another kind has one in every few segments
        if refusal not in envelope.refusals or envelope.opened.get(Kind.GS, Open(0, "", 1)).held == 1:
            notes.problem(_one(number), "not_read", refusal)
        envelope.refusals[refusal] = None
    else:
        envelope.kind = kind
        envelope.transactions += 1
        if not version:
            sentence = "The version of this 835 is not stated; it is read as 005010X221A1."
            notes.problem(_one(number), "no_version", sentence)
    envelope.kinds.setdefault(kind or code, None)
    if version:
        envelope.versions.setdefault(version, None)


def _end(number: int, count: str, control: str, envelope: Envelope, notes: Notes, header: Kind) -> None:
    opened = envelope.opened.pop(header, None)
    trailer = _TRAILERS[header]
    if opened is None:
        notes.problem(_one(number), f"stray_{trailer.lower()}", f"This {trailer} closes nothing that is open.")
        return
    held = number - opened.number + 1 if header == Kind.ST else opened.held
    if not count.isdecimal() or len(count) > _LONGEST_COUNT:
        notes.problem(_one(number), f"count_{trailer.lower()}", f"{trailer}01 is not a count of {_HELD[header]}.")
    elif int(count) != held:
        check_name = f"{_PLACES[header]}_{_HELD[header]}"
        notes.imbalance(_one(number), check_name, f"{trailer}01", _one(int(count) * 100), _one(held * 100))
    if control.lstrip("0") != opened.control.lstrip("0"):
        notes.problem(
            _one(number),
            f"control_{trailer.lower()}",
            f"{trailer}02 differs from the control number of its {header.name}; segments may be missing between.",
        )


def _one(value: int) -> Ints:
    return np.array([value], np.int64)
