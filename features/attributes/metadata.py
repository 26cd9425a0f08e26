"""What a file of attribute weights says about itself, as strings beside the tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from features import facs
from features.attributes.recipe import ALL_TASKS
from features.faces.face_crops import CROP_MODES

_FAMILY: Final = "facetrace-attributes-"
_VERSION: Final = 1
FORMAT: Final = f"{_FAMILY}{_VERSION}"
PREPROCESSING: Final = "rgb/255"
_ADDED: Final = frozenset({"tasks", "figures"})
"""Entries that files of the first release lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeMetadata:
    """Everything that is needed to use attribute weights rightly.

    Attributes
    ----------
    unit, scale
        Architecture, see `features.attributes.build`.
    input_size
        Side of the aligned crop in pixels.
    aus, expressions
        What the outputs mean, in their order.
    preprocessing
        From pixels to network input; ``"rgb/255"`` is the only one known: RGB in [0, 1], neither mean nor deviation.
    alignment_mode
        How crops are cut: ``"aligned"``, ``"box"`` or ``"enlarged_box"``, see `features.faces.face_crops`.
    alignment_scale
        Scale of the alignment (see `features.faces.alignment`) that the weights were trained with.
    training_data
        Names of the data sets.
    demo
        Whether the weights are for demonstrations only; they are refused on real recordings unless a setting allows it.
    tasks
        What was learned; outputs of other tasks mean nothing. A file without the entry learned all.
    figures
        The evaluation as JSON; empty where there was none.
    """

    unit: str
    scale: float
    input_size: int = 224
    aus: tuple[str, ...] = facs.EMOTIONET_AUS
    expressions: tuple[str, ...] = facs.EXPRESSIONS
    preprocessing: str = PREPROCESSING
    alignment_mode: str = "aligned"
    alignment_scale: float = 1.0
    training_data: tuple[str, ...] = ()
    demo: bool = False
    tasks: tuple[str, ...] = ALL_TASKS
    figures: str = ""

    def __post_init__(self) -> None:
        if self.preprocessing != PREPROCESSING:
            raise ValueError(f"Expected the preprocessing {PREPROCESSING!r}, got {self.preprocessing!r}.")
        if self.alignment_mode not in CROP_MODES:
            raise ValueError(f"Expected the alignment mode {' or '.join(CROP_MODES)}, got {self.alignment_mode!r}.")
        if self.input_size < 32:
            raise ValueError(f"Expected an input size of at least 32 pixels, got {self.input_size}.")
        if not self.aus or not self.expressions:
            raise ValueError("Expected at least one action unit and one expression, got none.")
        if not self.tasks or not set(self.tasks) <= set(ALL_TASKS):
            raise ValueError(f"Expected tasks among {', '.join(ALL_TASKS)}, got {', '.join(self.tasks) or 'none'}.")
        if len(set(self.aus)) != len(self.aus) or len(set(self.expressions)) != len(self.expressions):
            raise ValueError(f"Expected each output once, got {', '.join((*self.aus, *self.expressions))}.")

    @property
    def signals(self) -> tuple[str, ...]:
        """Signal columns in frame order: action units, expressions, arousal, valence."""
        return (*self.aus, *(f"expr_{name}" for name in self.expressions), facs.AROUSAL, facs.VALENCE)

    @property
    def untrained_tasks(self) -> tuple[str, ...]:
        """Tasks that were not learned, whose outputs mean nothing."""
        return tuple(task for task in ALL_TASKS if task not in self.tasks)

    def to_strings(self) -> dict[str, str]:
        """Metadata as safetensors stores it: each value as JSON, and the name of the format."""
        return {"format": FORMAT} | {name: json.dumps(value) for name, value in asdict(self).items()}

    @classmethod
    def from_strings(cls, strings: Mapping[str, str]) -> AttributeMetadata:
        """Read what `to_strings` wrote.

        Raises
        ------
        ValueError
            If the format is another one, an entry is missing, unknown or of the wrong kind.
        """
        _check_format(strings.get("format", ""))
        expected = {field.name: field.type for field in fields(cls)}
        given = set(strings) - {"format"}
        if not set(expected) - _ADDED <= given <= set(expected):
            raise ValueError(
                f"Expected the metadata {', '.join(sorted(expected))}; missing: {_listing(set(expected) - given)}; "
                f"unknown: {_listing(given - set(expected))}."
            )
        return cls(**{name: _parse(name, str(kind), strings[name]) for name, kind in expected.items() if name in given})


def _check_format(text: str) -> None:
    if text == FORMAT:
        return
    number = text.removeprefix(_FAMILY)
    if text.startswith(_FAMILY) and number.isdecimal() and int(number) > _VERSION:
        raise ValueError(
            f"Expected metadata of the format {FORMAT!r}, got the newer {text!r}. The file was written by a later "
            "facetrace: install that one to use it."
        )
    raise ValueError(
        f"Expected metadata of the format {FORMAT!r}, got {text or None!r}. "
        "The file does not hold attribute weights of this project, or of another version."
    )


def _listing(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _parse(name: str, kind: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"Expected JSON in the metadata entry {name!r}, got {text!r}.") from error
    if kind.startswith("tuple") and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if {"str": str, "int": int, "bool": bool}.get(kind) is type(value):
        return value
    raise ValueError(f"Expected {kind} in the metadata entry {name!r}, got {text!r}.")
