"""Expressions, valence and arousal of rendered faces."""

from __future__ import annotations

import numpy as np
import pytest

from features.facs import EXPRESSIONS
from features.synthetic.expressions import (
    AU_INDEX,
    N_AUS,
    POSITIVE_INTENSITY,
    PROTOTYPES,
    expression_label,
    mean_units,
    prototype_units,
    valence_arousal,
)


def test_prototypes_are_the_eight_expressions_in_order() -> None:
    assert tuple(PROTOTYPES) == EXPRESSIONS


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("with_optional", [True, False])
def test_full_prototypes_are_recognised(name: str, with_optional: bool) -> None:
    assert expression_label(*prototype_units(name, with_optional=with_optional)) == name


@pytest.mark.parametrize("side", ["left", "right"])
def test_contempt_is_one_sided_and_counts_as_au12(side: str) -> None:
    left, right = prototype_units("contempt", side=side)
    smile = AU_INDEX["AU12"]
    assert (left[smile] > right[smile]) == (side == "left")
    assert mean_units(left, right)[smile] >= POSITIVE_INTENSITY
    assert expression_label(left, right) == "contempt"


def test_mixtures_have_no_label() -> None:
    happy, _ = prototype_units("happy")
    anger, _ = prototype_units("anger")
    mixture = np.maximum(happy, anger)
    assert expression_label(mixture, mixture) is None
    smile_only = np.zeros(N_AUS)
    smile_only[AU_INDEX["AU12"]] = 1.0
    assert expression_label(smile_only, smile_only) is None


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_closed_eyes_neither_make_nor_spoil_an_expression(name: str) -> None:
    left, right = prototype_units(name)
    left[AU_INDEX["AU43"]] = right[AU_INDEX["AU43"]] = 1.0
    assert expression_label(left, right) == name


@pytest.mark.parametrize(
    ("name", "valence_sign", "arousal_sign"),
    [("happy", 1, 1), ("sad", -1, -1), ("surprise", 1, 1), ("fear", -1, 1), ("disgust", -1, 1), ("anger", -1, 1),
     ("contempt", -1, 0), ("neutral", -1, -1)],
)  # fmt: skip
def test_circumplex_quadrants(name: str, valence_sign: int, arousal_sign: int) -> None:
    """Quadrants of Russell (1980); the resting face is defined to lie at -0.1 in both."""
    valence, arousal = valence_arousal(*prototype_units(name))
    assert valence * valence_sign > 0.05
    if arousal_sign:
        assert arousal * arousal_sign > 0.05


def test_valence_is_bounded_smooth_and_works_on_tables() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.uniform(0, 1, (2, 500, N_AUS))
    valence, arousal = valence_arousal(left, right)
    assert valence.shape == arousal.shape == (500,)
    assert np.abs(valence).max() < 1
    assert np.abs(arousal).max() < 1
    step = 1e-3
    nudged, _ = valence_arousal(np.clip(left + step, 0, 1), np.clip(right + step, 0, 1))
    assert np.abs(nudged - valence).max() < 10 * step  # no jumps
    single, _ = valence_arousal(left[3], right[3])
    assert single == pytest.approx(valence[3])


def test_both_sides_count_alike() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.uniform(0, 1, (2, N_AUS))
    assert valence_arousal(left, right) == pytest.approx(valence_arousal(right, left))


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="expression"):
        prototype_units("bored")
    with pytest.raises(ValueError, match="side"):
        prototype_units("contempt", side="up")
    with pytest.raises(ValueError, match="intensity"):
        prototype_units("happy", 2.0)
