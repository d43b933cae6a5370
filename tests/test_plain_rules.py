"""Ten rules of SQL against slow, plain ones in Python (plain_rules.py), on clinics made at random."""

from __future__ import annotations

import json
import random
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import casebook
import plain_rules as plain
from therapy_audit import engine
from therapy_audit.notes import store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from therapy_audit.rules import RuleSet

SEEDS = (1, 2, 3)
PATIENTS = 25  # of each theme and seed
_CODES = sorted(plain.TIMED - {"97032"})
_COLUMNS = {"patient": "patient_id", "claim": "claim_id", "number": "claim_line_number", "date": "service_date",
            "code": "hcpcs_code", "modifiers": "modifiers", "units": "units", "allowed": "allowed_amount",
            "charge": "charge_amount", "npi": "rendering_npi", "biller": "billing_npi", "place": "place_of_service",
            "payer": "payer"}  # fmt: skip


class Clinic:
    """Lines, services and reports of one theme: what one plain rule is to be tried on."""

    def __init__(self, theme: str, seed: int) -> None:
        self.theme = theme
        self.chance = random.Random(f"{theme} {seed}")  # noqa: S311 - data, not secrets
        self.prefix = f"{theme}{seed}-"
        self.lines: list[plain.Row] = []
        self.services: list[plain.Row] = []
        self.notes: list[plain.Row] = []
        self.reports: set[tuple[str, date]] = set()
        getattr(self, theme)()

    def day(self, first: str, last: str) -> date:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
        return start + timedelta(days=self.chance.randint(0, (end - start).days))

    def patients(self) -> Iterator[str]:
        for number in range(PATIENTS):
            yield f"{self.prefix}{number:03}"

    def line(self, patient: str, day: date, number: int, code: str, units: int = 1, **given: Any) -> None:
        row = {
            "patient": patient, "claim": f"{patient}-{day}", "number": number, "date": day, "code": code,
            "modifiers": ["GP"], "units": units, "allowed": Decimal(30), "charge": None, "npi": None, "biller": "1",
            "place": "11", "payer": "MEDICARE PART B",
        }  # fmt: skip
        self.lines.append(row | given)

    def note(self, patient: str, day: date, services: list[dict[str, Any]], note_type: str = "daily") -> None:
        note = f"{patient}-{day}-{len(self.notes)}"
        self.notes.append({"note": note, "patient": patient, "date": day, "type": note_type})
        for number, service in enumerate(services, 1):
            empty = {"assistant": 0, "minutes": None, "start": None, "stop": None}
            own = {"note": note, "number": number, "patient": patient, "date": day}
            self.services.append({**empty, **own, **service})

    def units(self, payer: str = "MEDICARE PART B") -> None:
        for patient in self.patients():
            for turn in range(2):
                day = self.day("2024-07-01", "2026-06-30") + timedelta(days=turn)
                if any(line["claim"] == f"{patient}-{day}" for line in self.lines):
                    continue
                codes = self.chance.sample(_CODES, self.chance.randint(1, 4))
                minutes = {code: self.chance.choice([*range(1, 40), 7, 8, 15, 22, 23]) for code in codes}
                if self.chance.random() < 0.3:
                    codes = [*codes, self.chance.choice(["97012", "97150", "G0283"])]
                for number, code in enumerate(codes, 1):
                    earned = plain.units_of(minutes.get(code, 8))
                    units = max(1, earned + self.chance.choice([-1, 0, 0, 0, 1]))
                    self.line(patient, day, number, code, units, payer=payer)
                self.note(patient, day, [{"code": code, "minutes": count} for code, count in minutes.items()])

    def midpoint(self) -> None:
        self.units("AETNA")

    def kx(self) -> None:
        for patient in self.patients():
            first = self.day("2019-10-01", "2025-12-01")
            days = sorted({first + timedelta(days=self.chance.randint(0, 120)) for _ in range(12)})
            for day in days:
                for number in range(1, self.chance.randint(2, 4)):
                    own = self.chance.choice([["GP"], ["GP"], ["GP"], ["GO"], ["GN"]])
                    allowed = Decimal(self.chance.choice([10, 100, 240, 310, 620]))
                    kx = ["KX"] if self.chance.random() < 0.3 else []
                    self.line(patient, day, number, _CODES[number], modifiers=own + kx, allowed=allowed)

    def mue(self) -> None:
        for patient in self.patients():
            day = self.day("2024-06-20", "2026-06-30")
            for number in range(1, self.chance.randint(3, 6)):
                code = self.chance.choice(["97112", "97530", "97150", "97161", "G0283"])
                units = self.chance.choice([1, 1, 2, 3, 4, 5, 6, 7])
                place = self.chance.choice(["11", "11", "22", "19", "12"])
                biller = self.chance.choice(["1", "1", "1", "2"])
                self.line(patient, day, number, code, units, place=place, biller=biller)

    def ncci(self) -> None:
        codes = ["97530", "97150", "97140", "97535", "97116", "97110", "97164", "97750", "97124"]
        for patient in self.patients():
            for turn in range(3):
                day = self.day("2019-01-01", "2024-09-20") + timedelta(days=turn)
                if any(line["claim"] == f"{patient}-{day}" for line in self.lines):
                    continue
                place = self.chance.choice(["11", "11", "22", "12"])
                for number, code in enumerate(self.chance.sample(codes, self.chance.randint(2, 4)), 1):
                    more = self.chance.choice([[], [], ["KX"], ["59"], ["XE"], ["76"], ["RT"]])
                    biller = self.chance.choice(["1", "1", "1", "1", "2"])
                    self.line(patient, day, number, code, modifiers=["GP", *more], place=place, biller=biller)

    def reduced(self) -> None:
        for patient in self.patients():
            day = self.day("2019-01-01", "2025-12-31")
            codes = self.chance.sample(
                [*_CODES, "97150", "97161", "97164", "G0283", "97012"], self.chance.randint(1, 4)
            )
            for number, code in enumerate(codes, 1):
                units = self.chance.randint(1, 3) if code in plain.TIMED else 1
                charge = self.chance.choice([None, Decimal(500), Decimal(500), Decimal("23.10")])
                self.line(patient, day, number, code, units, charge=charge, allowed=None)

    def assistant(self) -> None:
        for patient in self.patients():
            for turn in range(3):
                day = self.day("2020-01-01", "2026-06-30") + timedelta(days=turn)
                if any(line["claim"] == f"{patient}-{day}" for line in self.lines):
                    continue
                therapist, helper = self.chance.choice([0, *range(31)]), self.chance.choice([0, 1, 2, *range(31)])
                units = plain.units_of(therapist + helper)
                if not units:
                    continue
                more = ["CQ"] if self.chance.random() < 0.2 else []
                self.line(patient, day, 1, "97530", units, modifiers=["GP", *more])
                self.note(patient, day, [{"code": "97530", "minutes": therapist + helper, "assistant": helper}])

    def progress(self) -> None:
        for patient in self.patients():
            day = self.day("2024-01-01", "2025-06-30")
            for _ in range(self.chance.randint(9, 30)):
                self.line(patient, day, 1, "97530")
                reported = self.chance.random() < 0.08
                if reported:
                    self.reports.add((patient, day))
                service = {"code": "97530", "minutes": 15}
                self.note(patient, day, [service], "progress_report" if reported else "daily")
                day += timedelta(days=self.chance.choice([1, 2, 2, 3, 4, 5, 7, 7, 14, 60, 61]))

    def duplicates(self) -> None:
        for patient in self.patients():
            day = self.day("2024-07-01", "2026-06-30")
            for claim in range(1, self.chance.randint(3, 4)):
                for number, code in enumerate(("97530", "97110"), 1):
                    more = self.chance.choice([["GP"], ["GP"], ["GP", "KX"], ["KX", "GP"]])
                    units, npi = self.chance.choice([1, 1, 2]), self.chance.choice(["d1", "d1", "d2"])
                    own = {"claim": f"{patient}-{claim}", "modifiers": more, "npi": npi}
                    self.line(patient, day, number, code, units, **own)

    def overlaps(self) -> None:
        for patient in self.patients():
            day = self.day("2024-07-01", "2026-06-30")
            codes = self.chance.sample(["97110", "97530", "97140", "97116", "97150", "97164", "G0283"], 3)
            services = []
            for number, code in enumerate(codes, 1):
                self.line(patient, day, number, code)
                start = 540 + self.chance.randint(0, 50)
                length = self.chance.randint(8, 20)
                services.append({"code": code, "minutes": length, "start": start, "stop": start + length})
            self.note(patient, day, services)


