"""The report's files: totals that agree, no line's dollars twice, hostile text made harmless, the same bytes always."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import openpyxl
import pytest

from therapy_audit import report
from therapy_audit.report import html, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from therapy_audit import pipeline

HERE = Path(__file__).parent
FILES = (
    *("clinician_profiles.csv", "clinician_profiles.parquet", "coverage.csv", "denials.csv", "denials.parquet"),
    *("documentation.csv", "documentation.parquet", "findings.csv", "findings.parquet", "findings.xlsx"),
    *("quarantine.csv", "reconciliation.csv", "reconciliation.parquet", "report.html", "risk.csv", "risk.parquet"),
    "summary.json",
)
QUALITY = {
    "success": False,
    "critical_failures": 1,
    "warnings": 0,
    "checks": [
        {
            "table": "visit_note",
            "check": "expect_column_values_to_be_unique",
            "column": "note_id",
            "severity": "critical",
            "success": False,
            "observed": None,
            "unexpected_count": 40,
            "row_count": 2000,
            "why": "Minutes would double.",
        },
    ],
}


def database(lines: int) -> duckdb.DuckDBPyConnection:
    """Open a made-up run's database in memory (test_report.sql)."""
    con = duckdb.connect(config={"threads": 2})
    contract = (HERE.parent / "sql" / "schema.sql").read_text(encoding="utf-8").partition("CREATE MACRO")[0]
    con.execute(contract)
    con.execute((HERE.parent / "sql" / "functions.sql").read_text(encoding="utf-8"))
    con.execute("SET VARIABLE lines = " + str(lines))
    con.execute((HERE / "test_report.sql").read_text(encoding="utf-8"))
    return con


