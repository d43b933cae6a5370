"""837P: segments of one buffer to claim lines. Loops are told apart by the last segment that begins one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from therapy_audit.intake.x12.scan import ENVELOPE_LAST, Kind
from therapy_audit.intake.x12.slices import (
    NONE,
    Numbers,
    Spans,
    amounts_of,
    components,
    dates,
    day_ranges,
    days,
    either,
    elements,
    filled,
    first_of,
    is_one_of,
    keys,
    kinds,
    lists,
    money,
    numbers,
    places,
    strings,
    sums,
    taken,
    upper,
    whole,
)
from therapy_audit.intake.x12.tables import table

if TYPE_CHECKING:
    from therapy_audit.intake.x12.scan import Flags, Ints, Segments, Small
    from therapy_audit.intake.x12.slices import Notes

# The loop that a segment is in.
OUTSIDE, BILLING, SUBSCRIBER, PATIENT, CLAIM, OTHER_PAYER, LINE, ADJUDICATION = range(8)
_OF_CLAIM_OR_SUBSCRIBER = kinds(Kind.HI, Kind.SBR, Kind.PAT)
_CODE_LENGTH, _LETTERS, _NINE = 5, 26, 9
_DIAGNOSES = ("ABK", "BK", "ABF", "BF")


@dataclass(frozen=True)
class Loops:
    """The loop of every segment, and the places where loops begin."""

    loop: Small
    billing: Ints
    subscriber: Ints
    patient: Ints
    claim: Ints
    line_number: Ints  # of every segment: how many lines have begun so far in the buffer
    broken: Flags | None  # in a claim's lines, after segments that cannot be there: a CLM or HL was lost


@dataclass(frozen=True)
class Context:
    """Of each claim: where its billing, subscriber and patient loops are, by their ordinals, or NONE."""

    billing: Ints
    subscriber: Ints
    patient: Ints


def loops(segments: Segments) -> Loops:
    """Find each segment's loop.

    Where the segment that begins a loop was lost, the loop begins with the next one that can only be in it; the lines
    that then follow without a CLM of their own belong to no claim.
    """
    kind = segments.kind
    size = len(kind)
    begins = np.zeros(size, np.uint8)
    base: Flags = (kind <= ENVELOPE_LAST) | (kind == Kind.HL) | (kind == Kind.CLM)
    begins[kind == Kind.CLM] = CLAIM
    levels = segments.of(Kind.HL)
    level = keys(elements(segments, levels, 3))
    for text, begun in (("20", BILLING), ("22", SUBSCRIBER), ("23", PATIENT)):
        begins[levels[is_one_of(level, text)]] = begun

    in_claim = filled(begins, base, OUTSIDE) == CLAIM
    lines = _line_begins(kind, base) & in_claim
    begins[lines] = LINE
    loop = filled(begins, base | lines, OUTSIDE)
    names = segments.of(Kind.NM1)
    entity = np.zeros(size, np.uint64)
    entity[names] = keys(elements(segments, names, 1))

    broken = None
    breaks = _breaks(segments, loop, lines, entity)
    if len(breaks):
        marks = np.zeros(size, np.uint8)
        marks[breaks] = 1
        broken = filled(marks, base | (marks > 0), 0) > 0
        breaks = breaks[~np.concatenate([[False], broken[:-1] & ~base[1:]])[breaks]]  # the first of each claim
        lines &= ~broken
        loop = np.where(broken, OUTSIDE, loop)

    other_payer = (kind == Kind.SBR) & (loop == CLAIM)
    adjudication = (kind == Kind.SVD) & (loop == LINE)
    begins[other_payer], begins[adjudication] = OTHER_PAYER, ADJUDICATION
    events = base | lines | other_payer | adjudication
    if len(breaks):
        begins[breaks] = OUTSIDE
        events[breaks] = True
    # loops whose HL was lost
    member, patient, biller = (is_one_of(entity, code) for code in ("IL", "QC", "85"))
    lost = (loop == OUTSIDE) & (kind != Kind.HL)
    relation = (kind == Kind.PAT) & ((loop == SUBSCRIBER) | lost)
    if relation.any():
        at = np.flatnonzero(relation)
        relation[at] = elements(segments, at, 1).given
    for where, begun in (
        (lost & biller, BILLING),
        ((lost | (loop == BILLING)) & ((kind == Kind.SBR) | member), SUBSCRIBER),
        (((lost | (loop == SUBSCRIBER)) & patient) | relation, PATIENT),
    ):
        first = _first_of_each(np.flatnonzero(where), kind, base)
        begins[first] = begun
        events[first] = True
    final = filled(begins, events, OUTSIDE)
    return Loops(
        final,
        np.flatnonzero(events & (begins == BILLING)),
        np.flatnonzero(events & (begins == SUBSCRIBER)),
        np.flatnonzero(events & (begins == PATIENT)),
        segments.of(Kind.CLM),
        np.cumsum(lines),
        broken,
    )


def _first_of_each(at: Ints, kind: Small, base: Flags) -> Ints:
    """Leave out the name that follows the SBR or PAT with which its loop has begun."""
    if not len(at):
        return at
    group = np.cumsum(base)[at]
    named = kind[at] == Kind.NM1
    follows = np.concatenate([[False], ~named[:-1] & (group[1:] == group[:-1])])
    return np.asarray(at[~(named & follows)])


def _line_begins(kind: Small, base: Flags) -> Flags:
    """Say where lines begin: at each LX, and at an SV1 that has no LX of its own."""
    result: Flags = kind == Kind.LX
    steps = np.flatnonzero(base | result | (kind == Kind.SV1))
    alone = kind[steps] == Kind.SV1
    alone[1:] &= kind[steps[:-1]] != Kind.LX
    result[steps[alone]] = True
    return result


def _breaks(segments: Segments, loop: Small, lines: Flags, entity: Any) -> Ints:
    """Return where, within a claim's lines, something stands that only another claim or subscriber can have."""
    kind = segments.kind
    foreign = _OF_CLAIM_OR_SUBSCRIBER[kind]
    foreign |= is_one_of(entity, "IL", "QC", "85", "87", "40", "41")
    foreign &= loop == LINE
    at = segments.those(Kind.LX, lines)
    counter = numbers(elements(segments, at, 1))
    claims = segments.of(Kind.CLM)
    claim = np.searchsorted(claims, at)
    again = (claim[1:] == claim[:-1]) & counter.known[1:] & counter.known[:-1]
    foreign[at[1:][again & (counter.value[1:] < counter.value[:-1])]] = True
    foreign[_beyond_charge(segments, loop, lines, claims)] = True
    return np.flatnonzero(foreign)


