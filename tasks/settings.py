"""Schema of `config.yaml`: every setting, its unit, range, default and where the default comes from.

The text after each field is what `config.yaml` prints above it, so the file at the project's root is this schema written out
(`tasks.settings_file.document_settings`). Steps receive their own section, never the whole.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from tasks.settings_section import Count, Fraction, Positive, Section
from tasks.training_settings import TrainingSettings

CLASSIFIER_NAMES: Final = ("logistic", "lasso", "lda", "qda", "svm_rbf", "xgboost", "neural_network")
ClassifierName = Literal["logistic", "lasso", "lda", "qda", "svm_rbf", "xgboost", "neural_network"]


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
    """auto: decord for short recordings whose frames agree with the container's timestamps, else PyAV; decord: also for long ones,
    which it may hold decoded in memory as a whole."""
    min_duration_s: Annotated[float, Field(ge=0)] = 1.0
    """Seconds; a shorter recording fails with this reason."""
    batch_frames: Annotated[int, Field(ge=1, le=256)] = 8
    """Frames that are decoded and go through the networks together; memory grows with it."""
    stall_timeout_s: Annotated[float, Field(ge=1)] = 120.0
    """Seconds in which nothing of a recording can be read after which it fails, as when a network share does not answer."""


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
    mode: Literal["aligned", "box", "enlarged_box"] = "aligned"
    """aligned: 224x224 crop turned upright by five landmarks. box: 512x512 crop of the box, not turned, for work on asymmetry (as
    annotated in Hugging Rain Man); the attribute network then sees it reduced to its own input size. enlarged_box: the box with
    each side moved outwards by 0.3 of it, brought to a square, as Li et al. prepared their images. Weights know how they were
    trained."""


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
    """Name in models/weights.toml, or the path of a .safetensors checkpoint or .onnx export of your own, relative to the study
    folder."""
    allow_demo_weights: bool = False
    """Demo weights were trained on rendered faces. On recordings of people they are refused unless this is true, and every
    table and report made with them says so."""


class ImportSettings(Section):
    """Tables of other tools (OpenFace, py-feat, LibreFace, iMotions) that are imported instead of videos."""

    probability_from: tuple[Literal["presence", "intensity", "percent", "evidence"], ...] = ()
    """Scales that may become probabilities, the first that a tool has for a signal: presence (0 or 1 as it is), evidence (exact:
    1 / (1 + 10^-e)), intensity (divided by 5) and percent (by 100), which are probabilities by your decree only. Empty: none
    does, and the 58 features of a tool without probabilities are refused."""
    frame_rate_hz: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Frames a second; overrides the times of the file. 0: from the file, (n - 1) / (last - first), which must lie in 1 to 300."""
    face: Literal["tracked", "largest"] = "tracked"
    """Which of several faces is the participant's. tracked: the face id that the tool followed through most frames; refused where
    the tool gives no ids. largest: the largest face of each frame."""
    min_confidence: Fraction = 0.0
    """Confidence or face score of the tool below which a frame is not valid, beside the tool's own success flag."""


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
    lacking_signals: Literal["refuse", "available"] = "refuse"
    """Sessions of an imported table that lacks some of the 22 signals. refuse: none of the 58 features is computed. available:
    those of the signals that are there. Either way such a session is marked and left out of classifiers and tests."""


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
    emotion: Literal["segment", "vote"] = "segment"
    """What gives a frame its emotion. segment: the stimulus on screen (events.tsv). vote: the expression that the attribute network
    is confident of and that action units confirm, as in Hugging Rain Man; units that confirm cannot be tested fairly and are
    marked."""
    vote_models: tuple[str, ...] = ()
    """Folders, relative to the study, of other expression models that vote with the network: one table a recording (.csv or
    .parquet, named after it) with the column frame and one for each class of expression. Their probabilities are averaged."""
    vote_threshold: Fraction = 0.6
    """Probability that the likeliest expression must pass (strictly) in a vote; Ji et al. 2025, section IV-B."""
    permutations: Annotated[int, Field(ge=99)] = 10_000
    """Permutations of participants for p-values; all of them where no more exist."""
    bootstrap_samples: Annotated[int, Field(ge=100)] = 10_000
    """Resamples of participants for intervals of differences between rates."""
    confidence_level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Level of all intervals of the comparison."""
    model_family: Literal["binomial", "gaussian"] = "binomial"
    """Regression of a unit on group with participants as clusters. binomial: log odds ratios. gaussian: differences of rates, also
    where a group never shows the unit."""
    working_correlation: Literal["exchangeable", "independence"] = "exchangeable"
    """What that regression assumes of the frames of a participant; its standard errors hold either way."""
    covariates: tuple[str, ...] = ()
    """Columns of participants.tsv that the regression holds constant, such as age, sex, site; text is coded as categories."""
    min_combination_frames: Count = 30
    """Valid frames that a participant needs in an emotion for the diversity of combinations of units."""
    seed: Annotated[int, Field(ge=0)] = 20250420
    """Seed of permutations and resamples."""

    @model_validator(mode="after")
    def _models_vote(self) -> Self:
        if self.vote_models and self.emotion != "vote":
            raise ValueError(
                f"compare.vote_models is set but compare.emotion is {self.emotion!r}; set compare.emotion to vote"
            )
        return self


class ExportSettings(Section):
    """Tables for R, SPSS and spreadsheets."""

    formats: tuple[Literal["parquet", "csv", "csv2", "sav"], ...] = ("parquet", "csv", "csv2", "sav")
    """csv: commas and decimal points. csv2: semicolons and decimal commas. sav: SPSS."""
    tables: tuple[str, ...] = ()
    """Such as features, predictions, attributegroups, emotionaus; frames for the frame tables. Empty for all but the frames."""


class AtypicalitySettings(Section):
    """Atypicality of expressions, predicted from windows of action units; needs the judges' ratings.csv (Ji et al. 2025)."""

    models: tuple[Literal["gru", "bilstm"], ...] = ("gru", "bilstm")
    """Networks to train."""
    protocol: Literal["sound", "as_published"] = "sound"
    """sound: learning rate and epoch are chosen on participants inside the training folds. as_published: ratings cut to whole
    numbers, schedule and epoch driven by the tested participants, errors averaged over batches; for comparison only."""
    folds: Annotated[int, Field(ge=0)] = 3
    """Participant-independent folds, balanced by group; 0 leaves one participant out at a time."""
    repeats: Count = 10
    """Independent repeats of the folds, each with its own seed; once when one participant is left out."""
    window_frames: Annotated[int, Field(ge=2)] = 15
    """Frames of a window; the paper's 15 (0.5 s at 30 frames/s). Shorter segments are listed and left out."""
    stride_frames: Count = 1
    """Frames between the starts of windows; the paper's 1."""
    learning_rates: tuple[Positive, ...] = ()
    """Learning rates that are tried; empty for 1e-3 and 3e-4 (sound) or the paper's 1e-6 (as_published)."""
    epochs: Count = 15
    """Epochs at most; the paper's 15."""
    windows_per_epoch: Annotated[int, Field(ge=0)] = 0
    """Windows drawn for an epoch; 0 for all, as in the paper."""
    permutations: Count = 5
    """Permutations behind the importance of a unit."""
    bootstrap_samples: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap resamples of participants."""
    min_participants: Annotated[int, Field(ge=3)] = 6
    """Rated participants with windows that the step needs."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the networks are trained; auto takes a GPU where there is one."""
    seed: Annotated[int, Field(ge=0)] = 20250506
    """Seed of folds, networks, permutations and bootstrap."""

    @model_validator(mode="after")
    def _folds_are_several(self) -> Self:
        if self.folds == 1:
            raise ValueError("atypicality.folds is 1; set 2 or more, or 0 to leave one participant out at a time")
        return self


