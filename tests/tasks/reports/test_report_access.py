"""Pages for everybody: landmarks, order of headings, names of controls, and contrast computed from the stylesheets."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.exporters import describe_table, write_codebook
from tasks.publication.step import render_comparison
from tasks.reports import GroupReportInputs, ParticipantReportInputs, build_group_report, build_participant_report
from tasks.reports.figures import DIVERGING, INK
from tasks.settings import StudySettings

LEAST_CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3, for text of any size."""
HIDDEN = {"script", "style"}


class Outline(HTMLParser):
    """Landmarks, headings, tables, and the controls without a name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.nameless: list[str] = []
        self._open: list[tuple[str, dict[str, str], str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        if tag in {"a", "button", "summary", "h1", "h2", "h3", "caption", "figcaption"}:
            self._open.append((tag, values, ""))

    def handle_data(self, data: str) -> None:
        self._open = [(tag, values, text + data) for tag, values, text in self._open]

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            _, values, text = self._open.pop()
            if not text.strip() and not values.get("aria-label"):
                self.nameless.append(tag)

    def named(self, name: str) -> list[dict[str, str]]:
        return [values for tag, values in self.tags if tag == name]


@pytest.fixture(scope="module")
def pages(group_inputs: GroupReportInputs, participant_inputs: ParticipantReportInputs) -> dict[str, str]:
    rows = pd.DataFrame({"participant_id": ["1"], "group": ["ASD"], "x": [1.0]})
    described = {"description": "Rows", "columns": {}}
    table = describe_table("rows", rows, described, participants_json={}, positive_group="ASD", comparison_group="TD")
    columns = {
        "over_frames": ["units_agree"],
        "readings": ["attribute_group", "reading", "feature", "t", "df", "p", "p_bh", "note"],
        "diversity": [
            "emotion", "directions", "measure", "n_a", "n_b", "mean_a", "mean_b", "z_signed", "p", "p_bh", "rank_biserial", "note",
        ],
        "models": ["emotion", "signal", "n_a", "n_b", "family", "estimate", "ci_low", "ci_high", "p", "p_bh", "note"],
    }  # fmt: skip
    tables = {name: pd.DataFrame(np.ones((2, len(names))), columns=names) for name, names in columns.items()}
    layout = pd.DataFrame(
        [["AU12", "lip", "1"]], columns=pd.MultiIndex.from_tuples([("", "AU/AD"), ("", "Name"), ("joy", "Z")])
    )
    return {
        "group": build_group_report(group_inputs),
        "participant": build_participant_report(participant_inputs),
        "comparison": render_comparison(
            tables, layout, {"effects": "<svg></svg>"}, ["Text."], facts={}, study=StudySettings(), alpha=0.05
        ),
        "codebook": write_codebook([table, table], study_name="Study"),
    }


@pytest.mark.parametrize("name", ["group", "participant", "comparison", "codebook"])
def test_landmarks_and_headings(pages: dict[str, str], name: str) -> None:
    outline = Outline(pages[name])
    assert len(outline.named("main")) == len(outline.named("header")) == 1
    assert outline.named("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    assert all(values.get("aria-label") for values in outline.named("nav"))
    assert outline.nameless == []


@pytest.mark.parametrize("name", ["group", "participant", "comparison", "codebook"])
def test_tables_have_headed_rows_and_columns_and_scroll_by_keyboard(pages: dict[str, str], name: str) -> None:
    outline = Outline(pages[name])
    assert all(values.get("scope") in {"col", "colgroup", "row"} for values in outline.named("th"))
    assert any(values["scope"] == "row" for values in outline.named("th"))
    scrolling = [v for v in outline.named("div") if {"scroll", "table-wrap"} & set(v.get("class", "").split())]
    assert all(v["tabindex"] == "0" and v["role"] == "region" for v in scrolling)
    assert all(v.get("aria-label") or v.get("aria-labelledby") for v in scrolling)


@pytest.mark.parametrize("name", ["group", "participant", "comparison"])
def test_every_picture_has_a_name_and_there_is_a_way_past_the_header(pages: dict[str, str], name: str) -> None:
    outline = Outline(pages[name])
    pictures = [values for values in outline.named("div") if values.get("role") == "img"]
    assert len(pictures) == len(outline.named("figure")) > 0
    assert all(len(values["aria-label"]) > 20 for values in pictures)
    assert outline.named("a")[0] == {"class": "skip", "href": "#main"}
    assert ":focus-visible" in pages[name]


def test_only_sorting_headings_are_buttons(pages: dict[str, str]) -> None:
    outline = Outline(pages["group"])
    sortable = [values for values in outline.named("table") if values.get("class") == "sortable"]
    assert len(sortable) >= 5
    assert all(values == {"type": "button"} for values in outline.named("button"))


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.005)  # the known grey just below the limit


def list_rules(css: str) -> list[tuple[str, dict[str, str]]]:
    variables = dict(re.findall(r"(--[\w-]+):(#[0-9a-fA-F]{3,6})", css))
    plain = re.sub(r"var\((--[\w-]+)\)", lambda match: variables.get(match[1], match[0]), css)
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"@media[^{]*\{", "", plain))
    return [
        (selector.strip(), dict(item.split(":", 1) for item in body.replace(" ", "").split(";") if ":" in item))
        for selector, body in rules
    ]


SHEETS = {
    "reports": ("tasks.reports", "style.css"),
    "publication": ("tasks.publication", "comparison.html.j2"),
    "exporters": ("tasks.exporters", "codebook.html.j2"),
}


@pytest.mark.parametrize("sheet", list(SHEETS))
def test_text_has_contrast_on_every_background_of_its_stylesheet(sheet: str) -> None:
    package, name = SHEETS[sheet]
    text = Path(str(files(package) / "templates" / name)).read_text(encoding="utf-8")
    css = text.split("<style>")[1].split("</style>")[0] if name.endswith(".j2") else text
    rules = list_rules(css)
    solid = re.compile("#[0-9a-fA-F]{3,6}")
    backgrounds = {body["background"] for _, body in rules if solid.fullmatch(body.get("background", ""))} | {"#fff"}
    backgrounds -= {"#d9e0e6"}  # the lines between tiles: nothing is written on them
    colours = {body["color"]: selector for selector, body in rules if solid.fullmatch(body.get("color", ""))}
    assert len(colours) >= 1
    for colour, selector in colours.items():
        for background in backgrounds:
            found = contrast(colour, background)
            assert found >= LEAST_CONTRAST, f"{selector}: {colour} on {background} has {found:.2f}"


def test_numbers_in_coloured_bars_have_contrast(pages: dict[str, str]) -> None:
    spec = next(
        s
        for s in re.findall(r'<script type="application/json">(.*?)</script>', pages["group"])
        if '"tn"' in s or "recognised" in s
    )
    bars = json.loads(spec)["data"]
    for bar in bars:
        assert contrast(bar["textfont"]["color"], bar["marker"]["color"]) >= LEAST_CONTRAST


def test_numbers_in_a_heat_map_have_contrast_at_both_ends() -> None:
    assert all(contrast(INK, colour) >= LEAST_CONTRAST for _, colour in DIVERGING)


def test_shaded_cells_of_matrices_stay_readable() -> None:
    # The darkest shade is 30 % of rgb(0 114 178) over white.
    shade = [round(255 - 0.3 * (255 - part)) for part in (0, 114, 178)]
    assert contrast("#1b2530", "#" + "".join(f"{part:02x}" for part in shade)) >= LEAST_CONTRAST
