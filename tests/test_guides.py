"""What is published on billing therapy, each statement run: tests/cases/guides.yaml and cms_examples.yaml.

The one holds what five guides say about 97530, right and wrong; the other what CMS works through or puts in figures.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from casebook import FOLDER, Case, judge, load
from therapy_audit import advise, advise_command, docs, resources, rules
from therapy_audit.cli import cli
from therapy_audit.config import Config

GUIDES: list[dict[str, Any]] = resources.parsed((FOLDER / "guides.yaml").read_text(encoding="utf-8"))
CMS: list[dict[str, Any]] = resources.parsed((FOLDER / "cms_examples.yaml").read_text(encoding="utf-8"))
SHOWN = [(item, shown) for item in [*GUIDES, *CMS] for shown in item["shown"]]
PARAMETERS = {item.name: item for item in rules.load().parameters}
_KEYS = {
    "run": {"tells", "not"},
    "claim": {"day", "case", "finds", "times", "clean", "message"},
    "parameter": {"key", "on", "value"},
}


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


def name_of(number: int) -> str:
    item, _ = SHOWN[number]
    return f"{item['guide']}: {item['statement']}" if "guide" in item else f"{item['source']}: {item['done']}"


@pytest.fixture(scope="module")
def audited() -> dict[str, list[dict[str, Any]]]:
    """The findings of each day, by its prefix; all audited together but those that need a run of their own."""
    known = {(case.rule, case.name): case.data for case in load()}
    cases = []
    for number, (_, shown) in enumerate(SHOWN):
        if "claim" in shown:
            data = known[shown["case"]["rule"], shown["case"]["name"]] if "case" in shown else shown["day"]
            # A case that tells how much is not evaluable is judged by itself for that alone.
            data = {key: value for key, value in data.items() if key not in {"not_evaluable", "expect"}}
            rule = (shown.get("finds") or shown["clean"])[0]
            cases.append(Case(rule, name_of(number), {"name": "", **data}, f"g{number}~"))
    found = judge([case for case in cases if not case.alone])[0]
    for case in cases:
        if case.alone:
            found |= judge([case])[0]
    return found


@pytest.mark.parametrize("number", range(len(SHOWN)), ids=name_of)
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
        if "times" in shown:
            (rule,) = shown["finds"]
            assert sum(item["rule"] == rule for item in findings) == shown["times"]
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


def test_examples_of_cms_say_what_they_are() -> None:
    for item in CMS:
        assert set(item) - {"agrees", "why"} == {"source", "done", "says", "kind", "read", "shown"}
        assert item["kind"] in {"example", "figure"}
        assert ("why" in item) == (item.get("agrees") is False)


def test_pages_are_those_of_the_statements() -> None:
    folder = Path(__file__).parents[1] / "docs"
    assert (folder / "guides.md").read_text(encoding="utf-8") == docs.guides_page(GUIDES), "run `make docs`"
    assert (folder / "cms-examples.md").read_text(encoding="utf-8") == docs.cms_page(CMS), "run `make docs`"
