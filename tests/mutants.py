"""How well the cases hold the rules: each comparison, constant, date and join of a check's SQL is broken in turn.

`python tests/mutants.py [RULE ...]` prints Markdown: of each rule's broken versions (mutants), how many make a case of
that rule fail, and each that does not with its place. A mutant whose SQL cannot run is not counted.
`make mutants` writes docs/mutants.md. A rule that was tried with the same files before is not tried again, so that what
was stopped goes on; the figures on the page are all of the same files.
Jia and Harman, An Analysis and Survey of the Development of Mutation Testing, IEEE TSE 37(5), 2011.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import duckdb
import yaml
from sqlfluff.core import FluffConfig, Lexer

from casebook import FOLDER, RULES, Case, fault, load, opened, outcomes
from therapy_audit import engine, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from therapy_audit.rules import Rule

# What stands in a text's place in its mutant. The longer one is looked for first.
SWAPS = {
    "IS NOT DISTINCT FROM": "IS DISTINCT FROM",
    "IS DISTINCT FROM": "IS NOT DISTINCT FROM",
    "IS NOT NULL": "IS NULL",
    "IS NULL": "IS NOT NULL",
    "NOT BETWEEN": "BETWEEN",
    "BETWEEN": "NOT BETWEEN",
    "NOT IN": "IN",
    "IN": "NOT IN",
    "NOT EXISTS": "EXISTS",
    "EXISTS": "NOT EXISTS",
    "INNER JOIN": "LEFT JOIN",
    "LEFT JOIN": "INNER JOIN",
    "SEMI JOIN": "ANTI JOIN",
    "ANTI JOIN": "SEMI JOIN",
    "NOT": "",
    "AND": "OR",
    "OR": "AND",
    "TRUE": "FALSE",
    "FALSE": "TRUE",
    "DISTINCT": "",
    "< =": "<",
    "> =": ">",
    "< >": "=",
    "<": "<=",
    ">": ">=",
    "=": "<>",
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "min": "max",
    "max": "min",
    "bool_or": "bool_and",
    "bool_and": "bool_or",
    "least": "greatest",
    "greatest": "least",
}
_LONGEST = max(len(words.split()) for words in SWAPS)
ERROR = "cannot run"
ACCEPTED = FOLDER.parent / "mutants.yaml"


@dataclass(frozen=True)
class Mutant:
    """A check's SQL with one thing in it broken."""

    sql: str
    line: int
    place: str  # what stood there and what stands there now, and the whole line, as mutants.yaml has it


@cache
def _lexer() -> Any:
    return Lexer(config=FluffConfig(overrides={"dialect": "duckdb"}))


def mutants(sql: str) -> Iterator[Mutant]:
    """Yield the mutants of a SQL text, from its first word to its last."""
    # A bound value is no word to the lexer; an underscore keeps every place.
    segments, _ = _lexer().lex(sql.replace("$", "_"))
    words = [
        (item.raw, item.pos_marker.source_slice)
        for item in segments
        if item.pos_marker and not item.is_type("whitespace", "newline", "comment", "end_of_file")
    ]
    between = False
    skip = 0
    for at, (word, place) in enumerate(words):
        if skip:
            skip -= 1
            continue
        found: list[str] = []
        length = 1
        if word[0].isdigit():
            if "DECIMAL" in {raw for raw, _ in words[max(0, at - 4) : at]}:
                continue  # of a type, no value
            found = [str(int(word) + 1) if word.isdigit() else str(float(word) + 1)]
        elif word[0] == "'":
            found = [_other(word, at > 0 and words[at - 1][0] == "DATE")]
        else:
            for length in range(min(_LONGEST, len(words) - at), 0, -1):
                phrase = " ".join(raw for raw, _ in words[at : at + length])
                if phrase in SWAPS and _is_swap(words, at, length, between=between):
                    found = [SWAPS[phrase]]
                    break
        if word == "BETWEEN" or (word == "NOT" and length > 1):
            between = between or "BETWEEN" in {raw for raw, _ in words[at : at + length]}
        elif word == "AND":
            between = False
        skip = length - 1 if found else 0
        stop = words[at + skip][1].stop
        for new in found:
            changed = sql[: place.start] + new + sql[stop:]
            old = " ".join(sql[place.start : stop].split())
            line = sql.count("\n", 0, place.start)
            yield Mutant(changed, line + 1, f"{old} -> {new or 'nothing'} in: {sql.splitlines()[line].strip()}")


