"""Clinician profiles: figures, peers, benchmarks, small cells, and the report's pages of clinicians."""

from __future__ import annotations

import csv
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

import therapy_audit as ta
from casebook import Case, insert_rows, rows
from therapy_audit import benchmarks, engine, pipeline, rules
from therapy_audit.errors import AuditError
from therapy_audit.notes import store
from therapy_audit.report import tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

METRICS = {
    "activity_line_share", "activity_unit_share", "activity_over_exercise", "timed_units_per_visit",
    "minutes_per_visit", "minutes_per_unit", "kx_share", "distinct_service_share", "allowed_per_patient",
    "visits_per_episode", "patients_per_day",
}  # fmt: skip
# Twelve patients on two days each: 24 visits of 97110 x1 and 97530 x2 with 15 and 25 minutes.
STEADY = {"billed": {97110: 1, 97530: 2}, "documented": {97110: 15, 97530: 25}, "patients": 12, "repeat": 2}


def profiles(visits: list[dict[str, Any]], benchmark: Path | None = None, **given: Any) -> dict[str, dict[str, Any]]:
    """Return {clinician: {metric: row}} of a database that holds these visits; a date in `given` is the period."""
    with engine.connect() as con:
        _fill(con, visits, benchmark, **given)
        result = con.execute("SELECT * FROM clinician_profile")
        names = [column[0] for column in result.description]
        found = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    told: dict[str, dict[str, Any]] = {}
    for row in found:
        told.setdefault(row["clinician_npi"].partition("~")[2], {})[row["metric"]] = row
    return told


def _fill(con: duckdb.DuckDBPyConnection, visits: list[dict[str, Any]], benchmark: Path | None, **given: Any) -> None:
    ruleset = engine.override(rules.load(), given.get("parameters", {}), {})
    engine.prepare(con, ruleset)
    if benchmark:
        benchmarks.load(con, benchmark)
    insert_rows(con, [rows(Case("", "profiles", {"visits": visits}, "1~"))])
    engine.map_payers(con, ruleset.payer_patterns)
    engine.set_period(con, *given.get("period", (None, None)))
    store.fill(con)
    engine.build_models(con)


def by(npi: str, **given: Any) -> dict[str, Any]:
    return {**STEADY, "line": {"rendering_npi": npi}, "note": {"rendering_npi": npi}, **given}


def test_figures_of_one_clinician() -> None:
    visits = [by("a", modifiers=["GP", "KX", "59"], allowed=40)]
    found = profiles(visits)["a"]
    assert set(found) == METRICS
    parts = {name: (float(row["numerator"]), row["denominator"]) for name, row in found.items()}
    assert parts == {
        "activity_line_share": (24, 48),
        "activity_unit_share": (48, 72),
        "activity_over_exercise": (48, 72),
        "timed_units_per_visit": (72, 24),
        "minutes_per_visit": (960, 24),
        "minutes_per_unit": (960, 72),
        "kx_share": (48, 48),
        "distinct_service_share": (48, 48),
        "allowed_per_patient": (24 * 2 * 40, 12),
        "visits_per_episode": (24, 12),
        "patients_per_day": (24, 2),
    }
    assert found["minutes_per_unit"]["value"] == pytest.approx(40 / 3)


def test_only_the_period_counts_and_a_second_payer_does_not() -> None:
    visits = [
        by("a"),
        by("a", date=date(2026, 1, 5), repeat=1),
        by("a", payer="AETNA", repeat=1, documented=None, line={"rendering_npi": "a", "charge_amount": 90}),
    ]
    visits[0]["line"] = {"rendering_npi": "a", "charge_amount": 90}
    found = profiles(visits, period=(date(2026, 3, 1), date(2026, 3, 31)))["a"]
    assert found["patients_per_day"]["numerator"] == 24
    assert found["activity_line_share"]["denominator"] == 48


def test_what_is_unknown_leaves_its_figures_out() -> None:
    found = profiles([by("a", documented=None, allowed=None), by("b", billed={97110: 1, 97530: None})])
    assert set(found["a"]) == METRICS - {"minutes_per_visit", "minutes_per_unit", "allowed_per_patient"}
    assert set(found["b"]) == METRICS - {
        "activity_unit_share", "activity_over_exercise", "timed_units_per_visit", "minutes_per_unit",
        "minutes_per_visit",
    }  # fmt: skip


def crowd(number: int) -> list[dict[str, Any]]:
    """So many clinicians; the first bills 1 line of 97530 in 6 lines, the next 2, ..."""
    return [
        by(
            f"c{place}",
            billed={97530 if turn < place else 97110: 1},
            documented=None,
            date=date(2026, 3, 1 + turn),
            repeat=1,
        )
        for place in range(1, number + 1)
        for turn in range(6)
    ]


