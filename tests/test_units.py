"""`therapy-audit units`: the published vectors, and what holds for any minutes."""

from __future__ import annotations

import json
from itertools import product

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from casebook import UNITS, allowed_ways, minutes_of
from therapy_audit import units
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
