"""Reviewers' decisions: workbooks back into one file, what a decision means later, and a history of runs."""

from __future__ import annotations

import csv
import json
import stat
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import openpyxl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from therapy_audit import cli, config, engine, review
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TODAY = "1777636800"  # 2026-05-01
FINDING = "0123456789abcdef"
COLUMNS = ("finding_id", "rule", "disposition", "reviewer", "reviewed_on", "valid_until", "note", "facts_hash")


@pytest.fixture(autouse=True)
def _on_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", TODAY)


def decision(**given: Any) -> dict[str, Any]:
    usual = {"finding_id": FINDING, "rule": "clinic.line_without_note", "disposition": "confirmed", "reviewer": "MB"}
    return {**dict.fromkeys(COLUMNS), **usual, "reviewed_on": date(2026, 4, 1), "facts_hash": "f0", **given}


def listed(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def kept(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


# ---- import ---------------------------------------------------------------------------------------------------------


_DECISIONS = st.lists(
    st.fixed_dictionaries(
        {
            "finding_id": st.sampled_from([FINDING, "1" * 16]),
            "disposition": st.sampled_from(["confirmed", "dismissed", "corrected", "refunded"]),
            "reviewer": st.sampled_from(["MB", "RH", "=cmd()"]),
            "reviewed_on": st.dates(date(2026, 4, 1), date(2026, 4, 3)),
            "note": st.sampled_from(['a reason, with "quotes"', "=1+1", "-"]),
            "facts_hash": st.sampled_from([None, "f0", "f1"]),
        }
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=8, deadline=None)
@given(first=_DECISIONS, second=_DECISIONS)
def test_twice_is_once_and_order_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("order")
    one, two = (
        listed(folder / f"{name}.csv", [decision(**row) for row in rows])
        for name, rows in (("a", first), ("b", second))
    )
    here, there, together = folder / "here.csv", folder / "there.csv", folder / "together.csv"
    review.import_workbooks([one], here)
    review.import_workbooks([two], here)
    before = here.read_bytes()
    again = review.import_workbooks([one, two], here)
    assert (again.added, here.read_bytes()) == (0, before)
    review.import_workbooks([two], there)
    review.import_workbooks([one], there)
    review.import_workbooks([two, one], together)
    assert there.read_bytes() == together.read_bytes() == before
    assert not any(row["note"].startswith("=") or row["reviewer"].startswith("=") for row in kept(here))
    assert stat.S_IMODE(here.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"disposition": "perhaps"}, "disposition: not a wording that is known for this column."),
        ({"reviewed_on": "yesterday"}, "reviewed_on: no date that can be read"),
        ({"reviewed_on": None}, "reviewed_on: empty; write the day of the decision, such as 2026-07-31."),
        ({"reviewed_on": "2026-05-02"}, "reviewed_on: a day to come; write the day of the decision."),
        ({"reviewer": None}, "reviewer: empty; write who decided it."),
        ({"disposition": "dismissed"}, "note: empty; a dismissal says why the finding is fine."),
        ({"valid_until": "2026-06-01"}, "valid_until: only a dismissal has a last day; empty it."),
        (
            {"disposition": "dismissed", "note": "n", "valid_until": "2026-03-31"},
            "valid_until: before reviewed_on; write a later day.",
        ),
        ({"finding_id": "17"}, "finding_id: none that a run gives; leave it as the workbook has it."),
    ],
)
def test_a_bad_cell_is_told_with_its_row_and_nothing_is_taken(
    tmp_path: Path, given_: dict[str, Any], sentence: str
) -> None:
    workbook = listed(tmp_path / "back.csv", [decision(finding_id="2" * 16), decision(**given_)])
    with pytest.raises(AuditError) as told:
        review.import_workbooks([workbook], tmp_path / "reviews.csv")
    assert str(told.value).startswith("back.csv row 3: " + sentence)
    assert not (tmp_path / "reviews.csv").exists()