def test_peers_are_the_clinicians_of_the_discipline() -> None:
    found = profiles([*crowd(5), by("ot", discipline="OT")])
    share = {name: rows["activity_line_share"] for name, rows in found.items()}
    assert {share[f"c{place}"]["compared_with"] for place in range(1, 6)} == {"peers"}
    assert {share[f"c{place}"]["peers"] for place in range(1, 6)} == {5}
    assert [round(share[f"c{place}"]["percentile"]) for place in range(1, 6)] == [0, 25, 50, 75, 100]
    # 1/6 ... 5/6: the 20th percentile lies between the first and the second, four fifths of the way.
    assert share["c1"]["p20"] == pytest.approx((1 + 0.8) / 6)
    assert share["c1"]["p50"] == pytest.approx(3 / 6)
    assert share["c1"]["p80"] == pytest.approx((4 + 0.2) / 6)
    assert [share[f"c{place}"]["outlier"] for place in range(1, 6)] == ["low", None, None, None, "high"]
    assert share["ot"]["compared_with"] is None


def test_four_clinicians_are_no_peers_unless_set() -> None:
    share = profiles(crowd(4))["c1"]["activity_line_share"]
    assert (share["compared_with"], share["outlier"]) == (None, None)
    share = profiles(crowd(4), parameters={"clinic.profile_peers": 4})["c1"]["activity_line_share"]
    assert (share["compared_with"], share["peers"], share["outlier"]) == ("peers", 4, "low")


def test_where_all_have_the_same_nobody_stands_out() -> None:
    found = profiles([by(f"c{place}") for place in range(6)])
    assert {row["outlier"] for rows in found.values() for row in rows.values()} == {None}


# Lines of 97530 and 97110 that a clinician bills, and whether the share may be shown.
CELLS = {
    "eleven": (11, 11, False), "ten": (10, 30, True), "rest_of_ten": (30, 10, True), "all": (11, 0, False),
    "all_ten": (10, 0, True), "none": (0, 30, True), "rest_of_eleven": (30, 11, False),
}  # fmt: skip


def test_small_cells_are_blank(tmp_path: Path) -> None:
    visits = [
        by(npi, billed={code: 1}, documented=None, patients=number, repeat=1)
        for npi, (activity, exercise, _) in CELLS.items()
        for code, number in ((97530, activity), (97110, exercise))
        if number
    ]
    with engine.connect() as con:
        _fill(con, visits, None)
        tables.copy(con, "clinician_profiles", tmp_path / "profiles.csv")
    with (tmp_path / "profiles.csv").open(encoding="utf-8", newline="") as file:
        kept = [row for row in csv.DictReader(file) if row["metric"] == "activity_line_share"]
    assert len(kept) == 2 * len(CELLS)  # the period and its one month
    for row in kept:
        suppressed = CELLS[row["clinician_npi"].partition("~")[2]][2]
        assert row["suppressed"] == str(suppressed).lower(), row
        assert {row[name] == "" for name in ("value", "counted", "divided_by")} == {suppressed}


def test_dollars_are_no_count() -> None:
    found = profiles([by("a", allowed=0.25, repeat=1)])["a"]["allowed_per_patient"]
    assert (found["suppressed"], float(found["numerator"])) == (False, 6)


