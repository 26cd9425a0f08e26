"""Train a face detector on rendered scenes: render them once, learn from random crops, write the weights, score them.

Detectors for recordings of people are downloaded, not trained here. This step makes the small demo detector, so that
the demo runs on a machine without network access and so that training itself stays tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file

from features.faces.detector import FaceDetector
from features.faces.evaluation import DetectionScore, score_detections
from features.faces.postprocessing import Detections
from features.faces.retinaface import build_network, find_spec
from features.faces.training import DetectionLoss, LabelledImages, initialise_weights, train_detector
from features.faces.training_crops import MIN_VISIBLE, LabelledScene, crop_scenes
from features.synthetic.training_samples import sample_scene
from tasks.errors import InvalidInputError
from tasks.progress import Reporter, silent
from tasks.provenance import make_folder, write_atomic

SCENES_PER_SHARD: Final = 250
_JPEG_QUALITY: Final = 95


@dataclass(frozen=True)
class DetectorTrainingSettings:
    """How the detector is trained.

    Attributes
    ----------
    architecture
        A name of `features.faces.retinaface`.
    n_steps
        Number of updates.
    batch_size
        Crops an update.
    crop_size
        Side of the square crops in pixels.
    learning_rate
        Highest rate of the one-cycle schedule.
    seed
        Settles initial weights, order of scenes and crops.
    """

    architecture: str = "retinaface-mobilenet0.25"
    n_steps: int = 3000
    batch_size: int = 24
    crop_size: int = 256
    learning_rate: float = 4e-3
    seed: int = 20190101


def render_scenes(folder: Path, *, n_scenes: int, seed: int, progress: Reporter = silent) -> list[Path]:
    """Render labelled scenes (640x360) into shards of 250; shards that stand are kept, so a stopped run resumes.

    Parameters
    ----------
    folder
        Where the shards go.
    n_scenes
        Number of scenes; rounded up to whole shards.
    seed
        Another seed gives other scenes and other identities: use one for training and one for testing.
    progress
        Told after each shard.

    Returns
    -------
    list of Path
        The shards. Each is a NumPy archive: JPEG bytes one after the other, where each ends, and the faces.
    """
    make_folder(folder)
    n_shards = -(-n_scenes // SCENES_PER_SHARD)
    shards = [folder / f"scenes-{number:04d}.npz" for number in range(n_shards)]
    for number, path in enumerate(shards):
        if not path.exists():
            _write_shard(path, np.random.default_rng([seed, number]))
        progress("rendered scenes", number + 1, n_shards)
    return shards


def read_shard(path: Path) -> Iterator[LabelledScene]:
    """Decode the scenes of a shard one by one.

    Raises
    ------
    InvalidInputError
        If the file is no such shard.
    """
    try:
        with np.load(path) as archive:
            jpeg, ends = archive["jpeg"], archive["jpeg_end"]
            scene, boxes = archive["scene"], archive["boxes"]
            landmarks, visible = archive["landmarks"], archive["visible_fraction"]
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInputError(
            f"Expected a shard of rendered scenes in {path.name}, got: {error}. Delete the file and render again."
        ) from error
    begins = np.concatenate(([0], ends[:-1]))
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        decoded = cv2.imdecode(jpeg[begin:end], cv2.IMREAD_COLOR)
        if decoded is None:
            raise InvalidInputError(f"Scene {number} of {path.name} is damaged. Delete the file and render again.")
        pixels = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        mine = scene == number
        yield LabelledScene(pixels, boxes[mine], landmarks[mine], visible[mine])


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
        From `render_scenes`.
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

    def note(step: int, loss: DetectionLoss) -> None:
        losses.append(loss.total.item())
        progress("training the detector", step, settings.n_steps)

    train_detector(
        network,
        sample_batches(shards, settings=settings),
        spec=find_spec(settings.architecture),
        n_steps=settings.n_steps,
        learning_rate=settings.learning_rate,
        on_step=note,
    )
    described = {"trained_on": "rendered faces, no recordings of people", **asdict(settings)}
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    with write_atomic(output) as temporary:
        # One entry: several are written in random order, and equal training should give equal files.
        save_file(tensors, temporary, metadata={"training": json.dumps(described, sort_keys=True)})
    return losses


def sample_batches(shards: list[Path], *, settings: DetectorTrainingSettings) -> Iterator[LabelledImages]:
    """Random crops without end: shards in random order, the scenes of each shuffled, each scene once a round."""
    rng = np.random.default_rng(settings.seed)
    pending: list[LabelledScene] = []
    while True:
        for index in rng.permutation(len(shards)):
            fresh = list(read_shard(shards[index]))
            pending += [fresh[i] for i in rng.permutation(len(fresh))]
            while len(pending) >= settings.batch_size:
                batch = [pending.pop() for _ in range(settings.batch_size)]
                yield crop_scenes(batch, size=settings.crop_size, rng=rng)


def evaluate_detector(detector: FaceDetector, shards: list[Path], *, batch_size: int = 16) -> DetectionScore:
    """Score a detector on rendered scenes of identities that it did not learn from.

    Parameters
    ----------
    detector
        The detector as it is used, at its own input size and confidence.
    shards
        From `render_scenes` with another seed.
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


def _write_shard(path: Path, rng: np.random.Generator) -> None:
    images: list[NDArray[np.uint8]] = []
    scene: list[int] = []
    boxes: list[NDArray[np.floating]] = []
    landmarks: list[NDArray[np.floating]] = []
    visible: list[float] = []
    for number in range(SCENES_PER_SHARD):
        frame, _labels = sample_scene(rng)
        bgr = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)
        _ok, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        images.append(encoded.ravel().astype(np.uint8, copy=False))
        for face in frame.faces:
            scene.append(number)
            boxes.append(face.box)
            landmarks.append(face.landmarks)
            visible.append(face.visible_fraction)
    with write_atomic(path) as temporary:
        np.savez(
            temporary,
            jpeg=np.concatenate(images),
            jpeg_end=np.cumsum([len(image) for image in images]),
            scene=np.array(scene, dtype=np.int32),
            boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            landmarks=np.array(landmarks, dtype=np.float32).reshape(-1, 5, 2),
            visible_fraction=np.array(visible, dtype=np.float32),
        )
