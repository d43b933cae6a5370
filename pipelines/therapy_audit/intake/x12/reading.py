"""A file as batches of Arrow tables, in memory that does not grow with it; and what a file holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from therapy_audit.files import unreadable
from therapy_audit.intake.x12 import claims, envelope, remittances, scan
from therapy_audit.intake.x12.envelope import CLAIMS, Envelope
from therapy_audit.intake.x12.scan import ENVELOPE_LAST, Kind
from therapy_audit.intake.x12.slices import NONE, Notes, kinds
from therapy_audit.intake.x12.tables import noted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from therapy_audit.intake.x12.scan import Delimiters, Ints, Segments

CHUNK = 5 << 18  # bytes read at once: what is made of them stays in the processor's cache
_LONGEST = 1 << 26  # bytes without a segment's end, or without a claim's, that are waited for

_OF_CLAIMS, _OF_REMITTANCES = kinds(Kind.HL, Kind.CLM), kinds(Kind.CLP, Kind.PLB)

Batch = dict[str, "pa.Table"]


@dataclass
class Tally:
    """What was read so far. `refusal` is the sentence that refuses a file of which nothing can be read."""

    segments: int = 0
    claims: int = 0
    lines: int = 0
    services: int = 0
    adjustments: int = 0
    plb: int = 0
    charge_cents: int = 0
    paid_cents: int = 0
    problems: int = 0
    imbalances: int = 0
    refusal: str = ""
    envelope: Envelope = field(default_factory=lambda: Envelope(""))

    def count(self, counts: dict[str, int]) -> None:
        """Add what one buffer gave."""
        for name, value in counts.items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(frozen=True)
class Inspection:
    """What a file holds. Amounts are of the readable part; `problems` are sentences with the segments concerned."""

    kind: str  # 837P, 835; of what is not read: 837I, 270, ...; empty where it is no X12
    version: str
    sender: str
    receiver: str
    interchanges: int
    groups: int
    transactions: int
    segments: int
    claims: int
    lines: int
    services: int
    adjustments: int
    plb: int
    charge_total: Decimal
    paid_total: Decimal
    refusal: str
    problems: tuple[dict[str, Any], ...]
    problem_count: int
    imbalances: tuple[dict[str, Any], ...]
    imbalance_count: int

    def as_dict(self) -> dict[str, Any]:
        """Return everything under its name."""
        return asdict(self)


class _File:
    """Where the reading of one file stands."""

    def __init__(self, source_file: str, tally: Tally) -> None:
        self.source_file, self.tally = source_file, tally
        self.envelope = tally.envelope
        self.payment = remittances.Payment()
        self.named: set[str] = set()
        self.notes = Notes()
        self.number = 1  # the next segment's
        self.tail = b""
        self.context = b""
        self.context_numbers: Ints = np.zeros(0, np.int64)

    def batch(self, marks: Delimiters, piece: bytes, *, last: bool) -> Batch:
        """Read a piece, with what the one before left; keep what belongs with the next."""
        end = marks.terminator
        text = b"".join((self.tail, scan.without_breaks(piece, marks)))
        cut = text.rfind(end) + 1
        text, rest = text[:cut], text[cut:]
        if last:
            text, rest = self._unterminated(text, rest, end)
        elif len(rest) > _LONGEST:
            sentence = "From here on there is no segment terminator for 64 MiB; they are not read."
            self.notes.problem(np.array([self.number]), "no_terminator", sentence)
            rest = b""
        text = scan.readable(text, marks)
        whole = b"".join((end, self.context, text, scan.PAD))
        segments, following = scan.segments(whole, marks, self.context_numbers, self.number)
        runs = envelope.runs(segments, self.envelope)
        stop = len(segments) if last or not runs[-1][1] else _boundary(segments, runs[-1])
        if stop < 0 and len(text) <= _LONGEST:  # not even one claim is complete
            self.tail = text + rest
            return {}
        if 0 <= stop < len(segments):
            following = int(segments.number[stop])
            begin = int(segments.seps[segments.first[stop]]) - len(self.context)
            rest = text[begin:] + rest
            segments = segments.until(stop)
            runs = [run for run in runs if run[0] < max(stop, 1)]
        self.tail, self.number = rest, following
        result = self._tables(segments, runs)
        if last:
            self.context, self.context_numbers = b"", np.zeros(0, np.int64)
        return result

    def _unterminated(self, text: bytes, rest: bytes, end: bytes) -> tuple[bytes, bytes]:
        """Take a last IEA without its terminator for whole; anything else is cut, and what it says unsure."""
        if rest.strip(b" \t\r\n\x00\x1a"):
            if rest.lstrip().startswith(b"IEA"):
                return text + rest + end, b""
            sentence = "The file ends within a segment; what it says is not read."
            number = self.number + len([part for part in text.split(end) if part.strip()])
            self.notes.problem(np.array([number]), "cut_segment", sentence)
        return text, b""

    def _tables(self, segments: Segments, runs: list[tuple[int, str]]) -> Batch:
        envelope.check(segments, self.envelope, self.notes)
        result: Batch = {}
        context = b""
        numbers: Ints = np.zeros(0, np.int64)
        for kind in dict.fromkeys(kind for _, kind in runs):
            if not kind:
                continue
            part = _of_kind(segments, runs, kind)
            if kind == CLAIMS:
                found = claims.loops(part)
                made, counts = claims.tables(part, found, self.source_file, self.named, self.notes)
                rows = claims.context(part, found)
            else:
                places = remittances.loops(part)
                made, counts = remittances.tables(part, places, self.source_file, self.payment, self.notes)
                rows = remittances.context(part, places)
            result |= made
            self.tally.count(counts)
            if kind == runs[-1][1]:
                context, numbers = part.raw(rows), part.number[rows]
            part.forget()
        self.context, self.context_numbers = context, numbers
        self.tally.segments = self.number - 1
        return result | self.noted()

    def noted(self) -> Batch:
        """Return what was noted since the last time."""
        result = noted(self.notes, self.source_file)
        self.tally.problems += sum(len(numbers) for numbers, *_ in self.notes.problems)
        self.tally.imbalances += sum(len(numbers) for numbers, *_ in self.notes.imbalances)
        self.notes.problems.clear()
        self.notes.imbalances.clear()
        return result

    def finish(self) -> Batch:
        """Note what is still open at the file's end."""
        envelope.close(self.envelope, self.notes, Kind.ISA)
        remittances.settle(self.payment, self.notes)
        state = self.envelope
        if not state.transactions and not self.tally.refusal:
            refused = next(iter(state.refusals), "The file holds no transaction (ST).")
            self.tally.refusal = refused
        return self.noted()


