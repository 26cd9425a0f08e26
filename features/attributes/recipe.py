"""How a network is trained: settings of the loop in `features.attributes.training`, and the two recipes in use."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from features.attributes.augmentation import PUBLISHED_AUGMENTATION, Augmentation

TaskName = Literal["expression", "aus", "valence", "arousal"]
ALL_TASKS: Final[tuple[TaskName, ...]] = get_args(TaskName)
"""In the order of `features.attributes.losses.TaskLosses`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Consecutive epochs at one input size.

    Attributes
    ----------
    input_size
        Side of the crops in pixels; the network pools globally, so early epochs may be smaller and cheaper.
    epochs
        Number of epochs.
    batch_size
        Faces a step.
    images
        Faces an epoch, drawn without replacement; None for all.
    """

    input_size: int
    epochs: int
    batch_size: int = 128
    images: int | None = None

    def __post_init__(self) -> None:
        if self.input_size < 32 or self.epochs < 1 or self.batch_size < 2 or (self.images or 1) < 1:
            raise ValueError(
                f"Expected an input size of at least 32, an epoch, a batch of at least 2 and an image or more, got {self}."
            )

    def images_of(self, available: int) -> int:
        """Faces an epoch out of those available."""
        return available if self.images is None else min(self.images, available)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """All choices of a training.

    Attributes
    ----------
    phases
        Run one after the other.
    optimizer
        ``"sgd"`` with momentum 0.9, or ``"adamw"``.
    schedule
        ``"exponential"``: learning rate times `decay` after each epoch; ``"one_cycle"``: linear rise over the first
        `warm_up` of the work, then a half cosine to a hundredth.
    learning_rate, decay, warm_up, weight_decay
        As named. Weight decay spares normalisations, slopes and biases.
    clip_norm
        Longer gradients are shortened to this norm; None for none. It guards against a rare class, whose weight is large.
    class_weights
        Whether losses are weighted by inverse class probability.
    regression_bins
        Intervals of the histogram that weights valence and arousal; None leaves them unweighted.
    au_softness
        See `features.attributes.losses.MultiTaskLoss`.
    tasks
        What is learned. The outputs of other tasks get no gradient.
    task_weights
        Factors of the losses of expression, action units, valence and arousal.
    averaging
        Decay of an exponential moving average of the weights, one update a step; None for none. The average is what is
        validated and kept.
    patience
        Epochs without a lower validation loss after which training ends; 0 for never.
    augmentation
        Changes of the crops.
    seed
        Of order, changes and dropout.
    """

    phases: tuple[Phase, ...]
    optimizer: Literal["sgd", "adamw"] = "sgd"
    schedule: Literal["exponential", "one_cycle"] = "exponential"
    learning_rate: float = 0.01
    decay: float = 0.95
    warm_up: float = 0.1
    weight_decay: float = 4e-5
    clip_norm: float | None = 5.0
    class_weights: bool = True
    regression_bins: int | None = 20
    au_softness: float | None = None
    tasks: tuple[TaskName, ...] = ALL_TASKS
    task_weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    averaging: float | None = None
    patience: int = 0
    augmentation: Augmentation = PUBLISHED_AUGMENTATION
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.phases or self.learning_rate <= 0:
            raise ValueError(
                f"Expected at least one phase and a positive learning rate, got {len(self.phases)} and "
                f"{self.learning_rate}."
            )
        if not self.tasks or not set(self.tasks) <= set(ALL_TASKS):
            raise ValueError(f"Expected tasks among {', '.join(ALL_TASKS)}, got {', '.join(self.tasks) or 'none'}.")

    @property
    def n_epochs(self) -> int:
        """Epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    def phase_of(self, epoch: int) -> Phase:
        """Phase to which an epoch, counted from 0, belongs."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        raise ValueError(f"Expected an epoch below {self.n_epochs}, got {epoch + self.n_epochs}.")

    def work(self, epochs: int, available: int) -> float:
        """Pixels seen in the first `epochs` epochs, by which time left and the one-cycle schedule are reckoned."""
        phases = (self.phase_of(epoch) for epoch in range(epochs))
        return float(sum(phase.images_of(available) * phase.input_size**2 for phase in phases))

    def learning_rate_at(self, epoch: int, progress: float) -> float:
        """Learning rate in an epoch, `progress` (0 to 1) being the fraction of all work done."""
        if self.schedule == "exponential":
            return self.learning_rate * self.decay**epoch
        if progress < self.warm_up:
            return self.learning_rate * (0.05 + 0.95 * progress / self.warm_up)
        falling = (progress - self.warm_up) / (1 - self.warm_up)
        return self.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * falling)) / 2)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values, by which a resumed training is recognised."""
        return asdict(self)


PUBLISHED_RECIPE = TrainingRecipe(phases=(Phase(input_size=224, epochs=30, batch_size=128),))
"""Li et al. (2019): SGD, momentum 0.9, learning rate 0.01 * 0.95^epoch, 30 epochs; batch and weight decay not stated there."""

DEMO_AUGMENTATION = Augmentation(
    rotation_deg=6.0,
    shear_deg=4.0,
    scale=0.08,
    aspect=0.03,
    shift=0.03,
    brightness=0.15,
    contrast=0.2,
    gamma=0.2,
    colour=0.08,
    noise=0.02,
    blur=0.15,
    compression=0.15,
)
"""Small changes: what a detector's error, a camera and a video encoder do to a rendered face."""

DEMO_RECIPE = TrainingRecipe(
    phases=(
        Phase(input_size=80, epochs=10, batch_size=64, images=6000),
        Phase(input_size=112, epochs=4, batch_size=64, images=6000),
        Phase(input_size=160, epochs=2, batch_size=64, images=5000),
        Phase(input_size=224, epochs=7, batch_size=32, images=3000),
    ),
    optimizer="adamw",
    schedule="one_cycle",
    learning_rate=3e-3,
    weight_decay=0.02,
    class_weights=False,
    regression_bins=None,
    au_softness=0.1,
    task_weights=(0.3, 4.0, 1.0, 1.0),
    averaging=0.99,
    augmentation=DEMO_AUGMENTATION,
    seed=2019,
)
"""Demo weights on rendered faces within about an hour of one processor thread: most epochs small, the last at full size."""
