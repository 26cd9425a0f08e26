"""Seconds of the seven classifiers with the ablation on 88 participants and 58 features, as in Li et al. (2019).

Usage: python -m benchmarks.classification [--permutations 0]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from features.vector_58 import FEATURE_NAMES
from tasks.classification import classify_participants
from tasks.settings import ClassifySettings


def make_table(n_positive: int = 49, n_negative: int = 39, seed: int = 0) -> pd.DataFrame:
    """Random features with a shift between the groups; 49 and 39 participants as in the paper."""
    rng = np.random.default_rng(seed)
    group = np.array(["ASD"] * n_positive + ["TD"] * n_negative)
    values = rng.normal(size=(len(group), len(FEATURE_NAMES))) + 0.3 * (group == "ASD")[:, None]
    table = pd.DataFrame(values, columns=list(FEATURE_NAMES))
    table.insert(0, "participant_id", [f"{i:03d}" for i in range(len(group))])
    table.insert(1, "session", "")
    table.insert(2, "task", "clips")
    table.insert(3, "group", group)
    table["included"] = True
    table["exclusion_reason"] = ""
    return table


def main() -> None:
    """Print the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--permutations", type=int, default=0)
    asked = parser.parse_args()
    settings = ClassifySettings(permutations=asked.permutations)
    begun = time.perf_counter()
    performance, _ = classify_participants(make_table(), settings)
    seconds = time.perf_counter() - begun
    print(f"7 classifiers x 4 feature sets, 88 participants, {asked.permutations} permutations: {seconds:.1f} s")
    print(performance[["feature_set", "classifier", "f1", "auc"]].to_string(index=False))


if __name__ == "__main__":
    main()
