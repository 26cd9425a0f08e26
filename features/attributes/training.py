"""Training loop: data-set agnostic, repeatable, resumable after every batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from features.attributes.batches import CropData
from features.attributes.network import AttributeNetwork
from features.attributes.reading import evaluate, read_faces
from features.attributes.recipe import TrainingRecipe
from features.attributes.trainer import Trainer
from features.attributes.training_results import EpochResult, Progress, State

__all__ = ["CropData", "EpochResult", "Progress", "State", "evaluate", "read_faces", "train"]


def train(
    network: AttributeNetwork,
    data: CropData,
    recipe: TrainingRecipe,
    *,
    validation: CropData | None = None,
    state: State | None = None,
    device: torch.device | str = "cpu",
    workers: int = 0,
    mixed_precision: bool = False,
    on_step: Callable[[Progress], None] | None = None,
    keep_state: Callable[[Callable[[], State]], None] | None = None,
) -> Iterator[EpochResult]:
    """Train a network, giving control back after every epoch.

    Parameters
    ----------
    network
        Trained in place.
    data
        Training crops.
    recipe
        What to do.
    validation
        Scored after every epoch at the epoch's input size.
    state
        Of an earlier moment of a training by the same recipe, to continue from there; on the same machine and number of
        threads the result on a CPU is then bit for bit that without the interruption.
    device
        Where to compute.
    workers
        Processes that prepare batches; the result does not depend on them.
    mixed_precision
        Half precision with scaled gradients on a GPU. A CPU always computes in single precision.
    on_step
        Called after every step.
    keep_state
        Called after every step with a function that gives the state of this moment, to be kept or not.

    Yields
    ------
    EpochResult
        One an epoch. Save its `state` to be able to continue.

    Raises
    ------
    ValueError
        If the labels do not fit the network, the state belongs to another recipe, or early stopping has no validation
        data.
    FloatingPointError
        If the loss is no longer finite.
    """
    if data.labels.n_aus != network.layout.n_aus:
        raise ValueError(
            f"Expected labels of {network.layout.n_aus} action units as the network has, got {data.labels.n_aus}."
        )
    if recipe.patience and validation is None:
        raise ValueError("Expected validation data for early stopping, got none.")
    trainer = Trainer(network, data, recipe, torch.device(device), workers=workers, mixed_precision=mixed_precision)
    trainer.on_step, trainer.keep_state = on_step, keep_state
    if state is not None:
        trainer.restore(state)
    while trainer.epoch < recipe.n_epochs and not trainer.is_exhausted:
        yield trainer.finish_epoch(validation)
