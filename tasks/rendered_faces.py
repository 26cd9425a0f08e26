"""Rendered faces as a practice data set: image files, a table of labels and settings, as a lab would lay out its own.

Every image shows one drawn person; a person's images are all in training, all in validation or all in test.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import yaml

from features import facs
from features.synthetic.identity import Identity, sample_identity
from features.synthetic.renderer import FaceState, render_frame
from features.synthetic.scene import sample_scene_look
from features.synthetic.training_samples import FaceLabels, label_face, sample_units
from tasks.attribute_data.splits import TEST, TRAIN, VALIDATION
from tasks.errors import InvalidInputError
from tasks.process_pool import run_in_order
from tasks.progress import Reporter, silent
from tasks.provenance import Step, make_folder, write_atomic, write_sidecar, write_text_atomic

TABLE: Final = "labels.csv"
IMAGES: Final = "images"
CONFIG: Final = "config.yaml"
MIN_PEOPLE: Final = 3

_SIDE: Final = 1.4
"""Side of an image in sides of the crop that is cut out of it."""
_TEST_SHARE, _VALIDATION_SHARE = 0.15, 0.10
_QUALITY: Final = (0.4, 1.0)
"""Of light and lens; lower ones blur by pixels, which is too much for images so small."""
_CODE_VERSION: Final = 1
_CLOSED, _RAISED_LID = "AU43", "AU05"


def render_labelled_faces(
    folder: Path,
    *,
    n_images: int,
    n_people: int,
    size: int = 112,
    seed: int = 0,
    workers: int = 1,
    progress: Reporter = silent,
) -> Path:
    """Render labelled faces of varied people into a new training folder.

    Parameters
    ----------
    folder
        Receives ``images/``, ``labels.csv`` and ``config.yaml``.
    n_images, n_people
        Number of images and of people, who have equally many images each, give or take one.
    size
        Side in pixels of the crops that the network will see; the images are 1.4 times as large.
    seed
        Settles people, faces and splits.
    workers
        Processes.
    progress
        Told after each person.

    Returns
    -------
    Path
        The table of labels.

    Raises
    ------
    InvalidInputError
        If the folder holds a data set already, or there are too few people or images.
    """
    if n_people < MIN_PEOPLE or n_images < n_people:
        raise InvalidInputError(
            f"Expected at least {MIN_PEOPLE} people and an image of each, got {n_people} people and {n_images} images."
        )
    present = [name for name in (TABLE, CONFIG) if (folder / name).exists()]
    if present:
        raise InvalidInputError(f"Expected a new folder, got {folder.name} with {' and '.join(present)}. Name another.")
    started = datetime.now(UTC)
    counts = [len(range(person, n_images, n_people)) for person in range(n_people)]
    jobs = [(folder / IMAGES, person, counts[person], size, seed) for person in range(n_people)]
    rows: list[dict[str, Any]] = []
    for part in run_in_order(_render_person, jobs, workers):
        rows += part
        progress("rendered faces", len(rows), n_images)
    split = _split_people(n_people, seed)
    table = pd.DataFrame(rows)
    table.insert(2, "split", [split[person] for person in table.pop("person")])
    with write_atomic(folder / TABLE) as temporary:
        table.to_csv(temporary, index=False)
    choices = {"images": n_images, "people": n_people, "size": size, "seed": seed}
    write_sidecar(
        folder / TABLE,
        Step("render", _CODE_VERSION, choices),
        description="Labels of rendered faces: drawn by facetrace, no recordings of people.",
        started=started,
    )
    write_text_atomic(folder / CONFIG, _describe_settings(size))
    return folder / TABLE


def _split_people(n_people: int, seed: int) -> list[str]:
    n_test = max(1, round(_TEST_SHARE * n_people))
    n_validation = max(1, round(_VALIDATION_SHARE * n_people))
    order = np.random.default_rng([seed, n_people]).permutation(n_people)
    split = [TRAIN] * n_people
    for rank, person in enumerate(order.tolist()):
        if rank < n_test:
            split[person] = TEST
        elif rank < n_test + n_validation:
            split[person] = VALIDATION
    return split


def _render_person(folder: Path, person: int, n_images: int, size: int, seed: int) -> list[dict[str, Any]]:
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, 1, person])
    name = f"P{person + 1:05d}"
    make_folder(folder / name)
    rows = []
    for number, (pixels, labels) in enumerate(_draw_faces(rng, sample_identity(rng), n_images, round(_SIDE * size))):
        file = f"{name}/{name}-{number + 1:05d}.jpg"
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        _ok, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(75, 97))])
        (folder / file).write_bytes(encoded.tobytes())
        rows.append({"image": file, "participant_id": name, "person": person} | _describe_labels(labels))
    return rows


def _draw_faces(
    rng: np.random.Generator, identity: Identity, n_images: int, side: int
) -> Iterator[tuple[np.ndarray, FaceLabels]]:
    for _ in range(n_images):
        left, right = sample_units(rng)
        state = FaceState(
            au_left=left,
            au_right=right,
            yaw_deg=float(np.clip(rng.normal(0, 11), -34, 34)),
            pitch_deg=float(np.clip(rng.normal(0, 7), -24, 24)),
            roll_deg=float(np.clip(rng.normal(0, 7), -24, 24)),
            centre_x=float(0.5 + rng.uniform(-0.06, 0.06)),
            centre_y=float(0.5 + rng.uniform(-0.06, 0.06)),
            height_fraction=float(rng.uniform(0.50, 0.62)),
            gaze_x=float(np.clip(rng.normal(0, 0.35), -1, 1)),
            gaze_y=float(np.clip(rng.normal(0, 0.3), -1, 1)),
        )
        scene = sample_scene_look(rng, quality=float(rng.uniform(*_QUALITY)))
        frame = render_frame([(identity, state)], scene, width=side, height=side, rng=rng)
        yield frame.pixels, label_face(identity, state, frame.faces[0])


def _describe_labels(labels: FaceLabels) -> dict[str, Any]:
    units: dict[str, Any] = dict(zip(facs.EMOTIONET_AUS, labels.au_present.astype(int).tolist(), strict=True))
    if units[_CLOSED]:
        units[_RAISED_LID] = ""  # of a raised upper lid nothing is to be seen while the eyes are closed
    box = dict(zip(("x1", "y1", "x2", "y2"), np.round(labels.truth.box, 1).tolist(), strict=True))
    return {
        **units,
        "expression": labels.expression or "",
        "valence": round(labels.valence, 3),
        "arousal": round(labels.arousal, 3),
        **box,
    }


def _describe_settings(size: int) -> str:
    settings = {
        "detection": {"weights": "demo-retinaface"},
        "training": {
            "data": [{"name": "rendered faces", "format": "table", "labels": TABLE, "images": IMAGES}],
            "crops": "detector",
            "unit": "eesp",
            "scale": 0.5,
            "input_size": size,
            "epochs": 8,
            "batch_size": 64,
        },
    }
    head = "# A practice data set of rendered faces. A network trained on it is for demonstrations only.\n"
    return head + yaml.safe_dump(settings, sort_keys=False, width=120)
