"""`therapy-audit advise`: what it says is what the audit would say, for any day; and each of its answers."""

from __future__ import annotations

import json
import random
import shlex
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from casebook import Case, judge
from therapy_audit import advise
from therapy_audit.cli import cli, main
from therapy_audit.config import Config

if TYPE_CHECKING:
    from pathlib import Path

TIMED = ["97110", "97112", "97116", "97140", "97530", "97535", "97542", "97035", "97113", "97750", "97760"]
UNTIMED = ["97150", "97161", "97162", "97164", "97165", "97012", "97018", "G0283", "97010", "98941"]
PAYERS = [
    "MEDICARE PART B", "UHC MEDICARE ADVANTAGE", "SC MEDICAID", "TRICARE EAST", "UNITEDHEALTHCARE", "AETNA", "CIGNA",
    "BCBS OF SC", "WORKERS COMP", "STATE FARM AUTO", "HUMANA",
]  # fmt: skip
UNITS_TOO_MANY = {
    "medicare.timed_units_exceed_minutes", "payers.ama_midpoint.units_exceed_midpoint",
    "payers.unit_cap.daily_timed_units_exceeded", "medicare.mue_exceeded", "medicare.timed_code_under_eight_minutes",
}  # fmt: skip


def any_day(draw: random.Random) -> advise.Day:
    """Return a day of some payer, date and discipline, with some of everything that can be said of one."""
    discipline = draw.choice(["PT", "PT", "OT", "SLP"])
    codes = draw.sample(TIMED, draw.choice([1, 1, 2, 2, 3, 4]))
    therapist = {code: draw.choice([draw.randint(0, 22), draw.randint(8, 70)]) for code in codes}
    assistant = {}
    if discipline != "SLP" and draw.random() < 0.4:
        assistant = {code: draw.randint(0, 40) for code in draw.sample(codes, draw.randint(1, len(codes)))}
    if draw.random() < 0.2:
        therapist["97150"] = draw.randint(10, 60)
    first, last = date(2019, 1, 1), date(2026, 12, 31)
    return advise.Day(
        payer=draw.choice([PAYERS[0], PAYERS[0], *PAYERS]),
        service_date=first + timedelta(days=draw.randint(0, (last - first).days)),
        therapist=therapist,
        assistant=assistant,
        discipline=discipline,
        others=tuple(code for code in draw.sample(UNTIMED, draw.choice([0, 0, 1, 2])) if code not in therapist),
        year_to_date=draw.choice([None, Decimal(0), Decimal(draw.randint(1900, 2500)), Decimal("2480.00")]),
        separate_times=draw.choice([None, True, False]),
        place_of_service=draw.choice([None, "11", "22", "131"]),
    )


PAIRS = {
    "medicare.ncci_pair_not_allowed", "medicare.ncci_pair_without_modifier",
    "payers.pair_rules.pair_without_modifier",
}  # fmt: skip


