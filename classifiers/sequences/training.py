"""Training on windows that stay one array on the device: a batch is a gather of rows, nothing is loaded.

Randomness depends on the seed and the epoch only; the epoch to keep is chosen by the error on monitored windows, which the
protocol picks (`classifiers.sequences.protocols`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from classifiers.sequences import SequenceNetwork
from classifiers.sequences.metrics import batch_mean_scores
from classifiers.sequences.recipe import SequenceRecipe

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
EpochCallback = Callable[[int, int], None]

_PREDICT_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class WindowData:
    """Windows on a device.

    Attributes
    ----------
    signals
        Shape (n_frames, n_signals), float32.
    starts
        Shape (n,), row of `signals` at which each window starts.
    length
        Frames of a window.
    labels
        Shape (n,), float32.
    """

    signals: Tensor
    starts: Tensor
    length: int
    labels: Tensor

    @classmethod
    def place(
        cls,
        signals: npt.NDArray[np.float32],
        starts: IntArray,
        labels: npt.ArrayLike,
        *,
        length: int,
        device: torch.device | str = "cpu",
    ) -> WindowData:
        """Copy the frames of windows to a device, once.

        Raises
        ------
        ValueError
            If labels do not fit the windows, or a window reaches beyond the frames.
        """
        ratings = np.asarray(labels, dtype=np.float32)
        if ratings.shape != (len(starts),):
            raise ValueError(f"Expected a label of each of {len(starts)} windows, got shape {ratings.shape}.")
        if len(starts) and (starts.min() < 0 or starts.max() + length > len(signals)):
            raise ValueError(f"Expected windows of {length} frames inside the {len(signals)} frames.")
        return cls(
            torch.tensor(np.ascontiguousarray(signals), device=device),
            torch.tensor(np.asarray(starts, dtype=np.int64), device=device),
            length,
            torch.tensor(ratings, device=device),
        )

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def device(self) -> torch.device:
        """Where the windows are."""
        return self.signals.device

    def gather(self, rows: Tensor) -> Tensor:
        """Windows, shape (n, length, n_signals)."""
        offsets = torch.arange(self.length, device=self.device)
        return self.signals[self.starts[rows, None] + offsets]

    def put_rows(self, rows: IntArray) -> Tensor:
        """Window numbers, on the device."""
        return torch.as_tensor(np.asarray(rows, dtype=np.int64), device=self.device)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch.

    Attributes
    ----------
    learning_rate
        Of its steps.
    training_loss
        Mean Huber loss of its steps.
    monitored_loss, monitored_mse
        On the monitored windows after it: over all of them, or means over batches.
    """

    learning_rate: float
    training_loss: float
    monitored_loss: float
    monitored_mse: float


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A trained network.

    Attributes
    ----------
    network
        As after the epoch with the lowest `monitored_mse`, in evaluation mode.
    monitored
        Its predictions of the monitored windows, from that very evaluation.
    learning_rate
        The initial one.
    best_epoch
        From 0.
    epochs
        All that were run.
    """

    network: SequenceNetwork
    monitored: FloatArray
    learning_rate: float
    best_epoch: int
    epochs: tuple[Epoch, ...]

    @property
    def best_mse(self) -> float:
        """Error by which the epoch was chosen."""
        return self.epochs[self.best_epoch].monitored_mse


def fit(
    network: SequenceNetwork,
    data: WindowData,
    training: IntArray,
    monitored: IntArray,
    recipe: SequenceRecipe,
    *,
    learning_rate: float,
    seed: int,
    batch_means: bool = False,
    on_epoch: EpochCallback | None = None,
) -> Fit:
    """Train a network and keep the epoch that does best on the monitored windows.

    Parameters
    ----------
    network
        Trained in place; it is moved to the device of the windows.
    data
        All windows.
    training, monitored
        Numbers of the windows to learn from, and of those by which schedule and epoch are chosen.
    recipe
        What to do.
    learning_rate
        To start with.
    seed
        Of the order of windows, dropout and random states.
    batch_means
        Average the monitored errors over batches, the last and smaller one counted alike, as the published code does;
        otherwise over windows.
    on_epoch
        Called with (epochs done, epochs at most).

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If there are no windows to learn from or to monitor.
    FloatingPointError
        If the loss is no longer finite.
    """
    if not len(training) or not len(monitored):
        raise ValueError(f"Expected windows to learn from and to monitor, got {len(training)} and {len(monitored)}.")
    network.to(data.device)
    if recipe.start_at_median:
        with torch.no_grad():
            network.head.bias.fill_(float(data.labels[data.put_rows(training)].median()))
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=recipe.plateau_factor, patience=recipe.plateau_patience
    )
    truth = data.labels[data.put_rows(monitored)].double().cpu().numpy()
    epochs: list[Epoch] = []
    best, best_state, best_predictions = 0, network.state_dict(), np.empty(0)
    for number in range(recipe.epochs):
        rate = float(optimizer.param_groups[0]["lr"])
        with seeded(data.device, seed, number):
            loss = _run_epoch(network, optimizer, data, training, recipe)
            predictions = predict(network, data, monitored)
        epochs.append(Epoch(rate, loss, *_errors(truth, predictions, recipe, batch_means=batch_means)))
        if number == 0 or epochs[-1].monitored_mse < epochs[best].monitored_mse:
            best, best_state, best_predictions = number, copy.deepcopy(network.state_dict()), predictions
        schedule.step(epochs[-1].monitored_loss)
        if on_epoch is not None:
            on_epoch(number + 1, recipe.epochs)
        if recipe.stop_after is not None and number - best >= recipe.stop_after:
            break
    network.load_state_dict(best_state)
    return Fit(network.eval(), best_predictions, learning_rate, best, tuple(epochs))


def predict(network: SequenceNetwork, data: WindowData, rows: IntArray) -> FloatArray:
    """Predicted ratings, shape (n,), of the windows with these numbers, by the network in evaluation mode."""
    network.eval()
    chosen = data.put_rows(rows)
    with torch.inference_mode():
        parts = [network(data.gather(part)) for part in torch.split(chosen, _PREDICT_ROWS)]
    return np.asarray(torch.cat(parts).double().cpu().numpy()) if len(rows) else np.empty(0)


@contextmanager
def seeded(device: torch.device, *seeds: int) -> Iterator[None]:
    """Seed torch's generators from several numbers, and give them back as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence(list(seeds)).generate_state(1)[0]))
        yield