def _beyond_charge(segments: Segments, loop: Small, lines: Flags, claims: Ints) -> Ints:
    """Return the lines that are billed after a claim's charge is used up: those of a claim whose begin was lost."""
    billed = segments.those(Kind.SV1, loop == LINE)
    if not len(billed):
        return billed
    own = np.searchsorted(claims, billed) - 1
    charge = amounts_of(segments, billed, 2)
    total = amounts_of(segments, claims, 2)
    so_far = np.cumsum(charge.value) - charge.value
    begins = np.concatenate([[True], own[1:] != own[:-1]])
    before = so_far - so_far[begins][np.cumsum(begins) - 1]
    beyond = (before == total.value[own]) & total.known[own] & (before != 0) & (charge.value != 0)
    at = np.flatnonzero(lines)
    return np.asarray(at[np.searchsorted(at, billed[beyond], "right") - 1])


def context(segments: Segments, found: Loops) -> Ints:
    """Return what later claims may need: the last BHT, the last billing, subscriber and patient loops."""
    begun = _begun(segments, np.array([len(segments)]))
    parts = [begun[begun >= 0]]
    after = NONE
    for begins, loop in ((found.billing, BILLING), (found.subscriber, SUBSCRIBER), (found.patient, PATIENT)):
        if not len(begins) or begins[-1] < after:
            continue
        after = int(begins[-1])
        ends = np.flatnonzero(found.loop[after:] != loop)
        parts.append(np.arange(after, after + int(ends[0]) if len(ends) else len(segments)))
    return np.asarray(np.concatenate(parts))


