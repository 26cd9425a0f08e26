"""From the data sets of a training folder to what a network learns from: crops and labels, split, mixed, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from features import facs
from features.attributes.crop_data import JoinedCrops
from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from features.attributes.training import CropData
from features.faces.alignment import CROP_SCALE
from tasks.attribute_data.crops import PreparedCrops, prepare_crops, read_prepared
from tasks.attribute_data.labelled import PRESENT, join_labels
from tasks.attribute_data.sources import LabelledImages, read_source
from tasks.attribute_data.splits import TEST, TRAIN, VALIDATION
from tasks.errors import InvalidInputError
from tasks.progress import Reporter, silent
from tasks.provenance import sha256_file
from tasks.rendered import is_rendered
from tasks.settings import Settings
from tasks.weights import Weights, load_detector, locate

if TYPE_CHECKING:
    from features.faces.detector import FaceDetector

CROPS_FOLDER: Final = "attributes/crops"
"""Where crops are kept in a training folder."""

_MIN_IMAGES: Final = 2


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a network learns from.

    Attributes
    ----------
    train, validation, test
        Crops and labels; None where no image is kept back for validation.
    aus, expressions
        What the labels mean, in their order.
    names
        Of the data sets.
    skipped
        Data set -> reason -> number of rows or images that were left out.
    rendered
        Whether every data set is drawn by facetrace: a network that learned from it is for demonstrations only.
    alignment_mode, alignment_scale
        How the crops were cut, as checkpoints say it.
    notes
        What a reader of the results should know of the data.
    """

    train: CropData
    validation: CropData | None
    test: CropData
    aus: tuple[str, ...]
    expressions: tuple[str, ...]
    names: tuple[str, ...]
    skipped: dict[str, dict[str, int]]
    rendered: bool
    alignment_mode: str
    alignment_scale: float
    notes: tuple[str, ...] = ()


def load_training_data(folder: Path, settings: Settings, *, progress: Reporter = silent) -> TrainingData:
    """Read all data sets of a training folder, cut their crops where that was not done, and mix them.

    Parameters
    ----------
    folder
        The training folder.
    settings
        Sections `training` and `detection`.
    progress
        Told while crops are cut.

    Returns
    -------
    TrainingData
        Its crops stay on the disk until rows of them are asked for.

    Raises
    ------
    InvalidInputError
        With everything that is wrong with the data sets, before any image is opened; or if too few crops are left.
    WeightsError
        If the face detector's weights are missing.
    OutputError
        If the disk has no room for the crops.
    """
    sources = read_sources(folder, settings)
    prepared = _prepare_all(sources, folder, settings, progress)
    aus = unite_aus(sources)
    train, validation, test = (_join(sources, prepared, aus, name) for name in (TRAIN, VALIDATION, TEST))
    if train is None or test is None:
        lacking = " and ".join(name for name, data in ((TRAIN, train), (TEST, test)) if data is None)
        raise InvalidInputError(
            f"Expected at least {_MIN_IMAGES} face crops for {lacking}, got fewer. Add images or a column split to the table."
        )
    mode = settings.detection.mode if settings.training.crops == "detector" else "enlarged_box"
    return TrainingData(
        train=train,
        validation=validation,
        test=test,
        aus=aus,
        expressions=facs.EXPRESSIONS,
        names=tuple(images.name for images in sources),
        skipped={
            images.name: dict(Counter(images.dropped) + Counter(crops.skipped))
            for images, crops in zip(sources, prepared, strict=True)
        },
        rendered=all(_is_drawn(folder / source.labels) for source in settings.training.data),
        alignment_mode=mode,
        alignment_scale=CROP_SCALE if mode == "aligned" else 1.0,
        notes=tuple(f"{images.name}: {note}" for images in sources for note in images.notes),
    )


def read_sources(folder: Path, settings: Settings) -> list[LabelledImages]:
    """Read the labels of all data sets and check them, also against each other and the tasks to learn.

    Raises
    ------
    InvalidInputError
        With everything that is wrong with all of them.
    """
    if not settings.training.data:
        raise InvalidInputError(
            "Expected data sets in training.data of config.yaml, got none. docs/attribute_training.md shows how to name them."
        )
    problems, sources = [], []
    for source in settings.training.data:
        try:
            sources.append(read_source(source, folder))
        except InvalidInputError as error:
            problems.append(str(error))
    if not problems:
        problems = [*_find_shared(sources), *_find_unlearnable(sources, settings)]
    if problems:
        raise InvalidInputError("\n".join(problems))
    return sources


def unite_aus(sources: Sequence[LabelledImages]) -> tuple[str, ...]:
    """Action units of all data sets, in the order of their numbers; those of EmotioNet where none has any."""
    return tuple(sorted({unit for images in sources for unit in images.aus})) or facs.EMOTIONET_AUS


def spread_labels(labels: AttributeLabels, have: Sequence[str], want: Sequence[str]) -> AttributeLabels:
    """Labels whose action units are `want` instead of `have`; units that are not there are unknown (NaN)."""
    aus = np.full((len(labels), len(want)), np.nan, dtype=np.float32)
    aus[:, [list(want).index(unit) for unit in have]] = labels.aus
    return AttributeLabels(labels.expression, labels.valence, labels.arousal, aus)


