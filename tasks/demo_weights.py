"""Make the demo weights from nothing: ``python -m tasks.demo_weights FOLDER`` (or ``make demo-weights``).

Renders scenes of new people, trains the detector and the attribute network on them, and scores both on people whom neither has
seen. Every step keeps what is there, so a stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.faces.evaluation import score_detections
from features.faces.postprocessing import Detections
from features.synthetic.cohort import plan_cohort
from features.synthetic.sessions import PRESENT_FRACTION, render_session
from tasks.attribute_training import (
    TEST_SEED,
    TRAINING_SEED,
    AttributeTrainingSettings,
    evaluate_demo_attributes,
    train_demo_attributes,
)
from tasks.detector_training import DetectorTrainingSettings, evaluate_detector, train_detector_weights
from tasks.progress import Reporter, show_progress
from tasks.provenance import write_json_atomic
from tasks.rendered_crops import cut_crops
from tasks.rendered_scenes import render_training_set
from tasks.rendering import simulate_participant
from tasks.weights import Weights, load_detector

N_TRAINING_SCENES: Final = 13_250
N_TEST_SCENES: Final = 1_000
SESSION_SEED: Final = 20191003
DETECTOR: Final = "demo-retinaface.safetensors"
ATTRIBUTES: Final = "demo-attributes.safetensors"


def score_detector(weights: Path, shards: Sequence[Path], report: Path, *, width: int = 320) -> Path:
    """Score detector weights on hard scenes, as extraction uses them at confidence 0.7.

    Parameters
    ----------
    weights
        A ``.safetensors`` file of RetinaFace MobileNet-0.25.
    shards
        Scenes of people who are not in the training scenes.
    report
        A ``.json`` file for the figures.
    width
        Pixels of the longer side that the detector sees.
    """
    detector = load_detector(_located(weights), long_side=width, confidence=0.7, nms_iou=0.4, device="cpu")
    write_json_atomic(report, asdict(evaluate_detector(detector, list(shards))))
    return report


def score_on_sessions(weights: Path, report: Path, *, n_per_group: int = 12, width: int = 320) -> Path:
    """Score detector weights on rendered sessions of people of their own, as the demo uses them.

    Parameters
    ----------
    weights
        A ``.safetensors`` file of RetinaFace MobileNet-0.25.
    report
        A ``.json`` file for the figures.
    n_per_group
        Simulated participants of each group; every 15th frame of each counts.
    width
        Pixels of the longer side that the detector sees.
    """
    detector = load_detector(_located(weights), long_side=width, confidence=0.7, nms_iou=0.4, device="cpu")
    found: list[Detections] = []
    boxes: list[NDArray[np.floating]] = []
    landmarks: list[NDArray[np.floating]] = []
    counted: list[NDArray[np.bool_]] = []
    plans = plan_cohort(n_per_group, SESSION_SEED)
    for plan in plans:
        frames = list(render_session(simulate_participant(plan), frames=range(0, 360, 15)))
        found += detector.detect([pixels for pixels, _ in frames])
        for _, faces in frames:
            boxes.append(np.array([face.box for face in faces]).reshape(-1, 4))
            landmarks.append(np.array([face.landmarks for face in faces]).reshape(-1, 5, 2))
            counted.append(np.array([face.visible_fraction >= PRESENT_FRACTION for face in faces], dtype=bool))
    score = asdict(score_detections(found, boxes, landmarks, counted))
    write_json_atomic(report, {"n_people": len(plans), "width": width, **score})
    return report


def _located(weights: Path) -> Weights:
    return Weights(weights.stem, weights, "", demo=True, architecture="retinaface-mobilenet0.25")


def make_demo_weights(
    folder: Path, *, n_training: int, n_test: int, workers: int, threads: int | None, progress: Reporter
) -> list[Path]:
    """Render, train and score; the weights and their figures as JSON end in `folder`.

    Parameters
    ----------
    folder
        Working folder; the scenes take about 100 MB per thousand.
    n_training, n_test
        Scenes of people to learn from, and of others to be scored on.
    workers
        Processes that render and cut.
    threads
        Processor threads that train; None for all.
    progress
        Told how far each step is.

    Returns
    -------
    list of Path
        The two weights files.
    """
    rendering: dict[str, Any] = {"workers": workers, "progress": progress}
    test = render_training_set(folder / "scenes-test", n_scenes=n_test, seed=TEST_SEED, **rendering)
    train = render_training_set(folder / "scenes-train", n_scenes=n_training, seed=TRAINING_SEED, **rendering)
    detector, attributes = folder / DETECTOR, folder / ATTRIBUTES
    if not detector.exists():
        train_detector_weights(train, detector, settings=DetectorTrainingSettings(), progress=progress)
    score_detector(detector, test, detector.with_suffix(".json"))
    score_on_sessions(detector, folder / "demo-retinaface-sessions.json")
    cut_crops(test, folder / "crops-test", seed=TEST_SEED, **rendering)
    cut_crops(train, folder / "crops-train", seed=TRAINING_SEED, **rendering)
    train_demo_attributes(
        folder / "crops-train", attributes, settings=AttributeTrainingSettings(), threads=threads, progress=progress
    )
    evaluate_demo_attributes(
        attributes, folder / "crops-test", attributes.with_suffix(".json"), training_crops=folder / "crops-train"
    )
    return [detector, attributes]


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the demo weights and print their figures."""
    parser = argparse.ArgumentParser(prog="python -m tasks.demo_weights", description=__doc__)
    parser.add_argument("folder", type=Path, help="working folder: scenes, crops, weights and figures go here")
    parser.add_argument("--training-scenes", type=int, default=N_TRAINING_SCENES)
    parser.add_argument("--test-scenes", type=int, default=N_TEST_SCENES)
    parser.add_argument("--workers", type=int, default=2, help="processes that render and cut")
    parser.add_argument("--threads", type=int, default=None, help="processor threads that train")
    asked = parser.parse_args(arguments)
    with show_progress() as progress:
        made = make_demo_weights(
            asked.folder,
            n_training=asked.training_scenes,
            n_test=asked.test_scenes,
            workers=asked.workers,
            threads=asked.threads,
            progress=progress,
        )
    for path in made:
        figures = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        print(path.name, json.dumps(figures, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
