"""Two reports compared: what is resolved, what is only not looked at, what came again; totals that agree with both."""

from __future__ import annotations

import json
import shutil
import tempfile
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapy_audit import compare, engine, history
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@pytest.fixture(autouse=True)
def _no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rule of these reports is one of ours: reading ours would take most of the time."""
    monkeypatch.setattr(compare, "_rules_of", lambda _run: [])


QUARTER = ("2026-01-01", "2026-03-31")
EDITIONS = {"ncci_pair.practitioner": {"edition": "v1"}}


@cache
def _empty() -> Path:
    """Return a database with the contract's tables, made once."""
    path = Path(tempfile.mkdtemp()) / "empty.duckdb"
    with engine.connect(path) as con:
        engine.create_tables(con)
        con.execute("INSERT INTO rule_reference VALUES ('a.c', 'ncci_pair')")
    return path


def report(
    folder: Path,
    findings: Sequence[Mapping[str, Any]],
    *,
    period: tuple[str, str] = QUARTER,
    made: int = 1,
    claims: Sequence[str] | None = None,
    **basis: Any,
) -> history.Run:
    """Write a report folder with these findings (id and what is not usual of it) and what the run rested on."""
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(
        json.dumps({"period": folder.name, "period_start": period[0], "period_end": period[1], "lines_audited": 50})
    )
    manifest = {
        "generated_at": f"2026-04-{made:02}T00:00:00+00:00",
        "rules": {"a.b": "f1", "a.c": "f1"},
        "rule_errors": {},
        "settings": {},
        "reference_editions": EDITIONS,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | basis))
    shutil.copy(_empty(), folder / "audit.duckdb")
    with duckdb.connect(str(folder / "audit.duckdb"), config={"threads": 1}) as con:
        usual = {
            "rule": "a.b", "severity": "error", "direction": "overpayment", "claim_line_number": 1, "patient_id": "P",
            "service_date": "2026-02-01", "amount_at_risk": 10, "exposure_amount": 10, "message": "m", "facts": "{}",
            "reference_state": "none", "source_file": "f", "source_row": 1,
        }  # fmt: skip
        rows = [usual | {"claim_id": f"C{row['finding_id']}"} | dict(row) for row in findings]
        silent = {row["finding_id"]: row.pop("review_state", "open") for row in rows}
        for row in rows:
            con.execute(
                f"INSERT INTO finding ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
            )
        for claim in [row["claim_id"] for row in rows] if claims is None else claims:
            con.execute(
                "INSERT INTO claim_line (claim_id, claim_line_number, patient_id, service_date, hcpcs_code, modifiers,"
                " diagnosis_codes, source_file, source_row) VALUES (?, 1, 'P', '2026-02-01', '97530', [], [], 'f', 1)",
                [claim],
            )
        con.execute(
            "COPY (SELECT *, rule AS title, NULL::VARCHAR AS provider_name,"
            " map($names, $states)[finding_id] AS review_state FROM finding) TO $path (FORMAT parquet)",
            {"names": ["", *silent], "states": ["", *silent.values()], "path": str(folder / "findings.parquet")},
        )
    return history.read(folder)


def fates(folder: Path, old: Path) -> dict[str, tuple[str, str | None]]:
    """Return {finding_id: (status, reason)} of the report `folder` compared with `old`."""
    with duckdb.connect(str(folder / "audit.duckdb"), read_only=True) as con:
        earlier = history.before(folder, history.read(folder).end, history.read(folder).generated_at)
        compare.compare(con, history.read(folder), history.read(old), [run for run in earlier if run.folder != old])
        rows = con.execute("SELECT finding_id, status, reason FROM finding_change").fetchall()
    return {name: (status, reason) for name, status, reason in rows}


