"""Audit samples: what is drawn and how many, what the estimate says, and that others come to the same figures."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import comb, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openpyxl
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import therapy_audit as ta
from therapy_audit import engine, sampling
from therapy_audit.cli import cli
from therapy_audit.errors import AuditError
from therapy_audit.sampling import book, estimator, frame, lookback, pages, quantiles, simulation, sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from therapy_audit import pipeline

NOW = date(2026, 6, 1)


def audited(differences: Sequence[int], items: int, title: str = "all") -> estimator.Audited:
    """A stratum whose differences are these, in cents."""
    reported = [max(value, 0) + 100 for value in differences]
    return estimator.Audited(
        title,
        items,
        Decimal(items),
        reported,
        [paid - value for paid, value in zip(reported, differences, strict=True)],
        [value != 0 for value in differences],
    )


# Published examples.

# W. G. Cochran, Sampling Techniques, 3rd ed. (1977), §2.9: signatures on 50 of 676 sheets of a petition.
PETITION = {
    42: 23, 41: 4, 36: 1, 32: 1, 29: 1, 27: 2, 23: 1, 19: 1, 16: 2, 15: 2, 14: 1, 11: 1, 10: 1, 9: 1, 7: 1, 6: 3, 5: 2,
    4: 1, 3: 1,
}  # fmt: skip


def test_petition_of_cochran() -> None:
    sheets = [value for value, count in PETITION.items() for _ in range(count)]
    found = estimator.estimate([audited([100 * value for value in sheets], 676)])
    assert round(found.point) == 19_888
    assert found.strata[0].deviation == pytest.approx(15.13, abs=0.005)
    # The book's limits at 80 %, with 1.28.
    assert round(float(found.point) - 1.28 * found.standard_error) == pytest.approx(18_107, abs=2)
    assert round(float(found.point) + 1.28 * found.standard_error) == pytest.approx(21_669, abs=2)
    assert found.degrees == 49


def test_sixty_four_cities_of_cochran() -> None:
    """Sampling Techniques, ch. 5: 16 large and 48 other cities, variances 53,843 and 5,581, 24 of 64 sampled."""
    cities, deviations = [16, 48], [sqrt(53_843), sqrt(5_581)]
    proportional = sizes.allocate(cities, [16.0, 48.0], 24)
    assert proportional == [6, 18]
    assert sizes.standard_error(cities, proportional, deviations) ** 2 == pytest.approx(1_882_293, abs=1)
    neyman = sizes.allocate(cities, [count * value for count, value in zip(cities, deviations, strict=True)], 24)
    assert neyman == [12, 12]
    assert sizes.standard_error(cities, neyman, deviations) ** 2 == pytest.approx(1_090_827, abs=1)
    assert sizes.standard_error([64], [24], [sqrt(52_448)]) ** 2 == pytest.approx(5_594_453, abs=1)


def test_bands_of_the_loans_of_cochran() -> None:
    """Sampling Techniques, §5A.7: 13,435 banks by their share of industrial loans, in classes of 5 %; five bands."""
    banks = [
        3464, 2516, 2157, 1581, 1142, 746, 512, 376, 265, 207, 126, 107, 82, 50, 39, 25, 16, 19, 2, 3,
    ]  # fmt: skip
    assert sum(banks) == 13_435
    assert [5 * (place + 1) for place in sizes.bands(banks, 5)] == [5, 15, 25, 45]


def test_a_survey_package_agrees() -> None:
    svy = pytest.importorskip("svy")
    polars = pytest.importorskip("polars")
    random = np.random.default_rng(3)
    strata = [
        audited([int(value) for value in random.choice([0, 0, 0, 500, 1250, -300], count)], items, title)
        for title, items, count in (("a", 120, 31), ("b", 900, 45), ("c", 40, 9))
    ]
    rows = [
        {
            "stratum": item.title,
            "items": item.items,
            "weight": item.items / len(item.reported),
            "d": (paid - right) / 100,
        }
        for item in strata
        for paid, right in zip(item.reported, item.correct, strict=True)
    ]
    design = svy.Design(stratum="stratum", wgt="weight", pop_size="items")
    theirs = svy.Sample(polars.DataFrame(rows), design).estimation.total("d").estimates[0]
    ours = estimator.estimate(strata)
    assert float(ours.point) == pytest.approx(theirs.est, abs=0.005)
    assert ours.standard_error == pytest.approx(theirs.se, rel=1e-9)


def test_limits_by_hand() -> None:
    """RAT-STATS' unrestricted variable appraisal: N d, N s/sqrt(n) sqrt((N-n)/N), t with n - 1; t tables at 29."""
    differences = [0] * 20 + [1000] * 6 + [2500] * 3 + [-400]
    found = estimator.estimate([audited(differences, 300)])
    dollars = np.array(differences) / 100
    error = 300 * dollars.std(ddof=1) / sqrt(30) * sqrt(270 / 300)
    assert found.point == Decimal("1310.00")
    assert found.standard_error == pytest.approx(error)
    assert found.two_sided_t == pytest.approx(1.699, abs=0.0005)
    assert found.one_sided_t == pytest.approx(1.311, abs=0.0005)
    assert float(found.lower_two_sided) == pytest.approx(1310 - 1.699127 * error, abs=0.01)
    assert float(found.upper_two_sided) == pytest.approx(1310 + 1.699127 * error, abs=0.01)
    assert float(found.lower_one_sided) == pytest.approx(1310 - 1.311434 * error, abs=0.01)
    assert found.lower_two_sided < found.lower_one_sided < found.point
    assert (found.overpayments, found.underpayments) == (Decimal("135.00"), Decimal("4.00"))
    assert found.overpayments_projected - found.underpayments_projected == found.point
    normal = estimator.estimate([audited(differences, 300)], "normal")
    assert (normal.two_sided_t, normal.one_sided_t) == pytest.approx((1.644854, 1.281552), abs=1e-6)