def _begun(segments: Segments, rows: Ints) -> Ints:
    """Return the BHT of the transaction that each of these segments is in, or NONE."""
    headers, begins = segments.of(Kind.BHT), segments.of(Kind.ST)
    if not len(headers):
        return np.full(len(rows), NONE, np.int64)
    place = np.searchsorted(headers, rows) - 1
    header = np.where(place < 0, NONE, headers[place])
    transaction = np.searchsorted(begins, rows) - 1
    begin = begins[transaction] if len(begins) else np.full(len(rows), NONE, np.int64)
    return np.where((transaction >= 0) & (begin > header), NONE, header)


def _contexts(found: Loops) -> Context:
    billing, subscriber, patient = (
        np.searchsorted(begins, found.claim) - 1 for begins in (found.billing, found.subscriber, found.patient)
    )
    billing_at = _places(found.billing, billing)
    subscriber_at = _places(found.subscriber, subscriber)
    subscriber[subscriber_at < billing_at] = NONE
    patient[(_places(found.patient, patient) < subscriber_at) | (_places(found.patient, patient) < billing_at)] = NONE
    return Context(billing, subscriber, patient)


def _places(begins: Ints, ordinals: Ints) -> Ints:
    if not len(begins):
        return np.full(len(ordinals), NONE, np.int64)
    return np.where(ordinals < 0, NONE, begins[ordinals])


def tables(
    segments: Segments, found: Loops, source_file: str, named: set[str], notes: Notes
) -> tuple[dict[str, pa.Table], dict[str, int]]:
    """Return the tables claim_line and provider, and counts. `named` holds the NPIs that the file has named so far."""
    kind, loop = segments.kind, found.loop
    claim = found.claim
    claim_ordinal = np.cumsum(kind == Kind.CLM) - 1
    services = segments.those(Kind.SV1, loop == LINE)
    of_claim = claim_ordinal[services]
    segments.spread(services, 7)
    segments.spread(claim, 5)
    line_row = first_of(found.line_number[services], np.arange(len(services)), int(found.line_number[-1:].sum()) + 1)
    _structure(segments, found, of_claim, line_row, notes)

    entity, names, of_loop = _names(segments, loop)

    def at_line(rows: Ints) -> Ints:
        """First of these segments for each line."""
        return first_of(line_row[found.line_number[rows]], rows, len(services))

    def at_claim(rows: Ints) -> Ints:
        """First of these segments for each claim."""
        return first_of(claim_ordinal[rows], rows, len(claim))

    def provider(code: str) -> tuple[Ints, Ints]:
        """Return a provider's NM1 for each claim and each line."""
        these = is_one_of(entity, code)
        return at_claim(names[these & (of_loop == CLAIM)]), at_line(names[these & (of_loop == LINE)])

    around = _contexts(found)
    claims = _claim_columns(segments, found, around, entity, names, of_loop, notes)
    references = segments.of(Kind.REF)
    qualifier, reference_loop = keys(elements(segments, references, 1)), loop[references]

    def reference(code: str, where: int) -> Ints:
        return np.asarray(references[is_one_of(qualifier, code) & (reference_loop == where)])

    authorization = at_line(_own_authorizations(found, reference("G1", LINE), reference("6R", LINE)))
    charge, charge_table = _balance(segments, claim, services, of_claim, notes)

    procedure = elements(segments, services, 1)
    parts = components(procedure, 6)
    is_hcpcs = is_one_of(keys(parts[0]), "HC")
    missing = ~(is_hcpcs & _are_codes(parts[1]))
    sentence = "SV101 holds no HCPCS code (qualifier HC, five letters or digits)."
    notes.problem(segments.number[services[missing]], "procedure", sentence)
    code = Spans(segments, parts[1].start, np.where(missing, parts[1].start, parts[1].end))
    units, minutes = _quantities(segments, services, notes)
    begins, ends = _service_dates(segments, found, services, of_claim, at_line, at_claim, notes)

    billing_npi = taken(claims["billing_npi"], of_claim)
    person = taken(claims["billing_person_npi"], of_claim)

    def provider_column(code: str, otherwise: pa.Array = None) -> pa.Array:
        """Return the NPI that the line names, else its claim; none where a provider is named without."""
        of_claims, of_lines = provider(code)
        by_claim = strings(_npi(segments, of_claims))
        by_line = strings(_npi(segments, of_lines))
        column = either(by_line, taken(by_claim, of_claim))
        if otherwise is not None:
            column = either(column, otherwise)
        unnumbered = (of_lines >= 0) & np.asarray(pc.is_null(by_line))
        claim_unnumbered = ((of_claims >= 0) & np.asarray(pc.is_null(by_claim)))[of_claim]
        unnumbered |= (of_lines < 0) & claim_unnumbered
        return pc.if_else(pa.array(unnumbered), pa.scalar(None, pa.string()), column) if unnumbered.any() else column

    columns: dict[str, Any] = {
        "claim_line_number": _line_numbers(segments, found, services, of_claim),
        "service_date": dates(begins),
        "service_date_to": dates(ends),
        "hcpcs_code": upper(code),
        "modifiers": lists(parts[2:]),
        "units": whole(units),
        "minutes": whole(minutes),
        "charge_amount": money(charge),
        "rendering_npi": provider_column("82", person),
        "billing_npi": billing_npi,
        "supervising_npi": provider_column("DQ"),
        "facility_npi": provider_column("77"),
        "place_of_service": either(upper(elements(segments, services, 5)), taken(claims["place_of_service"], of_claim)),
        "diagnosis_codes": _pointed(segments, found, services, of_claim, claim_ordinal, notes),
        "prior_authorization": either(
            strings(elements(segments, authorization, 2)),
            taken(strings(elements(segments, at_claim(reference("G1", CLAIM)), 2)), of_claim),
        ),
        "line_control_number": strings(elements(segments, at_line(reference("6R", LINE)), 2)),
        "original_claim_id": taken(strings(elements(segments, at_claim(reference("F8", CLAIM)), 2)), of_claim),
        "claim_charge_amount": taken(charge_table, of_claim),
        "claim_row": segments.number[claim[of_claim]],
        "source_row": segments.number[services],
    }
    of_claims = ("claim_id", "patient_id", "subscriber_id", "payer", "payer_id", "claim_frequency_code")
    for name in (*of_claims, "submitted_date"):
        columns[name] = taken(claims[name], of_claim)
    result = {"claim_line": table("claim_line", source_file, columns)} if len(services) else {}
    result |= _providers(segments, names, entity, of_loop, named, source_file)
    charge_total = pc.sum(charge_table).as_py()
    counts = {
        "claims": len(claim),
        "lines": len(services),
        "charge_cents": int(charge_total * 100) if charge_total is not None else 0,
    }
    return result, counts


