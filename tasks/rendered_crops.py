"""Rendered training material for the attribute network: labelled scenes in shards, and aligned crops cut out of them.

A shard of scenes holds everything that `tasks.rendered_scenes.read_shard` reads and, beside it, the attribute labels:
one rendered set serves both networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from features import facs
from features.attributes.labels import AttributeLabels
from features.attributes.training import CropData
from features.faces.alignment import align_face
from tasks.errors import InvalidInputError
from tasks.process_pool import run_in_order
from tasks.progress import Reporter, silent
from tasks.provenance import make_folder, write_atomic
from tasks.rendered_scenes import read_shard

MIN_VISIBLE: Final = 0.75
"""Faces of which less is in view are left out: their labels name units that cannot be seen."""

LANDMARK_ERROR: Final = 0.025
"""Standard deviation of each landmark coordinate's error, in distances between the eyes: what a well-trained detector does.

It is the error of single points. The crop is fitted to all five, so independent errors partly cancel in it.
"""

CROP_SIZE: Final = 224
_PRESENT: Final = 0.5
_LOWEST_RECORDED_QUALITY: Final = 45
_LABEL_KEYS: Final = ("expression", "valence", "arousal", "aus", "identity")


def cut_crops(
    shards: Sequence[Path], folder: Path, *, seed: int, workers: int = 1, progress: Reporter = silent
) -> Path:
    """Cut aligned crops out of rendered scenes, with the errors of a detector and of a video's compression.

    Parameters
    ----------
    shards
        From `tasks.rendered_scenes.render_training_set`.
    folder
        Receives ``crops.npy``, shape (n, 224, 224, 3) uint8 RGB, and ``labels.npz``.
    seed
        Of the errors.
    workers
        Processes.
    progress
        Told after each shard.

    Returns
    -------
    Path
        `folder`. Existing crops of the same shards are kept.

    Raises
    ------
    InvalidInputError
        If a shard cannot be read or holds no attribute labels.
    """
    make_folder(folder)
    labels_path, crops_path = folder / "labels.npz", folder / "crops.npy"
    labels = [read_labels(shard) for shard in shards]
    rows = [np.flatnonzero(part["visible_fraction"] >= MIN_VISIBLE) for part in labels]
    joined = {
        key: np.concatenate([part[key][kept] for part, kept in zip(labels, rows, strict=True)]) for key in _LABEL_KEYS
    }
    if labels_path.exists() and _holds(labels_path, joined["identity"]):
        return folder
    with write_atomic(crops_path) as temporary:
        shape = (len(joined["identity"]), CROP_SIZE, CROP_SIZE, 3)
        crops = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        begin = 0
        for number, part in enumerate(run_in_order(_cut_shard, [(shard, seed) for shard in shards], workers)):
            crops[begin : begin + len(part)] = part
            begin += len(part)
            progress("cut crops of shards", number + 1, len(shards))
        crops.flush()
        del crops
    with write_atomic(labels_path) as temporary:
        np.savez(temporary, allow_pickle=False, **joined)
    return folder


def read_crops(folder: Path) -> tuple[CropData, NDArray[np.uint64]]:
    """Crops and labels that `cut_crops` wrote, and a fingerprint of who each face is.

    Raises
    ------
    InvalidInputError
        If the folder holds none.
    """
    try:
        crops = np.load(folder / "crops.npy", mmap_mode="r")
        with np.load(folder / "labels.npz") as archive:
            labels = AttributeLabels(archive["expression"], archive["valence"], archive["arousal"], archive["aus"])
            return CropData(crops, labels), archive["identity"]
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInputError(f"Expected crops.npy and labels.npz in {folder.name}, got: {error}") from error


def read_labels(shard: Path) -> dict[str, NDArray[Any]]:
    """Labels of the faces of a shard, by name.

    AU05, the raised upper lid, is unknown (NaN) where the eyes are closed (AU43): nothing of it is to be seen.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or holds no attribute labels.
    """
    try:
        with np.load(shard) as archive:
            labels = {key: archive[key] for key in (*_LABEL_KEYS, "visible_fraction")}
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInputError(
            f"Expected a shard of scenes with attribute labels in {shard.name}, got: {error}. Render it again."
        ) from error
    raised, closed = facs.EMOTIONET_AUS.index("AU05"), facs.EMOTIONET_AUS.index("AU43")
    labels["aus"][labels["aus"][:, closed] >= _PRESENT, raised] = np.nan
    return labels


def _holds(labels_path: Path, identities: NDArray[np.uint64]) -> bool:
    with np.load(labels_path) as archive:
        return np.array_equal(archive["identity"], identities)


def _cut_shard(shard: Path, seed: int) -> NDArray[np.uint8]:
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, int(shard.stem.split("-")[1])])
    crops = list(_cut_faces(shard, rng))
    return np.stack(crops) if crops else np.empty((0, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)


def _cut_faces(shard: Path, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    for scene in read_shard(shard):
        pixels = _record(scene.pixels, rng)
        for landmarks, visible in zip(scene.landmarks, scene.visible_fraction, strict=True):
            if visible < MIN_VISIBLE:
                continue
            between_eyes = float(np.linalg.norm(landmarks[1] - landmarks[0]))
            found = landmarks + rng.normal(0, LANDMARK_ERROR * between_eyes, landmarks.shape)
            yield align_face(pixels, found.astype(np.float32), size=CROP_SIZE)


def _record(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Compress and decompress half of the pictures, as a camera's encoder does."""
    if rng.random() < 0.5:
        return pixels
    quality = int(rng.integers(_LOWEST_RECORDED_QUALITY, 96))
    _ok, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return pixels if decoded is None else decoded.astype(np.uint8, copy=False)
