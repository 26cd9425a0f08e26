"""Seconds of the tests by emotion on a table of the size of Hugging Rain Man, beside a plain loop over SciPy and pandas.

Usage: python -m benchmarks.group_tests [--frames 131758] [--permutations 10000]

Both units of analysis, permutations and bootstraps of participants, corrections, combinations; regressions are timed apart.
The plain loop makes the tests over frames and over participants' rates, and as many permutations as `--loop-permutations` says:
what all of them would take is extrapolated.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy import stats

from features.facs import HRM_ACTIONS
from tasks.combination_tests import compare_diversity, tabulate_complexity
from tasks.emotion_frames import rate_actions
from tasks.emotion_tests import compare_emotion_frames, compare_emotions, model_emotions
from tasks.settings import CompareSettings

EMOTIONS = ("happy", "surprise", "sad")


def make_frames(n_frames: int, n_a: int = 66, n_b: int = 32, seed: int = 0) -> pd.DataFrame:
    """Clustered activity of 33 actions with laterality codes: each participant has rates of its own."""
    rng = np.random.default_rng(seed)
    person = np.sort(rng.integers(0, n_a + n_b, n_frames))
    base = rng.beta(0.4, 3.0, size=len(HRM_ACTIONS))
    rates = np.clip(base * rng.gamma(1.0, 1.0, size=(n_a + n_b, len(HRM_ACTIONS))), 0, 1)
    active = rng.random((n_frames, len(HRM_ACTIONS))) < rates[person]
    sides = np.where(rng.random(active.shape) < 0.05, rng.integers(2, 6, size=active.shape), 1)
    frames = pd.DataFrame((active * sides).astype(np.uint8), columns=list(HRM_ACTIONS))
    frames.insert(0, "participant_id", [f"{number:03d}" for number in person])
    frames.insert(1, "session", "")
    frames.insert(2, "task", "games")
    frames.insert(3, "group", np.where(person < n_a, "ASD", "TD"))
    frames.insert(4, "emotion", rng.choice(EMOTIONS, n_frames))
    return frames


def run_all(frames: pd.DataFrame, settings: CompareSettings) -> None:
    rates = rate_actions(frames, HRM_ACTIONS, min_frames=settings.min_segment_frames, order=EMOTIONS)
    tests = compare_emotions(rates, signals=HRM_ACTIONS, settings=settings)
    binary = frames.assign(**{name: (frames[name] > 0).astype(np.uint8) for name in HRM_ACTIONS})
    compare_emotion_frames(binary, tests, settings, signals=HRM_ACTIONS)
    tabulate_complexity(frames, HRM_ACTIONS)
    compare_diversity(frames, HRM_ACTIONS, settings)


def run_loop(frames: pd.DataFrame, n_permutations: int) -> tuple[float, float]:
    """Seconds of the tests, and of one permutation of all of them."""
    begun = time.perf_counter()
    tables = []
    for emotion in EMOTIONS:
        shown = frames[frames["emotion"] == emotion]
        binary = (shown[list(HRM_ACTIONS)] > 0).astype(float)
        is_a = shown["group"] == "ASD"
        rates = binary.groupby([shown["group"], shown["participant_id"]]).mean()
        tables.append(rates)
        for name in HRM_ACTIONS:
            stats.mannwhitneyu(
                binary.loc[is_a, name], binary.loc[~is_a, name], use_continuity=False, method="asymptotic"
            )
            stats.mannwhitneyu(rates.loc["ASD", name], rates.loc["TD", name], use_continuity=False, method="asymptotic")
    tested = time.perf_counter() - begun
    rng = np.random.default_rng(0)
    begun = time.perf_counter()
    for _ in range(n_permutations):
        for rates in tables:
            shuffled = rng.permutation(len(rates))
            n_a = len(rates.loc["ASD"])
            for name in HRM_ACTIONS:
                values = rates[name].to_numpy()[shuffled]
                stats.mannwhitneyu(values[:n_a], values[n_a:], use_continuity=False, method="asymptotic")
    return tested, (time.perf_counter() - begun) / n_permutations


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=131_758)
    parser.add_argument("--permutations", type=int, default=10_000)
    parser.add_argument("--loop-permutations", type=int, default=10)
    asked = parser.parse_args()
    frames = make_frames(asked.frames)
    settings = CompareSettings(permutations=asked.permutations, bootstrap_samples=asked.permutations)
    begun = time.perf_counter()
    run_all(frames, settings)
    print(
        f"{asked.frames} frames x {len(HRM_ACTIONS)} actions x {len(EMOTIONS)} emotions, both units, {asked.permutations} "
        f"permutations and bootstraps, combinations: {time.perf_counter() - begun:.1f} s"
    )
    begun = time.perf_counter()
    model_emotions(frames, settings, signals=HRM_ACTIONS)
    print(f"Regressions (GEE): {time.perf_counter() - begun:.1f} s")
    tested, permuted = run_loop(frames, asked.loop_permutations)
    print(
        f"Plain loop over SciPy: tests alone {tested:.1f} s; one permutation {permuted:.2f} s, so {asked.permutations} of them "
        f"{permuted * asked.permutations / 60:.0f} min; the cluster permutation and bootstrap not counted"
    )


if __name__ == "__main__":
    main()
