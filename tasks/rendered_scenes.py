"""Rendered training scenes in shards: pictures, faces and attribute labels, for the detector and the attribute network alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from features.faces.training_crops import LabelledScene
from features.synthetic.identity import Identity
from features.synthetic.training_samples import FaceLabels, sample_scene
from tasks.errors import InvalidInputError
from tasks.process_pool import run_in_order
from tasks.progress import Reporter, silent
from tasks.provenance import make_folder, write_atomic

SCENES_PER_SHARD: Final = 250
_JPEG_QUALITY: Final = 95


def render_training_set(
    folder: Path,
    *,
    n_scenes: int,
    seed: int,
    scenes_per_shard: int = SCENES_PER_SHARD,
    workers: int = 1,
    progress: Reporter = silent,
) -> list[Path]:
    """Render labelled scenes (640x360) into shards; shards that stand are kept, so a stopped run resumes.

    Every face is a new person, drawn from the seed: two seeds share no identity.

    Parameters
    ----------
    folder
        Where the shards go.
    n_scenes
        Number of scenes, rounded up to whole shards.
    seed
        Settles scenes and identities.
    scenes_per_shard
        Scenes in one file.
    workers
        Processes.
    progress
        Told after each shard.

    Returns
    -------
    list of Path
        The shards, NumPy archives.
    """
    make_folder(folder)
    shards = [folder / f"scenes-{number:04d}.npz" for number in range(-(-n_scenes // scenes_per_shard))]
    missing = [number for number, path in enumerate(shards) if not path.exists()]
    done = len(shards) - len(missing)
    jobs = [(shards[number], [seed, number], scenes_per_shard) for number in missing]
    for finished, _ in enumerate(run_in_order(_write_shard, jobs, workers), start=1):
        progress("rendered shards", done + finished, len(shards))
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


def _write_shard(path: Path, seed: Sequence[int], n_scenes: int) -> None:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    images: list[NDArray[np.uint8]] = []
    faces: list[FaceLabels] = []
    scene: list[int] = []
    for number in range(n_scenes):
        frame, labels = sample_scene(rng)
        bgr = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)
        _ok, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        images.append(encoded.ravel().astype(np.uint8, copy=False))
        faces.extend(labels)
        scene.extend([number] * len(labels))
    with write_atomic(path) as temporary:
        pictures = {"jpeg": np.concatenate(images), "jpeg_end": np.cumsum([len(image) for image in images])}
        people = _face_arrays(faces) | {"scene": np.array(scene, dtype=np.int32)}
        np.savez(temporary, allow_pickle=False, **pictures, **people)


def _face_arrays(faces: Sequence[FaceLabels]) -> dict[str, NDArray[Any]]:
    return {
        "boxes": np.array([face.truth.box for face in faces], dtype=np.float32).reshape(-1, 4),
        "landmarks": np.array([face.truth.landmarks for face in faces], dtype=np.float32).reshape(-1, 5, 2),
        "visible_fraction": np.array([face.truth.visible_fraction for face in faces], dtype=np.float32),
        "expression": np.array([face.expression_id for face in faces], dtype=np.int64),
        "valence": np.array([face.valence for face in faces], dtype=np.float32),
        "arousal": np.array([face.arousal for face in faces], dtype=np.float32),
        "aus": np.array([face.au_mean for face in faces], dtype=np.float32).reshape(len(faces), -1),
        "identity": np.array([_fingerprint(face.identity) for face in faces], dtype=np.uint64),
    }


def _fingerprint(identity: Identity) -> int:
    traits = repr(sorted(asdict(identity).items())).encode()
    return int.from_bytes(hashlib.blake2b(traits, digest_size=8).digest(), "little")
