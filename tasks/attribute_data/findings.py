"""What is wrong with a data set, collected until everything was looked at, then said at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

import numpy as np
import numpy.typing as npt

from tasks.errors import InvalidInputError

SHOWN: Final = 5
"""Rows that a finding names; the others are counted."""


class Findings:
    """Problems of one data set.

    Parameters
    ----------
    name
        Name of the data set.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._messages: list[str] = []

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def messages(self) -> tuple[str, ...]:
        """What was found, in order."""
        return tuple(self._messages)

    def add(self, file: str, message: str) -> None:
        """Note a problem of a file as a whole."""
        self._messages.append(f"{file}: {message}")

    def add_rows(
        self,
        file: str,
        lines: npt.NDArray[np.int64],
        message: str,
        values: Sequence[object] | npt.NDArray[np.generic] = (),
    ) -> None:
        """Note a problem of rows; nothing where there are none.

        Parameters
        ----------
        file
            File name, for people.
        lines
            Line of each row, from 1.
        message
            "Expected ..., got".
        values
            What stands in each row; empty where there is nothing to show.
        """
        if not len(lines):
            return
        shown = [f"line {line}" for line in lines[:SHOWN]]
        if len(values):
            shown = [f"{value!s} ({place})" for value, place in zip(values[:SHOWN], shown, strict=False)]
        more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        self._messages.append(f"{file}: {message} {', '.join(shown)}{more}.")

    def add_items(self, file: str, message: str, items: Sequence[object]) -> None:
        """Note a problem of things that have no line, such as files; nothing where there are none."""
        if len(items):
            more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
            self._messages.append(f"{file}: {message} {', '.join(map(str, items[:SHOWN]))}{more}.")

    def raise_if_any(self) -> None:
        """Stop where something is wrong.

        Raises
        ------
        InvalidInputError
            With everything that was found, a line each.
        """
        if self._messages:
            self.stop()

    def stop(self) -> NoReturn:
        """Stop with everything that was found.

        Raises
        ------
        InvalidInputError
            Always.
        """
        raise InvalidInputError(f"Data set {self.name} cannot be used:\n" + "\n".join(self._messages))
