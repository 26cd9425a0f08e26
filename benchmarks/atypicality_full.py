"""The whole cross-validation of predicted atypicality at the size of Hugging Rain Man, on simulated labels and ratings.

98 participants, 1,535 segments, 131,758 frames; GRU and BiLSTM, 10 x 3 folds, 15 epochs. Writes a study of labels and
ratings, prints how long the work will take here, and does it; started again it goes on at the fold where it stopped.

Usage: python -m benchmarks.atypicality_full [FOLDER] [--estimate | --slice] [--repeats 10] [--epochs 15] [--workers 0]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pandas as pd
import torch
import yaml

from classifiers.sequences import KINDS, build
from classifiers.sequences.folds import assign_folds
from classifiers.sequences.protocols import INNER_SHARE
from classifiers.sequences.recipe import SOUND
from classifiers.sequences.training import WindowData, predict, step
from features.facs import action_column
from features.synthetic.rated_sequences import JUDGES, UNITS, simulate_rated_frames
from features.windows import index_windows
from tasks.atypicality_checkpoints import FoldStore
from tasks.atypicality_folds import FoldWork, count_workers, train_fold
from tasks.provenance import write_text_atomic
from tasks.settings import AtypicalitySettings

N_ASD: Final = 66
N_TD: Final = 32
N_SEGMENTS: Final = 1_535
N_FRAMES: Final = 131_758
"""Ji et al. (2025), sections III and V."""


def main() -> None:
    """Write the study, say how long it takes, run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/atypicality-full"))
    parser.add_argument("--estimate", action="store_true", help="stop after the estimate")
    parser.add_argument("--slice", action="store_true", help="do one epoch of one fold of each network, and stop")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3])
    asked = parser.parse_args()
    settings = {
        "inputs": "labels",
        "labels": "labels",
        "repeats": asked.repeats,
        "epochs": asked.epochs,
        "workers": asked.workers,
        "learning_rates": asked.rates,
    }
    frames = simulate_full_size()
    if asked.slice:
        measure_slice(frames, AtypicalitySettings(epochs=1, learning_rates=(1e-3,), device="cpu"))
        return
    write_study(asked.folder, frames, settings)
    print(describe_estimate(frames, AtypicalitySettings.model_validate(settings)), flush=True)
    if not asked.estimate:
        command = [sys.executable, "-c", "from flows.cli import main; main()", "atypicality", str(asked.folder)]
        sys.exit(subprocess.run(command, check=False).returncode)


def simulate_full_size() -> pd.DataFrame:
    """Rated frames with planted structure: as many participants, segments and frames as Hugging Rain Man has."""
    frames = simulate_rated_frames(N_ASD, N_TD)
    sizes = frames.groupby(["participant_id", "segment"]).size()
    last = sizes.reset_index().groupby("participant_id")["segment"].max()
    gone = {(name, segment) for name, segment in last.iloc[: len(sizes) - N_SEGMENTS].items()}
    kept = [pair not in gone for pair in zip(frames["participant_id"], frames["segment"], strict=True)]
    frames = frames[kept].reset_index(drop=True)
    rest = len(frames) - N_FRAMES
    if rest < 0:
        raise ValueError(f"Expected {N_FRAMES} frames or more, got {len(frames)}.")
    ends = frames.groupby(["participant_id", "segment"])["frame"].transform("max") == frames["frame"]
    long = frames.groupby(["participant_id", "segment"])["frame"].transform("size") > 100
    return frames.drop(index=frames.index[ends & long][:rest]).reset_index(drop=True)


def measure_slice(frames: pd.DataFrame, settings: AtypicalitySettings) -> None:
    """Train, test and explain the first fold of each network for one epoch, and print the processor time of its parts."""
    torch.set_num_threads(1)
    index = index_windows(frames, UNITS, frames["rating"], label="segment")
    groups = frames.groupby("participant_id")["group"].first()
    folds = assign_folds(groups, n_folds=settings.folds, n_repeats=1, seed=settings.seed)
    with TemporaryDirectory() as folder:
        work = FoldWork(index, index, UNITS, folds, settings, FoldStore(Path(folder), "slice", UNITS))
        for kind in KINDS:
            begun = time.process_time()
            marks = []
            train_fold(work, (kind, 0, 0), lambda *_: marks.append(time.process_time()))  # noqa: B023
            trained, whole = marks[-1] - begun, time.process_time() - begun
            rest = whole - trained
            hours = 30 * (15 * trained + rest) / 3600
            print(
                f"{kind}: one epoch with its inner validation {trained:.0f} s, testing, explaining and writing {rest:.0f} s; "
                f"30 folds of 15 epochs: {hours:.1f} h of processor time",
                flush=True,
            )


