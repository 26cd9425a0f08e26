"""Make the demo weights of the attribute network: train on rendered crops, resume when stopped, and score the result.

The steps in order: `tasks.rendered_scenes.render_training_set` and `tasks.rendered_crops.cut_crops` for a training and a test
seed, then `train_demo_attributes`, then `evaluate_demo_attributes`. `tasks.demo_weights` runs them.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from features import facs
from features.attributes.calibration import shift_au_thresholds
from features.attributes.metadata import AttributeMetadata
from features.attributes.metrics import AttributeScores, score_attributes
from features.attributes.model import AttributeModel, to_checkpoint
from features.attributes.network import AttributeNetwork, OutputLayout
from features.attributes.recipe import DEMO_RECIPE, TrainingRecipe
from features.attributes.training import CropData, EpochResult, Progress, train
from features.faces.alignment import CROP_SCALE
from tasks.errors import InvalidInputError
from tasks.progress import Reporter, silent
from tasks.provenance import make_folder, write_atomic, write_json_atomic
from tasks.rendered_crops import read_crops

TRAINING_SEED: Final = 20191001
TEST_SEED: Final = 20191002
DATA_NAME: Final = "facetrace rendered faces"
_WORK_UNITS: Final = 1000


@dataclass(frozen=True)
class AttributeTrainingSettings:
    """What is trained.

    Attributes
    ----------
    unit, scale
        Architecture, see `features.attributes.build`.
    recipe
        How; the input size of its last phase is that of the finished network.
    n_validation
        Crops of the training set, the last ones, that are kept back: scored after every epoch, and after the last one
        the data on which the decision thresholds of the action units are set.
    """

    unit: str = "eesp"
    scale: float = 1.0
    recipe: TrainingRecipe = DEMO_RECIPE
    n_validation: int = 2600

    @property
    def metadata(self) -> AttributeMetadata:
        """Metadata of the weights."""
        return AttributeMetadata(
            unit=self.unit,
            scale=self.scale,
            input_size=self.recipe.phases[-1].input_size,
            alignment_mode="aligned",
            alignment_scale=CROP_SCALE,
            training_data=(DATA_NAME,),
            demo=True,
        )


def train_demo_attributes(
    crops: Path,
    output: Path,
    *,
    settings: AttributeTrainingSettings,
    threads: int | None = None,
    progress: Reporter = silent,
) -> Path:
    """Train the demo network and write its weights; a stopped training continues after its last finished epoch.

    Parameters
    ----------
    crops
        Folder that `tasks.rendered_crops.cut_crops` filled.
    output
        A ``.safetensors`` file. Beside it stand ``<name>.state.pt`` (to continue) and ``<name>.epochs.json``.
    settings
        What and how.
    threads
        Processor threads; None leaves torch's own choice.
    progress
        Told after every step, in thousandths of the work.

    Returns
    -------
    Path
        `output`, rewritten after every epoch.

    Raises
    ------
    InvalidInputError
        If there are no crops, or the state belongs to other settings.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    make_folder(output.parent)
    data, validation = _split(read_crops(crops)[0], settings.n_validation)
    torch.manual_seed(settings.recipe.seed)
    layout = OutputLayout(n_expressions=len(facs.EXPRESSIONS), n_aus=len(facs.EMOTIONET_AUS))
    network = AttributeNetwork(settings.unit, scale=settings.scale, layout=layout)
    state, history = _read_state(output)

    def note(now: Progress) -> None:
        name = f"training attributes, epoch {now.epoch + 1} of {now.n_epochs}, loss {now.loss:.3f}"
        progress(name if now.step == now.n_steps else "training attributes", _units(now.fraction), _WORK_UNITS)

    try:
        for result in train(network, data, settings.recipe, validation=validation, state=state, on_step=note):
            history.append(_describe_epoch(result))
            if validation is not None and result.epoch + 1 == settings.recipe.n_epochs:
                thresholds = shift_au_thresholds(result.network, validation, input_size=result.input_size)
                history[-1]["au_thresholds"] = dict(zip(facs.EMOTIONET_AUS, thresholds.tolist(), strict=True))
            _write_epoch(output, result, history, settings.metadata)
    except ValueError as error:
        raise InvalidInputError(f"The training cannot run: {error}") from error
    return output


