"""Train an attribute network on the data of a training folder; a stopped training goes on at the batch.

In the network's folder: ``network.safetensors`` (of the best epoch with early stopping, else of the last), ``epochs.csv``,
``tensorboard/``, and while it is not finished ``state.pt``, tensors and plain values from which it goes on.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
import torch
from safetensors.torch import save

from features.attributes.label_checks import count_au_classes, count_classes
from features.attributes.metadata import AttributeMetadata
from features.attributes.model import AttributeModel, to_checkpoint
from features.attributes.network import AttributeNetwork, OutputLayout
from features.attributes.training import EpochResult, Progress, State, train
from tasks.attribute_data.loading import TrainingData
from tasks.attribute_recipes import (
    choose_training_device,
    describe_network,
    make_metadata,
    make_recipe,
    make_step,
    network_folder,
)
from tasks.errors import InvalidInputError, SettingsError
from tasks.progress import Reporter, silent
from tasks.provenance import (
    MISSING,
    Step,
    describe_differences,
    make_folder,
    read_sidecar,
    why_stale,
    write_atomic,
    write_sidecar,
    write_text_atomic,
)
from tasks.storage import explain_write_errors
from tasks.training_log import TrainingLog
from tasks.training_settings import TrainingSettings

CHECKPOINT: Final = "network.safetensors"
EPOCHS: Final = "epochs.csv"
STATE: Final = "state.pt"
TENSORBOARD: Final = "tensorboard"
SECONDS_BETWEEN_STATES: Final = 60.0

_WORK_UNITS: Final = 1000


@dataclass
class _Saved:
    """What `state.pt` holds: the step that it belongs to, the epochs so far, and the state of the loop."""

    step: dict[str, Any]
    history: list[dict[str, Any]]
    training: State | None = None

    def write(self, path: Path) -> None:
        held = {"step": json.dumps(self.step), "history": json.dumps(self.history), "training": self.training}
        content = io.BytesIO()
        torch.save(held, content)
        write_bytes(path, content.getvalue())


def fit_attributes(
    folder: Path,
    data: TrainingData,
    settings: TrainingSettings,
    *,
    threads: int = 0,
    seconds_between_states: float = SECONDS_BETWEEN_STATES,
    progress: Reporter = silent,
) -> str | None:
    """Train the network of the settings, or go on with it.

    Parameters
    ----------
    folder
        The training folder.
    data
        Its images.
    settings
        Section `training`.
    threads
        CPU threads; 0 leaves torch's own choice.
    seconds_between_states
        How often the state is kept within an epoch; it is also kept after every epoch.
    progress
        Told after every step, in thousandths of the work.

    Returns
    -------
    str or None
        Why it ran; None where the finished network holds.

    Raises
    ------
    SettingsError
        If the network in the folder was begun with other settings or data, early stopping has no validation images, the device is
        not there, or the loss is no longer finite.
    InvalidInputError
        If the labels of a task are all the same, the state cannot be read, or the finished network was altered.
    """
    if settings.early_stopping_epochs and data.validation is None:
        raise SettingsError(
            "training.early_stopping_epochs needs validation images, but there are none. Set it to 0, or mark some as validation."
        )
    step, out = make_step(settings, data), network_folder(folder, settings)
    why = _why_to_train(out, step)
    if why is None:
        (out / STATE).unlink(missing_ok=True)
        return None
    refuse_unlearnable(data, settings)
    if threads:
        torch.set_num_threads(threads)
    saved, started = _read_saved(out, step), datetime.now(UTC)
    make_folder(out)
    try:
        _train(out, data, settings, saved, seconds_between_states, progress)
    except FloatingPointError as error:
        raise SettingsError(
            f"Training {out.name}: {error} The setting is training.learning_rate (now {settings.learning_rate:g}); "
            f"training.mixed_precision: false may also help. Delete {out.parent.name}/{out.name} first."
        ) from error
    write_sidecar(
        out / CHECKPOINT,
        step,
        description=f"Attribute network {out.name}, trained on {', '.join(data.names)}.",
        started=started,
        facts=_describe_run(data, settings, saved.history),
    )
    (out / STATE).unlink(missing_ok=True)
    return why


def refuse_unlearnable(data: TrainingData, settings: TrainingSettings) -> None:
    """Stop where the training labels of a task are all the same or unknown.

    Raises
    ------
    InvalidInputError
        Naming every such task.
    """
    counts = count_classes(data.train.labels)
    problems = [
        f"{task} ({'every known label is the same' if counts[task] else 'no label is known'})"
        for task in settings.tasks
        if counts[task] < 2
    ]
    if problems:
        raise InvalidInputError(
            f"Expected training labels from which every task can be learned, got none for {', '.join(problems)}. "
            "Take those out of training.tasks, or add data."
        )


@dataclass(frozen=True)
class DataSummary:
    """Images that are used and left out, and lines that say why."""

    n_used: int
    n_skipped: int
    lines: list[str]


def describe_data(data: TrainingData) -> DataSummary:
    """Count images, and say what was left out and what cannot be learned."""
    parts = {"training": data.train, "validation": data.validation, "test": data.test}
    counts = {name: 0 if part is None else len(part) for name, part in parts.items()}
    lines = ["images: " + ", ".join(f"{count} {name}" for name, count in counts.items())]
    for source, reasons in data.skipped.items():
        lines += [f"left out of {source}: {count} {reason}" for reason, count in reasons.items()]
    lines += data.notes
    constant = list_unlearnable_aus(data)
    if constant:
        lines.append(f"not learned, because unknown or always the same in the training data: {', '.join(constant)}")
    skipped = sum(count for reasons in data.skipped.values() for count in reasons.values())
    return DataSummary(sum(counts.values()), skipped, lines)


def list_unlearnable_aus(data: TrainingData) -> list[str]:
    """Action units that are unknown, always present or always absent in the training data: nothing is learned of them."""
    counts = count_au_classes(data.train.labels)
    return [name for name, count in zip(data.aus, counts, strict=True) if count < 2]


def _why_to_train(out: Path, step: Step) -> str | None:
    why = why_stale(out / CHECKPOINT, step)
    if why is None or why == MISSING:
        return why
    sidecar = read_sidecar(out / CHECKPOINT)
    if sidecar is None and (out / STATE).exists():
        return "it was not finished"
    if sidecar is not None and sidecar.get("step_key") != step.key:
        raise _describe_change(out, why)
    raise InvalidInputError(
        f"Expected {out.name}/{CHECKPOINT} as its training wrote it, got a file of which {why}. "
        f"Delete {out.parent.name}/{out.name} to train anew."
    )


def _describe_change(out: Path, changes: str) -> SettingsError:
    return SettingsError(
        f"Expected the settings and data with which {out.name} was trained, got others: {changes}. Set them back; or, to train "
        f"with the new ones, use another training folder or delete {out.parent.name}/{out.name}."
    )


def _read_saved(out: Path, step: Step) -> _Saved:
    path = out / STATE
    if not path.exists():
        return _Saved(step.described(), [])
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        saved = _Saved(json.loads(held["step"]), json.loads(held["history"]), held["training"])
    except (RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise InvalidInputError(
            f"Expected the state of a training in {out.name}/{STATE}, got: {error}. "
            f"Delete {out.parent.name}/{out.name} to train anew."
        ) from error
    if saved.step != step.described():
        raise _describe_change(out, describe_differences(saved.step, step.described()) or "code_version")
    return saved


def _train(
    out: Path,
    data: TrainingData,
    settings: TrainingSettings,
    saved: _Saved,
    seconds_between_states: float,
    progress: Reporter,
) -> None:
    metadata, device = make_metadata(settings, data), choose_training_device(settings)
    with TrainingLog(out / TENSORBOARD, saved.training) as log:
        results = train(
            _build(settings, metadata),
            data.train,
            make_recipe(settings),
            validation=data.validation,
            state=saved.training,
            device=device,
            workers=settings.workers,
            mixed_precision=settings.mixed_precision,
            on_step=_make_note(describe_network(settings), log, progress),
            keep_state=_make_keeper(out / STATE, saved, seconds_between_states),
        )
        for result in results:
            saved.history.append(describe_epoch(result))
            log.write_epoch(saved.history[-1], result.state["steps_done"])
            if result.improved or not settings.early_stopping_epochs:
                write_checkpoint(out / CHECKPOINT, result.network, metadata)
            # The state comes last: a run that is killed before it repeats the epoch and writes the same files again.
            write_text_atomic(out / EPOCHS, pd.DataFrame(saved.history).to_csv(index=False))
            saved.training = result.state
            saved.write(out / STATE)


def write_checkpoint(path: Path, network: AttributeNetwork, metadata: AttributeMetadata) -> None:
    """Write a network as safetensors with its metadata, atomically."""
    tensors, strings = to_checkpoint(AttributeModel(network, metadata))
    write_bytes(path, save(tensors, metadata=strings))


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, atomically; a full disk is told as such."""
    with write_atomic(path) as temporary, explain_write_errors(path, needs_bytes=len(content)):
        temporary.write_bytes(content)