THEMES = ("units", "midpoint", "kx", "mue", "ncci", "reduced", "assistant", "progress", "duplicates", "overlaps")


@pytest.fixture(scope="module")
def clinics() -> dict[str, list[Clinic]]:
    """Return the clinics by theme."""
    return {theme: [Clinic(theme, seed) for seed in SEEDS] for theme in THEMES}


@pytest.fixture(scope="module")
def audited(clinics: dict[str, list[Clinic]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a database in which the rules have judged all clinics at once."""
    ruleset: RuleSet = casebook.RULES
    with engine.connect() as con:
        engine.prepare(con, ruleset)
        fill(con, [clinic for several in clinics.values() for clinic in several])
        engine.map_payers(con, ruleset.payer_patterns)
        engine.set_period(con)
        store.fill(con)
        engine.build_models(con)
        assert not engine.run_rules(con, [rule for rule in ruleset.rules if rule.name in JUDGED])
        yield con


JUDGED = {
    "medicare.timed_units_exceed_minutes", "medicare.timed_units_below_minutes", "medicare.untimed_code_multiple_units",
    "payers.ama_midpoint.units_exceed_midpoint", "medicare.kx_missing", "medicare.kx_missing_on_crossing_line",
    "medicare.mue_exceeded", "medicare.ncci_pair_without_modifier", "medicare.ncci_pair_not_allowed",
    "medicare.assistant_modifier_missing", "medicare.progress_report_overdue", "clinic.duplicate_line",
    "clinic.time_blocks_overlap",
}  # fmt: skip


def fill(con: duckdb.DuckDBPyConnection, clinics: list[Clinic]) -> None:
    lines = [
        {**{name: row[key] for key, name in _COLUMNS.items()}, "diagnosis_codes": [], "source_row": number}
        for number, row in enumerate((row for clinic in clinics for row in clinic.lines), 2)
    ]
    notes = [
        {"note_id": row["note"], "patient_id": row["patient"], "service_date": row["date"], "discipline": "PT",
         "note_type": row["type"], "rendering_npi": "n1", "source_row": number}
        for number, row in enumerate((row for clinic in clinics for row in clinic.notes), 2)
    ]  # fmt: skip
    services = [
        {"note_id": row["note"], "service_number": row["number"], "patient_id": row["patient"],
         "service_date": row["date"], "hcpcs_code": row["code"], "minutes": row["minutes"],
         "assistant_minutes": row["assistant"], "start_time": clock(row["start"]), "stop_time": clock(row["stop"]),
         "source_row": number}
        for number, row in enumerate((row for clinic in clinics for row in clinic.services), 2)
    ]  # fmt: skip
    for table, rows in (("claim_line", lines), ("visit_note", notes), ("note_service", services)):
        names = [*rows[0], "source_file"]
        values = f"({', '.join('?' * len(names))})"
        for first in range(0, len(rows), 500):
            some = rows[first : first + 500]
            cells = [cell for row in some for cell in (*row.values(), "random.csv")]
            con.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([values] * len(some))}", cells)


def clock(minute: int | None) -> time | None:
    return None if minute is None else time(minute // 60, minute % 60)


def found(con: duckdb.DuckDBPyConnection, rule: str, clinics: list[Clinic]) -> list[dict[str, Any]]:
    """Return the findings of a rule on a theme's clinics."""
    assert rule in JUDGED
    result = con.execute(
        "SELECT * FROM finding WHERE rule = ? AND starts_with(patient_id, ?)", [rule, clinics[0].theme]
    )
    names = [item[0] for item in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    assert rows, "a comparison of nothing shows nothing"
    return [row | {"facts": json.loads(row["facts"])} for row in rows]


def lines_of(rows: list[dict[str, Any]]) -> set[tuple[str, int]]:
    return {(row["claim_id"], row["claim_line_number"]) for row in rows}


def together(clinics: list[Clinic], what: str) -> list[plain.Row]:
    return [row for clinic in clinics for row in getattr(clinic, what)]


def test_timed_units(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    own = clinics["units"]
    over, under = plain.timed_units(together(own, "lines"), together(own, "services"))
    for rule, expected in (("timed_units_exceed_minutes", over), ("timed_units_below_minutes", under)):
        rows = found(audited, f"medicare.{rule}", own)
        assert {
            (row["patient_id"], row["service_date"]): (row["facts"]["units_billed"], row["facts"]["units_allowed"])
            for row in rows
        } == expected, rule


def test_midpoint(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    own = clinics["midpoint"]
    rows = found(audited, "payers.ama_midpoint.units_exceed_midpoint", own)
    told = {(row["patient_id"], row["service_date"]): row["facts"]["units_over"] for row in rows}
    assert told == plain.midpoint(together(own, "lines"), together(own, "services"))


def test_kx(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    own = clinics["kx"]
    past, crossing = plain.kx(together(own, "lines"))
    assert lines_of(found(audited, "medicare.kx_missing", own)) == past
    assert lines_of(found(audited, "medicare.kx_missing_on_crossing_line", own)) == crossing


def test_medically_unlikely_edits(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    own = clinics["mue"]
    assert lines_of(found(audited, "medicare.mue_exceeded", own)) == plain.mue(together(own, "lines"))
    untimed = found(audited, "medicare.untimed_code_multiple_units", own)
    assert lines_of(untimed) == plain.untimed_units(together(own, "lines"))


def test_ncci_pairs(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    own = clinics["ncci"]
    lacking, never = plain.ncci(together(own, "lines"))
    assert lines_of(found(audited, "medicare.ncci_pair_without_modifier", own)) == lacking
    assert lines_of(found(audited, "medicare.ncci_pair_not_allowed", own)) == never


def test_payment_reduction(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    query = "SELECT claim_id, claim_line_number, expected_allowed FROM expected_payment WHERE starts_with(claim_id, ?)"
    told: dict[str, dict[int, Decimal]] = {}
    for claim, number, amount in audited.execute(query, ["reduced"]).fetchall():
        told.setdefault(claim, {})[number] = amount
    expected = plain.reduced(together(clinics["reduced"], "lines"))
    assert len(expected) == len(SEEDS) * PATIENTS
    assert [key for key, ways in expected.items() if told.get(f"{key[0]}-{key[1]}") not in ways] == []


def test_assistants(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    own = clinics["assistant"]
    rows = found(audited, "medicare.assistant_modifier_missing", own)
    told = {(row["claim_id"], row["claim_line_number"]): (row["facts"]["units_due"], row["severity"]) for row in rows}
    assert told == plain.assistant(together(own, "lines"), together(own, "services"))


def test_progress_reports(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    own = clinics["progress"]
    rows = found(audited, "medicare.progress_report_overdue", own)
    told = {(row["patient_id"], row["facts"]["since"]): row["facts"]["late_days"] for row in rows}
    assert told == plain.progress(together(own, "lines"), {item for clinic in own for item in clinic.reports})


def test_duplicates(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    own = clinics["duplicates"]
    assert lines_of(found(audited, "clinic.duplicate_line", own)) == plain.duplicates(together(own, "lines"))


def test_overlaps(audited: duckdb.DuckDBPyConnection, clinics: dict[str, list[Clinic]]) -> None:
    own = clinics["overlaps"]
    rows = found(audited, "clinic.time_blocks_overlap", own)
    told = {(row["patient_id"], row["service_date"]): row["facts"]["overlap_minutes"] for row in rows}
    assert told == plain.overlaps(together(own, "services"))
