"""AffectNet's manually annotated images, as first released: training.csv and validation.csv (Mollahosseini et al. 2019).

The official validation images are the test images, as in Li et al. (2019); a part of the training images, chosen by a hash of
their names, validates.

References
----------
.. [1] Mollahosseini A., Hasani B., Mahoor M. H. (2019). AffectNet: a database for facial expression, valence, and arousal
   computing in the wild. IEEE Transactions on Affective Computing 10(1). doi:10.1109/TAFFC.2017.2740923
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from features import facs
from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from tasks.attribute_data.columns import LabelTable, first_cells, read_table
from tasks.attribute_data.findings import Findings
from tasks.attribute_data.labelled import FileIndex, LabelledImages, check_variety, drop_repeated, join_parts
from tasks.attribute_data.splits import AFFECTNET_SHARES, TEST, split_by_hash

COLUMNS: Final = (
    "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks", "expression", "valence",
    "arousal",
)  # fmt: skip
"""Columns of both files; some copies of validation.csv lack the line that names them."""

TRAINING: Final = "training.csv"
VALIDATION: Final = "validation.csv"
NO_LABEL: Final = "no label: uncertain, or no face"

_IMAGE: Final = COLUMNS[0]
_UNREAD: Final = "facial_landmarks"
_HIGHEST_ID: Final = 10
_UNKNOWN_DIMENSION: Final = -2.0


def read_affectnet(name: str, labels: Path, folder: Path) -> LabelledImages:
    """Read AffectNet's manual annotation.

    Expression ids 0 to 7 are the classes of `features.facs.EXPRESSIONS`; 8 (none), 9 (uncertain) and 10 (no face) are unknown
    expressions, and -2 is an unknown valence or arousal. Images of which nothing is known are left out and counted.

    Parameters
    ----------
    name
        Of the data set.
    labels
        Folder with ``training.csv`` and ``validation.csv``.
    folder
        Folder of the images, against which ``subDirectory_filePath`` is resolved.

    Returns
    -------
    LabelledImages

    Raises
    ------
    InvalidInputError
        With everything that is wrong.
    """
    findings = Findings(name)
    parts = [_read_list(name, labels, file, folder, findings) for file in (TRAINING, VALIDATION)]
    read = [part for part in parts if part is not None]
    if len(read) < len(parts):
        findings.stop()
    joined = join_parts(read)
    shared = sorted(set(read[0].images) & set(read[1].images))
    findings.add_items(VALIDATION, f"expected images that {TRAINING} does not have, got", shared)
    check_variety(findings, name, joined.labels, (), ("expression", "valence", "arousal"))
    findings.raise_if_any()
    return joined


def _read_list(name: str, labels: Path, file: str, folder: Path, findings: Findings) -> LabelledImages | None:
    path = labels / file
    if not path.is_file():
        findings.add(
            file, f"expected it in {labels.name}, which setting labels must name as a folder; it is not there."
        )
        return None
    header = COLUMNS if _lacks_header(first_cells(path, file, findings)) else None
    table = read_table(
        path,
        file,
        findings,
        required=[column for column in COLUMNS if column != _UNREAD],
        choose=lambda column: column in COLUMNS and column != _UNREAD,
        header=header,
    )
    if table is None:
        return None
    images = table.text(_IMAGE).str.replace("\\", "/", regex=False)
    values = AttributeLabels(
        _read_expression(table, findings),
        _read_dimension(table, findings, "valence"),
        _read_dimension(table, findings, "arousal"),
        np.empty((len(images), 0), dtype=np.float32),
    )
    unrepeated = drop_repeated(
        findings, file, table.lines, images.tolist(), table.cells[["expression", "valence", "arousal"]]
    )
    read = LabelledImages(
        name=name,
        images=tuple(images.tolist()),
        folder=folder,
        boxes=_read_boxes(table, findings),
        labels=values,
        split=_split(images.tolist(), file),
        aus=(),
        dropped={},
    )
    _check_images(read, table, findings)
    once = read.keep(unrepeated, "repeated row")
    return once.keep(once.has_label, NO_LABEL)


def _split(images: list[str], file: str) -> npt.NDArray[np.str_]:
    if file == VALIDATION:
        return np.full(len(images), TEST, dtype="U10")
    return split_by_hash(images, AFFECTNET_SHARES)


def _lacks_header(cells: list[str]) -> bool:
    return len(cells) == len(COLUMNS) and all(_is_number(cell) for cell in cells[6:])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_expression(table: LabelTable, findings: Findings) -> npt.NDArray[np.int64]:
    values, _ = table.numbers("expression")
    known_id = (values >= 0) & (values <= _HIGHEST_ID) & (values == np.round(values))
    rows = np.flatnonzero(~known_id)
    message = f"expected an expression id from 0 to {_HIGHEST_ID}, got"
    findings.add_rows(table.file, table.lines[rows], message, table.text("expression").to_numpy()[rows])
    is_class = known_id & (values < len(facs.EXPRESSIONS))
    return np.where(is_class, np.nan_to_num(values), UNKNOWN_EXPRESSION).astype(np.int64)


def _read_dimension(table: LabelTable, findings: Findings, name: str) -> npt.NDArray[np.float32]:
    values, _ = table.numbers(name)
    inside = (values >= -1) & (values <= 1)
    rows = np.flatnonzero(~inside & (values != _UNKNOWN_DIMENSION))
    message = f"expected {name} from -1 to 1, or -2 where it is unknown, got"
    findings.add_rows(table.file, table.lines[rows], message, table.text(name).to_numpy()[rows])
    return np.where(inside, values, np.nan).astype(np.float32)


def _read_boxes(table: LabelTable, findings: Findings) -> npt.NDArray[np.float32]:
    """Boxes as corners; unknown (NaN) where width or height is not positive, as in rows without a face."""
    columns = []
    for name in COLUMNS[1:5]:
        values, wrong = table.numbers(name)
        rows = np.flatnonzero(wrong)
        message = f"expected pixels in {name}, got"
        findings.add_rows(table.file, table.lines[rows], message, table.text(name).to_numpy()[rows])
        columns.append(values)
    x, y, width, height = columns
    boxes = np.stack([x, y, x + width, y + height], axis=1).astype(np.float32)
    boxes[~((width > 0) & (height > 0))] = np.nan
    return boxes


def _check_images(read: LabelledImages, table: LabelTable, findings: Findings) -> None:
    """Images of which something is known must be there."""
    rows = np.flatnonzero(read.has_label)
    names = [read.images[row] for row in rows.tolist()]
    missing = rows[FileIndex(read.folder).find_missing(names)]
    message = f"expected images in {read.folder.name}, {len(missing)} are missing:"
    findings.add_rows(table.file, table.lines[missing], message, [read.images[row] for row in missing.tolist()])
