"""From the section `training` of the settings to what is trained: recipe, folder, device."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from features.attributes.augmentation import PUBLISHED_AUGMENTATION, Augmentation
from features.attributes.batches import CropData
from features.attributes.metadata import AttributeMetadata
from features.attributes.recipe import ALL_TASKS, Phase, TrainingRecipe
from tasks.attribute_data.loading import TrainingData
from tasks.errors import SettingsError
from tasks.provenance import Step
from tasks.training_folder import RESULTS
from tasks.training_settings import TrainingSettings

CODE_VERSION: Final = 1
_NOT_OF_THE_RESULT: Final = {"data", "workers", "bootstrap_samples", "device"}
_SAMPLED_CROPS: Final = 64
_NO_AUGMENTATION: Final = Augmentation(flip=0.0, rotation_deg=0.0, shear_deg=0.0, scale=0.0)


def make_recipe(settings: TrainingSettings) -> TrainingRecipe:
    """The recipe that the settings describe: stochastic gradient descent with momentum 0.9, as in the paper."""
    return TrainingRecipe(
        phases=(Phase(input_size=settings.input_size, epochs=settings.epochs, batch_size=settings.batch_size),),
        learning_rate=settings.learning_rate,
        decay=settings.learning_rate_decay,
        weight_decay=settings.weight_decay,
        class_weights=settings.class_weights,
        regression_bins=settings.regression_bins or None,
        tasks=tuple(task for task in ALL_TASKS if task in settings.tasks),
        patience=settings.early_stopping_epochs,
        augmentation=PUBLISHED_AUGMENTATION if settings.augmentation == "published" else _NO_AUGMENTATION,
        seed=settings.seed,
    )


def describe_network(settings: TrainingSettings) -> str:
    """Name of a network and of its folder, such as ``eesp-s2-224px-multitask``."""
    tasks = [task for task in ALL_TASKS if task in settings.tasks]
    return f"{settings.unit}-s{settings.scale:g}-{settings.input_size}px-{name_tasks(tasks)}"


def name_tasks(tasks: Sequence[str]) -> str:
    """``multitask`` for all tasks, else their names."""
    return "multitask" if len(tasks) == len(ALL_TASKS) else "-".join(tasks)


def network_folder(folder: Path, settings: TrainingSettings) -> Path:
    """Where a network of these settings is kept in a training folder."""
    return folder / RESULTS / describe_network(settings)


def make_metadata(settings: TrainingSettings, data: TrainingData) -> AttributeMetadata:
    """What the checkpoint says of itself."""
    return AttributeMetadata(
        unit=settings.unit,
        scale=settings.scale,
        input_size=settings.input_size,
        aus=data.aus,
        expressions=data.expressions,
        alignment_mode=data.alignment_mode,
        alignment_scale=data.alignment_scale,
        training_data=data.names,
        demo=data.rendered,
        tasks=tuple(task for task in ALL_TASKS if task in settings.tasks),
    )


def make_step(settings: TrainingSettings, data: TrainingData) -> Step:
    """What decides the weights: settings, labels and crops. Workers and device are left out."""
    inputs = {"training images": fingerprint(data.train)}
    if data.validation is not None:
        inputs["validation images"] = fingerprint(data.validation)
    chosen = settings.model_dump(mode="json", exclude=_NOT_OF_THE_RESULT)
    described = {"data": list(data.names), "aus": list(data.aus), "demo": data.rendered, "crops": data.alignment_mode}
    return Step("train-attributes", CODE_VERSION, {"training": chosen, "images": described}, inputs)


def fingerprint(data: CropData) -> str:
    """SHA-256 over the labels and some of the crops, spread evenly: enough to tell other data, without reading all of it."""
    digest = hashlib.sha256()
    labels = data.labels
    for part in (labels.expression, labels.valence, labels.arousal, labels.aus):
        digest.update(np.ascontiguousarray(part).tobytes())
    rows = np.unique(np.linspace(0, len(data) - 1, _SAMPLED_CROPS).round().astype(np.intp))
    digest.update(np.ascontiguousarray(data.crops[rows]).tobytes())
    return digest.hexdigest()


def choose_training_device(settings: TrainingSettings) -> str:
    """The torch device of the setting; auto takes a GPU where there is one.

    Raises
    ------
    SettingsError
        If a GPU is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise SettingsError("training.device is cuda, but PyTorch finds no GPU here. Set auto or cpu.")
    if settings.device == "auto":
        return "cuda" if available else "cpu"
    return settings.device
