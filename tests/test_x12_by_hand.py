"""A synthetic clinic's X12 files read again by plain Python: what each line has come to, and which rules saw denials.

Nothing here uses the product's readers, models or reports: what they say is compared with it.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

import therapy_audit as ta
from therapy_audit import engine, intake, resources, rules, synth

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

RULES = Path(str(resources.folder("rules")))
BECOMES = {"": "current", "7": "replaced", "8": "voided"}  # a version, by the frequency of the one that follows it


@dataclass
class Line:
    """A service line as it was billed."""

    day: date
    code: str
    charge: Decimal


@dataclass
class Claim:
    """A claim as it was sent once."""

    number: str
    patient: str
    sent: date
    frequency: str
    lines: dict[int, Line] = field(default_factory=dict)


@dataclass
class Answer:
    """A service as it was answered once."""

    claim: str
    judgement: int  # the CLP's place in the file
    paid_on: date
    takes_back: bool
    patient: str = ""
    day: date | None = None
    code: str = ""
    line: int | None = None
    charge: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    reasons: list[tuple[str, Decimal]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def segments(path: Path) -> Iterator[list[str]]:
    for segment in path.read_text(encoding="ascii").replace("\n", "").split("~"):
        yield segment.split("*")


def a_day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def billed(path: Path) -> list[Claim]:
    """Return the claims in the order of the file."""
    claims: list[Claim] = []
    number, sent, patient = 0, date.min, ""
    for name, *parts in segments(path):
        match name:
            case "BHT":
                sent = a_day(parts[3])
            case "NM1" if parts[0] == "IL":
                patient = parts[8]
            case "CLM":
                claims.append(Claim(parts[0], patient, sent, parts[4].split(":")[2]))
            case "LX":
                number = int(parts[0])
            case "SV1":
                claims[-1].lines[number] = Line(date.min, parts[0].split(":")[1], Decimal(parts[1]))
            case "DTP":
                claims[-1].lines[number].day = a_day(parts[2])
    return claims


def answered(path: Path) -> list[Answer]:
    """Return the services in the order of the file."""
    answers: list[Answer] = []
    judgement, paid_on, claim, status, patient = 0, date.min, "", "", ""
    for name, *parts in segments(path):
        match name:
            case "BPR":
                paid_on = a_day(parts[15])
            case "NM1" if parts[0] == "QC":
                patient = parts[8]
            case "CLP":
                claim, status, judgement = parts[0], parts[1], judgement + 1
            case "SVC":
                answers.append(Answer(claim, judgement, paid_on, status == "22", patient))
                answers[-1].code = parts[0].split(":")[1]
                answers[-1].charge, answers[-1].paid = Decimal(parts[1]), Decimal(parts[2])
            case "DTM" if parts[0] == "472":
                answers[-1].day = a_day(parts[1])
            case "CAS":
                answers[-1].reasons += [(parts[at], Decimal(parts[at + 1])) for at in range(1, len(parts), 3)]
            case "REF" if parts[0] == "6R":
                answers[-1].line = int(parts[1])
            case "LQ":
                answers[-1].remarks.append(parts[1])
    return answers


def current(claims: list[Claim], as_of: date) -> dict[str, tuple[int, Claim]]:
    """Return each claim as it was sent last by a day, with how many times it was sent; without those that are void."""
    sent: dict[str, list[Claim]] = defaultdict(list)
    for claim in sorted(claims, key=lambda claim: claim.sent):  # of one day: as they stand in the file
        if claim.sent <= as_of:
            sent[claim.number].append(claim)
    return {number: (len(several), several[-1]) for number, several in sent.items() if several[-1].frequency != "8"}


def matched(
    answers: list[Answer], now: dict[str, tuple[int, Claim]], as_of: date
) -> dict[tuple[str, int], list[Answer]]:
    """Return the answers to each line: by claim and line number, else by patient, day, code and charge.

    What names no line is about the only one that it fits, unless that has answers which name it.
    """
    result: dict[tuple[str, int], list[Answer]] = defaultdict(list)
    alike: dict[tuple[str, date | None, str, Decimal], list[tuple[str, int]]] = defaultdict(list)
    for _, claim in now.values():
        for number, line in claim.lines.items():
            alike[claim.patient, line.day, line.code, line.charge].append((claim.number, number))
    unnumbered = []
    for answer in (answer for answer in answers if answer.paid_on <= as_of):
        lines = now[answer.claim][1].lines if answer.claim in now else {}
        if answer.line in lines and answer.code == lines[answer.line].code and answer.day == lines[answer.line].day:
            result[answer.claim, answer.line].append(answer)
        else:
            unnumbered.append(answer)
    by_number = set(result)
    for answer in unnumbered:  # its number is garbled, or that of another claim
        those = alike[answer.patient, answer.day, answer.code, abs(answer.charge)]
        if len(those) == 1 and those[0] not in by_number:
            result[those[0]].append(answer)
    return result


def state(answers: list[Answer], version: int, sent: date, denials: set[str], shares: set[str]) -> tuple[str, Decimal]:
    """Return what a line has come to, and what was paid for it in all."""
    paid = sum((answer.paid for answer in answers), Decimal(0))
    if not answers or (version > 1 and max(answer.paid_on for answer in answers) < sent):
        return "open", paid
    if 2 * sum(answer.takes_back for answer in answers) >= len(answers):
        return "reversed", paid
    last = [answer for answer in answers if not answer.takes_back][-1]
    share = sum((amount for reason, amount in last.reasons if reason in shares), Decimal(0))
    denied = sum((amount for reason, amount in last.reasons if reason in denials), Decimal(0))
    if denied > 0:
        return "partly denied" if paid > 0 or share > 0 else "denied", paid
    return "paid", paid


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clinic")
    synth.write(folder, seed=11, lines=3000, x12=True)
    return folder


@pytest.fixture(scope="module")
def con(clinic: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect() as opened:
        engine.prepare(opened, rules.load())
        files = {"claims": (str(clinic / "claims.837"),), "remittances": (str(clinic / "remittances.835"),)}
        intake.load(opened, intake.Inputs(files))
        yield opened


@pytest.fixture(scope="module")
def reasons() -> tuple[set[str], set[str]]:
    """Return the reason codes that deny, and those that leave the amount to the patient."""
    table = list(csv.DictReader((RULES / "codes" / "denial_reason.csv").read_text(encoding="utf-8").splitlines()))
    denials = {row["reason_code"] for row in table if row["is_denial"] == "true"}
    return denials, {row["reason_code"] for row in table if row["category"] == "patient share"}


@pytest.mark.parametrize("as_of", [None, date(2026, 2, 10), date(2026, 3, 5)])
def test_each_line_has_come_to_what_its_files_say(
    con: duckdb.DuckDBPyConnection, clinic: Path, reasons: tuple[set[str], set[str]], as_of: date | None
) -> None:
    claims, answers = billed(clinic / "claims.837"), answered(clinic / "remittances.835")
    until = as_of or date.max
    now = current(claims, until)
    by_line = matched(answers, now, until)
    expected = {
        (number, line): state(by_line[number, line], version, claim.sent, *reasons)
        for number, (version, claim) in now.items()
        for line in claim.lines
    }
    engine.set_period(con, as_of=as_of)
    engine.build_models(con, only=["line_payment", "claim_history"])
    found = {
        (claim_id, line): (status, paid)
        for claim_id, line, status, paid in con.execute(
            "SELECT claim_id, claim_line_number, payment_status, coalesce(paid_amount, 0) FROM line_payment"
        ).fetchall()
    }
    assert set(found) == set(expected)
    assert {key: (found[key], expected[key]) for key in found if found[key] != expected[key]} == {}


@pytest.mark.parametrize("as_of", [None, date(2026, 3, 5)])
def test_each_version_is_what_followed_it_makes_of_it(
    con: duckdb.DuckDBPyConnection, clinic: Path, as_of: date | None
) -> None:
    sent: dict[str, list[Claim]] = defaultdict(list)
    for claim in sorted(billed(clinic / "claims.837"), key=lambda claim: claim.sent):
        sent[claim.number].append(claim)
    expected = {}
    for number, several in sent.items():
        known = [claim for claim in several if claim.sent <= (as_of or date.max)]
        for place, claim in enumerate(several):
            following = known[place + 1].frequency if place + 1 < len(known) else ""
            became = {"": "current", "7": "replaced", "8": "voided"}.get(following, "resubmitted")
            expected[number, place + 1] = (
                "later" if place >= len(known) else "void" if claim.frequency == "8" else became
            )
    engine.set_period(con, as_of=as_of)
    engine.build_models(con, only=["claim_history"])
    rows = con.execute("SELECT claim_id, claim_version, state FROM claim_history").fetchall()
    assert {(claim_id, version): became for claim_id, version, became in rows} == expected


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ta.Audit]:
    clinic = tmp_path_factory.mktemp("audited")
    synth.write(clinic, seed=12, lines=1500, x12=True)
    given = {name: clinic / f"{name}.csv" for name in ("notes", "plans_of_care", "authorizations", "providers")}
    x12 = {"claims": clinic / "claims.837", "remittances": clinic / "remittances.835"}
    with ta.run(output=str(clinic / "report"), **x12, **given) as done:
        yield done


def test_the_crosswalk_names_the_rules_that_speak_to_a_denial(
    audit: ta.Audit, reasons: tuple[set[str], set[str]]
) -> None:
    clinic = audit.folder.parent
    speaks: dict[str, set[str]] = {}
    grain: dict[str, str] = {}
    for path in RULES.rglob("*.yaml"):
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        name = ".".join(path.relative_to(RULES).with_suffix("").parts)
        if isinstance(told, dict) and "denial_reasons" in told:
            speaks[name], grain[name] = {str(code) for code in told["denial_reasons"]}, told["grain"]
    now = current(billed(clinic / "claims.837"), date.max)
    denials = {}
    for (claim, line), answers in matched(answered(clinic / "remittances.835"), now, date.max).items():
        for answer in answers:
            codes = {reason for reason, amount in answer.reasons if reason in reasons[0] and amount > 0}
            if codes and not answer.takes_back:
                denials[claim, line, answer.paid_on.isoformat()] = codes | set(answer.remarks)
    found = set(audit.sql("SELECT rule, claim_id, claim_line_number FROM finding").fetchall())
    with (audit.folder / "denials.csv").open(encoding="utf-8", newline="") as file:
        rows = {
            (row["claim_id"], int(row["claim_line_number"]), row["denied_date"]): row for row in csv.DictReader(file)
        }
    assert set(rows) == set(denials)
    flagged_lines = 0
    for (claim, line, day), row in rows.items():
        codes = denials[claim, line, day]
        assert set(row["codes"].split()) == codes
        speaking = {rule for rule, its in speaks.items() if its & codes}
        flagged = set(filter(None, row["rules_flagged"].split("; ")))
        other = {
            rule.partition(" (")[0]
            for name in ("rules_not_evaluable", "rules_passed")
            for rule in row[name].split("; ")
        }
        assert flagged | other <= speaking | {""}
        by_line = {rule for rule in speaking if grain[rule] == "line" and (rule, claim, line) in found}
        assert by_line == {rule for rule in flagged if grain[rule] == "line"}
        assert not by_line & other
        flagged_lines += bool(by_line)
    assert 0 < flagged_lines < len(rows)