def _is_swap(words: list[tuple[str, slice]], at: int, length: int, *, between: bool) -> bool:
    """Return whether the words mean what SWAPS takes them for: no AND of BETWEEN, no * of columns, no arrow."""
    word = words[at][0]
    before = words[at - 1][0] if at else ""
    after = words[at + length][0] if at + length < len(words) else ""
    touching = at + length < len(words) and words[at + length - 1][1].stop == words[at + length][1].start
    if word == "AND":
        return not between
    if word in {"*", "-"}:
        return before not in {"(", ",", "SELECT", ".", "DISTINCT", "-", "THEN", "ELSE"} and not (
            touching and after in {">", ")"}
        )
    if word in {"<", ">", "="}:
        joined = at and words[at - 1][1].stop == words[at][1].start and before in {"-", ":", ">", "<", "!", "="}
        return not joined and not (touching and after in {">", "=", "<"})
    if word in {"min", "max", "least", "greatest", "bool_or", "bool_and"}:
        return after == "("
    return True


def _other(text: str, is_date: bool) -> str:
    if is_date:
        return f"'{date.fromisoformat(text.strip(chr(39))) - timedelta(days=1)}'"
    return f"{text[:-1]}~'"


def survivors(rule: Rule, cases: list[Case]) -> tuple[int, int, list[Mutant]]:
    """Return how many mutants the rule has, how many of them cannot run, and those that no case of it notices."""
    alive = list(mutants(rule.sql))
    total, broken = len(alive), 0
    everything = [case for case in cases if not case.alone]
    mine = [case for case in cases if case.rule == rule.name]
    together = [case for case in mine if not case.alone]
    for group in [together, *([case] for case in mine if case.alone)]:
        waiting, alive = alive, []
        beside = group
        while waiting and group:
            with opened(beside, rule.name) as (con, (asked,)):
                if _noticed(con, asked, group):
                    # Some rules look at what all cases together hold, such as whether any note was given at all.
                    assert beside is together, f"{rule.name}: its cases fail without any mutant"
                    beside = everything
                    continue
                as_it_is = _returned(con, asked)
                while waiting:
                    mutant = waiting.pop(0)
                    changed = replace(asked, sql=mutant.sql)
                    noticed: str | None = ERROR
                    with suppress(duckdb.Error):
                        noticed = None if _returned(con, changed) == as_it_is else _noticed(con, changed, group)
                    if noticed == ERROR:
                        broken += 1
                        if _aborted(con):
                            break
                    elif not noticed:
                        alive.append(mutant)
        alive += waiting
    return total, broken, alive


def _aborted(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether an error has ended the transaction that the cases' rows are in."""
    try:
        con.execute("SELECT 1")
    except duckdb.Error:
        return True
    return False


def _returned(con: duckdb.DuckDBPyConnection, rule: Rule) -> list[Any]:
    """Return all that the check returns; where that is the same, so is all that is made of it."""
    return sorted(map(str, con.execute(rule.sql, engine.bound(rule)).fetchall()))


def _noticed(con: duckdb.DuckDBPyConnection, rule: Rule, cases: list[Case]) -> str | None:
    """Return the first case's fault with the rule as given, ERROR where it cannot run, or None."""
    for table in ("finding", "finding_line", "coverage"):
        con.execute(f"DELETE FROM {table}")
    try:
        if engine.run_rules(con, [rule]):
            return ERROR
        findings, coverage = outcomes(con)
    except AssertionError:
        return "an outcome that cannot be"
    return next((wrong for case in cases if (wrong := fault(case, findings, coverage))), None)


def files_hash() -> str:
    """Return a hash of all that decides whether a mutant lives: rules, SQL, cases, and the program but for the page."""
    found = hashlib.sha256()
    package = Path(engine.__file__).parent
    roots = (Path(str(resources.folder("sql"))), Path(str(resources.folder("rules"))), FOLDER, package)
    for path in [*sorted(path for root in roots for path in root.rglob("*")), FOLDER.parent / "casebook.py"]:
        if path.is_file() and path.suffix in {".sql", ".yaml", ".csv", ".py"}:
            found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


def tried(names: list[str], keep: Path | None) -> list[dict[str, Any]]:
    """Return by rule what became of its mutants; rules that `keep` tells of with the same files are not tried anew."""
    files = files_hash()
    told = keep.read_text(encoding="utf-8").splitlines() if keep and keep.exists() else []
    known = {row["rule"]: row for row in map(json.loads, told) if row["files"] == files}
    cases = load()
    for rule in RULES.rules:
        if rule.name in known or (names and rule.name not in names):
            continue
        total, broken, alive = survivors(rule, cases)
        known[rule.name] = {
            "rule": rule.name, "files": files, "mutants": total, "ran": total - broken,
            "alive": [[item.line, item.place] for item in alive],
        }  # fmt: skip
        if keep:
            with keep.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(known[rule.name]) + "\n")
    return [known[rule.name] for rule in RULES.rules if rule.name in known and (not names or rule.name in names)]


