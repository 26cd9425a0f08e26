"""Run a step whose outputs are tables only when something it depends on changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from features.frame_table import Column
from tasks.provenance import Step, why_stale, write_sidecar
from tasks.tables import write_table


@dataclass(frozen=True)
class MadeTable:
    """A table that a step made.

    Attributes
    ----------
    rows
        The table.
    description
        What it is, in a sentence.
    columns
        Columns whose meaning is known; the rest is typed by its values.
    facts
        Further facts for the sidecar.
    """

    rows: pd.DataFrame
    description: str
    columns: Sequence[Column] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedStep:
    """A step and the files that it writes.

    Attributes
    ----------
    step
        What decides the files.
    outputs
        Name of each -> where it stands.
    """

    step: Step
    outputs: Mapping[str, Path]

    def why_stale(self) -> str | None:
        """Why the step has to run, as of `tasks.provenance.why_stale`; None where all of its outputs hold."""
        reasons = (why_stale(path, self.step) for path in self.outputs.values())
        return next((reason for reason in reasons if reason), None)


def bring_up_to_date(planned: PlannedStep, compute: Callable[[], Mapping[str, MadeTable]]) -> str | None:
    """Compute and write the tables of a step, unless all of them still hold.

    Parameters
    ----------
    planned
        What decides the tables, and where they stand.
    compute
        Gives the tables, by the names of ``planned.outputs``.

    Returns
    -------
    str or None
        Why the step ran; None where it did not have to.
    """
    why = planned.why_stale()
    if why is None:
        return None
    started = datetime.now(UTC)
    for name, made in compute().items():
        path = planned.outputs[name]
        columns = write_table(made.rows, path, described=made.columns)
        write_sidecar(
            path, planned.step, description=made.description, columns=columns, started=started, facts=made.facts
        )
    return why
