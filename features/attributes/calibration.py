"""Where a network draws the line between absent and present: decision thresholds of action units.

A network trained on rare units says "present" too seldom for the best F1: where it is in doubt, absence is more likely.
Everything downstream cuts probabilities at 0.5, so the threshold found on validation data is moved there, once and for
all, by adding a constant to the unit's logit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit, logit

from features.attributes.batches import CropData
from features.attributes.network import AttributeNetwork
from features.attributes.reading import read_faces

MAX_SHIFT = 1.0
"""Largest shift of a logit: from a threshold of 0.5 to one of 0.27 or 0.73. A larger one would fit chance."""

_PRESENT = 0.5


def best_threshold(labels: npt.NDArray[np.floating], logits: npt.NDArray[np.floating]) -> float:
    """Logit threshold with the highest F1 of one action unit.

    Parameters
    ----------
    labels
        Shape (n,): presence or intensity, positive from 0.5 up; NaN unknown.
    logits
        Shape (n,).

    Returns
    -------
    float
        Midway between the two logits that the best cut separates, at most `MAX_SHIFT` from 0; 0 where no label is
        positive or none negative.

    Examples
    --------
    >>> best_threshold(np.array([0, 0, 1, 1]), np.array([-2.0, -1.0, -0.6, 1.0]))
    -0.8
    """
    known = ~np.isnan(labels)
    order = np.argsort(logits[known])[::-1]
    scores, truth = logits[known][order], labels[known][order] >= _PRESENT
    if truth.all() or not truth.any():
        return 0.0
    hits, predicted = np.cumsum(truth), np.arange(1, len(truth) + 1)
    f1 = 2 * hits / (predicted + truth.sum())
    between = np.append((scores[:-1] + scores[1:]) / 2, scores[-1] - 1.0)
    allowed = (np.abs(between) <= MAX_SHIFT) & np.append(scores[:-1] > scores[1:], True)
    if not allowed.any():
        return 0.0
    return float(between[np.argmax(np.where(allowed, f1, -1.0))])


def shift_au_thresholds(network: AttributeNetwork, validation: CropData, *, input_size: int) -> npt.NDArray[np.float64]:
    """Move the best threshold of every action unit to a probability of 0.5, in place.

    Parameters
    ----------
    network
        In evaluation mode; its output biases change.
    validation
        Faces that it was not trained on.
    input_size
        Side of the crops in pixels.

    Returns
    -------
    ndarray, shape (n_aus,), float64
        Threshold that each unit had, as a probability.
    """
    units = network.layout.n_aus
    probabilities = read_faces(network, validation.crops, input_size=input_size)[:, :units].astype(np.float64)
    logits = logit(probabilities.clip(1e-6, 1 - 1e-6))
    thresholds = np.array([best_threshold(validation.labels.aus[:, i], logits[:, i]) for i in range(units)])
    with torch.no_grad():
        network.predict.bias[network.layout.aus] -= torch.from_numpy(thresholds).to(network.predict.bias)
    return np.asarray(expit(thresholds))
