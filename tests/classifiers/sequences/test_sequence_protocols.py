"""Training, protocols, baselines and explanations on windows whose rating is known to follow AU12 and not AU01."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from classifiers.sequences import build
from classifiers.sequences.baselines import BASELINES, predict_baselines, summarize_windows
from classifiers.sequences.folds import assign_folds, leave_one_participant_out_folds
from classifiers.sequences.importance import occlude_time, permute_signals
from classifiers.sequences.metrics import score
from classifiers.sequences.protocols import FoldResult, cross_validate, find_rows
from classifiers.sequences.recipe import PUBLISHED, SOUND, SequenceRecipe
from classifiers.sequences.training import WindowData, fit, predict
from features.windows import WindowIndex, index_windows

SIGNALS = ["AU01", "AU12"]
QUICK = SequenceRecipe(learning_rates=(3e-3,), epochs=4, batch_size=16)


def make_index(n_participants: int = 6, seed: int = 0) -> WindowIndex:
    """Segments of 12 frames: the more of AU12, the higher the rating; AU01 is noise."""
    rng = np.random.default_rng(seed)
    parts = []
    for person in range(n_participants):
        for segment in range(8):
            level = rng.random()
            rating = 1.3 + 2.5 * level
            parts.append(
                pd.DataFrame(
                    {
                        "participant_id": f"p{person}",
                        "segment": segment,
                        "frame": np.arange(12),
                        "AU01": rng.random(12),
                        "AU12": np.clip(level + rng.normal(0, 0.05, 12), 0, 1),
                        "rating": rating,
                    }
                )
            )
    frames = pd.concat(parts, ignore_index=True)
    return index_windows(frames, SIGNALS, frames["rating"], length=6)


GROUPS = pd.Series(["ASD", "ASD", "ASD", "TD", "TD", "TD"], index=[f"p{number}" for number in range(6)])


@pytest.fixture(scope="module")
def index() -> WindowIndex:
    return make_index()


@pytest.fixture(scope="module")
def folds() -> pd.DataFrame:
    return assign_folds(GROUPS, n_folds=3, n_repeats=1, seed=0)


@pytest.fixture(scope="module")
def sound(index: WindowIndex, folds: pd.DataFrame) -> list[FoldResult]:
    return list(cross_validate("gru", index, folds, recipe=QUICK, seed=5))


def people_of(index: WindowIndex) -> np.ndarray:
    return index.provenance["participant_id"].to_numpy(dtype=object)


def test_every_window_is_tested_once_by_a_network_that_never_saw_its_participant(
    index: WindowIndex, sound: list[FoldResult]
) -> None:
    rows = np.concatenate([result.rows for result in sound])
    assert sorted(rows) == list(range(len(index)))
    for result in sound:
        assert set(people_of(index)[result.rows]) == set(result.tested)
        assert not set(result.tested) & {*result.training, *result.validation}
        np.testing.assert_array_equal(result.truth, index.labels[result.rows])


def test_network_learns_the_planted_relation(index: WindowIndex, sound: list[FoldResult]) -> None:
    rows = np.concatenate([result.rows for result in sound])
    truth, prediction = (np.concatenate([getattr(r, name) for r in sound]) for name in ("truth", "prediction"))
    found = score(truth, prediction, people_of(index)[rows])
    assert found["pearson"] > 0.9
    assert found["mse"] < 0.25 * index.labels.var()


def test_a_fold_is_the_same_alone_and_after_others(
    index: WindowIndex, folds: pd.DataFrame, sound: list[FoldResult]
) -> None:
    (again,) = cross_validate("gru", index, folds, recipe=QUICK, seed=5, skip={(0, 0), (0, 1)})
    assert (again.repeat, again.fold) == (0, 2)
    np.testing.assert_array_equal(again.prediction, sound[2].prediction)


def test_as_published_floors_labels_and_chooses_on_the_tested(index: WindowIndex, folds: pd.DataFrame) -> None:
    recipe = replace(PUBLISHED, epochs=3, learning_rates=(1e-3,), batch_size=16)
    for result in cross_validate("bilstm", index, folds, protocol="as_published", recipe=recipe, skip={(0, 1), (0, 2)}):
        assert result.validation == result.tested
        assert set(result.training) | set(result.tested) == set(GROUPS.index)
        np.testing.assert_array_equal(result.truth, np.floor(index.labels[result.rows]))
        starts = range(0, len(result.rows), 16)
        squares = [((result.prediction - result.truth)[start : start + 16] ** 2).mean() for start in starts]
        assert result.batch_means["mse"] == pytest.approx(np.mean(squares))
        assert result.batch_means["rmse"] == pytest.approx(np.mean(np.sqrt(squares)))
        assert result.network.random_states


def test_learning_rate_is_chosen_by_inner_validation(index: WindowIndex, folds: pd.DataFrame) -> None:
    recipe = replace(QUICK, learning_rates=(1e-9, 3e-3), epochs=2)
    done: list[tuple[int, int]] = []
    skip = {(0, 1), (0, 2)}
    (result,) = cross_validate(
        "gru", index, folds, recipe=recipe, skip=skip, on_epoch=lambda *counts: done.append(counts)
    )
    assert result.learning_rate == 3e-3
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


def place(index: WindowIndex) -> WindowData:
    return WindowData.place(index.signals, index.starts, index.labels, length=index.length)


def test_gathered_windows_are_the_windows(index: WindowIndex) -> None:
    data = place(index)
    gathered = data.gather(data.put_rows(np.array([5, 0, 17]))).numpy()
    np.testing.assert_array_equal(gathered, index.windows()[[5, 0, 17]])


def test_kept_epoch_is_the_one_with_the_lowest_monitored_error(index: WindowIndex) -> None:
    data, rows = place(index), np.arange(len(index))
    result = fit(build("gru", 2), data, rows[:200], rows[200:], QUICK, learning_rate=0.05, seed=1)
    assert result.best_epoch == int(np.argmin([epoch.monitored_mse for epoch in result.epochs]))
    np.testing.assert_allclose(predict(result.network, data, rows[200:]), result.monitored, atol=1e-6)
    error = ((result.monitored - index.labels[200:]) ** 2).mean()
    assert result.best_mse == pytest.approx(error, rel=1e-5)


def test_training_stops_and_lowers_its_rate_when_nothing_improves(index: WindowIndex) -> None:
    """A rate of 1e-9 moves nothing measurable: the schedule and the stop count the same idle epochs."""
    data, rows = place(index), np.arange(len(index))
    recipe = SequenceRecipe(epochs=9, stop_after=2, windows_per_epoch=16)
    stopped = fit(build("gru", 2), data, rows[:100], rows[100:], recipe, learning_rate=1e-12, seed=1)
    assert len(stopped.epochs) == stopped.best_epoch + 3
    recipe = SequenceRecipe(epochs=6, stop_after=None, windows_per_epoch=16)
    idle = fit(build("gru", 2), data, rows[:100], rows[100:], recipe, learning_rate=1e-12, seed=1)
    assert len(idle.epochs) == 6
    assert idle.epochs[-1].learning_rate == pytest.approx(1e-13)


def test_network_starts_as_the_median(index: WindowIndex) -> None:
    data, rows = place(index), np.arange(len(index))
    network = build("gru", 2)
    torch.nn.init.zeros_(network.head.weight)
    recipe = SequenceRecipe(epochs=1, windows_per_epoch=1)
    result = fit(network, data, rows[:101], rows[101:], recipe, learning_rate=1e-12, seed=1)
    np.testing.assert_allclose(result.monitored, np.median(index.labels[:101]), rtol=1e-5)


def test_importance_finds_the_signal_and_its_direction(index: WindowIndex, sound: list[FoldResult]) -> None:
    result = sound[0]
    people = people_of(index)[result.rows]
    table = permute_signals(result.network, place(index), result.rows, people, SIGNALS, n_permutations=2)
    assert sorted(table["participant_id"].unique()) == list(result.tested)
    means = table.groupby("signal")[["importance", "direction"]].mean()
    assert means.loc["AU12", "importance"] > 10 * abs(means.loc["AU01", "importance"])
    assert means.loc["AU12", "direction"] > 1
    again = predict(result.network, place(index), result.rows)
    np.testing.assert_allclose(again, result.prediction, atol=1e-6)


def test_occlusion_covers_each_position(index: WindowIndex, sound: list[FoldResult]) -> None:
    result = sound[0]
    people = people_of(index)
    reference = find_rows(people, result.training)
    table = occlude_time(result.network, place(index), result.rows, people[result.rows], reference=reference)
    assert sorted(table["position"].unique()) == list(range(6))
    assert (table["change"] > 0).all()


def test_baselines_are_what_they_are_called(index: WindowIndex, folds: pd.DataFrame) -> None:
    results = list(predict_baselines(index, folds))
    assert [result.kind for result in results] == list(BASELINES) * 3
    median, mean, ridge, boosting = results[:4]
    others = np.setdiff1d(np.arange(len(index)), median.rows)
    assert np.unique(median.prediction).tolist() == [np.median(index.labels[others])]
    assert np.unique(mean.prediction) == pytest.approx(index.labels[others].mean())
    for model in (ridge, boosting):
        assert ((model.prediction - model.truth) ** 2).mean() < 0.2 * index.labels[others].var()


def test_window_summaries(index: WindowIndex) -> None:
    window = index.windows()[9]
    expected = [window.mean(0), window.std(0), window.min(0), window.max(0), window[-1] - window[0]]
    np.testing.assert_allclose(summarize_windows(index)[9], np.concatenate(expected), rtol=1e-5)


def test_recipes_are_the_published_and_a_sound_one() -> None:
    assert (PUBLISHED.learning_rates, PUBLISHED.epochs, PUBLISHED.batch_size) == ((1e-6,), 15, 64)
    assert (PUBLISHED.plateau_patience, PUBLISHED.plateau_factor, PUBLISHED.huber_delta) == (2, 0.1, 1.0)
    assert PUBLISHED.stop_after is None
    assert min(SOUND.learning_rates) > max(PUBLISHED.learning_rates)


def test_bad_input_is_refused(index: WindowIndex) -> None:
    with pytest.raises(ValueError, match="differing"):
        next(cross_validate("gru", index, leave_one_participant_out_folds(GROUPS.iloc[:4])))
    unrated = replace(index, labels=np.full(len(index), np.nan))
    with pytest.raises(ValueError, match="without a label"):
        next(cross_validate("gru", unrated, leave_one_participant_out_folds(GROUPS)))
    with pytest.raises(ValueError, match="label of each"):
        WindowData.place(index.signals, index.starts, [1.0], length=6)
    with pytest.raises(ValueError, match="inside"):
        WindowData.place(index.signals, index.starts, index.labels, length=99)
    with pytest.raises(ValueError, match="learn from"):
        fit(build("gru", 2), place(index), np.array([], dtype=int), np.arange(3), QUICK, learning_rate=1e-3, seed=0)
    with pytest.raises(ValueError, match="learning rates"):
        SequenceRecipe(learning_rates=())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_learns_the_same_relation(index: WindowIndex, folds: pd.DataFrame) -> None:
    results = list(cross_validate("gru", index, folds, recipe=QUICK, seed=5, device="cuda"))
    truth, prediction = (np.concatenate([getattr(r, name) for r in results]) for name in ("truth", "prediction"))
    assert np.corrcoef(truth, prediction)[0, 1] > 0.9
