"""Which scales of a tool become probabilities, as the settings decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.facs import EXPRESSION_COLUMNS
from features.frame_table import Column
from features.signal_scales import SCALES, describe_signal, scaled_column, to_probability


def scale_of(name: str) -> str:
    """Scale of a signal's column, by its suffix."""
    return next(
        (scale.name for scale in SCALES.values() if scale.suffix and name.endswith(scale.suffix)), "probability"
    )


def map_probabilities(
    rows: pd.DataFrame, columns: Sequence[Column], allowed: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Compute probability columns from other scales; those that the tool gives are left alone.

    Parameters
    ----------
    rows
        Signals by their scaled names.
    columns
        Their data dictionary.
    allowed
        Scales that may become probabilities, in order of preference.

    Returns
    -------
    probabilities : DataFrame
        float32. Expressions are there only if all eight are, divided by their sum.
    rules : dict
        Signal -> scale that it was computed from.
    """
    names = {column.name for column in columns}
    found: dict[str, npt.NDArray[np.float32]] = {}
    rules: dict[str, str] = {}
    for signal in dict.fromkeys(_signals(columns)):
        scale = next((name for name in allowed if scaled_column(signal, name) in names), None)
        if signal in names or scale is None:
            continue
        values = rows[scaled_column(signal, scale)].to_numpy(dtype=np.float64)
        found[signal] = to_probability(values, scale).astype(np.float32)
        rules[signal] = scale
    probabilities = pd.DataFrame(found, index=rows.index)
    shown = [name for name in EXPRESSION_COLUMNS if name in rules]
    if len(shown) == len(EXPRESSION_COLUMNS):
        probabilities[shown] = probabilities[shown].div(probabilities[shown].sum(axis=1), axis=0)
    else:
        probabilities = probabilities.drop(columns=shown)  # some of the eight cannot sum to 1
    return probabilities, {name: scale for name, scale in rules.items() if name in probabilities}


def describe_probabilities(rules: Mapping[str, str], tool: str) -> Iterator[Column]:
    """Data dictionary of computed probabilities.

    Parameters
    ----------
    rules
        Signal -> scale, as `map_probabilities` gives them.
    tool
        Name of the tool.

    Yields
    ------
    Column
    """
    for signal, scale in rules.items():
        normalised = ", divided by the sum of the eight" if signal in EXPRESSION_COLUMNS else ""
        origin = f"computed from {scaled_column(signal, scale)} of {tool}{normalised}, as imports.probability_from says"
        yield describe_signal(signal, "probability", origin=origin)


def _signals(columns: Sequence[Column]) -> Iterator[str]:
    for column in columns:
        suffix = SCALES[scale_of(column.name)].suffix
        yield column.name.removesuffix(suffix) if suffix else column.name
