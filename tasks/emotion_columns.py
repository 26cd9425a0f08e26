"""Data dictionaries of the tables of tests by emotion."""

from __future__ import annotations

from typing import Final

from features.frame_table import Column

GROUP_COLUMNS: Final[tuple[Column, ...]] = (
    Column("group_a", "string", "First group; differences and effect sizes are positive where it is higher"),
    Column("group_b", "string", "Second group"),
    Column("n_a", "int32", "Participants of the first group", low=0),
    Column("n_b", "int32", "Participants of the second group", low=0),
)

_NOTE: Final = Column("note", "string", "Why there is no number, or what to mind")
_SELECTION: Final = Column(
    "selection", "bool", "Whether the unit itself decides which frames have the emotion, so that its test is circular"
)
_TEST: Final[tuple[Column, ...]] = (
    Column("emotion", "string", "Emotion of the frames"),
    Column("signal", "string", "Action unit or descriptor"),
    *GROUP_COLUMNS,
)


def _adjusted(what: str = "p") -> tuple[Column, ...]:
    return (
        Column(f"{what}_bh", "float64", f"{what} adjusted within the emotion (Benjamini-Hochberg)", low=0, high=1),
        Column(f"{what}_bh_all", "float64", f"{what} adjusted over all emotions (Benjamini-Hochberg)", low=0, high=1),
        Column(f"{what}_holm", "float64", f"{what} adjusted within the emotion (Holm)", low=0, high=1),
        Column(f"{what}_holm_all", "float64", f"{what} adjusted over all emotions (Holm)", low=0, high=1),
    )


_RANK_TEST: Final[tuple[Column, ...]] = (
    Column("u", "float64", "Mann-Whitney U, the smaller of the two", low=0),
    Column("z", "float64", "Z as SPSS prints it (tie-corrected, no continuity correction), never positive", high=0),
    Column("z_signed", "float64", "Z with a direction: positive where the first group is higher"),
    Column("p", "float64", "Two-sided p-value of Z", low=0, high=1),
)
_RANK_EFFECT: Final[tuple[Column, ...]] = (
    Column("rank_biserial", "float64", "Rank-biserial correlation, equal to Cliff's delta", "correlation", -1, 1),
    Column("ci_low", "float64", "Lower end of the interval of rank_biserial (Newcombe)", "correlation", -1, 1),
    Column("ci_high", "float64", "Upper end of the interval of rank_biserial (Newcombe)", "correlation", -1, 1),
)

EMOTION_TEST_COLUMNS: Final[tuple[Column, ...]] = (
    *_TEST,
    Column(
        "mean_a", "float64", "Mean over participants of the first group of the share of frames with the unit active"
    ),
    Column("mean_b", "float64", "The same for the second group"),
    *_RANK_TEST,
    Column("p_exact", "float64", "p of the exact distribution of U, where values are few and untied", low=0, high=1),
    Column("p_permutation", "float64", "p from permuting participants", low=0, high=1),
    Column("p_permutation_max", "float64", "The same adjusted within the emotion (Westfall-Young)", low=0, high=1),
    *_adjusted(),
    *_RANK_EFFECT,
    Column("cliffs_low", "float64", "Lower end of the interval of Cliff's delta (Feng and Cliff)", low=-1, high=1),
    Column("cliffs_high", "float64", "Upper end of the interval of Cliff's delta (Feng and Cliff)", low=-1, high=1),
    Column("difference", "float64", "mean_a minus mean_b", "share of frames", -1, 1),
    Column("difference_low", "float64", "Lower end of its bootstrap interval over participants", low=-1, high=1),
    Column("difference_high", "float64", "Upper end of its bootstrap interval over participants", low=-1, high=1),
    Column("t", "float64", "Welch's t of the participants' shares"),
    Column("df", "float64", "Its degrees of freedom", low=0),
    Column("p_welch", "float64", "Its two-sided p-value", low=0, high=1),
    Column("hedges_g", "float64", "Standardised mean difference of the participants' shares"),
    Column("g_low", "float64", "Lower end of the interval of hedges_g"),
    Column("g_high", "float64", "Upper end of the interval of hedges_g"),
    _SELECTION,
    _NOTE,
)
"""Data dictionary of ``desc-emotionaus_tests``."""

UNITS_AGREE: Final[dict[str, str]] = {
    "both": "adjusted p is under the level over frames and over participants",
    "frames only": "only over frames, where a child counts thousands of times: no evidence of a difference between groups",
    "participants only": "only over participants",
    "neither": "neither",
    "not tested": "one of the two tests could not be made",
}