def _structure(segments: Segments, found: Loops, of_claim: Ints, line_row: Ints, notes: Notes) -> None:
    """Note claims without lines, lines without services, services outside claims, loops whose HL was lost."""
    kind, number = segments.kind, segments.number
    without = np.ones(len(found.claim), bool)
    without[of_claim] = False
    notes.problem(number[found.claim[without]], "claim_without_line", "The claim has no service line that can be read.")
    begun = segments.those(Kind.LX, found.loop == LINE)
    notes.problem(number[begun[line_row[found.line_number[begun]] < 0]], "line_without_service", "The line has no SV1.")
    stray = np.flatnonzero((kind == Kind.SV1) & (found.loop != LINE))
    sentence = "The service line stands outside a claim; a CLM may be missing or garbled before it."
    notes.problem(number[stray], "line_outside_claim", sentence)
    for begins, name in ((found.billing, "billing"), (found.subscriber, "subscriber"), (found.patient, "patient")):
        lost = begins[(kind[begins] != Kind.HL) & (begins >= segments.new)]
        sentence = f"The {name} loop that begins here has no HL before it that can be read."
        notes.problem(number[lost], "missing_hl", sentence)


def _are_codes(spans: Spans) -> Flags:
    """Say which values are five letters or digits."""
    word = keys(spans)
    fine: Flags = spans.end - spans.start == _CODE_LENGTH
    for k in range(_CODE_LENGTH):
        letter = ((word >> np.uint64(8 * k)) & np.uint64(0xFF)).astype(np.uint8)
        fine &= ((letter | np.uint8(0x20)) - np.uint8(ord("a")) < _LETTERS) | (letter - np.uint8(ord("0")) <= _NINE)
    return fine


