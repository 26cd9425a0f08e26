"""How well an attribute network reads the test images of a training folder, with bootstrap intervals."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save

from features.attributes.labels import AttributeLabels
from features.attributes.model import AttributeModel
from features.attributes.network import OutputLayout
from features.attributes.published import MEASURES
from features.attributes.tallies import confusion_of, score_sums, tally
from stats.effect_sizes import Estimate
from stats.resampling import resample_sums
from tasks.attribute_checkpoints import ONNX, load_model, read_strings
from tasks.attribute_data.loading import TrainingData, spread_labels
from tasks.attribute_figures import EVALUATION, Evaluation, describe_figures, task_of, write_evaluation
from tasks.attribute_fitting import CHECKPOINT, write_bytes
from tasks.attribute_recipes import choose_training_device, fingerprint, network_folder
from tasks.errors import WeightsError
from tasks.provenance import (
    Step,
    make_folder,
    read_sidecar,
    sha256_file,
    sidecar_path,
    why_stale,
    write_json_atomic,
)
from tasks.training_folder import RESULTS
from tasks.training_settings import TrainingSettings

CODE_VERSION: Final = 1
EVALUATIONS: Final = "evaluations"
_LEVEL: Final = 0.95
_FACES_AT_A_TIME: Final = 256


def evaluate_attributes(
    folder: Path, data: TrainingData, settings: TrainingSettings, *, checkpoint: Path | None = None
) -> str | None:
    """Evaluate a checkpoint on the test images and write the figures, unless they hold.

    Parameters
    ----------
    folder
        The training folder.
    data
        Its images, cut to the network's input size.
    settings
        Section `training`; it says which network, where no checkpoint is named.
    checkpoint
        Another network, whose file is left as it is. The folder's own network also carries its figures, for its model card.

    Returns
    -------
    str or None
        Why it ran; None where the figures hold.

    Raises
    ------
    WeightsError
        If the checkpoint is missing, cannot be read, or does not fit the data.
    """
    path = checkpoint or network_folder(folder, settings) / CHECKPOINT
    if not path.is_file():
        raise WeightsError(
            f"Expected the checkpoint {path.name} in {path.parent.name}, it is missing. "
            "Run `facetrace train-attributes` first, or name a checkpoint."
        )
    out = evaluation_folder(folder, settings, checkpoint)
    chosen = {"bootstrap_samples": settings.bootstrap_samples, "seed": settings.seed}
    weights = {path.name: _hash_network(path)}
    step = Step("evaluate-attributes", CODE_VERSION, chosen, {"test images": fingerprint(data.test)}, weights)
    why = why_stale(out / EVALUATION, step)
    if why is None:
        return None
    started = datetime.now(UTC)
    evaluation = measure(load_model(path, device=choose_training_device(settings)), data, settings)
    write_evaluation(make_folder(out), evaluation, step, started, list_comparable(settings))
    if checkpoint is None:
        _store_figures(path, evaluation)
    return why


def evaluation_folder(folder: Path, settings: TrainingSettings, checkpoint: Path | None = None) -> Path:
    """Where the figures of a network are: beside it, or in ``attributes/evaluations/<name>`` for a network from elsewhere."""
    if checkpoint is None:
        return network_folder(folder, settings)
    return folder / RESULTS / EVALUATIONS / f"{checkpoint.stem}{checkpoint.suffix.replace('.', '-')}"


def measure(model: AttributeModel, data: TrainingData, settings: TrainingSettings) -> Evaluation:
    """Read the test images and score them.

    Raises
    ------
    WeightsError
        If the network's vocabulary, input size or crops are not those of the data.
    """
    _refuse_misfit(model, data)
    labels = _as_network_names(data, model.aus)
    layout = OutputLayout(n_expressions=len(model.expressions), n_aus=len(model.aus))
    columns = tally(labels, _read(model, data), layout).columns
    values = score_sums(columns.sum(axis=0), layout, model.aus)
    people = data.test.people
    sums = resample_sums(columns, n_bootstrap=settings.bootstrap_samples, seed=settings.seed, clusters=people)
    resampled = score_sums(sums, layout, model.aus)
    wanted = [name for name in values if task_of(name) in model.metadata.tasks]
    return Evaluation(
        metadata=model.metadata,
        measures={name: _estimate(float(values[name]), resampled[name]) for name in wanted},
        n=_count_known(labels, model.aus),
        confusion=confusion_of(columns.sum(axis=0), layout),
        n_images=len(labels),
        n_people=0 if people is None else len(np.unique(people)),
    )


def list_comparable(settings: TrainingSettings) -> set[str]:
    """Measures that the paper reports of the same data set: AffectNet's manual lists, EmotioNet's annotations."""
    formats = {source.format for source in settings.data}
    same = {"affectnet": {"expression", "valence", "arousal"}, "emotionet": {"aus"}}
    tasks = {task for name in formats for task in same.get(name, ())} if formats <= set(same) else set()
    return {name for name in MEASURES if task_of(name) in tasks}


def _estimate(value: float, resampled: npt.NDArray[np.float64]) -> Estimate:
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or not len(defined):
        return Estimate(value, float("nan"), float("nan"))
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def _read(model: AttributeModel, data: TrainingData) -> npt.NDArray[np.float32]:
    crops, n = data.test.crops, len(data.test)
    starts = range(0, n, _FACES_AT_A_TIME)
    parts = [model.predict(crops[np.arange(start, min(start + _FACES_AT_A_TIME, n))]) for start in starts]
    return np.concatenate(parts)


def _refuse_misfit(model: AttributeModel, data: TrainingData) -> None:
    problems = []
    if not set(model.aus) & set(data.aus):
        problems.append(f"action units {', '.join(model.aus)} (the labels have {', '.join(data.aus)})")
    if model.expressions != data.expressions:
        problems.append(f"expressions {', '.join(model.expressions)} (the labels have {', '.join(data.expressions)})")
    side = data.test.crops.shape[1]
    if model.input_size != side:
        problems.append(f"an input of {model.input_size} pixels (training.input_size is {side})")
    if model.metadata.alignment_mode != data.alignment_mode:
        problems.append(f"crops of the mode {model.metadata.alignment_mode} (the settings cut {data.alignment_mode})")
    if problems:
        raise WeightsError(f"Expected a network that fits the test images, got one with {'; '.join(problems)}.")


def _as_network_names(data: TrainingData, aus: Sequence[str]) -> AttributeLabels:
    """Test labels of the network's action units; those that the data lack are unknown."""
    shared = [name for name in data.aus if name in aus]
    labels = data.test.labels
    kept = AttributeLabels(
        labels.expression, labels.valence, labels.arousal, labels.aus[:, [data.aus.index(name) for name in shared]]
    )
    return spread_labels(kept, shared, aus)