class ReportSettings(Section):
    """The HTML reports."""

    show_covariates: bool = False
    """Print age, sex and other columns of participants.tsv on participant reports."""


class RunSettings(Section):
    """How the work is spread."""

    runner: Literal["threads", "processes", "dask"] = "threads"
    """threads: recordings side by side in one process; processes: a process each, no more than cores and memory allow; dask: a Dask
    cluster. The tables are the same."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Videos that are extracted at the same time. One already uses two cores: decoding and the networks overlap. A running Dask
    cluster decides for itself."""
    dask_address: str = ""
    """Address of the scheduler of a running Dask cluster, such as tcp://10.0.0.5:8786, whose machines see study and weights at the
    same paths; empty for a cluster on this machine that lasts as long as the run."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N for the networks."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads of the networks in each worker; 0 divides the cores among the workers."""
    trust_file_times: bool = True
    """true: a video whose size, times of change and inode are those of the last run is neither read nor hashed again before the
    run. false: every video is, at every run. A video that is extracted is hashed in any case."""

    @model_validator(mode="after")
    def _address_is_for_dask(self) -> Self:
        if self.dask_address and self.runner != "dask":
            raise ValueError(f"run.dask_address is set but run.runner is {self.runner!r}; set run.runner to dask")
        return self


class Settings(Section):
    """All settings of a study."""

    study: StudySettings = StudySettings()
    video: VideoSettings = VideoSettings()
    detection: DetectionSettings = DetectionSettings()
    target: TargetSettings = TargetSettings()
    quality: QualitySettings = QualitySettings()
    attributes: AttributeSettings = AttributeSettings()
    imports: ImportSettings = ImportSettings()
    summarize: SummarizeSettings = SummarizeSettings()
    classify: ClassifySettings = ClassifySettings()
    compare: CompareSettings = CompareSettings()
    export: ExportSettings = ExportSettings()
    atypicality: AtypicalitySettings = AtypicalitySettings()
    report: ReportSettings = ReportSettings()
    training: TrainingSettings = TrainingSettings()
    run: RunSettings = RunSettings()
