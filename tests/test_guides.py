"""What five published guides say about 97530, each statement against the product: tests/cases/guides.yaml."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from casebook import FOLDER, Case, judge
from therapy_audit import advise, advise_command, docs, resources, rules
from therapy_audit.cli import cli
from therapy_audit.config import Config

GUIDES: list[dict[str, Any]] = resources.parsed((FOLDER / "guides.yaml").read_text(encoding="utf-8"))
SHOWN = [(item, shown) for item in GUIDES for shown in item["shown"]]
PARAMETERS = {item.name: item for item in rules.load().parameters}
_KEYS = {"run": {"tells", "not"}, "claim": {"day", "finds", "clean", "message"}, "parameter": {"key", "on", "value"}}


def day_of(run: str) -> advise.Day:
    """Return the day that the words of an `advise` tell of, read as the command reads them."""
    with advise_command.advise.make_context("advise", shlex.split(run)[1:]) as context:
        given = {name: value for name, value in context.params.items() if name in advise_command.OF_DAY}
    return advise_command.day_of(**given)


@pytest.fixture(scope="module")
def advised() -> dict[str, str]:
    """What each `advise` prints; all from one database."""
    runs = list(dict.fromkeys(shown["run"] for _, shown in SHOWN if shown.get("run", "").startswith("advise ")))
    found = advise.advise_all([day_of(run) for run in runs], Config(inputs={}))
    return {run: "\n".join(advise.told(advice)) for run, advice in zip(runs, found, strict=True)}


@pytest.fixture(scope="module")
def audited() -> dict[str, list[dict[str, Any]]]:
    """The findings of each day, by its prefix; all audited together."""
    cases = [
        Case("", item["statement"], {"name": "", **shown["day"]}, f"g{number}~")
        for number, (item, shown) in enumerate(SHOWN)
        if "day" in shown
    ]
    return judge(cases)[0]


@pytest.mark.parametrize(
    "number", range(len(SHOWN)), ids=lambda number: f"{SHOWN[number][0]['guide']}: {SHOWN[number][0]['statement']}"
)
def test_statement(number: int, advised: dict[str, str], audited: dict[str, list[dict[str, Any]]]) -> None:
    _, shown = SHOWN[number]
    (kind,) = set(shown) & set(_KEYS)
    assert set(shown) - {kind} <= _KEYS[kind]
    if kind == "run":
        run = shown["run"]
        text = advised[run] if run in advised else CliRunner().invoke(cli, shlex.split(run)).output
        assert shown["tells"]
        for words in shown["tells"]:
            assert words in text
        for words in shown.get("not", ()):
            assert words not in text
    elif kind == "claim":
        findings = audited.get(f"g{number}~", [])
        found = {item["rule"] for item in findings}
        assert shown.get("finds") or shown.get("clean")
        assert set(shown.get("finds", ())) <= found
        assert not set(shown.get("clean", ())) & found
        assert shown.get("message", "") in " ".join(item["message"] for item in findings)
    else:
        rows = PARAMETERS[shown["parameter"]].rows()
        key = shown.get("key", "all")
        assert [row[4] for row in rows if row[1] == key and row[2] <= shown["on"] <= row[3]] == [shown["value"]]


def test_rules_named_are_rules() -> None:
    named = {name for _, shown in SHOWN for name in (*shown.get("finds", ()), *shown.get("clean", ()))}
    assert named <= {rule.name for rule in rules.load().rules}


def test_each_guide_is_there() -> None:
    assert [item["guide"] for item in GUIDES] == sorted(item["guide"] for item in GUIDES)
    assert {item["guide"] for item in GUIDES} == {1, 2, 3, 4, 5}


def test_the_command_prints_what_the_statements_are_held_against(advised: dict[str, str]) -> None:
    run = next(iter(advised))
    assert CliRunner().invoke(cli, shlex.split(run)).output == advised[run] + "\n"


def test_page_is_that_of_the_statements() -> None:
    page = Path(__file__).parents[1] / "docs" / "guides.md"
    assert page.read_text(encoding="utf-8") == docs.guides_page(GUIDES), "run `make docs`"