def evaluate_demo_attributes(weights: Path, crops: Path, report: Path, *, training_crops: Path | None = None) -> Path:
    """Score weights on rendered faces of people that the network has not seen, for the model card.

    Parameters
    ----------
    weights
        A ``.safetensors`` checkpoint.
    crops
        Folder of test crops.
    report
        A ``.json`` file: figures of every task, with the prevalence of every action unit.
    training_crops
        Folder of training crops, to prove that no identity is in both.

    Returns
    -------
    Path
        `report`.

    Raises
    ------
    InvalidInputError
        If an identity occurs in both sets.
    """
    data, identities = read_crops(crops)
    if training_crops is not None:
        shared = np.intersect1d(identities, read_crops(training_crops)[1])
        if len(shared):
            raise InvalidInputError(f"Expected test faces of people not trained on, got {len(shared)} who were.")
    with safe_open(weights, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
    model = AttributeModel.from_checkpoint(tensors, metadata)
    scores = score_attributes(data.labels, model.predict(data.crops[:]), model.layout)
    figures = _describe_scores(scores, model.aus) | {"n_faces": len(data), "n_identities": len(np.unique(identities))}
    write_json_atomic(report, _without_nan(figures))
    return report


def _split(data: CropData, n_validation: int) -> tuple[CropData, CropData | None]:
    if not n_validation:
        return data, None
    n = len(data) - n_validation
    if n < 2:
        raise InvalidInputError(f"Expected more than {n_validation + 1} crops, got {len(data)}.")
    rows = np.arange(len(data))
    return (
        CropData(data.crops[:n], data.labels.take(rows[:n])),
        CropData(data.crops[n:], data.labels.take(rows[n:])),
    )


def _read_state(output: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    state_path, history_path = output.with_suffix(".state.pt"), output.with_suffix(".epochs.json")
    if not state_path.exists():
        return None, []
    try:
        state = torch.load(state_path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InvalidInputError(
            f"Expected the state of a training in {state_path.name}, got: {error}. Delete it to start anew."
        ) from error
    history = json.loads(history_path.read_text(encoding="utf-8")) if history_path.exists() else []
    return state, history[: state["epochs_done"]]


def _write_epoch(output: Path, result: EpochResult, history: list[dict[str, Any]], metadata: AttributeMetadata) -> None:
    trained_at = replace(metadata, input_size=result.input_size)
    tensors, strings = to_checkpoint(AttributeModel(result.network, trained_at))
    with write_atomic(output) as temporary:
        save_file(tensors, temporary, metadata=strings)
    write_json_atomic(output.with_suffix(".epochs.json"), history)
    with write_atomic(output.with_suffix(".state.pt")) as temporary:
        torch.save(result.state, temporary)


def _describe_epoch(result: EpochResult) -> dict[str, Any]:
    described = {
        "epoch": result.epoch + 1,
        "input_size": result.input_size,
        "learning_rate": result.learning_rate,
        "losses": result.losses,
    }
    if result.scores is not None:
        described["validation"] = result.scores.summary() | {
            "au_f1": {name: score.f1 for name, score in zip(facs.EMOTIONET_AUS, result.scores.aus, strict=True)}
        }
    return {key: _without_nan(value) for key, value in described.items()}


def _describe_scores(scores: AttributeScores, aus: Sequence[str]) -> dict[str, Any]:
    return {
        "summary": scores.summary(),
        "aus": {name: asdict(score) for name, score in zip(aus, scores.aus, strict=True)},
        "expression": {
            "macro_f1": scores.expression.macro_f1,
            "weighted_f1": scores.expression.weighted_f1,
            "accuracy": scores.expression.accuracy,
            "confusion": scores.expression.confusion.tolist(),
        },
        "valence": asdict(scores.valence),
        "arousal": asdict(scores.arousal),
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _units(fraction: float) -> int:
    return round(fraction * _WORK_UNITS)
