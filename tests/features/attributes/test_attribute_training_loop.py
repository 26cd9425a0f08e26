"""The training loop: it learns, repeats itself, resumes to the same weights, and refuses what does not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from features.attributes.augmentation import Augmentation
from features.attributes.labels import AttributeLabels
from features.attributes.network import AttributeNetwork, OutputLayout
from features.attributes.recipe import DEMO_RECIPE, PUBLISHED_RECIPE, Phase, TrainingRecipe
from features.attributes.training import CropData, Progress, evaluate, train

LAYOUT = OutputLayout(n_expressions=2, n_aus=1)
GENTLE = Augmentation(rotation_deg=2.0, shear_deg=0.0, scale=0.02)
RECIPE = TrainingRecipe(
    phases=(Phase(input_size=32, epochs=2, batch_size=16), Phase(input_size=48, epochs=1, batch_size=16)),
    optimizer="adamw",
    schedule="one_cycle",
    learning_rate=0.01,
    averaging=0.8,
    au_softness=0.1,
    augmentation=GENTLE,
    seed=3,
)


def make_data(n: int = 96, seed: int = 0) -> CropData:
    """Faces whose brightness says everything: bright means unit present, class 1, valence and arousal high."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.1, 0.9, n)
    crops = (level[:, None, None, None] * 255 + rng.normal(0, 8, (n, 48, 48, 3))).clip(0, 255).astype(np.uint8)
    dimension = (2 * level - 1).astype(np.float32)
    aus = (level >= 0.5).astype(np.float32)[:, None]
    aus[::10] = np.nan
    return CropData(crops, AttributeLabels((level >= 0.5).astype(np.int64), dimension, dimension, aus))


def make_network(seed: int = 0) -> AttributeNetwork:
    torch.manual_seed(seed)
    return AttributeNetwork("mobilenet", scale=0.5, layout=LAYOUT)


def weights_of(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()])


def test_training_learns() -> None:
    recipe = replace(RECIPE, phases=(Phase(input_size=32, epochs=8, batch_size=8),), averaging=None)
    results = list(train(make_network(), make_data(), recipe, validation=make_data(64, seed=1)))
    assert [result.epoch for result in results] == list(range(8))
    assert results[-1].losses["total"] < 0.6 * results[0].losses["total"]
    scores = results[-1].scores
    assert scores is not None
    assert scores.mean_au_f1 > 0.8
    assert scores.valence.pearson > 0.8


def test_a_resumed_training_ends_with_the_same_weights() -> None:
    data = make_data(48)
    whole = list(train(make_network(), data, RECIPE))
    first = next(train(make_network(), data, RECIPE))
    rest = list(train(make_network(seed=5), data, RECIPE, state=first.state))
    assert [result.epoch for result in rest] == [1, 2]
    assert torch.equal(weights_of(rest[-1].network), weights_of(whole[-1].network))
    assert torch.equal(weights_of(make_network()), weights_of(make_network()))


def test_a_seed_repeats_and_another_does_not() -> None:
    data = make_data(48)
    recipe = replace(RECIPE, phases=(Phase(input_size=32, epochs=1, batch_size=16),))
    first, second = (next(train(make_network(), data, recipe)).network for _ in range(2))
    other = next(train(make_network(), data, replace(recipe, seed=4))).network
    assert torch.equal(weights_of(first), weights_of(second))
    assert not torch.equal(weights_of(first), weights_of(other))


def test_training_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    network = AttributeNetwork("mobilenet", scale=0.5, layout=LAYOUT)
    torch.manual_seed(11)
    next(train(network, make_data(32), RECIPE))
    assert torch.equal(torch.rand(3), expected)


def test_progress_reaches_the_end_and_reckons_in_pixels() -> None:
    seen: list[Progress] = []
    results = list(train(make_network(), make_data(32), RECIPE, on_step=seen.append))
    assert [now.fraction for now in seen] == sorted(now.fraction for now in seen)
    assert seen[-1].fraction == pytest.approx(1)
    share = 2 * 32**2 / (2 * 32**2 + 48**2)  # of the two small epochs
    assert seen[3].fraction == pytest.approx(share)
    assert [(now.epoch, now.step, now.n_steps) for now in seen] == [(e, s, 2) for e in range(3) for s in (1, 2)]
    assert [result.input_size for result in results] == [32, 32, 48]


