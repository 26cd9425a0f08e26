"""How a network of windows is trained: the published settings and the sound default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SequenceRecipe:
    """Settings of a training; `PUBLISHED` and `SOUND` are the two that are meant.

    Attributes
    ----------
    learning_rates
        Initial learning rates of AdamW. With several, each is tried and the one with the lowest error on the inner
        validation participants is kept.
    epochs
        Passes over the training windows at most.
    batch_size
        Windows of a step.
    windows_per_epoch
        Windows drawn for an epoch, without replacement; None for all.
    stop_after
        Epochs without a lower error on the monitored participants after which training ends; None for never.
    plateau_patience, plateau_factor
        ReduceLROnPlateau: epochs without improvement that are let pass, and what the learning rate is then multiplied by.
    weight_decay
        Of AdamW; the published code uses its default.
    huber_delta
        Error at which the loss turns from square to linear, in points of the rating scale.
    start_at_median
        Begin with the median of the training labels as the bias of the head, so that a network starts as the constant
        that it must beat.
    """

    learning_rates: tuple[float, ...] = (1e-3, 3e-4)
    epochs: int = 15
    batch_size: int = 64
    windows_per_epoch: int | None = None
    stop_after: int | None = 4
    plateau_patience: int = 2
    plateau_factor: float = 0.1
    weight_decay: float = 0.01
    huber_delta: float = 1.0
    start_at_median: bool = True

    def __post_init__(self) -> None:
        if not self.learning_rates or min(self.learning_rates) <= 0:
            raise ValueError(f"Expected positive learning rates, got {self.learning_rates}.")
        counts = (self.epochs, self.batch_size, self.windows_per_epoch or 1, self.stop_after or 1)
        if min(counts) < 1:
            raise ValueError(
                "Expected epochs, batch_size, windows_per_epoch and stop_after of 1 or more, "
                f"got {self.epochs}, {self.batch_size}, {self.windows_per_epoch} and {self.stop_after}."
            )


PUBLISHED: Final = SequenceRecipe(learning_rates=(1e-6,), stop_after=None, start_at_median=False)
"""Hugging Rain Man, section V-A3: AdamW 1e-6, ReduceLROnPlateau(0.1, 2), 15 epochs, batch 64, Huber delta 1."""

SOUND: Final = SequenceRecipe()
"""Higher learning rates, one of which is chosen inside the training participants; early stopping."""