def write_study(folder: Path, frames: pd.DataFrame, settings: dict[str, object]) -> None:
    """Write participants, labels in the form of Hugging Rain Man, the judges' ratings and the settings."""
    columns = {unit: action_column(unit).replace("AD", "AU") for unit in UNITS}
    people, ratings = ["participant_id\tgroup"], ["participant_id,start_frame,end_frame,judge,rating"]
    for name, own in frames.groupby("participant_id"):
        group = str(own["group"].iloc[0])
        person = f"S{int(str(name)[-3:]) + 1}"
        people.append(f"{group}{person}\t{group}")
        table = own[["frame", *UNITS]].rename(columns=columns).astype(int)
        write_text_atomic(folder / "labels" / group / f"{person}.csv", table.to_csv(index=False))
        for _, segment in own.groupby("segment"):
            start, end = segment["frame"].iloc[[0, -1]]
            total = round(float(segment["rating"].iloc[0]) * JUDGES)
            # whole ratings with the same sum
            given = [(total + judge) // JUDGES for judge in range(JUDGES)]
            ratings += [f"{group}{person},{start},{end},J{judge},{value}" for judge, value in enumerate(given, start=1)]
    write_text_atomic(folder / "participants.tsv", "\n".join(people) + "\n")
    write_text_atomic(folder / "ratings.csv", "\n".join(ratings) + "\n")
    write_text_atomic(folder / "config.yaml", yaml.safe_dump({"atypicality": settings}))


def describe_estimate(frames: pd.DataFrame, settings: AtypicalitySettings, *, steps: int = 40) -> str:
    """Hours that the work takes at most, from some seconds of training and of prediction with one thread, of processor time."""
    torch.set_num_threads(1)
    index = index_windows(frames, UNITS, frames["rating"], label="segment")
    data = WindowData.place(index.signals, index.starts, index.labels, length=index.length)
    n_folds, size = settings.folds * settings.repeats, SOUND.batch_size
    trained = len(index) * (1 - 1 / settings.folds) * (1 - INNER_SHARE) * settings.epochs * len(settings.learning_rates)
    monitored = len(index) * (1 - 1 / settings.folds) * INNER_SHARE * settings.epochs * len(settings.learning_rates)
    explained = settings.explained_windows * (len(UNITS) * (settings.permutations + 2) + index.length)
    predicted = monitored + explained + 2 * len(index) / settings.folds
    n_workers = count_workers(n_folds * len(KINDS), settings)
    n_segments = frames.groupby(["participant_id", "segment"]).ngroups
    size_of_it = f"{len(frames):,} frames, {n_segments:,} segments, {len(index):,} windows"
    work = f"{n_folds} folds of {settings.epochs} epochs a network, {n_folds * trained / 1e6:.1f} million training windows each"
    lines = [f"{size_of_it}; {work}"]
    total = 0.0
    for kind in KINDS:
        network = build(kind).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        batches = [torch.randint(len(data), (size,)) for _ in range(steps)]
        step(network, optimizer, data, batches[0], SOUND)
        begun = time.process_time()
        for batch in batches:
            step(network, optimizer, data, batch, SOUND)
        training = size * steps / (time.process_time() - begun)
        begun = time.process_time()
        predict(network, data, np.arange(8192))
        prediction = 8192 / (time.process_time() - begun)
        hours = n_folds * (trained / training + predicted / prediction) / 3600
        total += hours
        lines.append(
            f"{kind}: {training:,.0f} training windows/s, {prediction:,.0f} predicted windows/s with one thread: {hours:.1f} h"
        )
    lines.append(
        f"At most {total:.1f} h on one core, {total / n_workers:.1f} h with {n_workers} processes that do not wait for cores"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
