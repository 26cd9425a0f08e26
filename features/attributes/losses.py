"""Multi-task loss with unknown labels and inverse class probability weights.

References
----------
Li et al. (2019), section 4.1. https://doi.org/10.1109/ICIP.2019.8803604
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from features.attributes.network import OutputLayout

REGRESSION_BINS = 20
_PRESENT = 0.5


class TaskLosses(NamedTuple):
    """Loss of each task, 0-d tensors. A task without a known label in the batch has the loss 0."""

    expression: torch.Tensor
    aus: torch.Tensor
    valence: torch.Tensor
    arousal: torch.Tensor


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """Labels of a batch as tensors; see `AttributeLabels`."""

    expression: torch.Tensor
    valence: torch.Tensor
    arousal: torch.Tensor
    aus: torch.Tensor

    @classmethod
    def from_labels(cls, labels: AttributeLabels, device: torch.device | str = "cpu") -> LabelBatch:
        """Copy labels to a device."""
        return cls(
            expression=torch.as_tensor(labels.expression, dtype=torch.int64, device=device),
            valence=torch.as_tensor(labels.valence, dtype=torch.float32, device=device),
            arousal=torch.as_tensor(labels.arousal, dtype=torch.float32, device=device),
            aus=torch.as_tensor(labels.aus, dtype=torch.float32, device=device),
        )


@dataclass(frozen=True, slots=True)
class ClassWeights:
    """Weights of classes, their mean 1 under the distribution that they were computed from.

    Attributes
    ----------
    expression
        Shape (n_expressions,).
    aus
        Shape (n_aus, 2): of absence and of presence.
    valence, arousal
        Shape (bins,): of equal intervals of [-1, 1]; None leaves the task unweighted.
    """

    expression: npt.NDArray[np.float64]
    aus: npt.NDArray[np.float64]
    valence: npt.NDArray[np.float64] | None = None
    arousal: npt.NDArray[np.float64] | None = None


def invert_probabilities(counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Inverse class probability weights.

    Parameters
    ----------
    counts
        Shape (..., k): occurrences of each class.

    Returns
    -------
    ndarray, shape (..., k), float64
        ``1 / (k' p_c)`` with k' the number of classes that occur: proportional to 1 / p_c and of mean 1 under p. A
        class that does not occur has weight 0; where none occurs, all have weight 1.

    Examples
    --------
    >>> invert_probabilities([30, 10])
    array([0.66666667, 2.        ])
    """
    n = np.asarray(counts, dtype=np.float64)
    total = n.sum(axis=-1, keepdims=True)
    occurring = (n > 0).sum(axis=-1, keepdims=True)
    weights = np.divide(total, n * occurring, out=np.zeros_like(n), where=n > 0)
    return np.where(total > 0, weights, 1.0)


def compute_class_weights(
    labels: AttributeLabels, *, n_expressions: int, regression_bins: int | None = REGRESSION_BINS
) -> ClassWeights:
    """Inverse class probability weights of a training set.

    Parameters
    ----------
    labels
        Of the training set; unknown labels do not count.
    n_expressions
        Number of expression classes.
    regression_bins
        Equal intervals of [-1, 1] by which valence and arousal are weighted; None leaves them unweighted.
    """
    known = labels.expression[labels.expression != UNKNOWN_EXPRESSION]
    present = np.where(np.isnan(labels.aus), np.nan, labels.aus >= _PRESENT)
    au_counts = np.stack([(present == 0).sum(axis=0), (present == 1).sum(axis=0)], axis=1)
    valence = arousal = None
    if regression_bins is not None:
        edges = np.linspace(-1, 1, regression_bins + 1)
        valence = invert_probabilities(np.histogram(labels.valence[~np.isnan(labels.valence)], edges)[0])
        arousal = invert_probabilities(np.histogram(labels.arousal[~np.isnan(labels.arousal)], edges)[0])
    return ClassWeights(
        expression=invert_probabilities(np.bincount(known, minlength=n_expressions)),
        aus=invert_probabilities(au_counts),
        valence=valence,
        arousal=arousal,
    )


class MultiTaskLoss:
    """Cross entropy of the expression, binary cross entropy of the action units, L1 + squared error of the dimensions.

    Each task is the weighted sum over its known labels divided by *their number*: a batch in which few faces have a
    label trains that task as much as a full one, and a batch without any has loss 0 and finite gradients.

    Parameters
    ----------
    layout
        Sizes of the tasks.
    weights
        Class weights; None for none.
    au_softness
        None takes a unit as present from an intensity of 0.5. A positive number t takes the target
        ``1 / (1 + exp(-(intensity - 0.5) / t))`` instead: the same decision, but intensities near the threshold, where
        presence is a matter of rounding, pull less.
    """

    def __init__(
        self, layout: OutputLayout, *, weights: ClassWeights | None = None, au_softness: float | None = None
    ) -> None:
        if au_softness is not None and au_softness <= 0:
            raise ValueError(f"Expected a positive softness of action units, got {au_softness}.")
        self.layout = layout
        self.au_softness = au_softness
        self._expression = _as_tensor(weights.expression if weights else None)
        self._aus = _as_tensor(weights.aus if weights else None)
        self._valence = _as_tensor(weights.valence if weights else None)
        self._arousal = _as_tensor(weights.arousal if weights else None)

    def __call__(self, raw: torch.Tensor, labels: LabelBatch) -> TaskLosses:
        """Losses of a batch.

        Parameters
        ----------
        raw
            Shape (n, n_outputs), raw rows of the network.
        labels
            Of the same n faces.
        """
        layout = self.layout
        return TaskLosses(
            expression=self._expression_loss(raw[:, layout.expressions], labels.expression),
            aus=self._au_loss(raw[:, layout.aus], labels.aus),
            valence=_dimension_loss(raw[:, layout.valence], labels.valence, self._valence),
            arousal=_dimension_loss(raw[:, layout.arousal], labels.arousal, self._arousal),
        )

    def _expression_loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        known = target != UNKNOWN_EXPRESSION
        weight = None if self._expression is None else self._expression.to(logits)
        each = functional.cross_entropy(logits, target.clamp(min=0), weight=weight, reduction="none")
        return _masked_mean(each, known)

    def _au_loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        known = ~torch.isnan(target)
        value = torch.where(known, target, 0.0)
        soft = self._au_target(value).to(logits)
        each = functional.binary_cross_entropy_with_logits(logits, soft, reduction="none")
        if self._aus is not None:
            absent, present = self._aus.to(logits).unbind(dim=1)
            each = each * (soft * present + (1 - soft) * absent)
        return _masked_mean(each, known)

    def _au_target(self, intensity: torch.Tensor) -> torch.Tensor:
        if self.au_softness is None:
            return intensity >= _PRESENT
        return torch.sigmoid((intensity - _PRESENT) / self.au_softness)


def _as_tensor(weights: npt.NDArray[np.float64] | None) -> torch.Tensor | None:
    return None if weights is None else torch.from_numpy(weights.astype(np.float32))


def _masked_mean(each: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)


def _dimension_loss(output: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    known = ~torch.isnan(target)
    error = output - torch.where(known, target, 0.0)
    each = error.abs() + error.square()
    if weights is not None:
        bins = ((torch.where(known, target, 0.0) + 1) / 2 * len(weights)).long().clamp(0, len(weights) - 1)
        each = each * weights.to(output)[bins]
    return _masked_mean(each, known)
