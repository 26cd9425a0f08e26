"""What labels can teach: tasks and action units of which all known labels are the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from features.attributes.recipe import ALL_TASKS, TaskName

_PRESENT = 0.5


def count_classes(labels: AttributeLabels) -> dict[TaskName, int]:
    """Different known labels of each task; of the action units, the most that one unit has.

    Parameters
    ----------
    labels
        Of a data set.

    Returns
    -------
    dict
        0: no label is known. 1: all are the same, and nothing can be learned from them.

    Examples
    --------
    >>> none = np.full(3, np.nan, dtype=np.float32)
    >>> labels = AttributeLabels(np.array([1, 1, -1]), none, none, np.array([[0], [1], [np.nan]], dtype=np.float32))
    >>> count_classes(labels)
    {'expression': 1, 'aus': 2, 'valence': 0, 'arousal': 0}
    """
    counts = (
        len(np.unique(labels.expression[labels.expression != UNKNOWN_EXPRESSION])),
        max((count for count in count_au_classes(labels)), default=0),
        len(np.unique(labels.valence[~np.isnan(labels.valence)])),
        len(np.unique(labels.arousal[~np.isnan(labels.arousal)])),
    )
    return dict(zip(ALL_TASKS, counts, strict=True))


def count_au_classes(labels: AttributeLabels) -> list[int]:
    """Different known labels of each action unit: 0 where none is known, 1 where it is always present or always absent."""
    present, known = labels.aus >= _PRESENT, ~np.isnan(labels.aus)
    there, absent = (present & known).any(axis=0, keepdims=True), (~present & known).any(axis=0, keepdims=True)
    counts: list[int] = (there.astype(int) + absent)[0].tolist()
    return counts


def find_labelled(labels: AttributeLabels, tasks: Sequence[TaskName]) -> npt.NDArray[np.intp]:
    """Rows in which a label of one of the tasks is known."""
    known = {
        "expression": labels.expression != UNKNOWN_EXPRESSION,
        "aus": ~np.isnan(labels.aus).all(axis=1),
        "valence": ~np.isnan(labels.valence),
        "arousal": ~np.isnan(labels.arousal),
    }
    return np.flatnonzero(np.any([known[task] for task in tasks], axis=0))