def _names(segments: Segments, loop: Small) -> tuple[Any, Ints, Small]:
    names = segments.of(Kind.NM1)
    return keys(elements(segments, names, 1)), names, loop[names]


def _npi(segments: Segments, rows: Ints) -> Spans:
    """Return NM109 where NM108 says that it is an NPI."""
    identifier = elements(segments, rows, 9)
    not_npi = ~is_one_of(keys(elements(segments, rows, 8)), "XX")
    return Spans(segments, identifier.start, np.where(not_npi, identifier.start, identifier.end))


def _claim_columns(
    segments: Segments, found: Loops, around: Context, entity: Any, names: Ints, of_loop: Small, notes: Notes
) -> dict[str, pa.Array]:
    """Return what each claim says itself, and what it has from the loops around it."""
    claim, number = found.claim, segments.number
    claim_id = elements(segments, claim, 1)
    notes.problem(number[claim[~claim_id.given]], "claim_id", "CLM01 is empty: the claim has no number.")
    place = components(elements(segments, claim, 5), 3)

    def named(code: str, loop: int, begins: Ints) -> Ints:
        """Return the NM1 of this code for each loop that begins at these places."""
        rows = names[is_one_of(entity, code) & (of_loop == loop)]
        return first_of(np.searchsorted(begins, rows, "right") - 1, rows, len(begins))

    biller = named("85", BILLING, found.billing)
    member = named("IL", SUBSCRIBER, found.subscriber)
    payer = named("PR", SUBSCRIBER, found.subscriber)
    dependent = named("QC", PATIENT, found.patient)
    subscriber_id = taken(strings(elements(segments, member, 9)), around.subscriber)
    npi = strings(_npi(segments, biller))
    is_person = pa.array(is_one_of(keys(elements(segments, biller, 2)), "1"))
    person_npi = pc.if_else(is_person, npi, pa.scalar(None, pa.string()))
    births = segments.those(Kind.DMG, found.loop == PATIENT)
    birth = first_of(np.searchsorted(found.patient, births, "right") - 1, births, len(found.patient))
    patient_id = _patient_ids(segments, dependent, birth, subscriber_id, around.patient)
    missing = np.asarray(pc.is_null(patient_id))
    sentence = "The claim's subscriber has no member number (NM1*IL, NM109): whose claim it is cannot be said."
    notes.problem(number[claim[missing]], "patient_id", sentence)
    no_biller = np.asarray(pc.is_null(taken(npi, around.billing)))
    sentence = "The claim's billing provider has no NPI (NM1*85, NM108 XX)."
    notes.problem(number[claim[no_biller]], "billing_npi", sentence)
    return {
        "claim_id": strings(claim_id),
        "patient_id": patient_id,
        "subscriber_id": subscriber_id,
        "payer": taken(strings(elements(segments, payer, 3)), around.subscriber),
        "payer_id": taken(strings(elements(segments, payer, 9)), around.subscriber),
        "billing_npi": taken(npi, around.billing),
        "billing_person_npi": taken(person_npi, around.billing),
        "place_of_service": upper(place[0]),
        "submitted_date": dates(days(elements(segments, _begun(segments, claim), 4))),
        "claim_frequency_code": upper(place[2]),
    }