FRAME_TEST_COLUMNS: Final[tuple[Column, ...]] = (
    *_TEST,
    Column("frames_a", "int32", "Frames of the first group", low=0),
    Column("frames_b", "int32", "Frames of the second group", low=0),
    Column("mean_a", "float64", "Share of the first group's frames with the unit active (or mean code)"),
    Column("mean_b", "float64", "The same for the second group"),
    *_RANK_TEST,
    *_adjusted(),
    Column("rank_biserial", "float64", "Rank-biserial correlation over frames", "correlation", -1, 1),
    Column("difference", "float64", "mean_a minus mean_b"),
    Column(
        "ci_low", "float64", "Lower end of its cluster-bootstrap interval: participants are drawn with all their frames"
    ),
    Column("ci_high", "float64", "Upper end of its cluster-bootstrap interval"),
    Column("p_cluster", "float64", "p of the same Z from permuting whole participants", low=0, high=1),
    Column("p_cluster_bh", "float64", "p_cluster adjusted within the emotion (Benjamini-Hochberg)", low=0, high=1),
    Column("p_participants", "float64", "p of the Mann-Whitney test over participants", low=0, high=1),
    Column(
        "p_participants_bh", "float64", "p_participants adjusted within the emotion (Benjamini-Hochberg)", low=0, high=1
    ),
    Column("units_agree", "string", "Which unit of analysis finds a difference", levels=UNITS_AGREE),
    Column("pseudo_replicated", "bool", "Always true: frames of a participant are no independent observations"),
    _SELECTION,
    _NOTE,
)
"""Data dictionary of ``desc-emotionframes_tests``."""

MODEL_COLUMNS: Final[tuple[Column, ...]] = (
    *_TEST,
    Column("family", "string", "Regression", levels={"binomial": "logistic", "gaussian": "linear"}),
    Column("working", "string", "Working correlation of the frames of a participant"),
    Column("covariates", "string", "Covariates held constant, after coding"),
    Column("estimate", "float64", "Effect of group: log odds ratio (binomial) or difference of rates (gaussian)"),
    Column("ci_low", "float64", "Lower end of its interval"),
    Column("ci_high", "float64", "Upper end of its interval"),
    Column("t", "float64", "Estimate over its standard error (Mancl and DeRouen)"),
    Column("df", "int32", "Participants less coefficients", low=0),
    Column("p", "float64", "Two-sided p-value", low=0, high=1),
    Column("p_bh", "float64", "p adjusted within the emotion (Benjamini-Hochberg)", low=0, high=1),
    Column("within_correlation", "float64", "Correlation of two frames of a participant", low=0, high=1),
    _SELECTION,
    _NOTE,
)
"""Data dictionary of ``desc-emotionmodels_tests``."""

RATE_COLUMNS: Final[tuple[Column, ...]] = (
    Column("participant_id", "string", "Participant"),
    Column("group", "string", "Group of the participant"),
    Column("emotion", "string", "Emotion of the frames"),
    Column("n_valid", "int32", "Valid frames of the emotion", low=0),
    Column("counts", "bool", "Whether the participant has enough frames to count in tests of the emotion"),
    _NOTE,
)
"""Data dictionary of ``desc-emotionrates_participants``; the shares of frames with each unit active follow."""

COMPLEXITY_COLUMNS: Final[tuple[Column, ...]] = (
    Column("group", "string", "Group"),
    Column("emotion", "string", "Emotion of the frames"),
    Column("directions", "bool", "Whether laterality codes tell combinations apart"),
    Column("complexity", "int32", "Active units in a frame", low=0),
    Column("n_types", "int32", "Distinct combinations of that complexity", low=1),
    Column("n_frames", "int32", "Frames of that complexity", low=1),
    Column(
        "rarefied_to", "int32", "Frames to which groups are brought: those of the smaller group in the emotion", low=0
    ),
    Column("expected_types", "float64", "Distinct combinations expected in that many frames", low=0),
    Column("ci_low", "float64", "Lower end of its interval over draws of frames", low=0),
    Column("ci_high", "float64", "Upper end of its interval over draws of frames", low=0),
)
"""Data dictionary of ``desc-combinations_complexity``."""

DIVERSITY_COLUMNS: Final[tuple[Column, ...]] = (
    Column("emotion", "string", "Emotion of the frames"),
    Column("directions", "bool", "Whether laterality codes tell combinations apart"),
    Column(
        "measure",
        "string",
        "What is compared, one value a participant",
        levels={
            "mean_complexity": "active units, mean over frames",
            "max_complexity": "active units, most in a frame",
            "rarefied_types": "distinct combinations expected in equally many frames of each participant",
        },
    ),
    *GROUP_COLUMNS,
    Column("rarefied_to", "int32", "Frames to which participants are brought", low=0),
    Column("mean_a", "float64", "Mean over participants of the first group"),
    Column("mean_b", "float64", "Mean over participants of the second group"),
    *_RANK_TEST,
    Column("p_permutation", "float64", "p from permuting participants", low=0, high=1),
    Column("p_bh", "float64", "p adjusted over the rows (Benjamini-Hochberg)", low=0, high=1),
    *_RANK_EFFECT,
    _NOTE,
)
"""Data dictionary of ``desc-combinations_tests``."""
