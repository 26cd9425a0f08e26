"""Fill a model card from a checkpoint, its entry in models/weights.toml, and the evaluation that it carries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from safetensors import safe_open

from features.attributes import build
from features.attributes.cost import count_macs, count_parameters
from features.attributes.metadata import AttributeMetadata
from features.faces.face_crops import CROP_MODES
from tasks.attribute_checkpoints import CHECKPOINT_SUFFIXES, ONNX, read_strings
from tasks.errors import WeightsError
from tasks.provenance import sha256_file, write_text_atomic
from tasks.weights import WeightsEntry, find_entry, locate, read_manifest

_UNIT_TITLES: Final = {"bottleneck": "Bottleneck", "mobilenet": "MobileNet", "eesp": "EESP"}
_LICENCE: Final = "not stated in the checkpoint; that of the training data limits its use"
_USE: Final = "Frame tables of faces in recorded sessions (`attributes.weights`)."
_ADULTS: Final = "Public sets of labelled faces, AffectNet and EmotioNet among them, show mostly adults."
_MATRICES: Final = frozenset({"confusion"})
_UNNAMED: Final = "measures"
_FLOAT_DIGITS: Final = 3


def write_card(source: str, out: Path) -> Path:
    """Write the card of weights.

    Parameters
    ----------
    source
        A ``.safetensors`` or ``.onnx`` checkpoint, or a name of models/weights.toml.
    out
        A Markdown file.

    Raises
    ------
    WeightsError
        If there is no such file or name, or the file is no checkpoint.
    OutputError
        If the card cannot be written.
    """
    write_text_atomic(out, describe_weights(source))
    return out


def describe_weights(source: str) -> str:
    """The card as Markdown; errors as of `write_card`."""
    if source.endswith(CHECKPOINT_SUFFIXES):
        path = Path(source)
        if not path.is_file():
            raise WeightsError(f"Expected the checkpoint {path.name}, it is missing. Correct the path.")
        digest = sha256_file(path)
        entry = next((item for item in read_manifest().values() if item.sha256 == digest), None)
        return _describe_attributes(path, entry, source=path.name, digest=digest)
    entry = find_entry(source)
    located = locate(entry.name, entry.kind)
    if entry.kind == "detector":
        return _describe_detector(entry, located.sha256)
    return _describe_attributes(located.path, entry, source=source, digest=located.sha256)


def _describe_attributes(path: Path, entry: WeightsEntry | None, *, source: str, digest: str) -> str:
    try:
        metadata = AttributeMetadata.from_strings(read_strings(path))
        n_outputs = {"n_aus": len(metadata.aus), "n_expressions": len(metadata.expressions)}
        network = build(metadata.unit, metadata.scale, **n_outputs)
    except ValueError as error:
        raise WeightsError(f"Expected a checkpoint of an attribute network in {path.name}, got: {error}") from error
    return _render(
        "attributes.md.j2",
        name=entry.name if entry else path.stem,
        source=source,
        metadata=metadata,
        unit_title=_UNIT_TITLES.get(metadata.unit, metadata.unit),
        n_parameters=count_parameters(network),
        macs=count_macs(network, input_size=metadata.input_size),
        size_bytes=path.stat().st_size,
        container="ONNX" if path.suffix == ONNX else "safetensors",
        crop=_describe_crop(metadata),
        crop_limit=_describe_crop_limit(metadata),
        tasks=metadata.tasks,
        untrained=metadata.untrained_tasks,
        licence=entry.licence if entry else _LICENCE,
        citation=entry.citation if entry else "the lab that trained it",
        sha256=digest,
        intended_use=entry.intended_use if entry else _USE,
        adults=_ADULTS,
        data_text=_describe_data(metadata),
        figures=list(flatten_figures(_read_figures(metadata, path))),
        figures_page=entry.figures if entry else "",
    )


def _describe_detector(entry: WeightsEntry, digest: str) -> str:
    from features.faces.retinaface import build_network  # noqa: PLC0415

    trained_on = "see its source"
    if entry.path.suffix == CHECKPOINT_SUFFIXES[0]:
        with safe_open(entry.path, framework="np") as file:
            training = json.loads((file.metadata() or {}).get("training", "{}"))
        trained_on = training.get("trained_on", trained_on)
    return _render(
        "detector.md.j2",
        entry=entry,
        source=entry.name,
        n_parameters=count_parameters(build_network(entry.architecture)),
        size_bytes=entry.path.stat().st_size,
        trained_on=trained_on,
        sha256=digest,
    )


def flatten_figures(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Rows of a table from nested figures: name of each number, and the number, with its interval where there is one.

    Parameters
    ----------
    figures
        JSON object, as `tasks.attribute_figures.describe_figures` makes it. An object with ``value``, ``low`` and ``high`` is one
        figure with its interval; lists and confusion matrices are left to the evaluation itself.
    before
        Names of the objects around it.

    Examples
    --------
    >>> list(flatten_figures({"labels": {"aus": 20}, "measures": {"arousal_cc": {"value": 0.61, "low": 0.6, "high": 0.62}}}))
    [('labels, aus', '20'), ('arousal_cc', '0.610 [0.600, 0.620]')]
    """
    for key, value in figures.items():
        name = f"{before}, {key}" if before else str(key)
        if key in _MATRICES or isinstance(value, list):
            continue
        if not isinstance(value, Mapping):
            yield name, _print_number(value)
        elif {"value", "low", "high"} <= set(value):
            yield (
                name,
                f"{_print_number(value['value'])} [{_print_number(value['low'])}, {_print_number(value['high'])}]",
            )
        else:
            yield from flatten_figures(value, "" if name == _UNNAMED else name)


