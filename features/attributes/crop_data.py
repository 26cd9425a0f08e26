"""Face crops that lie in several arrays, read as if they were one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp] | slice


class CropArray(Protocol):
    """What training needs of crops: an array (n, S, S, 3), uint8, RGB, of which rows are read by an integer array or a slice.

    A NumPy array is one, in memory or mapped from a file; `JoinedCrops` is another.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, S, S, 3)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Rows, /) -> npt.NDArray[np.uint8]: ...


class JoinedCrops:
    """Rows of several arrays of crops, one after the other, without copying them.

    Nothing is read before rows are asked for, so arrays mapped from files stay on the disk. Pickled for another process, a mapped
    array travels as the name of its file.

    Parameters
    ----------
    parts
        Arrays of shape (n_i, S, S, 3), uint8, of one S.
    rows
        Which rows of the joined parts, in order; None for all.

    Raises
    ------
    ValueError
        If there is no part, a part has another shape or type, or a row does not exist.
    """

    def __init__(self, parts: Sequence[npt.NDArray[np.uint8]], rows: npt.NDArray[np.intp] | None = None) -> None:
        if not parts:
            raise ValueError("Expected crops in at least one array, got none.")
        sides = {part.shape[1:] for part in parts}
        if len(sides) > 1 or parts[0].ndim != 4 or any(part.dtype != np.uint8 for part in parts):
            found = ", ".join(sorted({f"{part.dtype} {part.shape[1:]}" for part in parts}))
            raise ValueError(f"Expected uint8 crops of one shape (S, S, 3), got {found}.")
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        total = int(self._ends[-1])
        self._rows = np.arange(total, dtype=np.intp) if rows is None else np.asarray(rows, dtype=np.intp)
        if len(self._rows) and (self._rows.min() < 0 or self._rows.max() >= total):
            raise ValueError(f"Expected rows from 0 to {total - 1}, got {self._rows.min()} to {self._rows.max()}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, S, S, 3)."""
        return (len(self._rows), *self._parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """uint8."""
        return np.dtype(np.uint8)

    @property
    def ndim(self) -> int:
        """4."""
        return 4

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Rows) -> npt.NDArray[np.uint8]:
        """Crops of the given rows, in their order, as a new array.

        Parameters
        ----------
        rows
            One-dimensional integer array or slice; negative numbers count from the end.
        """
        wanted = np.atleast_1d(self._rows[rows])
        part_of = np.searchsorted(self._ends, wanted, side="right")
        out = np.empty((len(wanted), *self._parts[0].shape[1:]), dtype=np.uint8)
        for number in np.unique(part_of):
            here = np.flatnonzero(part_of == number)
            begin = self._ends[number] - len(self._parts[number])
            local = wanted[here] - begin
            order = np.argsort(local, kind="stable")  # a disk likes rising addresses
            out[here[order]] = self._parts[number][local[order]]
        return out

    def take(self, rows: npt.NDArray[np.intp]) -> JoinedCrops:
        """The given rows, in their order, as another view of the same parts; nothing is read."""
        return JoinedCrops(self._parts, self._rows[rows])

    @classmethod
    def join(cls, others: Sequence[JoinedCrops]) -> JoinedCrops:
        """Several views one after the other; nothing is read.

        Parameters
        ----------
        others
            Views of crops of one size.
        """
        parts = [part for other in others for part in other._parts]
        begins = np.cumsum([0, *(other._total for other in others)])
        rows = [other._rows + begin for other, begin in zip(others, begins, strict=False)]
        return cls(parts, np.concatenate(rows))

    @property
    def _total(self) -> int:
        return int(self._ends[-1])

    def __getstate__(self) -> dict[str, Any]:
        """Mapped arrays as file names: pickle would copy what they hold."""
        return {"parts": [_describe(part) for part in self._parts], "rows": self._rows}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the files again."""
        self.__init__([_restore(part) for part in state["parts"]], state["rows"])  # type: ignore[misc]


def _describe(part: npt.NDArray[np.uint8]) -> Any:
    if isinstance(part, np.memmap) and part.filename is not None and part.flags.c_contiguous:
        return {"file": str(part.filename), "offset": part.offset, "shape": part.shape}
    return np.asarray(part)


def _restore(part: Any) -> npt.NDArray[np.uint8]:
    if isinstance(part, dict):
        return np.memmap(part["file"], dtype=np.uint8, mode="r", offset=part["offset"], shape=part["shape"])
    return np.asarray(part)
