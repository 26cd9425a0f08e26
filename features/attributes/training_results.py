"""What a training tells while it runs and after every epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from features.attributes.metrics import AttributeScores
from features.attributes.network import AttributeNetwork

State = dict[str, Any]
"""Everything that a training needs to go on: tensors and plain values, which a file holds without pickled code."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands, for a progress line.

    Attributes
    ----------
    epoch, n_epochs
        Epoch now running, from 0, and their number.
    step, n_steps
        Steps done in this epoch and their number.
    fraction
        Share of the work of all epochs that is done, 0 to 1, reckoned in pixels.
    loss
        Mean loss of the epoch so far.
    learning_rate
        At this step.
    steps_done
        Steps since the beginning of the training.
    """

    epoch: int
    n_epochs: int
    step: int
    n_steps: int
    fraction: float
    loss: float
    learning_rate: float
    steps_done: int


@dataclass(frozen=True, slots=True)
class EpochResult:
    """One finished epoch.

    Attributes
    ----------
    epoch
        From 0.
    input_size
        Side of the crops in pixels.
    learning_rate
        At its last step.
    losses
        Mean over the epoch of each task's loss and their weighted total.
    validation_loss
        Weighted total on the validation data, each task over all of its labels; NaN without data or labels.
    scores
        On the validation data; None without.
    improved
        Whether the validation loss is the lowest so far.
    is_last
        Whether training ends here.
    images_per_s, waiting_fraction
        Speed, and the share of the time in which the network waited for a batch: of the batches since the last start.
    network
        The network to keep: the moving average where there is one, in evaluation mode. A copy.
    state
        Everything that `train` needs to continue after this epoch: tensors and plain values.
    """

    epoch: int
    input_size: int
    learning_rate: float
    losses: dict[str, float]
    validation_loss: float
    scores: AttributeScores | None
    improved: bool
    is_last: bool
    images_per_s: float
    waiting_fraction: float
    network: AttributeNetwork
    state: State
