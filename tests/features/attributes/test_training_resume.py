"""A training that is stopped in the middle of an epoch ends with the same bits; workers, early stopping, single tasks."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from features.attributes.augmentation import PUBLISHED_AUGMENTATION
from features.attributes.batches import CropData, EpochBatches, TrainingBatches, load_batches
from features.attributes.labels import AttributeLabels
from features.attributes.network import AttributeNetwork, OutputLayout
from features.attributes.recipe import PUBLISHED_RECIPE, Phase, TrainingRecipe
from features.attributes.training import EpochResult, State, train

LAYOUT = OutputLayout(n_expressions=3, n_aus=2)
RECIPE = replace(PUBLISHED_RECIPE, phases=(Phase(input_size=32, epochs=3, batch_size=8),), seed=5)
EVERYTHING = replace(RECIPE, optimizer="adamw", schedule="one_cycle", averaging=0.8, learning_rate=1e-3)


def make_data(n: int = 28, seed: int = 0) -> CropData:
    rng = np.random.default_rng(seed)
    crops = rng.integers(0, 256, (n, 40, 40, 3), dtype=np.uint8)
    labels = AttributeLabels(
        rng.integers(-1, 3, n),
        rng.uniform(-1, 1, n).astype(np.float32),
        rng.uniform(-1, 1, n).astype(np.float32),
        rng.choice(np.array([0, 1, np.nan], dtype=np.float32), (n, 2)),
    )
    return CropData(crops, labels)


def make_network(seed: int = 0) -> AttributeNetwork:
    torch.manual_seed(seed)
    return AttributeNetwork("mobilenet", scale=0.25, layout=LAYOUT)


def through_a_file(state: State) -> State:
    """As a killed process finds it: tensors and plain values, no pickled code."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: State = torch.load(file, weights_only=True)
    return loaded


class KilledError(Exception):
    pass


def stop_after(step: int, kept: list[State]) -> Callable[[Callable[[], State]], None]:
    """Keep the state of one step, then go on for another before the end, as with states that are kept now and then."""
    seen = 0

    def keep(state_of: Callable[[], State]) -> None:
        nonlocal seen
        seen += 1
        if seen == step:
            kept.append(through_a_file(state_of()))
        if seen > step:
            raise KilledError

    return keep


