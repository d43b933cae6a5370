"""835: segments of one buffer to payments, their claims, services and adjustments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from therapy_audit.intake.x12.scan import Kind
from therapy_audit.intake.x12.slices import (
    NONE,
    Numbers,
    Spans,
    amounts,
    amounts_of,
    cents,
    components,
    dates,
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
OUTSIDE, HEADER, CLAIM, SERVICE, PROVIDER = range(5)
_HEADER_ONLY = kinds(Kind.BPR, Kind.TRN, Kind.N1)
_IN_HEADER = kinds(Kind.BPR, Kind.TRN, Kind.N1, Kind.DTM, Kind.REF)
_BEGINS = kinds(Kind.ISA, Kind.GS, Kind.ST, Kind.SE, Kind.GE, Kind.IEA, Kind.CLP, Kind.PLB, Kind.LX, Kind.TS3, Kind.TS2)
_CLAIM_ONLY = kinds(Kind.NM1, Kind.MIA, Kind.MOA)
_PROCEDURES = ("HC", "AD")
_QUANTITY = pa.decimal128(12, 2)


@dataclass(frozen=True)
class Loops:
    """The loop of every segment, and where payments, claims and services begin."""

    loop: Small
    payment: Ints
    claim: Ints
    service: Ints


@dataclass
class Payment:
    """The payment that a buffer's end may leave open: what must be known when the next buffer goes on with it."""

    number: int = 0  # of the file's transactions, the last one that was begun
    claims: int = 0
    lines: int = 0
    paid: int = 0  # cents: CLP04 so far
    withheld: int = 0  # cents: PLB so far
    adjustments: int = 0  # of PLB
    row: int = 0  # segment number of its header
    stated: int | None = None  # cents: BPR02


def loops(segments: Segments) -> Loops:
    """Find each segment's loop. A claim whose segments go on after its services with those of a claim has ended."""
    kind = segments.kind
    begins = np.zeros(len(kind), np.uint8)
    base: Flags = _BEGINS[kind]
    for code, begun in ((Kind.ST, HEADER), (Kind.CLP, CLAIM), (Kind.PLB, PROVIDER)):
        begins[kind == code] = begun
    headers = _lost_headers(kind, filled(begins, base, OUTSIDE))
    begins[headers] = HEADER
    base[headers] = True
    services = (kind == Kind.SVC) & (filled(begins, base, OUTSIDE) == CLAIM)
    begins[services] = SERVICE
    events = base | services
    loop = filled(begins, events, OUTSIDE)

    foreign = _CLAIM_ONLY[kind] & (loop == SERVICE)
    stated = np.flatnonzero((kind == Kind.DTM) & (loop == SERVICE))
    foreign[stated[is_one_of(keys(elements(segments, stated, 1)), "232", "233", "050", "036")]] = True
    foreign[_beyond_charge(segments, loop)] = True
    if foreign.any():
        marks = foreign.astype(np.uint8)
        broken = filled(marks, base | foreign, 0) > 0
        services &= ~broken
        loop = np.where(broken, OUTSIDE, loop)
    loop = _without_adjustments_of_the_next(segments, loop)
    payment = np.sort(np.concatenate([segments.of(Kind.ST), headers]))
    return Loops(loop, payment, segments.of(Kind.CLP), segments.those(Kind.SVC, services))


def _lost_headers(kind: Small, loop: Small) -> Ints:
    """Return where a payment's header begins without its ST: each first BPR, TRN or N1 after something else."""
    at = np.flatnonzero(_HEADER_ONLY[kind] & (loop != HEADER))
    if not len(at):
        return at
    body = np.cumsum(~_IN_HEADER[kind])
    earlier = np.concatenate([[-1], body[at[:-1]]])
    return np.asarray(at[body[at] != earlier])


def _beyond_charge(segments: Segments, loop: Small) -> Ints:
    """Return the services after a claim's charge is used up: those of a claim whose begin was lost."""
    services = segments.those(Kind.SVC, loop == SERVICE)
    if not len(services):
        return services
    claims = segments.of(Kind.CLP)
    own = np.searchsorted(claims, services) - 1
    charge = amounts_of(segments, services, 2)
    total = amounts_of(segments, claims, 3)
    so_far = np.cumsum(charge.value) - charge.value
    begins = np.concatenate([[True], own[1:] != own[:-1]])
    before = so_far - so_far[begins][np.cumsum(begins) - 1]
    beyond = (before == total.value[own]) & total.known[own] & (before != 0) & (charge.value != 0)
    return np.asarray(services[beyond])