def test_a_lower_limit_below_zero_is_zero() -> None:
    found = estimator.estimate([audited([0] * 29 + [900], 300)])
    assert found.raw_lower_two_sided < 0 == found.lower_two_sided
    assert found.point == Decimal("90.00")


def chance(items: int, wrong: int, sampled: int, errors: int) -> Fraction:
    if errors > wrong or sampled - errors > items - wrong:
        return Fraction(0)
    return Fraction(comb(wrong, errors) * comb(items - wrong, sampled - errors), comb(items, sampled))


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_limits_of_items_in_error_are_the_exact_ones(data: st.DataObject) -> None:
    items = data.draw(st.integers(2, 60))
    sampled = data.draw(st.integers(1, items))
    errors = data.draw(st.integers(0, sampled))
    tail = Fraction(5, 100)
    fitting = [
        wrong
        for wrong in range(errors, items - sampled + errors + 1)
        if sum(chance(items, wrong, sampled, seen) for seen in range(errors, sampled + 1)) > tail
        and sum(chance(items, wrong, sampled, seen) for seen in range(errors + 1)) > tail
    ]
    assert estimator.error_limits(items, sampled, errors) == (fitting[0], fitting[-1])


# Properties of the estimator.

cents = st.integers(-50_000, 200_000)


@settings(deadline=None)
@given(st.lists(st.lists(cents, min_size=1, max_size=30), min_size=1, max_size=5))
def test_a_census_gives_the_exact_total_and_no_width(strata: list[list[int]]) -> None:
    found = estimator.estimate([audited(values, len(values), str(place)) for place, values in enumerate(strata)])
    assert found.point == Decimal(sum(map(sum, strata))).scaleb(-2)
    assert found.standard_error == 0
    assert found.upper_two_sided == found.point
    assert found.raw_lower_two_sided == found.raw_lower_one_sided == found.point
    assert found.error_limits == (found.errors, found.errors)


def test_the_estimator_is_unbiased_over_all_samples() -> None:
    from itertools import combinations

    population = [0, 0, 0, 1200, -300, 4500]
    points = [estimator.estimate([audited(list(chosen), 6)]).point for chosen in combinations(population, 3)]
    assert sum(points) / len(points) == Decimal(sum(population)).scaleb(-2)


def test_a_stratum_looked_at_as_a_whole_adds_no_width() -> None:
    part = audited([0, 0, 500, 1000], 40, "a")
    alone = estimator.estimate([part])
    both = estimator.estimate([part, audited([100, 4900], 2, "b"), audited([5000], 1, "c")])
    assert both.standard_error == alone.standard_error
    assert both.degrees == alone.degrees == 3
    assert both.point == alone.point + 100


# Sizes.


@settings(deadline=None)
@given(st.data())
def test_sizes_add_up_and_fit(data: st.DataObject) -> None:
    items = data.draw(st.lists(st.integers(1, 500), min_size=1, max_size=12))
    weights = data.draw(st.lists(st.floats(0, 1e6), min_size=len(items), max_size=len(items)))
    least = [min(2, count) for count in items]
    size = data.draw(st.integers(sum(least), sum(items)))
    taken = sizes.allocate(items, weights, size)
    assert sum(taken) == size
    assert all(low <= count <= high for low, count, high in zip(least, taken, items, strict=True))


def test_a_size_too_small_or_too_large_says_so() -> None:
    with pytest.raises(AuditError, match="cannot hold 2 items of each of the 3 strata; give --size 6 or more"):
        sizes.allocate([10, 10, 10], [1.0, 1.0, 1.0], 5)
    with pytest.raises(AuditError, match="has 30 items; a sample of 31 cannot be drawn"):
        sizes.allocate([10, 10, 10], [1.0, 1.0, 1.0], 31)


def test_the_size_of_a_precision_is_the_smallest() -> None:
    size = sizes.size_for([5000], [5000.0], [40.0], 20_000)
    assert sizes.half_width([5000], [size], [40.0]) <= 20_000 < sizes.half_width([5000], [size - 1], [40.0])
    # n0 = (z N s / E)², n = n0 / (1 + n0/N), but for t in place of z.
    first = (1.645 * 5000 * 40 / 20_000) ** 2
    assert size == pytest.approx(first / (1 + first / 5000), abs=3)
    assert sizes.size_for([5000], [5000.0], [0.01], 20_000) == sizes.PROBE


def test_what_is_no_precision_or_stratum() -> None:
    assert sampling.precision("25%") == (None, Decimal("0.25"))
    assert sampling.precision("$5,000") == (Decimal(5000), None)
    for wrong in ("", "0", "-3%", "much", "nan"):
        with pytest.raises(AuditError, match="is not understood"):
            sampling.precision(wrong)
    assert frame.parse_strata("payer, amount:5") == [("payer", 0), ("amount", 5)]
    for wrong in ("patient", "payer,payer", "payer:3"):
        with pytest.raises(AuditError, match="are not understood"):
            frame.parse_strata(wrong)
    for wrong in ("amount:1", "amount:x", "amount:21"):
        with pytest.raises(AuditError, match="is not a number of bands"):
            frame.parse_strata(wrong)


# Drawing.