def _patient_ids(segments: Segments, dependent: Ints, birth: Ints, subscriber_id: pa.Array, patient: Ints) -> pa.Array:
    """Return each claim's patient: the subscriber, or a dependent.

    A dependent has the subscriber's number: a hash of name and birth date tells those of a family apart.
    """
    if not (patient >= 0).any():
        return subscriber_id
    own = strings(elements(segments, dependent, 9))
    digest = np.full(len(dependent), 0xCBF29CE484222325, np.uint64)
    for rows, k in ((dependent, 3), (dependent, 4), (dependent, 5), (birth, 2)):
        digest = _hashed(digest, elements(segments, rows, k))
    halves = (digest ^ (digest >> np.uint64(32))).astype(np.uint32).byteswap().view(np.uint8).reshape(-1, 4)
    letters = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.stack([letters[halves >> 4], letters[halves & 15]], axis=2).reshape(-1, 8)
    offsets = pa.py_buffer(np.arange(0, text.size + 1, 8, dtype=np.int32))
    suffix = taken(pa.StringArray.from_buffers(len(text), offsets, pa.py_buffer(text.tobytes())), patient)
    known = taken(pa.array(elements(segments, dependent, 3).given | elements(segments, birth, 2).given), patient)
    made = pc.if_else(known, pc.binary_join_element_wise(subscriber_id, suffix, "-"), pa.scalar(None, pa.string()))
    is_dependent = pa.array(patient >= 0)
    return pc.if_else(is_dependent, either(taken(own, patient), made), subscriber_id)


def _hashed(digest: Any, spans: Spans) -> Any:
    """Continue an FNV-1a hash with each value's bytes, in upper case, and an end mark."""
    prime = np.uint64(0x100000001B3)
    letters = spans.source.letters
    width = spans.end - spans.start
    for k in range(int(width.max(initial=0))):
        letter = letters[np.minimum(spans.start + k, len(letters) - 1)]
        letter = np.where((letter >= 97) & (letter <= 122), letter - np.uint8(32), letter)
        digest = np.where(k < width, (digest ^ letter) * prime, digest)
    return (digest ^ np.uint64(0x1F)) * prime


def _balance(segments: Segments, claim: Ints, services: Ints, of_claim: Ints, notes: Notes) -> tuple[Numbers, pa.Array]:
    """Return the lines' charges and the claims'; note where a claim's lines do not add up to it."""
    number = segments.number
    charge = amounts_of(segments, services, 2)
    notes.problem(number[services[~charge.known]], "charge", "SV102 is not an amount.")
    total = amounts_of(segments, claim, 2)
    notes.problem(number[claim[~total.known]], "claim_charge", "CLM02 is not an amount.")
    count = len(claim)
    unread = sums(of_claim, (~charge.known).astype(np.int64), count)
    lines = sums(of_claim, np.ones(len(services), np.int64), count)
    added = sums(of_claim, charge.value, count)
    differs = np.flatnonzero(total.known & (unread == 0) & (lines > 0) & (added != total.value))
    notes.imbalance(number[claim[differs]], "claim_charge", "CLM02, SV102", total.value[differs], added[differs])
    return charge, money(total)


def _quantities(segments: Segments, services: Ints, notes: Notes) -> tuple[Numbers, Numbers]:
    number = segments.number
    quantity = numbers(elements(segments, services, 4))
    unit = keys(elements(segments, services, 3))
    is_unit, is_minute = is_one_of(unit, "UN"), is_one_of(unit, "MJ")
    neither = ~(is_unit | is_minute)
    notes.problem(number[services[neither]], "unit", "SV103 is neither UN (units) nor MJ (minutes).")
    notes.problem(number[services[~quantity.known & ~neither]], "units", "SV104 is not a whole number.")
    return (
        Numbers(quantity.value, quantity.known & is_unit, quantity.bad),
        Numbers(quantity.value, quantity.known & is_minute, quantity.bad),
    )


def _service_dates(
    segments: Segments, found: Loops, services: Ints, of_claim: Ints, at_line: Any, at_claim: Any, notes: Notes
) -> tuple[Numbers, Numbers]:
    """Return first and last day of each line: its own DTP*472, else its claim's."""
    stated = segments.of(Kind.DTP)
    stated = stated[is_one_of(keys(elements(segments, stated, 1)), "472")]
    where = found.loop[stated]
    rows = at_line(stated[where == LINE])
    of_claims = at_claim(stated[where == CLAIM])
    rows = np.where(rows < 0, of_claims[of_claim], rows) if len(of_claims) else rows
    form = keys(elements(segments, rows, 2))
    value = elements(segments, rows, 3)
    single = days(value)
    first, last = day_ranges(value)
    is_range, is_day = is_one_of(form, "RD8"), is_one_of(form, "D8")
    begins = Numbers(
        np.where(is_range, first.value, single.value), np.where(is_range, first.known, single.known & is_day), first.bad
    )
    ends = Numbers(
        np.where(is_range, last.value, single.value), np.where(is_range, last.known, single.known & is_day), last.bad
    )
    missing = rows < 0
    number = segments.number
    notes.problem(number[services[missing]], "no_service_date", "The line has no service date (DTP*472).")
    bad = ~missing & ~(begins.known & ends.known)
    sentence = "The service date (DTP*472) is not a date YYYYMMDD (D8) or a range of two in order (RD8)."
    notes.problem(number[services[bad]], "service_date", sentence)
    return begins, ends