def fate(tmp_path: Path, old: dict[str, Any] | None, new: dict[str, Any] | None, **basis: Any) -> Any:
    """Return status and reason of one finding that the earlier, the later report or both have."""
    of_old: dict[str, Any] = {name[4:]: value for name, value in basis.items() if name.startswith("old_")}
    of_new: dict[str, Any] = {name: value for name, value in basis.items() if not name.startswith("old_")}
    of_old.setdefault("claims", ["C1"])
    of_new = {"made": 2, "claims": ["C1"], **of_new}
    report(tmp_path / "a", [{"finding_id": "1", **old}] if old is not None else [], **of_old)
    report(
        tmp_path / "b",
        [{"finding_id": "1", **new}] if new is not None else [],
        **of_new,
    )
    return fates(tmp_path / "b", tmp_path / "a").get("1")


@pytest.mark.parametrize(
    ("basis", "expected"),
    [
        ({}, ("resolved", None)),
        ({"period": ("2026-02-01", "2026-03-31")}, ("resolved", None)),
        ({"period": ("2026-02-02", "2026-03-31")}, ("gone", "out_of_period")),
        ({"period": ("2026-01-01", "2026-02-01"), "made": 2}, ("resolved", None)),
        ({"period": ("2025-01-01", "2026-01-31")}, ("gone", "out_of_period")),
        ({"claims": ["C2"]}, ("gone", "claim_not_given")),
        ({"rules": {"a.b": "f2"}}, ("gone", "rule_changed")),
        ({"rules": {}}, ("gone", "rule_changed")),
        ({"rule_errors": {"a.b": "BinderException"}}, ("gone", "rule_failed")),
        ({"settings": {"locality": "10112-00"}}, ("gone", "terms_changed")),
        ({"settings": {"as_of": "2026-04-30"}}, ("resolved", None)),
        ({"reference_editions": {"ncci_pair.practitioner": {"edition": "v2"}}}, ("resolved", None)),
    ],
)
def test_only_what_was_looked_at_is_resolved(tmp_path: Path, basis: dict[str, Any], expected: Any) -> None:
    assert fate(tmp_path, {}, None, **basis) == expected


def test_a_reference_table_concerns_the_rules_that_read_it(tmp_path: Path) -> None:
    editions = {"ncci_pair.practitioner": {"edition": "v2"}}
    assert fate(tmp_path, {"rule": "a.c"}, None, reference_editions=editions) == ("gone", "reference_changed")


@pytest.mark.parametrize(
    ("basis", "expected"),
    [
        ({}, ("new", None)),
        ({"old_period": ("2026-02-02", "2026-03-31")}, ("new", "out_of_period")),
        ({"old_claims": []}, ("new", "claim_not_given")),
        ({"rules": {"a.b": "f2"}}, ("new", "rule_changed")),
    ],
)
def test_what_is_new_says_why(tmp_path: Path, basis: dict[str, Any], expected: Any) -> None:
    assert fate(tmp_path, None, {}, **basis) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {}, ("persisting", None)),
        ({}, {"review_state": "dismissed"}, ("dismissed", None)),
        ({"review_state": "dismissed"}, {"review_state": "changed"}, ("reopened", "changed")),
        ({"review_state": "dismissed"}, {"review_state": "expired"}, ("reopened", "expired")),
        ({"review_state": "dismissed"}, {"review_state": "dismissed"}, None),
        ({"review_state": "dismissed"}, None, None),
        ({"review_state": "confirmed"}, {"review_state": "confirmed"}, ("persisting", None)),
    ],
)
def test_a_silent_finding_counts_as_not_there(tmp_path: Path, old: Any, new: Any, expected: Any) -> None:
    assert fate(tmp_path, old, new) == expected


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ({}, ("reopened", None)),
        ({"period": ("2026-03-01", "2026-03-31")}, ("persisting", "earlier_run")),  # it did not look at the day
        ({"claims": []}, ("persisting", "earlier_run")),  # it was not given the claim
    ],
)
def test_what_comes_again_was_missing_in_between(tmp_path: Path, between: dict[str, Any], expected: Any) -> None:
    report(tmp_path / "a", [{"finding_id": "1"}])
    both: dict[str, Any] = {"claims": ["C1"], "made": 2} | between
    report(tmp_path / "b", [], **both)
    report(tmp_path / "c", [{"finding_id": "1"}], made=3)
    assert fates(tmp_path / "c", tmp_path / "b")["1"] == expected