def _run_epoch(
    network: SequenceNetwork,
    optimizer: torch.optim.Optimizer,
    data: WindowData,
    training: IntArray,
    recipe: SequenceRecipe,
) -> float:
    network.train()
    rows = data.put_rows(training)
    order = torch.randperm(len(rows), device=data.device)[: recipe.windows_per_epoch]
    batches = torch.split(rows[order], recipe.batch_size)
    total = torch.zeros((), device=data.device)
    for batch in batches:
        total += step(network, optimizer, data, batch, recipe)
    loss = float(total) / len(batches)
    if not np.isfinite(loss):
        raise FloatingPointError(f"Expected a finite loss, got {loss}; try a lower learning rate.")
    return loss


def step(
    network: SequenceNetwork,
    optimizer: torch.optim.Optimizer,
    data: WindowData,
    batch: Tensor,
    recipe: SequenceRecipe,
) -> Tensor:
    """One step on the windows of a batch; gives its loss."""
    optimizer.zero_grad(set_to_none=True)
    loss = functional.huber_loss(network(data.gather(batch)), data.labels[batch], delta=recipe.huber_delta)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


def count_parameters(network: nn.Module) -> int:
    """Number of trained weights."""
    return sum(parameter.numel() for parameter in network.parameters())


def _errors(
    truth: FloatArray, predictions: FloatArray, recipe: SequenceRecipe, *, batch_means: bool
) -> tuple[float, float]:
    if batch_means:
        scores = batch_mean_scores(truth, predictions, batch_size=recipe.batch_size, huber_delta=recipe.huber_delta)
        return scores["huber"], scores["mse"]
    scores = batch_mean_scores(truth, predictions, batch_size=len(truth), huber_delta=recipe.huber_delta)
    return scores["huber"], scores["mse"]
