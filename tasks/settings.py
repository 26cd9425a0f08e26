"""Schema of `config.yaml`: every setting, its unit, range, default and where the default comes from.

The text after each field is what `config.yaml` prints above it, so the file at the project's root is this schema written out
(`document_settings`). Steps receive their own section, never the whole.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.errors import SettingsError

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

CLASSIFIER_NAMES: Final = ("logistic", "lasso", "lda", "qda", "svm_rbf", "xgboost", "neural_network")
ClassifierName = Literal["logistic", "lasso", "lda", "qda", "svm_rbf", "xgboost", "neural_network"]


class Section(BaseModel):
    """A section of the settings: unknown names are errors, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class StudySettings(Section):
    """The study and its groups."""

    name: str = "Untitled study"
    """Name printed on reports."""
    positive_group: str = "ASD"
    """Group that classifiers detect: sensitivity and F1 refer to it. Must be a value of `group` in participants.tsv."""
    comparison_group: str = "TD"
    """Group that it is compared with."""
    tasks: tuple[str, ...] = ()
    """Stimuli to analyse, by their BIDS task label; empty for all."""

    @model_validator(mode="after")
    def _groups_differ(self) -> Self:
        if self.positive_group == self.comparison_group:
            raise ValueError(
                f"study.positive_group and study.comparison_group are both {self.positive_group!r}; name two groups"
            )
        return self


class VideoSettings(Section):
    """How recordings are read."""

    reader: Literal["auto", "decord", "pyav"] = "auto"
    """auto: decord where its frames agree with the container's timestamps, else PyAV."""
    min_duration_s: Annotated[float, Field(ge=0)] = 1.0
    """Seconds; a shorter recording fails with this reason."""
    batch_frames: Annotated[int, Field(ge=1, le=256)] = 16
    """Frames that are decoded and go through the networks together; memory grows with it."""


class DetectionSettings(Section):
    """How faces are found."""

    weights: str = "retinaface-mobilenet0.25"
    """Name of RetinaFace weights in models/weights.toml: retinaface-mobilenet0.25 (fast on a CPU), retinaface-resnet50 (slower,
    finds more small and turned faces) or demo-retinaface."""
    width: Annotated[int, Field(ge=160, le=4096)] = 640
    """Pixels of the longer side of the frame that the detector sees; boxes and crops stay in source pixels."""
    confidence: Fraction = 0.7
    """Detection score under which a face does not count; the default of retinaface-pytorch."""
    nms_iou: Fraction = 0.4
    """Overlap (intersection over union) above which two boxes are one face; the value of the RetinaFace authors' code."""
    mode: Literal["aligned", "box"] = "aligned"
    """aligned: 224x224 crop turned upright by five landmarks. box: 512x512 crop of the box, not turned, for work on asymmetry (as
    annotated in Hugging Rain Man); the attribute network then sees it reduced to its own input size."""


class TargetSettings(Section):
    """Which of several faces is the participant's."""

    max_gap_s: Positive = 0.5
    """Seconds without the participant's face through which it is followed; then it is looked for at its usual place, and after five
    times as long everywhere in the frame."""
    min_iou: Fraction = 0.3
    """Overlap with its last box at which a face is the same face."""
    recognition: str = ""
    """A face-recognition model in ONNX form, such as insightface's w600k_r50.onnx: a path relative to the study folder; empty
    for none. With it, faces are also told apart by looks, and sub-<id>/sub-<id>_reference.jpg (or .png), where it is there, says
    who the participant is."""
    min_similarity: Annotated[float, Field(ge=-1, le=1)] = 0.35
    """Cosine similarity to the reference above which a face is the participant's; with a recognition model only."""


class QualitySettings(Section):
    """Which frames are measured."""

    min_face_px: Annotated[float, Field(ge=0)] = 32.0
    """Pixels of the shorter side of the face box in the source frame."""
    max_yaw_deg: Annotated[float, Field(gt=0, le=180)] = 60.0
    """Degrees of head turn beyond which a frame is not valid."""
    max_pitch_deg: Annotated[float, Field(gt=0, le=180)] = 50.0
    """Degrees of head nod beyond which a frame is not valid."""
    min_sharpness: Annotated[float, Field(ge=0)] = 0.0
    """Variance of the Laplacian of the grey crop below which a frame is not valid; 0 keeps all. Depends on the camera: look at
    `sharpness` in a frame table before setting it."""


class AttributeSettings(Section):
    """The network that reads action units, expression, valence and arousal."""

    weights: str = "demo-attributes"
    """Name in models/weights.toml, or the path of a .safetensors checkpoint of your own, relative to the study folder."""
    allow_demo_weights: bool = False
    """Demo weights were trained on rendered faces. On recordings of people they are refused unless this is true, and every
    table and report made with them says so."""


class SummarizeSettings(Section):
    """The 58 features of a participant (Li et al. 2019)."""

    activation_threshold: Fraction = 0.5
    """Probability above which (strictly) an action unit counts as active; Li et al., section 3."""
    positive_threshold: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Arousal and valence above which (strictly) a frame counts as positive."""
    ddof: Literal[0, 1] = 0
    """0: population standard deviation. 1: sample standard deviation. The paper does not say which."""
    missing: Literal["exclude", "inactive"] = "exclude"
    """exclude: frames without a valid face are left out of every statistic. inactive: they count as frames in which no unit is
    active and neither arousal nor valence is positive; means and deviations leave them out."""
    min_valid_fraction: Fraction = 0.5
    """Share of frames that must be valid. A participant below it is kept in the table, marked, and left out of tests."""
    min_valid_frames: Count = 100
    """Valid frames that a session needs, likewise."""


class ClassifySettings(Section):
    """Classifiers of the participant vectors, validated leaving one participant out."""

    classifiers: tuple[ClassifierName, ...] = CLASSIFIER_NAMES
    """Which of the seven to train."""
    ablation: bool = True
    """Also on action units alone (36 features), with arousal (39) and with valence (42), as in the paper's Fig. 3b."""
    permutations: Annotated[int, Field(ge=0)] = 200
    """Label permutations for the p-value of F1; the smallest p that can be reached is 1/(permutations + 1). 0 for none."""
    bootstrap_samples: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap resamples of participants for the intervals of F1 and MCC; the other intervals are in closed form."""
    confidence_level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Level of the intervals."""
    min_participants_per_group: Annotated[int, Field(ge=2)] = 3
    """Valid participants that each group needs."""
    seed: Annotated[int, Field(ge=0)] = 20190922
    """Seed of classifiers, permutations and bootstrap."""