def batches(
    path: Path, source_file: str | None = None, tally: Tally | None = None, chunk_bytes: int = CHUNK
) -> Iterator[Batch]:
    """Yield tables (SCHEMAS) by name, those that hold rows, until the file's end; content never raises.

    AuditError: the system cannot read the file. A file of which nothing can be read gives `problem` rows only, and
    the tally's `refusal`.
    """
    source_file = source_file or path.name
    tally = Tally() if tally is None else tally
    tally.envelope = Envelope(source_file)
    reading = _File(source_file, tally)
    try:
        with path.open("rb") as file:
            for marks, piece, last in scan.pieces(file, chunk_bytes):
                if marks is None:
                    tally.refusal = no_isa(piece)
                    reading.notes.problem(np.array([1]), "not_x12", tally.refusal)
                    break
                batch = reading.batch(marks, piece, last=last)
                if batch:
                    yield batch
    except OSError as error:
        raise unreadable(source_file, error) from error
    batch = reading.finish()
    if batch:
        yield batch


def inspect(path: Path, source_file: str | None = None, most: int = 1000) -> Inspection:
    """Read a whole file and say what it holds; `most` problems and imbalances are given, all are counted."""
    tally = Tally()
    problems: list[dict[str, Any]] = []
    imbalances: list[dict[str, Any]] = []
    for batch in batches(path, source_file, tally):
        for name, kept in (("problem", problems), ("imbalance", imbalances)):
            if name in batch and len(kept) < most:
                kept.extend(batch[name].drop_columns(["source_file"]).slice(0, most - len(kept)).to_pylist())
    state = tally.envelope
    return Inspection(
        kind="+".join(state.kinds),
        version="+".join(state.versions),
        sender="+".join(list(state.senders)[:9]),
        receiver="+".join(list(state.receivers)[:9]),
        interchanges=state.interchanges,
        groups=state.groups,
        transactions=state.transactions,
        segments=tally.segments,
        claims=tally.claims,
        lines=tally.lines,
        services=tally.services,
        adjustments=tally.adjustments,
        plb=tally.plb,
        charge_total=Decimal(tally.charge_cents) / 100,
        paid_total=Decimal(tally.paid_cents) / 100,
        refusal=tally.refusal,
        problems=tuple(problems),
        problem_count=tally.problems,
        imbalances=tuple(imbalances),
        imbalance_count=tally.imbalances,
    )


def looks_like_x12(head: bytes) -> bool:
    """Say whether a file's first bytes are those of an X12 interchange, readable or not."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:3] == b"ISA"


def no_isa(head: bytes) -> str:
    """Say what is wrong with a file whose first bytes hold no ISA that can be read."""
    if looks_like_x12(head):
        return "The ISA segment is cut or garbled: the delimiters cannot be read from it."
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "The file is text in UTF-16, which X12 is not."
    if head.startswith((b"\x1f\x8b", b"PK\x03\x04")):
        return "The file is compressed; unpack it first."
    return "The file does not begin with an ISA segment: it is no X12 interchange, or its begin is missing."


def _of_kind(segments: Segments, runs: list[tuple[int, str]], kind: str) -> Segments:
    """Return the segments of the transactions of one kind."""
    if len(runs) == 1:
        return segments
    edges = [*(begin for begin, _ in runs), len(segments)]
    rows: Ints = np.concatenate([np.arange(edges[n], edges[n + 1]) for n, run in enumerate(runs) if run[1] == kind])
    return segments.chosen(rows, int(np.searchsorted(rows, segments.new)))


def _boundary(segments: Segments, run: tuple[int, str]) -> int:
    """Return the last segment before which a buffer can be cut, or NONE: what follows needs no more than the context.

    `run` is the last one, of a kind that is read.
    """
    kind = segments.kind
    cut = (kind <= ENVELOPE_LAST) | (_OF_CLAIMS if run[1] == CLAIMS else _OF_REMITTANCES)[kind]
    cut[: max(segments.new + 1, run[0])] = False
    at = np.flatnonzero(cut)
    return int(at[-1]) if len(at) else NONE
