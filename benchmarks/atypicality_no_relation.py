"""What both protocols report where there is nothing to be found: simulated ratings that no action unit has a part in.

Several small studies, each with its own cross-validation. A protocol may claim to beat the constant in one of forty of them
(an interval of 95 % that lies below 0 as a whole).

Usage: python -m benchmarks.atypicality_no_relation [--studies 6] [--participants 18] [--epochs 6] [--stride 8]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from benchmarks.atypicality_protocols import simulate
from classifiers.sequences.baselines import predict_baselines
from classifiers.sequences.folds import assign_folds
from classifiers.sequences.metrics import bootstrap, sum_by_participant
from classifiers.sequences.protocols import Protocol, cross_validate
from classifiers.sequences.recipe import PUBLISHED, SOUND, SequenceRecipe
from classifiers.sequences.training import WindowData, predict
from features.windows import WindowIndex


@dataclass(frozen=True)
class Claim:
    """Mean squared error less that of the constant: as reported, with its interval, and on new participants."""

    reported: float
    low: float
    high: float
    true: float


def main() -> None:
    """Print the table of docs/atypicality.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=6)
    parser.add_argument("--participants", type=int, default=18)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--stride", type=int, default=8)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.process_time()
    recipes: dict[str, tuple[Protocol, SequenceRecipe]] = {
        "as published, 1e-3": ("as_published", replace(PUBLISHED, epochs=asked.epochs, learning_rates=(1e-3,))),
        "sound": ("sound", replace(SOUND, epochs=asked.epochs)),
    }
    claims: dict[str, list[Claim]] = {name: [] for name in recipes}
    for study in range(asked.studies):
        index, groups = simulate(asked.participants, 0.0, asked.stride, seed=100 + study)
        fresh, _ = simulate(2 * asked.participants, 0.0, asked.stride, seed=200 + study)
        folds = assign_folds(groups, n_folds=3, n_repeats=1, seed=study)
        for name, (protocol, recipe) in recipes.items():
            claims[name].append(measure(index, fresh, folds, protocol, recipe))
            print(f"study {study + 1}, {len(index)} windows, {name}: {claims[name][-1]}", flush=True)
    for name, own in claims.items():
        better = sum(claim.high < 0 for claim in own)
        worse = sum(claim.low > 0 for claim in own)
        gaps = [claim.true - claim.reported for claim in own]
        print(
            f"{name}: claims to beat the constant in {better} of {len(own)}, to be worse in {worse}; MSE less the constant's: "
            f"reported {np.mean([claim.reported for claim in own]):+.3f}, new participants "
            f"{np.mean([claim.true for claim in own]):+.3f}; optimism {np.mean(gaps):+.3f} (SD {np.std(gaps, ddof=1):.3f})"
        )
    print(f"{time.process_time() - begun:.0f} s of processor time")


def measure(index: WindowIndex, fresh: WindowIndex, folds: object, protocol: Protocol, recipe: SequenceRecipe) -> Claim:
    """Cross-validate a GRU beside the training mean, and take the networks to new participants."""
    labelled = replace(index, labels=np.floor(index.labels)) if protocol == "as_published" else index
    people = index.provenance["participant_id"].to_numpy(dtype=object)
    results = list(cross_validate("gru", index, folds, protocol=protocol, recipe=recipe))  # type: ignore[arg-type]
    constants = [item for item in predict_baselines(labelled, folds) if item.kind == "mean"]  # type: ignore[arg-type]
    sums = []
    for items in (results, constants):
        rows, truth, prediction = (
            np.concatenate([getattr(item, name) for item in items]) for name in ("rows", "truth", "prediction")
        )
        sums.append(sum_by_participant(truth, prediction, people[rows]))
    found = bootstrap(sums[:1], against=sums[1:])["mse"]
    truth = np.floor(fresh.labels) if protocol == "as_published" else fresh.labels
    data = WindowData.place(fresh.signals, fresh.starts, truth, length=fresh.length)
    everybody = np.arange(len(fresh))
    gains = [
        ((predict(result.network, data, everybody) - truth) ** 2).mean()
        - ((constant.prediction[0] - truth) ** 2).mean()
        for result, constant in zip(results, constants, strict=True)
    ]
    return Claim(found.estimate, found.ci_low, found.ci_high, float(np.mean(gains)))


if __name__ == "__main__":
    main()