class CompareSettings(Section):
    """Tests of differences between the groups."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Level at which reports mark an adjusted p-value."""
    min_participants_per_group: Annotated[int, Field(ge=2)] = 3
    """Participants that each group needs for a test; otherwise the row says why there is no number."""
    min_segment_frames: Count = 12
    """Valid frames that a participant needs in an emotion segment to count there."""


class ReportSettings(Section):
    """The HTML reports."""

    show_covariates: bool = False
    """Print age, sex and other columns of participants.tsv on participant reports."""


class RunSettings(Section):
    """How the work is spread."""

    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Videos that are extracted at the same time. One already uses two cores: decoding and the networks overlap."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N for the networks."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads of the networks in each worker; 0 divides the cores among the workers."""


class Settings(Section):
    """All settings of a study."""

    study: StudySettings = StudySettings()
    video: VideoSettings = VideoSettings()
    detection: DetectionSettings = DetectionSettings()
    target: TargetSettings = TargetSettings()
    quality: QualitySettings = QualitySettings()
    attributes: AttributeSettings = AttributeSettings()
    summarize: SummarizeSettings = SummarizeSettings()
    classify: ClassifySettings = ClassifySettings()
    compare: CompareSettings = CompareSettings()
    report: ReportSettings = ReportSettings()
    run: RunSettings = RunSettings()


def read_settings(path: Path | None) -> Settings:
    """Settings of a YAML file; defaults where it is silent, all defaults where there is no file.

    Parameters
    ----------
    path
        A `config.yaml`, or None.

    Raises
    ------
    SettingsError
        If the file is no YAML mapping or a setting is unknown or out of range. All problems are listed, each with its line, the
        value found, what is accepted, and the nearest known name.
    """
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"Expected settings in {path.name}, but it cannot be read: {error.strerror}.") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"Expected YAML in {path.name}, got: {error}. Check indentation and colons.") from error
    if values is None:
        return Settings()
    if not isinstance(values, dict):
        raise SettingsError(f"Expected sections such as 'study:' in {path.name}, got a {type(values).__name__}.")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_describe(error, node, path.name)) from error


def _describe(error: ValidationError, node: yaml.Node | None, file: str) -> str:
    problems = []
    for item in error.errors():
        names = [str(part) for part in item["loc"]]
        line = _line_of(node, names)
        where = f"{file}, line {line}" if line else file
        if item["type"] == "extra_forbidden":
            problems.append(f"{where}: unknown setting {'.'.join(names)}.{_suggest(names)}")
        elif item["type"] == "value_error":
            problems.append(f"{where}: {item['msg'].removeprefix('Value error, ')}.")
        else:
            problems.append(f"{where}: {'.'.join(names)} is {item['input']!r}. {item['msg']}.")
    return "\n".join(problems)


def _line_of(node: yaml.Node | None, names: list[str]) -> int | None:
    line = None
    for name in names:
        if isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            node = node.value[int(name)]
            line = node.start_mark.line + 1
            continue
        if not isinstance(node, yaml.MappingNode):
            return line
        for key, value in node.value:
            if key.value == name:
                line, node = key.start_mark.line + 1, value
                break
        else:
            return line
    return line


def _suggest(names: list[str]) -> str:
    known = known_settings()
    near = difflib.get_close_matches(".".join(names), known, n=1, cutoff=0.6)
    if not near:
        near = [name for name in known if name.rpartition(".")[2] == names[-1]][:1]
    if near:
        return f" Did you mean {near[0]}?"
    section = [name for name in known if name.startswith(f"{names[0]}.")]
    return f" Known are {', '.join(section or sorted(Settings.model_fields))}."


def known_settings() -> list[str]:
    """Every setting as ``section.name``, and the names of the sections."""
    names = list(Settings.model_fields)
    return [*names, *(f"{section}.{field}" for section, field, *_ in _fields())]


def _fields() -> Iterator[tuple[str, str, str, Any]]:
    for name, section in Settings.model_fields.items():
        model = section.default
        for field, info in type(model).model_fields.items():
            yield name, field, info.description or "", getattr(model, field)


def document_settings(settings: Settings | None = None) -> str:
    """Text of a `config.yaml` that holds every setting with its documentation.

    Parameters
    ----------
    settings
        Values to write; the defaults where None.
    """
    values = (settings or Settings()).model_dump(mode="json")
    lines = ["# Settings of a facetrace study. Every value below is the default unless it was changed.", ""]
    for name, info in Settings.model_fields.items():
        section = type(info.default)
        lines += [f"# {section.__doc__}", f"{name}:"]
        for field, meta in section.model_fields.items():
            lines += [f"  # {line.strip()}" for line in (meta.description or "").splitlines()]
            written = yaml.safe_dump(values[name][field], default_flow_style=True, width=10_000).strip()
            lines.append(f"  {field}: {written.removesuffix('...').strip()}")
        lines.append("")
    return "\n".join(lines)
