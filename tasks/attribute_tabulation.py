"""The paper's figure 2: three units, each as one multi-task and four single-task networks, published figures beside ours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from features.attributes.cost import count_macs, count_parameters
from features.attributes.network import AttributeNetwork, OutputLayout
from features.attributes.published import FIGURE_2, MEASURES, SOURCE, PublishedRow
from features.attributes.recipe import ALL_TASKS, TaskName
from tasks.attribute_data.loading import TrainingData
from tasks.attribute_evaluation import evaluate_attributes, evaluation_folder, list_comparable
from tasks.attribute_figures import EVALUATION, format_number, task_of
from tasks.attribute_fitting import fit_attributes
from tasks.progress import Reporter, silent
from tasks.provenance import Step, make_folder, sha256_file, write_sidecar, write_text_atomic
from tasks.training_folder import RESULTS
from tasks.training_settings import TrainingSettings

TABLE: Final = "figure2.csv"
PAGE: Final = "figure2.md"
_CODE_VERSION: Final = 1
_TITLES: Final = {
    "expression_macro_f1": "Expr (F1)",
    "au_f1_accuracy": "AU (mean of F1 and accuracy)",
    "valence_pearson": "Val (CC)",
    "arousal_pearson": "Aro (CC)",
}
_UNITS: Final = {"bottleneck": "Bottleneck", "mobilenet": "MobileNet", "eesp": "EESP"}
PAPER_SCALE: Final = 2.0
PAPER_SIZE: Final = 224


def plan_networks(settings: TrainingSettings) -> dict[tuple[str, str], list[TrainingSettings]]:
    """The networks of each row of the figure: (unit, mode) -> their settings."""
    planned: dict[tuple[str, str], list[TrainingSettings]] = {}
    for row in FIGURE_2:
        groups: list[tuple[TaskName, ...]] = (
            [ALL_TASKS] if row.mode == "multi-task" else [(task,) for task in ALL_TASKS]
        )
        planned[row.unit, row.mode] = [
            settings.model_copy(update={"unit": row.unit, "tasks": tasks}) for tasks in groups
        ]
    return planned


def tabulate_attributes(
    folder: Path,
    data: TrainingData,
    settings: TrainingSettings,
    *,
    threads: int = 0,
    progress: Reporter = silent,
) -> Path:
    """Train and evaluate every network of the figure that is not finished, and write the table.

    Parameters
    ----------
    folder
        The training folder.
    data
        Its images.
    settings
        Section `training`; unit and tasks are those of the figure.
    threads
        CPU threads; 0 leaves torch's own choice.
    progress
        Told of each network and of the training within it.

    Returns
    -------
    Path
        ``attributes/figure2.csv``; beside it ``figure2.md``.

    Raises
    ------
    SettingsError
        If a network was begun with other settings or data.
    InvalidInputError
        If a task has no labels to learn from.
    """
    started, planned = datetime.now(UTC), plan_networks(settings)
    networks = [chosen for group in planned.values() for chosen in group]
    for done, chosen in enumerate(networks):
        progress("networks of figure 2", done, len(networks))
        fit_attributes(folder, data, chosen, threads=threads, progress=progress)
        evaluate_attributes(folder, data, chosen)
    progress("networks of figure 2", len(networks), len(networks))
    rows = [
        _make_row(published, folder, data, planned[published.unit, published.mode], list_comparable(settings))
        for published in FIGURE_2
    ]
    table, out = pd.DataFrame(rows), make_folder(folder / RESULTS)
    inputs = {
        str(path.relative_to(out)): sha256_file(path)
        for path in (evaluation_folder(folder, chosen) / EVALUATION for chosen in networks)
    }
    write_text_atomic(out / TABLE, table.to_csv(index=False))
    write_text_atomic(out / PAGE, describe_table(table, data, settings))
    step = Step("tabulate-attributes", _CODE_VERSION, settings.model_dump(mode="json", exclude={"data"}), inputs)
    description = f"{SOURCE}: single- and multi-task networks of three units, published beside measured."
    write_sidecar(out / TABLE, step, description=description, started=started, facts={"data": list(data.names)})
    return out / TABLE


def _make_row(
    published: PublishedRow, folder: Path, data: TrainingData, group: list[TrainingSettings], comparable: set[str]
) -> dict[str, Any]:
    size = measure_size(data, group)
    row: dict[str, Any] = {"mode": published.mode, "unit": published.unit, "networks": len(group)}
    row |= {"parameters": size["parameters"], "published_parameters_m": published.parameters_m}
    row |= {"macs": size["macs"], "published_macs_g": published.macs_g}
    for chosen in group:
        table = pd.read_csv(evaluation_folder(folder, chosen) / EVALUATION).set_index("measure")
        for name in MEASURES:
            if task_of(name) in chosen.tasks:
                found = table.loc[name]
                row |= {name: found["value"], f"{name}_ci_low": found["ci_low"], f"{name}_ci_high": found["ci_high"]}
    row |= {f"published_{name}": value for name, value in asdict(published).items() if name in MEASURES}
    return row | {f"{name}_on_same_data": name in comparable for name in MEASURES}


def measure_size(data: TrainingData, group: list[TrainingSettings]) -> Mapping[str, int]:
    """Weights, and multiply-accumulates for one image, of the networks of a row together.

    Parameters
    ----------
    data
        Says how many outputs there are.
    group
        Settings of each network.
    """
    layout = OutputLayout(n_expressions=len(data.expressions), n_aus=len(data.aus))
    first = group[0]
    network = AttributeNetwork(first.unit, scale=first.scale, layout=layout)
    macs = count_macs(network, input_size=first.input_size)
    return {"parameters": len(group) * count_parameters(network), "macs": len(group) * macs}


def describe_table(table: pd.DataFrame, data: TrainingData, settings: TrainingSettings) -> str:
    """The figure as Markdown: ours with its interval, the published figure in brackets, and how it was made.

    Parameters
    ----------
    table
        As ``figure2.csv`` holds it.
    data, settings
        With which it was made.
    """
    resampled = "images" if data.test.people is None else "people"
    made = (
        f"Made by `facetrace tabulate-attributes`: width scale {settings.scale:g}, {settings.input_size} x "
        f"{settings.input_size} pixels, {settings.epochs} epochs of {len(data.train)} training images, {len(data.test)} test "
        f"images; data: {', '.join(data.names)}; seed {settings.seed}. Each figure stands with its 95 % bootstrap interval over "
        f"{resampled}; the published one is in brackets. Weights and multiply-accumulates are counted on the networks trained "
        "here; a single-task row is four networks, one for each task."
    )
    source = (
        f"Published: {SOURCE}, on AffectNet (Expr, Val, Aro) and EmotioNet (AU), at width scale {PAPER_SCALE:g} and "
        f"{PAPER_SIZE} x {PAPER_SIZE} pixels; its column FLOPs counts multiply-accumulates."
    )
    head = ["# Single- and multi-task networks: Li et al. (2019), figure 2a", "", made, ""]
    return "\n".join([*head, *_list_caveats(data, settings), *_draw_table(table), "", source, ""])


def _list_caveats(data: TrainingData, settings: TrainingSettings) -> Iterator[str]:
    if list_comparable(settings) != set(MEASURES):
        drawn = " They are drawn faces: nothing here says how well a network reads people." if data.rendered else ""
        yield (
            "**An illustration:** the images are not those of the paper, so the published figures cannot be compared with ours."
            + drawn
        )
        yield ""
    if (settings.scale, settings.input_size) != (PAPER_SCALE, PAPER_SIZE):
        yield "Scale and image size are not the paper's, and so neither are weights and multiply-accumulates."
        yield ""


def _draw_table(table: pd.DataFrame) -> Iterator[str]:
    yield "| Mode | Unit | Weights (M) | MACs (G) | " + " | ".join(_TITLES[name] for name in MEASURES) + " |"
    yield "|---|---|---:|---:|" + "---:|" * len(MEASURES)
    for row in table.to_dict("records"):
        cells = [str(row["mode"]), _UNITS[row["unit"]]]
        cells.append(f"{row['parameters'] / 1e6:.3g} [{row['published_parameters_m']:g}]")
        cells.append(f"{row['macs'] / 1e9:.3g} [{row['published_macs_g']:g}]")
        cells += [_draw_cell(row, name) for name in MEASURES]
        yield "| " + " | ".join(cells) + " |"


def _draw_cell(row: Mapping[Any, Any], name: str) -> str:
    value, low, high = (float(row.get(key, math.nan)) for key in (name, f"{name}_ci_low", f"{name}_ci_high"))
    interval = f" ({format_number(low)} to {format_number(high)})" if math.isfinite(low) else ""
    return f"{format_number(value)}{interval} [{row[f'published_{name}']:.2f}]"