def _print_number(value: Any) -> str:
    if value is None:
        return "not defined"
    return f"{value:.{_FLOAT_DIGITS}f}" if isinstance(value, float) else str(value)


def _read_figures(metadata: AttributeMetadata, path: Path) -> Mapping[str, Any]:
    if not metadata.figures:
        return {}
    try:
        figures = json.loads(metadata.figures)
    except json.JSONDecodeError as error:
        raise WeightsError(f"Expected JSON in the metadata entry figures of {path.name}, got: {error}.") from error
    if not isinstance(figures, dict):
        raise WeightsError(f"Expected a JSON object in the metadata entry figures of {path.name}, got another value.")
    return figures


def _describe_crop(metadata: AttributeMetadata) -> str:
    if metadata.alignment_mode == "aligned":
        return f"turned upright by five landmarks at scale {metadata.alignment_scale:g} (`features/faces/alignment.py`)"
    return next(shown for mode, shown in CROP_MODES.items() if mode == metadata.alignment_mode)


def _describe_crop_limit(metadata: AttributeMetadata) -> str:
    if metadata.alignment_mode != "aligned":
        return (
            f"It needs `detection.mode: {metadata.alignment_mode}`. The box of extraction comes from RetinaFace; a network that "
            "learned\n  from another detector's boxes sees faces at another size."
        )
    return "It needs `detection.mode: aligned`: crops that are cut otherwise show faces as it never saw them."


def _describe_data(metadata: AttributeMetadata) -> str:
    if metadata.demo:
        return (
            "Faces that this project renders (`features/synthetic/`): no recording of a person. Valence and arousal are what the "
            "renderer\ndefines (`features/synthetic/expressions.py`)."
        )
    names = ", ".join(" ".join(name.split()) for name in metadata.training_data) or "not stated in the checkpoint"
    return (
        f"{names}. Pictures and labels are those of the sets' publishers, under their terms; facetrace does not hold them. Who "
        "is shown, and\nwho labelled, decides what the network reads well."
    )


def _render(template: str, **values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("tasks.model_cards"),
        autoescape=False,  # noqa: S701  (Markdown, not HTML; `_escape` keeps foreign names inert)
        finalize=_escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)


def _escape(value: Any) -> Any:
    """Names in a foreign checkpoint are text: they neither end a cell of a table nor begin a tag."""
    return value.replace("|", "\\|").replace("<", "&lt;") if isinstance(value, str) else value
