"""The data dictionary as a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined

from tasks.exporters.dictionary import MISSING_CODE, ExportTable


def write_codebook(tables: Sequence[ExportTable], *, study_name: str) -> str:
    """HTML of the codebook; names and descriptions are escaped, so that what a lab wrote into them is inert.

    Parameters
    ----------
    tables
        Exported tables.
    study_name
        For the heading.
    """
    environment = Environment(
        loader=PackageLoader("tasks.exporters"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("codebook.html.j2").render(
        tables=tables, study_name=study_name, missing_code=MISSING_CODE, version=version("facetrace")
    )
