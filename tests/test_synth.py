"""The synthetic clinic is what it says: repeatable, clean where nothing was planted, and true about what was."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from therapy_audit import accuracy, synth
from therapy_audit.errors import AuditError
from therapy_audit.resources import folder

Rows = list[dict[str, str]]
TIMED = {"97032", "97035", "97110", "97112", "97113", "97116", "97124", "97140", "97530", "97535", "97542", "97750"}
MIDPOINT = ("AETNA", "BCBS", "CIGNA", "WORKERS", "SELF-FUNDED")
PART_B = ("MEDICARE PART B", "Medicare - Palmetto GBA")
# column one, column two, indicator: the pairs in force that the clinic's codes can make.
PAIRS = {
    ("97530", "97542"): 1, ("97113", "97110"): 1, ("97140", "97124"): 0, ("97140", "97750"): 1, ("97530", "97750"): 1,
    ("97750", "97150"): 0, ("97032", "97164"): 1, ("97035", "97164"): 1, ("92507", "97110"): 1, ("92507", "97530"): 1,
    **{("97150", code): 1 for code in TIMED - {"97032", "97035", "97750"}},
}  # fmt: skip
RULES = {
    "medicare.timed_units_exceed_minutes", "medicare.timed_units_below_minutes", "medicare.timed_unit_on_wrong_code",
    "medicare.timed_minutes_not_documented", "medicare.discipline_modifier_missing",
    "medicare.discipline_modifier_conflict", "medicare.kx_missing", "medicare.kx_missing_on_crossing_line",
    "medicare.kx_routine", "medicare.ncci_pair_without_modifier", "medicare.ncci_pair_not_allowed",
    "medicare.distinct_service_modifier_unneeded", "clinic.line_without_note", "clinic.service_not_documented",
    "medicare.progress_report_overdue", "clinic.description_cloned", "clinic.progression_stalled",
    "payers.ama_midpoint.units_exceed_midpoint", "payers.ama_midpoint.units_below_midpoint",
}  # fmt: skip


class Clinic:
    def __init__(self, where: Path) -> None:
        self.where = where
        self.claims, self.notes, self.truth, self.opening = map(
            self.rows, ("claims", "notes", "truth", "opening_balances")
        )
        self.lines = {(line["Claim #"], line["Line"]): line for line in self.claims}
        self.discipline = {row["NPI"]: row["Discipline"] for row in self.rows("providers")}
        # A claim bills one visit; its number and the note's are the same but for their letters.
        self.billed: dict[str, Rows] = defaultdict(list)
        self.charted: dict[str, Rows] = defaultdict(list)
        for line in self.claims:
            self.billed[line["Claim #"][1:]].append(line)
        for note in self.notes:
            self.charted[note["Note ID"][1:].rstrip("AB")].append(note)

    def rows(self, name: str) -> Rows:
        with (self.where / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def told(self, rule: str, *kinds: str) -> Rows:
        return [row for row in self.truth if row["rule"] == rule and row["kind"] in (kinds or ("fault",))]

    def visits_told(self, *rules: str) -> set[str]:
        return {row["claim_id"][1:] for rule in rules for row in self.told(rule)}


def modifiers(line: dict[str, str]) -> list[str]:
    return [line[f"Mod {place}"] for place in range(1, 5) if line[f"Mod {place}"]]


def day(text: str) -> date:
    month, day_of_month, year = map(int, text.split("/"))
    return date(year, month, day_of_month)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    where = tmp_path_factory.mktemp("clinic")
    synth.write(where, seed=7, lines=4000)
    return Clinic(where)


def contents(where: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in where.iterdir()}


def test_same_seed_same_bytes_for_any_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth, "_PATIENTS_AT_ONCE", 25)
    for name, seed, threads in (("one", 1, 1), ("four", 1, 4), ("other", 2, 4)):
        synth.write(tmp_path / name, seed=seed, lines=2000, threads=threads)
    assert contents(tmp_path / "one") == contents(tmp_path / "four")
    assert contents(tmp_path / "one")["claims.csv"] != contents(tmp_path / "other")["claims.csv"]


def test_parts_make_one_file_with_unique_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth, "_PATIENTS_AT_ONCE", 25)
    counts = synth.write(tmp_path, lines=2000)
    clinic = Clinic(tmp_path)
    assert counts["claims"] == len(clinic.claims) == len(clinic.lines) == pytest.approx(2000, rel=0.15)
    assert counts["notes"] == len(clinic.notes)
    synth.write(tmp_path, lines=2000, form="parquet")
    told = duckdb.sql(f"SELECT count(*), min(\"Claim #\") FROM '{tmp_path / 'claims.parquet'}'").fetchone()
    assert told == (counts["claims"], clinic.claims[0]["Claim #"])


def test_samples_are_what_the_command_makes(tmp_path: Path) -> None:
    synth.write(tmp_path, seed=2026, lines=3500, dirt=True)
    samples = Path(str(folder("data"))) / "samples"
    for name, content in contents(tmp_path).items():
        assert content == (samples / name).read_bytes(), name


def test_dirt_spoils_rows_that_the_truth_does_not_need(tmp_path: Path) -> None:
    for name, dirt in (("clean", False), ("dirty", True)):
        synth.write(tmp_path / name, lines=1500, dirt=dirt)
    clean, dirty = Clinic(tmp_path / "clean"), Clinic(tmp_path / "dirty")
    assert clean.truth == dirty.truth
    assert len(dirty.claims) == len(clean.claims) + 3
    assert [row for row in dirty.claims if row["DOS"] == "13/45/2026"]
    assert {row["CPT"][5:] for row in dirty.claims} == {"", "."}
    assert (tmp_path / "dirty" / "claims.csv").read_bytes().endswith(b"\n\n")


def test_truth_names_every_rule_and_lines_that_exist(clinic: Clinic) -> None:
    assert {row["rule"] for row in clinic.truth if row["kind"] == "fault"} == RULES
    for row in clinic.truth:
        lines = [line for line in clinic.claims if line["Claim #"] == row["claim_id"]]
        assert lines, row
        assert {line["Patient ID"] for line in lines} == {row["patient_id"]}
        assert {day(line["DOS"]).isoformat() for line in lines} == {row["service_date"]}
        assert (row["grain"] == "line") == bool(row["claim_line_number"])
        if row["grain"] == "line":
            assert (row["claim_id"], row["claim_line_number"]) in clinic.lines
    faulty = {row["claim_id"] for row in clinic.truth if row["kind"] == "fault"}
    assert 0.02 < len(faulty) / len(clinic.billed) < 0.06


def unit_faults(minutes: dict[str, int], units: dict[str, int], method: str) -> set[str]:
    """What is wrong with the units billed for the minutes, worked out anew."""
    if method == "midpoint":
        due = {code: (spent + 7) // 15 if spent > 7 else 0 for code, spent in minutes.items()}
        over = any(billed > due.get(code, 0) for code, billed in units.items())
        under = any(units.get(code, 0) < earned for code, earned in due.items())
        return {"exceed"} if over else {"below"} if under else set()
    total = sum(minutes.values())
    due_total = (total + 7) // 15 if total > 7 else 0
    if sum(units.values()) != due_total:
        return {"exceed"} if sum(units.values()) > due_total else {"below"}
    extra = {code: units.get(code, 0) - spent // 15 for code, spent in minutes.items()}
    with_one = [minutes[code] % 15 for code, more in extra.items() if more == 1]
    without = [minutes[code] % 15 for code, more in extra.items() if more == 0]
    fits = set(extra.values()) <= {0, 1} and min(with_one, default=15) >= max(without, default=0)
    return set() if fits else {"wrong_code"}


def test_units_are_right_except_where_planted(clinic: Clinic) -> None:
    names = {
        "cms": {
            "exceed": "medicare.timed_units_exceed_minutes",
            "below": "medicare.timed_units_below_minutes",
            "wrong_code": "medicare.timed_unit_on_wrong_code",
        },
        "midpoint": {
            "exceed": "payers.ama_midpoint.units_exceed_midpoint",
            "below": "payers.ama_midpoint.units_below_midpoint",
        },
    }
    unjudged = clinic.visits_told(
        "clinic.line_without_note", "clinic.service_not_documented", "medicare.timed_minutes_not_documented"
    )
    seen: dict[str, set[str]] = defaultdict(set)
    for visit, lines in clinic.billed.items():
        if visit in unjudged:
            continue
        minutes: dict[str, int] = defaultdict(int)
        for service in clinic.charted[visit]:
            if service["CPT"] in TIMED:
                minutes[service["CPT"]] += int(service["Minutes"])
        units = {line["CPT"]: int(line["Units"]) for line in lines if line["CPT"] in TIMED}
        assert sum(minutes.values()) == sum(
            {s["Note ID"]: int(s["Total Timed Minutes"]) for s in clinic.charted[visit]}.values()
        )
        method = "midpoint" if lines[0]["Payer"].startswith(MIDPOINT) else "cms"
        for fault in unit_faults(minutes, units, method):
            seen[names[method][fault]].add(visit)
    for rule in (*names["cms"].values(), *names["midpoint"].values()):
        assert seen[rule] == clinic.visits_told(rule), rule


def test_modifiers_and_pairs_are_right_except_where_planted(clinic: Clinic) -> None:
    seen: dict[str, set[Any]] = defaultdict(set)
    for visit, lines in clinic.billed.items():
        codes = {line["CPT"]: line for line in lines}
        paired = set()
        for (one, two), indicator in PAIRS.items():
            if one in codes and two in codes:
                paired |= {one, two}
                if indicator == 0:
                    seen["medicare.ncci_pair_not_allowed"].add(visit)
                elif "59" not in modifiers(codes[one]) + modifiers(codes[two]):
                    seen["medicare.ncci_pair_without_modifier"].add(visit)
        for line in lines:
            key = (line["Claim #"], line["Line"])
            own = {"PT": "GP", "OT": "GO", "SLP": "GN"}[clinic.discipline[line["Rendering NPI"]]]
            found = {"GP", "GO", "GN"} & set(modifiers(line))
            if not found:
                seen["medicare.discipline_modifier_missing"].add(key)
            elif found != {own}:
                seen["medicare.discipline_modifier_conflict"].add(key)
            if "59" in modifiers(line) and line["CPT"] not in paired:
                seen["medicare.distinct_service_modifier_unneeded"].add(key)
    for rule in ("medicare.ncci_pair_not_allowed", "medicare.ncci_pair_without_modifier"):
        assert seen[rule] == clinic.visits_told(rule), rule
    for rule in (
        "medicare.discipline_modifier_missing",
        "medicare.discipline_modifier_conflict",
        "medicare.distinct_service_modifier_unneeded",
    ):
        assert seen[rule] == {(row["claim_id"], row["claim_line_number"]) for row in clinic.told(rule)}, rule


def test_kx_is_where_the_running_total_asks_for_it_except_where_planted(clinic: Clinic) -> None:
    opening = {(row["Patient ID"], row["Pool"]): Decimal(row["Amount"]) for row in clinic.opening}
    balance: dict[tuple[str, str], Decimal] = defaultdict(Decimal, opening)
    seen: dict[str, set[tuple[str, str]]] = defaultdict(set)
    exact = set()
    threshold = Decimal(2480)
    for line in sorted(clinic.claims, key=lambda line: (day(line["DOS"]), line["Claim #"], int(line["Line"]))):
        if line["Payer"] not in PART_B:
            continue
        pool = line["Patient ID"], "OT" if clinic.discipline[line["Rendering NPI"]] == "OT" else "PT+SLP"
        before, after = balance[pool], balance[pool] + Decimal(line["Allowed"])
        balance[pool] = after
        key = (line["Claim #"], line["Line"])
        if after == threshold:
            exact.add(key)
        if "KX" in modifiers(line) and after <= threshold:
            assert after < threshold / 2
            seen["medicare.kx_routine"].add(key)
        if "KX" not in modifiers(line) and after > threshold:
            seen["medicare.kx_missing" if before >= threshold else "medicare.kx_missing_on_crossing_line"].add(key)
    for rule in ("medicare.kx_missing", "medicare.kx_missing_on_crossing_line", "medicare.kx_routine"):
        assert seen[rule] == {(row["claim_id"], row["claim_line_number"]) for row in clinic.told(rule)}, rule
    near = clinic.told("medicare.kx_missing_on_crossing_line", "near_miss")
    assert exact
    assert exact == {(row["claim_id"], row["claim_line_number"]) for row in near}


def test_notes_are_there_and_complete_except_where_planted(clinic: Clinic) -> None:
    unnoted, uncharted, unsaid = set(), set(), set()
    for visit, lines in clinic.billed.items():
        charted = {service["CPT"] for service in clinic.charted[visit]}
        for line in lines:
            if not charted:
                unnoted.add((line["Claim #"], line["Line"]))
            elif line["CPT"] not in charted:
                uncharted.add((line["Claim #"], line["Line"]))
        if any(not service["Minutes"] for service in clinic.charted[visit]):
            unsaid.add(visit)

    def told(rule: str) -> set[tuple[str, str]]:
        return {(row["claim_id"], row["claim_line_number"]) for row in clinic.told(rule)}

    assert unnoted == told("clinic.line_without_note")
    assert uncharted == told("clinic.service_not_documented")
    assert unsaid == clinic.visits_told("medicare.timed_minutes_not_documented")


def test_texts_and_measures_change_except_where_planted(clinic: Clinic) -> None:
    activity: dict[tuple[str, str, str], dict[date, tuple[str, object]]] = defaultdict(dict)
    for service in clinic.notes:
        levels = (service["Assist Level"], service["Cue Level"], service["Difficulty"])
        measure = (levels, tuple(sorted(re.findall(r"\d+", service["Intervention Text"]))))
        of = (service["Patient ID"], service["Discipline"], service["CPT"])
        activity[of][day(service["DOS"])] = (service["Intervention Text"], measure)
    seen: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    longest = 0
    for (patient, discipline, _), visits in activity.items():
        for place, rule in enumerate(("clinic.description_cloned", "clinic.progression_stalled")):
            run, last = 0, None
            for when in sorted(visits):
                run = run + 1 if visits[when][place] == last else 1
                last = visits[when][place]
                longest = max(longest, run)
                if run == 4:
                    seen[rule].add((patient, discipline, when.isoformat()))
    for rule in ("clinic.description_cloned", "clinic.progression_stalled"):
        told = clinic.told(rule, "fault", "consequence")
        assert seen[rule] == {(row["patient_id"], row["discipline"], row["service_date"]) for row in told}, rule
    assert 4 <= longest <= 6


def test_progress_reports_are_in_time_except_where_planted(clinic: Clinic) -> None:
    days: dict[tuple[str, str], set[date]] = defaultdict(set)
    reports: dict[tuple[str, str], set[date]] = defaultdict(set)
    for visit, lines in clinic.billed.items():
        discipline = clinic.discipline[lines[0]["Rendering NPI"]]
        days[lines[0]["Patient ID"], discipline].add(day(lines[0]["DOS"]))
        if any(note["Note Type"] in ("progress_report", "discharge") for note in clinic.charted[visit]):
            reports[lines[0]["Patient ID"], discipline].add(day(lines[0]["DOS"]))
    late = set()
    for episode, dates in days.items():
        since = 0
        for when in sorted(dates):
            since += 1
            if since == 11:
                late.add((*episode, when.isoformat()))
            if when in reports[episode]:
                since = 0
    told = clinic.told("medicare.progress_report_overdue")
    assert late == {(row["patient_id"], row["discipline"], row["service_date"]) for row in told}


def test_provider_numbers_are_valid_and_nobody_is_named(clinic: Clinic) -> None:
    providers = clinic.rows("providers")
    numbers = {row["NPI"] for row in providers} | {line["Billing NPI"] for line in clinic.claims}
    for number in numbers:
        digits = [int(digit) for digit in "80840" + number]
        doubled = [2 * digit if place % 2 else digit for place, digit in enumerate(reversed(digits))]
        assert len(number) == 10
        assert sum(sum(divmod(digit, 10)) for digit in doubled) % 10 == 0
    assert {row["Credential"] for row in providers} == {"PT", "PTA", "OT", "OTA", "SLP"}
    assert all(re.fullmatch(r"Clinician \d+", row["Provider Name"]) for row in providers)
    assert all(re.fullmatch(r"P\d{6}", line["Patient ID"]) for line in clinic.claims)


@pytest.mark.parametrize(
    "bad", [{"lines": 0}, {"form": "xlsx"}, {"start": date(2020, 1, 1)}, {"end": date(2026, 1, 9)}]
)
def test_arguments_out_of_range_are_told(tmp_path: Path, bad: dict[str, Any]) -> None:
    with pytest.raises(AuditError, match=r"^synth: .*\.$"):
        synth.write(tmp_path, **bad)


def finding_table(truth: Rows) -> duckdb.DuckDBPyConnection:
    """A finding for each truth row given, as a perfect audit would have it."""
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE finding (finding_id VARCHAR, rule VARCHAR, claim_id VARCHAR, claim_line_number INTEGER,"
        " patient_id VARCHAR, service_date DATE, discipline VARCHAR)"
    )
    names = ("rule", "claim_id", "claim_line_number", "patient_id", "service_date", "discipline")
    rows = [[str(place), *((row[name] or "1") for name in names)] for place, row in enumerate(truth)]
    con.executemany("INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    return con


def test_accuracy_of_a_perfect_audit_and_of_a_careless_one(clinic: Clinic) -> None:
    truth = clinic.where / "truth.csv"
    faults = [row for row in clinic.truth if row["kind"] == "fault"]
    with finding_table(faults) as con:
        perfect = accuracy.measure(con, truth)
    assert {row["rule"] for row in perfect} == RULES
    for row in perfect:
        assert (row["missed"], row["false"], row["near_misses_flagged"]) == (0, 0, 0), row
        assert (row["precision"], row["recall"]) == (1, 1)
    # One fault left out, one near miss flagged, one consequence told, one finding from nowhere.
    rule = "medicare.timed_units_exceed_minutes"
    mine = [row for row in faults if row["rule"] == rule]
    near, follows = clinic.told(rule, "near_miss")[0], clinic.told(rule, "consequence")[0]
    nowhere = {**mine[0], "service_date": "2026-01-01"}
    with finding_table([*mine[1:], near, follows, nowhere]) as con:
        [careless] = [row for row in accuracy.measure(con, truth) if row["rule"] == rule]
    names = ("planted", "found", "missed", "false", "near_misses_flagged")
    assert [careless[name] for name in names] == [len(mine), len(mine) - 1, 1, 2, 1]
    assert careless["precision"] == pytest.approx((len(mine) - 1) / (len(mine) + 1))
    assert careless["recall"] == pytest.approx((len(mine) - 1) / len(mine))


def test_accuracy_page_tells_seed_totals_and_each_rule(clinic: Clinic) -> None:
    with finding_table(clinic.told("medicare.kx_missing")) as con:
        rows = accuracy.measure(con, clinic.where / "truth.csv")
    page = accuracy.markdown(rows, 7, 4000)
    planted = sum(row["planted"] for row in rows)
    assert f"{len(clinic.told('medicare.kx_missing'))} of {planted} planted faults were found" in page
    assert "seed 7" in page
    assert "4,000" in page
    assert all(f"| {rule} |" in page for rule in RULES)


def test_accuracy_needs_the_truth(tmp_path: Path) -> None:
    with duckdb.connect() as con, pytest.raises(AuditError, match=r"truth\.csv: there is no such file"):
        accuracy.measure(con, tmp_path / "truth.csv")