def _prepare_all(
    sources: Sequence[LabelledImages], folder: Path, settings: Settings, progress: Reporter
) -> list[PreparedCrops]:
    weights = None
    if settings.training.crops == "detector":
        weights = locate(settings.detection.weights, "detector", study_folder=folder)
    sha256 = weights.sha256 if weights else ""
    open_detector = cache(partial(_open_detector, weights, settings)) if weights else None
    prepared = []
    for images in sources:
        made = prepare_crops(
            images,
            folder / CROPS_FOLDER,
            settings=settings,
            open_detector=open_detector,
            detector_sha256=sha256,
            progress=progress,
        )
        prepared.append(read_prepared(images, made, settings=settings, detector_sha256=sha256))
    return prepared


def _join(
    sources: Sequence[LabelledImages], prepared: Sequence[PreparedCrops], aus: Sequence[str], split: str
) -> CropData | None:
    parts, labels, people = [], [], []
    for images, crops in zip(sources, prepared, strict=True):
        chosen = np.flatnonzero(images.split[crops.rows] == split)
        parts.append(crops.crops.take(chosen))
        labels.append(spread_labels(images.labels.take(crops.rows[chosen]), images.aus, aus))
        people.append(_name_people(images, crops.rows[chosen]))
    if sum(len(part) for part in parts) < _MIN_IMAGES:
        return None
    known = any(images.participants is not None for images in sources)
    return CropData(JoinedCrops.join(parts), join_labels(labels), np.concatenate(people) if known else None)


def _name_people(images: LabelledImages, rows: NDArray[np.intp]) -> NDArray[np.str_]:
    """Who each image shows; where the data set does not say, each image stands for someone of its own."""
    if images.participants is not None:
        return images.participants[rows]
    return np.array([f"{images.name}/{images.images[row]}" for row in rows.tolist()], dtype=np.str_)


def _open_detector(weights: Weights, settings: Settings) -> FaceDetector:
    import torch  # noqa: PLC0415

    device = settings.training.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    detection = settings.detection
    return load_detector(
        weights, long_side=detection.width, confidence=detection.confidence, nms_iou=detection.nms_iou, device=device
    )


def _is_drawn(labels: Path) -> bool:
    return labels.is_file() and is_rendered(labels, sha256_file(labels))


def _find_shared(sources: Sequence[LabelledImages]) -> list[str]:
    """Images and participants that are in one split here and in another there."""
    problems = []
    split_of: dict[str, str] = {}
    owner: dict[str, str] = {}
    for images in sources:
        who = [] if images.participants is None else [f"participant {name}" for name in images.participants.tolist()]
        folder = images.folder.resolve()
        files = [f"image {folder}/{name}" for name in images.images] if len(sources) > 1 else []
        torn = set()
        for keys in (files, who):
            for key, split in zip(keys, images.split.tolist(), strict=False):
                if split_of.setdefault(key, split) != split:
                    torn.add(key)
                owner.setdefault(key, images.name)
        if torn:
            first = sorted(torn)[0]
            problems.append(
                f"Data set {images.name}: expected images and participants in the same split as in other data sets, got "
                f"{len(torn)} in another; the first is {first.rpartition('/')[2]} (also in {owner[first]}). Give both a column "
                "split, or name them apart."
            )
    return problems


def _find_unlearnable(sources: Sequence[LabelledImages], settings: Settings) -> list[str]:
    """Tasks of which the training images show nothing or one class, and data sets without the boxes that are asked for."""
    names = ", ".join(images.name for images in sources)
    aus = unite_aus(sources)
    labels = join_labels(
        [
            spread_labels(images.labels.take(np.flatnonzero(images.split == TRAIN)), images.aus, aus)
            for images in sources
        ]
    )
    problems = []
    for task in settings.training.tasks:
        columns = _columns_of(task, labels, aus)
        if all(np.isnan(column).all() for column in columns.values()):
            problems.append(
                f"training.tasks names {task}, but no training image of {names} has a label for it. Take {task} out of "
                "training.tasks or add a data set that has it."
            )
            continue
        uniform = [name for name, column in columns.items() if len(np.unique(column[~np.isnan(column)])) < 2]
        if uniform:
            problems.append(
                f"Expected training images of {names} that differ in {', '.join(uniform)}, got one class or none. Add images, or a "
                "column split that puts some of each class into training."
            )
    if settings.training.crops == "boxes":
        problems += [
            f"Data set {images.name}: expected face boxes (training.crops is boxes), got none. Set training.crops to detector."
            for images in sources
            if np.isnan(images.boxes).all()
        ]
    return problems


def _columns_of(task: str, labels: AttributeLabels, aus: Sequence[str]) -> dict[str, NDArray[np.floating]]:
    """Labels of a task by name, NaN unknown; action units as 0 and 1."""
    if task == "aus":
        present = np.where(np.isnan(labels.aus), np.nan, labels.aus >= PRESENT)
        return dict(zip(aus, present.T, strict=True))
    if task == "expression":
        return {task: np.where(labels.expression == UNKNOWN_EXPRESSION, np.nan, labels.expression)}
    return {task: labels.valence if task == "valence" else labels.arousal}
