"""Methods text of a comparison, to paste into a paper."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import jinja2
import pandas as pd

from tasks.settings import CompareSettings, StudySettings, SummarizeSettings

_NAMED: Final = ("facetrace", "python", "numpy", "pandas", "scipy", "statsmodels")


@cache
def environment() -> jinja2.Environment:
    """The templates of this package, with every value escaped in those of pages."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tasks.publication"),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_methods(
    over_participants: pd.DataFrame,
    settings: CompareSettings,
    *,
    study: StudySettings,
    summarize: SummarizeSettings,
    versions: Mapping[str, str],
) -> list[str]:
    """Write what was tested, how, and with which corrections.

    Parameters
    ----------
    over_participants
        ``desc-emotionaus_tests``.
    settings
        Section `compare`.
    study, summarize
        Sections that name the groups and the activation threshold.
    versions
        Package -> version.

    Returns
    -------
    list of str
        Paragraphs; the last two are the software and the works cited.
    """
    a, b = study.positive_group, study.comparison_group
    counts = over_participants.drop_duplicates("emotion")
    text = (
        environment()
        .get_template("methods.txt.j2")
        .render(
            a=a,
            b=b,
            compare=settings,
            level=f"{100 * settings.confidence_level:g}",
            activation_threshold=summarize.activation_threshold,
            sizes="; ".join(f"{row.emotion}: {row.n_a} {a} and {row.n_b} {b}" for row in counts.itertuples()),
            software=", ".join(f"{name} {versions[name]}" for name in _NAMED if name in versions),
        )
    )
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]
