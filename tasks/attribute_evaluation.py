"""How well an attribute network reads the test images of a training folder, with bootstrap intervals.

Writes ``evaluation.json``, ``evaluation.csv`` and ``evaluation.md``; the figures of a network that was trained in the folder are
also stored in its checkpoint, where model cards find them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from features.attributes.metadata import AttributeMetadata
from features.attributes.published import PublishedRow, find_row
from stats.effect_sizes import Estimate
from tasks.attribute_data.loading import TrainingData
from tasks.attribute_fitting import CHECKPOINT
from tasks.attribute_recipes import network_folder
from tasks.errors import WeightsError
from tasks.provenance import (
    Step,
    make_folder,
    why_stale,
)
from tasks.training_settings import TrainingSettings

CODE_VERSION: Final = 1
EVALUATION: Final = "evaluation.csv"
_LEVEL: Final = 0.95
_TASK_OF: Final = {"expression": "expression", "valence": "valence", "arousal": "arousal"}


@dataclass(frozen=True)
class Evaluation:
    """Figures of a network.

    Attributes
    ----------
    metadata
        Of the network.
    measures
        Name, as of `features.attributes.tallies.score_sums` -> value with its 95 % interval; only of the tasks that it learned
        and of which test labels are known.
    n
        Task or action unit -> test images with a known label.
    confusion
        Labelled by predicted, in the order of the network's expressions.
    n_images, n_people
        Test images, and people where they are known (0 else); the intervals resample people, else images.
    """

    metadata: AttributeMetadata
    measures: dict[str, Estimate]
    n: dict[str, int]
    confusion: npt.NDArray[np.int64]
    n_images: int
    n_people: int

    @property
    def mode(self) -> str:
        """``multi-task`` or ``single-task``."""
        return "multi-task" if len(self.metadata.tasks) > 1 else "single-task"

    @property
    def published(self) -> PublishedRow | None:
        """The paper's row of the same unit and mode."""
        return find_row(self.metadata.unit, "multi-task" if len(self.metadata.tasks) > 1 else "single-task")


def evaluate_attributes(
    folder: Path, data: TrainingData, settings: TrainingSettings, *, checkpoint: Path | None = None
) -> str | None:
    """Evaluate a checkpoint on the test images and write the figures, unless they hold.

    Parameters
    ----------
    folder
        The training folder.
    data
        Its images.
    settings
        Section `training`; it says which network, where no checkpoint is named.
    checkpoint
        Another network; its figures go to ``attributes/evaluations/<name>/``, and its file is left as it is.

    Returns
    -------
    str or None
        Why it ran; None where the figures hold.

    Raises
    ------
    WeightsError
        If the checkpoint is missing, cannot be read, or has another vocabulary than the data.
    """
    path = checkpoint or network_folder(folder, settings) / CHECKPOINT
    out = evaluation_folder(folder, settings, checkpoint)
    if not path.is_file():
        raise WeightsError(
            f"Expected the checkpoint {path.name} in {path.parent.name}, it is missing. "
            "Run `facetrace train-attributes` first, or name a checkpoint."
        )
    from tasks.attribute_recipes import fingerprint  # noqa: PLC0415

    chosen = {"bootstrap_samples": settings.bootstrap_samples, "seed": settings.seed}
    weights = {"network": hash_tensors(path)}
    step = Step("evaluate-attributes", CODE_VERSION, chosen, {"test images": fingerprint(data.test)}, weights)
    why = why_stale(out / EVALUATION, step)
    if why is None:
        return None
    started = datetime.now(UTC)
    evaluation = measure(path, data, settings)
    write_evaluation(make_folder(out), evaluation, step, started, comparable_tasks(settings))
    if checkpoint is None:
        _store_figures(path, evaluation)
    return why