def frame_of(con: duckdb.DuckDBPyConnection, rows: Sequence[tuple[str, Decimal]]) -> None:
    con.execute(
        "CREATE OR REPLACE TEMP TABLE given (place INTEGER, item_key VARCHAR, payer VARCHAR, amount DECIMAL(12, 2))"
    )
    con.executemany(
        "INSERT INTO given VALUES (?, ?, ?, ?)",
        [(place, key, f"P{len(key) % 3}", amount) for place, (key, amount) in enumerate(rows)],
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE sample_frame AS SELECT row_number() OVER (ORDER BY item_key) AS item_number,"
        " item_key, payer, amount, 0.00::DECIMAL(12, 2) AS amount_at_risk, NULL AS left_out FROM given ORDER BY place"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE frame_line AS"
        " SELECT item_key, '97530 x1' AS code, 'C1' AS claim_id, place AS claim_line_number FROM given"
    )


keys = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8),
    st.decimals(Decimal("0.01"), Decimal(5000), places=2),
    min_size=8,
    max_size=40,
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(keys, st.randoms(use_true_random=False), st.integers(0, 2**32), st.sampled_from([1, 4]))
def test_the_same_seed_draws_the_same_items_in_any_order(
    rows: dict[str, Decimal], shuffled: Any, seed: int, threads: int
) -> None:
    listed = list(rows.items())
    found = []
    for number in (1, threads):
        with engine.connect(threads=number) as con:
            frame_of(con, listed)
            bands = frame.stratify(con, [("payer", 0), ("amount", 3)])
            strata = frame.strata_of(con)
            taken = [min(item.items, 2) for item in strata]
            frame.draw(con, seed, strata, taken)
            drawn = con.execute("SELECT stratum, item_key, item_number FROM sample_item ORDER BY ALL").fetchall()
            found.append((bands, strata, drawn))
            # Strata hold every item, and every dollar, once.
            assert sum(item.items for item in strata) == len(rows)
            assert sum(item.amount for item in strata) == sum(rows.values())
            assert len(drawn) == sum(taken)
        shuffled.shuffle(listed)
    assert found[0] == found[1]
    # The algorithm as it is documented, without a database.
    stratum_of = {key: stratum for stratum, key, _ in found[0][2]}
    for item in found[0][1]:
        chosen = {key for key, stratum in stratum_of.items() if stratum == item.title}
        assert len(chosen) == min(item.items, 2)


def test_the_order_is_that_of_sha_256() -> None:
    named = [f"claim:{number:04}" for number in range(200)]
    with engine.connect() as con:
        frame_of(con, [(key, Decimal(1)) for key in named])
        frame.stratify(con, [])
        frame.draw(con, 77, frame.strata_of(con), [15])
        drawn = con.execute("SELECT item_key FROM sample_item ORDER BY draw_order").fetchall()
    by_hash = sorted(named, key=lambda key: hashlib.sha256(f"77|{key}".encode()).hexdigest())
    assert [key for (key,) in drawn] == by_hash[:15]


def test_bands_begin_at_cents() -> None:
    with engine.connect() as con:
        frame_of(con, [(f"k{place}", Decimal(place * place) / 100 + 1) for place in range(300)])
        bands = frame.stratify(con, [("amount", 4)])
        wrong = con.execute(
            "SELECT count(*) FROM sample_frame WHERE NOT (amount >= $start AND amount < $end)"
            " AND starts_with(stratum, '2:')"
            " OR (amount >= $start AND amount < $end) AND NOT starts_with(stratum, '2:')",
            {"start": bands[1].start, "end": bands[1].end},
        ).fetchall()
    assert len(bands) == 4
    assert wrong == [(0,)]
    assert bands[0].start == 1
    assert [band.end for band in bands[:-1]] == [band.start for band in bands[1:]]
    assert bands[-1].end is None


# Commands, on the audit of the samples.