def assert_same(a: Any, b: Any) -> None:
    """Bit for bit, through all levels of a state."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


@pytest.mark.parametrize(("recipe", "step"), [(RECIPE, 2), (EVERYTHING, 4), (EVERYTHING, 6)])
def test_killed_in_an_epoch_and_resumed_equals_uninterrupted(recipe: TrainingRecipe, step: int) -> None:
    """28 faces in batches of 8: step 2 is in the first epoch, 4 its last batch, 6 in the second."""
    data, validation = make_data(), make_data(9, seed=1)
    whole = list(train(make_network(), data, recipe, validation=validation))
    kept: list[State] = []
    before: list[EpochResult] = []
    with pytest.raises(KilledError):
        before += train(
            make_network(), data, recipe, validation=validation, keep_state=stop_after(step, kept)
        )  # pragma: no branch
    torch.manual_seed(99)  # a new process has another global state
    rest = list(train(make_network(seed=7), data, recipe, validation=validation, state=kept[0]))
    assert len(rest) == 3 - kept[0]["epochs_done"]
    for expected, got in zip(whole[-len(rest) :], rest, strict=True):
        assert_same(expected.state, got.state)
        assert_same(expected.network.state_dict(), got.network.state_dict())
        assert expected.losses == got.losses
        assert expected.validation_loss == got.validation_loss


def test_training_does_not_depend_on_the_workers() -> None:
    """From the middle of an epoch into the next: what workers prepare is what the training itself prepares."""
    recipe = replace(RECIPE, phases=(Phase(input_size=32, epochs=2, batch_size=8),))
    kept: list[State] = []
    with pytest.raises(KilledError):
        list(train(make_network(), make_data(), recipe, keep_state=stop_after(2, kept)))
    alone = list(train(make_network(), make_data(), recipe))
    helped = list(train(make_network(), make_data(), recipe, workers=2, state=kept[0]))
    assert [result.epoch for result in helped] == [0, 1]
    assert_same(alone[-1].state, helped[-1].state)
    assert 0 <= helped[0].waiting_fraction <= 1
    assert helped[0].images_per_s > 0


def test_batches_follow_each_other_over_the_epochs() -> None:
    recipe = replace(RECIPE, phases=(Phase(input_size=32, epochs=2, batch_size=8), Phase(input_size=48, epochs=1)))
    batches = TrainingBatches(make_data(33), recipe)
    places = [(1, 2), (1, 3), (2, 0)]  # 33 faces: four batches of 8, one left over; then one of 33
    assert list(batches.places_from(1, 2)) == places
    for (epoch, number), got in zip(places, load_batches(batches, epoch=1, number=2), strict=True):
        assert torch.equal(got.images, batches[epoch, number].images)
        assert got.images.shape[1:] == ((3, 48, 48) if epoch == 2 else (3, 32, 32))


def test_epochs_differ_in_order_and_changes() -> None:
    data = make_data()
    first, second = (
        EpochBatches(data, RECIPE.phases[0], PUBLISHED_AUGMENTATION, seed=1, epoch=epoch) for epoch in (0, 1)
    )
    for batches in (first, second):
        assert sorted(np.concatenate(batches.rows).tolist()) == list(range(28))
    assert not np.array_equal(first.rows[0], second.rows[0])
    second.rows = first.rows
    assert not torch.equal(first[0].images, second[0].images)


def test_early_stopping_waits_and_remembers_across_a_restart() -> None:
    """A learning rate of next to nothing cannot lower the loss for long: noise decides, then patience ends."""
    recipe = replace(RECIPE, phases=(Phase(input_size=32, epochs=40, batch_size=8),), learning_rate=0.1, patience=2)
    data, validation = make_data(), make_data(9, seed=1)
    results = list(train(make_network(), data, recipe, validation=validation))
    losses = [result.validation_loss for result in results]
    best = int(np.argmin(losses))
    assert [result.improved for result in results] == [
        loss < min(losses[:i], default=math.inf) for i, loss in enumerate(losses)
    ]
    assert len(results) == best + 1 + 2 < 40
    assert [result.is_last for result in results] == [False] * (best + 2) + [True]
    resumed = list(train(make_network(), data, recipe, validation=validation, state=results[-2].state))
    assert [result.epoch for result in resumed] == [results[-1].epoch]
    assert list(train(make_network(), data, recipe, validation=validation, state=results[-1].state)) == []


def test_early_stopping_needs_validation_data() -> None:
    with pytest.raises(ValueError, match="validation data for early stopping"):
        next(train(make_network(), make_data(), replace(RECIPE, patience=1)))


@pytest.mark.parametrize(
    ("task", "rows"), [("expression", [0, 1, 2]), ("valence", [3]), ("arousal", [4]), ("aus", [5, 6])]
)
def test_a_single_task_trains_its_own_outputs_alone(task: str, rows: list[int]) -> None:
    recipe = replace(RECIPE, phases=(Phase(input_size=32, epochs=1, batch_size=8),), tasks=(task,), weight_decay=0.0)  # type: ignore[arg-type]
    network = make_network()
    before = network.predict.weight.detach().clone()
    result = next(train(network, make_data(), recipe))
    changed = (network.predict.weight != before).any(dim=1)
    assert changed.nonzero().flatten().tolist() == rows
    assert not network.predict.weight.grad[[i for i in range(7) if i not in rows]].any()  # type: ignore[index]
    assert result.losses["total"] == pytest.approx(result.losses[task])


def test_one_class_data_trains_to_finite_weights() -> None:
    data = make_data()
    n = len(data)
    labels = AttributeLabels(
        np.ones(n, dtype=np.int64), data.labels.valence * 0, data.labels.arousal * 0, np.ones((n, 2), np.float32)
    )
    result = next(train(make_network(), CropData(data.crops, labels), RECIPE))
    assert all(math.isfinite(loss) for loss in result.losses.values())
    assert all(torch.isfinite(value).all() for value in result.network.state_dict().values())


def test_divergence_names_step_and_learning_rate() -> None:
    network = make_network()
    steps: list[int] = []

    def break_it(_state_of: Callable[[], State]) -> None:
        steps.append(1)
        if len(steps) == 5:
            torch.nn.init.constant_(network.predict.weight, torch.nan)

    message = r"got nan at step 6 \(epoch 2, batch 2\) with the learning rate 0.0095; losses: expression nan"
    with pytest.raises(FloatingPointError, match=message):
        list(train(network, make_data(), RECIPE, keep_state=break_it))


def test_states_of_other_data_are_refused() -> None:
    state = next(train(make_network(), make_data(), RECIPE)).state
    with pytest.raises(ValueError, match="training on 29 images, got one on 28"):
        next(train(make_network(), make_data(29), RECIPE, state=state))


def test_gradients_are_clipped_as_the_recipe_says() -> None:
    """One step of plain gradient descent moves the weights by learning rate times the clipped norm, whatever the loss."""
    phase = Phase(input_size=32, epochs=1, batch_size=28)
    for limit in (1e-3, 1e-2):
        network = make_network()
        before = torch.cat([value.detach().flatten().clone() for value in network.parameters()])
        recipe = replace(RECIPE, phases=(phase,), clip_norm=limit, weight_decay=0.0, learning_rate=1.0, decay=1.0)
        next(train(network, make_data(), recipe))
        after = torch.cat([value.detach().flatten() for value in network.parameters()])
        assert float(torch.linalg.vector_norm(after - before)) == pytest.approx(limit, rel=0.01)


@pytest.mark.gpu
def test_half_precision_trains_and_resumes_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    options: dict[str, Any] = {"device": "cuda", "mixed_precision": True, "workers": 2}
    kept: list[State] = []
    with pytest.raises(KilledError):
        list(train(make_network(), make_data(), RECIPE, keep_state=stop_after(6, kept), **options))
    assert kept[0]["scaler"]["scale"] > 0
    rest = list(train(make_network(), make_data(), RECIPE, state=kept[0], **options))
    assert [result.epoch for result in rest] == [1, 2]
    assert all(math.isfinite(result.losses["total"]) for result in rest)
