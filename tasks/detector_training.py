"""Train a face detector on rendered scenes: render them once, learn from random crops, write the weights, score them.

Detectors for recordings of people are downloaded, not trained here. This step makes the small demo detector, so that
the demo runs on a machine without network access and so that training itself stays tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file

from features.faces.detector import FaceDetector
from features.faces.evaluation import DetectionScore, score_detections
from features.faces.postprocessing import Detections
from features.faces.retinaface import build_network, find_spec
from features.faces.training import DetectionLoss, LabelledImages, initialise_weights, train_detector
from features.faces.training_crops import MAX_FACE_PX, MIN_FACE_PX, MIN_VISIBLE, LabelledScene, crop_scenes
from tasks.errors import InvalidInputError
from tasks.progress import Reporter, silent
from tasks.provenance import write_atomic
from tasks.rendered_scenes import read_shard


@dataclass(frozen=True)
class CropPlan:
    """Crops of one kind.

    Attributes
    ----------
    n
        Crops in a batch.
    size
        Side of the square crops, pixels.
    face_px
        Smallest and largest longer side of the face that a crop is cut around, pixels.
    """

    n: int
    size: int
    face_px: tuple[float, float] = (MIN_FACE_PX, MAX_FACE_PX)


@dataclass(frozen=True)
class DetectorPhase:
    """One one-cycle run of training.

    Attributes
    ----------
    n_steps
        Number of updates.
    crops
        What the batches hold, in turn.
    learning_rate
        Highest rate of the one-cycle schedule.
    landmark_weight
        Weight of the landmark loss; boxes weigh 2, face or background 1.
    """

    n_steps: int
    crops: tuple[CropPlan, ...]
    learning_rate: float
    landmark_weight: float = 1.0


@dataclass(frozen=True)
class DetectorTrainingSettings:
    """How the detector is trained.

    Attributes
    ----------
    architecture
        A name of `features.faces.retinaface`.
    phases
        Run one after the other: large crops first, which teach background, then many small ones that press on the landmarks.
    seed
        Settles initial weights, order of scenes and crops.
    """

    architecture: str = "retinaface-mobilenet0.25"
    phases: tuple[DetectorPhase, ...] = (
        DetectorPhase(2000, (CropPlan(24, 256),), learning_rate=4e-3),
        DetectorPhase(2800, (CropPlan(32, 160),), learning_rate=3e-3, landmark_weight=5.0),
        DetectorPhase(
            4400,
            (*[CropPlan(64, 112, (24, 100))] * 3, CropPlan(24, 176, (60, 160))),
            learning_rate=3e-3,
            landmark_weight=10.0,
        ),
    )
    seed: int = 20190101


def train_detector_weights(
    shards: list[Path],
    output: Path,
    *,
    settings: DetectorTrainingSettings,
    progress: Reporter = silent,
) -> list[float]:
    """Train a detector from scratch and write its weights.

    Parameters
    ----------
    shards
        From `tasks.rendered_scenes.render_training_set`.
    output
        A ``.safetensors`` file, written atomically.
    settings
        How to train.
    progress
        Told after each update.

    Returns
    -------
    list of float
        Total loss of each update.

    Raises
    ------
    InvalidInputError
        If there are no shards, or one cannot be read.
    """
    if not shards:
        raise InvalidInputError("Expected shards of rendered scenes, got none. Render some first.")
    network = build_network(settings.architecture)
    initialise_weights(network, seed=settings.seed)
    losses: list[float] = []
    n_steps = sum(phase.n_steps for phase in settings.phases)

    def note(_step: int, loss: DetectionLoss) -> None:
        losses.append(loss.total.item())
        progress("training the detector", len(losses), n_steps)

    for number, phase in enumerate(settings.phases):
        train_detector(
            network,
            sample_batches(shards, phase, seed=settings.seed + number),
            spec=find_spec(settings.architecture),
            n_steps=phase.n_steps,
            learning_rate=phase.learning_rate,
            landmark_weight=phase.landmark_weight,
            on_step=note,
        )
    described = {"trained_on": "rendered faces, no recordings of people", **asdict(settings)}
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    with write_atomic(output) as temporary:
        # One entry: several are written in random order, and equal training should give equal files.
        save_file(tensors, temporary, metadata={"training": json.dumps(described, sort_keys=True)})
    return losses


def sample_batches(shards: list[Path], phase: DetectorPhase, *, seed: int) -> Iterator[LabelledImages]:
    """Random crops without end: shards in random order, the scenes of each shuffled, each scene once a round."""
    rng = np.random.default_rng(seed)
    plans = cycle(phase.crops)
    plan = next(plans)
    pending: list[LabelledScene] = []
    while True:
        for index in rng.permutation(len(shards)):
            fresh = list(read_shard(shards[index]))
            pending += [fresh[i] for i in rng.permutation(len(fresh))]
            while len(pending) >= plan.n:
                batch = [pending.pop() for _ in range(plan.n)]
                yield crop_scenes(batch, size=plan.size, rng=rng, face_px=plan.face_px)
                plan = next(plans)


def evaluate_detector(detector: FaceDetector, shards: list[Path], *, batch_size: int = 16) -> DetectionScore:
    """Score a detector on rendered scenes of identities that it did not learn from.

    Parameters
    ----------
    detector
        The detector as it is used, at its own input size and confidence.
    shards
        From `tasks.rendered_scenes.render_training_set` with another seed.
    batch_size
        Frames detected together.

    Returns
    -------
    DetectionScore
        Faces of which less than 0.4 is in view need not be found.
    """
    found: list[Detections] = []
    boxes: list[NDArray[np.floating]] = []
    landmarks: list[NDArray[np.floating]] = []
    counted: list[NDArray[np.bool_]] = []
    for shard in shards:
        scenes = list(read_shard(shard))
        for begin in range(0, len(scenes), batch_size):
            found += detector.detect([scene.pixels for scene in scenes[begin : begin + batch_size]])
        boxes += [scene.boxes for scene in scenes]
        landmarks += [scene.landmarks for scene in scenes]
        counted += [scene.visible_fraction >= MIN_VISIBLE for scene in scenes]
    return score_detections(found, boxes, landmarks, counted)
