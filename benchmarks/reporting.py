"""Seconds and size of the reports: the group report of 200 participants, and a participant report of a 20-minute recording.

Usage: python -m benchmarks.reporting [--participants 200] [--frames 9000] [--long-frames 36000]

The study is made up: imported frame tables with smooth random signals and gaps, real steps for features, tests and the printed
comparison (with few permutations: they are not what is measured here), and made-up predictions in place of an hour of training.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from classifiers.tabular import CLASSIFIERS
from features import frame_table
from features.facs import EXPRESSION_COLUMNS
from features.vector_58 import FEATURE_SETS
from tasks.bids_names import Derivatives
from tasks.checking import CheckedStudy, check_study
from tasks.classification import PERFORMANCE_COLUMNS, PREDICTION_COLUMNS
from tasks.group_steps import update_comparison, update_features
from tasks.imported import IMPORT_STEP
from tasks.manifest import RunManifest
from tasks.provenance import Step, write_sidecar
from tasks.publication import update_publication
from tasks.report_step import write_reports
from tasks.tables import write_table

RATE = 30.0
EMOTIONS = ("happy", "sad", "surprise", "fear", "disgust", "anger")
SETTINGS = "compare: {permutations: 99, bootstrap_samples: 100}\n"


def make_frames(name: str, n_frames: int, rng: np.random.Generator) -> pd.DataFrame:
    """Signals as random walks between their bounds, a tenth of the frames lost in gaps."""
    frames = frame_table.empty_rows(n_frames)
    frames["participant_id"], frames["task"] = name, "clips"
    frames["frame"] = np.arange(n_frames, dtype=np.int32)
    frames["time_s"] = np.arange(n_frames) / RATE
    reason = np.full(n_frames, "ok", dtype=object)
    for start in rng.integers(0, n_frames, max(n_frames // 900, 1)):
        reason[start : start + rng.integers(10, 180)] = rng.choice(frame_table.INVALID_REASONS[1:])
    valid = reason == "ok"
    frames["valid"], frames["invalid_reason"] = valid, pd.array(reason.astype(str), dtype="str")
    signals = [column.name for column in frame_table.columns() if column.name not in set(_leading())]
    walk = np.cumsum(rng.normal(0, 0.05, (n_frames, len(signals))), axis=0)
    waves = (0.5 + 0.5 * np.sin(walk + rng.uniform(0, 6, len(signals)))) ** rng.uniform(0.5, 3, len(signals))
    for index, signal in enumerate(signals):
        frames[signal] = np.where(valid, waves[:, index], np.nan).astype(np.float32)
    total = frames[list(EXPRESSION_COLUMNS)].sum(axis=1).to_numpy()
    for signal in EXPRESSION_COLUMNS:
        frames[signal] = (frames[signal] / np.where(valid, total, np.nan)).astype(np.float32)
    measured = {"face_x1": 100, "face_y1": 100, "face_x2": 300, "face_y2": 340, "face_score": 0.98, "sharpness": 90}
    for column, value in {**measured, "brightness": 120, "yaw_deg": 5, "pitch_deg": 3, "roll_deg": 1}.items():
        noise = rng.normal(0, abs(value) / 20, n_frames)
        frames[column] = np.where(valid, value + noise, np.nan).astype(np.float32)
    frames["face_score"] = frames["face_score"].clip(0, 1)
    return frames


def _leading() -> list[str]:
    return [column.name for column in frame_table.LEADING_COLUMNS]


def write_frames(derivatives: Derivatives, name: str, frames: pd.DataFrame) -> None:
    path = derivatives.frame_table(name, "", "clips")
    columns = write_table(frames, path, described=frame_table.columns())
    facts = {
        "participant_id": name, "session": "", "task": "clips", "tool": "made up",
        "frames_by_reason": {str(reason): int(n) for reason, n in frames["invalid_reason"].value_counts().items()},
    }  # fmt: skip
    step = Step(IMPORT_STEP, 1, {}, {f"{name}.csv": "0" * 64})
    write_sidecar(path, step, description="Made up", columns=columns, started=datetime.now(UTC), facts=facts)


def make_study(folder: Path, n_participants: int, n_frames: int) -> CheckedStudy:
    """A study with frame tables, features, tests, printed comparison and predictions, but without reports."""
    folder.mkdir()
    names = [f"{index:03d}" for index in range(1, n_participants + 1)]
    groups = ["ASD" if index % 2 else "TD" for index in range(n_participants)]
    lines = [f"{name}\t{group}" for name, group in zip(names, groups, strict=True)]
    (folder / "participants.tsv").write_text("\n".join(["participant_id\tgroup", *lines]) + "\n")
    length = n_frames / RATE / len(EMOTIONS)
    events = [f"{index * length:.3f}\t{length:.3f}\t{emotion}" for index, emotion in enumerate(EMOTIONS)]
    (folder / "task-clips_events.tsv").write_text("\n".join(["onset\tduration\ttrial_type", *events]) + "\n")
    (folder / "config.yaml").write_text(SETTINGS)
    derivatives = Derivatives.of_study(folder)
    rng = np.random.default_rng(0)
    for name in names:
        write_frames(derivatives, name, make_frames(name, n_frames, rng))
    checked = check_study(folder)
    tables, settings = checked.frame_tables(), checked.settings
    update_features(derivatives, tables, checked.study.participants_table(), settings=settings.summarize)
    if n_participants > 1:
        which = {"settings": settings.compare, "study": settings.study, "summarize": settings.summarize}
        update_comparison(derivatives, tables, checked.events(), **which)
        update_publication(derivatives, **which)
        write_classification(derivatives, names, groups, rng)
    return checked


def write_classification(
    derivatives: Derivatives, names: list[str], groups: list[str], rng: np.random.Generator
) -> None:
    """Predictions with some truth in them, and performance with intervals of a fixed width."""
    truth = np.array(groups)
    predictions, performance = [], []
    for feature_set, features in FEATURE_SETS.items():
        for classifier in CLASSIFIERS:
            score = np.where(truth == "ASD", 0.5, -0.5) + rng.normal(0, 1, len(names))
            called = np.where(score > 0, "ASD", "TD")
            shared = {"feature_set": feature_set, "classifier": classifier}
            columns = {"participant_id": names, "truth": truth, "prediction": called, "score": score}
            predictions.append(pd.DataFrame({**columns}).assign(**shared))
            tp, fn = int(((truth == "ASD") & (called == "ASD")).sum()), int(((truth == "ASD") & (called == "TD")).sum())
            fp, tn = int(((truth == "TD") & (called == "ASD")).sum()), int(((truth == "TD") & (called == "TD")).sum())
            metrics = {"f1": 2 * tp / (2 * tp + fp + fn), "sensitivity": tp / (tp + fn), "specificity": tn / (tn + fp)}
            metrics |= {"accuracy": (tp + tn) / len(names), "auc": 0.75, "mcc": 0.4}
            row = shared | {"n_features": len(features), "n": len(names), "n_positive": tp + fn, "n_negative": fp + tn}
            row |= {
                "tp": tp,
                "fp": fp,
                "tn": tn,
                "fn": fn,
                "p_permutation": 0.01,
                "n_permutations": 200,
                "p_smallest": 1 / 201,
            }
            for name, value in metrics.items():
                row |= {name: value, f"{name}_low": value - 0.07, f"{name}_high": min(value + 0.07, 1.0)}
            performance.append(row)
    tables = {
        "performance": (pd.DataFrame(performance), PERFORMANCE_COLUMNS),
        "predictions": (pd.concat(predictions, ignore_index=True), PREDICTION_COLUMNS),
    }
    for name, (table, columns) in tables.items():
        path = derivatives.group_table(name, "classifiers")
        written = write_table(table[[column.name for column in columns]], path, described=columns)
        write_sidecar(path, Step("classify", 1), description="Made up", columns=written, started=datetime.now(UTC))


def time_reports(checked: CheckedStudy) -> tuple[float, float]:
    """Seconds, and seconds of CPU."""
    manifest = RunManifest("report")
    manifest.add(checked.outcomes)
    begun, worked = time.perf_counter(), time.process_time()
    write_reports(checked, manifest)
    return time.perf_counter() - begun, time.process_time() - worked


def size_of(*paths: Path) -> float:
    """Megabytes of files and of what folders hold."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def measure(folder: Path, n_participants: int, n_frames: int, long_frames: int) -> None:
    checked = make_study(folder / "many", n_participants, n_frames)
    derivatives = checked.study.derivatives
    first, _ = time_reports(checked)
    derivatives.group_report.unlink()
    group, busy = time_reports(checked)
    size = size_of(derivatives.group_report, derivatives.comparison_page, derivatives.figures)
    page = size_of(derivatives.group_report)
    print(f"{n_participants} participants, {n_frames} frames each")
    print(f"group report: {group:.1f} s, {busy:.1f} s of CPU (participant reports up to date), page {page:.2f} MB")
    print(f"page, comparison and figures together: {size:.2f} MB")
    print(f"all reports of the study: {first:.1f} s, {(first - group) / n_participants:.2f} s a participant")
    one = make_study(folder / "one", 1, long_frames)
    time_reports(one)
    report = one.study.derivatives.participant_report("001")
    report.unlink()
    seconds, busy = time_reports(one)
    print(f"participant report of {long_frames} frames: {seconds:.2f} s, {busy:.2f} s of CPU, {size_of(report):.2f} MB")


def main() -> None:
    """Print seconds and sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=200)
    parser.add_argument("--frames", type=int, default=9_000)
    parser.add_argument("--long-frames", type=int, default=36_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        arguments = (Path(name), asked.participants, asked.frames, asked.long_frames)
        process = multiprocessing.get_context("spawn").Process(target=measure, args=arguments)
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
