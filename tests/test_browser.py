"""The report as a reader meets it: in a browser, offline, page by page, filtered, opened and printed."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from therapy_audit import report

sys.path.insert(0, str(Path(__file__).parent))
from test_report import QUALITY, database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found (Debian: apt install chromium)")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    with database(6000) as con:
        report.write(con, folder, period="2026-Q3", quality=QUALITY)
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def opened(address: str) -> Iterator[tuple[Page, list[str], list[str]]]:
    """Open the report once: the page, what it logged and what it asked for."""
    said: list[str] = []
    asked: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        yield page, said, asked
        browser.close()


@pytest.fixture
def page(opened: tuple[Page, list[str], list[str]], address: str) -> Iterator[Page]:
    """Give the findings without filters; afterwards the page may have logged nothing and asked for nothing."""
    page, said, asked = opened
    page.set_viewport_size({"width": 1280, "height": 900})
    go(page, "findings")
    page.get_by_role("button", name="Clear").click()
    playwright.expect(page.get_by_role("searchbox")).to_have_value("")
    yield page
    assert said == []
    assert {url.partition("#")[0] for url in asked} == {address}


def go(page: Page, place: str) -> None:
    """Follow an address within the page, as a link does."""
    page.evaluate("place => { location.hash = place; }", place)
    page.evaluate("() => new Promise((done) => setTimeout(done))")


# All pages at once, each fold open; what is checked of a table is checked in a few rows of it.
WHOLE = """
for (const row of document.querySelectorAll("tbody > tr:nth-child(n+4), .person:nth-of-type(n+3)")) row.remove();
for (const fold of document.querySelectorAll("details")) fold.open = true;
for (const page of document.querySelectorAll(".page, .person")) page.classList.add("current");
"""


def shown(page: Page) -> int:
    """How many findings the line above the table says there are."""
    found = re.search(r"of ([\d,]+) findings", page.locator("#status").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def test_findings_can_be_filtered_searched_and_opened(page: Page) -> None:
    everything = shown(page)
    page.get_by_role("combobox", name="Rule").select_option('"medicare.timed_units_exceed_minutes"')
    fewer = shown(page)
    assert 0 < fewer < everything
    titles = set(page.locator("#list .open").all_inner_texts())
    assert titles == {"More timed units billed than the minutes allow"}

    claim = page.locator('#list [data-column="claim_id"]').nth(3).inner_text().split("\n")[0]
    page.get_by_role("searchbox").fill(claim.rpartition("-")[0])
    assert 0 < shown(page) < fewer
    assert all(
        claim.rpartition("-")[0] in text for text in page.locator('#list [data-column="claim_id"]').all_inner_texts()
    )

    page.locator("#list .open").first.focus()
    page.keyboard.press("Enter")
    detail = page.locator("#list .detail")
    text = detail.inner_text()
    assert page.locator("#list .open").first.get_attribute("aria-expanded") == "true"
    assert page.locator("#list .row small").first.inner_text() in text
    assert "Reduce the units" in text
    assert re.search(r"claims_2026q3\.csv, row [\d,]+", text)
    assert re.search(r"\b[0-9a-f]{16}\b", text)
    link = detail.get_by_role("link", name="Medicare Claims Processing Manual")
    assert link.get_attribute("href") == "https://www.cms.gov/manuals/clm104c05.pdf"

    page.get_by_role("button", name="Clear").click()
    playwright.expect(page.locator("#status")).to_contain_text(f"of {everything} findings")


PAGES = {
    "overview": "What to do first", "findings": "Findings", "clinicians": "Clinicians",
    "kx": "Patients near or over the KX threshold", "notes": "What the notes say", "denials": "What payers denied",
    "quality": "The data behind it", "method": "Method",
}  # fmt: skip


def test_each_page_is_led_to_by_its_link_and_stands_alone(page: Page) -> None:
    links = page.get_by_role("navigation").get_by_role("link")
    assert [link.get_attribute("href") for link in links.all()] == [f"#{name}" for name in PAGES]
    for number, heading in enumerate(PAGES.values()):
        links.nth(number).click()
        assert page.locator(".page:visible").count() == 1
        assert page.get_by_role("heading", name=heading, exact=True).is_visible()
        assert links.nth(number).get_attribute("aria-current") == "page"
        assert page.title() == f"{links.nth(number).inner_text()} · Therapy audit 2026-Q3"
    page.go_back()
    page.go_back()
    assert page.locator("#denials").is_visible()


@pytest.mark.parametrize("column", ["rule", "month", "payer", "rendering_npi"])
def test_a_number_leads_to_the_rows_that_it_counts(page: Page, column: str) -> None:
    go(page, "overview")
    link = page.locator(f'#where td a[href^="#findings?{column}="]').first
    count = int(link.text_content() or 0)
    page.evaluate("document.querySelectorAll('#where details').forEach((node) => { node.open = true; })")
    link.click()
    assert page.locator("#findings").is_visible()
    assert shown(page) == count > 0
    page.go_back()
    assert link.is_visible()


def test_the_dollars_of_the_headline_are_those_of_its_rows(page: Page) -> None:
    for number in range(2):
        go(page, "overview")
        link = page.locator("#headline .big a").nth(number)
        dollars = link.inner_text()
        link.click()
        assert dollars in page.locator("#status").inner_text()


def test_a_bar_leads_where_its_number_does(page: Page) -> None:
    go(page, "overview")
    bar = page.locator("#chart-rules .bars .point").first
    bar.scroll_into_view_if_needed()
    place = bar.bounding_box()
    assert place
    page.mouse.click(place["x"] + 5, place["y"] + place["height"] / 2)
    page.wait_for_url(re.compile(r"#findings\?rule="))
    assert shown(page) > 0


def test_filters_stand_in_the_address(page: Page) -> None:
    patient = page.locator('#list [data-column="claim_id"] small').first.inner_text()
    go(page, f"findings?patient_id={patient}&severity=error")
    count = shown(page)
    assert count > 0
    assert page.get_by_role("combobox", name="Severity").input_value() == '"error"'
    page.get_by_role("button", name=f"Remove the filter Patient {patient}").click()
    assert shown(page) > count
    assert page.evaluate("location.hash") == "#findings?severity=error"
    go(page, "findings?rule=no.such_rule")  # of a rule that found nothing: nothing, not everything
    assert page.locator("#status").inner_text() == "No finding fits these filters."


def test_each_clinician_has_a_page(page: Page) -> None:
    go(page, "clinicians")
    row = page.locator("#profiles tbody tr").first
    name, dollars = row.locator("th a").inner_text(), row.locator("td.over").inner_text()
    row.locator("th a").click()
    assert page.locator(".person:visible").count() == 1
    assert not page.locator("#profiles").is_visible()
    assert page.get_by_role("heading", name=name).is_visible()
    assert dollars in page.locator(".person:visible .sums").inner_text()
    assert page.title().startswith(name.partition(",")[0])
    page.locator(".person:visible").get_by_role("link", name="All clinicians").click()
    assert page.locator("#profiles").is_visible()


def test_a_rule_leads_to_its_remedy_and_citation(page: Page) -> None:
    go(page, "quality")
    page.locator('#coverage a[href="#rule-medicare.timed_units_exceed_minutes"]').click()
    row = page.locator("tr.aimed")
    assert "Reduce the units" in row.inner_text()
    assert row.get_by_role("link", name="Medicare Claims Processing Manual").is_visible()


def test_denials_are_told_one_by_one(page: Page) -> None:
    go(page, "denials")
    link = page.locator('#denial-category a[href^="#denied?category="]').last
    count = int(link.inner_text())
    link.click()
    assert page.locator("#denied tbody tr:visible").count() == count
    assert page.locator("#denied-shown").inner_text().startswith(f"{count} of ")
    page.get_by_role("link", name="Show all").click()
    assert page.locator("#denied tbody tr:visible").count() > count


def test_the_keyboard_is_enough(page: Page) -> None:
    go(page, "overview")
    page.get_by_role("link", name="Findings", exact=True).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Findings"  # the heading: reading goes on from there
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("97530")
    assert shown(page) > 0
    while not page.evaluate("document.activeElement.matches('#list .open')"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement !== document.body")
    page.keyboard.press("Enter")
    assert page.locator("#list .detail").count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("Boolean(document.activeElement.closest('.detail'))")
    page.keyboard.press("Escape")
    assert page.locator("#list .detail").count() == 0
    assert page.evaluate("document.activeElement.matches('#list .open')")
    page.get_by_role("link", name="Skip to the content").press("Enter")
    assert page.locator("#findings").is_visible()
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_names_and_roles_are_sound(page: Page, address: str, scheme: Literal["light", "dark"]) -> None:
    browser = page.context.browser
    assert browser
    tab = browser.new_page(color_scheme=scheme)
    tab.goto(f"{address}#findings")
    tab.locator("#list .open").first.click()
    tab.evaluate(WHOLE)
    assert tab.locator(".page:visible").count() == len(PAGES)
    found = axe.Axe().run(tab, options={"resultTypes": ["violations"], "iframes": False})
    tab.close()
    assert [
        (one["id"], one["impact"], one["nodes"][0]["html"])
        for one in found.response["violations"]
        if one["impact"] in {"serious", "critical"} or one["id"] == "heading-order"
    ] == []


def test_columns_sort_and_pages_turn(page: Page) -> None:
    def amounts() -> list[float]:
        return [
            float(text.strip("$").replace(",", "")) for text in page.locator("#list tbody td.num").all_inner_texts()
        ]

    first = amounts()
    assert first == sorted(first, reverse=True)
    page.get_by_role("button", name="Next").click()
    second = amounts()
    assert first[-1] >= second[0]
    page.get_by_role("button", name="Amount").click()
    assert amounts() == sorted(amounts())
    assert page.locator('#list th[data-sort="amount_at_risk"]').get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="Amount").click()


def test_text_from_files_runs_nothing(page: Page) -> None:
    page.get_by_role("searchbox").fill("window.hacked")
    assert shown(page) > 0
    page.locator("#list .open").first.click()
    assert "</script><script>window.hacked = 1</script>" in page.locator("#list .detail").inner_text()
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.locator("main img").count() == 0


def test_charts_are_drawn(page: Page) -> None:
    for place, names in {"overview": ("rules", "months", "payers", "clinicians"), "kx": ("kx",)}.items():
        go(page, place)
        for name in names:
            page.locator(f"#chart-{name} .bars .point").first.wait_for()
            assert (page.locator(f"#q-{name}").inner_text() or "").endswith("?")
    assert page.locator('[data-title*="hare"]').count() == 0  # no button that sends a chart anywhere


@pytest.mark.parametrize("width", [390, 900, 1440])
def test_no_width_scrolls_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.locator("#list .open").first.click()
    page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    for name in PAGES:
        go(page, name)
        for _ in range(100):  # every chart follows a moment after, not only the last; what stays too wide still fails
            if page.evaluate("document.documentElement.scrollWidth") == width:
                break
            page.wait_for_timeout(50)
        assert page.evaluate("document.documentElement.scrollWidth") == width, name
    scrolling = page.locator("#method .box[tabindex]").count()  # in itself, and by keyboard too
    assert bool(scrolling) == (width == 390)


def test_paper_shows_tables_whole_and_no_filters(page: Page) -> None:
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("#filters").is_hidden()
    assert page.locator(".page:visible").count() == 1  # the one that was on screen
    page.evaluate("document.documentElement.classList.add('whole')")
    assert page.get_by_text("Findings by rule. Amounts overlap").is_visible()
    assert page.locator(".page:visible").count() == len(PAGES)
    assert page.locator(".person:visible").count() > 1
    assert page.locator("#chart-kx .bars .point").count() > 0  # though it was not seen before
    assert page.locator("#list .row").count() == 100
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("document.documentElement.classList.remove('whole')")
    page.emulate_media(media="screen", color_scheme="light")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("#list .row").count() == 25
    assert page.pdf().startswith(b"%PDF")


def test_the_whole_report_is_printed_when_asked_for(page: Page) -> None:
    page.evaluate(
        "window.print = () => { window.printed = document.querySelectorAll('.page').length === "
        "[...document.querySelectorAll('.page')].filter((one) => one.clientHeight).length; }"
    )
    page.get_by_role("button", name="Print the whole report").click()
    assert page.evaluate("window.printed") is True
    assert page.locator(".page:visible").count() == 1
