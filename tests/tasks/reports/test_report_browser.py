"""Pages in a browser: charts are drawn from disk, nothing is reported on the console."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tasks.reports import (
    GroupReportInputs,
    ParticipantReportInputs,
    build_group_report,
    build_participant_report,
    report_assets,
)  # fmt: skip

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("Chromium is not installed")
    return found


def open_page(chromium: str, page: Path, profile: Path) -> tuple[str, str]:
    """The document after its scripts ran, and what the browser logged."""
    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--disable-extensions",
    )
    run = subprocess.run(
        [chromium, *flags, f"--user-data-dir={profile}", "--virtual-time-budget=20000", "--enable-logging=stderr",
         "--window-size=1280,2000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return run.stdout, run.stderr


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


def check_charts(document: str, log: str, page: Path) -> None:
    expected = page.read_text(encoding="utf-8").count('<script type="application/json">')
    assert len(re.findall(r'class="[^"]*js-plotly-plot', document)) == expected > 5
    assert document.count('class="main-svg"') >= expected
    assert "Drawing the chart needs JavaScript" not in document
    assert "CONSOLE" not in log


def test_participant_report_draws_its_charts(chromium: str, folder: Path, tmp_path: Path) -> None:
    page = folder / "sub-ASD03.html"
    check_charts(*open_page(chromium, page, tmp_path), page)


def test_group_report_draws_its_charts_and_sorts_its_tables(chromium: str, folder: Path, tmp_path: Path) -> None:
    page = folder / "clicked.html"
    click = "<script>document.querySelectorAll('#participants-table thead button')[5].click();</script></body>"
    text = (folder / "group.html").read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", click), encoding="utf-8")
    document, log = open_page(chromium, page, tmp_path)
    check_charts(document, log, page)
    table = document[document.index('<table id="participants-table"') :].split("</table>")[0]
    assert 'aria-sort="ascending"' in table
    names = re.findall(r'<th scope="row"[^>]*><a [^>]*>(\w+)</a>', table)
    assert names[0] == "TD09"  # the lowest coverage of the fabricated study
    assert names[-1] == "ASD05"  # no value sorts last


def test_a_page_without_its_assets_says_what_is_missing(chromium: str, folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "group.html"
    shutil.copy(folder / "group.html", alone)
    document, _ = open_page(chromium, alone, tmp_path / "profile")
    assert "This chart needs the file “assets/plotly.min.js”" in document
    assert "main-svg" not in document
