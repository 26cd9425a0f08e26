"""Cross-validation of the networks: a sound protocol, and the published one with its flaws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from classifiers.sequences import SequenceKind, SequenceNetwork, build
from classifiers.sequences.folds import check_folds, list_folds, split_inner
from classifiers.sequences.metrics import batch_mean_scores
from classifiers.sequences.recipe import PUBLISHED, SOUND, SequenceRecipe
from classifiers.sequences.training import Fit, FloatArray, IntArray, WindowData, fit, predict, seeded
from features.windows import WindowIndex

Protocol = Literal["sound", "as_published"]
Report = Callable[[int, int], None]

INNER_SHARE: Final = 0.25
"""Share of a fold's training participants on whom learning rate and epoch are chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldResult:
    """One fold of one repeat.

    Attributes
    ----------
    repeat, fold
        Of the folds table.
    kind, protocol
        Network and protocol.
    network
        The one that predicted, in evaluation mode.
    rows
        Shape (n,), numbers of the tested windows, ascending.
    truth, prediction
        Shape (n,): their labels (whole numbers as published) and predictions.
    learning_rate
        The initial one that was chosen.
    best_epoch, n_epochs
        Epoch kept, from 0, and epochs run with that rate.
    training, validation, tested
        Participants who trained the network, who chose rate and epoch, and who were tested. As published, those who choose
        are those who are tested.
    batch_means
        MAE, MSE, RMSE, MAPE as the published code averages them, of the tested windows.
    """

    repeat: int
    fold: int
    kind: SequenceKind
    protocol: Protocol
    network: SequenceNetwork
    rows: IntArray
    truth: FloatArray
    prediction: FloatArray
    learning_rate: float
    best_epoch: int
    n_epochs: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    tested: tuple[str, ...]
    batch_means: dict[str, float]


def cross_validate(
    kind: SequenceKind,
    index: WindowIndex,
    folds: pd.DataFrame,
    *,
    protocol: Protocol = "sound",
    recipe: SequenceRecipe | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    skip: Collection[tuple[int, int]] = (),
    on_epoch: Report | None = None,
) -> Iterator[FoldResult]:
    """Train and test a network on every fold, giving control back after each.

    Parameters
    ----------
    kind
        Network.
    index
        Rated windows, as of `features.windows.index_windows`.
    folds
        From `classifiers.sequences.folds`; each participant with windows is tested once a repeat.
    protocol
        ``sound``: learning rate, schedule and epoch are chosen on inner validation participants; those tested are seen
        once, by the network that is kept; states start at zero. ``as_published``: labels are cut to whole numbers, and
        schedule and epoch are driven by the tested windows themselves, with errors averaged over batches and random initial
        states of the BiLSTM.
    recipe
        `SOUND` or `PUBLISHED` where None.
    seed
        Of weights, order and inner split; each fold has its own stream, so folds can be computed in any order or process.
    device
        Where to compute. All windows are placed there once.
    skip
        (repeat, fold) that are done already.
    on_epoch
        Called with (epochs done, epochs at most) of the fold, over all its learning rates.

    Yields
    ------
    FoldResult

    Raises
    ------
    ValueError
        If the folds do not fit the participants, or windows have no labels.
    """
    participants = index.provenance["participant_id"].to_numpy(dtype=object)
    if not len(index) or not np.isfinite(index.labels).all():
        raise ValueError("Expected rated windows, got none or windows without a label.")
    checked = check_folds(folds, sorted(set(participants)))
    labels = np.floor(index.labels) if protocol == "as_published" else index.labels
    data = WindowData.place(index.signals, index.starts, labels, length=index.length, device=device)
    chosen = recipe or (PUBLISHED if protocol == "as_published" else SOUND)
    for repeat, fold in list_folds(checked):
        if (repeat, fold) in skip:
            continue
        rows = checked[checked["repeat"] == repeat]
        task = _Fold(kind, protocol, chosen, data, participants, rows, repeat, fold, seed, on_epoch)
        yield task.run(np.asarray(labels, dtype=np.float64))


def list_fold_participants(
    folds: pd.DataFrame, repeat: int, fold: int, *, seed: int
) -> tuple[list[str], list[str], list[str]]:
    """Participants of a fold under the sound protocol: who trains, who chooses rate and epoch, who is tested."""
    rows = folds[folds["repeat"] == repeat]
    tested = rows["fold"] == fold
    groups = rows[~tested].set_index("participant_id")["group"]
    training, validation = split_inner(groups, share=INNER_SHARE, seed=_mix(seed, repeat, fold))
    return training, validation, sorted(rows.loc[tested, "participant_id"])


def find_rows(participants: npt.NDArray[np.object_], names: Collection[str]) -> IntArray:
    """Numbers of the windows of these participants, ascending."""
    return np.flatnonzero(pd.Series(participants).isin(list(names)).to_numpy())


def _mix(*seeds: int) -> int:
    return int(np.random.SeedSequence(list(seeds)).generate_state(1)[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """What a fold is made of."""

    kind: SequenceKind
    protocol: Protocol
    recipe: SequenceRecipe
    data: WindowData
    participants: npt.NDArray[np.object_]
    folds: pd.DataFrame
    repeat: int
    fold: int
    seed: int
    on_epoch: Report | None

    def run(self, labels: FloatArray) -> FoldResult:
        training, validation, tested = list_fold_participants(self.folds, self.repeat, self.fold, seed=self.seed)
        published = self.protocol == "as_published"
        if published:
            training, validation = sorted([*training, *validation]), tested
        rows = self._rows_of(tested)
        fits = [self._fit(training, validation, rate, number) for number, rate in enumerate(self.recipe.learning_rates)]
        best = min(fits, key=lambda item: item.best_mse)
        # as published, the tested windows were predicted while choosing: those very predictions were reported
        prediction = best.monitored if published else predict(best.network, self.data, rows)
        truth = labels[rows]
        means = batch_mean_scores(truth, prediction, batch_size=self.recipe.batch_size)
        return FoldResult(
            repeat=self.repeat,
            fold=self.fold,
            kind=self.kind,
            protocol=self.protocol,
            network=best.network,
            rows=rows,
            truth=truth,
            prediction=prediction,
            learning_rate=best.learning_rate,
            best_epoch=best.best_epoch,
            n_epochs=len(best.epochs),
            training=tuple(training),
            validation=tuple(validation),
            tested=tuple(tested),
            batch_means=means,
        )

    def _fit(self, training: list[str], validation: list[str], rate: float, number: int) -> Fit:
        seed = _mix(self.seed, self.repeat, self.fold)
        published = self.protocol == "as_published"
        with seeded(torch.device("cpu"), seed):  # the same weights to start with, whatever the rate
            network = build(self.kind, self.data.signals.shape[1], random_states=published)
        n_rates = len(self.recipe.learning_rates)

        def report(done: int, total: int) -> None:
            if self.on_epoch is not None:
                self.on_epoch(number * total + done, n_rates * total)

        return fit(
            network,
            self.data,
            self._rows_of(training),
            self._rows_of(validation),
            self.recipe,
            learning_rate=rate,
            seed=seed,
            batch_means=published,
            on_epoch=report,
        )

    def _rows_of(self, names: list[str]) -> IntArray:
        return find_rows(self.participants, names)
