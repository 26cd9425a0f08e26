"""The multi-task loss: against hand calculation and torch, unknown labels, class weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from features.attributes.labels import AttributeLabels
from features.attributes.losses import (
    ClassWeights,
    LabelBatch,
    MultiTaskLoss,
    TaskLosses,
    compute_class_weights,
    invert_probabilities,
)
from features.attributes.network import OutputLayout

LAYOUT = OutputLayout(n_expressions=8, n_aus=12)
NAN = float("nan")


def make_labels(expression: list[int], valence: list[float], arousal: list[float], aus: object) -> AttributeLabels:
    return AttributeLabels(
        np.array(expression, dtype=np.int64),
        np.array(valence, dtype=np.float32),
        np.array(arousal, dtype=np.float32),
        np.array(aus, dtype=np.float32),
    )


def losses_of(raw: torch.Tensor, labels: AttributeLabels, **options: object) -> TaskLosses:
    return MultiTaskLoss(LAYOUT, **options)(raw, LabelBatch.from_labels(labels))  # type: ignore[arg-type]


def test_known_labels_give_the_plain_losses() -> None:
    rng = np.random.default_rng(0)
    raw = torch.from_numpy(rng.normal(size=(6, 22)).astype(np.float32))
    labels = make_labels(
        rng.integers(0, 8, 6).tolist(),
        rng.uniform(-1, 1, 6).tolist(),
        rng.uniform(-1, 1, 6).tolist(),
        rng.integers(0, 2, (6, 12)),
    )
    got = losses_of(raw, labels)
    valence, arousal = torch.from_numpy(labels.valence), torch.from_numpy(labels.arousal)
    expected = (
        functional.cross_entropy(raw[:, :8], torch.from_numpy(labels.expression)),
        functional.binary_cross_entropy_with_logits(raw[:, 10:], torch.from_numpy(labels.aus)),
        functional.l1_loss(raw[:, 8], valence) + functional.mse_loss(raw[:, 8], valence),
        functional.l1_loss(raw[:, 9], arousal) + functional.mse_loss(raw[:, 9], arousal),
    )
    for mine, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_each_task_is_divided_by_its_own_known_labels() -> None:
    """Zero logits: cross entropy log 8, binary cross entropy log 2 for each known label, whatever their number."""
    aus = np.full((3, 12), NAN)
    aus[0, 0], aus[2, 5] = 1, 0
    labels = make_labels([2, -1, -1], [NAN, 0.5, NAN], [1.0, NAN, -1.0], aus)
    got = losses_of(torch.zeros(3, 22), labels)
    assert got.expression.item() == pytest.approx(math.log(8))
    assert got.aus.item() == pytest.approx(math.log(2))
    assert got.valence.item() == pytest.approx(0.5 + 0.25)
    assert got.arousal.item() == pytest.approx(1 + 1)


def test_a_batch_without_labels_has_no_loss_and_finite_gradients() -> None:
    raw = torch.randn(4, 22, requires_grad=True)
    unknown = make_labels([-1] * 4, [NAN] * 4, [NAN] * 4, np.full((4, 12), NAN))
    weights = compute_class_weights(unknown, n_expressions=8)
    for given in (None, weights):
        losses = losses_of(raw, unknown, weights=given, au_softness=0.1)
        assert [loss.item() for loss in losses] == [0, 0, 0, 0]
        raw.grad = None
        torch.stack(tuple(losses)).sum().backward()
        assert raw.grad is not None
        assert not raw.grad.any()


def test_unknown_labels_leave_gradients_of_the_others() -> None:
    raw = torch.zeros(2, 22, requires_grad=True)
    labels = make_labels([-1, 1], [NAN, 0.5], [NAN, 0.5], [[NAN] * 12, [1] * 12])
    torch.stack(tuple(losses_of(raw, labels))).sum().backward()
    assert raw.grad is not None
    assert not raw.grad[0].any()
    assert torch.isfinite(raw.grad).all()
    assert raw.grad[1].all()


def test_inverse_probabilities_have_mean_one_under_the_data() -> None:
    counts = np.array([5, 20, 75])
    weights = invert_probabilities(counts)
    assert np.sum(weights * counts / 100) == pytest.approx(1)
    assert weights * counts == pytest.approx(np.full(3, 100 / 3))  # proportional to 1 / p


def test_absent_classes_weigh_nothing() -> None:
    assert invert_probabilities([10, 0, 30]) == pytest.approx([2, 0, 2 / 3])
    assert invert_probabilities([0, 0]) == pytest.approx([1, 1])


def test_class_weights_ignore_unknown_labels() -> None:
    labels = make_labels([0, 0, 0, 1, -1], [0.5, -0.5, 0.5, 0.55, NAN], [NAN] * 5, [[1], [0.2], [0.6], [0], [NAN]])
    weights = compute_class_weights(labels, n_expressions=3)
    assert weights.expression == pytest.approx([4 / 6, 2, 0])
    assert weights.aus == pytest.approx(np.array([[1, 1]]))
    assert weights.valence is not None
    assert weights.valence[15] == pytest.approx(4 / (3 * 2))  # three of four in [0.5, 0.6)
    assert weights.valence[5] == pytest.approx(4 / (1 * 2))
    assert weights.arousal == pytest.approx(np.ones(20))


def test_regression_weights_can_be_switched_off() -> None:
    labels = make_labels([0, 1], [0.5, -0.5], [0.1, 0.2], [[1], [0]])
    weights = compute_class_weights(labels, n_expressions=2, regression_bins=None)
    assert weights.valence is None
    assert weights.arousal is None


def test_weights_enter_each_task() -> None:
    bins = np.ones(20)
    bins[19] = 3.0
    weights = ClassWeights(np.arange(8.0), np.tile([1.0, 5.0], (12, 1)), valence=bins, arousal=None)
    labels = make_labels([3], [1.0], [1.0], [[1] * 6 + [0] * 6])
    got = losses_of(torch.zeros(1, 22), labels, weights=weights)
    assert got.expression.item() == pytest.approx(3 * math.log(8))
    assert got.aus.item() == pytest.approx(math.log(2) * (5 + 1) / 2)
    assert got.valence.item() == pytest.approx(3 * 2)
    assert got.arousal.item() == pytest.approx(2)


def test_weighted_losses_are_those_of_the_formulas_face_by_face() -> None:
    """Every task with its weights and unknown labels, once more with plain arithmetic on single numbers.

    Inverse probabilities: w_c = 1 / (k p_c) with k classes that occur; bins of 0.1 for valence and arousal.
    """
    expression = [0, 0, 0, 2, -1]
    valence = [-0.95, -0.91, 0.33, NAN, 0.31]
    arousal = [NAN, NAN, 1.0, -1.0, NAN]
    aus = np.full((5, 12), NAN)
    aus[:, 0] = [1, 0, 0, 0, NAN]
    aus[:, 7] = [NAN, NAN, 1, 1, NAN]
    labels = make_labels(expression, valence, arousal, aus)
    raw = np.random.default_rng(3).normal(size=(5, 22))
    got = losses_of(torch.from_numpy(raw), labels, weights=compute_class_weights(labels, n_expressions=8))

    class_weight = {0: 4 / (2 * 3), 2: 4 / (2 * 1)}
    each = [
        class_weight[c] * (math.log(sum(math.exp(v) for v in raw[i, :8])) - raw[i, c])
        for i, c in enumerate(expression)
        if c >= 0
    ]
    assert got.expression.item() == pytest.approx(sum(each) / 4)

    def entropy(logit: float, present: float) -> float:
        p = 1 / (1 + math.exp(-logit))
        return -math.log(p) if present else -math.log(1 - p)

    first = [(4 / 2 if y else 4 / (2 * 3)) * entropy(raw[i, 10], y) for i, y in enumerate([1, 0, 0, 0])]
    eighth = [1 * entropy(raw[i, 17], 1) for i in (2, 3)]  # one class occurs: weight 1
    assert got.aus.item() == pytest.approx((sum(first) + sum(eighth)) / 6)

    def dimension(output: float, target: float) -> float:
        return abs(output - target) + (output - target) ** 2

    weight = 4 / (2 * 2)  # two of four in each of the bins [-1, -0.9) and [0.3, 0.4)
    each = [weight * dimension(raw[i, 8], valence[i]) for i in (0, 1, 2, 4)]
    assert got.valence.item() == pytest.approx(sum(each) / 4)
    each = [dimension(raw[2, 9], 1.0), dimension(raw[3, 9], -1.0)]
    assert got.arousal.item() == pytest.approx(sum(each) / 2)


def test_soft_targets_keep_the_decision() -> None:
    """The optimum of binary cross entropy is the target itself: 0.5 at an intensity of 0.5, and steep around it."""
    loss = MultiTaskLoss(LAYOUT, au_softness=0.1)
    intensity = torch.tensor([0.0, 0.4, 0.5, 0.6, 1.0])
    target = loss._au_target(intensity)
    assert target.tolist() == pytest.approx(
        [1 / (1 + math.exp(5)), 1 / (1 + math.e), 0.5, math.e / (1 + math.e), 0.9933071]
    )
    hard = MultiTaskLoss(LAYOUT)._au_target(intensity)
    assert hard.tolist() == [False, False, True, True, True]


def test_softness_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive softness of action units, got 0"):
        MultiTaskLoss(LAYOUT, au_softness=0.0)


def test_labels_are_checked() -> None:
    with pytest.raises(ValueError, match="valence labels between -1 and 1, got 1.5"):
        make_labels([0], [1.5], [0], [[0]])
    with pytest.raises(ValueError, match="expression labels between -1 and inf, got -2"):
        make_labels([-2], [0], [0], [[0]])
    with pytest.raises(ValueError, match="action-unit labels between 0 and 1, got 2.0 .and 0 more"):
        make_labels([0], [0], [0], [[2]])
    with pytest.raises(ValueError, match=r"got \(1,\) for the expression, \(2,\) for valence"):
        make_labels([0], [0, 0], [0], [[0]])
    with pytest.raises(ValueError, match="integer type, got float64"):
        one = np.zeros(1, dtype=np.float32)
        AttributeLabels(np.zeros(1), one, one, one[:, None])  # type: ignore[arg-type]