def _line_numbers(segments: Segments, found: Loops, services: Ints, of_claim: Ints) -> Any:
    """Return LX01 where a claim's ascend, else each line's place within its claim."""
    begun = segments.those(Kind.LX, found.loop == LINE)
    number_of_line = int(found.line_number[-1:].sum()) + 1
    counter = numbers(elements(segments, first_of(found.line_number[begun], begun, number_of_line), 1))
    stated = counter.value[found.line_number[services]]
    usable = counter.known[found.line_number[services]] & (stated > 0)
    usable[1:] &= (of_claim[1:] != of_claim[:-1]) | (stated[1:] > stated[:-1])
    unusable = np.zeros(int(of_claim.max(initial=-1)) + 1, bool)
    unusable[of_claim[~usable]] = True
    place = places(of_claim)
    return pa.array(np.where(unusable[of_claim], place, stated).astype(np.int32))


def _own_authorizations(found: Loops, authorizations: Ints, controls: Ints) -> Ints:
    """Leave out, where a claim is broken off, an authorization after the line's control number.

    It may be that of the claim whose CLM was lost.
    """
    if found.broken is None or not len(authorizations):
        return authorizations
    begin = np.flatnonzero(np.diff(found.broken.astype(np.int8), prepend=0) == 1)
    lines_broken = found.line_number[np.maximum(begin - 1, 0)]
    control = first_of(found.line_number[controls], controls, int(found.line_number[-1]) + 1)
    line = found.line_number[authorizations]
    after = (control[line] >= 0) & (authorizations > control[line])
    return authorizations[~(np.isin(line, lines_broken) & after)]


def _pointed(
    segments: Segments, found: Loops, services: Ints, of_claim: Ints, claim_ordinal: Ints, notes: Notes
) -> pa.Array:
    """Return each line's diagnosis codes: those that SV107 points to, else all of its claim."""
    health = segments.those(Kind.HI, found.loop == CLAIM)
    counts = segments.last[health] - segments.first[health] - 1
    row = np.repeat(health, counts)
    k = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    qualifier, code = components(elements(segments, row, k), 2)
    kept = is_one_of(keys(qualifier), *_DIAGNOSES)
    empty_code = kept & ~code.given
    sentence = "HI names a diagnosis without its code."
    notes.problem(np.unique(segments.number[row[empty_code]]), "diagnosis", sentence)
    owner = claim_ordinal[row[kept]]
    pool = upper(code.chosen(kept))
    edges = np.searchsorted(owner, np.arange(len(found.claim) + 1))

    value, given, known = _pointers(elements(segments, services, 7))
    begin, end = edges[of_claim][:, None], edges[of_claim + 1][:, None]
    index = begin + value - 1
    fine = given & known & (value >= 1) & (index < end)
    wrong = (given & ~fine).any(axis=1)
    sentence = "SV107 points to a diagnosis that the claim does not have."
    notes.problem(segments.number[services[wrong]], "diagnosis_pointer", sentence)
    without: Flags = np.asarray(~given.any(axis=1))
    per_line = fine.sum(axis=1)
    flat = index[fine]
    if without.any():
        every = (end - begin)[:, 0]
        counts = np.where(without, every, per_line)
        offset = np.cumsum(counts) - counts
        flat_all = np.empty(int(counts.sum()), np.int64)
        line = np.repeat(np.arange(len(services)), counts)
        place = np.arange(len(flat_all)) - offset[line]
        flat_all[~without[line]] = flat
        flat_all[without[line]] = (begin[:, 0][line] + place)[without[line]]
        flat, per_line = flat_all, counts
    offsets = np.concatenate([[0], np.cumsum(per_line)]).astype(np.int32)
    chosen = pool.take(pa.array(flat))
    if chosen.null_count:  # a diagnosis without its code: noted above
        keep = np.asarray(pc.is_valid(chosen))
        offsets = np.concatenate([[0], np.cumsum(keep)])[offsets].astype(np.int32)
        chosen = chosen.drop_null()
    return pa.ListArray.from_arrays(pa.array(offsets), chosen)