_FINDINGS = st.dictionaries(
    st.sampled_from("123456"),
    st.fixed_dictionaries(
        {
            "exposure_amount": st.integers(0, 50),
            "review_state": st.sampled_from(["open", "dismissed", "confirmed"]),
            "service_date": st.sampled_from(["2026-01-01", "2026-02-01", "2026-03-31"]),
            "facts": st.sampled_from(["{}", '{"units": 1}']),
        }
    ),
)


@settings(max_examples=5, deadline=None)
@given(old=_FINDINGS, new=_FINDINGS)
def test_totals_agree_with_both_reports(
    tmp_path_factory: pytest.TempPathFactory, old: dict[str, Any], new: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("pair")
    for rows in (old, new):  # a rule's direction does not change
        for name, row in rows.items():
            row["direction"] = ("overpayment", "underpayment", "compliance")[int(name) % 3]
    report(folder / "a", [{"finding_id": name, **row} for name, row in old.items()])
    report(folder / "b", [{"finding_id": name, **row} for name, row in new.items()], made=2)
    found = compare.folders(folder / "a", folder / "b")
    for rows, when in ((old, "before"), (new, "after")):
        for direction in ("overpayment", "underpayment"):
            told = [
                row["exposure_amount"]
                for row in rows.values()
                if row["review_state"] != "dismissed" and row["direction"] == direction
            ]
            assert sum(row[f"{direction}_{when}"] for row in found.totals) == sum(told)
    speaking = [{name for name, row in rows.items() if row["review_state"] != "dismissed"} for rows in (old, new)]
    counts = {status: found.summary()[status]["findings"] for status in compare.STATUSES}
    assert counts["persisting"] == len(speaking[0] & speaking[1])
    assert counts["new"] + counts["reopened"] == len(speaking[1] - speaking[0])
    assert counts["resolved"] + counts["gone"] + counts["dismissed"] == len(speaking[0] - speaking[1])
    changed = [name for name in speaking[0] & speaking[1] if old[name]["facts"] != new[name]["facts"]]
    assert found.summary()["changed"]["findings"] == len(changed)
    assert [row["findings"] for row in found.runs] == [len(names) for names in speaking]


def test_the_run_before_is_that_of_the_period_before(tmp_path: Path) -> None:
    for name, period, made in (
        ("jan", ("2026-01-01", "2026-01-31"), 1),
        ("mar", ("2026-03-01", "2026-03-31"), 2),
        ("feb", ("2026-02-01", "2026-02-28"), 3),
    ):
        report(tmp_path / name, [], period=period, made=made)
    (tmp_path / "else").mkdir()
    assert [run.folder.name for run in history.runs(tmp_path)] == ["jan", "feb", "mar"]
    mar = history.read(tmp_path / "mar")
    assert [run.folder.name for run in history.before(mar.folder, mar.end, "2026-05-01")] == ["jan", "feb"]


def test_lines_and_words(tmp_path: Path) -> None:
    report(tmp_path / "a", [{"finding_id": "1"}, {"finding_id": "2"}])
    report(tmp_path / "b", [{"finding_id": "2", "facts": '{"units": 2}'}], made=2, claims=["C2"])
    found = compare.folders(tmp_path / "a", tmp_path / "b")
    assert compare.in_words(found.summary()) == "1 persisting, 1 gone (claim not given)"
    assert any(line.split() == ["1", "$10.00", "$10.00", "of", "these", "changed"] for line in compare.lines(found))
    assert json.loads(compare.as_json(found))["gone"]["overpayment_before"] == float(Decimal(10))


def test_a_report_is_not_compared_with_itself_nor_without_its_database(tmp_path: Path) -> None:
    report(tmp_path / "a", [])
    with pytest.raises(AuditError, match="not compared with itself"):
        compare.folders(tmp_path / "a", tmp_path / "a")
    report(tmp_path / "b", [], made=2)
    (tmp_path / "b" / "audit.duckdb").unlink()
    with pytest.raises(AuditError, match=r"there is no audit\.duckdb in it"):
        compare.folders(tmp_path / "a", tmp_path / "b")
