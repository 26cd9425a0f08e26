"""The state of one training, and its steps."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from features.attributes.batches import Batch, CropData, TrainingBatches, derive_seed, load_batches
from features.attributes.frames import raw_to_frame
from features.attributes.label_checks import find_labelled
from features.attributes.labels import AttributeLabels
from features.attributes.losses import LabelBatch, MultiTaskLoss, TaskLosses, compute_class_weights
from features.attributes.metrics import AttributeScores, score_attributes
from features.attributes.network import AttributeNetwork
from features.attributes.reading import read_raw
from features.attributes.recipe import ALL_TASKS, TrainingRecipe
from features.attributes.training_results import EpochResult, Progress, State


class Trainer:
    """One training: network, optimiser, moving average, and where it stands.

    Parameters
    ----------
    network, data, recipe, device, workers, mixed_precision
        As of `features.attributes.training.train`.
    """

    on_step: Callable[[Progress], None] | None = None
    keep_state: Callable[[Callable[[], State]], None] | None = None

    def __init__(
        self,
        network: AttributeNetwork,
        data: CropData,
        recipe: TrainingRecipe,
        device: torch.device,
        *,
        workers: int,
        mixed_precision: bool,
    ) -> None:
        self.network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.data, self.recipe, self.device, self.workers = data, recipe, device, workers
        self.optimizer = _make_optimizer(network, recipe)
        self.average = copy.deepcopy(network).eval() if recipe.averaging is not None else None
        self.half = mixed_precision and device.type == "cuda"
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.half)
        # A single-task network of a mixed data set has nothing to learn from the images of the others.
        everything = len(recipe.tasks) == len(ALL_TASKS)
        self.rows = np.arange(len(data)) if everything else find_labelled(data.labels, recipe.tasks)
        if len(self.rows) < 2:
            raise ValueError(
                f"Expected two or more images with a label of {', '.join(recipe.tasks)}, got {len(self.rows)}."
            )
        self.batches = TrainingBatches(data, recipe, among=self.rows, on_device=device.type == "cuda")
        self._loading: Iterator[Batch] | None = None
        self.loss = _make_loss(network, data.labels, recipe)
        self.task_weights = [
            weight if task in recipe.tasks else 0.0 for task, weight in zip(ALL_TASKS, recipe.task_weights, strict=True)
        ]
        self.epoch = self.step = self.steps_done = 0
        self.totals = np.zeros(len(ALL_TASKS) + 1)
        self.rng: State = {}
        self.best_loss, self.epochs_without_gain = math.inf, 0
        self.clock = _Clock()

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def is_exhausted(self) -> bool:
        """Whether the validation loss has not fallen for as long as the recipe's patience."""
        return 0 < self.recipe.patience <= self.epochs_without_gain

    def finish_epoch(self, validation: CropData | None) -> EpochResult:
        """Run what is left of the current epoch, validate, and step on to the next."""
        epoch, size = self.epoch, self.recipe.phase_of(self.epoch).input_size
        losses = self._run_batches()
        kept = copy.deepcopy(self.network if self.average is None else self.average).eval()
        validation_loss, scores = self._validate(kept, validation, size)
        improved = validation_loss < self.best_loss
        self.best_loss = validation_loss if improved else self.best_loss
        self.epochs_without_gain = 0 if improved else self.epochs_without_gain + 1
        self.epoch, self.step, self.totals, self.rng = epoch + 1, 0, np.zeros_like(self.totals), {}
        return EpochResult(
            epoch=epoch,
            input_size=size,
            learning_rate=self.learning_rate,
            losses=losses,
            validation_loss=validation_loss,
            scores=scores,
            improved=improved,
            is_last=self.epoch == self.recipe.n_epochs or self.is_exhausted,
            images_per_s=self.clock.images_per_s,
            waiting_fraction=self.clock.waiting_fraction,
            network=kept,
            state=self.state(),
        )

    def _run_batches(self) -> dict[str, float]:
        """Train the batches of the epoch that are left; their randomness depends on seed and epoch only."""
        batches = self.batches.of_epoch(self.epoch)
        self.clock = _Clock()
        self.network.train()
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            self._set_rng()
            while self.step < len(batches):
                with self.clock.waiting():
                    batch = next(self._source())
                with self.clock.working(len(batch.expression)):
                    self._take_step(batches.finish(batch, self.step, self.device), len(batches))
                if self.on_step is not None:
                    self.on_step(self._progress(len(batches)))
                if self.keep_state is not None:
                    self.keep_state(self.state)
        names = (*TaskLosses._fields, "total")
        return dict(zip(names, (self.totals / len(batches)).tolist(), strict=True))

    def _source(self) -> Iterator[Batch]:
        if self._loading is None:
            pin = self.device.type == "cuda"
            self._loading = load_batches(
                self.batches, epoch=self.epoch, number=self.step, workers=self.workers, pin=pin
            )
        return self._loading

    def _set_rng(self) -> None:
        if self.rng:
            torch.set_rng_state(self.rng["cpu"])
            if "cuda" in self.rng:
                torch.cuda.set_rng_state(self.rng["cuda"], self.device)
        else:
            torch.manual_seed(derive_seed(self.recipe.seed, self.epoch))

    def _take_step(self, batch: Batch, n_steps: int) -> None:
        fraction = self._fraction_done(self.step / n_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate_at(self.epoch, fraction)
        with torch.autocast(self.device.type, dtype=torch.float16, enabled=self.half):
            raw = self.network(batch.images)
        losses = self.loss(raw.float(), batch.labels_on(self.device))
        total = self._weigh(losses)
        values = np.array(torch.stack([*losses, total]).tolist())  # a GPU is waited for once
        if not math.isfinite(values[-1]):
            raise FloatingPointError(self._describe_divergence(values))
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        self.steps_done += 1
        self.totals += values
        self._update_average()

    def _weigh(self, losses: TaskLosses) -> torch.Tensor:
        # A task of weight 0 is left out, not multiplied by 0, so that its outputs get no gradient at all.
        parts = [weight * loss for weight, loss in zip(self.task_weights, losses, strict=True) if weight]
        return torch.stack(parts).sum()

    def _describe_divergence(self, values: npt.NDArray[np.float64]) -> str:
        each = ", ".join(f"{task} {value:g}" for task, value in zip(ALL_TASKS, values, strict=False))
        return (
            f"Expected a finite loss, got {values[-1]} at step {self.steps_done + 1} (epoch {self.epoch + 1}, batch "
            f"{self.step + 1}) with the learning rate {self.learning_rate:g}; losses: {each}. "
            "Start anew and lower the learning rate."
        )

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

    def _validate(
        self, network: AttributeNetwork, data: CropData | None, size: int
    ) -> tuple[float, AttributeScores | None]:
        if data is None:
            return math.nan, None
        raw = read_raw(network, data.crops, input_size=size, device=self.device)
        losses = self.loss(torch.from_numpy(raw), LabelBatch.from_labels(data.labels))
        scores = score_attributes(data.labels, raw_to_frame(raw, network.layout), network.layout)
        return float(self._weigh(losses)), scores

    def _fraction_done(self, within: float) -> float:
        done, after, total = (
            self.recipe.work(epochs, len(self.rows)) for epochs in (self.epoch, self.epoch + 1, self.recipe.n_epochs)
        )
        return (done + within * (after - done)) / total

    def _progress(self, n_steps: int) -> Progress:
        fraction, loss = self._fraction_done(self.step / n_steps), float(self.totals[-1]) / self.step
        return Progress(
            self.epoch, self.recipe.n_epochs, self.step, n_steps, fraction, loss, self.learning_rate, self.steps_done
        )

    def state(self) -> State:
        """Everything needed to continue from here, as a copy."""
        within = self.step > 0
        rng = {"cpu": torch.get_rng_state()} if within else {}
        if within and self.device.type == "cuda":
            rng["cuda"] = torch.cuda.get_rng_state(self.device)
        return copy.deepcopy(
            {
                "recipe": repr(self.recipe.to_dict()),
                "n_images": len(self.data),
                "epochs_done": self.epoch,
                "step": self.step,
                "steps_done": self.steps_done,
                "totals": self.totals.tolist(),
                "rng": rng,
                "best_loss": self.best_loss,
                "epochs_without_gain": self.epochs_without_gain,
                "network": self.network.state_dict(),
                "average": None if self.average is None else self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
            }
        )

    def restore(self, state: State) -> None:
        """Take over a state."""
        if state["recipe"] != repr(self.recipe.to_dict()):
            raise ValueError(
                f"Expected the state of a training with this recipe, got one of another: {state['recipe']}. "
                "Start anew or use the same settings."
            )
        if state["n_images"] != len(self.data):
            raise ValueError(
                f"Expected the state of a training on {len(self.data)} images, got one on {state['n_images']}."
            )
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.half and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.epoch, self.step, self.steps_done = (int(state[name]) for name in ("epochs_done", "step", "steps_done"))
        self.totals, self.rng = np.array(state["totals"]), state["rng"]
        self.best_loss, self.epochs_without_gain = float(state["best_loss"]), int(state["epochs_without_gain"])


class _Clock:
    """Time spent on batches, and waiting for them."""

    def __init__(self) -> None:
        self.waited_s = self.worked_s = 0.0
        self.n_images = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.waited_s += time.perf_counter() - begun

    @contextmanager
    def working(self, n_images: int) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.worked_s += time.perf_counter() - begun
        self.n_images += n_images

    @property
    def waiting_fraction(self) -> float:
        """Share of the time in which the network waited; NaN before the first batch."""
        whole = self.waited_s + self.worked_s
        return self.waited_s / whole if whole else math.nan

    @property
    def images_per_s(self) -> float:
        """Images a second, waiting included; NaN before the first batch."""
        whole = self.waited_s + self.worked_s
        return self.n_images / whole if whole else math.nan


def _make_loss(network: AttributeNetwork, labels: AttributeLabels, recipe: TrainingRecipe) -> MultiTaskLoss:
    weights = None
    if recipe.class_weights:
        weights = compute_class_weights(
            labels, n_expressions=network.layout.n_expressions, regression_bins=recipe.regression_bins
        )
    return MultiTaskLoss(network.layout, weights=weights, au_softness=recipe.au_softness)


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
