"""What the published and the sound protocol report, beside the truth on new participants, on simulated rated segments.

Ratings hang on three action units here; `benchmarks.atypicality_no_relation` is the other half.

Usage: python -m benchmarks.atypicality_protocols [--participants 18] [--repeats 2] [--epochs 6]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd

from classifiers.sequences.baselines import predict_baselines
from classifiers.sequences.folds import assign_folds
from classifiers.sequences.importance import permute_signals
from classifiers.sequences.metrics import score
from classifiers.sequences.protocols import FoldResult, Protocol, cross_validate
from classifiers.sequences.recipe import PUBLISHED, SOUND, SequenceRecipe
from classifiers.sequences.training import WindowData, predict
from features.synthetic.rated_sequences import PLANTED_WEIGHTS, UNITS, simulate_rated_frames
from features.windows import WindowIndex, index_windows


def main() -> None:
    """Print the tables of docs/atypicality.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=18)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--stride", type=int, default=3)
    asked = parser.parse_args()
    recipes: dict[str, tuple[Protocol, SequenceRecipe]] = {
        "as published": ("as_published", replace(PUBLISHED, epochs=asked.epochs)),
        "as published, 1e-3": ("as_published", replace(PUBLISHED, epochs=asked.epochs, learning_rates=(1e-3,))),
        "sound": ("sound", replace(SOUND, epochs=asked.epochs)),
    }
    index, groups = simulate(asked.participants, 1.0, asked.stride, seed=1)
    fresh, _ = simulate(2 * asked.participants, 1.0, 3 * asked.stride, seed=2)
    folds = assign_folds(groups, n_folds=3, n_repeats=asked.repeats, seed=0)
    print(f"{len(groups)} participants, {len(index)} windows; truth on {len(fresh)} windows of others")
    results = {}
    for name, (protocol, recipe) in recipes.items():
        results[name] = list(cross_validate("gru", index, folds, protocol=protocol, recipe=recipe))
        print(describe(name, results[name], index, fresh), flush=True)
    baselines = list(predict_baselines(index, folds))
    for name in ("median", "mean", "ridge", "boosting"):
        print(describe_pooled(name, [item for item in baselines if item.kind == name], index))
    print(rank_units(results["sound"], index).to_string())


def simulate(n_participants: int, strength: float, stride: int, *, seed: int) -> tuple[WindowIndex, pd.Series[str]]:
    """Windows of a simulated study, two thirds of its participants with ASD, and their groups."""
    n_asd = 2 * n_participants // 3
    frames = simulate_rated_frames(n_asd, n_participants - n_asd, strength=strength, seed=seed)
    groups = frames.groupby("participant_id")["group"].first()
    return index_windows(frames, UNITS, frames["rating"], stride=stride), groups


def describe(name: str, results: list[FoldResult], index: WindowIndex, fresh: WindowIndex) -> str:
    """Reported errors, and those of the same networks on participants whom no choice has seen."""
    reported_rmse = np.mean([result.batch_means["rmse"] for result in results])
    reported_mse = np.mean([result.batch_means["mse"] for result in results])
    data = WindowData.place(fresh.signals, fresh.starts, fresh.labels, length=fresh.length)
    rows = np.arange(len(fresh))
    floored = np.floor(fresh.labels)
    new = [predict(result.network, data, rows) for result in results]
    new_mse = np.mean([((item - fresh.labels) ** 2).mean() for item in new])
    new_floored = np.mean([((item - floored) ** 2).mean() for item in new])
    text = f"batch means RMSE {reported_rmse:.3f} MSE {reported_mse:.3f}; new people MSE {new_mse:.3f}, floored {new_floored:.3f}"
    return f"{describe_pooled(name, results, index)}; {text}; best epochs {[result.best_epoch for result in results]}"


def describe_pooled(name: str, results: list, index: WindowIndex) -> str:
    """Pooled errors over all tested windows of all repeats."""
    people = index.provenance["participant_id"].to_numpy(dtype=object)
    truth, prediction = (np.concatenate([getattr(item, part) for item in results]) for part in ("truth", "prediction"))
    found = score(truth, prediction, people[np.concatenate([item.rows for item in results])])
    numbers = " ".join(f"{key} {found[key]:.3f}" for key in ("mae", "mse", "rmse", "mape", "pearson", "ccc"))
    return f"{name:19s} {numbers}"


def rank_units(results: list[FoldResult], index: WindowIndex) -> pd.DataFrame:
    """Mean importance and direction over participants, the six highest units; those planted are marked."""
    people = index.provenance["participant_id"].to_numpy(dtype=object)
    data = WindowData.place(index.signals, index.starts, index.labels, length=index.length)
    parts = [
        permute_signals(item.network, data, item.rows, people[item.rows], UNITS, n_permutations=2) for item in results
    ]
    means = pd.concat(parts).groupby("signal")[["importance", "direction"]].mean()
    means["planted"] = [PLANTED_WEIGHTS.get(name, 0.0) for name in means.index]
    return means.sort_values("importance", ascending=False).head(6)


if __name__ == "__main__":
    main()
