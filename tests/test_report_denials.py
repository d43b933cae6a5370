"""Denials: what answers deny, why, what became of the money, how old it is; every figure is reckoned by hand."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from test_report import cells, database, page
from therapy_audit import pipeline, report, resources, rules
from therapy_audit.config import Config
from therapy_audit.errors import AuditError
from therapy_audit.report import tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

Answer = tuple[str, str, float, float, float, list[str]]  # date, status, charge, paid, patient's, adjustments

# Claim: its answers. An adjustment is written CO-16/N822 90.
ANSWERS: dict[str, list[Answer]] = {
    "OPEN": [("2026-08-01", "4", 90, 0, 0, ["CO-50 90"])],
    # Denied for a modifier, then paid: 90 = 30 paid + 8 the patient's + 52 contract.
    "CURED": [
        ("2026-08-01", "4", 90, 0, 0, ["CO-16/N822 90"]),
        ("2026-09-01", "1", 90, 30, 8, ["PR-2 8", "CO-45 52"]),
    ],
    # The same 90 denied twice count once, with the last.
    "AGAIN": [("2026-08-01", "4", 90, 0, 0, ["CO-16/M51 90"]), ("2026-09-01", "4", 90, 0, 0, ["CO-50 90"])],
    # 50 of 100 denied; the payment of 20 is taken back and 45 paid: 25 more, and 25 of the 50 is the contract's.
    "PARTLY": [
        ("2026-08-01", "1", 100, 20, 0, ["CO-151/N362 50", "CO-45 30"]),
        ("2026-09-10", "22", -100, -20, 0, ["CO-151/N362 -50", "CO-45 -30"]),
        ("2026-09-10", "1", 100, 45, 0, ["CO-45 55"]),
    ],
    "PATIENT": [("2026-08-01", "1", 60, 0, 60, ["PR-204 60"])],
    "PAID": [("2026-08-01", "1", 80, 30, 10, ["PR-2 10", "CO-45 38", "CO-253 2"])],
    # Paid, taken back, denied.
    "TAKEN": [
        ("2026-08-01", "1", 90, 30, 0, ["CO-45 60"]),
        ("2026-09-20", "22", -90, -30, 0, ["CO-45 -60"]),
        ("2026-09-20", "4", 90, 0, 0, ["CO-252/M127 90"]),
    ],
    "SILENT": [("2026-06-01", "4", 40, 0, 0, [])],
    "UNKNOWN": [("2026-03-01", "4", 40, 0, 0, ["CO-999 40"])],
    # Denied, and settled later with nothing paid.
    "SETTLED": [("2026-07-15", "4", 70, 0, 0, ["CO-197 70"]), ("2026-08-15", "1", 70, 0, 0, ["CO-45 70"])],
    # A denial that was taken back is open: nobody has answered since.
    "REVERSED": [("2026-08-31", "4", 55, 0, 0, ["CO-97 55"]), ("2026-09-29", "22", -55, 0, 0, ["CO-97 -55"])],
}  # fmt: skip
LINE = "INSERT INTO therapy_line BY NAME SELECT ? AS claim_id, ? AS claim_line_number, 'P1' AS patient_id, 'MEDICARE' AS payer, DATE '2026-07-01' AS service_date, '97530' AS hcpcs_code, 2 AS units, ?::DECIMAL(12, 2) AS line_amount, '1790000000' AS rendering_npi, 'PT' AS discipline, 'medicare_part_b' AS plan"  # noqa: E501


def answer(con: duckdb.DuckDBPyConnection, claim: str, number: int, given: Answer, kind: str = "service") -> str:
    paid_date, status, charge, paid, patient, adjustments = given
    remittance = f"{claim}-{number}"
    con.execute(
        "INSERT INTO remittance_line BY NAME SELECT ? AS remittance_id, 1 AS remittance_line_number, "
        "1 AS remittance_claim_number, ? AS claim_id, ? AS claim_status_code, ? AS charge_amount, ? AS paid_amount, "
        "? AS patient_responsibility_amount, ?::DATE AS paid_date, ? AS line_kind, [] AS modifiers, "
        "'era.835' AS source_file, 1 AS source_row",
        [remittance, claim, status, charge, paid, patient, paid_date, kind],
    )
    for at, text in enumerate(adjustments, start=1):
        code, _, amount = text.partition(" ")
        group, _, reason = code.partition("-")
        reason, _, remark = reason.partition("/")
        con.execute(
            "INSERT INTO remittance_adjustment VALUES (?, 1, 1, ?, ?, ?, ?, ?, 'era.835', 1)",
            [remittance, at, group, reason, remark or None, amount],
        )
    return remittance


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database with ANSWERS, all read with the shipped code tables."""
    with database(0) as opened:
        for table in ("denial_reason", "remark_reason", "rule_denial_reason"):
            opened.execute(f"DELETE FROM {table}")
        for table in ("denial_reason", "remark_reason"):
            path = resources.folder("rules") / "codes" / f"{table}.csv"
            opened.execute(f"INSERT INTO {table} BY NAME FROM read_csv('{path}', all_varchar = TRUE)")
        opened.execute("UPDATE audit_period SET as_of = '2026-09-30'")
        for claim, answers in ANSWERS.items():
            opened.execute(LINE, [claim, 1, 40])
            for number, given in enumerate(answers, start=1):
                remittance = answer(opened, claim, number, given)
                opened.execute("INSERT INTO line_remittance VALUES (?, 1, ?, 1, 'k', 1)", [claim, remittance])
            paid = sum(given[3] for given in answers)
            opened.execute(
                "INSERT INTO line_payment VALUES (?, 1, ?, ?, ?::DATE, ?::DATE, NULL)",
                [claim, len(answers), paid, answers[0][0], answers[-1][0]],
            )
        yield opened


