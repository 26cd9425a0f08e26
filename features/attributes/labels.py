"""Labels of faces, any of which may be unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNKNOWN_EXPRESSION = -1


@dataclass(frozen=True, slots=True)
class AttributeLabels:
    """Labels of n faces; a data set that lacks a task marks it unknown.

    Attributes
    ----------
    expression
        Shape (n,), int64, class index; -1 unknown.
    valence, arousal
        Shape (n,), float32, -1 to 1; NaN unknown.
    aus
        Shape (n, n_aus), float32, 0 to 1: absent or present, or an intensity, present from 0.5 up; NaN unknown.

    Raises
    ------
    ValueError
        If the shapes disagree or a known value lies outside its range.
    """

    expression: npt.NDArray[np.int64]
    valence: npt.NDArray[np.float32]
    arousal: npt.NDArray[np.float32]
    aus: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.expression)
        shapes = (self.expression.shape, self.valence.shape, self.arousal.shape)
        if any(shape != (n,) for shape in shapes) or self.aus.ndim != 2 or len(self.aus) != n:
            raise ValueError(
                f"Expected labels of shapes (n,), (n,), (n,) and (n, n_aus), got {shapes[0]} for the expression, "
                f"{shapes[1]} for valence, {shapes[2]} for arousal and {self.aus.shape} for the action units."
            )
        if not np.issubdtype(self.expression.dtype, np.integer):
            raise ValueError(f"Expected expression labels of an integer type, got {self.expression.dtype}.")
        _check_range("expression", self.expression, UNKNOWN_EXPRESSION, np.inf)
        _check_range("valence", self.valence, -1.0, 1.0)
        _check_range("arousal", self.arousal, -1.0, 1.0)
        _check_range("action-unit", self.aus, 0.0, 1.0)

    def __len__(self) -> int:
        return len(self.expression)

    @property
    def n_aus(self) -> int:
        """Number of action units."""
        return int(self.aus.shape[1])

    def take(self, rows: npt.NDArray[np.intp]) -> AttributeLabels:
        """Labels of the given rows, in their order."""
        return AttributeLabels(self.expression[rows], self.valence[rows], self.arousal[rows], self.aus[rows])


def _check_range(what: str, values: npt.NDArray[np.generic], low: float, high: float) -> None:
    outside = (values < low) | (values > high)  # type: ignore[operator]
    if np.any(outside):
        raise ValueError(
            f"Expected {what} labels between {low:g} and {high:g}, got {values[outside][0]} "
            f"(and {int(outside.sum()) - 1} more). Mark unknown labels NaN, an unknown expression -1."
        )