def units_earned(day: advise.Day, method: str) -> int:
    """Return the timed units of the day: of all minutes together, or of each code's."""
    minutes = [day.therapist.get(code, 0) + day.assistant.get(code, 0) for code in TIMED]
    return sum((item + 7) // 15 for item in ([sum(minutes)] if method == "cms" else minutes))


def case_of(day: advise.Day, prefix: str, lines: list[dict[str, Any]]) -> Case:
    """Return the advised lines beside a note of the day's minutes, as another hand than advise's writes them."""
    codes = dict.fromkeys([*day.therapist, *day.assistant, *day.others])
    own = {"97161": "PT", "97162": "PT", "97164": "PT", "97165": "OT"}
    pool = "OT" if day.discipline == "OT" else "PT+SLP"
    notes = {own.get(code, day.discipline) for code in codes}
    return Case(
        "",
        "",
        {
            "name": "",
            "payer": day.payer,
            "date": day.service_date,
            "discipline": day.discipline,
            "allowed": None,
            "line": {"place_of_service": day.place_of_service},
            "lines": [
                {
                    "hcpcs_code": line["hcpcs_code"],
                    "units": line["units"],
                    "modifiers": line["modifiers"],
                    "discipline": own.get(line["hcpcs_code"], day.discipline),
                }
                for line in lines
            ],
            "tables": {
                "visit_note": [
                    {
                        "note_id": f"{prefix}{discipline}",
                        "patient_id": "p",
                        "service_date": day.service_date,
                        "discipline": discipline,
                        "clinician_credential": discipline,
                    }
                    for discipline in sorted(notes)
                ],
                "note_service": [
                    {
                        "note_id": f"{prefix}{own.get(code, day.discipline)}",
                        "service_number": number,
                        "patient_id": "p",
                        "service_date": day.service_date,
                        "hcpcs_code": code,
                        "minutes": None
                        if code in day.others
                        else day.therapist.get(code, 0) + day.assistant.get(code, 0),
                        "assistant_minutes": None if code in day.others else day.assistant.get(code, 0),
                    }
                    for number, code in enumerate(codes, 1)
                ],
                "patient_opening_balance": (
                    []
                    if day.year_to_date is None
                    else [
                        {
                            "patient_id": "p",
                            "year": day.service_date.year,
                            "pool": pool,
                            "amount": day.year_to_date,
                        }
                    ]
                ),
            },
        },
        prefix,
    )


# A seed that fails does not get simpler: no shrinking.
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.reuse, Phase.generate])
@given(st.integers(0, 10**6))
def test_the_audit_finds_nothing_in_what_is_advised_and_something_in_one_unit_more(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311
    days = [any_day(draw) for _ in range(100)]
    advices = advise.advise_all(days, Config(inputs={}))
    cases, more = [], {}
    for number, (day, advice) in enumerate(zip(days, advices, strict=True)):
        if advice["lines"]:
            cases.append(case_of(day, f"a{number}~", advice["lines"]))
        off = {code for item in advice["not_billed"] for code in item["hcpcs_codes"]}
        # An edit leaves minutes without a bill, and the audit cannot know which unit they would have been.
        limits = {item["about"] for item in advice["reasons"]}
        if "MUE" in limits or PAIRS & {item["rule"] for item in advice["not_billed"]}:
            continue
        earned = units_earned(day, advice["unit_method"])
        billed = sum(line["units"] for line in advice["lines"] if line["hcpcs_code"] in TIMED)
        assert billed == (min(earned, 4) if "cap" in limits else earned), (day, advice)
        timed = [code for code in dict.fromkeys([*day.therapist, *day.assistant]) if code in TIMED]
        for code in timed:
            lines = [dict(line) for line in advice["lines"]]
            mine = next((line for line in lines if line["hcpcs_code"] == code), None)
            if mine:
                mine["units"] += 1
            else:
                assert code in off
                lines.append({"hcpcs_code": code, "units": 1, "modifiers": []})
            prefix = f"b{number}.{code}~"
            more[prefix] = (day, advice, code)
            cases.append(case_of(day, prefix, lines))
    findings, _ = judge(cases)
    for number, (day, advice) in enumerate(zip(days, advices, strict=True)):
        found = {
            (item["rule"], item["severity"])
            for item in findings.get(f"a{number}~", [])
            if not item["rule"].startswith("clinic.")
        }
        told = {(item["rule"], item["severity"]) for item in advice["audit"]["findings"]}
        assert found <= told, (day, advice, found)
        for item in advice["audit"]["findings"]:
            assert (
                item["follows_from_advice"]
                or item["severity"] == "info"
                or (item["rule"], item["severity"]) == ("medicare.mue_exceeded", "warning")
            ), (day, advice)
    for prefix, (day, advice, code) in more.items():
        found_rules = {item["rule"] for item in findings.get(prefix, [])}
        assert found_rules & UNITS_TOO_MANY, (day, advice, code)


def said(*words: str) -> dict[str, Any]:
    """Return what `advise WORDS --json` prints."""
    result = CliRunner().invoke(cli, ["advise", *words, "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.output))


def bill(advice: dict[str, Any]) -> list[str]:
    """Return the lines to bill, each in words."""
    return [f"{item['hcpcs_code']} x{item['units']} {' '.join(item['modifiers'])}".rstrip() for item in advice["lines"]]


def test_the_example_of_the_readme() -> None:
    found = said("97530=20", "97110=10", "--payer", "MEDICARE PART B", "--date", "2026-03-02", "--year-to-date", "2450")
    assert bill(found) == ["97530 x1 GP KX", "97110 x1 GP KX"]
    kx = next(item for item in found["reasons"] if item["about"] == "KX")
    assert "from $2,450.00 to $2,508.29" in kx["text"]
    assert kx["rule"] == "medicare.kx_missing"
    assert any("1833(g)" in item["title"] for item in kx["references"])
    assert found["audit"]["findings"] == []
    assert "medicare.timed_units_exceed_minutes" in found["audit"]["rules"]
    assert (found["plan"], found["setting"], found["unit_method"]) == ("medicare_part_b", "practitioner", "cms")


# 97530 alone at the national rate of 2025 is 34.61.
@pytest.mark.parametrize(
    ("before", "wanted"),
    [("2375.38", "GP"), ("2375.39", "GP"), ("2375.40", "GP KX"), ("2410.00", "GP KX"), ("0", "GP")],
)
def test_kx_to_the_cent(before: str, wanted: str) -> None:
    found = said("97530=15", "--payer", "MEDICARE", "--date", "2025-03-03", "--year-to-date", before)
    assert bill(found) == [f"97530 x1 {wanted}"]


def test_ot_has_a_threshold_of_its_own_and_a_plan_without_one_no_kx() -> None:
    words = ["97530=15", "--date", "2025-03-03", "--year-to-date", "2410"]
    assert bill(said(*words, "--payer", "MEDICARE", "--discipline", "ot")) == ["97530 x1 GO KX"]
    found = said(*words, "--payer", "AETNA")
    assert bill(found) == ["97530 x1"]
    assert not [item for item in found["not_known"] if item.startswith("KX")]


def test_what_is_not_known_is_told() -> None:
    told = "\n".join(said("97530=15", "--payer", "MEDICARE", "--date", "2026-03-02")["not_known"])
    assert "--year-to-date" in told
    assert "ncci_pair: judged by the edition 2024 Q3 (v302), which ends on 2024-09-30" in told
    later = said("97530=15", "--payer", "MEDICARE", "--date", "2027-03-02", "--year-to-date", "9000")
    assert "KX: the threshold of 2027 is not known here." in later["not_known"]
    assert bill(later) == ["97530 x1 GP"]
    unpriced = said("97530=15", "--payer", "MEDICARE", "--date", "2018-05-05", "--year-to-date", "2009")
    assert "KX: what is allowed for these lines, and so whether they pass $2,010.00." in unpriced["not_known"]
    open_points = {item["reason"] for item in unpriced["audit"]["not_judged"]}
    assert "ncci_pair does not reach back to the date" in open_points
    covered = said("97530=15", "--payer", "MEDICARE", "--date", "2024-08-05", "--year-to-date", "0")
    assert covered["not_known"] == []


@pytest.mark.parametrize(
    ("aim", "wanted"),
    [("impairment", "97110 x1 GP"), ("neuromuscular", "97112 x1 GP"), ("functional", "97530 x1 GP")],
)
def test_the_aim_decides_the_code(aim: str, wanted: str) -> None:
    found = said("97530=20", "--aim", f"97530={aim}", "--payer", "MEDICARE", "--date", "2026-03-02")
    assert bill(found) == [wanted]
    assert [item["about"] for item in found["reasons"]].count("code") == (aim != "functional")


def test_minutes_of_one_aim_are_added_up() -> None:
    words = ["--aim", "97530=impairment", "--payer", "MEDICARE", "--date", "2026-03-02"]
    assert bill(said("97530=10", "97110=13", *words)) == ["97110 x2 GP"]
    assert bill(said("97530=10", "97110=12", *words)) == ["97110 x1 GP"]
    assert bill(said("97110=20", "--aim", "97110=functional", *words[2:])) == ["97530 x1 GP"]


def test_setting_and_date_decide_the_pair() -> None:
    words = ["97750=30", "--with", "97161", "--payer", "MEDICARE", "--separate-times", "--date"]
    assert bill(said(*words, "2024-08-05")) == ["97161 x1 GP"]  # indicator 0 in the practitioner table
    assert bill(said(*words, "2024-08-05", "--place", "22")) == ["97750 x2 GP 59", "97161 x1 GP"]  # 1 in the hospital's
    words = ["97530=15", "97140=15", "--payer", "MEDICARE", "--separate-times", "--date"]
    assert bill(said(*words, "2019-12-31")) == ["97530 x1 GP 59", "97140 x1 GP"]
    assert bill(said(*words, "2020-10-05")) == ["97530 x1 GP", "97140 x1 GP"]


def test_units_of_what_is_left_off_are_not_given_to_what_stays() -> None:
    words = ["97530=20", "97542=20", "--payer", "MEDICARE", "--date", "2024-08-05"]
    assert bill(said(*words)) == ["97530 x1 GP"]
    found = said(*words, "--separate-times")
    assert bill(found) == ["97530 x2 GP", "97542 x1 GP 59"]
    assert found["alternatives"] == [{"97530": 1, "97542": 2}]


def test_what_follows_from_lines_left_off_is_marked() -> None:
    """7 minutes of a bundled code are in the note: the audit would rather give them the unit that 97110 keeps."""
    found = said("97110=33", "97750=7", "--with", "97161", "--payer", "MEDICARE", "--date", "2024-08-05")
    assert bill(found) == ["97110 x2 GP", "97161 x1 GP"]
    assert [item["follows_from_advice"] for item in found["audit"]["findings"]] == [True]


def test_a_code_bundled_into_one_that_is_itself_left_off_stays() -> None:
    """97161 takes 97750 off for good, which would have taken 97150 off."""
    words = ["--group", "25", "--payer", "MEDICARE", "--date", "2024-08-05"]
    assert bill(said("97750=20", *words)) == ["97750 x1 GP"]
    assert bill(said("97750=20", "--with", "97161", *words)) == ["97150 x1 GP", "97161 x1 GP"]
    # Each of three takes another off, one of them for good: that comes first.
    found = said("97530=20", "97750=20", *words)
    assert bill(found) == ["97530 x1 GP"]
    assert [item["rule"] for item in found["not_billed"]] == [
        "medicare.ncci_pair_not_allowed",
        "medicare.ncci_pair_without_modifier",
    ]


def test_assistants_minutes_by_date() -> None:
    words = ["97110=13", "97140=30", "--assistant", "97110=23", "--payer", "MEDICARE", "--date"]
    assert bill(said(*words, "2026-03-02")) == ["97110 x1 GP CQ", "97110 x1 GP", "97140 x2 GP"]
    assert bill(said(*words, "2021-03-02")) == ["97110 x2 GP CQ", "97140 x2 GP"]
    assert bill(said(*words, "2019-03-04")) == ["97110 x2 GP", "97140 x2 GP"]
    # The plan asks for CQ and not for GP, but CQ goes beside GP.
    assert bill(said(*[*words[:5], "UHC", "--date"], "2026-03-02")) == ["97110 x1 GP CQ", "97110 x1", "97140 x2"]


def test_group_and_untimed_codes_are_one_unit() -> None:
    found = said("97012=40", "--group", "50", "--payer", "MEDICARE", "--date", "2026-03-02")
    assert bill(found) == ["97012 x1 GP", "97150 x1 GP"]
    assert any("constant attendance" in item["text"] for item in found["note"])


def test_a_cap_takes_the_units_with_the_fewest_minutes() -> None:
    """The 8 minutes that earn 97530's third unit go first; then, of full 15s, one of the code with the most units."""
    found = said("97110=45", "97530=38", "--payer", "UNITED HEALTHCARE", "--date", "2026-03-02")
    assert bill(found) == ["97110 x2", "97530 x2"]
    (hint,) = found["audit"]["findings"]
    assert (hint["rule"], hint["follows_from_advice"]) == ("medicare.timed_units_below_minutes", True)


def test_unlikely_units() -> None:
    found = said("97010=15", "97110=15", "--payer", "MEDICARE", "--date", "2024-08-05")
    assert bill(found) == ["97110 x1 GP"]  # 97010 is never paid on its own
    found = said("97112=75", "--payer", "MEDICARE", "--date", "2024-08-05")
    assert bill(found) == ["97112 x5 GP"]  # 4 are likely; what was done is billed
    assert [(item["rule"], item["severity"]) for item in found["audit"]["findings"]] == [
        ("medicare.mue_exceeded", "warning")
    ]
    assert bill(said("97129=30", "--payer", "MEDICARE", "--date", "2024-08-05")) == ["97129 x1 GP"]


def test_nothing_to_bill() -> None:
    result = CliRunner().invoke(cli, ["advise", "97110=7", "--payer", "MEDICARE", "--date", "2026-03-02"])
    assert result.exit_code == 0
    assert "nothing to bill" in result.output
    assert "97110: its 7 minutes earn no unit" in result.output
    # No rule has anything to judge, and so the day is not clean.
    assert "Not audited: there is no line that a rule could judge." in result.output
    assert "clean" not in result.output


def test_terms_of_an_audit_toml_are_the_advices(tmp_path: Path) -> None:
    toml = tmp_path / "audit.toml"
    toml.write_text(
        '[payers]\n"LOCAL CARE" = "cigna"\n[unit_method]\ncigna = "cms"\n[required_modifiers]\ncigna = ["discipline"]\n'
        '[[pairs]]\nplan = "cigna"\ncolumn_one = "97110"\ncolumn_two = "97530"\nmodifiers = ["XE"]\n',
        encoding="utf-8",
    )
    words = ["97110=10", "97530=10", "97140=3", "--payer", "Local Care", "--date", "2026-03-02"]
    found = said(*words, "--config", str(toml), "--separate-times")
    assert bill(found) == ["97110 x1 GP", "97530 x1 GP XE"]
    found = said(*words, "--config", str(toml))
    assert bill(found) == ["97110 x1 GP"]
    assert "it takes XE then" in found["not_billed"][0]["text"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("97530=20 --date 2026-03-02", "Name the payer with --payer"),
        ("97530=20 --payer MEDICARE", "Give the service date with --date"),
        ("97530=20 --payer MEDICARE --date 3/2/2026", "write it as 2026-03-02"),
        ("--payer MEDICARE --date 2026-03-02", "Say what was done"),
        ("97530 --payer MEDICARE --date 2026-03-02", "write it as 97110=10"),
        ("97530=2000 --payer MEDICARE --date 2026-03-02", "whole number from 0 to 1440"),
        ("97530=900 97110=900 --payer MEDICARE --date 2026-03-02", "more minutes than a day has"),
        ("12345=20 --payer MEDICARE --date 2026-03-02", "12345 is none of the codes"),
        ("97530=20 --payer 'MARTIAN HEALTH' --date 2026-03-02", "Payer 'MARTIAN HEALTH' maps to no plan"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --discipline RN", "there are PT, OT, SLP"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --discipline SLP --assistant 97530=9", "no assistant modifier"),
        ("97530=20 --payer MEDICARE --date 2027-03-02 --assistant 97530=9", "known to 2026-12-31"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --with 97110", "write it as 97110=15"),
        ("97161=20 --payer MEDICARE --date 2026-03-02 --with 97161", "97161 is given twice"),
        ("--assistant 97161=20 --payer MEDICARE --date 2026-03-02", "An assistant does not evaluate"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --aim 97530", "--aim 97530=impairment"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --aim 97530=fun", "there are functional, impairment"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --aim 97110=functional", "97110, which was not done"),
        ("97140=20 --payer MEDICARE --date 2026-03-02 --aim 97140=functional", "does not turn on its aim"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --year-to-date much", "write it as 2450.00"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --year-to-date -1", "write it as 2450.00"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --group some", "write it as --group 25"),
        ("97150=20 --payer MEDICARE --date 2026-03-02 --group 20", "give it once"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --place home", "Place 'home' is not one"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --locality 99", "locality '99' is none"),
        ("97530=20 --payer MEDICARE --date 2026-03-02 --config none.toml", "there is no such file"),
    ],
)
def test_wrong_words_are_one_sentence_and_exit_2(
    words: str, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["therapy-audit", "advise", *shlex.split(words)])
    with pytest.raises(SystemExit) as leaving:
        main()
    printed = capsys.readouterr()
    assert leaving.value.code == 2
    assert printed.out == ""
    assert printed.err.startswith("Error: ")
    assert printed.err.count("\n") == 1
    assert told in printed.err
