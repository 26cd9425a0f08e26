"""Curves of a training for TensorBoard: ``tensorboard --logdir FOLDER/attributes``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from features.attributes.training import Progress, State
from tasks.provenance import make_folder

_STEPS_BETWEEN_POINTS: Final = 20
_NOT_CURVES: Final = {"epoch", "lowest_so_far"}


class TrainingLog:
    """Writes losses, learning rate, speed and validation scores.

    Parameters
    ----------
    folder
        Receives the event files.
    state
        From which the training goes on; points after it, of a run that was killed, are taken back. None for a new one.
    """

    def __init__(self, folder: Path, state: State | None) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (slow to import)

        begin = 0 if state is None else int(state["steps_done"]) + 1
        self._writer = SummaryWriter(str(make_folder(folder)), purge_step=begin)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def write_step(self, now: Progress) -> None:
        """Note a step; every twentieth becomes a point."""
        if now.steps_done % _STEPS_BETWEEN_POINTS == 0:
            self._add("step/mean_loss_of_epoch", now.loss, now.steps_done)
            self._add("step/learning_rate", now.learning_rate, now.steps_done)

    def write_epoch(self, row: Mapping[str, Any], steps_done: int) -> None:
        """Note a finished epoch, a row of ``epochs.csv``."""
        for name, value in row.items():
            if value is not None and name not in _NOT_CURVES:
                self._add(f"epoch/{name}", float(value), steps_done)

    def _add(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)
