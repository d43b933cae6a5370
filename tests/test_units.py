"""`therapy-audit units`: the published vectors, and what holds for any minutes."""

from __future__ import annotations

import csv
import json
import random
from datetime import date
from itertools import combinations, product

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from casebook import FOLDER, UNITS, allowed_ways, minutes_of
from therapy_audit import engine, units
from therapy_audit.cli import cli
from therapy_audit.errors import AuditError

CODES = ["97110", "97112", "97140", "97530"]


@pytest.mark.parametrize("vector", UNITS, ids=lambda vector: vector["id"])
@pytest.mark.parametrize(("method", "name"), [("cms", "cms"), ("midpoint", "ama")])
def test_published_vector(vector: dict[str, str], method: str, name: str) -> None:
    minutes = minutes_of(vector)
    text = vector[f"{name}_allowed"]
    found = units.allocate(minutes, method)
    assert found["units"] == int(vector[f"{name}_units"])
    wanted = allowed_ways(vector["cms_allowed"] if text == "same" else text, minutes)
    assert sorted(sorted(way.items()) for way in found["allocations"]) == sorted(sorted(way.items()) for way in wanted)


def by_the_manual(minutes: dict[str, int]) -> list[dict[str, int]]:
    """Try every vector: the right total, full 15s given, no unit on a smaller remainder than one left without."""
    total = sum(minutes.values())
    units_of_day = 0 if total < 8 else (total + 7) // 15
    ways = []
    for extra in product((0, 1), repeat=len(minutes)):
        way = {code: value // 15 + more for (code, value), more in zip(minutes.items(), extra, strict=True)}
        with_one = [value % 15 for (code, value), more in zip(minutes.items(), extra, strict=True) if more]
        without = [value % 15 for (code, value), more in zip(minutes.items(), extra, strict=True) if not more]
        fair = not with_one or not without or min(with_one) >= max(without)
        if sum(way.values()) == units_of_day and fair and all(with_one):
            ways.append({code: number for code, number in way.items() if number})
    return [way for way in ways if way]


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(CODES), st.integers(0, 70), min_size=1))
def test_allocations_are_those_of_the_manual(minutes: dict[str, int]) -> None:
    found = units.allocate(minutes)
    assert sorted(map(sorted, (way.items() for way in found["allocations"]))) == sorted(
        map(sorted, (way.items() for way in by_the_manual(minutes)))
    )
    assert all(sum(way.values()) == found["units"] for way in found["allocations"])


def test_thousands_of_visits_are_allocated_by_the_manual() -> None:
    """The model's answer for many random visits at once: full 15s, and who may have the units left over."""
    draw = random.Random(2026)  # noqa: S311
    visits = [
        {
            code: draw.choice((draw.randint(0, 22), draw.randint(0, 70)))
            for code in draw.sample(CODES, draw.randint(1, 4))
        }
        for _ in range(4000)
    ]
    with engine.connect() as con:
        engine.prepare_codes(con)
        rows = [(number, code, minutes) for number, visit in enumerate(visits) for code, minutes in visit.items()]
        frame = pd.DataFrame(rows, columns=["number", "code", "minutes"])  # noqa: F841  (read by DuckDB)
        con.execute(
            "INSERT INTO visit_note BY NAME SELECT DISTINCT 'n' || number AS note_id, 'p' || number AS patient_id,"
            " DATE '2026-01-01' AS service_date, 'PT' AS discipline, '' AS source_file, 1 AS source_row FROM frame"
        )
        con.execute(
            "INSERT INTO note_service BY NAME SELECT 'n' || number AS note_id, 'p' || number AS patient_id,"
            " row_number() OVER (PARTITION BY number ORDER BY code) AS service_number, DATE '2026-01-01' AS"
            " service_date, code AS hcpcs_code, minutes, '' AS source_file, 1 AS source_row FROM frame"
        )
        con.execute(
            "INSERT INTO claim_line BY NAME SELECT 'c' || number AS claim_id, 'p' || number AS patient_id,"
            " row_number() OVER (PARTITION BY number ORDER BY code) AS claim_line_number, DATE '2026-01-01' AS"
            " service_date, code AS hcpcs_code, [] AS modifiers, 0 AS units, [] AS diagnosis_codes, 'PT' AS discipline,"
            " '' AS source_file, 1 AS source_row FROM frame"
        )
        engine.build_models(con, only=["visit"])
        found = con.execute(
            "SELECT patient_id, code_units_allowed, map_from_entries(list((hcpcs_code, full_units))),"
            " coalesce(list(hcpcs_code) FILTER (extra_unit = 'yes'), []),"
            " coalesce(list(hcpcs_code) FILTER (extra_unit = 'tied'), [])"
            " FROM visit INNER JOIN visit_code USING (visit_id) GROUP BY ALL"
        ).fetchall()
    assert len(found) == len(visits)
    for patient_id, units_of_day, full, sure, tied in found:
        left = units_of_day - sum(full.values()) - len(sure)
        ways = [
            {code: number for code in full if (number := full[code] + (code in sure or code in pick))}
            for pick in combinations(tied, left)
        ]
        wanted = by_the_manual(visits[int(patient_id[1:])])
        assert sorted(sorted(way.items()) for way in ways if way) == sorted(sorted(way.items()) for way in wanted)