def _without_adjustments_of_the_next(segments: Segments, loop: Small) -> Small:
    """Take from a claim's last service the adjustments that come after those that balance it.

    They are those of a claim whose CLP was lost. A service that does not balance at all keeps all of its own.
    """
    services = segments.those(Kind.SVC, loop == SERVICE)
    rows = segments.those(Kind.CAS, (loop == SERVICE) | (loop == CLAIM))
    if not len(rows) or not len(services):
        return loop
    owner, _, _, amount, _ = _reasons(segments, rows)
    at_service = loop[rows] == SERVICE
    of_row = sums(owner, amount.value, len(rows))[at_service]
    rows = rows[at_service]
    if not len(rows):
        return loop
    service = np.searchsorted(services, rows) - 1
    left = amounts_of(segments, services, 2).value - amounts_of(segments, services, 3).value
    up_to = np.cumsum(of_row)
    begins = np.concatenate([[True], service[1:] != service[:-1]])
    up_to = up_to - (up_to - of_row)[begins][np.cumsum(begins) - 1]
    total = sums(service, of_row, len(services))
    next_claim = np.searchsorted(segments.of(Kind.CLP), services)
    is_last = np.concatenate([next_claim[1:] != next_claim[:-1], [True]])
    suspect = is_last & (total != left)
    done = (up_to == left[service]) & suspect[service]
    if not done.any():
        return loop
    after = np.full(len(services), len(loop))
    after[service[done][::-1]] = rows[done][::-1]
    later = rows[rows > after[service]]
    changed = loop.copy()
    changed[later] = OUTSIDE
    remarks = segments.of(Kind.LQ)
    remarks = remarks[loop[remarks] == SERVICE]
    first_later = np.full(len(services), len(loop))
    of_later = np.searchsorted(services, later) - 1
    first_later[of_later[::-1]] = later[::-1]
    changed[remarks[remarks > first_later[np.searchsorted(services, remarks) - 1]]] = OUTSIDE
    return changed


def context(segments: Segments, found: Loops) -> Ints:
    """Return the last payment's header: what its later claims need."""
    if not len(found.payment):
        return np.zeros(0, np.int64)
    begin = int(found.payment[-1])
    ends = np.flatnonzero(found.loop[begin:] != HEADER)
    return np.arange(begin, begin + int(ends[0]) if len(ends) else len(segments))


def _reasons(segments: Segments, rows: Ints) -> tuple[Ints, Spans, Spans, Numbers, Numbers]:
    """Take CAS apart: which of the rows, group, reason, amount and quantity of each trio that holds anything."""
    known = segments.memory.get((id(rows), -1))
    if known is not None:
        return known  # type: ignore[no-any-return]
    counts = (segments.last[rows] - segments.first[rows]) // 3
    owner = np.repeat(np.arange(len(rows)), counts)
    k = 2 + 3 * (np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts))
    at = rows[owner]
    reason, amount = elements(segments, at, k), elements(segments, at, k + 1)
    kept = np.flatnonzero(reason.given | amount.given)
    quantity = elements(segments, at[kept], k[kept] + 2)
    group = elements(segments, at[kept], 1)
    segments.bounds(rows)  # keeps the array, so that its id stays its own
    result = owner[kept], group, reason.chosen(kept), amounts(amount.chosen(kept)), numbers(quantity, 2, 10**12)
    segments.memory[id(rows), -1] = result
    return result


def tables(
    segments: Segments, found: Loops, source_file: str, payment: Payment, notes: Notes
) -> tuple[dict[str, pa.Table], dict[str, int]]:
    """Return the remittance tables and counts; carry the payment that is open on."""
    return _Reading(segments, found, source_file, payment, notes).tables()


