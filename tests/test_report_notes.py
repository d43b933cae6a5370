"""What the report says of the notes: scores and their parts, marked texts, timelines; texts only where asked for."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from therapy_audit import report

sys.path.insert(0, str(Path(__file__).parent))
from test_report import cells, database, embedded, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
ELEMENTS = ("specific_activity", "skilled_direction", "functional_goal", "patient_response", "time_stated")
HOSTILE = (
    'Zaffre, Zoë 😀 said "<script>window.hacked = 1</script>" & stood; cues for <b>hip</b> hinge, to toilet alone.'
)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with database(6000) as opened:
        yield opened


@pytest.fixture(scope="module")
def told(con: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a report with the texts of the notes."""
    path = tmp_path_factory.mktemp("told")
    report.write(con, path, period="2026-Q3", quality=None, with_text=True)
    return path


@pytest.fixture(scope="module")
def bare(con: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the same report without them."""
    path = tmp_path_factory.mktemp("bare")
    report.write(con, path, period="2026-Q3", quality=None)
    return path


def services(folder: Path) -> list[dict[str, str]]:
    with (folder / "documentation.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def section(folder: Path) -> str:
    """Return the section on the notes."""
    return page(folder).partition('<section id="notes">')[2].partition("</section>")[0]


# ---- scores ----------------------------------------------------------------------------------------------------------


def test_the_points_of_a_service_make_its_score(bare: Path) -> None:
    rows = services(bare)
    assert len({row["score"] for row in rows}) > 2
    assert {row["time_stated_points"] for row in rows} == {"15.0"}
    for row in rows:
        assert sum(float(row[f"{name}_points"]) for name in ELEMENTS) == float(row["score"])
    kept = duckdb.sql(f"SELECT count(*), sum(score) FROM '{bare / 'documentation.parquet'}'").fetchall()
    assert kept == [(len(rows), sum(int(row["score"]) for row in rows))]


def test_average_and_counts_are_the_same_everywhere(bare: Path) -> None:
    rows = services(bare)
    summary = json.loads((bare / "summary.json").read_text(encoding="utf-8"))["documentation"]
    average = round(sum(int(row["score"]) for row in rows) / len(rows), 1)
    assert (summary["services"], summary["scored"], summary["average_score"]) == (len(rows), len(rows), average)
    assert summary["elements"] == {name: sum(row[f"{name}_points"] != "0.0" for row in rows) for name in ELEMENTS}
    assert sum(summary["narratives"].values()) == len(rows)
    text = section(bare)
    assert f"score <strong>{average} of 100</strong> on average: {len(rows):,} notes" in text
    sheet = cells(bare, "Documentation")
    assert sum(row["scored"] for row in sheet) == len(rows)
    assert {row["month"] for row in sheet} == {row["service_date"][:7] for row in rows}
    for name in ELEMENTS:
        assert sum(row[name] for row in sheet) == summary["elements"][name]
    chart = embedded(bare)["charts"]["documentation"]
    assert sum(month["scored"] for row in chart for month in row["months"]) == len(rows)
    assert [row["score"] for row in chart] == sorted(row["score"] for row in chart)
    assert "length earns nothing" in text


def test_a_service_under_two_plans_counts_once(tmp_path: Path) -> None:
    with database(600) as con:
        before = report.write(con, tmp_path, period="2026-Q3", quality=None)["documentation"]
        con.execute("INSERT INTO documented_service SELECT * REPLACE ('other' AS plan) FROM documented_service")
        con.execute(
            "INSERT INTO documented_service"
            " SELECT * REPLACE (DATE '2026-06-30' AS service_date) FROM documented_service LIMIT 9"
        )
        assert report.write(con, tmp_path, period="2026-Q3", quality=None)["documentation"] == before


def test_changed_weights_change_the_points_and_are_told(tmp_path: Path) -> None:
    with database(600) as con:
        con.execute("UPDATE parameter SET value = 0 WHERE key = 'time_stated'")
        con.execute("UPDATE parameter SET value = 40 WHERE key = 'specific_activity'")
        report.write(con, tmp_path, period="2026-Q3", quality=None)
    assert {row["specific_activity_points"] for row in services(tmp_path)} == {"0.0", "40.0"}
    table = section(tmp_path).partition('<table id="elements">')[2].partition("</table>")[0]
    assert '<td class="num">40</td>' in " ".join(table.split())
    assert '<td class="num">0</td>' in " ".join(table.split())


def test_weights_that_change_within_the_period_are_told_with_their_dates(tmp_path: Path) -> None:
    with database(600) as con:
        con.execute("UPDATE parameter SET effective_to = '2026-07-31'")
        con.execute(
            "INSERT INTO parameter SELECT name, key, '2026-08-01', '2099-12-31', 20 FROM parameter"
            " WHERE name = 'clinic.documentation_weight'"
        )
        report.write(con, tmp_path, period="2026-Q3", quality=None)
    points = {(row["service_date"] < "2026-08-01", row["time_stated_points"]) for row in services(tmp_path)}
    assert points == {(True, "15.0"), (False, "20.0")}
    assert "from Aug 1, 2026" in section(tmp_path)


@pytest.mark.parametrize(("clinicians", "drawn"), [(1, 1), (40, 40), (55, 40)])
def test_one_clinician_and_many(tmp_path: Path, clinicians: int, drawn: int) -> None:
    with database(3000) as con:
        con.execute(f"UPDATE documented_service SET clinician_npi = 'N' || hash(claim_id) % {clinicians}")
        report.write(con, tmp_path, period="2026-Q3", quality=None)
    assert len(embedded(tmp_path)["charts"]["documentation"]) == drawn
    assert section(tmp_path).count('scope="rowgroup"') == drawn
    told = re.sub(r"<.*?>", "", section(tmp_path))
    assert ("The first 40 of 55 clinicians; findings.xlsx has all." in told) is (clinicians > drawn)
    assert len({row["clinician_npi"] for row in cells(tmp_path, "Documentation")}) == clinicians


def test_months_stand_in_order_under_their_clinician(bare: Path) -> None:
    table = section(bare).partition('<table id="documentation">')[2]
    for body in table.split("<tbody>")[1:]:
        months = [part.partition("<")[0] for part in body.split('<th scope="row">')[1:]]
        assert months == [month for month in ("Jul 2026", "Aug 2026", "Sep 2026") if month in months]


def test_without_notes_one_sentence_says_so(tmp_path: Path) -> None:
    with database(600) as con:
        con.execute("UPDATE documented_service SET score = NULL, text_read = FALSE, narrative = NULL")
        summary = report.write(con, tmp_path, period="2026-Q3", quality=None)
        assert summary["documentation"]["average_score"] is None
        assert "has a note with text, so no note could be scored." in section(tmp_path)
        assert "<table" not in section(tmp_path)
        assert {row["time_stated_points"] for row in services(tmp_path)} == {""}
        con.execute("DELETE FROM documented_service")
        summary = report.write(con, tmp_path, period="2026-Q3", quality=None)
    assert summary["documentation"]["services"] == 0
    assert "No functional activity (97530 and the like) was billed in the period" in section(tmp_path)
    assert embedded(tmp_path)["charts"]["documentation"] == []
    assert cells(tmp_path, "Documentation") == []


# ---- texts -----------------------------------------------------------------------------------------------------------


def test_without_being_asked_for_no_text_is_anywhere(bare: Path, told: Path) -> None:
    def holding(folder: Path, word: bytes) -> list[str]:
        found = []
        for path in folder.iterdir():
            parts = [path.read_bytes()]
            if path.suffix == ".xlsx":
                with zipfile.ZipFile(path) as book:
                    parts = [book.read(name) for name in book.namelist()]
            if path.suffix == ".parquet":
                parts = [repr(duckdb.sql(f"FROM '{path}'").fetchall()).encode()]
            found += [path.name for part in parts if word in part]
        return found

    assert holding(bare, b"Zaffre") == []
    assert embedded(bare)["texts"] == []
    assert embedded(bare)["notes"] == {}
    assert holding(told, b"Zaffre") == ["report.html"]


def test_texts_are_escaped_in_the_page(told: Path) -> None:
    assert "<script>window.hacked" not in page(told)
    assert page(told).count("</script>") == 3
    assert HOSTILE in embedded(told)["texts"]


def test_marks_stand_where_the_element_is_shown(told: Path) -> None:
    data = embedded(told)
    shown: dict[str, set[tuple[str, str]]] = {}
    for notes in data["notes"].values():
        for note in notes:
            text = data["texts"][note["text"]]
            for element, start, end in note["marks"]:
                shown.setdefault(text, set()).add((data["elements"][element][1], text[start:end]))
    assert shown[HOSTILE] == {("A", "stood"), ("S", "cues for <b>hip</b> hinge"), ("G", "hinge, to toilet alone")}
    (trimmed,) = [text for text in shown if text.startswith("Zaffre: sit")]
    assert ("A", "sit to stand from a chair") in shown[trimmed]


def test_a_long_difficulty_is_text(tmp_path: Path) -> None:
    with database(6000) as con:
        con.execute("UPDATE note_service SET difficulty = 'Zaffre moved to a lower chair today'")
        for with_text in (False, True):
            report.write(con, tmp_path, period="2026-Q3", quality=None, with_text=with_text)
            assert ("lower chair today" in page(tmp_path)) is with_text


# ---- timelines -------------------------------------------------------------------------------------------------------


def episodes(folder: Path) -> tuple[dict[str, Any], set[str]]:
    """Return the timelines of the page, and the keys of those that its findings ask for."""
    data = embedded(folder)
    asked = set()
    for finding in data["findings"]:
        if finding["grain"] == "activity":
            facts = json.loads(finding["facts"])
            key = (finding["patient_id"], finding["discipline"], facts["hcpcs_code"], facts["episode_start"])
            asked.add("\n".join(key))
    return data["timelines"], asked


def test_each_shown_activity_has_the_visits_of_its_episode(bare: Path, con: duckdb.DuckDBPyConnection) -> None:
    timelines, asked = episodes(bare)
    assert set(timelines) == asked
    assert len(asked) > 10
    key, visits = next(iter(timelines.items()))
    dates = con.execute(
        "SELECT service_date::VARCHAR FROM activity_day WHERE patient_id = ? ORDER BY ALL", [key.partition("\n")[0]]
    ).fetchall()
    assert [(date,) for date in visits["service_date"]] == dates
    assert visits["number"] == list(range(1, len(dates) + 1))
    assert {len(visits[name]) for name in ("assist", "cues", "difficulty", "said", "score")} == {len(dates)}
    assert set(visits["cues"]) == {1}
    assert set(visits["assist"]) <= {3, 4, 5, None}
    assert set(visits["measures"]) == {"weight", "errors", "task"}
    assert all(first < second for first, second in pairwise(visits["service_date"]))


def test_only_so_many_episodes_and_visits_are_held(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_EPISODES", 3)
    monkeypatch.setattr(report, "_VISITS", 2)
    report.write(con, tmp_path, period="2026-Q3", quality=None)
    timelines, asked = episodes(tmp_path)
    assert len(timelines) == 3 < len(asked)
    assert embedded(tmp_path)["episodes"] == 3
    assert all(len(visits["number"]) <= 22 for visits in timelines.values())


# ---- as a reader meets it --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(told: Path) -> Iterator[Page]:
    """Open the report with texts; it may log nothing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium found (Debian: apt install chromium)")
    said: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.goto((told / "report.html").as_uri() + "#findings")
        yield opened
        browser.close()
    assert said == []


def find(opened: Page, rule: str, words: str = "") -> None:
    """Show the findings of a rule, with these words in their text, and open the first."""
    opened.get_by_role("button", name="Clear").click()
    opened.get_by_role("combobox", name="Rule").select_option(f'"{rule}"')
    for at in range(opened.locator("#list .row").count()):
        opened.locator("#list .open").nth(at).click()
        if words in opened.locator("#list .detail").inner_text():
            return
        opened.locator("#list .open").nth(at).click()
    raise AssertionError(words)


def test_evidence_is_marked_with_overlaps_and_as_text(opened: Page) -> None:
    find(opened, "clinic.skilled_direction_missing", "window.hacked")
    text = opened.locator("#list .detail .marked").filter(has_text="window.hacked").first
    assert text.evaluate("node => node.textContent") == HOSTILE
    assert opened.evaluate("typeof window.hacked") == "undefined"
    assert text.locator("b, script").count() == 0

    def words(kind: int) -> str:
        return "".join(text.locator(f".mark-{kind}").evaluate_all("nodes => nodes.map((node) => node.textContent)"))

    assert (words(0), words(1), words(2)) == ("stood", "cues for <b>hip</b> hinge", "hinge, to toilet alone")
    assert text.locator("mark mark").evaluate_all("nodes => nodes.map((node) => node.textContent)") == ["hinge"]
    assert text.locator("mark[data-key]").evaluate_all("nodes => nodes.map((node) => node.dataset.key)") == [
        "A",
        "S",
        "G",
    ]
    lines = {
        text.locator(f".mark-{kind}").first.evaluate("node => getComputedStyle(node).borderBottomStyle")
        for kind in range(3)
    }
    assert len(lines) == 3
    legend = opened.locator("#list .detail .keys").first.inner_text()
    assert "Patient's response none found" in " ".join(legend.split())


def test_the_parts_of_a_score_stand_beside_its_finding(opened: Page) -> None:
    find(opened, "clinic.skilled_direction_missing", "How the note scores")
    rows = opened.locator("#list .points tr").all_inner_texts()
    parts = [row.split("\t") for row in rows]
    assert [part[0] for part in parts] == [
        *("Specific activity", "Skilled direction", "Functional goal", "Patient's response", "Time", "Score")
    ]
    earned = [int(part[2].partition(" of ")[0]) for part in parts]
    assert sum(earned[:-1]) == earned[-1]
    assert parts[4][1:] == ["shown", "15 of 15"]


def test_an_episode_is_drawn_with_the_visits_of_its_finding(opened: Page) -> None:
    find(opened, "clinic.description_cloned")
    picture = opened.locator("#list .detail svg")
    titles = picture.locator("text[font-weight]").all_text_contents()
    assert {"Cues", "Weight (lb)", "Errors", "Task", "Score"} <= set(titles)
    assert picture.locator(".band").count() == 1
    marked = opened.locator("#list .visits tr.run")
    assert 1 <= marked.count() <= 4
    assert marked.first.evaluate("node => getComputedStyle(node).display") == "table-row"
    assert "12,345" not in (picture.text_content() or "")
    assert picture.get_attribute("role") == "img"
    for width in (390, 1280):
        opened.set_viewport_size({"width": width, "height": 844})
        opened.wait_for_timeout(400)
        assert opened.evaluate("document.documentElement.scrollWidth") == width


def test_an_opened_finding_stays_open_on_paper(opened: Page) -> None:
    find(opened, "clinic.skilled_direction_missing", "Zaffre")
    opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.locator("#list .detail .marked").count() >= 1
    opened.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.locator("#list .detail").count() == 1


def test_the_scores_are_drawn(opened: Page) -> None:
    assert opened.locator("#chart-documentation .hm image").count() == 1
    assert opened.locator("#chart-documentation .ytick").count() == 10
