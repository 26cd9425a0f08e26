"""How the numbers were made: settings, versions, weights, a methods text with citations, and a glossary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from features import facs, vector_58
from tasks.reports.blocks import Absent, Block, Cell, Facts, Heading, Reference, References, Table, Text
from tasks.reports.formatting import classifier_label, listing, percent, without_folders
from tasks.reports.inputs import GroupReportInputs
from tasks.reports.pages import absent_reason

_REFERENCES: Final[dict[str, Reference]] = {
    "li": Reference(
        "Li, B., Mehta, S., Aneja, D., Foster, C., Ventola, P., Shic, F. & Shapiro, L. (2019). A facial affect "
        "analysis system for "
        "autism spectrum disorder. IEEE International Conference on Image Processing.",
        "https://doi.org/10.1109/ICIP.2019.8803604",
    ),
    "retinaface": Reference(
        "Deng, J., Guo, J., Ververas, E., Kotsia, I. & Zafeiriou, S. (2020). RetinaFace: single-shot multi-level "
        "face localisation in "
        "the wild. IEEE/CVF Conference on Computer Vision and Pattern Recognition.",
        "https://arxiv.org/abs/1905.00641",
    ),
    "hedges": Reference(
        "Hedges, L. V. (1981). Distribution theory for Glass's estimator of effect size and related estimators. "
        "Journal of "
        "Educational Statistics 6, 107-128.",
        "https://doi.org/10.3102/10769986006002107",
    ),
    "benjamini": Reference(
        "Benjamini, Y. & Hochberg, Y. (1995). Controlling the false discovery rate: a practical and powerful "
        "approach to multiple "
        "testing. Journal of the Royal Statistical Society B 57, 289-300.",
        "https://doi.org/10.1111/j.2517-6161.1995.tb02031.x",
    ),
    "wilson": Reference(
        "Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the American "
        "Statistical Association 22, 209-212.",
        "https://doi.org/10.1080/01621459.1927.10502953",
    ),
    "newcombe": Reference(
        "Newcombe, R. G. (2006). Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part 2. "
        "Statistics in Medicine 25, 559-573.",
        "https://doi.org/10.1002/sim.2324",
    ),
    "ojala": Reference(
        "Ojala, M. & Garriga, G. C. (2009). Permutation tests for studying classifier performance. IEEE International Conference "
        "on Data Mining, 908-913.",
        "https://doi.org/10.1109/ICDM.2009.108",
    ),
    "stard": Reference(
        "Bossuyt, P. M. et al. (2015). STARD 2015: an updated list of essential items for reporting diagnostic accuracy studies. "
        "BMJ 351, h5527.",
        "https://doi.org/10.1136/bmj.h5527",
    ),
    "ji": Reference(
        "Ji, Y. et al. (2025). Hugging Rain Man. IEEE Transactions on Affective Computing.",
        "https://doi.org/10.1109/TAFFC.2025.3558914",
    ),
    "hurlbert": Reference(
        "Hurlbert, S. H. (1971). The nonconcept of species diversity: a critique and alternative parameters. Ecology 52, 577-586.",
        "https://doi.org/10.2307/1934145",
    ),
    "mann": Reference(
        "Mann, H. B. & Whitney, D. R. (1947). On a test of whether one of two random variables is stochastically "
        "larger than the "
        "other. Annals of Mathematical Statistics 18, 50-60.",
        "https://doi.org/10.1214/aoms/1177730491",
    ),
}
_EFFECTS_TEXT: Final = (
    "Differences in features are Hedges g (Hedges 1981) with intervals from the noncentral t distribution."
)
_ATTRIBUTES_TEXT: Final = (
    "Attribute groups: Student's t-tests of one value a participant, the mean of the z-scored features of the attribute; p "
    "adjusted "
    "after Benjamini and Hochberg (1995)."
)
_EMOTIONS_TEXT: Final = (
    "Action units by emotion: the share of each participant's valid frames within the stimulus segments of an emotion in "
    "which the unit is active, compared with the test of Mann and Whitney (1947); p adjusted within the emotion (Benjamini "
    "and Hochberg 1995). The participant is the unit of analysis: frames of one participant are not independent."
)

_FLOW_TEXT: Final = (
    "The flow of participants is reported after item 19 of STARD 2015 (Bossuyt et al. 2015), a guideline for studies of accuracy; "
    "that does not make this software a diagnostic test."
)
_COMBINATIONS_TEXT: Final = (
    "Combinations: the sets of action units that are active in a frame, counted by group, emotion and number of active units (Ji "
    "et al. 2025) and rarefied to equal frames (Hurlbert 1971); participants' mean and largest numbers of active units and "
    "rarefied numbers of combinations were compared with the test of Mann and Whitney (1947)."
)

_STATISTICS: Final[list[tuple[str, str]]] = [
    ("F1", "harmonic mean of sensitivity and the share of positive calls that were right"),
    ("AUC", "chance that a random participant of the positive group scores above one of the comparison group"),
    ("MCC", "correlation between truth and prediction; 0 for guessing"),
    ("Hedges g", "difference of means in pooled standard deviations, corrected for small samples"),
    ("Rank-biserial r", "share of pairs in which the first group is higher minus the share in which it is lower"),
    ("Interval", "range of values that the data are compatible with at the stated level; wide where n is small"),
]


def describe_methods(inputs: GroupReportInputs) -> list[Block]:
    """Methods text of what this run did, and the works that it cites."""
    paragraphs: list[Block] = []
    cited: list[str] = []
    if inputs.features is not None:
        paragraphs += [Text(_features_text(inputs)), Text(_FLOW_TEXT), Text(_EFFECTS_TEXT)]
        cited += ["retinaface", "li", "stard", "hedges"]
    if inputs.performance is not None and len(inputs.performance):
        paragraphs.append(Text(_classification_text(inputs)))
        cited += ["wilson", "newcombe", "ojala"]
    if inputs.attribute_tests is not None:
        paragraphs.append(Text(_ATTRIBUTES_TEXT))
        cited.append("benjamini")
    if inputs.emotion_tests is not None:
        paragraphs.append(Text(_EMOTIONS_TEXT))
        cited += ["mann", "benjamini"]
    if inputs.combination_tests is not None:
        paragraphs.append(Text(_COMBINATIONS_TEXT))
        cited += ["ji", "hurlbert", "mann"]
    if not paragraphs:
        return [Absent("No analysis of this run produced a table, so there is no method to describe.")]
    unique = [_REFERENCES[key] for key in dict.fromkeys(cited)]
    return [*paragraphs, References(unique)] if unique else paragraphs


def _features_text(inputs: GroupReportInputs) -> str:
    detector = f" ({inputs.detector})" if inputs.detector else ""
    return (
        f"Faces were found in every frame by RetinaFace{detector} (Deng et al. 2020). From the participant's face a "
        f"network "
        "with outputs for action units, expressions, arousal and valence gave 22 signals a frame. Frames without a "
        "valid "
        f"face are missing, not zero. Each recording was summarised by the {len(vector_58.FEATURE_NAMES)} features of "
        "Li et al. (2019): means and standard deviations of the signals, shares of frames with an active unit, and "
        "shares "
        f"with positive arousal and valence. Recordings with less than {percent(inputs.facts.min_valid_fraction)} "
        f"or fewer "
        f"than {inputs.facts.min_valid_frames} valid frames were left out."
    )


def _classification_text(inputs: GroupReportInputs) -> str:
    performance = inputs.performance
    names = [] if performance is None else [classifier_label(name) for name in dict.fromkeys(performance["classifier"])]
    return (
        f"Classification: {listing(names)}, validated leaving one participant out; scaling and any selection happened "
        "within the fold. Each score was made when its participant was left out. Intervals of sensitivity, specificity and "
        "accuracy are those of Wilson (1927), of the AUC that of Newcombe (2006, method 5), of F1 and MCC bootstrap intervals over "
        "participants. Permutation p is the share of label permutations, the observed one included, that reach the observed F1 "
        "(Ojala and Garriga 2009)."
    )


def describe_provenance(inputs: GroupReportInputs) -> list[Block]:
    """Settings, software versions and weights of the run."""
    blocks: list[Block] = []
    if inputs.weights is None or inputs.weights.empty:
        blocks.append(
            Absent(absent_reason(inputs.absent.get("weights", ""), "Which weights were used was not recorded."))
        )
    else:
        columns = [name for name in inputs.weights if name not in {"name", "sha256"}]
        rows = [
            [
                Cell(str(row["name"]), detail=f"SHA-256 {row['sha256']}"),
                *(Cell(_value_text(row[name])) for name in columns),
            ]
            for row in inputs.weights.to_dict("records")
        ]
        headings = [Heading("Name"), *(Heading(str(name).replace("_", " ").capitalize()) for name in columns)]
        blocks.append(Table("weights", "Weights", headings, rows, sortable=False))
    settings = [
        [Cell(f"{section}.{name}"), Cell(_value_text(value))]
        for section, values in inputs.settings.items()
        for name, value in values.items()
    ]
    if settings:
        blocks.append(
            Table(
                "settings",
                "Settings of this run",
                [Heading("Setting"), Heading("Value")],
                settings,
                folded="All settings",
            )
        )
    if inputs.versions:
        blocks.append(_tabulate_versions(inputs.versions))
    return blocks


def _tabulate_versions(versions: Mapping[str, str]) -> Table:
    rows = [[Cell(name), Cell(str(version))] for name, version in versions.items()]
    return Table("versions", "Software", [Heading("Package"), Heading("Version")], rows, folded="Software versions")


def _value_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "(none)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return without_folders(value)


def describe_glossary(*, statistics: bool) -> list[Block]:
    """Names of the action units and meanings of the terms on the page; `statistics` adds those of classifiers and tests."""
    units = [(au, facs.AU_NAMES[au]) for au in facs.EMOTIONET_AUS]
    terms = [
        ("Arousal", "from calm (−1) to excited (1)"),
        ("Valence", "from negative (−1) to positive (1)"),
        ("Valid frame", "the participant's face was found, large, sharp and frontal enough, and measured"),
    ]
    return [
        Text("Action units are those of the Facial Action Coding System."),
        Facts(units, columns=2),
        Facts(terms + (_STATISTICS if statistics else [])),
    ]