class _Reading:
    """One buffer's work: columns that several tables share are made once."""

    def __init__(self, segments: Segments, found: Loops, source_file: str, payment: Payment, notes: Notes) -> None:
        self.segments, self.found, self.source_file = segments, found, source_file
        self.payment, self.notes = payment, notes
        kind = segments.kind
        self.number = segments.number
        self.claim_of = np.cumsum(kind == Kind.CLP) - 1  # of every segment
        self.of_payment = np.searchsorted(found.payment, found.claim, "right") - 1  # of every claim
        carried = int((found.payment < segments.new).sum())
        # the file's number of the buffer's payments; one carried over has its number already
        self.base = payment.number - carried
        begun = np.zeros(len(kind), np.int64)
        begun[found.service] = 1
        self.service_of = np.cumsum(begun) - 1  # of every segment
        segments.spread(found.claim, 9)
        segments.spread(found.service, 7)
        self.service_claim = self.claim_of[found.service]
        self.references = segments.of(Kind.REF)
        self.reference_key = keys(elements(segments, self.references, 1))
        self.stated = segments.of(Kind.DTM)
        self.stated_key = keys(elements(segments, self.stated, 1))
        self.amount_rows = segments.of(Kind.AMT)
        self.amount_key = keys(elements(segments, self.amount_rows, 1))
        self.names = segments.of(Kind.NM1)
        self.name_key = keys(elements(segments, self.names, 1))

    def of_service(self, rows: Ints) -> Ints:
        """First of these segments for each service."""
        rows = rows[self.found.loop[rows] == SERVICE]
        return first_of(self.service_of[rows], rows, len(self.found.service))

    def of_claim(self, rows: Ints) -> Ints:
        """First of these segments for each claim, before its services."""
        rows = rows[self.found.loop[rows] == CLAIM]
        return first_of(self.claim_of[rows], rows, len(self.found.claim))

    def of_header(self, rows: Ints) -> Ints:
        """First of these segments for each payment."""
        rows = rows[self.found.loop[rows] == HEADER]
        payments = self.found.payment
        return first_of(np.searchsorted(payments, rows, "right") - 1, rows, len(payments))

    def dated(self, rows: Ints, sentence: str) -> Numbers:
        """Read DTM02 of these segments; note what is no date."""
        value = days(elements(self.segments, rows, 2))
        self.notes.problem(self.number[rows[value.bad]], "date", sentence)
        return value

    def amount(self, rows: Ints, k: int, name: str, *, needed: bool) -> Numbers:
        """Read an amount; note what is none, also where it is missing if it is needed."""
        value = amounts_of(self.segments, rows, k)
        at_fault = (value.bad | ~value.known) if needed else value.bad
        at_fault &= rows >= self.segments.new
        self.notes.problem(self.number[rows[at_fault]], "amount", f"{name} is not an amount.")
        return value

    def tables(self) -> tuple[dict[str, pa.Table], dict[str, int]]:
        """Return the tables and counts."""
        found, kind = self.found, self.segments.kind
        self._stray()
        headers = self._headers()
        claims = found.claim
        carried = Payment(**vars(self.payment))
        claim_number = _within(self.of_payment, carried.claims if self._goes_on() else 0)

        # lines: every service, and each claim that has none
        without = np.ones(len(claims), bool)
        without[self.service_claim] = False
        rows = np.sort(np.concatenate([found.service, claims[without]]))
        is_service = kind[rows] == Kind.SVC
        line_claim = self.claim_of[rows]
        line_payment = self.of_payment[line_claim]
        line_number = _within(line_payment, carried.lines if self._goes_on() else 0)
        line_of_service = np.flatnonzero(is_service)

        charge, paid = (self.amount(claims, k, name, needed=True) for k, name in ((3, "CLP03"), (4, "CLP04")))
        owed = self.amount(claims, 5, "CLP05", needed=False)
        adjustments = self._adjustments()
        repeated, balance = self._balance(charge, paid, adjustments)
        claim_id = strings(elements(self.segments, claims, 1))
        status = strings(elements(self.segments, claims, 2))
        missing = np.asarray(pc.is_null(claim_id))
        self.notes.problem(self.number[claims[missing]], "claim_id", "CLP01 is empty: the claim has no number.")
        patient = self._named("QC")
        insured = self._named("IL")
        patient_id = either(strings(elements(self.segments, patient, 9)), strings(elements(self.segments, insured, 9)))
        rendering = self._npis()
        in_payment = self._in_payment(self.of_payment)
        # the claim's own dates
        first, last, received = (
            self.dated(self.of_claim(self.stated[self.stated_key == code]), "DTM of the claim is not a date YYYYMMDD.")
            for code in _coded("232", "233", "050")
        )
        coverage = self.amount(self.of_claim(self._amounts("AU")), 2, "AMT*AU", needed=False)
        result: dict[str, pa.Table] = {}
        counts = {"claims": len(claims), "services": len(found.service), "adjustments": len(adjustments.claim)}
        counts["paid_cents"] = counts["charge_cents"] = 0
        if headers is not None:
            result["remittance"], counts["paid_cents"] = headers
        if len(claims):
            counts["charge_cents"] = int(charge.value.sum())
            columns: dict[str, Any] = {
                **in_payment,
                "remittance_claim_number": claim_number,
                "claim_id": claim_id,
                "claim_status_code": status,
                "charge_amount": money(charge),
                "paid_amount": money(paid),
                "patient_responsibility_amount": money(owed),
                "claim_filing_code": strings(elements(self.segments, claims, 6)),
                "payer_claim_control_number": strings(elements(self.segments, claims, 7)),
                "place_of_service": strings(elements(self.segments, claims, 8)),
                "claim_frequency_code": strings(elements(self.segments, claims, 9)),
                "patient_id": patient_id,
                "subscriber_id": strings(elements(self.segments, insured, 9)),
                "rendering_npi": rendering,
                "original_claim_id": strings(elements(self.segments, self.of_claim(self._references("F8")), 2)),
                "service_date": dates(first),
                "service_date_to": dates(last),
                "received_date": dates(received),
                "coverage_amount": money(coverage),
                "adjustments_repeated": pa.array(repeated),
                "source_row": self.number[claims],
            }
            result["remittance_claim"] = table("remittance_claim", self.source_file, columns)
            of_claims = {"claim_id": claim_id, "claim_status_code": status}
            result["remittance_line"] = self._lines(
                rows, is_service, line_claim, line_number, claim_number, balance,
                {"claim": (first, last), "owed": owed, "charge": charge, "paid": paid},
                {**of_claims, "patient_id": patient_id, "rendering_npi": rendering},
            )  # fmt: skip
            result |= self._adjustment_table(
                adjustments, claim_number, line_number, line_of_service, without, rows, repeated
            )
            result |= self._remarks(claim_number, line_number, line_of_service, without, rows)
        provider, plb_counts = self._provider_adjustments()
        result |= provider
        counts |= plb_counts
        self._pay(paid, claim_number, line_number, line_payment)
        return result, counts

    # --- what a claim or payment is

    def _goes_on(self) -> bool:
        """Say whether the buffer begins with claims of a payment that an earlier buffer began."""
        return len(self.found.payment) > 0 and int(self.found.payment[0]) < self.segments.new

    def _named(self, code: str) -> Ints:
        return self.of_claim(self.names[is_one_of(self.name_key, code)])

    def _references(self, *codes: str) -> Ints:
        return self.references[is_one_of(self.reference_key, *codes)]

    def _amounts(self, code: str) -> Ints:
        return self.amount_rows[is_one_of(self.amount_key, code)]

    def _npis(self) -> pa.Array:
        rows = self._named("82")
        identifier = elements(self.segments, rows, 9)
        not_npi = ~is_one_of(keys(elements(self.segments, rows, 8)), "XX")
        return strings(Spans(self.segments, identifier.start, np.where(not_npi, identifier.start, identifier.end)))

    def _in_payment(self, of_payment: Ints) -> dict[str, Any]:
        """Return transaction_number and remittance_id for rows of these payments."""
        known = of_payment >= 0
        number = pa.array((self.base + of_payment + 1).astype(np.int32), mask=~known)
        return {"transaction_number": number, "remittance_id": taken(self.remittance_id, of_payment)}

    def _stray(self) -> None:
        segments, found = self.segments, self.found
        kind = segments.kind
        services = np.zeros(len(kind), bool)
        services[found.service] = True
        stray = np.flatnonzero((kind == Kind.SVC) & ~services)
        sentence = "The service stands outside a claim; a CLP may be missing or garbled before it."
        self.notes.problem(self.number[stray], "service_outside_claim", sentence)
        adjusted = np.flatnonzero((kind == Kind.CAS) & (found.loop != CLAIM) & (found.loop != SERVICE))
        sentence = "The adjustment stands outside a claim; a CLP may be missing or garbled before it."
        self.notes.problem(self.number[adjusted], "adjustment_outside_claim", sentence)
        lost = found.payment[(kind[found.payment] != Kind.ST) & (found.payment >= segments.new)]
        sentence = "The payment that begins here has no ST before it that can be read."
        self.notes.problem(self.number[lost], "missing_st", sentence)
        sentence = "The claim stands in no payment: the header before it cannot be read."
        self.notes.problem(self.number[found.claim[self.of_payment < 0]], "claim_outside_payment", sentence)

    def _headers(self) -> tuple[pa.Table, int] | None:
        """Make what claims need of their payment; return the table of the payments that begin here, and their sum."""
        segments, payments = self.segments, self.found.payment
        kind = segments.kind
        bpr, trn = (self.of_header(segments.of(code)) for code in (Kind.BPR, Kind.TRN))
        parties = segments.of(Kind.N1)
        party = keys(elements(segments, parties, 1))
        payer, payee = (self.of_header(parties[is_one_of(party, code)]) for code in ("PR", "PE"))
        trace = strings(elements(segments, trn, 2))
        made = [f"{self.source_file}:{self.base + n + 1}" for n in range(len(payments))]
        self.remittance_id = either(trace, pa.array(made, pa.string())) if len(payments) else trace
        self.payer = strings(elements(segments, payer, 2))
        paid = self.amount(bpr, 2, "BPR02", needed=True)
        day = days(elements(segments, bpr, 16))
        new = payments >= segments.new
        self.notes.problem(self.number[payments[new & (bpr < 0)]], "no_payment", "The 835 has no BPR: no payment.")
        self.notes.problem(self.number[payments[new & (trn < 0)]], "no_trace", "The 835 has no TRN: no trace number.")
        self.notes.problem(self.number[payments[new & day.bad]], "payment_date", "BPR16 is not a date YYYYMMDD.")
        produced = self.of_header(self.stated[self.stated_key == _coded("405")[0]])
        production = days(elements(segments, produced, 2))
        self.notes.problem(self.number[payments[new & production.bad]], "date", "DTM*405 is not a date YYYYMMDD.")
        debit = is_one_of(keys(elements(segments, bpr, 3)), "D")
        self.stated_paid = Numbers(np.where(debit, -paid.value, paid.value), paid.known, paid.bad)
        self.paid_date = dates(day)
        if not new.any():
            return None
        stated = strings(elements(segments, self.of_header(self._references("2U")), 2))
        named = strings(elements(segments, payer, 4))
        identifier = either(stated, either(named, strings(elements(segments, trn, 3))))
        begun = payments[kind[payments] == Kind.ST]
        st = first_of(np.searchsorted(payments, begun), begun, len(payments))
        columns: dict[str, Any] = {
            **self._in_payment(np.arange(len(payments))),
            "trace_number": trace,
            "payer": self.payer,
            "payer_id": identifier,
            "payee_id": strings(elements(segments, payee, 4)),
            "payment_method": strings(elements(segments, bpr, 4)),
            "handling_code": strings(elements(segments, bpr, 1)),
            "paid_amount": money(self.stated_paid),
            "paid_date": self.paid_date,
            "production_date": dates(production),
            "control_number": strings(elements(segments, st, 2)),
            "source_row": self.number[payments],
        }
        whole_table = table("remittance", self.source_file, columns)
        return whole_table.filter(pa.array(new)), int(self.stated_paid.value[new].sum())

    # --- adjustments and sums

    def _adjustments(self) -> _Adjustments:
        segments, found = self.segments, self.found
        rows = segments.those(Kind.CAS, (found.loop == CLAIM) | (found.loop == SERVICE))
        owner, group, reason, amount, quantity = _reasons(segments, rows)
        at = rows[owner]
        at_service = found.loop[at] == SERVICE
        service = np.where(at_service, self.service_of[at], NONE)
        number = self.number
        self.notes.problem(number[at[~reason.given]], "adjustment_reason", "CAS holds an amount without a reason.")
        self.notes.problem(
            number[at[~amount.known]], "amount", "CAS holds a reason without an amount that can be read."
        )
        self.notes.problem(number[at[quantity.bad]], "quantity", "CAS holds a quantity that is not a number.")
        return _Adjustments(at, self.claim_of[at], service, group, reason, amount, quantity)

    def _balance(self, charge: Numbers, paid: Numbers, adjustments: _Adjustments) -> tuple[Flags, _Services]:
        """Compare what claims and services were billed, adjusted and paid; return which claims repeat adjustments."""
        found, number = self.found, self.number
        services, count = found.service, len(found.claim)
        billed, given = (self.amount(services, k, name, needed=True) for k, name in ((2, "SVC02"), (3, "SVC03")))
        at_service = adjustments.service >= 0
        by_claim = sums(adjustments.claim[~at_service], adjustments.amount.value[~at_service], count)
        by_service = sums(adjustments.service[at_service], adjustments.amount.value[at_service], len(services))

        def total(values: Ints) -> Ints:
            return sums(self.service_claim, values, count)

        in_services = total(by_service)
        unread = np.zeros(count, bool)
        unread[adjustments.claim[~adjustments.amount.known]] = True
        unread[self.service_claim[~(billed.known & given.known)]] = True
        unread |= ~(charge.known & paid.known)
        unread_service = ~(billed.known & given.known)
        unread_service[adjustments.service[at_service & ~adjustments.amount.known]] = True
        has_services = total(np.ones(len(services), np.int64)) > 0
        left = charge.value - by_claim
        repeated = has_services & (by_claim != 0) & (in_services != 0) & ~unread
        repeated &= (left - in_services != paid.value) & ((left == paid.value) | (by_claim == in_services))
        sentence = "The claim's adjustments (CAS) are those of its services once more; they count once."
        self.notes.problem(number[found.claim[repeated]], "adjustments_repeated", sentence)

        def unequal(rows: Ints, check: str, place: str, expected: Ints, seen: Ints, judged: Flags) -> None:
            at = np.flatnonzero(judged & (expected != seen))
            self.notes.imbalance(number[rows[at]], check, place, expected[at], seen[at])

        adjusted = billed.value - by_service
        unequal(services, "service_paid", "SVC02 less CAS, SVC03", adjusted, given.value, ~unread_service)
        claims, fine = found.claim, ~unread
        expected: Ints = np.where(repeated & (left != paid.value), charge.value - in_services, left)
        expected = np.where(repeated, expected, left - in_services)
        unequal(claims, "claim_paid", "CLP03 less CAS, CLP04", expected, paid.value, fine)
        unequal(claims, "claim_charge", "CLP03, SVC02", charge.value, total(billed.value), fine & has_services)
        expected = total(given.value) - np.where(repeated, 0, by_claim)
        fine &= has_services
        unequal(claims, "claim_services_paid", "SVC03 less CAS of the claim, CLP04", expected, paid.value, fine)
        responsibility = is_one_of(keys(adjustments.group), "PR") & at_service
        owed = sums(adjustments.service[responsibility], adjustments.amount.value[responsibility], len(services))
        return repeated, _Services(billed, given, owed)

    def _pay(self, paid: Numbers, claim_number: Ints, line_number: Ints, line_payment: Ints) -> None:
        """Compare each payment that has ended with its claims; keep the open one's sums."""
        payments, new = self.found.payment, self.segments.new
        count = len(payments)
        known = self.of_payment >= 0
        in_claims = sums(self.of_payment[known], paid.value[known], count).tolist()
        in_provider = sums(self.provider_payment, self.provider_amount, count).tolist()
        open_one = self.payment
        begins, numbers = payments.tolist(), self.number[payments].tolist()
        stated = zip(self.stated_paid.value.tolist(), self.stated_paid.known.tolist(), strict=True)
        for n, (value, is_known) in enumerate(stated):
            if begins[n] >= new:
                self.settle(open_one, self.notes)
                open_one.number += 1
                open_one.claims = open_one.lines = open_one.adjustments = open_one.paid = open_one.withheld = 0
                open_one.row = numbers[n]
                open_one.stated = value if is_known else None
            open_one.paid += in_claims[n]
            open_one.withheld += in_provider[n]
        if count and (self.of_payment == count - 1).any():
            open_one.claims = int(claim_number[-1])
        if count and (line_payment == count - 1).any():
            open_one.lines = int(line_number[-1])
        if count and (self.provider_payment == count - 1).any():
            open_one.adjustments = int(self.provider_number[self.provider_payment == count - 1][-1])

    @staticmethod
    def settle(payment: Payment, notes: Notes) -> None:
        """Compare a payment that has ended with the sum of its claims less what its PLB took."""
        if payment.stated is None:
            return
        expected = payment.paid - payment.withheld
        if payment.stated != expected:
            one = np.array([payment.row], np.int64)
            found = np.array([payment.stated], np.int64)
            notes.imbalance(one, "payment", "CLP04 less PLB, BPR02", np.array([expected], np.int64), found)
        payment.stated = None

    # --- tables

    def _lines(
        self,
        rows: Ints,
        is_service: Flags,
        line_claim: Ints,
        line_number: Ints,
        claim_number: Ints,
        balance: _Services,
        of_claims: dict[str, Any],
        texts: dict[str, pa.Array],
    ) -> pa.Table:
        segments, found = self.segments, self.found
        services = found.service
        line_of_service = np.full(len(rows), NONE, np.int64)
        line_of_service[is_service] = np.arange(len(services))
        of_payment = self.of_payment[line_claim]
        procedure = components(elements(segments, services, 1), 6)
        other = components(elements(segments, services, 6), 6)
        code, billed_code = self._code(procedure), self._code(other)
        codeless = is_one_of(keys(procedure[0]), *_PROCEDURES) & ~procedure[1].given
        self.notes.problem(
            self.number[services[codeless | ~procedure[0].given]], "procedure", "SVC01 holds no procedure code."
        )
        value = elements(segments, services, 5)
        paid_units, billed_units = numbers(value), numbers(elements(segments, services, 7))
        for units, name in ((paid_units, "SVC05"), (billed_units, "SVC07")):
            sentence = f"{name} is not a whole number of units."
            self.notes.problem(self.number[services[units.bad]], "units", sentence)
        units = Numbers(np.where(value.given, paid_units.value, 1), paid_units.known | ~value.given, paid_units.bad)
        other_units = billed_units.known | billed_units.bad
        billed = Numbers(
            np.where(other_units, billed_units.value, units.value),
            np.where(other_units, billed_units.known, units.known),
            billed_units.bad,
        )
        begins, ends = self._service_dates(line_claim[is_service], of_claims["claim"])
        allowed = self.amount(self.of_service(self._amounts("B6")), 2, "AMT*B6", needed=False)
        claim_first, claim_last = of_claims["claim"]
        owed = of_claims["owed"]

        only_services = bool(is_service.all())

        def both(service: pa.Array, claim: pa.Array) -> pa.Array:
            """Return the service's value for services, the claim's for claims without any."""
            if only_services:
                return service
            return pc.if_else(pa.array(~is_service), taken(claim, line_claim), taken(service, line_of_service))

        def of_services(column: pa.Array) -> pa.Array:
            return column if only_services else taken(column, line_of_service)

        none = np.zeros(len(rows) + 1, np.int32)
        no_list = pa.ListArray.from_arrays(pa.array(none), pa.array([], pa.string()))

        def listed(parts: list[Spans]) -> pa.Array:
            return lists(parts) if only_services else pc.coalesce(of_services(lists(parts)), no_list)

        columns: dict[str, Any] = {
            **self._in_payment(of_payment),
            "remittance_line_number": line_number,
            "remittance_claim_number": claim_number[line_claim],
            "line_kind": pa.array(["service", "claim"]).take(pa.array((~is_service).astype(np.int8))),
            "claim_id": taken(texts["claim_id"], line_claim),
            "claim_status_code": taken(texts["claim_status_code"], line_claim),
            "payer": taken(self.payer, of_payment),
            "patient_id": taken(texts["patient_id"], line_claim),
            "service_date": both(dates(begins), dates(claim_first)),
            "service_date_to": both(dates(ends), dates(claim_last)),
            "hcpcs_code": of_services(upper(code)),
            "modifiers": listed(procedure[2:]),
            "billed_hcpcs_code": of_services(upper(billed_code)),
            "billed_modifiers": listed(other[2:]),
            "units": of_services(whole(units)),
            "billed_units": of_services(whole(billed)),
            "charge_amount": both(money(balance.billed), money(of_claims["charge"])),
            "allowed_amount": of_services(money(allowed)),
            "paid_amount": both(money(balance.paid), money(of_claims["paid"])),
            "patient_responsibility_amount": both(cents(balance.owed), money(owed)),
            "paid_date": taken(self.paid_date, of_payment),
            "rendering_npi": either(
                of_services(strings(elements(segments, self.of_service(self._references("HPI")), 2))),
                taken(texts["rendering_npi"], line_claim),
            ),
            "line_control_number": of_services(strings(elements(segments, self.of_service(self._references("6R")), 2))),
            "source_row": self.number[rows],
        }
        return table("remittance_line", self.source_file, columns)

    def _code(self, parts: list[Spans]) -> Spans:
        is_code = is_one_of(keys(parts[0]), *_PROCEDURES)
        return Spans(self.segments, parts[1].start, np.where(is_code, parts[1].end, parts[1].start))

    def _service_dates(self, claim: Ints, of_claims: tuple[Numbers, Numbers]) -> tuple[Numbers, Numbers]:
        """Return first and last day of each service: its DTM*472, or 150 and 151, else its claim's."""
        sentence = "DTM of the service is not a date YYYYMMDD."
        day, begin, end = (
            self.dated(self.of_service(self.stated[self.stated_key == code]), sentence)
            for code in _coded("472", "150", "151")
        )

        def chosen(first: Numbers, second: Numbers, third: Numbers) -> Numbers:
            value = np.where(first.known, first.value, np.where(second.known, second.value, third.value[claim]))
            spoilt = first.bad | second.bad  # what is stated and cannot be read is not made up from the claim
            known = first.known | second.known | (third.known[claim] & ~spoilt)
            return Numbers(value, known, spoilt)

        return chosen(day, begin, of_claims[0]), chosen(day, end, of_claims[1])

    def _adjustment_table(
        self,
        adjustments: _Adjustments,
        claim_number: Ints,
        line_number: Ints,
        line_of_service: Ints,
        without: Flags,
        rows: Ints,
        repeated: Flags,
    ) -> dict[str, pa.Table]:
        count = len(adjustments.claim)
        if not count:
            return {}
        at_service = adjustments.service >= 0
        columns: dict[str, Any] = {
            **self._in_payment(self.of_payment[adjustments.claim]),
            "remittance_claim_number": claim_number[adjustments.claim],
            "remittance_line_number": self._line_numbers(
                adjustments.claim, adjustments.service, line_number, line_of_service, without, rows
            ),
            "adjustment_number": places(adjustments.claim),
            "level": pa.array(["claim", "service"]).take(pa.array(at_service.astype(np.int8))),
            "repeated": pa.array(repeated[adjustments.claim] & ~at_service),
            "group_code": upper(adjustments.group),
            "reason_code": upper(adjustments.reason),
            "amount": money(adjustments.amount),
            "quantity": cents(adjustments.quantity.value, adjustments.quantity.known, _QUANTITY),
            "source_row": self.number[adjustments.row],
        }
        return {"remittance_adjustment": table("remittance_adjustment", self.source_file, columns)}

    def _line_numbers(
        self, claim: Ints, service: Ints, line_number: Ints, line_of_service: Ints, without: Flags, rows: Ints
    ) -> pa.Array:
        """Return the line of each claim (service NONE) or service; none for a claim that has services."""
        of_claim_line = np.searchsorted(rows, self.found.claim)[claim]
        at = np.where(service >= 0, line_of_service[service] if len(line_of_service) else 0, of_claim_line)
        known = (service >= 0) | without[claim]
        at = np.where(known, np.minimum(at, max(len(rows) - 1, 0)), 0)
        return pa.array(line_number[at].astype(np.int32), mask=~known)

    def _remarks(
        self, claim_number: Ints, line_number: Ints, line_of_service: Ints, without: Flags, rows: Ints
    ) -> dict[str, pa.Table]:
        segments, found = self.segments, self.found
        kind = segments.kind
        remarks = segments.of(Kind.LQ)
        remarks = remarks[(found.loop[remarks] == SERVICE) | (found.loop[remarks] == CLAIM)]
        remarks = remarks[is_one_of(keys(elements(segments, remarks, 1)), "HE", "RX")]
        parts = [(remarks, np.full(len(remarks), 2))]
        for code, remarked in ((Kind.MOA, (3, 4, 5, 6, 7)), (Kind.MIA, (5, 20, 21, 22, 23))):
            at = np.flatnonzero((kind == code) & (found.loop == CLAIM))
            parts.append((np.repeat(at, len(remarked)), np.tile(np.array(remarked), len(at))))
        at = np.concatenate([part for part, _ in parts])
        k = np.concatenate([part for _, part in parts])
        order = np.argsort(at, kind="stable")
        at, k = at[order], k[order]
        value = elements(segments, at, k)
        kept = np.flatnonzero(value.given)
        if not len(kept):
            return {}
        at = at[kept]
        at_service = found.loop[at] == SERVICE
        service = np.where(at_service, self.service_of[at], NONE)
        claim = self.claim_of[at]
        columns: dict[str, Any] = {
            **self._in_payment(self.of_payment[claim]),
            "remittance_claim_number": claim_number[claim],
            "remittance_line_number": self._line_numbers(claim, service, line_number, line_of_service, without, rows),
            "level": pa.array(["claim", "service"]).take(pa.array(at_service.astype(np.int8))),
            "remark_code": upper(value.chosen(kept)),
            "source_row": self.number[at],
        }
        return {"remittance_remark": table("remittance_remark", self.source_file, columns)}

    def _provider_adjustments(self) -> tuple[dict[str, pa.Table], dict[str, int]]:
        segments = self.segments
        rows = segments.of(Kind.PLB)
        counts = np.maximum(segments.last[rows] - segments.first[rows] - 3 + 1, 0) // 2
        owner = np.repeat(np.arange(len(rows)), counts)
        k = 3 + 2 * (np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts))
        at = rows[owner]
        what, value = elements(segments, at, k), elements(segments, at, k + 1)
        kept = np.flatnonzero(what.given | value.given)
        at, what = at[kept], what.chosen(kept)
        amount = amounts(value.chosen(kept))
        self.notes.problem(self.number[at[~amount.known]], "amount", "PLB holds an adjustment without an amount.")
        of_payment = np.searchsorted(self.found.payment, at, "right") - 1
        inside = of_payment >= 0
        self.provider_payment, self.provider_amount = of_payment[inside], amount.value[inside]
        adjustment_number = _within(of_payment, self.payment.adjustments if self._goes_on() else 0)
        self.provider_number = adjustment_number[inside]
        if not len(at):
            return {}, {"plb": 0}
        reason = components(what, 2)
        period = days(elements(segments, at, 2))
        self.notes.problem(np.unique(self.number[at[period.bad]]), "date", "PLB02 is not a date YYYYMMDD.")
        columns: dict[str, Any] = {
            **self._in_payment(of_payment),
            "adjustment_number": adjustment_number,
            "provider_id": strings(elements(segments, at, 1)),
            "fiscal_period_date": dates(period),
            "reason_code": upper(reason[0]),
            "reference_id": strings(reason[1]),
            "amount": money(amount),
            "source_row": self.number[at],
        }
        made = table("remittance_provider_adjustment", self.source_file, columns)
        return {"remittance_provider_adjustment": made}, {"plb": len(at)}


@dataclass(frozen=True)
class _Adjustments:
    """One row per reason: its CAS, claim, service (NONE at claim level), and what it says."""

    row: Ints
    claim: Ints
    service: Ints
    group: Spans
    reason: Spans
    amount: Numbers
    quantity: Numbers


@dataclass(frozen=True)
class _Services:
    """Of each service: billed, paid, and the adjustments that the patient owes, in cents."""

    billed: Numbers
    paid: Numbers
    owed: Ints


def _coded(*texts: str) -> list[Any]:
    return [np.uint64(int.from_bytes(text.encode(), "little")) for text in texts]


def _within(owner: Ints, already: int) -> Ints:
    """Number rows 1, 2, ... within their owner; those of the first owner go on after `already`."""
    place = places(owner)
    return np.asarray(np.where(owner == 0, place + already, place), np.int64)


settle = _Reading.settle