def embedded(folder: Path) -> dict[str, Any]:
    """Return the data in the page, its columns unpacked to one dict per finding."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page(folder), re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    columns = {
        name: column if isinstance(column, list) else [column["values"][at] for at in column["at"]]
        for name, column in data["findings"].items()
    }
    data["findings"] = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return data


def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def cells(folder: Path, sheet: str) -> list[dict[str, Any]]:
    header, *rows = openpyxl.load_workbook(folder / "findings.xlsx")[sheet].iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with database(6000) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(con: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report")
    report.write(con, path, period="2026-Q3", quality=QUALITY)
    return path


@pytest.fixture
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    with database(0) as opened:
        for table in ("rule", "coverage", "quarantine", "intake_file", "reference_edition", "finding"):
            opened.execute(f"DELETE FROM {table}")
        yield opened


def test_all_files_are_written_and_nothing_else_is_left(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert con.execute("SELECT count(*) FROM duckdb_tables() WHERE temporary").fetchone() == (0,)


def test_totals_are_the_same_everywhere(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    expected = con.execute("""
        WITH line AS (
            SELECT direction, claim_id, claim_line_number, max(amount_at_risk) AS most
            FROM finding
            WHERE direction = 'underpayment' OR (direction = 'overpayment' AND severity <> 'info') GROUP BY ALL
        )
        SELECT direction, sum(most) FROM line GROUP BY ALL ORDER BY ALL""").fetchall()
    over, under = (amount for _, amount in expected)
    assert over > 0 < under
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert (summary["overpayment_amount"], summary["underpayment_amount"]) == (float(over), float(under))
    read_me = {row[0]: row[1] for row in openpyxl.load_workbook(folder / "findings.xlsx")["Read me"].values}
    assert read_me["At risk of repayment"] == pytest.approx(float(over))
    assert read_me["Under-billed"] == pytest.approx(float(under))
    assert f'<p class="big"><a href="#findings?direction=overpayment">${over:,.2f}</a></p>' in page(folder)
    assert f'<p class="big"><a href="#findings?direction=underpayment">${under:,.2f}</a></p>' in page(folder)
    exported = duckdb.sql(f"SELECT sum(exposure_amount) FROM '{folder / 'findings.parquet'}'").fetchall()[0]
    assert exported == (over + under,)
    (findings,) = con.execute("SELECT count(*) FROM finding").fetchone() or ()
    assert summary["findings"] == read_me["Findings"] == len(cells(folder, "Findings")) == findings
    assert sum(rule["findings"] for rule in summary["rules"].values()) == sum(summary["findings_by_severity"].values())
    charts = embedded(folder)["charts"]
    for name in ("payers", "clinicians", "months"):
        assert sum(row["overpayment_amount"] for row in charts[name]) == pytest.approx(float(over))


def test_same_database_gives_same_bytes(folder: Path, tmp_path: Path) -> None:
    with database(6000) as con:
        for table in (
            *(
                "finding",
                "finding_line",
                "therapy_line",
                "kx_year",
                "quarantine",
                "documented_service",
                "activity_day",
                "note_service",
            ),
            *("evidence_span", "text_measure"),
            *("line_remittance", "line_payment", "remittance_line", "remittance_adjustment", "remittance_remark"),
        ):
            con.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table} ORDER BY hash({table})")
        con.execute("SET threads = 1")
        report.write(con, tmp_path, period="2026-Q3", quality=QUALITY)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_parquet_of_several_row_groups_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    written = []
    with database(0) as con:
        con.execute("""
            INSERT INTO finding SELECT 'f' || i, 'clinic.line_without_note', 'error', 'overpayment', 'C' || i // 2, 1,
            'P', '2026-07-02', NULL, NULL, NULL, NULL, NULL, i % 90, 0, 'm' || i, '{}', 'none', 'c.csv', i
            FROM range(130000) AS r (i) ORDER BY hash(i)""")
        for threads in (1, 2):
            con.execute(f"SET threads = {threads}")
            con.execute(tables.text("report_finding"))
            tables.copy(con, "findings_file", tmp_path / "findings.parquet")
            written.append((tmp_path / "findings.parquet").read_bytes())
    groups = duckdb.sql(f"SELECT count(DISTINCT row_group_id) FROM parquet_metadata('{tmp_path}/findings.parquet')")
    assert groups.fetchone() == (2,)
    assert written[0] == written[1]


def test_csv_and_parquet_hold_every_finding_in_the_same_order(folder: Path) -> None:
    with (folder / "findings.csv").open(encoding="utf-8", newline="") as file:
        exported = [row["finding_id"] for row in csv.DictReader(file)]
    ids = duckdb.sql(f"SELECT finding_id FROM '{folder / 'findings.parquet'}'").fetchall()
    assert exported == [key for (key,) in ids]
    assert len(set(exported)) == len(exported) > 200


def test_spreadsheet_cells_cannot_be_formulas(folder: Path) -> None:
    with (folder / "findings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert '\'=HYPERLINK("http://x.invalid","pay")' in {row["payer"] for row in rows}
    with (folder / "quarantine.csv").open(encoding="utf-8", newline="") as file:
        refused = list(csv.DictReader(file))
    assert any(row["reason"].startswith("'+hcpcs_code") for row in refused)
    texts = [text for row in [*rows, *refused, *cells(folder, "Findings"), *cells(folder, "Quarantine")]
             for text in row.values() if isinstance(text, str)]  # fmt: skip
    assert not [text for text in texts if re.match(r"[=+\-@\t\r\n]", text)]
    assert any(text.startswith("'=2+3") for text in texts)


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1"])
def test_each_formula_start_is_neutralised(empty: duckdb.DuckDBPyConnection, tmp_path: Path, value: str) -> None:
    empty.execute("INSERT INTO quarantine VALUES (?, -5, 'claim_line', NULL, NULL, 'a-b=c')", [value])
    report.write(empty, tmp_path, period="2026-Q3", quality=None)
    with (tmp_path / "quarantine.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["source_file"], row["source_row"], row["reason"]) == ("'" + value, "-5", "a-b=c")
    assert cells(tmp_path, "Quarantine")[0]["source_row"] == -5


def test_text_from_files_is_text_in_the_page(folder: Path) -> None:
    text = page(folder)
    assert "<script>window.hacked" not in text
    assert "<b onclick" not in text
    assert 'href="javascript:' not in text
    data = embedded(folder)
    assert any("</script><script>window.hacked = 1</script><!--" in row["message"] for row in data["findings"])
    assert data["rules"]["medicare.kx_routine"]["references"][0]["href"] is None
    assert text.count("</script>") == 3


def test_page_needs_nothing_from_outside_and_names_its_scripts(folder: Path) -> None:
    text = page(folder)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "connect-src 'none'" in policy[1]
    # Plotly lies in the page as text, and is run by our own script when the first chart is to be seen.
    scripts = re.findall(r'<script(?: type="text/plain" id="plotly")?>(.*?)</script>', text, re.DOTALL)
    hashes = ["sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert [text for text in hashes if f"'{text}'" not in policy[1]] == []
    assert len(scripts) == 2
    own = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"<link|<img|<iframe|\ssrc=|@import|url\(", own)
    assert "showSendToCloud: false" in scripts[0]


def test_banners_say_what_stands_in_the_way(folder: Path, con: duckdb.DuckDBPyConnection) -> None:
    own = re.sub(r"<script.*?</script>", "", page(folder), flags=re.DOTALL)
    assert "2 payers map to no plan." in own
    assert "PRAIRIE STATE WORKERS COMP (" in own
    (stale,) = con.execute("SELECT count(*) FROM finding WHERE reference_state = 'stale_reference'").fetchone() or ()
    assert f"{stale} findings rest on it" in own
    assert "ccipra-v32...-f1.txt to f4.txt" in own
    assert "failed 1 critical quality check." in own
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["stale_findings"] == stale
    assert summary["stale_references"] == ["NCCI pairs"]
    assert summary["unmapped_payers"][0]["payer"] == "PRAIRIE STATE WORKERS COMP"
    assert summary["quality"] == {"success": False, "critical_failures": 1, "warnings": 0}


def test_a_file_that_does_not_reconcile_is_told(tmp_path: Path) -> None:
    with database(60) as con:
        con.execute("UPDATE intake_file SET rows_loaded = rows_loaded - 1 WHERE input = 'notes'")
        report.write(con, tmp_path, period="2026-Q3", quality=None)
    assert "notes.xlsx#Notes does not reconcile:" in page(tmp_path)


def test_missing_values_are_told_apart_from_passes(folder: Path) -> None:
    with (folder / "coverage.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["rule"]: row for row in csv.DictReader(file)}
    judged = [row for row in rows.values() if row["not_evaluable"] != "0"]
    assert judged
    for row in rows.values():
        outcomes = sum(int(row[name]) for name in ("passed", "failed", "not_evaluable", "error"))
        assert outcomes == int(row["in_scope"])
    assert all("minutes missing: " in row["reasons"] for row in judged)
    assert "a missing value is never a pass" in page(folder)


def test_more_findings_than_shown_are_told_and_kept(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    summary = report.write(con, tmp_path, period="2026-Q3", quality=None, report_rows=10, workbook_rows=7)
    assert f"Showing 10 of {summary['findings']}, the largest amounts first" in page(tmp_path)
    largest = con.execute("SELECT amount_at_risk FROM finding ORDER BY 1 DESC LIMIT 10").fetchall()
    assert [row["amount_at_risk"] for row in embedded(tmp_path)["findings"]] == [float(amount) for (amount,) in largest]
    assert len(cells(tmp_path, "Findings")) == len(cells(tmp_path, "Quarantine")) == 7
    read_me = {row[0]: row[1] for row in openpyxl.load_workbook(tmp_path / "findings.xlsx")["Read me"].values}
    assert read_me["Findings sheet"].startswith(f"The 7 largest of {summary['findings']} findings")
    kept = duckdb.sql(f"SELECT count(*) FROM '{tmp_path / 'findings.parquet'}'").fetchall()[0]
    assert kept == (summary["findings"],)


def test_of_many_clinicians_some_are_shown(sample_run: pipeline.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    with duckdb.connect(str(sample_run.folder / "audit.duckdb"), read_only=True) as con:
        every = tables.profile_sheet(con, 1_000_000)
        assert tables.profile_sheet(con, 7) == every[:7]
        place = dict(con.execute("SELECT metric, place FROM profile_metric").fetchall())
        keys = [(row["discipline"] or "~", row["clinician_npi"], place[row["metric"]]) for row in every]
        assert keys == sorted(keys)
        npis = sorted({row["clinician_npi"] for row in every})
        lines = [{"rendering_npi": npi, "lines_audited": at % 3} for at, npi in enumerate(npis)]
        monkeypatch.setattr(tables, "PROFILES", 3)
        assert tables.most_lines(con, lines) == [npi for at, npi in enumerate(npis) if at % 3 == 2][:3]


def test_nothing_found_is_a_report_too(empty: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    summary = report.write(empty, tmp_path, period="2026-Q3", quality=None)
    assert (summary["findings"], summary["overpayment_amount"], summary["quality"]) == (0, 0.0, None)
    text = page(tmp_path)
    assert "There are no findings." in text
    assert "Quality checks were not run." in text
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_note_text_is_shown_only_where_asked_for(con: duckdb.DuckDBPyConnection, folder: Path, tmp_path: Path) -> None:
    assert "sit to stand from 18 inch" not in page(folder)
    report.write(con, tmp_path, period="2026-Q3", quality=None, with_text=True)
    assert "Patient performed sit to stand from 18 inch surface." in embedded(tmp_path)["texts"]


def test_workbook_is_made_for_review(folder: Path) -> None:
    book = openpyxl.load_workbook(folder / "findings.xlsx")
    assert book.sheetnames == [
        "Read me",
        "Findings",
        "Dismissed",
        "Documentation",
        "Clinicians",
        "Denials",
        "Coverage",
        "Quarantine",
    ]
    sheet = book["Findings"]
    header = [cell.value for cell in sheet[1]]
    assert header[:4] == ["disposition", "reviewer", "reviewed_on", "note"]
    assert header[-2:] == ["finding_id", "facts_hash"]
    assert {"message", "citation", "remedy", "source_file", "source_row"} <= set(header)
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref.startswith("A1:")
    choices = [rule for rule in sheet.data_validations.dataValidation if rule.type == "list"]
    assert choices[0].formula1 == '"confirmed,dismissed,corrected,refunded"'
    assert str(choices[0].sqref) == f"A2:A{sheet.max_row}"
    first = dict(zip(header, sheet[2], strict=True))
    assert first["disposition"].value is None
    assert first["amount_at_risk"].number_format == first["exposure_amount"].number_format == "$#,##0.00"
    assert isinstance(first["amount_at_risk"].value, (int, float))
    assert first["service_date"].value.date() >= date(2026, 7, 1)
    assert "<https://www.cms.gov/" in first["citation"].value


def test_kx_ledger_marks_lower_bounds_and_lines_without_kx(folder: Path, con: duckdb.DuckDBPyConnection) -> None:
    text = page(folder)
    past = con.execute("""
        SELECT count(*) FROM (
            SELECT patient_id FROM kx_ledger GROUP BY patient_id, year, pool HAVING max(balance_after) > max(threshold)
        )""").fetchone()
    assert past
    assert f"<strong>{past[0]}</strong> of" in text
    near = con.execute("""
        SELECT
            count(*) FILTER (WHERE balance >= 0.8 * threshold AND balance <= threshold),
            count(*) FILTER (WHERE visits_left <= 6 AND expected_crossing_date IS NOT NULL)
        FROM kx_year""").fetchone()
    assert near
    assert f"<strong>{near[0]}</strong> have reached 80% of it." in text
    assert f"<strong>{near[1]}</strong> pass it within the next six." in text
    table = text[text.index("Who passes the threshold next") :].partition("</table>")[0]
    listed = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in re.split("<tr>", table)[2:]]
    left, dates = [row[7] for row in listed], [row[8] for row in listed]
    ahead = [int(value) for value, day in zip(left, dates, strict=True) if day.startswith("about ")]
    assert ahead == sorted(ahead) == [int(value) for value in left[: len(ahead)]]
    assert len(ahead) == 15
    assert all(value == "" and re.fullmatch(r"\w{3} \d+, 2026", day) for value, day in zip(left, dates, strict=True)
               if "about" not in day)  # fmt: skip
    assert "≈ $" in table
    assert "<small>2 expected</small>" in table
    bars = embedded(folder)["charts"]["kx"]
    assert [bar["share"] for bar in bars] == sorted((bar["share"] for bar in bars), reverse=True)
    assert any(bar["lower"] and "≥" in bar["label"] for bar in bars)
    assert any(bar["without"] and "without KX" in bar["label"] for bar in bars)


def test_amounts_and_dates_read_well() -> None:
    assert html.money(Decimal("-1234.5")) == "-$1,234.50"
    assert html.day(date(2026, 7, 1)) == "Jul 1, 2026"
    assert (html.share(1, 100_000), html.share(99_999, 100_000), html.share(0, 5)) == ("< 0.1%", "> 99.9%", "0.0%")
    assert html.web("JavaScript:alert(1)") is html.web("data:text/html,x") is html.web(None) is None
