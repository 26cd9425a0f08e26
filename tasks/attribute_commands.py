"""A training folder opened, locked and worked on: what `facetrace evaluate-attributes` and `tabulate-attributes` do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.table import Table

from features.attributes.metadata import AttributeMetadata
from tasks.attribute_checkpoints import read_strings
from tasks.attribute_data.loading import load_training_data
from tasks.attribute_evaluation import evaluate_attributes, evaluation_folder
from tasks.attribute_figures import EVALUATION, show_evaluation
from tasks.attribute_recipes import describe_network
from tasks.attribute_tabulation import tabulate_attributes
from tasks.errors import WeightsError
from tasks.progress import Reporter, silent
from tasks.run_lock import hold_run_lock
from tasks.settings import Settings
from tasks.storage import remove_leftovers
from tasks.training_folder import RESULTS, read_training_settings


@dataclass(frozen=True)
class MadeEvaluation:
    """Where the figures are, and how a terminal shows them."""

    path: Path
    shown: Table


@contextmanager
def _alone_in(folder: Path, command: str) -> Iterator[None]:
    with hold_run_lock(folder / RESULTS, command=command):
        remove_leftovers(folder / RESULTS)
        yield


def evaluate_in_folder(
    folder: Path, config: Path | None, checkpoint: Path | None, *, progress: Reporter = silent
) -> MadeEvaluation:
    """Evaluate the network of the settings, or another, on the test images of a training folder.

    Parameters
    ----------
    folder
        The training folder.
    config
        Settings file; None for the folder's config.yaml.
    checkpoint
        Another network; the crops are then cut to its input size.
    progress
        Told while crops are cut.

    Raises
    ------
    SettingsError, InvalidInputError, WeightsError
        As of the steps.
    """
    settings = read_training_settings(folder, config)
    if checkpoint is not None:
        settings = _fit_input_size(settings, checkpoint)
    with _alone_in(folder, "evaluate-attributes"):
        data = load_training_data(folder, settings, progress=progress)
        evaluate_attributes(folder, data, settings.training, checkpoint=checkpoint)
    path = evaluation_folder(folder, settings.training, checkpoint) / EVALUATION
    name = describe_network(settings.training) if checkpoint is None else checkpoint.name
    return MadeEvaluation(path, show_evaluation(pd.read_csv(path), f"{name}: {len(data.test)} test images"))


def _fit_input_size(settings: Settings, checkpoint: Path) -> Settings:
    if not checkpoint.is_file():
        raise WeightsError(f"Expected the checkpoint {checkpoint.name}, it is missing.")
    try:
        size = AttributeMetadata.from_strings(read_strings(checkpoint)).input_size
    except ValueError as error:
        raise WeightsError(
            f"Expected a checkpoint of an attribute network in {checkpoint.name}, got: {error}"
        ) from error
    return settings.model_copy(update={"training": settings.training.model_copy(update={"input_size": size})})


def tabulate_in_folder(folder: Path, config: Path | None, *, progress: Reporter = silent) -> Path:
    """Train and evaluate all networks of the paper's figure 2 on a training folder, and write the table.

    Parameters
    ----------
    folder
        The training folder.
    config
        Settings file; None for the folder's config.yaml.
    progress
        Told while crops are cut and networks trained.

    Returns
    -------
    Path
        ``attributes/figure2.csv``.

    Raises
    ------
    SettingsError, InvalidInputError
        As of the steps.
    """
    settings = read_training_settings(folder, config)
    with _alone_in(folder, "tabulate-attributes"):
        data = load_training_data(folder, settings, progress=progress)
        return tabulate_attributes(folder, data, settings.training, threads=settings.run.threads, progress=progress)