def _build(settings: TrainingSettings, metadata: AttributeMetadata) -> AttributeNetwork:
    layout = OutputLayout(n_expressions=len(metadata.expressions), n_aus=len(metadata.aus))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        try:
            return AttributeNetwork(settings.unit, scale=settings.scale, layout=layout)
        except ValueError as error:
            raise SettingsError(f"training.scale is {settings.scale:g}: {error}") from error


def _make_note(name: str, log: TrainingLog, progress: Reporter) -> Callable[[Progress], None]:
    def note(now: Progress) -> None:
        log.write_step(now)
        progress(f"training {name}", math.floor(now.fraction * _WORK_UNITS), _WORK_UNITS)

    return note


def _make_keeper(path: Path, saved: _Saved, seconds: float) -> Callable[[Callable[[], State]], None]:
    last = time.monotonic()

    def keep(state_of: Callable[[], State]) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            saved.training = state_of()
            saved.write(path)
            last = time.monotonic()

    return keep


def describe_epoch(result: EpochResult) -> dict[str, Any]:
    """A row of ``epochs.csv``; empty cells where there is no validation data or a measure is not defined."""
    row: dict[str, Any] = {
        "epoch": result.epoch + 1,
        "learning_rate": result.learning_rate,
        **{f"loss_{name}": value for name, value in result.losses.items()},
        "validation_loss": result.validation_loss,
        "lowest_so_far": result.improved,
        **({f"validation_{name}": value for name, value in result.scores.summary().items()} if result.scores else {}),
        "images_per_s": result.images_per_s,
        "waiting_fraction": result.waiting_fraction,
    }
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }


def _describe_run(data: TrainingData, settings: TrainingSettings, history: list[dict[str, Any]]) -> dict[str, Any]:
    losses = [(row["validation_loss"], row["epoch"]) for row in history if row["validation_loss"] is not None]
    stops = bool(settings.early_stopping_epochs) and bool(losses)
    return {
        "n_training": len(data.train),
        "n_validation": 0 if data.validation is None else len(data.validation),
        "skipped": data.skipped,
        "epochs": len(history),
        "kept_epoch": min(losses)[1] if stops else len(history),
        "device": choose_training_device(settings),
        "recipe": asdict(make_recipe(settings)),
        "action_units_not_learned": list_unlearnable_aus(data),
    }
