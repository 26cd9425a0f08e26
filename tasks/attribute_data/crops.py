"""Cutting face crops out of a data set's images, into files that are mapped when the network learns.

Crops lie in parts of `IMAGES_PER_PART` images, each named by a hash of what decides its pixels: the images with their sizes in
bytes, their boxes and the settings. A run that was stopped goes on after its last finished part, and labels or splits can change
without an image being opened again.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.attributes.crop_data import JoinedCrops
from features.faces.alignment import CROP_SCALE
from features.faces.enlarged_box import ENLARGEMENT, crop_enlarged_box
from features.faces.face_crops import CropMode, cut_face
from tasks.attribute_data.labelled import LabelledImages
from tasks.attribute_data.pictures import read_picture
from tasks.errors import InvalidInputError, OutputError
from tasks.pipelining import prefetch
from tasks.progress import Reporter, silent
from tasks.provenance import hash_json, make_folder, write_atomic, write_text_atomic
from tasks.settings import Settings

if TYPE_CHECKING:
    from features.faces.detector import FaceDetector

IMAGES_PER_PART: Final = 8192
"""A stopped run loses at most the work on so many images; a mapped part keeps one file open."""

NO_FACE: Final = "no face found"
NO_BOX: Final = "no usable face box"
BAD_FACE: Final = "box or landmarks of the face cannot be cut"
SKIPPED_FILE: Final = "skipped.csv"

README: Final = "README.md"

_README_TEXT: Final = """# Faces

