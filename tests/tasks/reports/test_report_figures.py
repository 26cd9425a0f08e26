"""Figures of the group report for print: what they hold, and that the same numbers give the same files."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET

import pytest
from matplotlib.colors import to_hex

from tasks.publication.drawing import to_pdf, to_svg
from tasks.publication.study_figures import DRAWN, draw_flow, draw_performance, draw_roc
from tasks.report_plans import STUDY_FIGURES
from tasks.reports import GroupReportInputs
from tasks.reports.figures import LINES


def test_every_planned_figure_is_drawn() -> None:
    assert tuple(DRAWN) == STUDY_FIGURES


@pytest.mark.parametrize("name", list(DRAWN))
def test_figures_are_the_same_to_the_byte_and_bear_no_date(group_inputs: GroupReportInputs, name: str) -> None:
    title, draw = DRAWN[name]
    svg, pdf = to_svg(draw(group_inputs), title), to_pdf(draw(group_inputs), title)
    assert svg == to_svg(draw(group_inputs), title)
    assert pdf == to_pdf(draw(group_inputs), title)
    root = ET.fromstring(svg)  # noqa: S314
    assert root.find("{http://www.w3.org/2000/svg}title").text == title
    assert pdf.startswith(b"%PDF-")
    assert not re.search(rb"CreationDate|ModDate", pdf)
    assert "dc:date" not in svg


@pytest.mark.parametrize("name", list(DRAWN))
def test_a_study_without_tables_has_figures_that_say_so(group_inputs: GroupReportInputs, name: str) -> None:
    figure = DRAWN[name][1](GroupReportInputs(facts=group_inputs.facts))
    assert to_svg(figure, "Nothing").startswith("<svg")
    if name != "flow":
        assert len(figure.texts) == 1


def test_the_flow_names_counts_and_reasons(group_inputs: GroupReportInputs) -> None:
    words = " ".join(text.get_text() for text in draw_flow(group_inputs).axes[0].texts).replace("\n", " ")
    assert "Enrolled: n = 24 ASD 12, TD 12" in words
    assert "Not further: n = 1 No frame can be decoded (n = 1)" in words
    assert "Analysed: n = 22 ASD 11, TD 11" in words


def test_the_flow_stays_within_its_page(group_inputs: GroupReportInputs) -> None:
    assert group_inputs.features is not None
    features = group_inputs.features.copy()
    low = features.index[:15]
    features.loc[low, "included"] = False
    features.loc[low, "exclusion_reason"] = [f"{'a long reason ' * 9}of {'kind ' * (i % 6)}" for i in range(15)]
    figure = draw_flow(dataclasses.replace(group_inputs, features=features))
    renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else None
    axis = figure.axes[0]
    page = figure.bbox
    for text in axis.texts:
        box = text.get_window_extent(renderer)
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1


def test_curves_and_points_are_those_of_the_tables(group_inputs: GroupReportInputs) -> None:
    curves = draw_roc(group_inputs).axes[0].lines[1:]
    assert [to_hex(line.get_color()).upper() for line in curves] == [colour.upper() for colour in LINES]
    assert group_inputs.performance is not None
    full = group_inputs.performance.query("feature_set == 'all'")
    points = draw_performance(group_inputs).axes[0].collections[-1].get_offsets()
    assert points[:, 0].tolist() == pytest.approx(full["f1"].tolist())
