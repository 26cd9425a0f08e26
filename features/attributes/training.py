"""Training loop: data-set agnostic, repeatable, resumable after every epoch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from features.attributes.augmentation import augment, resize
from features.attributes.crop_data import CropArray
from features.attributes.frames import raw_to_frame
from features.attributes.labels import AttributeLabels
from features.attributes.losses import LabelBatch, MultiTaskLoss, TaskLosses, compute_class_weights
from features.attributes.metrics import AttributeScores, score_attributes
from features.attributes.model import to_input
from features.attributes.network import AttributeNetwork
from features.attributes.recipe import TrainingRecipe

_CLIP_NORM = 5.0


@dataclass(frozen=True, slots=True)
class CropData:
    """Aligned crops and their labels.

    Attributes
    ----------
    crops
        Shape (n, S, S, 3), uint8, RGB: an array, may be mapped from a file, or another object that is read by integer arrays.
    labels
        Of the n crops.
    """

    crops: CropArray
    labels: AttributeLabels

    def __post_init__(self) -> None:
        shape = self.crops.shape
        if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2] or self.crops.dtype != np.uint8:
            raise ValueError(f"Expected uint8 crops of shape (n, S, S, 3), got {self.crops.dtype} of shape {shape}.")
        if shape[0] != len(self.labels) or shape[0] < 2:
            raise ValueError(f"Expected two crops or more and as many labels, got {shape[0]} and {len(self.labels)}.")

    def __len__(self) -> int:
        return len(self.labels)


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
    """

    epoch: int
    n_epochs: int
    step: int
    n_steps: int
    fraction: float
    loss: float


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
    scores
        On the validation data; None without.
    network
        The network to keep: the moving average where there is one, in evaluation mode. A copy.
    state
        Everything that `train` needs to continue after this epoch: tensors and plain values.
    """

    epoch: int
    input_size: int
    learning_rate: float
    losses: dict[str, float]
    scores: AttributeScores | None
    network: AttributeNetwork
    state: dict[str, Any]


def train(
    network: AttributeNetwork,
    data: CropData,
    recipe: TrainingRecipe,
    *,
    validation: CropData | None = None,
    state: dict[str, Any] | None = None,
    device: torch.device | str = "cpu",
    on_step: Callable[[Progress], None] | None = None,
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
        `EpochResult.state` of an earlier epoch of the same recipe, to continue after it; the result is then the same as
        without the interruption, on the same machine and number of threads.
    device
        Where to compute.
    on_step
        Called after every step.

    Yields
    ------
    EpochResult
        One an epoch. Save its `state` to be able to continue.

    Raises
    ------
    ValueError
        If the labels do not fit the network, or the state belongs to another recipe.
    FloatingPointError
        If the loss is no longer finite.
    """
    if data.labels.n_aus != network.layout.n_aus:
        raise ValueError(
            f"Expected labels of {network.layout.n_aus} action units as the network has, got {data.labels.n_aus}."
        )
    trainer = _Trainer(network, data, recipe, torch.device(device), on_step)
    first = trainer.restore(state) if state is not None else 0
    for epoch in range(first, recipe.n_epochs):
        losses = trainer.run_epoch(epoch)
        kept = trainer.kept_network()
        size = recipe.phase_of(epoch).input_size
        scores = evaluate(kept, validation, input_size=size, device=device) if validation else None
        yield EpochResult(
            epoch=epoch,
            input_size=size,
            learning_rate=trainer.learning_rate,
            losses=losses,
            scores=scores,
            network=kept,
            state=trainer.state(epoch + 1),
        )


