"""Pages: the Jinja2 environment, the banner, and the assets that lie beside the reports."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import jinja2
import plotly.offline

from tasks.reports.formatting import full_stop, without_folders
from tasks.reports.inputs import ReportFacts

PLOTLY_ASSET: Final = "plotly.min.js"

DISCLAIMER: Final = (
    "Research software. Not a diagnosis; nothing on this page may decide about the care, schooling or treatment of a "
    "person."
)


@cache
def environment() -> jinja2.Environment:
    """The templates, with every value escaped unless a template says otherwise; an unknown name is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tasks.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(template: str, facts: ReportFacts, **values: Any) -> str:
    """Fill a template.

    Parameters
    ----------
    template
        File in ``templates/``.
    facts
        Header of the page.
    values
        What else the template names.

    Returns
    -------
    str
        A complete HTML document.
    """
    page = environment().get_template(template)
    return page.render(
        facts=facts, banner=describe_origin(facts), disclaimer=DISCLAIMER, plotly_asset=PLOTLY_ASSET, **values
    )


def describe_origin(facts: ReportFacts) -> str:
    """The banner: what the numbers come from where that is not people and published weights; empty where it is."""
    if facts.rendered_data and facts.demo_weights:
        return (
            "Demonstration: the faces were drawn by a program and read by demo weights that were trained on such "
            "drawings. "
            "The numbers show that the pipeline works. They say nothing about children."
        )
    if facts.rendered_data:
        return "Rendered data: the faces were drawn by a program. The numbers say nothing about children."
    if facts.demo_weights:
        return (
            "Demo weights: the networks were trained on rendered faces and have not been validated on people. "
            "Do not publish or interpret these numbers."
        )
    return ""


def absent_reason(absent: str, fallback: str = "The step that makes this table was not part of the run.") -> str:
    """Why a section has nothing to show."""
    return full_stop(without_folders(absent)) or fallback


def report_assets() -> dict[str, str]:
    """Files that reports refer to: name within the assets folder -> text. One copy serves all reports of a study."""
    return {PLOTLY_ASSET: plotly.offline.get_plotlyjs()}
