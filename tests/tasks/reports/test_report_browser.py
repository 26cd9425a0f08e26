"""Pages in a browser, opened from disk: charts are drawn, tables sort, nothing is asked of a network or logged, phones can read them."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.reports import (
    GroupReportInputs,
    ParticipantReportInputs,
    build_group_report,
    build_participant_report,
    report_assets,
)  # fmt: skip

pytestmark = pytest.mark.browser

PHONE, DESKTOP = (390, 844), (1280, 1500)
PAGES = ("group.html", "sub-ASD03.html")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium that records what it logs and every request that it makes."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed; `make test` installs it")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium or its driver is not there; install the Debian packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        "--disable-extensions", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-prefers-reduced-motion",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    opened.set_script_timeout(120)
    yield opened
    opened.quit()


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    group_inputs: GroupReportInputs,
    participant_inputs: ParticipantReportInputs,
) -> Path:
    path = tmp_path_factory.mktemp("reports")
    (path / "assets").mkdir()
    for name, text in report_assets().items():
        (path / "assets" / name).write_text(text, encoding="utf-8")
    (path / "group.html").write_text(build_group_report(group_inputs), encoding="utf-8")
    (path / "sub-ASD03.html").write_text(build_participant_report(participant_inputs), encoding="utf-8")
    return path


def open_page(browser: Any, page: Path, size: tuple[int, int] = DESKTOP) -> None:
    """Open a page at a width as a device has it, and wait until its charts are drawn."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # what an earlier page logged
    browser.get(page.as_uri())
    browser.execute_async_script(
        "const done = arguments[0], begun = Date.now(); (function wait() {"
        "const open = [...document.querySelectorAll('figure[data-chart] .chart')].filter(c => !c.querySelector('.main-svg'));"
        "if (open.length === 0 || !window.Plotly || Date.now() - begun > 60000) { requestAnimationFrame(() => done()); }"
        "else { setTimeout(wait, 50); } })();"
    )


def list_requests(browser: Any) -> set[str]:
    messages = [json.loads(item["message"])["message"] for item in browser.get_log("performance")]
    return {item["params"]["request"]["url"] for item in messages if item["method"] == "Network.requestWillBeSent"}


@pytest.mark.parametrize("name", PAGES)
def test_charts_are_drawn_and_nothing_is_logged_or_asked_of_a_network(browser: Any, folder: Path, name: str) -> None:
    page = folder / name
    open_page(browser, page)
    expected = page.read_text(encoding="utf-8").count('<script type="application/json">')
    drawn = browser.execute_script(
        "return document.querySelectorAll('.chart.js-plotly-plot .main-svg:first-child').length"
    )
    assert drawn == expected > 5
    assert [item["message"] for item in browser.get_log("browser")] == []
    requests = list_requests(browser)
    assert page.as_uri() in requests
    allowed = (folder.as_uri(), "data:", "blob:")
    assert [address for address in requests if not address.startswith(allowed)] == []


def read_column(browser: Any, table: str, column: int) -> list[str]:
    cells = f"document.querySelectorAll('#{table} tbody tr')"
    return list(
        browser.execute_script(f"return [...{cells}].map(row => row.cells[{column}].innerText.split('\\n')[0])")
    )


def test_a_click_sorts_a_table_and_says_so(browser: Any, folder: Path) -> None:
    open_page(browser, folder / "group.html")
    table = "participants-table"
    heading = f"document.querySelectorAll('#{table} thead th')[5]"
    before = read_column(browser, table, 0)
    assert browser.execute_script(f"return {heading}.getAttribute('aria-sort')") == "none"
    button = browser.execute_script(f"return {heading}.querySelector('button')")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert browser.execute_script(f"return {heading}.getAttribute('aria-sort')") == "ascending"
    after = read_column(browser, table, 0)
    assert after != before
    assert sorted(after) == sorted(before)
    assert (after[0], after[-1]) == ("TD09", "ASD05")  # the lowest coverage of the study; no value sorts last
    button.send_keys("\ue007")  # Enter: the same by keyboard
    assert browser.execute_script(f"return {heading}.getAttribute('aria-sort')") == "descending"
    assert read_column(browser, table, 0)[-1] == "ASD05"


@pytest.mark.parametrize("size", [PHONE, (320, 640), DESKTOP])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_its_screen(browser: Any, folder: Path, name: str, size: tuple[int, int]) -> None:
    open_page(browser, folder / name, size)
    width, screen = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert screen == size[0]
    assert width <= screen
    charts = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map(c => [c.clientWidth, c.querySelector('.main-svg').clientWidth])"
    )
    assert all(drawn <= room for room, drawn in charts)


def test_the_first_key_leads_past_the_header(browser: Any, folder: Path) -> None:
    open_page(browser, folder / "group.html")
    browser.find_element("css selector", "body").send_keys("\ue004")  # Tab
    focused = browser.switch_to.active_element
    assert focused.text == "Skip to the report"
    assert focused.rect["x"] >= 0
    assert browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_zooming_one_timeline_zooms_the_others(browser: Any, folder: Path) -> None:
    open_page(browser, folder / "sub-ASD03.html")
    ranges = browser.execute_async_script(
        "const done = arguments[0], charts = [...document.querySelectorAll('figure[data-zoom] .chart')];"
        "Plotly.relayout(charts[0], {'xaxis.range': [10, 20]}).then(() => setTimeout(() =>"
        "done(charts.map(chart => chart.layout.xaxis.range)), 1500));"
    )
    assert len(ranges) == 5
    assert all(shown == [10, 20] for shown in ranges)


def test_paper_shows_the_charts_whole_and_the_screen_is_as_before(browser: Any, folder: Path) -> None:
    open_page(browser, folder / "group.html")
    measure = (
        "return [...document.querySelectorAll('.chart .svg-container')].map(box => {"
        "const shown = box.getBoundingClientRect(), figure = box.closest('figure').getBoundingClientRect(),"
        "caption = box.closest('figure').querySelector('figcaption').getBoundingClientRect();"
        "return [shown.right - figure.left, shown.bottom - caption.top]; })"
    )
    before = browser.execute_script(measure)
    # What the browser does when it prints: the event, then the layout on paper.
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = browser.execute_script(f"document.body.style.width = '672px'; {measure}")
    assert all(right <= 673 and below <= 1 for right, below in shown)
    assert browser.execute_script("return getComputedStyle(document.querySelector('nav.contents')).display") == "none"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_script("document.body.style.width = ''; window.dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(measure) == before
    paper = {"paperWidth": 8.27, "paperHeight": 11.69}
    assert base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", paper)["data"]).startswith(b"%PDF-")


def test_a_page_without_its_assets_says_what_is_missing(browser: Any, folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "group.html"
    shutil.copy(folder / "group.html", alone)
    open_page(browser, alone)
    text = browser.execute_script("return document.querySelector('.chart').innerText")
    assert "This chart needs the file “assets/plotly.min.js”" in text
    assert browser.execute_script("return document.querySelectorAll('.main-svg').length") == 0