def read_faces(
    network: AttributeNetwork,
    crops: CropArray,
    *,
    input_size: int,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> npt.NDArray[np.float32]:
    """Frame rows (n, n_outputs) of crops brought to `input_size` pixels a side, by a network in evaluation mode."""
    frames = np.empty((len(crops), network.layout.n_outputs), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(crops), batch_size):
            rows = slice(start, start + batch_size)
            raw = network(resize(to_input(crops[rows], device), input_size))
            frames[rows] = raw_to_frame(raw.float().cpu().numpy(), network.layout)
    return frames


def evaluate(
    network: AttributeNetwork,
    data: CropData,
    *,
    input_size: int,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> AttributeScores:
    """Score a network in evaluation mode on crops brought to `input_size` pixels a side."""
    frames = read_faces(network, data.crops, input_size=input_size, batch_size=batch_size, device=device)
    return score_attributes(data.labels, frames, network.layout)


class _Trainer:
    """State of one training: network, optimiser, moving average."""

    def __init__(
        self,
        network: AttributeNetwork,
        data: CropData,
        recipe: TrainingRecipe,
        device: torch.device,
        on_step: Callable[[Progress], None] | None,
    ) -> None:
        self.network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.data, self.recipe, self.device, self.on_step = data, recipe, device, on_step
        self.optimizer = _make_optimizer(network, recipe)
        self.average = copy.deepcopy(network).eval() if recipe.averaging is not None else None
        self.steps_done = 0
        weights = None
        if recipe.class_weights:
            weights = compute_class_weights(
                data.labels, n_expressions=network.layout.n_expressions, regression_bins=recipe.regression_bins
            )
        self.loss = MultiTaskLoss(network.layout, weights=weights, au_softness=recipe.au_softness)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def run_epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch; its randomness depends on seed and epoch only."""
        phase = self.recipe.phase_of(epoch)
        seed = int(np.random.SeedSequence([self.recipe.seed, epoch]).generate_state(1)[0])
        n_images = phase.images_of(len(self.data))
        order = np.random.default_rng(seed).permutation(len(self.data))[:n_images]
        batches = [order[i : i + phase.batch_size] for i in range(0, n_images, phase.batch_size)]
        if len(batches[-1]) < 2:  # normalisation over one face of 1x1 pixel has no variance
            batches.pop()
        generator = torch.Generator().manual_seed(seed)
        totals = np.zeros(5)
        self.network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for step, rows in enumerate(batches, start=1):
                fraction = self._fraction_done(epoch, (step - 1) / len(batches))
                for group in self.optimizer.param_groups:
                    group["lr"] = self.recipe.learning_rate_at(epoch, fraction)
                totals += self._step(np.sort(rows), phase.input_size, generator)
                self._report(epoch, step, len(batches), float(totals[-1]) / step)
        names = (*TaskLosses._fields, "total")
        return dict(zip(names, (totals / len(batches)).tolist(), strict=True))

    def _step(self, rows: npt.NDArray[np.intp], size: int, generator: torch.Generator) -> npt.NDArray[np.float64]:
        images = to_input(self.data.crops[rows], self.device)
        images = augment(images, self.recipe.augmentation, size=size, generator=generator)
        labels = LabelBatch.from_labels(self.data.labels.take(rows), self.device)
        losses = self.loss(self.network(images), labels)
        total = torch.stack([w * loss for w, loss in zip(self.recipe.task_weights, losses, strict=True)]).sum()
        if not torch.isfinite(total):
            raise FloatingPointError(
                f"Expected a finite loss, got {total.item()} after {self.steps_done} steps: lower the learning rate."
            )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP_NORM)
        self.optimizer.step()
        self.steps_done += 1
        self._update_average()
        return np.array([*(float(loss.detach()) for loss in losses), float(total.detach())])

    def _update_average(self) -> None:
        if self.average is None or self.recipe.averaging is None:
            return
        decay = min(self.recipe.averaging, (1 + self.steps_done) / (10 + self.steps_done))
        with torch.no_grad():
            for kept, new in zip(_tensors(self.average), _tensors(self.network), strict=True):
                if kept.is_floating_point():
                    kept.lerp_(new, 1 - decay)
                else:
                    kept.copy_(new)

    def _fraction_done(self, epoch: int, within: float) -> float:
        done, after, total = (
            self.recipe.work(epochs, len(self.data)) for epochs in (epoch, epoch + 1, self.recipe.n_epochs)
        )
        return (done + within * (after - done)) / total

    def _report(self, epoch: int, step: int, n_steps: int, loss: float) -> None:
        if self.on_step is not None:
            fraction = self._fraction_done(epoch, step / n_steps)
            self.on_step(Progress(epoch, self.recipe.n_epochs, step, n_steps, fraction, loss))

    def kept_network(self) -> AttributeNetwork:
        """Copy of the network to keep, in evaluation mode."""
        return copy.deepcopy(self.network if self.average is None else self.average).eval()

    def state(self, epochs_done: int) -> dict[str, Any]:
        """Everything needed to continue, as a copy."""
        return copy.deepcopy(
            {
                "recipe": repr(self.recipe.to_dict()),
                "epochs_done": epochs_done,
                "steps_done": self.steps_done,
                "network": self.network.state_dict(),
                "average": None if self.average is None else self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            }
        )

    def restore(self, state: dict[str, Any]) -> int:
        """Take over a state; return the epoch to run next."""
        if state["recipe"] != repr(self.recipe.to_dict()):
            raise ValueError(
                f"Expected the state of a training with this recipe, got one of another: {state['recipe']}. "
                "Start anew or use the same settings."
            )
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.steps_done = int(state["steps_done"])
        return int(state["epochs_done"])


def _tensors(network: nn.Module) -> Iterator[torch.Tensor]:
    yield from network.parameters()
    yield from network.buffers()


def _make_optimizer(network: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    spared = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)
