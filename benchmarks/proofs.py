"""What the tests of group differences get wrong by chance, by simulation; written into docs/group_analysis.md.

Usage: python -m benchmarks.proofs [--tables 300] [--seeds 200] [--docs docs/group_analysis.md]

1. Clustered data without a difference: how often each test of an action unit has p < .05. Frames of a child are alike, because
   each child has a rate of its own.
2. Rendered sessions' ground truth with planted differences: the share of false discoveries after Benjamini-Hochberg.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from features.facs import EMOTIONET_AUS
from features.synthetic.au_dynamics import simulate_units
from features.synthetic.cohort import sample_temperament
from features.synthetic.expressions import POSITIVE_INTENSITY, mean_units, prototype_units
from features.synthetic.sessions import default_script, frame_times, segment_of_frames
from stats.clustered_models import estimate_group_effect
from stats.corrections import adjust_p_values
from stats.frame_tests import compare_frames
from stats.group_tests import mann_whitney, welch_difference
from stats.resampling import permute_frame_statistic, permute_rank_sums

ALPHA = 0.05
N_UNITS = 12
COHORTS = {
    "12 and 12 participants, 375 frames each": (12, 12, 375),
    "66 and 32 participants, 450 frames each": (66, 32, 450),
}
BEGIN, END = "<!-- proofs: begin -->", "<!-- proofs: end -->"

NAMES = {
    "frames": "Mann-Whitney over frames (as published)",
    "cluster": "the same Z, participants permuted",
    "participants": "Mann-Whitney over participants",
    "permutation": "rank sum, participants permuted",
    "welch": "Welch's t over participants",
    "gee": "GEE, logistic, exchangeable, Mancl-DeRouen",
}


def simulate_null(n_a: int, n_b: int, n_frames: int, rng: np.random.Generator) -> pd.DataFrame:
    """p-values of every test for `N_UNITS` units without a difference; one row a unit."""
    rates = rng.beta(0.8, 2.4, size=(n_a + n_b, N_UNITS))
    people = np.repeat(np.arange(n_a + n_b), n_frames)
    frames = pd.DataFrame((rng.random((len(people), N_UNITS)) < rates[people]).astype(np.uint8))
    found = compare_frames(frames, pd.Series(people), pd.Series(people < n_a))
    n, is_a = found.participants["n_frames"], found.participants["is_a"]
    shares = found.sums.div(n, axis=0)
    seed = int(rng.integers(2**31))
    names = found.sums.columns
    return pd.DataFrame(
        {
            "frames": found.tests["p"],
            "cluster": permute_frame_statistic(found.deviations, n, is_a, n_permutations=999, seed=seed).p,
            "participants": mann_whitney(shares[is_a], shares[~is_a]).p,
            "permutation": permute_rank_sums(shares, is_a, n_permutations=999, seed=seed).p,
            "welch": [welch_difference(shares.loc[is_a, k], shares.loc[~is_a, k]).p for k in names],
            "gee": [estimate_group_effect(found.sums[k], n, is_a).p for k in names],
        }
    )


def measure_false_positives(n_tables: int) -> Iterator[str]:
    """Markdown table of false-positive rates."""
    yield f"| test | {' | '.join(COHORTS)} |"
    yield f"|---|{'---|' * len(COHORTS)}"
    rates = {
        name: pd.concat([simulate_null(*size, np.random.default_rng([k, seed])) for seed in range(n_tables)]) < ALPHA
        for k, (name, size) in enumerate(COHORTS.items())
    }
    n = n_tables * N_UNITS
    for test, label in NAMES.items():
        shares = [float(found[test].mean()) for found in rates.values()]
        cells = [f"{100 * share:.1f} % (± {100 * np.sqrt(share * (1 - share) / n):.1f})" for share in shares]
        yield f"| {label} | {' | '.join(cells)} |"
    yield ""
    yield f"Share of {n} tests without a difference that have p < .05, and its Monte Carlo standard error. 5 % is right."


def find_true_differences() -> set[tuple[str, str]]:
    """Emotion and unit of the pairs in which the simulated groups differ by design."""
    pairs = {("baseline", "AU04")}
    for emotion, expression in (("joy", "happy"), ("surprise", "surprise")):
        strength, _ = prototype_units(expression, 1.0, with_optional=True)
        pairs |= {(emotion, name) for name, value in zip(EMOTIONET_AUS, strength, strict=True) if value > 0}
    return pairs


UNCLEAR = {("joy", "AU04"), ("surprise", "AU17")}
"""The last frown of the baseline may fade in the clip of joy, and a dropped jaw undoes a raised chin: not judged."""


def simulate_cohort(n_per_group: int, seed: int) -> pd.DataFrame:
    """Ground truth of a study: active units of each frame, by participant, group and emotion of the stimulus."""
    script = default_script()
    time_s = frame_times(script)
    emotions = [segment.trial_type if segment else None for segment in segment_of_frames(script, time_s)]
    parts = []
    for number in range(2 * n_per_group):
        group = "ASD" if number < n_per_group else "TD"
        rng = np.random.default_rng([seed, number])
        units = mean_units(*simulate_units(script, sample_temperament(group, rng), time_s, rng))
        part = pd.DataFrame((units >= POSITIVE_INTENSITY).astype(np.uint8), columns=list(EMOTIONET_AUS))
        parts.append(part.assign(participant_id=number, group=group, emotion=emotions))
    return pd.concat(parts, ignore_index=True)


def test_cohort(frames: pd.DataFrame) -> pd.DataFrame:
    """p-values over frames and over participants of every emotion and unit."""
    parts = []
    for emotion, rows in frames.groupby("emotion"):
        found = compare_frames(rows[list(EMOTIONET_AUS)], rows["participant_id"], rows["group"] == "ASD")
        is_a, shares = found.participants["is_a"], found.sums.div(found.participants["n_frames"], axis=0)
        part = pd.DataFrame({"frames": found.tests["p"], "participants": mann_whitney(shares[is_a], shares[~is_a]).p})
        parts.append(part.rename_axis("unit").reset_index().assign(emotion=emotion))
    return pd.concat(parts, ignore_index=True)


def measure_false_discoveries(n_seeds: int, n_per_group: int = 12) -> Iterator[str]:
    """Markdown table of false-discovery rates."""
    real = find_true_differences()
    shares: dict[str, list[tuple[float, float]]] = {"frames": [], "participants": []}
    for seed in range(n_seeds):
        tests = test_cohort(simulate_cohort(n_per_group, seed))
        tests = tests[[pair not in UNCLEAR for pair in zip(tests["emotion"], tests["unit"], strict=True)]]
        true = np.array([pair in real for pair in zip(tests["emotion"], tests["unit"], strict=True)])
        for unit, found in shares.items():
            marked = (adjust_p_values(tests[unit]) < ALPHA).to_numpy()
            found.append(((marked & ~true).sum() / max(marked.sum(), 1), (marked & true).sum()))
    yield f"| unit of analysis | false among the discoveries | true differences found, of {len(real)} planted |"
    yield "|---|---|---|"
    for unit, label in (("frames", "frames (as published)"), ("participants", "participants")):
        wrong, right = np.array(shares[unit]).T
        error = wrong.std(ddof=1) / np.sqrt(n_seeds)
        yield f"| {label} | {100 * wrong.mean():.1f} % (± {100 * error:.1f}) | {right.mean():.1f} |"
    yield ""
    yield (
        f"Mean over {n_seeds} simulated studies of {n_per_group} and {n_per_group} participants, {len(EMOTIONET_AUS)} units x 4 "
        "segments, Benjamini-Hochberg at 5 % over all tests; in brackets the Monte Carlo standard error."
    )


def main() -> None:
    """Simulate, print, and write the block of the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--docs", type=Path, default=Path("docs/group_analysis.md"))
    asked = parser.parse_args()
    lines = [
        "### False positives on clustered data without a difference", "", *measure_false_positives(asked.tables), "",
        "### False discoveries on ground truth with planted differences", "", *measure_false_discoveries(asked.seeds),
    ]  # fmt: skip
    text = "\n".join(lines)
    print(text)
    page = asked.docs.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    asked.docs.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