def _count_known(labels: AttributeLabels, aus: Iterable[str]) -> dict[str, int]:
    known = ~np.isnan(labels.aus)
    return {
        "expression": int((labels.expression >= 0).sum()),
        "valence": int((~np.isnan(labels.valence)).sum()),
        "arousal": int((~np.isnan(labels.arousal)).sum()),
        "aus": int(known.any(axis=1).sum()),
        **{name: int(count) for name, count in zip(aus, known.sum(axis=0), strict=True)},
    }


def _hash_network(path: Path) -> str:
    """SHA-256 of a network without its figures, so that storing them does not make them stale."""
    if path.suffix == ONNX:
        return sha256_file(path)
    digest = hashlib.sha256()
    strings = read_strings(path)
    digest.update(repr(sorted((name, text) for name, text in strings.items() if name != "figures")).encode())
    with safe_open(path, framework="np") as file:
        for name in sorted(file.keys()):
            digest.update(name.encode() + file.get_tensor(name).tobytes())
    return digest.hexdigest()


def _store_figures(path: Path, evaluation: Evaluation) -> None:
    """Write the figures into the checkpoint; its sidecar takes over the new hash."""
    figures = json.dumps(describe_figures(evaluation), allow_nan=False)
    strings = replace(evaluation.metadata, figures=figures).to_strings()
    with safe_open(path, framework="pt") as file:
        tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    sidecar = read_sidecar(path)
    write_bytes(path, save(tensors, metadata=strings))
    if sidecar is not None:
        write_json_atomic(sidecar_path(path), sidecar | {"output_sha256": sha256_file(path)})
