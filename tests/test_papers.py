"""Letters, summary, workpapers and pictures: what they say, what they must not hold, what a browser makes of them."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import therapy_audit as ta
from therapy_audit import pipeline, rules
from therapy_audit.cli import cli
from therapy_audit.errors import AuditError
from therapy_audit.papers import browser, letters, pictures, summary, workpaper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def audit(sample_run: pipeline.Result) -> Iterator[ta.Audit]:
    with ta.open(sample_run.folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def written(audit: ta.Audit, tmp_path_factory: pytest.TempPathFactory) -> letters.Letters:
    return letters.write(audit, tmp_path_factory.mktemp("papers") / "letters")


@pytest.fixture
def with_browser() -> None:
    try:
        browser.find("PDFs")
    except AuditError:
        pytest.skip("no browser found (Debian: apt install chromium)")


def _one(audit: ta.Audit, query: str) -> tuple[object, ...]:
    row = audit.con.execute(query).fetchone()
    assert row
    return row


def _texts(audit: ta.Audit) -> set[str]:
    """Texts of notes that are long enough to stand for nothing else."""
    found = audit.con.execute("SELECT DISTINCT text FROM note_service WHERE length(text) > 40").fetchall()
    return {text for (text,) in found}


def _private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


def _closed(page: str) -> bool:
    """Whether a page can load and run nothing."""
    return (
        "default-src 'none'" in page
        and not re.search(r"<(script|link|img|iframe|object|form)\b", page)
        and not re.search(r"url\(|@import", page)
    )


def test_each_clinician_with_findings_has_a_letter_and_all_findings_are_told(
    audit: ta.Audit, written: letters.Letters
) -> None:
    counts = dict(
        audit.con.execute(
            "SELECT rendering_npi, count(*) FROM finding WHERE rendering_npi IS NOT NULL GROUP BY ALL"
        ).fetchall()
    )
    assert sorted(page.name for page in written.pages) == sorted(f"letter-{npi}.html" for npi in counts)
    assert written.unaddressed == _one(audit, "SELECT count(*) FROM finding WHERE rendering_npi IS NULL")[0]
    for page in written.pages:
        text = page.read_text(encoding="utf-8")
        npi = page.stem.removeprefix("letter-")
        assert re.search(rf"<em>Findings</em><b>{counts[npi]}</b>", text)
        titles = audit.con.execute(
            "SELECT DISTINCT title FROM finding INNER JOIN rule USING (rule) WHERE rendering_npi = ?", [npi]
        ).fetchall()
        assert all(_escaped(title) in text for (title,) in titles)
        others = set(counts) - {npi}
        assert not any(f"NPI {other}" in text for other in others)
        assert _closed(text)
        assert _private(page)
    assert all(page.name in written.index.read_text("utf-8") for page in written.pages)


def _escaped(text: str) -> str:
    from markupsafe import escape

    return str(escape(text))


def test_a_letter_shows_text_only_when_asked_and_only_of_own_notes(
    audit: ta.Audit, written: letters.Letters, tmp_path: Path
) -> None:
    texts = {_escaped(text) for text in _texts(audit)}
    assert not any(text in page.read_text("utf-8") for page in written.pages for text in texts)
    assert any("What good looks like" in page.read_text("utf-8") for page in written.pages)
    # Claims may rest on another's note, such as an assistant's: it is named, and its words are not shown.
    assert _one(
        audit,
        "SELECT count(*) FROM finding INNER JOIN reconciliation USING (claim_id, claim_line_number)"
        " INNER JOIN visit_note USING (note_id) WHERE finding.rendering_npi <> visit_note.rendering_npi",
    ) != (0,)
    shown = others = 0
    for page in letters.write(audit, tmp_path / "with", with_text=True).pages:
        own = {
            _escaped(text)
            for (text,) in audit.con.execute(
                "SELECT service.text FROM note_service AS service INNER JOIN visit_note AS note USING (note_id)"
                " WHERE coalesce(note.rendering_npi = ?, TRUE) AND length(service.text) > 40",
                [page.stem.removeprefix("letter-")],
            ).fetchall()
        }
        text = page.read_text("utf-8")
        shown += sum(one in text for one in own)
        others += "by another clinician; " in text
        assert not any(one in text and not any(one in longer for longer in own) for one in texts - own)
    assert shown > 0
    assert others > 0


def test_small_counts_are_left_blank_in_a_letter(written: letters.Letters, audit: ta.Audit) -> None:
    npi, values = _one(
        audit,
        "SELECT clinician_npi, list(round(value, 4)) FROM clinician_profile WHERE suppressed AND value IS NOT NULL"
        " GROUP BY ALL HAVING clinician_npi IN (SELECT rendering_npi FROM finding) ORDER BY clinician_npi LIMIT 1",
    )
    assert values
    page = next(page for page in written.pages if str(npi) in page.name).read_text("utf-8")
    assert "fewer than 11</small>" in page


def test_a_folder_of_other_things_is_left_alone_and_one_of_letters_is_replaced(audit: ta.Audit, tmp_path: Path) -> None:
    (npi,) = _one(audit, "SELECT min(rendering_npi) FROM finding")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(AuditError, match="other things than letters"):
        letters.write(audit, folder, clinicians=[str(npi)])
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
    (folder / "thesis.txt").unlink()
    letters.write(audit, folder, clinicians=[str(npi)])
    (folder / "letter-1234567893.pdf").write_text("of an earlier run")
    letters.write(audit, folder, clinicians=[str(npi)])
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", f"letter-{npi}.html"]
    with pytest.raises(AuditError, match="'123'"):
        letters.write(audit, folder, clinicians=["123"])


def test_a_name_from_the_data_that_is_no_npi_is_never_a_path() -> None:
    names = letters._names(["1234567893", "../../x", "12345678931", "１２３４５６７８９３"])  # noqa: SLF001, RUF001
    assert names.pop("1234567893") == "letter-1234567893"
    assert all(re.fullmatch(r"letter-[0-9a-f]{12}", name) for name in names.values())


def test_the_summary_is_dollars_first_and_names_no_patient(audit: ta.Audit, tmp_path: Path) -> None:
    page = summary.write(audit, tmp_path / "summary.html")[0]
    text = page.read_text(encoding="utf-8")
    told = audit.summary
    for amount in (told["overpayment_amount"], told["underpayment_amount"]):
        assert f"${amount:,.2f}" in text
    ranked = sorted(told["rules"].items(), key=lambda item: (-item[1]["amount_at_risk"], -item[1]["findings"]))
    titles = {rule.name: rule for rule in rules.load().rules}
    assert all(_escaped(titles[name].title) in text for name, _ in ranked[:5])
    assert all(_escaped(titles[name].remedy or "") in text for name, _ in ranked[:5])
    assert "No earlier run" in text
    for column, table in (("patient_id", "claim_line"), ("claim_id", "claim_line"), ("rendering_npi", "finding")):
        values = audit.con.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} <> ''").fetchall()
        assert not any(re.search(rf"\b{re.escape(value)}\b", text) for (value,) in values)
    assert _closed(text)
    assert _private(page)


def test_the_trend_takes_runs_that_ended_before(tmp_path: Path) -> None:
    from datetime import date

    def run(name: str, start: str, end: str, over: float, lines: int = 2000, made: str = "2026-04-01") -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "findings.parquet").write_bytes(b"PAR1PAR1")  # as it begins and ends
        (tmp_path / name / "manifest.json").write_text(json.dumps({"generated_at": made}))
        told = {
            "period": name.partition(" ")[0],
            "period_start": start,
            "period_end": end,
            "lines_audited": lines,
            "findings": 3,
        }
        text = json.dumps(told | {"overpayment_amount": over, "underpayment_amount": 1})
        (tmp_path / name / "summary.json").write_text(text)

    run("now", "2026-01-01", "2026-03-31", 7)
    run("Q3", "2025-07-01", "2025-09-30", 500, made="2026-04-02")
    run("Q3 again", "2025-07-01", "2025-09-30", 600)  # made before, so it counts no more
    run("Q4", "2025-10-01", "2025-12-31", 400)
    run("overlapping", "2025-12-01", "2026-01-01", 1)
    run("empty", "2025-01-01", "2025-01-31", 0, lines=0)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "summary.json").write_text("[")
    found = summary.earlier(tmp_path / "now", date(2026, 1, 1))
    assert [(row["period"], row["rate"]) for row in found] == [("empty", None), ("Q3", 250.0), ("Q4", 200.0)]


def test_a_workpaper_shows_lines_versions_notes_answers_price_and_findings(audit: ta.Audit, tmp_path: Path) -> None:
    claim, finding = _one(
        audit,
        "SELECT claim_id, min(finding_id) FROM finding INNER JOIN expected_payment USING (claim_id)"
        " INNER JOIN line_remittance USING (claim_id)"
        " WHERE rule = 'medicare.timed_units_exceed_minutes' GROUP BY ALL ORDER BY claim_id LIMIT 1",
    )
    claim = str(claim)
    page = workpaper.write(audit, claim, tmp_path / workpaper.name(claim))[0]
    assert claim not in page.name
    text = page.read_text(encoding="utf-8")
    told = audit.explain(str(finding))
    assert _escaped(told["arithmetic"]) in text
    assert _escaped(told["expected"]) in text
    assert all(_escaped(item["title"]) in text for item in told["references"])
    for query in (
        "SELECT DISTINCT note_id FROM reconciliation WHERE claim_id = ? AND note_id IS NOT NULL",
        "SELECT DISTINCT remittance_id FROM line_remittance WHERE claim_id = ?",
        "SELECT format('${:,.2f}', expected_allowed) FROM expected_payment WHERE claim_id = ? AND is_judged",
        "SELECT source_file || ', row ' || source_row FROM claim_line WHERE claim_id = ?",
    ):
        values = audit.con.execute(query, [claim]).fetchall()
        assert values
        assert all(value in text for (value,) in values)
    count = _one(
        audit,
        f"SELECT count(DISTINCT finding_id) FROM finding LEFT JOIN finding_line USING (finding_id)"
        f" WHERE finding.claim_id = '{claim}' OR finding_line.claim_id = '{claim}'",
    )[0]
    assert text.count("Decision on 6.") == count
    assert not any(_escaped(note) in text for note in _texts(audit))
    assert _closed(text)
    assert _private(page)


def test_a_workpaper_shows_each_version_of_a_claim(audit: ta.Audit, tmp_path: Path) -> None:
    (claim,) = _one(audit, "SELECT min(claim_id) FROM claim_history WHERE state = 'replaced'")
    text = workpaper.write(audit, str(claim), tmp_path / "w.html")[0].read_text("utf-8")
    assert "replaced by" in text
    assert ">current<" in text
    with pytest.raises(AuditError, match="No claim of this run") as refused:
        workpaper.write(audit, "C-none", tmp_path / "x.html")
    assert "C-none" not in str(refused.value)


def test_a_workpaper_is_of_one_patient(audit: ta.Audit, tmp_path: Path) -> None:
    claim, patient = _one(
        audit,
        "SELECT finding.claim_id, min(line.patient_id) FROM finding INNER JOIN rule USING (rule)"
        " INNER JOIN therapy_line AS line USING (claim_id)"
        " WHERE rule.grain = 'clinician' AND finding.claim_id <> '' GROUP BY ALL ORDER BY ALL LIMIT 1",
    )
    others = audit.con.execute("SELECT DISTINCT claim_id FROM claim_line WHERE patient_id <> ?", [patient]).fetchall()
    text = workpaper.write(audit, str(claim), tmp_path / "w.html")[0].read_text("utf-8")
    assert "this patient's alone" in text
    assert not any(other in text for (other,) in others)


def test_a_decision_of_a_reviewer_stands_in_the_workpaper(sample_run: pipeline.Result, tmp_path: Path) -> None:
    import duckdb

    with duckdb.connect() as con:
        con.execute(f"ATTACH '{sample_run.folder / 'audit.duckdb'}' AS run (READ_ONLY)")
        con.execute(f"ATTACH '{tmp_path / 'audit.duckdb'}' AS copy")
        con.execute("COPY FROM DATABASE run TO copy")
        con.execute("USE copy")
        claim, finding = con.execute("SELECT claim_id, finding_id FROM finding WHERE claim_id <> ''").fetchall()[0]
        con.execute(
            "INSERT INTO finding_review (finding_id, disposition, review_state, reviewer, note)"
            " VALUES (?, 'dismissed', 'changed', 'R. Ead', 'Addendum of May 4.')",
            [finding],
        )
        con.execute("USE memory")
    with ta.open(tmp_path) as audit:
        text = workpaper.write(audit, claim, tmp_path / "w.html")[0].read_text("utf-8")
    assert "<strong>dismissed</strong> by R. Ead. Its facts or dollars have changed since: decide anew." in text
    assert "Reason: Addendum of May 4." in text


def test_no_browser_is_one_sentence_before_anything_is_written(
    sample_run: pipeline.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(browser, "_NAMES", ("no-such-browser",))
    monkeypatch.setattr(browser, "_PLACES", ())
    run, out = str(sample_run.folder), tmp_path / "out"
    for command in (["summary", run, "--pdf"], ["letters", run, "--pdf"], ["pictures", run]):
        result = CliRunner().invoke(cli, [*command, "--out", str(out)])
        assert isinstance(result.exception, AuditError)
        assert "need Chromium, Chrome or Edge" in str(result.exception)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(AuditError, match="BROWSER_PATH"):
        browser.find("PDFs")


@pytest.mark.usefixtures("with_browser")
def test_the_summary_is_one_page_as_pdf(audit: ta.Audit, tmp_path: Path) -> None:
    page, pdf = summary.write(audit, tmp_path / "summary.html", as_pdf=True)
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 1
    assert _private(pdf)
    assert sorted(tmp_path.iterdir()) == [page, pdf]


@pytest.mark.usefixtures("with_browser")
def test_charts_become_pictures_and_the_one_that_names_patients_does_not(
    sample_run: pipeline.Result, audit: ta.Audit, tmp_path: Path
) -> None:
    written = pictures.write(sample_run.folder, tmp_path, "svg")
    assert {"rules.svg", "payers.svg", "months.svg"} <= {path.name for path in written}
    assert sorted(tmp_path.iterdir()) == written
    patients = [value for (value,) in audit.con.execute("SELECT DISTINCT patient_id FROM claim_line").fetchall()]
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("<svg")
        assert "?" in text
        assert not any(patient in text for patient in patients)
        assert _private(path)
