"""What every importer gives: the rows of a tool in our words, not yet one a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from features.frame_table import Column
from features.signal_scales import SCALES, describe_signal, scaled_column
from tasks.errors import InvalidInputError
from tasks.importers.reading import ExportFile


@dataclass(frozen=True, slots=True)
class SignalSource:
    """Where a signal comes from.

    Attributes
    ----------
    column
        Name in the tool's header.
    signal
        ``AU12``, ``expr_happy``, ``valence``, ``arousal``.
    scale
        One of `features.signal_scales.SCALES`.
    """

    column: str
    signal: str
    scale: str

    @property
    def name(self) -> str:
        """Column in the frame table."""
        return scaled_column(self.signal, self.scale)


@dataclass(frozen=True)
class ToolFrames:
    """Rows of a tool's table.

    Attributes
    ----------
    tool, version, dialect
        Which tool; its version as far as the table tells; name of the dialect.
    rows
        A row a frame and face: `frame` (float64, from 0), `found` (bool), where the table has them `time_s`, `face` (id of
        the face), `face_score`, boxes, landmarks, angles, and the signals by their scaled names. The index is the
        row in the file.
    signals
        Data dictionary of the signals.
    extra
        Data dictionary of further columns.
    notes
        What an analyst should know.
    """

    tool: str
    version: str
    dialect: str
    rows: pd.DataFrame
    signals: Sequence[Column]
    extra: Sequence[Column] = ()
    notes: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Dialect:
    """A way in which a tool writes its table.

    Attributes
    ----------
    name
        As ``--dialect`` takes it.
    title
        For people.
    recognises
        Whether a header is of this dialect.
    read
        Reads a table; the second argument is the stimulus that was asked for, or an empty string.
    """

    name: str
    title: str
    recognises: Callable[[frozenset[str]], bool]
    read: Callable[[ExportFile, str], ToolFrames]


def take_signals(
    source: ExportFile, table: pd.DataFrame, signals: Sequence[SignalSource], *, tool: str
) -> tuple[pd.DataFrame, list[Column], list[str]]:
    """Signals of a table by our names, checked against their scales.

    Parameters
    ----------
    source
        The file, for messages.
    table
        Columns as `ExportFile.read` gives them.
    signals
        Which columns are which signals.
    tool
        Name of the tool, for the dictionary.

    Returns
    -------
    rows : DataFrame
        Scaled column names, float64.
    columns : list of Column
        Their data dictionary. Columns without any value are left out.
    empty : list of str
        Names of columns without any value.

    Raises
    ------
    InvalidInputError
        If a value is outside of its scale, or no column has a value.
    """
    taken: dict[str, pd.Series] = {}
    described, empty = [], []
    for item in signals:
        column = describe_signal(item.signal, item.scale, origin=f"{tool}, column {item.column}")
        if table[item.column].isna().all():
            empty.append(item.column)
            continue
        source.check_range(table[item.column], low=column.low, high=column.high, unit=SCALES[item.scale].name)
        taken[item.name] = table[item.column]
        described.append(column)
    if not taken:
        names = ", ".join(item.column for item in signals[:6])
        raise InvalidInputError(
            f"{source.file}: expected values in the columns {names} ..., got none in any. The tool measured no face: check "
            "its settings and the video."
        )
    return pd.DataFrame(taken, index=table.index), described, empty


def angle_columns(tool: str, names: Sequence[str]) -> list[Column]:
    """Entries of a data dictionary for head angles whose directions were not verified, so that they are not ours.

    Parameters
    ----------
    tool
        Name of the tool.
    names
        Columns such as ``Yaw`` or ``Yaw Degrees``.
    """
    return [
        Column(
            f"tool_{name.split()[0].lower()}_deg", "float32", f"{name} as {tool} gives it; its own directions", "deg"
        )
        for name in names
    ]