This folder holds pictures of faces: crops of the training images, cut by `facetrace train-attributes` so that no image is opened
twice. They are readable by their owner alone and are used for training and evaluation only. Treat them as you treat the
images; delete the folder at any time, it is made again when it is needed.
"""

_CODE_VERSION: Final = 2
_BATCH: Final = 32
_FREE_MARGIN: Final = 1.05

_Picture = NDArray[np.uint8]
_Cut = Callable[[Sequence[_Picture | str], NDArray[np.float32]], list[_Picture | str]]


@dataclass(frozen=True)
class PreparedCrops:
    """Crops of a data set.

    Attributes
    ----------
    crops
        Of the images in `rows`, in their order.
    rows
        Which images of the data set have a crop.
    skipped
        Reason -> number of images without one.
    """

    crops: JoinedCrops
    rows: NDArray[np.intp]
    skipped: dict[str, int]


def prepare_crops(
    images: LabelledImages,
    out: Path,
    *,
    settings: Settings,
    open_detector: Callable[[], FaceDetector] | None = None,
    detector_sha256: str = "",
    progress: Reporter = silent,
) -> Path:
    """Cut the face out of every image of a data set, as RGB.

    Parameters
    ----------
    images
        The data set.
    out
        Folder of all crops; a folder for this data set and these settings is made in it.
    settings
        Section `training` says how and how large, `detection.mode` how a found face is cut.
    open_detector
        Gives what finds faces where ``training.crops`` is ``"detector"``; called only where images are to be opened. Of several
        faces the largest is taken.
    detector_sha256
        Hash of its weights.
    progress
        Told after every batch.

    Returns
    -------
    Path
        Folder with parts of crops and ``skipped.csv``, which names every image without a crop and why.

    Raises
    ------
    OutputError
        If the disk has no room for the crops.
    """
    described = _describe(settings, detector_sha256)
    if not (out / README).exists():
        write_text_atomic(out / README, _README_TEXT)
    folder = make_folder(out / f"{_slug(images.name)}-{hash_json(described)[:12]}")
    size = settings.training.input_size
    parts = list(_plan_parts(images, described))
    todo = [part for part in parts if not part.is_done(folder)]
    _check_room(folder, sum(len(part.rows) for part in todo) * size * size * 3)
    if todo:
        cut = _choose_cut(settings, open_detector)
        done = len(images) - sum(len(part.rows) for part in todo)
        with ThreadPoolExecutor(max(1, settings.training.workers)) as pool:
            for part in todo:
                for count in _cut_part(part, images, folder, size, cut, pool):
                    progress(f"face crops of {images.name}", done + count, len(images))
                done += len(part.rows)
    _remove_others(folder, parts)
    _write_skipped(images, folder, parts)
    return folder


def read_prepared(
    images: LabelledImages, folder: Path, *, settings: Settings, detector_sha256: str = ""
) -> PreparedCrops:
    """Crops that `prepare_crops` made of the same images with the same settings; nothing but the lists is read.

    Raises
    ------
    InvalidInputError
        If no image has a crop.
    """
    mapped, rows, begin = [], [], 0
    reasons: list[str] = []
    joined_rows = []
    for part in _plan_parts(images, _describe(settings, detector_sha256)):
        why = part.reasons(folder)
        kept = np.flatnonzero(why == "")
        reasons += why[why != ""].tolist()
        if len(kept):
            mapped.append(part.map_crops(folder))
            joined_rows.append(begin + kept)
            rows.append(part.rows[kept])
            begin += len(part.rows)
    skipped = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    if not mapped:
        counts = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
        raise InvalidInputError(
            f"Data set {images.name}: expected face crops of {len(images)} images, got none: {counts}."
        )
    return PreparedCrops(JoinedCrops(mapped, np.concatenate(joined_rows)), np.concatenate(rows), skipped)


@dataclass(frozen=True)
class _Part:
    """Consecutive images of a data set; `key` hashes what decides their crops."""

    key: str
    rows: NDArray[np.intp]

    def crops_path(self, folder: Path) -> Path:
        return folder / f"crops-{self.key}.npy"

    def list_path(self, folder: Path) -> Path:
        return folder / f"list-{self.key}.npz"

    def is_done(self, folder: Path) -> bool:
        """Whether its files are there and whole; a damaged one is cut again."""
        try:
            return len(self.reasons(folder)) == len(self.rows) == len(self.map_crops(folder))
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return False

    def map_crops(self, folder: Path) -> NDArray[np.uint8]:
        crops: NDArray[np.uint8] = np.load(self.crops_path(folder), mmap_mode="r", allow_pickle=False)
        return crops

    def reasons(self, folder: Path) -> NDArray[np.str_]:
        """Why each of the rows has no crop; empty where it has one."""
        with np.load(self.list_path(folder), allow_pickle=False) as archive:
            return np.asarray(archive["reason"])


def _describe(settings: Settings, detector_sha256: str) -> dict[str, Any]:
    training, detection = settings.training, settings.detection
    described: dict[str, Any] = {"version": _CODE_VERSION, "crops": training.crops, "size": training.input_size}
    if training.crops == "boxes":
        return described | {"enlargement": ENLARGEMENT}
    return described | {
        "weights": detector_sha256,
        "width": detection.width,
        "confidence": detection.confidence,
        "nms_iou": detection.nms_iou,
        "mode": detection.mode,
        "scale": CROP_SCALE,
    }


def _plan_parts(images: LabelledImages, described: dict[str, Any]) -> Iterator[_Part]:
    by_boxes = described["crops"] == "boxes"
    for begin in range(0, len(images), IMAGES_PER_PART):
        rows = np.arange(begin, min(begin + IMAGES_PER_PART, len(images)), dtype=np.intp)
        names = images.images[begin : begin + IMAGES_PER_PART]
        files = [[name, _size_of(images.folder / name)] for name in names]
        boxes = [[repr(float(value)) for value in box] for box in images.boxes[rows]] if by_boxes else []
        yield _Part(hash_json([described, files, boxes])[:24], rows)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _cut_part(
    part: _Part, images: LabelledImages, folder: Path, size: int, cut: _Cut, pool: ThreadPoolExecutor
) -> Iterator[int]:
    """Write the crops of a part; gives the number of images that are done. Rows without a crop stay holes in the file."""
    reasons = np.full(len(part.rows), "", dtype="U40")
    batches = [part.rows[i : i + _BATCH] for i in range(0, len(part.rows), _BATCH)]
    decode = partial(_decode_batch, images, pool)
    with write_atomic(part.crops_path(folder)) as temporary:
        shape = (len(part.rows), size, size, 3)
        crops = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        done = 0
        with prefetch(map(decode, batches)) as decoded:
            for rows, pictures in zip(batches, decoded, strict=True):
                for crop in cut(pictures, images.boxes[rows]):
                    if isinstance(crop, str):
                        reasons[done] = crop
                    else:
                        crops[done] = crop
                    done += 1
                yield done
        crops.flush()
        del crops
    with write_atomic(part.list_path(folder)) as temporary:
        np.savez(temporary, allow_pickle=False, reason=reasons)


def _decode_batch(images: LabelledImages, pool: ThreadPoolExecutor, rows: NDArray[np.intp]) -> list[_Picture | str]:
    return list(pool.map(read_picture, [images.folder / images.images[row] for row in rows.tolist()]))


def _choose_cut(settings: Settings, open_detector: Callable[[], FaceDetector] | None) -> _Cut:
    size = settings.training.input_size
    if settings.training.crops == "boxes":
        return partial(_cut_boxes, size)
    if open_detector is None:
        raise InvalidInputError("Expected a face detector with training.crops: detector, got none.")
    return partial(_cut_faces, open_detector(), settings.detection.mode, size)


def _cut_boxes(size: int, pictures: Sequence[_Picture | str], boxes: NDArray[np.float32]) -> list[_Picture | str]:
    crops: list[_Picture | str] = []
    for picture, box in zip(pictures, boxes, strict=True):
        if isinstance(picture, str):
            crops.append(picture)
            continue
        try:
            crops.append(crop_enlarged_box(picture, box, size=size))
        except ValueError:
            crops.append(NO_BOX)
    return crops


def _cut_faces(
    detector: FaceDetector, mode: CropMode, size: int, pictures: Sequence[_Picture | str], _boxes: NDArray[np.float32]
) -> list[_Picture | str]:
    readable = [picture for picture in pictures if not isinstance(picture, str)]
    found = iter(detector.detect(readable) if readable else [])
    crops: list[_Picture | str] = []
    for picture in pictures:
        if isinstance(picture, str):
            crops.append(picture)
            continue
        faces = next(found)
        if not len(faces):
            crops.append(NO_FACE)
            continue
        sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
        largest = int(np.argmax(sides.prod(axis=1)))
        box, landmarks = faces.boxes[largest], faces.landmarks[largest]
        try:
            crops.append(cut_face(picture, box, landmarks, mode=mode, size=size))
        except ValueError:
            crops.append(BAD_FACE)
    return crops


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed * _FREE_MARGIN > free:
        raise OutputError(
            f"Expected room for face crops, {needed / 1e9:.1f} GB, got {free / 1e9:.1f} GB free. Make room, lower "
            "training.input_size, or put the training folder on another disk; what was cut so far is kept."
        )


def _remove_others(folder: Path, parts: Sequence[_Part]) -> None:
    """Delete parts of images that the data set no longer holds in this form."""
    wanted = {path for part in parts for path in (part.crops_path(folder), part.list_path(folder))}
    for path in (*folder.glob("crops-*.npy"), *folder.glob("list-*.npz")):
        if path not in wanted:
            path.unlink()


def _write_skipped(images: LabelledImages, folder: Path, parts: Sequence[_Part]) -> None:
    rows = []
    for part in parts:
        reasons = part.reasons(folder)
        rows += [(images.images[part.rows[at]], str(reasons[at])) for at in np.flatnonzero(reasons != "").tolist()]
    with write_atomic(folder / SKIPPED_FILE) as temporary:
        pd.DataFrame(rows, columns=["image", "reason"]).to_csv(temporary, index=False)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "data"