def page(rows: list[dict[str, Any]]) -> str:
    """Return the table of these rules and the mutants that are left, as Markdown."""
    accepted = yaml.safe_load(ACCEPTED.read_text(encoding="utf-8")) if ACCEPTED.exists() else {}
    table = ["| rule | mutants | can run | killed | the same as the rule | left |"]
    table.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    sums = [0] * 5
    left: list[str] = []
    gone: list[str] = []
    for row in rows:
        rest = [item for item in row["alive"] if item[1] not in accepted.get(row["rule"], {})]
        alive = len(row["alive"])
        counts = [row["mutants"], row["ran"], row["ran"] - alive, alive - len(rest), len(rest)]
        table.append(f"| {row['rule']} | {' | '.join(f'{count:,}' for count in counts)} |")
        sums = [one + other for one, other in zip(sums, counts, strict=True)]
        left += [f"- {row['rule']}, line {line}: `{place}`" for line, place in rest]
        places = {place for _, place in row["alive"]}
        gone += [f"- {row['rule']}: `{place}`" for place in accepted.get(row["rule"], {}) if place not in places]
    table.append(f"| all | {' | '.join(f'{count:,}' for count in sums)} |")
    _, ran, killed, same, _ = sums
    missing = [rule.name for rule in RULES.rules if rule.name not in {row["rule"] for row in rows}]
    parts = [f"Killed: {killed:,} of the {ran - same:,} that differ from their rule.", "\n".join(table)]
    if left:
        parts.append("Left, where a case is wanted:\n\n" + "\n".join(left))
    if gone:
        parts.append("In `tests/mutants.yaml` without need:\n\n" + "\n".join(gone))
    if missing:
        parts.append(f"Not tried: {', '.join(missing)}.")
    return "\n\n".join(parts)


HEAD = """\
# Mutants

How well the cases hold the rules: each comparison, constant, date and join in a rule's SQL is broken in turn, and a
case of the rule must fail. Made by `make mutants` on {day}, from one state of rules and cases; it takes about an hour.

A mutant that cannot run is counted under mutants only. One that says the same as its rule, whatever the data, stands
in `tests/mutants.yaml` with the reason. Models that rules share (`sql/models/`) are not broken here: rules are also
compared with slow, plain versions of them on random data (`tests/plain_rules.py`).

"""


def main() -> None:
    """Print the table of all rules (or those named), or write it as a page."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("rules", nargs="*", help="of these only [all]")
    asked.add_argument("--keep", type=Path, help="a file that keeps what became of each rule, so that a run can go on")
    asked.add_argument("--page", type=Path, help="write the page instead of printing")
    given = asked.parse_args()
    found = page(tried(given.rules, given.keep))
    if given.page:
        day = date.today()  # noqa: DTZ011 - the day of whoever runs it
        given.page.write_text(HEAD.format(day=day) + found + "\n", encoding="utf-8")
    else:
        click.echo(found)


if __name__ == "__main__":
    main()