def test_the_average_is_kept_and_the_network_trained() -> None:
    network = make_network()
    result = next(train(network, make_data(32), RECIPE))
    assert not result.network.training
    assert not torch.equal(weights_of(result.network), weights_of(network))


def test_unknown_labels_alone_train_nothing_but_break_nothing() -> None:
    n = 16
    unknown = np.full(n, np.nan, dtype=np.float32)
    labels = AttributeLabels(np.full(n, -1), unknown, unknown, unknown[:, None])
    data = CropData(make_data(n).crops, labels)
    recipe = replace(RECIPE, phases=(Phase(input_size=32, epochs=1, batch_size=8),), weight_decay=0.0)
    network = make_network()
    before = [value.clone() for value in network.parameters()]
    result = next(train(network, data, recipe))
    assert result.losses["total"] == 0
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_last_batch_of_one_face_is_left_out() -> None:
    steps: list[Progress] = []
    recipe = replace(RECIPE, phases=(Phase(input_size=32, epochs=1, batch_size=16),))
    next(train(make_network(), make_data(33), recipe, on_step=steps.append))
    assert [now.n_steps for now in steps] == [2, 2]


def test_states_of_another_recipe_are_refused() -> None:
    data = make_data(32)
    state = next(train(make_network(), data, RECIPE)).state
    with pytest.raises(ValueError, match="state of a training with this recipe"):
        next(train(make_network(), data, replace(RECIPE, learning_rate=0.02), state=state))


def test_labels_must_fit_the_network() -> None:
    network = AttributeNetwork("mobilenet", scale=0.5, layout=OutputLayout(n_expressions=2, n_aus=3))
    with pytest.raises(ValueError, match="3 action units as the network has, got 1"):
        next(train(network, make_data(32), RECIPE))


def test_a_diverging_training_stops() -> None:
    network = make_network()
    torch.nn.init.constant_(network.predict.weight, torch.inf)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        next(train(network, make_data(32), RECIPE))


def test_data_is_checked() -> None:
    data = make_data(8)
    with pytest.raises(ValueError, match="got float64"):
        CropData(data.crops / 255, data.labels)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got 7 and 8"):
        CropData(data.crops[:7], data.labels)


def test_evaluation_reads_at_another_size() -> None:
    scores = evaluate(make_network().eval(), make_data(20), input_size=32, batch_size=7)
    assert scores.aus[0].n == 18


def test_published_learning_rate() -> None:
    """0.01 * 0.95^epoch."""
    assert PUBLISHED_RECIPE.n_epochs == 30
    assert PUBLISHED_RECIPE.learning_rate_at(0, 0.0) == 0.01
    assert PUBLISHED_RECIPE.learning_rate_at(29, 0.99) == pytest.approx(0.01 * 0.95**29)


def test_one_cycle_rises_and_falls() -> None:
    rates = [DEMO_RECIPE.learning_rate_at(0, fraction) for fraction in (0.0, 0.05, 0.1, 0.55, 1.0)]
    peak = DEMO_RECIPE.learning_rate
    assert rates == pytest.approx([0.05 * peak, 0.525 * peak, peak, 0.505 * peak, 0.01 * peak])


def test_phases_and_work() -> None:
    assert [RECIPE.phase_of(epoch).input_size for epoch in range(3)] == [32, 32, 48]
    assert RECIPE.work(3, 10) == 10 * (2 * 32**2 + 48**2)
    assert Phase(input_size=32, epochs=1, images=5).images_of(10) == 5
    with pytest.raises(ValueError, match="Expected an epoch below 3, got 3"):
        RECIPE.phase_of(3)
    with pytest.raises(ValueError, match="input size of at least 32"):
        Phase(input_size=16, epochs=1)
    with pytest.raises(ValueError, match="at least 2"):
        Phase(input_size=32, epochs=1, batch_size=1)
    with pytest.raises(ValueError, match="a phase|phase and a positive"):
        TrainingRecipe(phases=())