def test_the_day_itself_and_an_undecided_row_are_fine(tmp_path: Path) -> None:
    rows = [decision(reviewed_on="2026-05-01"), decision(finding_id="3" * 16, disposition=None, reviewed_on=None)]
    found = review.import_workbooks([listed(tmp_path / "back.csv", rows)], tmp_path)
    assert (found.added, found.total, found.into) == (1, 1, tmp_path / "reviews.csv")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({}, {"reviewer": "RH"}, None),
        ({}, {"disposition": "dismissed", "note": "n", "reviewed_on": date(2026, 4, 2)}, None),  # a change of mind
        (
            {},
            {"disposition": "dismissed", "note": "n", "reviewer": "RH", "reviewed_on": date(2026, 4, 2)},
            "the last one counts (dismissed).",
        ),
        (
            {},
            {"disposition": "dismissed", "note": "n", "reviewer": "RH"},
            "of one day, so it is not silent (confirmed).",
        ),
        ({}, {"disposition": "corrected"}, "of one day, so it is not silent (corrected)."),
    ],
)
def test_a_conflict_is_told_once(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], told: str | None
) -> None:
    into = tmp_path / "reviews.csv"
    review.import_workbooks([listed(tmp_path / "a.csv", [decision(**first)])], into)
    later = listed(tmp_path / "b.csv", [decision(**second)])
    found = review.import_workbooks([later], into)
    assert [sentence.split("; ")[-1] for sentence in found.conflicts] == ([told] if told else [])
    if told:
        assert "b.csv row 2" in found.conflicts[0]
    assert review.import_workbooks([later], into).conflicts == []
    counting = states(kept(into))["disposition"]
    assert counting == (told or "(").split("(")[-1].rstrip(").") or counting in ("confirmed", "dismissed")


# ---- what a decision means ------------------------------------------------------------------------------------------


