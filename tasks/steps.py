"""Run a step whose outputs are tables only when something it depends on changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from features.frame_table import Column
from tasks.provenance import Step, why_stale, write_sidecar
from tasks.tables import write_table

_log = logging.getLogger("facetrace")


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


def bring_up_to_date(
    outputs: Mapping[str, Path], step: Step, compute: Callable[[], Mapping[str, MadeTable]]
) -> str | None:
    """Compute and write the tables of a step, unless all of them still hold.

    Parameters
    ----------
    outputs
        Name of each table -> where it stands.
    step
        What decides the tables.
    compute
        Gives the tables, by the names of `outputs`.

    Returns
    -------
    str or None
        Why the step ran; None where it did not have to.
    """
    reasons = {name: why_stale(path, step) for name, path in outputs.items()}
    why = next((f"{name} {reason}" for name, reason in reasons.items() if reason), None)
    if why is None:
        _log.info("%s: up to date", step.name)
        return None
    _log.info("%s: runs, because %s", step.name, why)
    started = datetime.now(UTC)
    for name, made in compute().items():
        columns = write_table(made.rows, outputs[name], described=made.columns)
        write_sidecar(
            outputs[name], step, description=made.description, columns=columns, started=started, facts=made.facts
        )
    return why
