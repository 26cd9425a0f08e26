"""Decision thresholds of action units: against a search by hand, and their move to 0.5."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from features.attributes.calibration import MAX_SHIFT, best_threshold, shift_au_thresholds
from features.attributes.labels import AttributeLabels
from features.attributes.network import AttributeNetwork, OutputLayout
from features.attributes.training import CropData, evaluate, read_faces


def test_no_threshold_does_better() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(200) < 0.2).astype(float)
    logits = labels * 1.2 - 1 + rng.normal(0, 0.7, 200)
    found = best_threshold(labels, logits)
    best = max(f1_score(labels, logits > t) for t in np.linspace(-MAX_SHIFT, MAX_SHIFT, 2001))
    assert f1_score(labels, logits > found) >= best
    assert found < 0  # rare units are cut below 0.5


def test_shift_has_a_limit() -> None:
    assert abs(best_threshold(np.array([0, 1, 0, 1]), np.array([-9.0, -8.0, -0.5, 3.0]))) <= MAX_SHIFT
    assert best_threshold(np.array([0, 1]), np.array([-9.0, -5.0])) == 0


@pytest.mark.parametrize("labels", [[0, 0, np.nan], [1, 1, np.nan]])
def test_one_class_alone_shifts_nothing(labels: list[float]) -> None:
    assert best_threshold(np.array(labels), np.array([0.3, -0.4, 0.1])) == 0


def test_unknown_labels_do_not_count() -> None:
    known = best_threshold(np.array([0, 1, 1]), np.array([-0.8, -0.4, 0.6]))
    assert known == pytest.approx(-0.6)
    assert best_threshold(np.array([0, np.nan, 1, 1]), np.array([-0.8, -0.7, -0.4, 0.6])) == known


def test_shifted_network_decides_at_one_half() -> None:
    """Bright faces have the unit; the bias is set so that at first none is found."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = AttributeNetwork("mobilenet", scale=0.5, layout=OutputLayout(n_expressions=2, n_aus=1)).eval()
    torch.nn.init.normal_(network.predict.weight, std=0.01)
    level = np.repeat([0.1, 0.9], 10)
    crops = (level[:, None, None, None] * 255 + rng.normal(0, 5, (20, 32, 32, 3))).clip(0, 255).astype(np.uint8)
    column = network.layout.aus.start
    at_zero = read_faces(network, crops, input_size=32)[:, 0]
    present = (at_zero > np.median(at_zero)).astype(np.float32)
    with torch.no_grad():
        network.predict.bias[column] = -0.5
    nothing = np.full(20, np.nan, dtype=np.float32)
    data = CropData(crops, AttributeLabels(np.full(20, -1), nothing, nothing, present[:, None]))
    assert evaluate(network, data, input_size=32).aus[0].f1 == 0
    thresholds = shift_au_thresholds(network, data, input_size=32)
    assert thresholds == pytest.approx([1 / (1 + np.exp(0.5))], abs=0.1)
    assert evaluate(network, data, input_size=32).aus[0].f1 == 1