def test_a_benchmark_stands_in_place_of_the_peers(tmp_path: Path) -> None:
    path = tmp_path / "peers.csv"
    path.write_text("discipline,metric,p20,p50,p80\npt,activity_line_share,0.1,0.2,0.5\nPT,minutes_per_unit,14,,\n")
    other = by("b", billed={97110: 1}, documented={97110: 15}, date=date(2026, 4, 1))
    found = profiles([by("a"), other], path)
    share, minutes = found["a"]["activity_line_share"], found["a"]["minutes_per_unit"]
    assert (share["compared_with"], share["p80"], share["outlier"]) == ("benchmark", 0.5, "high")
    assert (minutes["compared_with"], minutes["outlier"]) == ("benchmark", None)
    assert found["b"]["activity_line_share"]["outlier"] == "low"
    assert found["a"]["kx_share"]["compared_with"] is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "discipline,metric,p20,p50\n",
            "the columns p80 are missing; the header must be discipline,metric,p20,p50,p80.",
        ),
        ("PTA,kx_share,0,0,1\n", "row 2: discipline 'PTA' is not one of PT, OT, SLP."),
        ("PT,kx,0,0,1\n", "row 2: metric 'kx' is not known; there are activity_line_share, "),
        ("PT,kx_share,0,0,1\nPT,kx_share,0,0,1\n", "row 3: kx_share of PT is given twice; keep one of the rows."),
        ("PT,kx_share,a,0,1\n", "row 2: p20 'a' is not a number of 0 or more, such as 0.35."),
        ("PT,kx_share,0,0,nan\n", "row 2: p80 'nan' is not a number of 0 or more, such as 0.35."),
        ("PT,kx_share,-1,0,1\n", "row 2: p20 '-1' is not a number of 0 or more, such as 0.35."),
        ("PT,kx_share,10,20,35\n", "row 2: p20 10 is no share; write 0.35 for 35 %."),
        ("PT,kx_share,,,\n", "row 2: p20, p50 and p80 are all blank; give at least one or leave the row out."),
        ("PT,kx_share,0.5,,0.4\n", "row 2: p20, p50 and p80 must not fall from one to the next."),
    ],
)
def test_a_wrong_benchmark_is_one_sentence(
    text: str, sentence: str, codes: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "peers.csv"
    path.write_text(text if text.startswith("discipline") else "discipline,metric,p20,p50,p80\n" + text)
    with pytest.raises(AuditError) as fault:
        benchmarks.load(codes, path)
    assert sentence in str(fault.value)
    assert str(fault.value).startswith("peers.csv")
    path.unlink()
    with pytest.raises(AuditError, match="there is no such benchmark file"):
        benchmarks.load(codes, path)


@pytest.fixture(scope="module")
def codes() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect() as con:
        engine.prepare_codes(con)
        yield con


@pytest.fixture(scope="module")
def audit(sample_run: pipeline.Result) -> Iterator[ta.Audit]:
    with ta.open(sample_run.folder) as opened:
        yield opened


def test_figures_of_the_samples_reckoned_anew(audit: ta.Audit) -> None:
    lines = audit.sql(
        "SELECT rendering_npi, count(*) FILTER (hcpcs_code = '97530'), count(*) FILTER (timed),"
        " count(DISTINCT (patient_id, service_date)), count(DISTINCT service_date)"
        " FROM therapy_line WHERE therapy AND NOT second_bill GROUP BY 1"
    ).fetchall()
    told = audit.sql("SELECT clinician_npi, metric, numerator, denominator FROM clinician_profile").fetchall()
    figures = {(npi, metric): (float(part), whole) for npi, metric, part, whole in told}
    for npi, activity, timed, visits, days in lines:
        assert figures.get((npi, "activity_line_share"), (0, 0)) == (activity, timed)
        assert figures[npi, "patients_per_day"] == (visits, days)


def test_files_page_and_python_tell_the_same(audit: ta.Audit) -> None:
    frame = audit.clinician_profiles()
    months = audit.clinician_profiles(by_month=True)
    with (audit.folder / "clinician_profiles.csv").open(encoding="utf-8", newline="") as file:
        kept = list(csv.DictReader(file))
    assert len(kept) == len(frame) + len(months)
    assert set(frame["metric"]) == METRICS
    blank = [row for row in kept if row["suppressed"] == "true"]
    assert blank
    assert not [row for row in blank if row["value"] or row["counted"] or row["divided_by"] or row["percentile"]]
    shown = [row for row in kept if row["suppressed"] == "false" and row["kind"] != "money"]
    assert min(float(row["counted"]) for row in shown) >= 11
    assert min(int(row["divided_by"]) for row in kept if row["divided_by"]) >= 11

    html = (audit.folder / "report.html").read_text(encoding="utf-8")
    section = html.partition('<section id="clinicians">')[2].partition("</section>")[0]
    clinicians = {row["clinician_npi"] for row in kept}
    assert set(re.findall(r'<article class="person" id="clinician-(\d+)"', section)) == clinicians
    assert section.count('<svg class="drift"') > 3
    row = frame[(frame["metric"] == "activity_line_share") & ~frame["suppressed"]].iloc[0]
    page = section.partition(f'id="clinician-{row["clinician_npi"]}"')[2].partition("</article>")[0]
    assert f"{100 * row['value']:.1f}%" in page
    assert "medicare." in page


def test_the_benchmark_of_a_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text(
        "Claim ID,Line,Patient ID,Payer,DOS,CPT,Modifiers,Units,Allowed,Rendering NPI\n"
        + "".join(f"C{number},1,P{number},CIGNA,3/2/2026,97530,GP,1,30,1234567893\n" for number in range(12))
    )
    (tmp_path / "peers.csv").write_text("discipline,metric,p20,p50,p80\nPT,activity_line_share,0.1,0.2,0.4\n")
    (tmp_path / "audit.toml").write_text(
        f'output = "{tmp_path}/out"\nbenchmarks = "peers.csv"\n[inputs]\nclaims = "claims.csv"\n'
    )
    with ta.run(tmp_path / "audit.toml") as audit:
        frame = audit.clinician_profiles()
        html = (audit.folder / "report.html").read_text(encoding="utf-8")
        manifest = (audit.folder / "manifest.json").read_text(encoding="utf-8")
    (row,) = frame[frame["metric"] == "activity_line_share"].to_dict("records")
    assert (row["value"], row["compared_with"], row["outlier"]) == (1, "benchmark", "high")
    assert "for 1 of the figures the benchmark file" in html
    assert '"file": "peers.csv"' in manifest
