"""Folds on disk: the weights of each trained network with its predictions, so that an interrupted run goes on at the fold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from classifiers.sequences import SequenceKind, SequenceNetwork, build
from classifiers.sequences.protocols import FoldResult
from tasks.provenance import write_atomic
from tasks.storage import explain_write_errors

FORMAT: Final = "facetrace-atypicality-2"
_WEIGHTS: Final = "network."
_ARRAYS: Final = ("rows", "truth", "prediction")
_TRACK: Final = ("track_rows", "track")


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """What the network of a fold hangs on, and its predictions of whole recordings.

    Attributes
    ----------
    importance, occlusion
        From `classifiers.sequences.importance`, of the tested participants.
    track_rows, track
        Numbers of the windows of whole recordings, and their predictions.
    """

    importance: pd.DataFrame
    occlusion: pd.DataFrame
    track_rows: npt.NDArray[np.intp]
    track: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class StoredFold:
    """A finished fold.

    Attributes
    ----------
    kind, repeat, fold
        Which one.
    network
        In evaluation mode.
    rows, truth, prediction
        Numbers of the tested windows, their labels and predictions.
    training
        Participants who trained the network.
    batch_means
        Errors as the published code averages them.
    importance, occlusion, track_rows, track
        As in `Explanation`.
    """

    kind: SequenceKind
    repeat: int
    fold: int
    network: SequenceNetwork
    rows: npt.NDArray[np.intp]
    truth: npt.NDArray[np.float64]
    prediction: npt.NDArray[np.float64]
    training: tuple[str, ...]
    batch_means: dict[str, float]
    importance: pd.DataFrame
    occlusion: pd.DataFrame
    track_rows: npt.NDArray[np.intp]
    track: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FoldStore:
    """The folds of one step: of one key, so that folds of other settings or inputs are never taken for these.

    Attributes
    ----------
    root
        Folder of all keys.
    key
        Key of the step.
    signals
        Names of the inputs, written into each file.
    """

    root: Path
    key: str
    signals: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where the folds of this key lie."""
        return self.root / self.key[:16]

    def path(self, kind: str, repeat: int, fold: int) -> Path:
        """File of a fold."""
        return self.folder / f"{kind}_repeat-{repeat}_fold-{fold}.safetensors"

    def write(self, result: FoldResult, explanation: Explanation) -> None:
        """Write a finished fold, atomically."""
        tensors = {f"{_WEIGHTS}{name}": value.cpu() for name, value in result.network.state_dict().items()}
        tensors |= {name: torch.tensor(np.asarray(getattr(result, name))) for name in _ARRAYS}
        tensors |= {name: torch.tensor(np.asarray(getattr(explanation, name))) for name in _TRACK}
        tensors["importance"] = _to_tensor(explanation.importance, ["importance", "direction"])
        tensors["occlusion"] = _to_tensor(explanation.occlusion, ["importance", "change"])
        about: dict[str, Any] = {
            "signals": self.signals,
            "explained": sorted(explanation.importance["participant_id"].unique()),
            "protocol": result.protocol,
            "learning_rate": result.learning_rate,
            "best_epoch": result.best_epoch,
            "training": result.training,
            "validation": result.validation,
            "batch_means": result.batch_means,
        }
        path = self.path(result.kind, result.repeat, result.fold)
        metadata = {"format": FORMAT, "key": self.key, "about": json.dumps(about)}
        with write_atomic(path) as temporary, explain_write_errors(path):
            save_file(tensors, temporary, metadata=metadata)

    def read(self, kind: SequenceKind, repeat: int, fold: int) -> StoredFold | None:
        """A fold of this key; None where it is missing or damaged, so that it is computed again."""
        path = self.path(kind, repeat, fold)
        about = _read_about(path, self.key)
        if about is None:
            return None
        try:
            tensors = load_file(path)
            network = build(kind, len(self.signals), random_states=about["protocol"] == "as_published")
            network.load_state_dict(
                {name.removeprefix(_WEIGHTS): value for name, value in tensors.items() if name.startswith(_WEIGHTS)}
            )
        except (SafetensorError, RuntimeError, OSError):
            return None
        people = about["explained"]
        return StoredFold(
            kind,
            repeat,
            fold,
            network.eval(),
            **{name: tensors[name].numpy() for name in (*_ARRAYS, *_TRACK)},
            training=tuple(about["training"]),
            batch_means=about["batch_means"],
            importance=_to_table(tensors["importance"], people, "signal", about["signals"], "direction"),
            occlusion=_to_table(
                tensors["occlusion"], people, "position", range(len(tensors["occlusion"]) // len(people)), "change"
            ),
        )

    def remove_others(self) -> None:
        """Delete the folds of other keys, and files of a killed run."""
        for folder in self.root.glob("*"):
            if folder.is_dir() and folder != self.folder:
                shutil.rmtree(folder)


def _to_tensor(table: pd.DataFrame, columns: list[str]) -> torch.Tensor:
    return torch.tensor(table[columns].to_numpy(dtype=np.float64)).contiguous()


def _to_table(
    values: torch.Tensor, people: Sequence[str], name: str, levels: Sequence[str] | range, second: str
) -> pd.DataFrame:
    """The table that `_to_tensor` took apart: all participants of the first level, then of the next."""
    table = pd.DataFrame(values.numpy(), columns=["importance", second])
    table.insert(0, "participant_id", np.tile(np.asarray(people, dtype=object), len(levels)))
    table.insert(1, name, np.repeat(np.asarray(levels), len(people)))
    return table


def _read_about(path: Path, key: str) -> dict[str, Any] | None:
    """What a file says of itself; None unless it is a whole file of this format and key."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > path.stat().st_size:
                return None
            metadata = json.loads(file.read(size))["__metadata__"]
        if metadata["format"] != FORMAT or metadata["key"] != key:
            return None
        about = json.loads(metadata["about"])
    except (OSError, ValueError, KeyError):
        return None
    return about if isinstance(about, dict) else None