def run(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(item) for item in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture(scope="module")
def drawn(sample_run: pipeline.Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stratified sample of claims."""
    folder = tmp_path_factory.mktemp("drawn") / "sample"
    run("sample", sample_run.folder, "--size", 60, "--strata", "discipline,amount:3", "--seed", 11, "--out", folder)
    return folder


def reviewed(source: Path, target: Path, decide: Any) -> Path:
    """Fill in the workbook: decide(row number, amount) returns the cells to set."""
    book_ = openpyxl.load_workbook(source)
    sheet = book_["Sample"]
    place = {cell.value: cell.column for cell in sheet[1]}
    for row in range(2, sheet.max_row + 1):
        for name, value in decide(row, sheet.cell(row, place["amount"]).value).items():
            sheet.cell(row, place[name]).value = value
    book_.save(target)
    return target


def every_fifth_wrong(row: int, amount: float) -> dict[str, Any]:
    if row % 5 == 0:
        half = round(amount / 2, 2)
        return {"decision": "error", "correct_amount": half, "reason": "-wrong", "reviewed_on": date(2026, 5, 4)}
    if row == 3:
        return {"decision": "Error", "correct_amount": amount + 10}
    return {"decision": "correct"}


def test_the_page_lets_someone_else_draw_the_same(drawn: Path) -> None:
    design = json.loads((drawn / "design.json").read_text(encoding="utf-8"))
    text = (drawn / "method.html").read_text(encoding="utf-8")
    assert design["frame_sha256"] == hashlib.sha256((drawn / "frame.csv").read_bytes()).hexdigest()
    assert design["frame_sha256"] in text
    assert "<script" not in text
    assert "default-src 'none'" in text
    import html

    program = html.unescape(text.partition("<pre><code>")[2].partition("</code>")[0])
    assert program.strip() == pages.redraw_code(design).strip()
    printed, here = io.StringIO(), Path.cwd()
    os.chdir(drawn)
    try:
        with contextlib.redirect_stdout(printed):
            exec(program, {})  # noqa: S102 - what the page tells its reader to run
    finally:
        os.chdir(here)
    _, items = book.read(drawn / "sample.xlsx")
    assert sorted(printed.getvalue().splitlines()) == sorted(f"{item.item_number} {item.item_key}" for item in items)
    assert not any(item.item_key.partition(":")[2] in text for item in items)
    assert (drawn / "frame.csv").stat().st_mode & 0o077 == 0


def test_the_same_seed_gives_the_same_files(drawn: Path, sample_run: pipeline.Result, tmp_path: Path) -> None:
    again = tmp_path / "again"
    run("sample", sample_run.folder, "--size", 60, "--strata", "discipline,amount:3", "--seed", 11, "--out", again)
    for name in ("frame.csv", "sample.xlsx", "method.html", "design.json"):
        assert (again / name).read_bytes() == (drawn / name).read_bytes()
    other = tmp_path / "other"
    run("sample", sample_run.folder, "--size", 60, "--strata", "discipline,amount:3", "--seed", 12, "--out", other)
    assert (other / "frame.csv").read_bytes() == (drawn / "frame.csv").read_bytes()
    assert {item.item_key for item in book.read(other / "sample.xlsx")[1]} != {
        item.item_key for item in book.read(drawn / "sample.xlsx")[1]
    }


@pytest.mark.parametrize("name", ["claims", "lines", "visits"])
def test_a_frame_holds_each_line_once(sample_run: pipeline.Result, name: str) -> None:
    with ta.open(sample_run.folder) as audit:
        con = audit.con
        left = frame.build(con, frame.Asked(name))
        frame.stratify(con, [])
        (found,) = con.execute(
            "SELECT sum(lines), sum(amount), count(*), count(DISTINCT item_key) FROM sample_frame"
        ).fetchall()
        (whole,) = con.execute(
            "SELECT count(*), sum(line_payment.paid_amount) FROM therapy_line"
            " INNER JOIN line_payment USING (line_id), audit_period"
            " WHERE therapy_line.service_date BETWEEN period_start AND period_end"
        ).fetchall()
    # What was denied, or not answered, has no dollars to sample.
    assert {item["reason"] for item in left} == {"amount not known", "amount of 0 or less"}
    assert found[1] == whole[1]
    assert found[0] < whole[0]
    if name == "lines":
        assert found[0] + sum(item["items"] for item in left) == whole[0]
    assert found[2] == found[3]


def test_a_frame_confined_to_a_plan_and_a_rule(sample_run: pipeline.Result) -> None:
    with ta.open(sample_run.folder) as audit:
        left = frame.build(audit.con, frame.Asked("lines", plans=("medicare_part_b",), rules=("medicare.kx_missing",)))
        plans = audit.con.execute("SELECT DISTINCT plan FROM sample_frame").fetchall()
        items = audit.con.execute("SELECT count(*) FROM sample_frame").fetchall()
        hit = audit.con.execute("SELECT count(*) FROM finding WHERE rule = 'medicare.kx_missing'").fetchall()
        with pytest.raises(AuditError, match="There is no plan 'medicare' in this audit; there are aetna"):
            frame.build(audit.con, frame.Asked("lines", plans=("medicare",)))
    reasons = {item["reason"] for item in left}
    assert "no finding of the rules asked for" in reasons <= {
        "no finding of the rules asked for", "amount not known", "amount of 0 or less",
    }  # fmt: skip
    assert plans == [("medicare_part_b",)]
    assert 0 < items[0][0] <= hit[0][0]


def test_what_is_left_out_of_a_frame() -> None:
    """C1 paid, C2 in part not known, C3 taken back, C4 denied, C5 of another period; V1 has two claims on one day."""
    lines = [
        # claim, line, patient, date, discipline, exported, remitted, at risk
        ("C1", 1, "P1", "2026-01-05", "PT", 30, 25, 40),
        ("C1", 2, "P1", "2026-01-05", "PT", 10, 10, 0),
        ("C2", 1, "P1", "2026-01-05", "PT", None, None, 0),
        ("C2", 2, "P1", "2026-01-05", "OT", 10, None, 0),
        ("C3", 1, "P2", "2026-01-06", "PT", 30, 0, 0),
        ("C4", 1, "P3", "2026-01-07", "PT", 0, None, 5),
        ("C5", 1, "P3", "2026-04-01", "PT", 30, 30, 0),
    ]
    with engine.connect() as con:
        con.execute(
            "CREATE TABLE therapy_line AS SELECT row_number() OVER () AS line_id, * FROM (VALUES "
            + ", ".join(
                f"('{claim}', {number}, '{patient}', DATE '{day}', '{discipline}',"
                f" {exported or 0}::DECIMAL(12, 2), 'MEDICARE', 'medicare_part_b', '97530', 2, '1990010005')"
                for claim, number, patient, day, discipline, exported, _, _ in lines
            )
            + ") AS line (claim_id, claim_line_number, patient_id, service_date, discipline, allowed_amount, payer,"
            " plan, hcpcs_code, units, rendering_npi)"
        )
        con.execute(
            "CREATE TABLE claim_line (claim_id VARCHAR, claim_version INT, claim_line_number INT,"
            " paid_amount DECIMAL(12, 2))"
        )
        con.executemany("INSERT INTO claim_line VALUES (?, 2, ?, ?)", [(row[0], row[1], row[5]) for row in lines])
        con.execute("INSERT INTO claim_line SELECT claim_id, 1, claim_line_number, 99 FROM claim_line")
        con.execute(
            "CREATE TABLE claim_history AS SELECT DISTINCT claim_id, claim_version,"
            " if(claim_version = 2, 'current', 'replaced') AS state FROM claim_line"
        )
        con.execute(
            "CREATE TABLE line_payment (line_id BIGINT, adjudications INT, paid_amount DECIMAL(12, 2),"
            " last_paid_date DATE)"
        )
        con.executemany(
            "INSERT INTO line_payment SELECT line_id, if(?::INT IS NULL, 0, 1), ?, NULL FROM therapy_line"
            " WHERE claim_id = ? AND claim_line_number = ?",
            [(row[6], row[6], row[0], row[1]) for row in lines],
        )
        con.execute(
            "CREATE TABLE finding_line (finding_id VARCHAR, claim_id VARCHAR, claim_line_number INT,"
            " exposure_amount DECIMAL(12, 2))"
        )
        con.executemany(
            "INSERT INTO finding_line VALUES (?, ?, ?, ?)",
            [(row[0], row[0], row[1], row[7]) for row in lines if row[7]],
        )
        # The same dollars under another finding count 0 there; an underpayment is no risk.
        con.execute("INSERT INTO finding_line SELECT 'again', claim_id, claim_line_number, 0 FROM finding_line")
        con.execute("INSERT INTO finding_line VALUES ('less', 'C1', 2, 7)")
        con.execute(
            "CREATE TABLE finding AS SELECT DISTINCT finding_id, claim_id, claim_line_number, 'r' AS rule,"
            " if(finding_id = 'less', 'underpayment', 'overpayment') AS direction FROM finding_line"
            " QUALIFY row_number() OVER (PARTITION BY finding_id ORDER BY claim_id) = 1"
        )
        con.execute("CREATE TABLE rule AS SELECT 'r' AS rule")
        con.execute(
            "CREATE TABLE audit_period AS SELECT DATE '2026-01-01' AS period_start, DATE '2026-03-31' AS period_end"
        )
        query = (
            "SELECT item_number, item_key, amount, amount_at_risk, discipline FROM sample_frame ORDER BY item_number"
        )
        left = frame.build(con, frame.Asked("claims"))
        assert {item["reason"]: item["items"] for item in left} == {"amount not known": 1, "amount of 0 or less": 2}
        # No more is at risk than was paid.
        assert con.execute(query).fetchall() == [(1, "claim:C1", Decimal(35), Decimal(35), "PT")]
        left = frame.build(con, frame.Asked("lines"))
        assert {item["reason"]: item["items"] for item in left} == {"amount not known": 1, "amount of 0 or less": 2}
        assert con.execute(query).fetchall() == [
            (1, "line:C1|1", Decimal(25), Decimal(25), "PT"),
            (2, "line:C1|2", Decimal(10), Decimal(0), "PT"),
            (3, "line:C2|2", Decimal(10), Decimal(0), "OT"),
        ]
        left = frame.build(con, frame.Asked("visits"))
        assert {item["reason"]: item["items"] for item in left} == {"amount not known": 1, "amount of 0 or less": 2}
        assert con.execute(query).fetchall() == [
            (1, "visit:P1|2026-01-05|OT|medicare_part_b", Decimal(10), Decimal(0), "OT"),
        ]
        left = frame.build(con, frame.Asked("claims", amount="allowed"))
        assert {item["reason"]: item["items"] for item in left} == {"amount of 0 or less": 1}
        con.execute("DELETE FROM line_payment")
        con.execute("UPDATE claim_line SET paid_amount = NULL")
        with pytest.raises(AuditError, match=r"frame is empty \(4 left out: amount not known\). --amount allowed"):
            frame.build(con, frame.Asked("claims"))


def test_estimate_and_its_workpaper(drawn: Path, tmp_path: Path) -> None:
    filled = reviewed(drawn / "sample.xlsx", tmp_path / "filled.xlsx", every_fifth_wrong)
    told = json.loads(run("estimate", filled, "--as-of", NOW, "--json"))
    design, items = book.read(filled)
    by_hand = 0.0
    for stratum in design["strata"]:
        here = [item for item in items if item.stratum == stratum["title"]]
        assert len(here) == stratum["sampled"]
        by_hand += stratum["items"] * sum(item.amount - (item.correct or 0) for item in here) / len(here) / 100
    assert told["point_estimate"] == pytest.approx(by_hand, abs=0.01)
    assert told["items_in_error"]["sample"] == sum(item.decision == "error" for item in items)
    assert told["underpayments"]["sample"] == 10
    assert told["two_sided_90"]["lower"] < told["one_sided_90"]["lower"] < told["point_estimate"]
    assert [item["amount"] for item in told["demanded"]] == [
        told["two_sided_90"]["lower"], told["one_sided_90"]["lower"], told["point_estimate"],
    ]  # fmt: skip
    page = (tmp_path / "workpaper.html").read_text(encoding="utf-8")
    assert sampling.usd(told["point_estimate"]) in page
    assert sampling.usd(told["one_sided_90"]["lower"]) in page
    assert "<script" not in page
    book_ = openpyxl.load_workbook(tmp_path / "workpaper.xlsx")
    cached = openpyxl.load_workbook(tmp_path / "workpaper.xlsx", data_only=True)
    figures = {row[0]: row[1] for row in cached["Estimate"].iter_rows(min_row=2, values_only=True)}
    assert figures["Point estimate"] == told["point_estimate"]
    assert figures["Two-sided 90 %, lower limit"] == told["two_sided_90"]["lower"]
    assert book_["Estimate"]["B6"].value.startswith("=")
    # No text of the reviewer's is a formula.
    reasons = [row[8] for row in book_["Items"].iter_rows(min_row=2, values_only=True) if row[8]]
    assert reasons
    assert set(reasons) == {"'-wrong"}
    lines = run("estimate", filled, "--as-of", NOW)
    assert "Two-sided 90 %: $" in lines
    assert "Workpaper:" in lines


def test_undecided_items_are_refused_or_counted(drawn: Path, tmp_path: Path) -> None:
    def all_but_two(row: int, amount: float) -> dict[str, Any]:
        return {} if row in (7, 9) else every_fifth_wrong(row, amount)

    filled = reviewed(drawn / "sample.xlsx", tmp_path / "filled.xlsx", all_but_two)
    with pytest.raises(AuditError, match=r"2 of 60 items have no decision \(rows 7, 9 of sheet Sample\)"):
        sampling.estimate(filled, as_of=NOW)
    right = sampling.estimate(filled, as_of=NOW, undecided="correct").result
    wrong = sampling.estimate(filled, as_of=NOW, undecided="error").result
    assert wrong.errors == right.errors + 2
    whole = [item.amount for item in book.read(filled)[1] if item.row in (7, 9)]
    assert wrong.overpayments - right.overpayments == Decimal(sum(whole)).scaleb(-2)


FAULTS = {
    "decision is neither correct nor error": {"decision": "maybe"},
    "there is a correct_amount and no decision": {"decision": None, "correct_amount": 5},
    "correct_amount is below 0": {"decision": "error", "correct_amount": -1},
    "correct_amount differs from amount": {"decision": "correct", "correct_amount": 1.23},
    "error without a correct_amount": {"decision": "error", "correct_amount": None},
    "correct_amount is no amount": {"decision": "error", "correct_amount": "half"},
    "correct_amount is not in whole cents": {"decision": "error", "correct_amount": 1.005},
    "reviewed_on is no date": {"decision": "correct", "reviewed_on": "yesterday"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_cell_that_cannot_be_read_is_named_by_its_row(drawn: Path, tmp_path: Path, fault: str) -> None:
    filled = reviewed(
        drawn / "sample.xlsx",
        tmp_path / "filled.xlsx",
        lambda row, amount: FAULTS[fault] if row == 4 else every_fifth_wrong(row, amount),
    )
    with pytest.raises(AuditError, match=rf"^[^\n]*row 4 of sheet Sample: [^\n]*{fault}[^\n]*$"):
        sampling.estimate(filled, as_of=NOW)


def test_items_may_be_sorted_but_not_changed(drawn: Path, tmp_path: Path) -> None:
    filled = reviewed(drawn / "sample.xlsx", tmp_path / "filled.xlsx", every_fifth_wrong)
    point = sampling.estimate(filled, as_of=NOW).result.point

    def changed(name: str, change: Any) -> Path:
        book_ = openpyxl.load_workbook(filled)
        change(book_["Sample"])
        book_.save(tmp_path / name)
        return tmp_path / name

    def turned(sheet: Any) -> None:
        rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        for place, values in enumerate(reversed(rows), start=2):
            for column, value in enumerate(values, start=1):
                sheet.cell(place, column).value = value

    assert sampling.estimate(changed("turned.xlsx", turned), as_of=NOW).result.point == point
    with pytest.raises(AuditError, match="has 59 items where 60 were drawn"):
        sampling.estimate(changed("fewer.xlsx", lambda sheet: sheet.delete_rows(5)), as_of=NOW)
    amount = next(cell.column for cell in openpyxl.load_workbook(filled)["Sample"][1] if cell.value == "amount")

    def dearer(sheet: Any) -> None:
        sheet.cell(2, amount).value += 1

    with pytest.raises(AuditError, match="are not as they were drawn"):
        sampling.estimate(changed("dearer.xlsx", dearer), as_of=NOW)
    with pytest.raises(AuditError, match="there is no such file"):
        sampling.estimate(tmp_path / "none.xlsx", as_of=NOW)
    (tmp_path / "text.xlsx").write_text("no workbook", encoding="utf-8")
    with pytest.raises(AuditError, match="cannot be read as a workbook"):
        sampling.estimate(tmp_path / "text.xlsx", as_of=NOW)


def test_a_probe_tells_the_size_and_its_decisions_are_kept(sample_run: pipeline.Result, tmp_path: Path) -> None:
    run("sample", sample_run.folder, "--size", 30, "--seed", 5, "--out", tmp_path / "probe")
    probe = reviewed(tmp_path / "probe" / "sample.xlsx", tmp_path / "probe.xlsx", every_fifth_wrong)
    told = run(
        *("sample", sample_run.folder, "--precision", "60%", "--seed", 5, "--probe", probe, "--out", tmp_path / "full"),
    )
    assert "Decisions of the probe taken over: 30" in told
    design, items = book.read(tmp_path / "full" / "sample.xlsx")
    result = sampling.estimate(probe, as_of=NOW).result
    reach = sizes.half_width([design["items"]], [design["size"]], [result.strata[0].deviation])
    assert reach <= 0.6 * float(result.point)
    before = {item.item_key: (item.decision, item.correct) for item in book.read(probe)[1]}
    after = {item.item_key: (item.decision, item.correct) for item in items if item.decision}
    assert after == before


def test_a_precision_without_a_probe_rests_on_the_findings(sample_run: pipeline.Result, tmp_path: Path) -> None:
    given = ("--precision", "50%", "--strata", "discipline,amount:3", "--allocation", "neyman", "--seed", 1)
    told = run("sample", sample_run.folder, *given, "--out", tmp_path / "one")
    assert "is expected to reach 50 % of the expected total" in told
    design = json.loads((tmp_path / "one" / "design.json").read_text(encoding="utf-8"))
    strata = design["strata"]
    reach = sizes.half_width(
        [item["items"] for item in strata],
        [item["sampled"] for item in strata],
        [item["deviation_at_risk"] for item in strata],
    )
    target = 0.5 * sum(float(item["amount_at_risk"]) for item in strata)
    assert 0.9 * target < reach <= target
    # Neyman: a larger share of what varies more.
    shares = {item["title"]: item["sampled"] / item["items"] for item in strata if item["title"].startswith("PT")}
    spread = {item["title"]: item["deviation"] for item in strata if item["title"].startswith("PT")}
    assert max(shares, key=lambda title: shares[title]) == max(spread, key=lambda title: spread[title])


def test_what_a_user_may_do_wrong(sample_run: pipeline.Result, drawn: Path, tmp_path: Path) -> None:
    plan = sampling.Plan(frame.Asked("claims"), size=10, seed=1)
    with pytest.raises(AuditError, match="something in it already; name a new folder with --out"):
        sampling.sample(sample_run.folder, drawn, plan)
    with pytest.raises(AuditError, match="Give either --size or --precision"):
        sampling.sample(sample_run.folder, tmp_path / "new", sampling.Plan(frame.Asked("claims")))
    assert not (tmp_path / "new").exists()
    with pytest.raises(AuditError, match="no report in reports/"):
        sampling.newest_run(tmp_path)
    with pytest.raises(AuditError, match="no sample workbook"):
        sampling.estimate(sample_run.folder / "findings.xlsx", as_of=NOW)


# The workbook, there and back.

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=12)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(words, st.sampled_from(["", "=1+1", "+", "-2", "@x"]), st.integers(1, 10**9), st.integers(0, 10**9)),
        min_size=1,
        max_size=15,
        unique_by=lambda row: row[0],
    )
)
def test_a_workbook_comes_back_as_it_was_written(rows: list[tuple[str, str, int, int]], tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [
        {
            **dict.fromkeys(book.ITEM_COLUMNS),
            "item_number": place,
            "draw_order": place,
            "stratum": prefix + word,
            "amount": Decimal(amount).scaleb(-2),
            "plan": "aetna",
            "codes": prefix,
            "lines": 1,
            "service_date_from": date(2026, 1, 1) + timedelta(days=place),
            "item_key": f"claim:{word}",
        }
        for place, (word, prefix, amount, _) in enumerate(rows, start=1)
    ]
    design: dict[str, Any] = {
        "frame": "claims", "items": len(rows), "size": len(rows), "seed": 1, "amount_title": "paid",
        "strata": [{"title": item["stratum"], "items": 1, "amount": "1.00", "sampled": 1} for item in items],
        "sample_sha256": book.checksum(
            [(item["item_number"], item["item_key"], item["stratum"], int(100 * item["amount"])) for item in items]
        ),
    }  # fmt: skip
    decided = {
        f"claim:{word}": book.Item(
            0, 0, "", "", amount, "", "error", correct, prefix + word, prefix + word, NOW, None, None, None, None
        )
        for word, prefix, amount, correct in rows
    }
    book.write(tmp_path / "sample.xlsx", design, items, decided)
    again, found = book.read(tmp_path / "sample.xlsx")
    assert again == design
    for item, (word, prefix, amount, correct) in zip(found, rows, strict=True):
        assert (item.amount, item.correct, item.decision) == (amount, correct, "error")
        assert item.item_key == f"claim:{word}"
        assert item.reviewed_on == NOW
        assert item.reason == (book.neutral(prefix + word).strip() or None)
    formulas = [
        cell.value
        for sheet in openpyxl.load_workbook(tmp_path / "sample.xlsx")
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    ]
    assert all(str(text).startswith("=IF(") for text in formulas)
    assert len(formulas) == len(rows)


# Lookback and clocks.

TERMS = {
    "lookback_years": [(date(2016, 3, 14), date(2026, 12, 31), 6)],
    "return_days": [(date(2010, 3, 23), date(2026, 12, 31), 60)],
    "investigation_days": [(date(2025, 1, 1), date(2026, 12, 31), 180)],
}


def clock(
    identified: date | None = date(2026, 3, 2),
    received: date | None = date(2025, 6, 1),
    service: date | None = date(2025, 5, 1),
    plan: str = "medicare_part_b",
    investigation: lookback.Investigation | None = None,
) -> lookback.Clock:
    item = lookback.Confirmed("row 2", plan, Decimal(10), service, received, identified)
    return lookback.clocks([item], investigation, TERMS)[0]


def test_the_shipped_terms() -> None:
    assert lookback.terms() == TERMS
    assert "401.305(f)" in lookback.citations()["lookback_years"]


@pytest.mark.parametrize(
    ("identified", "received", "state"),
    [
        (date(2026, 3, 2), date(2020, 3, 3), "inside"),
        (date(2026, 3, 2), date(2020, 3, 2), "inside"),
        (date(2026, 3, 2), date(2020, 3, 1), "outside"),
        (date(2026, 3, 1), date(2020, 2, 29), "inside"),
        (date(2026, 3, 2), date(2020, 2, 29), "outside"),
        (date(2026, 12, 31), date(2026, 1, 1), "inside"),
        (date(2027, 1, 1), date(2026, 1, 1), "not known"),
        (None, date(2026, 1, 1), "not known"),
    ],
)
def test_six_years(identified: date | None, received: date, state: str) -> None:
    found = clock(identified, received)
    assert found.state == state
    assert (found.due is None) == (state != "inside")


def test_a_payment_is_no_earlier_than_its_service() -> None:
    assert clock(received=None, service=date(2020, 3, 2)).state == "inside"
    assert clock(received=None, service=date(2020, 3, 1)).state == "not known"
    assert clock(received=None, service=None).state == "not known"
    assert clock(plan="aetna").state == "another payer"


@pytest.mark.parametrize(
    ("start", "end", "until", "due"),
    [
        # 2026-03-02 and 60 days is 2026-05-01; 180 days, 2026-08-29.
        (date(2026, 3, 2), None, date(2026, 8, 29), date(2026, 10, 28)),
        (date(2026, 2, 1), None, date(2026, 8, 29), date(2026, 10, 28)),
        (date(2026, 3, 12), None, date(2026, 8, 29), date(2026, 10, 18)),
        (date(2026, 3, 12), date(2026, 4, 1), date(2026, 4, 1), date(2026, 5, 21)),
        (date(2026, 3, 12), date(2027, 4, 1), date(2026, 8, 29), date(2026, 10, 18)),
        (date(2026, 4, 30), None, date(2026, 8, 29), date(2026, 8, 30)),
        (date(2026, 5, 1), None, None, date(2026, 5, 1)),  # too late: the sixty days are over
        (date(2026, 2, 1), date(2026, 2, 20), None, date(2026, 5, 1)),  # over before anything was identified
    ],
)
def test_sixty_days_and_the_suspension(start: date, end: date | None, until: date | None, due: date) -> None:
    assert clock().due == date(2026, 5, 1)
    found = clock(investigation=lookback.Investigation(start, end))
    assert (found.suspended_until, found.due) == (until, due)


def test_no_suspension_before_2025() -> None:
    told = lookback.Investigation(date(2024, 12, 31))
    assert clock(date(2024, 12, 31), date(2024, 1, 1), investigation=told).due == date(2025, 3, 1)
    told = lookback.Investigation(date(2025, 1, 1))
    assert clock(date(2025, 1, 1), date(2024, 1, 1), investigation=told).due == date(2025, 8, 29)


def test_related_findings_share_the_180_days_of_the_first() -> None:
    days = (date(2026, 3, 2), date(2026, 6, 1), date(2026, 9, 1))
    items = [lookback.Confirmed(str(day), "medicare_part_b", Decimal(5), None, date(2025, 1, 1), day) for day in days]
    found = lookback.clocks(items, lookback.Investigation(date(2026, 3, 2)), TERMS)
    assert [item.due for item in found] == [date(2026, 10, 28), date(2026, 10, 28), date(2026, 10, 31)]
    told = lookback.summary(found, date(2026, 10, 29))
    assert told["overdue"] == {"findings": 2, "amount": Decimal("10.00")}
    assert told["next_due"] == date(2026, 10, 31)
    assert told["inside"]["findings"] == 3


def test_confirmed_findings_have_clocks_too(sample_run: pipeline.Result, drawn: Path, tmp_path: Path) -> None:
    filled = reviewed(drawn / "sample.xlsx", tmp_path / "filled.xlsx", lambda *_: {"decision": "correct"})
    book_ = openpyxl.load_workbook(sample_run.folder / "findings.xlsx")
    sheet = book_["Findings"]
    place = {cell.value: cell.column for cell in sheet[1]}
    wanted = 0.0
    lines: set[tuple[str, int]] = set()
    for row in range(2, 30):
        sheet.cell(row, place["disposition"]).value = "confirmed" if row % 2 else "dismissed"
        sheet.cell(row, place["reviewed_on"]).value = date(2026, 5, 4)
        values = {name: sheet.cell(row, column).value for name, column in place.items()}
        line = (values["claim_id"], values["claim_line_number"])
        if row % 2 and values["direction"] == "overpayment" and line not in lines:
            lines.add(line)
            wanted += values["amount_at_risk"]
    book_.save(tmp_path / "findings.xlsx")
    found = sampling.estimate(filled, as_of=NOW, findings=tmp_path / "findings.xlsx")
    assert float(sum(item.confirmed.amount for item in found.clocks)) == pytest.approx(wanted)
    assert {item.state for item in found.clocks} <= {"inside", "another payer"}
    assert {item.due for item in found.clocks if item.state == "inside"} == {date(2026, 7, 3)}


# How often the limits hold (the whole table: therapy-audit bench samples).


@pytest.fixture(scope="module")
def two_thousand() -> simulation.Places:
    return simulation.orders(800, 2_000, 200)


def test_the_interval_holds_at_its_rate_on_skewed_data(two_thousand: simulation.Places) -> None:
    """Three standard errors of 2,000 trials at 90 % are 2 points."""
    skewed = simulation.population("skewed", 0.30, whole=False, seed=1, items=800)
    found = simulation.held(skewed, two_thousand, 200)
    assert found.two_sided == pytest.approx(0.90, abs=0.02)
    assert found.above_one_sided >= 0.88
    assert found.bias == pytest.approx(0, abs=0.02)


def test_it_does_not_hold_with_few_errors(two_thousand: simulation.Places) -> None:
    """What docs/sampling.md warns of; the lower limits, which are demanded, hold all the same."""
    rare = simulation.population("rare", 0.02, whole=False, seed=1, items=800)
    found = simulation.held(rare, two_thousand, 30)
    assert found.two_sided < 0.75
    assert found.above_lower >= 0.95
    assert found.above_one_sided >= 0.90


def test_quantiles() -> None:
    assert quantiles.t_quantile(0.95, 99) == pytest.approx(1.660391, abs=1e-6)
    assert quantiles.normal_quantile(0.95) == pytest.approx(1.644854, abs=1e-6)
