"""Write the tables, figures and methods text of a comparison beside its Parquet tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from tasks.bids_names import Derivatives
from tasks.provenance import read_sidecar, software_versions, write_bytes_atomic, write_sidecar
from tasks.publication.drawing import draw_nothing, to_pdf, to_svg
from tasks.publication.figures import draw_complexity, draw_effects, draw_participants, draw_rates
from tasks.publication.layout import lay_out_tests, to_csv
from tasks.publication.methods import environment, write_methods
from tasks.reports.pages import DISCLAIMER
from tasks.settings import CompareSettings, StudySettings, SummarizeSettings
from tasks.step_plans import COMPARISON_FIGURES, COMPARISON_TABLES, plan_publication
from tasks.tables import read_table

_READING_COLUMNS: Final = ("attribute_group", "reading", "feature", "t", "df", "p", "p_bh", "note")
_DIVERSITY_COLUMNS: Final = (
    "emotion", "directions", "measure", "n_a", "n_b", "mean_a", "mean_b", "z_signed", "p", "p_bh", "rank_biserial", "note",
)  # fmt: skip
_MODEL_COLUMNS: Final = (
    "emotion", "signal", "n_a", "n_b", "family", "estimate", "ci_low", "ci_high", "p", "p_bh", "note",
)  # fmt: skip
COMPARISON_TITLES: Final = {
    "effects": "Effect of group on each action unit",
    "participants": "Participants' values where p is smallest",
    "rates": "How often each unit is active",
    "complexity": "Combinations of units",
}
"""Figure -> title."""


def update_publication(
    derivatives: Derivatives, *, settings: CompareSettings, study: StudySettings, summarize: SummarizeSettings
) -> str | None:
    """Bring the page, the laid-out table, the figures and the methods text of the comparison up to date.

    Parameters
    ----------
    derivatives
        Where results go: ``group/comparison.html``, ``group/comparison_tests.csv``, ``group/comparison_methods.txt`` and
        ``group/figures/*.svg`` and ``.pdf``. Where no emotion could be compared, figures say so.
    settings
        Section `compare`.
    study, summarize
        Sections that name the groups and the activation threshold.

    Returns
    -------
    str or None
        Why it was written; None where it still held.
    """
    planned = plan_publication(derivatives, settings=settings, study=study, summarize=summarize)
    why = planned.why_stale()
    if why is None:
        return None
    started = datetime.now(UTC)
    tables = {name: read_table(derivatives.group_table(*where)) for name, where in COMPARISON_TABLES.items()}
    groups = (study.positive_group, study.comparison_group)
    figures = draw_all(tables, groups, settings.alpha)
    methods = write_methods(
        tables["over_participants"], settings, study=study, summarize=summarize, versions=software_versions()
    )
    facts = (read_sidecar(derivatives.group_table(*COMPARISON_TABLES["over_participants"])) or {}).get("facts", {})
    layout = lay_out_tests(tables["over_frames"], tables["over_participants"]) if figures else pd.DataFrame()
    drawn = {name: figures.get(name) or draw_nothing("No emotion could be compared.") for name in COMPARISON_FIGURES}
    svgs = {name: to_svg(figure, COMPARISON_TITLES[name]) for name, figure in drawn.items()}
    shown = {name: svgs[name] for name in figures}
    contents: dict[str, str | bytes] = {
        "page": render_comparison(tables, layout, shown, methods, facts=facts, study=study, alpha=settings.alpha),
        "tests": to_csv(layout) if figures else "",
        "methods": "\n\n".join(methods) + "\n",
        **{f"{name}.svg": svg for name, svg in svgs.items()},
        **{f"{name}.pdf": to_pdf(figure, COMPARISON_TITLES[name]) for name, figure in drawn.items()},
    }
    for name, path in planned.outputs.items():
        content = contents[name]
        write_bytes_atomic(path, content.encode() if isinstance(content, str) else content)
        write_sidecar(path, planned.step, description=_describe(name), started=started, facts=facts)
    return why


def _describe(name: str) -> str:
    if name.endswith((".svg", ".pdf")):
        return f"Figure: {COMPARISON_TITLES[name.rpartition('.')[0]]}"
    return {
        "page": "The comparison of the groups to read in a browser",
        "tests": "Tests by emotion laid out as table IV of Ji et al. (2025)",
        "methods": "Methods text of the comparison",
    }[name]


def draw_all(tables: Mapping[str, pd.DataFrame], groups: tuple[str, str], alpha: float) -> dict[str, Figure]:
    """Draw every figure; none where no emotion was compared."""
    if tables["over_participants"].empty or tables["over_participants"]["p"].isna().all():
        return {}
    people = tables["over_participants"]
    return {
        "effects": draw_effects(people, tables["over_frames"], alpha=alpha),
        "participants": draw_participants(tables["rates"], people),
        "rates": draw_rates(people),
        "complexity": draw_complexity(tables["complexity"], groups, emotions=list(dict.fromkeys(people["emotion"]))),
    }


def render_comparison(
    tables: Mapping[str, pd.DataFrame],
    layout: pd.DataFrame,
    figures: Mapping[str, str],
    methods: list[str],
    *,
    facts: Mapping[str, Any],
    study: StudySettings,
    alpha: float,
) -> str:
    """Fill the page: figures and tables stand in it, nothing is loaded from elsewhere."""
    origin = [
        word for key, word in (("rendered", "rendered faces"), ("demo_weights", "demo weights")) if facts.get(key)
    ]
    over_frames = tables["over_frames"]
    return (
        environment()
        .get_template("comparison.html.j2")
        .render(
            study=study,
            origin=" and ".join(origin),
            disclaimer=DISCLAIMER,
            methods=methods,
            # drawn here from numbers, text in it is escaped by the drawing library
            figures=[(COMPARISON_TITLES[name], Markup(svg)) for name, svg in figures.items()],  # noqa: S704
            emotions=_spans(layout),
            header=[names[1] for names in layout.columns],
            rows=layout.to_numpy().tolist(),
            agree=over_frames["units_agree"].value_counts().to_dict(),
            n_tests=len(over_frames),
            alpha=alpha,
            readings=_texts(tables["readings"], _READING_COLUMNS),
            diversity=_texts(tables["diversity"], _DIVERSITY_COLUMNS),
            models=_texts(tables["models"], _MODEL_COLUMNS),
        )
    )


def _spans(layout: pd.DataFrame) -> list[tuple[str, int]]:
    spans: list[tuple[str, int]] = []
    for names in layout.columns:
        first = str(names[0])
        if spans and spans[-1][0] == first:
            spans[-1] = (first, spans[-1][1] + 1)
        else:
            spans.append((first, 1))
    return spans


def _texts(table: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, list[list[str]]]:
    def write(value: object) -> str:
        if isinstance(value, float):
            return "n/a" if pd.isna(value) else f"{value:.3g}"
        return str(value)

    rows = table[list(columns)].to_numpy(dtype=object)
    return {"header": [list(columns)], "rows": [[write(value) for value in row] for row in rows]}