CQCO = list(csv.DictReader((FOLDER / "cqco.csv").read_text(encoding="utf-8").splitlines()))


def lines_of(text: str) -> list[tuple[str, int, tuple[str, ...]]]:
    """Turn `97140x2 GP; 97110x1 GP CQ` into sorted (code, units, modifiers)."""
    found = []
    for line in text.split("; "):
        what, *modifiers = line.split()
        code, _, number = what.partition("x")
        found.append((code, int(number), tuple(modifiers)))
    return sorted(found)


@pytest.mark.parametrize("vector", CQCO, ids=lambda vector: vector["id"])
@pytest.mark.parametrize(("day", "column"), [("2026-03-02", "lines_from_2022"), ("2021-03-02", "lines_2020_2021")])
def test_published_assistant_scenario(vector: dict[str, str], day: str, column: str) -> None:
    words = [pair.replace(":", "=").split()[0] for pair in vector["pt_minutes"].split(";")]
    if vector["pta_minutes"] != "—":
        words += ["--assistant", vector["pta_minutes"].replace(":", "=").replace(";", ",")]
    result = CliRunner().invoke(cli, ["units", *words, "--date", day, "--json"])
    found = json.loads(result.output)
    wanted = vector["lines_from_2022"] if vector[column] == "same" else vector[column]
    assert found["total_minutes"] == int(vector["total"])
    assert found["units"] == int(vector["units"])
    told = [(line["hcpcs"], line["units"], tuple(line["modifiers"])) for line in found["lines"]]
    assert sorted(told) == lines_of(wanted)


def test_discipline_decides_the_modifiers() -> None:
    lines = units.share({"97530": 5}, {"97530": 10}, discipline="OT")["lines"]
    assert lines == [{"hcpcs": "97530", "units": 1, "modifiers": ["GO", "CO"]}]
    assert units.share({"97530": 15}, {}, discipline="SLP")["lines"][0]["modifiers"] == ["GN"]
    with pytest.raises(AuditError, match="no assistant modifier in speech"):
        units.share({}, {"97530": 15}, discipline="SLP")


def test_no_assistant_modifier_before_2020_and_none_guessed_past_what_is_known() -> None:
    before = units.share({}, {"97110": 15}, service_date=date(2019, 12, 31))
    assert before["lines"] == [{"hcpcs": "97110", "units": 1, "modifiers": ["GP"]}]
    with pytest.raises(AuditError, match="known to 2026-12-31"):
        units.share({}, {"97110": 15}, service_date=date(2027, 1, 1))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([date(2021, 3, 1), date(2026, 3, 1)]))
def test_lines_hold_the_units_of_the_allocation(therapist: int, assistant: int, day: date) -> None:
    found = units.share({"97110": therapist}, {"97110": assistant}, service_date=day)
    assert sum(line["units"] for line in found["lines"]) == found["units"]
    marked = sum(line["units"] for line in found["lines"] if "CQ" in line["modifiers"])
    assert marked >= min(found["units"], assistant // 15) - (therapist // 15 > 0)
    assert marked == 0 if assistant == 0 else marked == found["units"] if therapist == 0 else True


def test_json_has_the_documented_shape() -> None:
    result = CliRunner().invoke(cli, ["units", "97110=10", "97530=20", "--json"])
    found = json.loads(result.output)
    assert found.pop("explanation")
    assert found == {
        "minutes": {"97110": 10, "97530": 20},
        "total_minutes": 30,
        "method": "cms",
        "units": 2,
        "allocations": [{"97110": 1, "97530": 1}],
    }


def test_words_explain_the_arithmetic() -> None:
    result = CliRunner().invoke(cli, ["units", "97110=10", "97530=20"])
    assert result.output.splitlines()[0] == "2 units: 97110 x1, 97530 x1"
    assert "10 + 20 = 30 timed minutes. 23 to 37 minutes make 2 units." in result.output
    assert "\n20 timed minutes. 8 to 22 minutes make 1 unit." in CliRunner().invoke(cli, ["units", "97530=20"]).output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("97110",), "write it as 97110=10"),
        (("97110=ten",), "write it as 97110=10"),
        (("97110=-5",), "write it as 97110=10"),
        (("97110=5", "97110=6"), "97110 is given twice"),
        (("97161=30",), "97161 is not a code that is counted in 15-minute units"),
        (("97110=2000",), "whole number from 0 to 1440"),
    ],
)
def test_wrong_words_are_told(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(AuditError, match=told):
        units.allocate(units.parse(words))
