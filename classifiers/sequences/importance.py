"""Which signals, and which moments of a window, the predicted ratings hang on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from classifiers.sequences import SequenceNetwork
from classifiers.sequences.training import FloatArray, IntArray, WindowData

_ROWS = 4096


def permute_signals(
    network: SequenceNetwork,
    data: WindowData,
    rows: IntArray,
    participants: npt.ArrayLike,
    names: Sequence[str],
    *,
    n_permutations: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Permutation importance of each signal, by participant.

    Parameters
    ----------
    network
        In evaluation mode; one that has not seen these participants.
    data
        Windows and labels.
    rows
        Numbers of the tested windows.
    participants
        Shape (n,), participant of each of `rows`.
    names
        Of the signals.
    n_permutations
        Permutations that are averaged.
    seed
        Of the permutations, the same for every signal.

    Returns
    -------
    DataFrame
        One row a participant and signal: ``participant_id, signal``; ``importance``, by how much the participant's mean
        squared error grows when the signal's track comes from another tested window, whole; ``direction``, by how much the
        prediction changes when the signal goes from its low to its high value throughout the window (the 5th and 95th
        percentile of the tested frames, or the extremes where these are the same). Average over participants, so that each
        counts once.

    Raises
    ------
    ValueError
        If names do not fit the signals, or there are no windows.
    """
    if len(names) != data.signals.shape[1] or not len(rows):
        raise ValueError(
            f"Expected {data.signals.shape[1]} names and a window or more, got {len(names)} and {len(rows)}."
        )
    people = pd.Series(np.asarray(participants, dtype=object))
    windows, truth = _read(data, rows)
    error = (_predict(network, windows) - truth) ** 2
    rng = np.random.default_rng(seed)
    orders = [torch.as_tensor(rng.permutation(len(rows)), device=data.device) for _ in range(n_permutations)]
    parts = []
    for column, name in enumerate(names):
        track = windows[..., column].clone()
        grown = np.zeros(len(rows))
        for order in orders:
            windows[..., column] = track[order]
            grown += (_predict(network, windows) - truth) ** 2 - error
        low, high = _range(track)
        windows[..., column] = high
        direction = _predict(network, windows)
        windows[..., column] = low
        direction -= _predict(network, windows)
        windows[..., column] = track
        table = pd.DataFrame({"importance": grown / max(n_permutations, 1), "direction": direction})
        means = table.groupby(people, sort=True).mean().rename_axis("participant_id").reset_index()
        means.insert(1, "signal", name)
        parts.append(means)
    return pd.concat(parts, ignore_index=True)


def occlude_time(
    network: SequenceNetwork, data: WindowData, rows: IntArray, participants: npt.ArrayLike, *, reference: IntArray
) -> pd.DataFrame:
    """Error and change of the prediction when one frame of the window shows the average face.

    Parameters
    ----------
    network, data, rows, participants
        As in `permute_signals`.
    reference
        Numbers of the windows whose mean frame stands in, such as those of the training participants.

    Returns
    -------
    DataFrame
        One row a participant and position: ``participant_id, position`` (0 is the first frame of the window),
        ``importance`` (growth of the mean squared error), ``change`` (mean absolute change of the prediction).
    """
    people = pd.Series(np.asarray(participants, dtype=object))
    windows, truth = _read(data, rows)
    stand_in = data.gather(data.put_rows(reference)).mean(dim=(0, 1))
    before = _predict(network, windows)
    parts = []
    for position in range(data.length):
        kept = windows[:, position].clone()
        windows[:, position] = stand_in
        after = _predict(network, windows)
        windows[:, position] = kept
        table = pd.DataFrame(
            {"importance": (after - truth) ** 2 - (before - truth) ** 2, "change": np.abs(after - before)}
        )
        means = table.groupby(people, sort=True).mean().rename_axis("participant_id").reset_index()
        means.insert(1, "position", position)
        parts.append(means)
    return pd.concat(parts, ignore_index=True)


def _read(data: WindowData, rows: IntArray) -> tuple[Tensor, FloatArray]:
    chosen = data.put_rows(rows)
    return data.gather(chosen), np.asarray(data.labels[chosen].double().cpu().numpy())


def _range(track: Tensor) -> tuple[float, float]:
    values = track.flatten().double().cpu().numpy()
    low, high = np.quantile(values, [0.05, 0.95])
    return (float(low), float(high)) if low < high else (float(values.min()), float(values.max()))


def _predict(network: SequenceNetwork, windows: Tensor) -> FloatArray:
    network.eval()
    with torch.inference_mode():
        parts = [network(part) for part in torch.split(windows, _ROWS)]
    return np.asarray(torch.cat(parts).double().cpu().numpy())