def _pointers(spans: Spans) -> tuple[Ints, Flags, Flags]:
    """Read up to four pointers of each line: their values, which are given, which of those are numbers."""
    word = keys(spans)
    letters = [(word >> np.uint64(8 * k)) & np.uint64(0xFF) for k in range(8)]
    digits = np.stack(letters[0::2], axis=1)
    given: Flags = np.asarray(digits != 0)
    mark = np.uint64(spans.source.delimiters.component[0])
    simple = ~given | ((digits >= ord("1")) & (digits <= ord("9")))
    plain = simple.all() and (spans.end - spans.start < 8).all() and not letters[7].any()
    # one digit each, with a mark before every one but the first
    if plain and all(((letters[k] == mark) | (letters[k] == 0)).all() for k in (1, 3, 5)):
        return np.where(given, digits.astype(np.int64) - ord("0"), 0), given, given
    parts = components(spans, 4)
    parsed = [numbers(part) for part in parts]
    return (
        np.stack([part.value for part in parsed], axis=1),
        np.stack([part.given for part in parts], axis=1),
        np.stack([part.known for part in parsed], axis=1),
    )


def _providers(
    segments: Segments, names: Ints, entity: Any, of_loop: Small, named: set[str], source_file: str
) -> dict[str, pa.Table]:
    """Return the providers that the file has not named before."""
    roles = is_one_of(entity, "85") & (of_loop == BILLING)
    roles |= is_one_of(entity, "82", "DQ", "77") & ((of_loop == CLAIM) | (of_loop == LINE))
    rows = names[roles & (names >= segments.new)]
    npis = strings(_npi(segments, rows)).dictionary_encode()
    indices, count = npis.indices.fill_null(NONE).to_numpy().astype(np.int64), len(npis.dictionary)
    at = _taxonomies(segments, rows)
    specialised = first_of(indices[at != NONE], rows[at != NONE], count)
    first = np.where(specialised == NONE, first_of(indices, rows, count), specialised)
    # An NPI that is named with its taxonomy is one more, by a mark that no NPI has.
    texts = [
        text + ("" if place == NONE else "*")
        for text, place in zip(npis.dictionary.to_pylist(), specialised.tolist(), strict=True)
    ]
    fresh = [n for n, text in enumerate(texts) if text not in named and text + "*" not in named]
    if not fresh:
        return {}
    named.update(texts[n] for n in fresh)
    rows = first[fresh]
    surname, given = strings(elements(segments, rows, 3)), strings(elements(segments, rows, 4))
    full = pc.binary_join_element_wise(given, surname, " ", null_handling="skip")
    columns: dict[str, Any] = {
        "npi": pa.array([texts[n].removesuffix("*") for n in fresh], pa.string()),
        "provider_name": pc.if_else(pc.equal(full, ""), pa.scalar(None, pa.string()), full),
        "taxonomy_code": upper(elements(segments, _taxonomies(segments, rows), 3)),
        "source_row": segments.number[rows],
    }
    return {"provider": table("provider", source_file, columns)}


def _taxonomies(segments: Segments, rows: Ints) -> Ints:
    """Return the PRV with the taxonomy code (PXC) of each of these names: after it, of a billing provider before it."""
    found = segments.of(Kind.PRV)
    found = found[is_one_of(keys(elements(segments, found, 2)), "PXC")]
    if not len(found):
        return np.full(len(rows), NONE, np.int64)
    bills = is_one_of(keys(elements(segments, found, 1)), "BI")
    own = np.where(bills, found + 1, found - 1)
    place = np.searchsorted(own, rows)
    place[place == len(own)] = 0
    return np.where(own[place] == rows, found[place], NONE)