def states(
    decisions: Sequence[dict[str, Any]], *, facts: str = '{"units": 2}', amount: int = 30, today: date | None = None,
    days: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Return what decisions mean for a finding: its row of finding_review."""
    with engine.connect() as con:
        engine.create_tables(con)
        con.execute("INSERT INTO run_day SELECT $day WHERE $day IS NOT NULL", {"day": today})
        con.execute(
            "INSERT INTO parameter VALUES ('clinic.dismissal_days', 'all', '1990-01-01', '2099-12-31', ?)", [days]
        )
        for place, row in enumerate(decisions):
            row = {name: value or None for name, value in row.items()}  # noqa: PLW2901
            con.execute(
                f"INSERT INTO review ({', '.join(COLUMNS)}, source_file, source_row)"
                f" VALUES ({', '.join('?' * len(COLUMNS))}, 'f', ?)",
                [*(row[name] for name in COLUMNS), place],
            )
        con.execute(
            "CREATE TEMP TABLE found AS SELECT ? AS finding_id, 'a.b' AS rule, ?::JSON AS facts, ? AS amount_at_risk",
            [FINDING, facts, Decimal(amount)],
        )
        result = con.execute("SELECT * FROM reviewed('found')")
        names = [column[0] for column in result.description]
        return dict(zip(names, result.fetchall()[0], strict=True))


def hashed(facts: str = '{"units": 2}', amount: int = 30) -> str:
    with engine.connect() as con:
        engine.create_tables(con)
        ((found,),) = con.execute("SELECT facts_hash('a.b', ?, ?::JSON)", [Decimal(amount), facts]).fetchall()
        return str(found)


DISMISSED: dict[str, Any] = {"disposition": "dismissed", "note": "n"}


@pytest.mark.parametrize(
    ("facts", "amount", "state"),
    [('{"units": 2}', 30, "dismissed"), ('{"units": 3}', 30, "changed"), ('{"units": 2}', 31, "changed")],
)
def test_a_dismissed_finding_speaks_when_its_facts_or_dollars_change(facts: str, amount: int, state: str) -> None:
    rows = [decision(**DISMISSED, facts_hash=hashed())]
    assert states(rows, facts=facts, amount=amount)["review_state"] == state
    # Where the decision does not know its facts, it holds.
    assert states([decision(**DISMISSED, facts_hash=None)], facts=facts, amount=amount)["review_state"] == "dismissed"


@pytest.mark.parametrize(("after", "state"), [(-1, "dismissed"), (0, "dismissed"), (1, "expired")])
@pytest.mark.parametrize("by", ["valid_until", "term"])
def test_a_dismissal_holds_through_its_last_day(after: int, state: str, by: str) -> None:
    last = date(2026, 4, 1) + timedelta(days=90)
    own = {"valid_until": last} if by == "valid_until" else {}
    found = states(
        [decision(**DISMISSED, **own, facts_hash=None)],
        today=last + timedelta(days=after),
        days=90 if by == "term" else 1,
    )
    assert (found["review_state"], found["valid_until"]) == (state, last)


def test_a_dismissal_without_a_day_does_not_hold_under_a_term() -> None:
    row = decision(**DISMISSED, reviewed_on=None, facts_hash=None)
    assert states([row], today=date(2026, 5, 1), days=90)["review_state"] == "expired"
    assert states([row], today=date(2026, 5, 1))["review_state"] == "dismissed"


@pytest.mark.parametrize(("today", "state"), [(date(2026, 4, 1), "corrected"), (date(2026, 4, 2), "came_back")])
def test_what_was_corrected_and_is_found_again_came_back(today: date, state: str) -> None:
    rows = [decision(disposition="corrected", facts_hash="f9")]
    assert states([decision(disposition="corrected", facts_hash=hashed())], today=today)["review_state"] == state
    assert states(rows, today=date(2026, 4, 2))["review_state"] == "came_back"


def test_the_last_day_counts_and_silence_takes_agreement() -> None:
    early, late = date(2026, 4, 1), date(2026, 4, 2)
    yes, no = decision(reviewed_on=early, facts_hash=None), decision(**DISMISSED, reviewed_on=early, facts_hash=None)
    for rows in ([yes, no], [no, yes]):
        assert states(rows)["review_state"] == "confirmed"
        assert states([*rows, {**no, "reviewed_on": late}])["review_state"] == "dismissed"
        assert states([*rows, {**no, "reviewed_on": late}, {**yes, "reviewed_on": late}])["review_state"] == "confirmed"


# ---- run by run -----------------------------------------------------------------------------------------------------


CLAIMS = """\
Claim ID,Line,Patient ID,Payer,DOS,CPT,Modifiers,Units,Charge,Allowed
C1,1,P1,MEDICARE,3/2/2026,97110,GP,1,80,30
C1,2,P1,MEDICARE,3/2/2026,97530,GP,{units},160,60
C2,1,P2,MEDICARE,3/9/2026,97530,,2,160,{allowed}
C3,1,P3,MEDICARE,3/10/2026,97530,,2,160,60
"""
NOTES = """\
Note ID,Patient ID,DOS,Discipline,Note Type,CPT,Minutes
N1,P1,3/2/2026,PT,Daily Note,97110,10
N1,P1,3/2/2026,PT,Daily Note,97530,20
N2,P2,3/9/2026,PT,Daily Note,97530,30
N3,P3,3/10/2026,PT,Daily Note,97530,30
"""
UNITS, MODIFIER = "medicare.timed_units_exceed_minutes", "medicare.discipline_modifier_missing"


def audit(folder: Path, name: str, day: str, *, units: int, allowed: int) -> dict[str, Any]:
    """Run the audit of March in `folder` on a day, under a name; return its summary."""
    (folder / "claims.csv").write_text(CLAIMS.format(units=units, allowed=allowed), encoding="utf-8")
    (folder / "notes.csv").write_text(NOTES, encoding="utf-8")
    epoch = str(int(datetime.fromisoformat(day + "T12:00:00+00:00").timestamp()))
    command = [
        "run",
        "--claims",
        "claims.csv",
        "--notes",
        "notes.csv",
        "--period",
        "2026-03",
        "--out",
        f"reports/{name}",
    ]
    done = CliRunner().invoke(cli.cli, command, env={"SOURCE_DATE_EPOCH": epoch}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    summary: dict[str, Any] = json.loads((folder / "reports" / name / "summary.json").read_text(encoding="utf-8"))
    summary["said"] = done.output
    return summary


def findings(folder: Path, name: str) -> dict[tuple[str, str], dict[str, Any]]:
    with duckdb.connect() as con:
        found = con.execute("FROM read_parquet(?)", [str(folder / "reports" / name / "findings.parquet")])
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, values, strict=True)) for values in found.fetchall()]
    return {(row["rule"], row["claim_id"]): row for row in rows}


def sheet(path: Path, name: str) -> Iterator[dict[str, Any]]:
    header, *rows = openpyxl.load_workbook(path)[name].iter_rows(values_only=True)
    yield from (dict(zip(header, row, strict=True)) for row in rows)


def decide(path: Path, into: Path, **by_claim: dict[str, Any]) -> str:
    """Fill in a workbook as a reviewer does, and save it as openpyxl does."""
    book = openpyxl.load_workbook(path)
    rows = book["Findings"]
    names = [cell.value for cell in rows[1]]
    for row in rows.iter_rows(min_row=2):
        for name, value in by_claim.get(row[names.index("claim_id")].value, {}).items():
            row[names.index(name)].value = value
    assert rows.column_dimensions[openpyxl.utils.get_column_letter(names.index("facts_hash") + 1)].hidden
    book.save(into)
    return str(into)


def test_four_runs_and_their_reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = audit(tmp_path, "a", "2026-04-01", units=3, allowed=60)
    assert first["comparison"] is None
    amounts = {claim: row["exposure_amount"] for (_, claim), row in findings(tmp_path, "a").items()}
    assert first["findings"] == len(amounts) == 3
    assert Decimal(str(first["overpayment_amount"])) == sum(amounts.values())
    workbook = decide(
        tmp_path / "reports" / "a" / "findings.xlsx",
        tmp_path / "back.xlsx",
        C1={"disposition": "Corrected", "reviewer": "MB", "reviewed_on": date(2026, 4, 2)},
        C2={"disposition": "dismissed", "reviewer": "MB", "reviewed_on": datetime(2026, 4, 2), "note": "GP on paper"},  # noqa: DTZ001
    )
    said = CliRunner().invoke(cli.cli, ["review", "import", workbook], catch_exceptions=False)
    assert said.output == "reviews.csv: 2 new decisions, 0 known already; 2 in all\n"
    assert [row["reviewed_on"] for row in kept(tmp_path / "reviews.csv")] == ["2026-04-02"] * 2

    # The same claims once more: one is silent, the corrected one is still there.
    second = audit(tmp_path, "b", "2026-04-03", units=3, allowed=60)
    assert second["findings"] == 2
    assert Decimal(str(second["overpayment_amount"])) == amounts["C1"] + amounts["C3"]
    rows = findings(tmp_path, "b")
    assert {key[1]: row["review_state"] for key, row in rows.items()} == {
        "C1": "came_back", "C2": "dismissed", "C3": "open",
    }  # fmt: skip
    assert rows[MODIFIER, "C2"]["exposure_amount"] == 0
    assert sum(row["exposure_amount"] for row in rows.values()) == Decimal(str(second["overpayment_amount"]))
    told = second["comparison"]
    counts = {
        name: told[name]["findings"] for name in ("new", "persisting", "reopened", "resolved", "dismissed", "gone")
    }
    assert counts == {"new": 0, "persisting": 2, "reopened": 0, "resolved": 0, "dismissed": 1, "gone": 0}
    assert "Since a: 2 persisting, 1 dismissed\n" in second["said"]
    book = tmp_path / "reports" / "b" / "findings.xlsx"
    assert [row["claim_id"] for row in sheet(book, "Findings")] == ["C3", "C1"]
    assert [row["decided_before"] for row in sheet(book, "Findings")] == [
        None, "corrected by MB on 2026-04-02; came back",
    ]  # fmt: skip
    assert [(row["reviewer"], row["note"]) for row in sheet(book, "Dismissed")] == [("MB", "GP on paper")]
    page = (tmp_path / "reports" / "b" / "report.html").read_text(encoding="utf-8")
    assert "GP on paper" in page
    assert second["review"]["rules"][MODIFIER] == {
        "decided": 1, "upheld": 0, "dismissed": 1, "undecided": 1, "came_back": 0, "changed": 0, "expired": 0,
        "agreement": 0.0,
    }  # fmt: skip
    coverage = {row["rule"]: row for row in kept(tmp_path / "reports" / "b" / "coverage.csv")}
    assert [coverage[MODIFIER][key] for key in ("failed", "findings", "dismissed", "agreement")] == [
        "2",
        "1",
        "1",
        "0.0",
    ]
    # The workbook of the second run, as it is: no decision is new.
    again = CliRunner().invoke(cli.cli, ["review", "import", str(book)], catch_exceptions=False)
    assert "0 new decisions, 1 known already" in again.output

    # C1 is right now; the dollars of the dismissed one changed, so it speaks again.
    third = audit(tmp_path, "c", "2026-05-03", units=1, allowed=40)
    rows = findings(tmp_path, "c")
    assert {key: row["review_state"] for key, row in rows.items() if key[0] == MODIFIER} == {
        (MODIFIER, "C2"): "changed", (MODIFIER, "C3"): "open",
    }  # fmt: skip
    assert third["comparison"]["resolved"]["findings"] == 1
    assert third["comparison"]["reopened_by_reason"] == {"changed": 1}
    old = CliRunner().invoke(cli.cli, ["review", "import", decide(
        tmp_path / "reports" / "a" / "findings.xlsx", tmp_path / "late.xlsx",
        C2={"disposition": "dismissed", "reviewer": "RH", "reviewed_on": date(2026, 5, 1), "note": "as MB says"},
    )], catch_exceptions=False)  # fmt: skip
    assert "Changed since: 1\n  late.xlsx#Findings row" in old.output

    # C1 is wrong again: what was resolved is reopened.
    fourth = audit(tmp_path, "d", "2026-06-03", units=3, allowed=40)
    told = fourth["comparison"]
    assert (told["previous"], told["reopened"]["findings"], told["new"]["findings"]) == ("c", 1, 0)
    changes = kept(tmp_path / "reports" / "d" / "compare.csv")
    assert {row["claim_id"] for row in changes if row["status"] == "reopened"} == {"C1"}
    trend = kept(tmp_path / "reports" / "d" / "trend.csv")
    assert [row["findings"] for row in trend if row["item"] == UNITS] == ["1", "1", "0", "1"]
    status = CliRunner().invoke(cli.cli, ["review", "status", "--json"], catch_exceptions=False)
    assert json.loads(status.output)["run"] == "d"
    compared = CliRunner().invoke(cli.cli, ["compare", "reports/a", "reports/b", "--json"], catch_exceptions=False)
    assert json.loads(compared.output)["dismissed"]["findings"] == 1


def test_errors_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").mkdir()
    for command, sentence in (
        (["compare", "old", "old"], "old: this is no report folder"),
        (
            ["review", "status"],
            "reviews.csv: there is no such file; `therapy-audit review import findings.xlsx` makes it.",
        ),
        (["review", "import", "none.xlsx"], "reviews: 'none.xlsx' matches no file; check the path."),
        (["review", "import", "none.xlsx", "--into", "decisions.xlsx"], "decisions.xlsx: decisions are kept as CSV"),
    ):
        fault = CliRunner().invoke(cli.cli, command).exception
        assert isinstance(fault, AuditError), command
        assert str(fault).startswith(sentence)


def test_decisions_beside_the_config_are_read_unless_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text('[inputs]\nclaims = "claims.csv"\n', encoding="utf-8")
    assert "reviews" not in config.read(tmp_path / "audit.toml").inputs
    (tmp_path / "reviews.csv").touch()
    assert config.read(tmp_path / "audit.toml").inputs["reviews"] == (str(tmp_path / "reviews.csv"),)
    (tmp_path / "audit.toml").write_text('previous = "none"\n[inputs]\nclaims = "c"\nreviews = []\n', encoding="utf-8")
    read = config.read(tmp_path / "audit.toml")
    assert (read.inputs["reviews"], read.previous) == ((), Path("none"))
