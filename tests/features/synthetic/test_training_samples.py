"""Random pictures for training: exact labels, balanced enough."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from features.facs import EXPRESSIONS
from features.synthetic.expressions import expression_label, valence_arousal
from features.synthetic.training_samples import sample_scene, sample_units


@pytest.fixture(scope="module")
def unit_table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    pairs = [sample_units(rng) for _ in range(4000)]
    return np.array([left for left, _ in pairs]), np.array([right for _, right in pairs])


def test_every_unit_is_present_in_at_least_12_percent(unit_table: tuple[np.ndarray, np.ndarray]) -> None:
    mean = 0.5 * (unit_table[0] + unit_table[1])
    assert mean.min() >= 0
    assert mean.max() <= 1
    assert ((mean >= 0.5).mean(axis=0) >= 0.12).all()


def test_few_intensities_are_ambiguous(unit_table: tuple[np.ndarray, np.ndarray]) -> None:
    mean = 0.5 * (unit_table[0] + unit_table[1])
    assert (((mean > 0.3) & (mean < 0.5)).mean(axis=0) < 0.10).all()


def test_all_expressions_occur(unit_table: tuple[np.ndarray, np.ndarray]) -> None:
    labels = Counter(expression_label(left, right) for left, right in zip(*unit_table, strict=True))
    assert min(labels[name] for name in EXPRESSIONS) > 0.03 * 4000


def test_scene_is_reproducible_and_labels_fit_the_truth() -> None:
    frame, labels = sample_scene(np.random.default_rng(8), n_faces=2)
    again, _ = sample_scene(np.random.default_rng(8), n_faces=2)
    np.testing.assert_array_equal(frame.pixels, again.pixels)
    assert len(labels) == len(frame.faces) == 2
    for label, truth in zip(labels, frame.faces, strict=True):
        assert label.truth is truth
        np.testing.assert_array_equal(label.au_present, label.au_mean >= 0.5)
        assert (label.valence, label.arousal) == pytest.approx(valence_arousal(label.au_left, label.au_right))
        expected = -1 if label.expression is None else EXPRESSIONS.index(label.expression)
        assert label.expression_id == expected


def test_number_of_faces_and_sizes_vary() -> None:
    counts, heights = [], []
    rng = np.random.default_rng(1)
    for _ in range(24):
        frame, _ = sample_scene(rng, width=160, height=90)
        counts.append(len(frame.faces))
        heights += [(face.box[3] - face.box[1]) / 90 for face in frame.faces]
    assert 0.6 < np.mean(np.array(counts) == 1) < 1
    assert min(heights) < 0.25
    assert max(heights) > 0.5
