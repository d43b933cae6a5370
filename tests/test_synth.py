"""The synthetic clinic is what it says: repeatable, clean where nothing was planted, and true about what was."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from therapy_audit import accuracy, engine, intake, rules, synth
from therapy_audit.config import INPUTS, read
from therapy_audit.errors import AuditError
from therapy_audit.intake import x12
from therapy_audit.notes import store
from therapy_audit.resources import folder

if TYPE_CHECKING:
    from collections.abc import Mapping

Rows = list[dict[str, str]]
TIMED = {"97032", "97035", "97110", "97112", "97113", "97116", "97124", "97140", "97530", "97535", "97542", "97750"}
MIDPOINT = ("AETNA", "BCBS", "CIGNA", "WORKERS", "SELF-FUNDED")
PART_B = ("MEDICARE PART B", "Medicare - Palmetto GBA")
MEDICARE = (*PART_B, "UHC MEDICARE ADVANTAGE")
ASKS_FOR_ASSISTANT = (*MEDICARE, "UNITEDHEALTHCARE", "TRICARE EAST")
CAPPED = ("UNITEDHEALTHCARE", "AETNA")
SETS_MANUAL_THERAPY_APART = ("AETNA", "BCBS OF SC", "CIGNA")
DISTINCT = {"59", "XE", "XP", "XS", "XU"}
SKILLED = {"97110", "97112", "97113", "97116", "97530", "97535", "97542"}
GROUP_OR_SUPERVISED = {"97150", "G0283"}
EVALUATIONS = {
    "92521", "92522", "92523", "92524", "97161", "97162", "97163", "97164", "97165", "97166", "97167", "97168",
}  # fmt: skip
# The most units of a day: practitioner, hospital. What is not here is one a day.
UNLIKELY = {
    "97032": (4, 4), "97035": (2, 2), "97110": (6, 8), "97112": (4, 6), "97113": (6, 6), "97116": (4, 4),
    "97124": (4, 4), "97140": (6, 6), "97150": (1, 2), "97530": (6, 6), "97535": (8, 8), "97542": (8, 8),
    "97750": (8, 8),
}  # fmt: skip
# column one, column two, indicator: the pairs in force that the clinic's codes can make.
PAIRS = {
    ("97530", "97542"): 1, ("97113", "97110"): 1, ("97140", "97124"): 0, ("97140", "97750"): 1, ("97530", "97750"): 1,
    ("97750", "97150"): 0, ("97032", "97164"): 1, ("97035", "97164"): 1, ("92507", "97110"): 1, ("92507", "97530"): 1,
    **{("97150", code): 1 for code in TIMED - {"97032", "97035", "97750"}},
    **{(code, "97168"): 1 for code in ("97032", "97035", "97535", "97542")},
    **{(code, "97750"): 0 for code in EVALUATIONS if code.startswith("97")},
}  # fmt: skip
RULES = {
    "medicare.timed_units_exceed_minutes", "medicare.timed_units_below_minutes", "medicare.timed_unit_on_wrong_code",
    "medicare.timed_minutes_not_documented", "medicare.discipline_modifier_missing",
    "medicare.discipline_modifier_conflict", "medicare.kx_missing", "medicare.kx_missing_on_crossing_line",
    "medicare.kx_routine", "medicare.ncci_pair_without_modifier", "medicare.ncci_pair_not_allowed",
    "medicare.distinct_service_modifier_unneeded", "clinic.line_without_note", "clinic.service_not_documented",
    "medicare.progress_report_overdue", "clinic.description_cloned", "clinic.progression_stalled",
    "payers.ama_midpoint.units_exceed_midpoint", "payers.ama_midpoint.units_below_midpoint",
    "medicare.timed_code_under_eight_minutes", "clinic.minutes_do_not_add_up", "medicare.untimed_code_multiple_units",
    "payers.unit_cap.daily_timed_units_exceeded", "medicare.mue_exceeded", "medicare.timed_code_split_across_lines",
    "clinic.time_blocks_overlap", "clinic.start_stop_missing", "clinic.same_day_pair_not_distinct",
    "medicare.clinician_double_booked", "medicare.clinician_day_impossible", "medicare.cotreatment_double_billed",
    "clinic.minutes_look_estimated", "medicare.units_consistently_short", "medicare.assistant_modifier_missing",
    "medicare.assistant_modifier_unsupported", "medicare.assistant_modifier_mismatch",
    "medicare.kx_with_liability_modifier", "medicare.medical_review_threshold_passed",
    "medicare.kx_threshold_approaching", "medicare.distinct_service_unsupported",
    "medicare.distinct_service_modifier_conflict", "payers.pair_rules.pair_without_modifier",
    "medicare.reduced_service_modifier_on_timed_code", "clinic.functional_goal_missing",
    "clinic.skilled_direction_missing", "clinic.activity_not_specific", "clinic.patient_response_missing",
    "clinic.assistance_level_missing", "clinic.impairment_level_activity", "clinic.instruction_not_activity",
    "clinic.passive_treatment_as_activity", "clinic.description_cloned_across_patients", "clinic.denial_open",
    "clinic.line_not_remitted", "clinic.remittance_not_matched", "clinic.remittance_does_not_balance",
    "clinic.service_date_differs_from_note", "clinic.billed_code_differs_from_note", "clinic.service_not_billed",
    "clinic.rendering_differs_from_note", "clinic.duplicate_line", "medicare.rendering_provider_not_eligible",
    "medicare.evaluation_repeated", "medicare.group_and_individual_overlap",
    "medicare.plan_not_certified", "medicare.plan_not_recertified", "medicare.progress_report_by_assistant",
    "medicare.clinician_absent_in_progress_period", "medicare.assistant_supervision_missing",
    "payers.authorization.authorization_exceeded", "clinic.extended_therapy_unsupported",
    "clinic.note_unsigned_or_late",
    "medicare.allowed_above_fee_schedule", "medicare.payment_reduction_not_applied", "medicare.paid_below_expected",
    "clinic.code_mix_drift", "clinic.high_frequency_without_progression",
    "payers.contract.allowed_above_contract", "payers.contract.paid_below_contract",
}  # fmt: skip
# Rules whose cases need visits of which a small clinic has few: it may hold none.
RARE = {"medicare.evaluation_repeated"}


class Clinic:
    def __init__(self, where: Path) -> None:
        self.where = where
        self.sent, self.notes, self.truth, self.opening, self.remitted = map(
            self.rows, ("claims", "notes", "truth", "opening_balances", "remittances")
        )
        # Of each claim the version that counts: what was sent by mistake under another number is void.
        replaced = {line["Claim #"] for line in self.sent if line["Frequency"] == "7"}
        self.claims = [
            line
            for line in self.sent
            if not line["Claim #"].startswith("D") and (line["Frequency"] == "7") == (line["Claim #"] in replaced)
        ]
        self.lines = {(line["Claim #"], line["Line"]): line for line in self.claims}
        self.discipline = {row["NPI"]: row["Discipline"] for row in self.rows("providers")}
        # A claim bills one visit; its number and the note's are the same but for their letters.
        self.billed: dict[str, Rows] = defaultdict(list)
        self.charted: dict[str, Rows] = defaultdict(list)
        twice = {row["claim_id"] for row in self.told("clinic.duplicate_line")}
        for line in self.claims:
            if line["Claim #"] not in twice:
                self.billed[line["Claim #"][1:]].append(line)
        for note in self.notes:
            self.charted[note["Note ID"][1:].rstrip("AB")].append(note)

    def rows(self, name: str) -> Rows:
        with (self.where / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def told(self, rule: str, *kinds: str) -> Rows:
        return [row for row in self.truth if row["rule"] == rule and row["kind"] in (kinds or ("fault",))]

    def visits_told(self, *rules: str, kinds: tuple[str, ...] = ("fault",)) -> set[str]:
        return {row["claim_id"][1:] for rule in rules for row in self.told(rule, *kinds)}

    def lines_told(self, rule: str, *kinds: str) -> set[tuple[str, str]]:
        return {(row["claim_id"], row["claim_line_number"]) for row in self.told(rule, *kinds)}

    def days_told(self, rule: str, *kinds: str) -> set[tuple[str, str]]:
        return {(row["clinician_npi"], row["service_date"]) for row in self.told(rule, *kinds)}


def modifiers(line: dict[str, str]) -> list[str]:
    return [line[f"Mod {place}"] for place in range(1, 5) if line[f"Mod {place}"]]


def day(text: str) -> date:
    month, day_of_month, year = map(int, text.split("/"))
    return date(year, month, day_of_month)


def minute(text: str) -> int:
    """Minutes after midnight of a time such as 9:05 AM."""
    match = re.fullmatch(r"(1[0-2]|[1-9]):([0-5]\d) ([AP])M", text)
    assert match, text
    return 60 * (int(match[1]) % 12 + 12 * (match[3] == "P")) + int(match[2])


def block(service: dict[str, str]) -> tuple[int, int] | None:
    if not service["Start Time"] or not service["Stop Time"]:
        return None
    return minute(service["Start Time"]), minute(service["Stop Time"])


def clash(services: Rows) -> bool:
    """Whether the minutes given in blocks that hang together are more than their clock."""
    end, minutes, start = -1, 0, 0
    for (first, last), service in sorted(
        ((span, service) for service in services if (span := block(service))), key=lambda item: item[0]
    ):
        if first >= end:
            start, minutes = first, 0
        end, minutes = max(end, last), minutes + int(service["Minutes"])
        if minutes > end - start and last - first >= int(service["Minutes"]):
            return True
    return False


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    where = tmp_path_factory.mktemp("clinic")
    synth.write(where, seed=7, lines=4000, x12=True)
    return Clinic(where)


def contents(where: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in where.iterdir()}


def test_same_seed_same_bytes_for_any_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth, "_PATIENTS_AT_ONCE", 25)
    for name, seed, threads in (("one", 1, 1), ("four", 1, 4), ("other", 2, 4)):
        synth.write(tmp_path / name, seed=seed, lines=2000, threads=threads, x12=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "four")
    assert contents(tmp_path / "one")["claims.csv"] != contents(tmp_path / "other")["claims.csv"]


def test_parts_make_one_file_with_unique_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth, "_PATIENTS_AT_ONCE", 25)
    counts = synth.write(tmp_path, lines=2000)
    clinic = Clinic(tmp_path)
    assert counts["claims"] == len(clinic.sent)
    assert len(clinic.claims) == len(clinic.lines) == pytest.approx(2000, rel=0.15)
    assert len({(row["Check #"], row["Remittance Line"]) for row in clinic.remitted}) == counts["remittances"]
    assert counts["notes"] == len(clinic.notes)
    assert counts["providers"] == len(clinic.discipline)
    test_nobody_is_in_two_places_except_where_planted(clinic)
    synth.write(tmp_path, lines=2000, form="parquet")
    told = duckdb.sql(f"SELECT count(*), min(\"Claim #\") FROM '{tmp_path / 'claims.parquet'}'").fetchone()
    assert told == (counts["claims"], min(line["Claim #"] for line in clinic.sent))


def test_settings_name_all_that_was_made_and_are_kept(tmp_path: Path) -> None:
    synth.write(tmp_path, lines=800)
    config = read(tmp_path / "audit.toml")
    assert {Path(file).name for files in config.inputs.values() for file in files} == {
        path.name for path in tmp_path.iterdir()
    } - {"audit.toml", "truth.csv", "blue_cross_fees.csv"}
    assert config.fees == {"blue_cross": (tmp_path / "blue_cross_fees.csv",)}
    assert config.period == "2026-01-01..2026-03-31"
    (tmp_path / "audit.toml").write_text("# mine", encoding="utf-8")
    synth.write(tmp_path, lines=800)
    assert (tmp_path / "audit.toml").read_text(encoding="utf-8") == "# mine"


def test_samples_are_what_the_command_makes(tmp_path: Path) -> None:
    synth.write(tmp_path, seed=2026, lines=3500, dirt=True)
    samples = Path(str(folder("data"))) / "samples"
    made = contents(tmp_path)
    del made["audit.toml"]  # the samples' own names the folder of their report
    for name, content in made.items():
        assert content == (samples / name).read_bytes(), name


def test_dirt_spoils_rows_that_the_truth_does_not_need(tmp_path: Path) -> None:
    for name, dirt in (("clean", False), ("dirty", True)):
        synth.write(tmp_path / name, lines=1500, dirt=dirt)
    clean, dirty = Clinic(tmp_path / "clean"), Clinic(tmp_path / "dirty")
    assert clean.truth == dirty.truth
    assert len(dirty.sent) == len(clean.sent) + 3
    assert [row for row in dirty.claims if row["DOS"] == "13/45/2026"]
    assert {row["CPT"][5:] for row in dirty.claims} == {"", "."}
    assert (tmp_path / "dirty" / "claims.csv").read_bytes().endswith(b"\n\n")


def test_truth_names_every_rule_and_lines_that_exist(clinic: Clinic) -> None:
    assert {row["rule"] for row in clinic.truth if row["kind"] == "fault"} | RARE == RULES
    near = {row["rule"] for row in clinic.truth if row["kind"] == "near_miss"}
    assert near | RARE == RULES
    for row in clinic.truth:
        assert (row["grain"] in ("clinician", "clinician_day")) == bool(row["clinician_npi"])
        assert (row["grain"] == "patient_year") == bool(row["year"] and row["pool"])
        assert row["grain"].startswith("remittance") == bool(row["remittance_id"])
        if row["grain"].startswith("remittance"):
            assert row["remittance_id"] in {answer["Check #"] for answer in clinic.remitted}
            assert row["claim_id"] in {answer["Claim #"] for answer in clinic.remitted} | {""}
            continue
        if row["grain"] in ("clinician", "clinician_day", "patient_year"):
            assert row["clinician_npi"] in clinic.discipline or row["year"] == "2026"
            assert (row["grain"] == "clinician_day") == bool(row["service_date"])
            continue
        lines = [line for line in clinic.claims if line["Claim #"] == row["claim_id"]]
        if row["rule"] == "clinic.service_not_billed" and not lines:
            assert clinic.charted[row["claim_id"][1:]], row
            continue
        assert lines, row
        assert {line["Patient ID"] for line in lines} == {row["patient_id"]}
        assert {day(line["DOS"]).isoformat() for line in lines} == {row["service_date"]}
        assert (row["grain"] == "line") == bool(row["claim_line_number"])
        if row["grain"] == "line":
            assert (row["claim_id"], row["claim_line_number"]) in clinic.lines
    faulty = {row["claim_id"] for row in clinic.truth if row["kind"] == "fault"}
    assert 0.05 < len(faulty) / len(clinic.billed) < 0.2


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
        "clinic.line_without_note", "clinic.service_not_documented", "clinic.billed_code_differs_from_note"
    )
    unequal = clinic.visits_told("clinic.minutes_do_not_add_up")
    seen: dict[str, set[str]] = defaultdict(set)
    under_eight = set()
    for visit, lines in clinic.billed.items():
        if visit in unjudged or not all(service["Minutes"] for service in clinic.charted[visit]):
            continue
        minutes: dict[str, int] = defaultdict(int)
        for service in clinic.charted[visit]:
            if service["CPT"] in TIMED:
                minutes[service["CPT"]] += int(service["Minutes"])
        units: dict[str, int] = defaultdict(int)
        for line in lines:
            if line["CPT"] in TIMED:
                units[line["CPT"]] += int(line["Units"])
        stated = {note["Note ID"]: note for note in clinic.charted[visit]}.values()
        total = sum(int(note["Total Treatment Minutes"]) for note in stated)
        timed_total = sum(int(note["Total Timed Minutes"]) for note in stated)
        alone = [service for service in clinic.charted[visit] if service["CPT"] not in GROUP_OR_SUPERVISED]
        charted_total = sum(int(service["Minutes"]) for service in alone)
        adds_up = timed_total == sum(minutes.values()) and timed_total <= total and charted_total <= total
        assert adds_up == (visit not in unequal)
        if len(minutes) == 1 and 0 < sum(minutes.values()) < 8 and units:
            under_eight.add(visit)
        method = "midpoint" if lines[0]["Payer"].startswith(MIDPOINT) else "cms"
        for fault in unit_faults(minutes, units, method):
            seen[names[method][fault]].add(visit)
    for rule in (*names["cms"].values(), *names["midpoint"].values()):
        follows = clinic.visits_told(rule, kinds=("consequence",)) - unjudged
        assert seen[rule] == clinic.visits_told(rule) | follows, rule
    assert under_eight == clinic.visits_told("medicare.timed_code_under_eight_minutes")


def test_modifiers_and_pairs_are_right_except_where_planted(clinic: Clinic) -> None:
    seen: dict[str, set[Any]] = defaultdict(set)
    for visit, lines in clinic.billed.items():
        codes = {line["CPT"]: line for line in lines}
        medicare, hospital = lines[0]["Payer"] in MEDICARE, lines[0]["POS"] == "22"
        paired, set_apart = set(), set()
        for (one, two), indicator in PAIRS.items():
            if medicare and one in codes and two in codes:
                paired |= {one, two}
                if indicator == 0 and not (hospital and one in EVALUATIONS):
                    seen["medicare.ncci_pair_not_allowed"].add(visit)
                elif not DISTINCT & {*modifiers(codes[one]), *modifiers(codes[two])}:
                    seen["medicare.ncci_pair_without_modifier"].add(visit)
                else:
                    set_apart |= {one, two}
        services = {service["CPT"]: service for service in clinic.charted[visit]}
        apart = [service for code, service in services.items() if code in set_apart]
        if len(apart) == 2:
            first, second = map(block, apart)
            regions = [set(re.findall("knee|neck|shoulder", service["Intervention Text"])) for service in apart]
            same = not all(regions) or regions[0] & regions[1]
            if first and second and max(first[0], second[0]) < min(first[1], second[1]) and same:
                seen["medicare.distinct_service_unsupported"].add(visit)
        pair = [codes[code] for code in ("97530", "97140") if code in codes]
        if (
            len(pair) == 2
            and lines[0]["Payer"] in SETS_MANUAL_THERAPY_APART
            and not DISTINCT & {*modifiers(pair[0]), *modifiers(pair[1])}
        ):
            seen["payers.pair_rules.pair_without_modifier"].add(visit)
        for line in lines:
            key = (line["Claim #"], line["Line"])
            own = {"PT": "GP", "OT": "GO", "SLP": "GN"}[clinic.discipline[line["Rendering NPI"]]]
            mods = set(modifiers(line))
            found = {"GP", "GO", "GN"} & mods
            if not found:
                seen["medicare.discipline_modifier_missing"].add(key)
            elif found != {own}:
                seen["medicare.discipline_modifier_conflict"].add(key)
            if medicare and DISTINCT & mods:
                if line["CPT"] not in paired and line["CPT"] not in EVALUATIONS:
                    seen["medicare.distinct_service_modifier_unneeded"].add(key)
                if len(DISTINCT & mods) > 1 or (line["CPT"] in EVALUATIONS and line["CPT"] not in paired):
                    seen["medicare.distinct_service_modifier_conflict"].add(key)
            if "52" in mods and line["CPT"] in TIMED:
                seen["medicare.reduced_service_modifier_on_timed_code"].add(key)
            assistants = {"CQ", "CO"} & mods
            if assistants and (
                len(assistants) > 1
                or not {("CQ", "GP"), ("CO", "GO")}
                & {(assistant, given) for assistant in assistants for given in found}
                or line["CPT"] in EVALUATIONS
            ):
                seen["medicare.assistant_modifier_mismatch"].add(key)
    for rule in (
        "medicare.ncci_pair_not_allowed",
        "medicare.ncci_pair_without_modifier",
        "medicare.distinct_service_unsupported",
        "payers.pair_rules.pair_without_modifier",
    ):
        assert seen[rule] == clinic.visits_told(rule), rule
    for rule in (
        "medicare.discipline_modifier_missing",
        "medicare.discipline_modifier_conflict",
        "medicare.distinct_service_modifier_unneeded",
        "medicare.distinct_service_modifier_conflict",
        "medicare.reduced_service_modifier_on_timed_code",
        "medicare.assistant_modifier_mismatch",
    ):
        follows = clinic.lines_told(rule, "consequence")
        assert seen[rule] == clinic.lines_told(rule) | follows, rule


def assistant_units(units: int, timed: bool, minutes: int, assistant: int) -> set[int]:
    """How many of a code's units are an assistant's, by either of the published 10 % tests (from 2022 on)."""
    by_share, by_table = round(100 * assistant / minutes) > 10, assistant >= (minutes + 5) // 10 + 1
    if not timed:
        return {units * by_share, units * by_table}
    therapist = minutes - assistant
    whole = assistant // 15
    own, helped, left = therapist % 15, assistant % 15, units - therapist // 15 - whole
    if left == 2 and 9 <= own <= 14 and 9 <= helped <= 14 and 23 <= own + helped <= 28:
        return {whole + 1}
    if left < 1 or own >= 8 or not helped:
        return {whole}
    if helped >= 8:
        return {whole + left}
    rest = own + helped
    return {whole + (round(100 * helped / rest) > 10), whole + (helped >= (rest + 5) // 10 + 1)}


def test_assistants_units_are_marked_except_where_planted(clinic: Clinic) -> None:
    missing, unsupported = set(), set()
    for visit, lines in clinic.billed.items():
        services = {service["CPT"]: service for service in clinic.charted[visit] if service["Assistant Minutes"]}
        for line in lines:
            marked = [line for line in lines if {"CQ", "CO"} & set(modifiers(line))]
            if line["Payer"] not in ASKS_FOR_ASSISTANT:
                assert not marked
                continue
            same = [other for other in lines if other["CPT"] == line["CPT"]]
            billed = sum(int(other["Units"]) for other in same if other in marked)
            service = services.get(line["CPT"])
            due = {0}
            if service:
                if service["Credential"] in ("PTA", "OTA"):
                    assert service["Assistant Minutes"] == service["Minutes"]
                spent = int(service["Minutes"]), int(service["Assistant Minutes"])
                due = assistant_units(sum(int(other["Units"]) for other in same), line["CPT"] in TIMED, *spent)
            if billed < max(due) and line not in marked:
                missing.add((line["Claim #"], line["Line"]))
            if billed > max(due) and line in marked:
                unsupported.add((line["Claim #"], line["Line"]))
    assert missing == clinic.lines_told("medicare.assistant_modifier_missing")
    follows = clinic.lines_told("medicare.assistant_modifier_unsupported", "consequence")
    assert unsupported - follows == clinic.lines_told("medicare.assistant_modifier_unsupported")


def test_units_stay_within_limits_except_where_planted(clinic: Clinic) -> None:
    over_cap, untimed, unlikely, split = set(), set(), set(), set()
    days: dict[tuple[str, ...], int] = defaultdict(int)
    for visit, lines in sorted(clinic.billed.items()):
        payer, codes = lines[0]["Payer"], [line["CPT"] for line in lines]
        if payer in CAPPED and sum(int(line["Units"]) for line in lines if line["CPT"] in TIMED) > 4:
            over_cap.add(visit)
        if payer in MEDICARE and any(
            len([1 for line in lines if (line["CPT"], sorted(modifiers(line))) == (code, mods)]) > 1
            for code, mods in ((line["CPT"], sorted(modifiers(line))) for line in lines)
        ):
            split.add(visit)
        for line in lines:
            key, units = (line["Claim #"], line["Line"]), int(line["Units"])
            if units > 1 and line["CPT"] not in TIMED and not payer.startswith(MIDPOINT):
                untimed.add(key)
            if payer in MEDICARE:
                of = (line["Patient ID"], line["DOS"], line["CPT"])
                days[of] += units
                if days[of] > UNLIKELY.get(line["CPT"], (1, 1))[line["POS"] == "22"]:
                    unlikely.add(key)
        assert len(codes) <= 5
    assert over_cap == clinic.visits_told("payers.unit_cap.daily_timed_units_exceeded")
    assert split == clinic.visits_told("medicare.timed_code_split_across_lines")
    follows = clinic.lines_told("medicare.untimed_code_multiple_units", "consequence")
    assert untimed == clinic.lines_told("medicare.untimed_code_multiple_units") | (follows & untimed)
    follows = clinic.lines_told("medicare.mue_exceeded", "consequence")
    assert unlikely == clinic.lines_told("medicare.mue_exceeded") | (follows & unlikely)


def test_nobody_is_in_two_places_except_where_planted(clinic: Clinic) -> None:
    by_clinician: dict[tuple[str, str], Rows] = defaultdict(list)
    by_patient: dict[tuple[str, str], Rows] = defaultdict(list)
    overlapping, unclocked = set(), set()
    for visit, services in clinic.charted.items():
        alone = [service for service in services if service["CPT"] not in GROUP_OR_SUPERVISED]
        if clash(alone):
            overlapping.add(visit)
        if any(service["CPT"] in TIMED and not block(service) for service in services):
            unclocked.add(visit)
        for service in services:
            by_patient[service["Patient ID"], service["DOS"]].append(service)
            if service in alone:
                by_clinician[service["Therapist NPI"], day(service["DOS"]).isoformat()].append(service)
    follows = clinic.visits_told("clinic.time_blocks_overlap", kinds=("consequence",))
    assert overlapping == clinic.visits_told("clinic.time_blocks_overlap") | follows & overlapping
    follows = clinic.visits_told("clinic.start_stop_missing", kinds=("consequence",))
    follows |= clinic.visits_told("clinic.service_date_differs_from_note")  # so that they are in nobody's way
    assert unclocked == clinic.visits_told("clinic.start_stop_missing") | follows
    booked, impossible = set(), set()
    for key, services in by_clinician.items():
        own = [service for service in services if service["Note ID"][1:].rstrip("AB") not in overlapping]
        if clash(own):
            booked.add(key)
        blocks = [span for service in services if (span := block(service))]
        minutes = sum(int(service["Minutes"] or 0) for service in services if service["CPT"] in TIMED)
        clock = max(stop for _, stop in blocks) - min(start for start, _ in blocks) if blocks else 1440
        if minutes > 480 or (minutes > clock and len(blocks) == len(services)):
            impossible.add(key)
        assert all(8 * 60 <= start < stop <= 19 * 60 for start, stop in blocks)
    told = clinic.days_told("medicare.clinician_day_impossible")
    follows_day = clinic.days_told("medicare.clinician_day_impossible", "consequence")
    assert booked - told == clinic.days_told("medicare.clinician_double_booked")
    assert told <= impossible <= told | follows_day
    for row in clinic.told("medicare.clinician_day_impossible", "near_miss"):
        services = by_clinician[row["clinician_npi"], row["service_date"]]
        assert sum(int(service["Minutes"]) for service in services) == 480
    # A patient is with two disciplines at once only where both treat.
    together = clinic.visits_told("medicare.cotreatment_double_billed", kinds=("fault", "near_miss"))
    for services in by_patient.values():
        spans = [(span, service["Discipline"]) for service in services if (span := block(service))]
        if any(
            one[1] != two[1] and max(one[0][0], two[0][0]) < min(one[0][1], two[0][1]) for one in spans for two in spans
        ):
            assert together & {service["Note ID"][1:] for service in services}


def test_cotreatment_bills_no_minute_twice_except_where_planted(clinic: Clinic) -> None:
    by_day: dict[tuple[str, str], set[str]] = defaultdict(set)
    for visit, lines in clinic.billed.items():
        by_day[lines[0]["Patient ID"], lines[0]["DOS"]].add(visit)
    seen = set()
    for visits in by_day.values():
        services = [service for visit in visits for service in clinic.charted[visit]]
        if len(visits) == 2 and all(block(service) and service["CPT"] in TIMED for service in services):
            minutes = {at for service in services for at in range(*(block(service) or ()))}
            alone = sum(int(service["Minutes"]) for service in services)
            lines = [line for visit in visits for line in clinic.billed[visit] if line["Payer"] in MEDICARE]
            units = sum(int(line["Units"]) for line in lines)
            if lines and len(minutes) < alone and units > (len(minutes) + 7) // 15:
                seen.add(frozenset(visits))
    told = clinic.visits_told("medicare.cotreatment_double_billed")
    assert {frozenset(visits) for visits in by_day.values() if visits & told} == seen


def test_clinicians_minutes_look_measured_except_where_planted(clinic: Clinic) -> None:
    minutes: dict[str, list[int]] = defaultdict(list)
    ratio: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for visit, services in clinic.charted.items():
        timed = [service for service in services if service["CPT"] in TIMED and service["Minutes"]]
        units = sum(int(line["Units"]) for line in clinic.billed[visit] if line["CPT"] in TIMED)
        for service in timed:
            minutes[service["Therapist NPI"]].append(int(service["Minutes"]))
        if timed and units and not clinic.billed[visit][0]["Payer"].startswith(MIDPOINT):
            ratio[services[0]["Therapist NPI"]].append((sum(int(service["Minutes"]) for service in timed), units))
    estimated = {
        npi
        for npi, given in minutes.items()
        if len(given) >= 20
        and max(sum(m % 15 == 0 for m in given), *(given.count(m) for m in set(given))) >= 0.9 * len(given)
    }
    short = {
        npi
        for npi, visits in ratio.items()
        if len(visits) >= 20 and sum(spent for spent, _ in visits) < 12 * sum(units for _, units in visits)
    }
    assert estimated == {row["clinician_npi"] for row in clinic.told("clinic.minutes_look_estimated")}
    assert short == {row["clinician_npi"] for row in clinic.told("medicare.units_consistently_short")}


def test_pairs_of_a_day_are_distinct_in_the_note_except_where_planted(clinic: Clinic) -> None:
    seen = set()
    for visit, lines in clinic.billed.items():
        codes = {line["CPT"] for line in lines}
        services = {service["CPT"]: service for service in clinic.charted[visit]}
        for two in ("97110", "97112", "97535"):
            if {"97530", two} <= codes and services:
                both = [services.get(code) for code in ("97530", two)]
                texts = [re.sub(r"\W", "", service["Intervention Text"].lower()) for service in both if service]
                if texts in ([texts[0]] * 2, [texts[0]]) and texts[0]:
                    seen.add(visit)
                if any(service and not service["Minutes"] and not block(service) for service in both):
                    seen.add(visit)
    follows = clinic.visits_told("clinic.same_day_pair_not_distinct", kinds=("consequence",))
    assert clinic.visits_told("clinic.same_day_pair_not_distinct") == seen - follows


def test_kx_is_where_the_running_total_asks_for_it_except_where_planted(clinic: Clinic) -> None:
    opening = {(row["Patient ID"], row["Pool"]): Decimal(row["Amount"]) for row in clinic.opening}
    balance: dict[tuple[str, str], Decimal] = defaultdict(Decimal, opening)
    seen: dict[str, set[tuple[str, str]]] = defaultdict(set)
    exact = set()
    threshold, review = Decimal(2480), Decimal(3000)
    for line in sorted(clinic.claims, key=lambda line: (day(line["DOS"]), line["Claim #"], int(line["Line"]))):
        if line["Payer"] not in PART_B:
            continue
        pool = line["Patient ID"], "OT" if clinic.discipline[line["Rendering NPI"]] == "OT" else "PT+SLP"
        before, after = balance[pool], balance[pool] + Decimal(line["Allowed"])
        balance[pool] = after
        key = (line["Claim #"], line["Line"])
        if before < threshold == after:
            exact.add(key)
        if "KX" in modifiers(line) and {"GA", "GZ"} & set(modifiers(line)):
            seen["medicare.kx_with_liability_modifier"].add(key)
        # What is denied moves nothing: its line may begin and end at the threshold.
        past = before >= threshold or after > threshold
        if "KX" in modifiers(line) and not past:
            assert after < threshold / 2
            seen["medicare.kx_routine"].add(key)
        if "KX" not in modifiers(line) and past:
            seen["medicare.kx_missing" if before >= threshold else "medicare.kx_missing_on_crossing_line"].add(key)
    for rule in (
        "medicare.kx_missing",
        "medicare.kx_missing_on_crossing_line",
        "medicare.kx_routine",
        "medicare.kx_with_liability_modifier",
    ):
        assert seen[rule] == clinic.lines_told(rule), rule
    years = {
        "medicare.kx_threshold_approaching": {
            pool for pool, spent in balance.items() if Decimal("0.8") * threshold <= spent <= threshold
        },
        "medicare.medical_review_threshold_passed": {pool for pool, spent in balance.items() if spent > review},
    }
    for rule, pools in years.items():
        assert pools == {(row["patient_id"], row["pool"]) for row in clinic.told(rule)}, rule
    near = clinic.told("medicare.kx_missing_on_crossing_line", "near_miss")
    assert exact
    assert exact == {(row["claim_id"], row["claim_line_number"]) for row in near}
    assert any("KX" in modifiers(line)[:-1] for line in clinic.claims)


def test_notes_are_there_and_complete_except_where_planted(clinic: Clinic) -> None:
    unnoted, uncharted, unsaid = set(), set(), set()
    for visit, lines in clinic.billed.items():
        charted = {service["CPT"] for service in clinic.charted[visit]}
        for line in lines:
            if not charted:
                unnoted.add((line["Claim #"], line["Line"]))
            elif line["CPT"] not in charted:
                uncharted.add((line["Claim #"], line["Line"]))
        if any(not service["Minutes"] + service["Total Timed Minutes"] for service in clinic.charted[visit]):
            unsaid.add(visit)

    def told(rule: str) -> set[tuple[str, str]]:
        return {(row["claim_id"], row["claim_line_number"]) for row in clinic.told(rule)}

    assert unnoted == told("clinic.line_without_note")
    assert uncharted == told("clinic.service_not_documented") | told("clinic.billed_code_differs_from_note")
    assert unsaid == clinic.visits_told("medicare.timed_minutes_not_documented")


def test_texts_and_measures_change_except_where_planted(clinic: Clinic) -> None:
    activity: dict[tuple[str, str, str], dict[date, tuple[str, object]]] = defaultdict(dict)
    for service in clinic.notes:
        text = service["Intervention Text"]
        # What the copied texts end in is the visit's own, and no number.
        said = re.sub(r" (Seen on|Arrived|No new|Came|In good) [a-z ]+\.$", "", text)
        levels = (service["Assist Level"], service["Cue Level"], service["Difficulty"])
        answered = text if re.search("plateau|Plateau", text) else ""
        # How many cues it took, and pain, stand in some texts only.
        counted = re.sub(r"(?i)(with )?\d+ (verbal )?cues|\d+ in all(?=[.;,])|pain \d+/10", "", text)
        measure = (levels, tuple(sorted(re.findall(r"\d+", counted))), answered)
        of = (service["Patient ID"], service["Discipline"], service["CPT"])
        activity[of][day(service["DOS"])] = (said, measure)
    seen: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    longest = 0
    unmeasured = {
        (row["patient_id"], row["discipline"], "97530")
        for row in clinic.told("clinic.high_frequency_without_progression", "fault", "near_miss")
    }
    for (patient, discipline, code), visits in activity.items():
        if (patient, discipline, code) in unmeasured:
            assert {measure for _, measure in visits.values()} == {(("", "", ""), (), "")}
            assert len({said for said, _ in visits.values()}) == len(visits)
            continue
        if code not in SKILLED:
            continue
        for place, rule in enumerate(("clinic.description_cloned", "clinic.progression_stalled")):
            run, last = 0, None
            for when in sorted(visits):
                run = run + 1 if visits[when][place] == last else 1
                last = visits[when][place]
                longest = max(longest, run)
                if run == 4:
                    seen[rule].add((patient, discipline, when.isoformat()))
    for rule in ("clinic.description_cloned", "clinic.progression_stalled"):
        assert told_of_episodes(clinic, rule) <= seen[rule], rule
        assert seen[rule] <= told_of_episodes(clinic, rule, "fault", "consequence"), rule
    assert 4 <= longest <= 6
    texts = {service["Intervention Text"] for service in clinic.notes}
    assert any("lateau" in text for text in texts)
    assert any(re.search("Flare|Relapse|Off day", text) for text in texts)


def test_texts_are_each_visits_and_patients_own_except_where_planted(clinic: Clinic) -> None:
    patients: dict[tuple[str, str], set[str]] = defaultdict(set)
    texts, services = set(), 0
    for service in clinic.notes:
        if service["CPT"] in SKILLED and service["Intervention Text"]:
            services += 1
            texts.add(service["Intervention Text"])
            patients[service["Therapist NPI"], service["Intervention Text"]].add(service["Patient ID"])
    assert len(texts) > 0.95 * services
    copied = {npi for (npi, _), whose in patients.items() if len(whose) >= 3}
    told = {row["clinician_npi"] for row in clinic.told("clinic.description_cloned_across_patients")}
    assert told == {npi for (npi, text), whose in patients.items() if len(whose) == 4 and "Set up by the" in text}
    assert told <= copied


def test_functional_activities_are_described_except_where_planted(clinic: Clinic) -> None:
    rules = {
        "clinic.functional_goal_missing": r"(?i)goal|wants to|hopes to|so that patient can|aim: |[ls]tg",
        "clinic.skilled_direction_missing": r"(?i)cue|guid|facilitat|therapist",
        "clinic.assistance_level_missing": r"(?i)assist|\bm(in|od|ax) a\b|cga|contact guard|superv|sba|independ|mod i",
    }
    elsewhere = clinic.visits_told(
        "clinic.instruction_not_activity",
        "clinic.impairment_level_activity",
        "clinic.passive_treatment_as_activity",
        "clinic.same_day_pair_not_distinct",
    )
    for rule, words in rules.items():
        told = clinic.lines_told(rule, "fault", "consequence")
        spared = clinic.visits_told(rule, kinds=("near_miss",)) | elsewhere
        for visit, lines in clinic.billed.items():
            for service in clinic.charted[visit]:
                text = service["Intervention Text"]
                if service["CPT"] in ("97530", "97535") and text and visit not in spared:
                    keys = {(line["Claim #"], line["Line"]) for line in lines if line["CPT"] == service["CPT"]}
                    assert re.search(words, text) or keys & told, (rule, text)
    # What fields say, texts may leave out: half the episodes have fields.
    with_fields = {service["Patient ID"] + service["Discipline"] for service in clinic.notes if service["Goal ID"]}
    without = {
        service["Patient ID"] + service["Discipline"]
        for service in clinic.notes
        if service["CPT"] == "97530" and not service["Goal ID"]
    }
    assert len(with_fields) > 20
    assert len(without - with_fields) > 20


def episodes(clinic: Clinic) -> dict[tuple[str, str], dict[date, str]]:
    """The visit of each treatment day, by patient and discipline: the clinic has one episode of each."""
    found: dict[tuple[str, str], dict[date, str]] = defaultdict(dict)
    for visit, lines in clinic.billed.items():
        if not lines:
            continue
        discipline = clinic.discipline[lines[0]["Rendering NPI"]]
        found[lines[0]["Patient ID"], discipline][day(lines[0]["DOS"])] = visit
    return {key: dict(sorted(days.items())) for key, days in found.items()}


def told_of_episodes(clinic: Clinic, rule: str, *kinds: str) -> set[tuple[str, str, str]]:
    return {(row["patient_id"], row["discipline"], row["service_date"]) for row in clinic.told(rule, *kinds)}


def test_progress_reports_are_in_time_except_where_planted(clinic: Clinic) -> None:
    late: set[tuple[str, str, str]] = set()
    by_assistant: set[tuple[str, str, str]] = set()
    absent = set()
    for episode, visits in episodes(clinic).items():
        assistants_alone: list[bool] = []
        assistant_reported = False
        for when, visit in visits.items():
            if clinic.billed[visit][0]["Payer"] not in MEDICARE:
                break
            if not assistants_alone:
                since = when
            notes = clinic.charted[visit]
            aided = [note["Credential"] in ("PTA", "OTA") for note in notes]
            assistants_alone.append(bool(notes) and all(aided))
            reports = [note for note in notes if note["Note Type"] in ("progress_report", "discharge")]
            reported = any(note["Credential"] not in ("PTA", "OTA") or note["Cosigned Date"] for note in reports)
            if len(assistants_alone) == 11:
                (by_assistant if assistant_reported else late).add((*episode, when.isoformat()))
            if (reported or len(assistants_alone) == 10) and all(assistants_alone):
                absent.add((*episode, since.isoformat()))
            assistant_reported = (bool(reports) and not reported) or (assistant_reported and not reported)
            if reported:
                assistants_alone = []
    assert late == told_of_episodes(clinic, "medicare.progress_report_overdue")
    assert by_assistant == told_of_episodes(clinic, "medicare.progress_report_by_assistant")
    assert absent == told_of_episodes(clinic, "medicare.clinician_absent_in_progress_period")


def test_plans_of_care_are_certified_except_where_planted(clinic: Clinic) -> None:
    plans: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in clinic.rows("plans_of_care"):
        plans[row["Patient ID"], row["Discipline"]].append(row)

    def within(row: dict[str, str], name: str, first: date, days: int) -> bool:
        return bool(row[name]) and (day(row[name]) - first).days <= days

    uncertified: dict[tuple[str, str, str], tuple[str, str]] = {}
    expired: dict[tuple[str, str, str], tuple[str, str]] = {}
    for episode, visits in episodes(clinic).items():
        if clinic.billed[next(iter(visits.values()))][0]["Payer"] not in MEDICARE:
            continue
        first = next(iter(visits))
        own = sorted(plans[episode], key=lambda row: day(row["Start Date"]))
        initial = own[0] if own else defaultdict(str)
        assert not own or day(initial["Start Date"]) == first
        by_referral = within(initial, "Referral Date", first, 30) and within(initial, "Sent Date", first, 30)
        for when in visits:
            signed = [row for row in own if row["Certified Date"] and day(row["Certified Date"]) <= when]
            due = (when - first).days > 30
            if due and not by_referral and not within(initial, "Certified Date", first, 30) and initial not in signed:
                uncertified.setdefault((*episode, when.isoformat()), episode)
            ends = [day(initial["End Date"])] if own else []
            ends += [day(row["End Date"]) for row in own[1:] if row in signed]
            if ends and when > max(ends):
                expired.setdefault((*episode, when.isoformat()), episode)

    def firsts(late: dict[tuple[str, str, str], tuple[str, str]]) -> set[tuple[str, str, str]]:
        return {min(key for key, episode in late.items() if episode == one) for one in set(late.values())}

    assert firsts(uncertified) == told_of_episodes(clinic, "medicare.plan_not_certified")
    assert firsts(expired) == told_of_episodes(clinic, "medicare.plan_not_recertified")


def test_authorizations_are_kept_except_where_planted(clinic: Clinic) -> None:
    given = {(row["Patient ID"], row["Discipline"]): row for row in clinic.rows("authorizations")}
    over = set()
    for episode, visits in episodes(clinic).items():
        if episode not in given:
            continue
        allowed, units = given[episode], 0
        for number, (when, visit) in enumerate(visits.items(), 1):
            units += sum(int(line["Units"]) for line in clinic.billed[visit])
            inside = day(allowed["Start Date"]) <= when <= day(allowed["End Date"])
            within = number <= int(allowed["Visits Authorized"]) and units <= int(allowed["Units Authorized"])
            if not inside or not within:
                over.add((*episode, when.isoformat()))
    assert over == told_of_episodes(clinic, "payers.authorization.authorization_exceeded")


def test_notes_are_signed_and_students_supervised_except_where_planted(clinic: Clinic) -> None:
    faulty, unsupervised = set(), set()
    for visit, notes in clinic.charted.items():
        for note in notes:
            late = note["Signed Date"] and (day(note["Signed Date"]) - day(note["DOS"])).days > 7
            if not note["Signed Date"] or not note["Credential"] or late:
                faulty.add(visit)
            if note["Credential"] in ("SPT", "SOT") and not note["Cosigned Date"]:
                unsupervised.add(visit)
    assert faulty == clinic.visits_told("clinic.note_unsigned_or_late")
    assert unsupervised == clinic.visits_told("medicare.assistant_supervision_missing")


def test_long_episodes_have_reports_except_where_planted(clinic: Clinic) -> None:
    without = set()
    for episode, visits in episodes(clinic).items():
        types = {note["Note Type"] for visit in visits.values() for note in clinic.charted[visit]}
        if len(visits) > 12 and not types & {"progress_report", "reevaluation", "discharge"}:
            without.add((*episode, list(visits)[12].isoformat()))
    assert without == told_of_episodes(clinic, "clinic.extended_therapy_unsupported")


def adjustments(answer: dict[str, str]) -> list[tuple[str, str, str, Decimal]]:
    places = [place for place in range(1, 5) if answer[f"Adj Group {place}"]]
    names = ("Adj Group", "Adj Reason", "Remark Code")
    return [
        (*(answer[f"{name} {place}"] for name in names), Decimal(answer[f"Adj Amount {place}"]))  # type: ignore[misc]
        for place in places
    ]


def test_answers_add_up_and_come_in_time(clinic: Clinic) -> None:
    last_day = max(day(answer["Paid Date"]) for answer in clinic.remitted)
    assert last_day == date(2026, 5, 10)
    sent: dict[str, list[date]] = defaultdict(list)
    for line in clinic.sent:
        sent[line["Claim #"]].append(day(line["Submitted Date"]))
        assert day(line["DOS"]) < day(line["Submitted Date"]) < day(line["Received Date"])
    answered: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for answer in clinic.remitted:
        taken = sum((amount for *_, amount in adjustments(answer)), Decimal(0))
        assert Decimal(answer["Charge"]) == Decimal(answer["Paid"]) + taken, answer
        assert all(amount for *_, amount in adjustments(answer))
        answered[answer["Claim #"], answer["Claim Line"]].append(answer)
        if answer["Claim #"] in sent:
            assert day(answer["Paid Date"]) > min(sent[answer["Claim #"]])
    lost = clinic.lines_told("clinic.line_not_remitted")
    meant = {"C" + row["claim_id"][1:] for row in clinic.told("clinic.remittance_not_matched", "near_miss")}
    for key, line in clinic.lines.items():
        answers = answered[key]
        if not answers and line["Claim #"] not in meant:
            # Not lost: the payer has 45 days.
            assert (key in lost) == ((last_day - day(line["Submitted Date"])).days > 45), line
            assert not line["Allowed"]
            continue
        assert key not in lost
        first = min((day(answer["Paid Date"]) for answer in answers), default=last_day)
        assert (first - min(sent[line["Claim #"]])).days <= 45 or first == last_day
        if line["Claim #"] not in meant:
            assert sum(Decimal(answer["Paid"]) for answer in answers) == Decimal(line["Paid"]), line


def test_denials_follow_from_faults_or_are_told_apart(clinic: Clinic) -> None:
    codes = {"4": ("medicare.discipline_modifier", "medicare.assistant_modifier_mismatch"), "236": ("medicare.ncci_",)}
    faulty: dict[str, set[str]] = defaultdict(set)
    for row in clinic.truth:
        faulty[row["claim_id"]].add(row["rule"])
    denied: dict[tuple[str, str], dict[str, str]] = {}
    reasons = set()
    for answer in clinic.remitted:
        for group, reason, remark, _amount in adjustments(answer):
            if (group, reason) in {("CO", "45"), ("CO", "253"), ("OA", "23")} or (
                group == "PR" and reason in {"1", "2", "3"}
            ):
                continue
            reasons.add(f"{group} {reason} {remark}".strip())
            if reason in codes:
                assert any(rule.startswith(codes[reason]) for rule in faulty[answer["Claim #"]]), answer
            denied[answer["Claim #"], answer["Claim Line"]] = answer
    assert {"CO 4 N822", "CO 151 N362", "CO 50 N661", "CO 226 N485", "OA 18", "CO 236"} <= reasons
    assert 0.02 < len(denied) / len(clinic.lines) < 0.08
    # What is denied in the end is worth nothing, and is forgotten or not.
    stands = clinic.lines_told("clinic.denial_open", "fault", "near_miss")
    assert {key for key in stands if key in clinic.lines} <= set(denied)
    for key in stands:
        assert Decimal(clinic.lines[key]["Allowed"]) < Decimal(clinic.lines[key]["Charge"])
    told = clinic.lines_told("clinic.denial_open")
    assert all((date(2026, 5, 10) - day(denied[key]["Paid Date"])).days > 90 for key in told)
    won = [key for key in denied if key not in stands and key in clinic.lines]
    assert won
    assert all(Decimal(clinic.lines[key]["Allowed"]) > 0 for key in won if clinic.lines[key]["Frequency"] == "7")


def test_x12_form_balances_except_where_planted(clinic: Clinic) -> None:
    batches = list(x12.batches(clinic.where / "remittances.835"))
    wrong = {row["source_row"] for batch in batches if "imbalance" in batch for row in batch["imbalance"].to_pylist()}
    payments = [row for batch in batches if "remittance" in batch for row in batch["remittance"].to_pylist()]
    assert not any("problem" in batch for batch in batches)
    starts = sorted((row["source_row"], row["remittance_id"]) for row in payments)
    owners = {max(start for start in starts if start[0] <= row)[1] for row in wrong}
    rule = "clinic.remittance_does_not_balance"
    assert owners == {row["remittance_id"] for row in clinic.told(rule)}
    assert {row["remittance_id"] for row in clinic.told(rule, "near_miss")}.isdisjoint(owners)
    assert not any("problem" in batch for batch in x12.batches(clinic.where / "claims.837"))


def judged(inputs: Mapping[str, tuple[str, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    """Findings and what was made of each line, without where it was read."""
    ruleset = rules.load()
    with engine.connect() as con:
        engine.prepare(con, ruleset)
        intake.load(con, intake.Inputs(inputs, ()))
        engine.map_payers(con, ruleset.payer_patterns)
        engine.set_period(con)
        store.fill(con)
        engine.build_models(con)
        engine.run_rules(con, ruleset.rules)
        finding = con.execute(
            "SELECT finding_id, rule, claim_id, claim_line_number, amount_at_risk, message, facts FROM finding"
            " WHERE rule <> 'clinic.remittance_does_not_balance' ORDER BY finding_id"
        ).fetchall()
        # A planted imbalance lies in what was written off.
        payment = con.execute(
            "SELECT claim_id, claim_line_number, payment_status, * EXCLUDE (line_id, claim_id, claim_line_number,"
            " payment_status, written_off_amount) FROM line_payment ORDER BY claim_id, claim_line_number"
        ).fetchall()
    return {"finding": finding, "line_payment": payment}


def test_a_run_on_x12_finds_what_a_run_on_tables_finds(tmp_path: Path) -> None:
    synth.write(tmp_path, seed=5, lines=800, x12=True)
    tables = {key: (str(tmp_path / f"{key}.csv"),) for key in INPUTS if (tmp_path / f"{key}.csv").exists()}
    files = {**tables, "claims": (str(tmp_path / "claims.837"),), "remittances": (str(tmp_path / "remittances.835"),)}
    found = [judged(tables), judged(files)]
    assert found[0] == found[1]
    assert {row[1] for row in found[0]["finding"]} >= {"clinic.line_not_remitted", "clinic.remittance_not_matched"}
    assert {row[2] for row in found[0]["line_payment"]} >= {"open", "denied", "partly denied", "paid"}


def test_taxonomies_of_the_837p_stand_in_for_a_list_of_providers(tmp_path: Path) -> None:
    synth.write(tmp_path, seed=5, lines=800, x12=True)
    claims = {"claims": (str(tmp_path / "claims.837"),)}
    listed, alone = (
        judged(inputs)["finding"] for inputs in ({**claims, "providers": (str(tmp_path / "providers.csv"),)}, claims)
    )
    assert alone == listed
    assert "medicare.rendering_provider_not_eligible" in {row[1] for row in alone}


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
        " patient_id VARCHAR, service_date DATE, discipline VARCHAR, facts JSON)"
    )
    absent = {"claim_line_number": "1", "service_date": "2026-03-01"}
    names = ("rule", "claim_id", "claim_line_number", "patient_id", "service_date", "discipline")
    facts = ("clinician_npi", "year", "pool", "remittance_id")
    rows = [
        [
            str(place),
            *((row[name] or absent.get(name, "1")) for name in names),
            json.dumps({name: row[name] for name in facts if row[name]}),
        ]
        for place, row in enumerate(truth)
    ]
    con.executemany("INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return con


def test_accuracy_of_a_perfect_audit_and_of_a_careless_one(clinic: Clinic) -> None:
    truth = clinic.where / "truth.csv"
    faults = [row for row in clinic.truth if row["kind"] == "fault"]
    with finding_table(faults) as con:
        perfect = accuracy.measure(con, truth)
    assert {row["rule"] for row in perfect} == RULES
    for row in perfect:
        assert (row["missed"], row["false"], row["near_misses_flagged"]) == (0, 0, 0), row
        if not row["planted"]:
            assert row["rule"] in RARE
            continue
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
