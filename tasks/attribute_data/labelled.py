"""Images of a data set with their labels, whatever format they came in, and the checks that all formats share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from tasks.attribute_data.findings import SHOWN, Findings

PRESENT: Final = 0.5
"""From here up an action unit counts as present."""


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images of a data set with their labels.

    Attributes
    ----------
    name
        Of the data set.
    images
        Paths relative to `folder`, each once.
    folder
        Where the images are.
    boxes
        float32 (n, 4), ``x1 y1 x2 y2`` of the face in pixels; NaN unknown.
    labels
        Of the n images.
    split
        (n,) of ``"train"``, ``"validation"`` and ``"test"``.
    aus
        Action units of `labels`, in their order; empty where the data set has none.
    dropped
        Reason -> number of rows that were left out.
    participants
        (n,) who each image shows; None where the data set does not say.
    notes
        What a reader of results should know of the data set.
    """

    name: str
    images: tuple[str, ...]
    folder: Path
    boxes: npt.NDArray[np.float32]
    labels: AttributeLabels
    split: npt.NDArray[np.str_]
    aus: tuple[str, ...]
    dropped: dict[str, int]
    participants: npt.NDArray[np.str_] | None = None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: npt.NDArray[np.intp]) -> LabelledImages:
        """The images of the given rows, in their order."""
        chosen = [self.images[row] for row in rows.tolist()]
        return replace(
            self,
            images=tuple(chosen),
            boxes=self.boxes[rows],
            labels=self.labels.take(rows),
            split=self.split[rows],
            participants=None if self.participants is None else self.participants[rows],
        )

    def keep(self, wanted: npt.NDArray[np.bool_], reason: str) -> LabelledImages:
        """The images that are `wanted`; the others are counted under `reason`."""
        rows = np.flatnonzero(wanted)
        if len(rows) == len(self):
            return self
        count = self.dropped.get(reason, 0) + len(self) - len(rows)
        return replace(self.take(rows), dropped={**self.dropped, reason: count})

    @property
    def has_label(self) -> npt.NDArray[np.bool_]:
        """(n,) whether anything is known of an image."""
        labels = self.labels
        known = (labels.expression != UNKNOWN_EXPRESSION) | ~np.isnan(labels.valence) | ~np.isnan(labels.arousal)
        return np.asarray(known | ~np.isnan(labels.aus).all(axis=1))


def join_parts(parts: Sequence[LabelledImages]) -> LabelledImages:
    """Parts of one data set, such as its files, as one; they share name, folder and action units."""
    dropped: Counter[str] = Counter()
    for part in parts:
        dropped.update(part.dropped)
    return replace(
        parts[0],
        images=tuple(chain.from_iterable(part.images for part in parts)),
        boxes=np.concatenate([part.boxes for part in parts]),
        labels=join_labels([part.labels for part in parts]),
        split=np.concatenate([part.split for part in parts]),
        dropped=dict(dropped),
    )


def join_labels(parts: Sequence[AttributeLabels]) -> AttributeLabels:
    """Labels of the same action units, one after the other."""
    return AttributeLabels(
        np.concatenate([part.expression for part in parts]),
        np.concatenate([part.valence for part in parts]),
        np.concatenate([part.arousal for part in parts]),
        np.concatenate([part.aus for part in parts]),
    )


class FileIndex:
    """Which files are in a folder and below; each folder is listed once, which is faster than asking for each file.

    Parameters
    ----------
    folder
        Folder that paths are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, frozenset[str]] = {}

    def holds(self, path: str) -> bool:
        """Whether there is a file of this relative path."""
        parent, _, name = path.rpartition("/")
        names = self._names.get(parent)
        if names is None:
            names = self._names[parent] = self._list(parent)
        return name in names

    def find_missing(self, paths: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which of n relative paths are not there: (n,) bool."""
        return np.fromiter((not self.holds(path) for path in paths), dtype=bool, count=len(paths))

    def _list(self, parent: str) -> frozenset[str]:
        try:
            with os.scandir(self._folder / parent) as entries:
                return frozenset(entry.name for entry in entries if not entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()


def drop_repeated(
    findings: Findings, file: str, lines: npt.NDArray[np.int64], images: Sequence[str], labels: pd.DataFrame
) -> npt.NDArray[np.bool_]:
    """Which rows of a published list to keep: rows that repeat an image with the same labels go, contradictions are noted.

    Parameters
    ----------
    findings, file, lines
        Where to note, and which line each row is.
    images
        Image of each row.
    labels
        Labels of each row, as they stand.

    Returns
    -------
    ndarray, shape (n,), bool
    """
    table = labels.assign(image=list(images))
    again = table.duplicated("image").to_numpy()
    if not again.any():
        return ~again
    contradictory = np.flatnonzero(again & ~table.duplicated().to_numpy())
    message = "expected each image once or with the same labels, got again with others"
    findings.add_rows(file, lines[contradictory], message, table["image"].to_numpy()[contradictory])
    return np.asarray(~again)


def check_boxes(findings: Findings, file: str, lines: npt.NDArray[np.int64], boxes: npt.NDArray[np.float32]) -> None:
    """Note boxes ``x1 y1 x2 y2`` that are empty or turned around, or of which only a part is known."""
    unknown = np.isnan(boxes)
    torn = np.flatnonzero(unknown.any(axis=1) & ~unknown.all(axis=1))
    findings.add_rows(file, lines[torn], "expected a whole box or none, got a part of one in")
    empty = np.flatnonzero((boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1]))
    shown = [" ".join(f"{value:g}" for value in boxes[row]) for row in empty[:SHOWN]]
    findings.add_rows(file, lines[empty], "expected a box with x1 < x2 and y1 < y2, got", shown)


def check_variety(
    findings: Findings, file: str, labels: AttributeLabels, aus: Sequence[str], given: Sequence[str]
) -> None:
    """Note labels from which nothing can be learned: none known, or all the same.

    Parameters
    ----------
    findings
        Receives what is found.
    file
        Where the labels come from.
    labels, aus
        Of all images, and their action units.
    given
        Which of ``expression``, ``valence`` and ``arousal`` the file has a column for.
    """
    if not len(labels):
        findings.add(file, "expected labelled images, got none.")
        return
    for name, column in zip(aus, labels.aus.T, strict=True):
        _check_column(findings, file, name, np.where(np.isnan(column), np.nan, column >= PRESENT))
    if "expression" in given:
        known = labels.expression != UNKNOWN_EXPRESSION
        _check_column(findings, file, "expression", np.where(known, labels.expression, np.nan))
    if "valence" in given:
        _check_column(findings, file, "valence", labels.valence)
    if "arousal" in given:
        _check_column(findings, file, "arousal", labels.arousal)


def _check_column(findings: Findings, file: str, name: str, values: npt.NDArray[np.floating]) -> None:
    known = values[~np.isnan(values)]
    if not len(known):
        findings.add(file, f"expected known values of {name}, got none in {len(values)} images. Leave {name} out.")
    elif known.min() == known.max():
        what = {0.0: "absent", 1.0: "present"}.get(float(known[0])) if name.startswith("AU") else None
        findings.add(
            file,
            f"expected different values of {name}, got {what or 'the same'} in all {len(known)} images that have one. "
            "Nothing can be learned from one class.",
        )
