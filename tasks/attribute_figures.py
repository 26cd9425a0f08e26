"""Figures of an attribute network: what they are, as files, and as a small table to read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.table import Table

from features.attributes.metadata import AttributeMetadata
from features.attributes.published import MEASURES, SOURCE, Mode, PublishedRow, find_row
from stats.effect_sizes import Estimate
from tasks.provenance import Step, write_sidecar, write_text_atomic

EVALUATION: Final = "evaluation.csv"
"""One row a measure; ``evaluation.json`` beside it holds the same with confusion matrix and provenance."""


@dataclass(frozen=True)
class Evaluation:
    """Figures of a network.

    Attributes
    ----------
    metadata
        Of the network.
    measures
        Name, as of `features.attributes.tallies.score_sums` -> value with its 95 % interval, of the tasks that it learned; NaN
        where the test labels do not define it.
    n
        Task or action unit -> test images with a known label.
    confusion
        Labelled by predicted, in the order of the network's expressions.
    n_images, n_people
        Test images, and people where they are known (else 0). The intervals resample people, else images.
    """

    metadata: AttributeMetadata
    measures: dict[str, Estimate]
    n: dict[str, int]
    confusion: npt.NDArray[np.int64]
    n_images: int
    n_people: int

    @property
    def mode(self) -> Mode:
        """Whether it learned one task or several."""
        return "multi-task" if len(self.metadata.tasks) > 1 else "single-task"

    @property
    def published(self) -> PublishedRow | None:
        """The paper's row of the same unit and mode."""
        return find_row(self.metadata.unit, self.mode)


def task_of(name: str) -> str:
    """Task to which a measure belongs."""
    first = name.partition("_")[0]
    return first if first in {"expression", "valence", "arousal"} else "aus"


def write_evaluation(folder: Path, evaluation: Evaluation, step: Step, started: datetime, comparable: set[str]) -> None:
    """Write ``evaluation.csv``, ``evaluation.json`` and ``confusion.csv``.

    Parameters
    ----------
    folder
        Of the network.
    evaluation
        The figures.
    step
        What decides them.
    started
        When the evaluation began.
    comparable
        Measures whose published figure is of the same data set.
    """
    table = make_table(evaluation, comparable)
    write_text_atomic(folder / EVALUATION, table.to_csv(index=False))
    if "expression" in evaluation.metadata.tasks:
        names = list(evaluation.metadata.expressions)
        confusion = pd.DataFrame(evaluation.confusion, index=pd.Index(names, name="labelled"), columns=names)
        write_text_atomic(folder / "confusion.csv", confusion.to_csv())
    write_sidecar(
        folder / EVALUATION,
        step,
        description=f"Agreement of the network with the labels of {evaluation.n_images} test images.",
        started=started,
        facts=describe_figures(evaluation)
        | {
            "trained_on": list(evaluation.metadata.training_data),
            "trained_tasks": list(evaluation.metadata.tasks),
            "demo": evaluation.metadata.demo,
            "published": SOURCE,
            "comparable": sorted(comparable),
        },
    )


def make_table(evaluation: Evaluation, comparable: set[str]) -> pd.DataFrame:
    """One row a measure: value, interval, labels, and the paper's figure.

    Parameters
    ----------
    evaluation
        The figures.
    comparable
        Measures whose published figure is of the same data set.
    """
    published = evaluation.published
    rows = []
    for name, estimate in evaluation.measures.items():
        has_figure = published is not None and name in MEASURES
        rows.append(
            {
                "measure": name,
                "task": task_of(name),
                "value": estimate.value,
                "ci_low": estimate.low,
                "ci_high": estimate.high,
                "n": count_of(evaluation, name),
                "published": getattr(published, name) if has_figure else math.nan,
                "published_on_same_data": has_figure and name in comparable,
            }
        )
    return pd.DataFrame(rows)


def count_of(evaluation: Evaluation, name: str) -> int:
    """Test images behind a measure."""
    first = name.partition("_")[0]
    return evaluation.n[first if first in evaluation.n else "aus"]


def describe_figures(evaluation: Evaluation) -> dict[str, Any]:
    """Everything as JSON values; what is not defined is null."""
    described: dict[str, Any] = {
        "n_images": evaluation.n_images,
        "n_people": evaluation.n_people,
        "interval": f"95 % percentile bootstrap over {'people' if evaluation.n_people else 'images'}",
        "labels": evaluation.n,
        "measures": {
            name: {key: _or_none(getattr(estimate, key)) for key in ("value", "low", "high")}
            for name, estimate in evaluation.measures.items()
        },
    }
    if "expression" in evaluation.metadata.tasks:
        described["confusion"] = {
            name: dict(zip(evaluation.metadata.expressions, row, strict=True))
            for name, row in zip(evaluation.metadata.expressions, evaluation.confusion.tolist(), strict=True)
        }
    return described


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def show_evaluation(table: pd.DataFrame, title: str) -> Table:
    """A table for the terminal from ``evaluation.csv``.

    Parameters
    ----------
    table
        As `make_table` gives it.
    title
        Its heading.
    """
    shown = Table(title=title)
    for name in ("measure", "value", "95 % interval", "labels", "published"):
        shown.add_column(name, justify="left" if name == "measure" else "right")
    for row in table.to_dict("records"):
        shown.add_row(*_format_row(row))
    return shown


def _format_row(row: dict[Any, Any]) -> Iterator[str]:
    yield str(row["measure"])
    yield format_number(row["value"])
    yield f"{format_number(row['ci_low'])} to {format_number(row['ci_high'])}"
    yield str(row["n"])
    mark = "" if row["published_on_same_data"] else " (other data)"
    yield f"{row['published']:.2f}{mark}" if math.isfinite(row["published"]) else ""


def format_number(value: float) -> str:
    """Three decimals, or n/a."""
    return f"{value:.3f}" if math.isfinite(value) else "n/a"