def denials(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    for name in ("report_answer", "report_denial"):
        con.execute(tables.text(name))
    result = con.execute("SELECT * FROM report_denial ORDER BY claim_id, claim_line_number, denied_date")
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_what_became_of_each_denial(con: duckdb.DuckDBPyConnection) -> None:
    columns = ("category", "outcome", "denied_amount", "recovered_amount", "patient_amount", "written_off_amount",
               "open_amount", "age_days")  # fmt: skip
    found = [(row["claim_id"], *(row[name] for name in columns)) for row in denials(con)]
    assert found == [
        ("AGAIN", "code or place of service", "denied again", 90, 0, 0, 0, 0, 60),
        ("AGAIN", "not medically necessary", "open", 90, 0, 0, 0, 90, 29),
        ("CURED", "modifier", "recovered", 90, 30, 8, 52, 0, 60),
        ("OPEN", "not medically necessary", "open", 90, 0, 0, 0, 90, 60),
        ("PARTLY", "too many units or too often", "recovered", 50, 25, 0, 25, 0, 60),
        ("PATIENT", "not covered", "patient", 60, 0, 60, 0, 0, 60),
        ("REVERSED", "bundled or mutually exclusive", "open", 55, 0, 0, 0, 55, 30),
        ("SETTLED", "authorization", "written off", 70, 0, 0, 70, 0, 77),
        ("SILENT", "reason not told", "open", 40, 0, 0, 0, 40, 121),
        ("TAKEN", "documentation", "open", 90, 0, 0, 0, 90, 10),
        ("UNKNOWN", "reason not in the table", "open", 40, 0, 0, 0, 40, 213),
    ]


def test_each_dollar_counts_once(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    summary = report.write(con, tmp_path, period="2026-Q3", quality=None)["denials"]
    # 11 lines answered, 10 of them denied; 90 + 90 + 90 + 50 + 60 + 55 + 70 + 40 + 90 + 40.
    assert (summary["denials"], summary["lines_denied"], summary["lines_answered"]) == (11, 10, 11)
    assert summary["denied_amount"] == 675
    parts = [summary[name] for name in ("recovered_amount", "patient_amount", "written_off_amount", "open_amount")]
    assert parts == [55, 68, 147, 405]
    # 29, 10, 30 days; 60; none; 121; 213.
    assert summary["open_by_age"] == {
        "0-30 days": 235, "31-60 days": 90, "61-90 days": 0, "91-180 days": 40, "over 180 days": 40,
    }  # fmt: skip
    assert summary["by_category"]["not medically necessary"] == 2
    # First payments: CURED 62 days after service, PARTLY 31, PAID 31, TAKEN 31.
    assert (summary["days_to_payment"]["service_median"], summary["days_to_payment"]["submission_median"]) == (31, None)
    assert summary["days_to_payment"]["service_ninth"] == pytest.approx(31 + 0.7 * 31)
    text = page(tmp_path)
    assert "<strong>10</strong> of 11 lines answered (90.9%), in 11 answers: <strong>$675.00</strong>" in text
    assert "CO-16 M51" in text
    assert {row["outcome"] for row in cells(tmp_path, "Denials")[:6]} == {"open"}
    with (tmp_path / "denials.csv").open(encoding="utf-8", newline="") as file:
        assert sum(Decimal(row["counted_amount"]) for row in csv.DictReader(file)) == 675


def test_a_visits_finding_is_about_all_its_lines(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    con.execute("INSERT INTO rule_denial_reason VALUES ('medicare.timed_units_exceed_minutes', '151')")
    con.execute(
        "INSERT INTO finding VALUES ('f', 'medicare.timed_units_exceed_minutes', 'error', 'overpayment', 'PAID', 1, "
        "'P1', '2026-07-01', 'PT', '97110', NULL, NULL, 'medicare_part_b', 5, 5, 'm', '{}', 'none', 'c.csv', 2)"
    )
    # Of the day's denials only PARTLY's has 151; the finding's own line was paid.
    found = report.write(con, tmp_path, period="2026-Q3", quality=None)["denials"]["rules"]
    assert (found["flagged"], found["no_rule"]) == (1, 10)


def test_a_claim_judged_as_a_whole_is_shared_over_its_lines(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(LINE, ["WHOLE", 1, 50])
    con.execute(LINE, ["WHOLE", 2, 100])
    answer(con, "WHOLE", 1, ("2026-08-01", "4", 200.02, 0, 0, ["CO-29 200.02"]), kind="claim")
    found = {row["claim_line_number"]: row for row in denials(con) if row["claim_id"] == "WHOLE"}
    assert {number: row["denied_amount"] for number, row in found.items()} == {
        1: Decimal("66.67"),
        2: Decimal("133.35"),
    }
    assert {row["category"] for row in found.values()} == {"filing"}


def test_a_claims_adjustment_denies_its_unpaid_lines(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(LINE, ["LEVEL", 1, 50])
    remittance = answer(con, "LEVEL", 1, ("2026-08-01", "4", 75, 0, 0, []))
    con.execute("INSERT INTO line_remittance VALUES ('LEVEL', 1, ?, 1, 'k', 1)", [remittance])
    con.execute("INSERT INTO remittance_adjustment VALUES (?, 1, NULL, 1, 'CO', '16', NULL, 150, 'f', 1)", [remittance])
    for line, remark in ((None, "M76"), (1, "M53"), (1, "N822")):
        con.execute("INSERT INTO remittance_remark VALUES (?, 1, ?, ?, 'f', 1)", [remittance, line, remark])
    (row,) = [row for row in denials(con) if row["claim_id"] == "LEVEL"]
    assert (row["denied_amount"], row["category"], row["remark_code"]) == (75, "modifier", "N822")
    assert row["codes"] == ["16", "M53", "M76", "N822"]


def test_without_remittances_one_sentence(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for table in ("remittance_line", "line_remittance", "remittance_adjustment"):
        con.execute(f"DELETE FROM {table}")
    con.execute("UPDATE line_payment SET adjudications = 0")
    assert report.write(con, tmp_path, period="2026-Q3", quality=None)["denials"] is None
    section = page(tmp_path).partition('<section id="denials">')[2].partition("</section>")[0]
    assert "No remittances were given" in section
    assert "<table" not in section


def test_answers_without_a_denial(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    con.execute("DELETE FROM line_remittance WHERE claim_id <> 'PAID'")
    summary = report.write(con, tmp_path, period="2026-Q3", quality=None)["denials"]
    assert (summary["denials"], summary["open_amount"], summary["by_category"]) == (0, 0, {})
    assert "No line of the period was denied" in page(tmp_path)


CLAIMS = """Claim #,Claim Line,Payer,Patient ID,DOS,CPT,Modifiers,Units,Charge,NPI
C1,1,Medicare Part B,P1,2026-07-01,97161,GP,2,200.00,1790000004
C2,1,Medicare Part B,P2,2026-07-01,97110,GP,3,120.00,1790000004
C3,1,Medicare Part B,P3,2026-07-01,97161,,1,100.00,1790000004
C4,1,Medicare Part B,P4,2026-07-01,97161,GP,1,100.00,1790000004
C5,1,Medicare Part B,P5,2026-07-01,97161,,1,100.00,1790000004
C6,1,Medicare Part B,P6,2026-07-01,97161,GP,1,100.00,1790000004
"""
REMITS = """Check #,Claim #,Claim Line,Payer,Patient ID,DOS,CPT,Charge,Allowed,Paid,Paid Date,Adjustments,Remark Code
R1,C1,1,Medicare Part B,P1,2026-07-01,97161,200.00,0,0,2026-08-01,CO-151:200.00,
R2,C2,1,Medicare Part B,P2,2026-07-01,97110,120.00,0,0,2026-08-01,CO-151:120.00,
R3,C3,1,Medicare Part B,P3,2026-07-01,97161,100.00,60,60,2026-08-01,CO-45:40.00,
R4,C4,1,Medicare Part B,P4,2026-07-01,97161,100.00,0,0,2026-08-01,CO-4:100.00,
R5,C5,1,Medicare Part B,P5,2026-07-01,97161,100.00,0,0,2026-08-01,CO-29:100.00,
R6,C6,1,Medicare Part B,P6,2026-07-01,97161,100.00,60,60,2026-08-01,CO-45:40.00,
"""


def test_crosswalk_of_denials_and_rules(tmp_path: Path) -> None:
    # C1 has two units of an untimed code: flagged. C2 has no minutes: not evaluable. C4 has GP: passed. C5: filing, no
    # rule speaks to it. C3 lacks GP and was paid 60.
    for name, text in (("claims", CLAIMS), ("remits", REMITS)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    inputs = {"claims": (str(tmp_path / "claims.csv"),), "remittances": (str(tmp_path / "remits.csv"),)}
    summary = pipeline.run(Config(inputs=inputs, output=tmp_path / "out", quality="warn")).summary
    assert summary["denials"]["denials"] == 4
    assert summary["denials"]["rules"] == {
        "flagged": 1, "not_evaluable": 1, "passed": 1, "not_judged": 0, "no_rule": 1,
    }  # fmt: skip
    with (tmp_path / "out" / "denials.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["claim_id"]: row for row in csv.DictReader(file)}
    assert "medicare.untimed_code_multiple_units" in rows["C1"]["rules_flagged"]
    assert "medicare.timed_units_exceed_minutes (" in rows["C2"]["rules_not_evaluable"]
    assert "medicare.discipline_modifier_missing" in rows["C4"]["rules_passed"]
    text = page(tmp_path / "out")
    table = text[text.index('id="finding-answers"') :].partition("</table>")[0]
    row = table[table.index("medicare.discipline_modifier_missing") :].partition("</tr>")[0]
    # Findings on C3 (paid 60) and C5 (denied, but for filing).
    told = [re.sub(r"<.*?>", "", cell.rpartition("<td")[2].partition(">")[2]) for cell in row.split("</td>")[:4]]
    assert told == ["2", "0", "1", "$60.00"]
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["denials"]["denied_amount"] == 520


def test_code_tables_hold_codes_and_every_rules_codes_are_in_them() -> None:
    folder = resources.folder("rules") / "codes"
    with (folder / "denial_reason.csv").open(encoding="utf-8") as file:
        reasons = list(csv.DictReader(file))
    with (folder / "remark_reason.csv").open(encoding="utf-8") as file:
        remarks = list(csv.DictReader(file))
    known = [row["reason_code"] for row in reasons] + [row["remark_code"] for row in remarks]
    assert len(known) == len(set(known))
    assert not [row for row in [*reasons, *remarks] if len(row["category"]) > 30]
    denying = {row["reason_code"] for row in reasons if row["is_denial"] == "true"}
    assert not denying & {"1", "2", "3", "45", "59", "253", "237"}
    spoken = {code for rule in rules.load().rules for code in rule.denial_reasons}
    assert spoken <= denying | {row["remark_code"] for row in remarks}
    assert not {"16", "96"} & spoken, "a reason that leaves all to its remark says nothing of a rule"


def test_denial_reasons_are_written_as_codes() -> None:
    path = resources.folder("rules") / "medicare" / "mue_exceeded.yaml"
    text = path.read_text(encoding="utf-8").replace('["151", N362]', "[151]")
    with pytest.raises(AuditError, match="write reason and remark codes in quotes"):
        rules.rule("medicare.mue_exceeded", text, {"mue_exceeded": ""}, ["medicare_part_b", "medicare_advantage"], [])
