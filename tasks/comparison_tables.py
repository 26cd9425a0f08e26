"""What each table of a comparison is, for its sidecar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from features.facs import EMOTIONET_AUS, action_name
from features.frame_table import Column
from tasks.attribute_tests import ATTRIBUTE_READING_COLUMNS, ATTRIBUTE_TEST_COLUMNS
from tasks.comparison import Comparison
from tasks.emotion_columns import (
    COMPLEXITY_COLUMNS,
    DIVERSITY_COLUMNS,
    EMOTION_TEST_COLUMNS,
    FRAME_TEST_COLUMNS,
    MODEL_COLUMNS,
    RATE_COLUMNS,
)
from tasks.steps import MadeTable

TABLES: Final[dict[str, tuple[str, tuple[Column, ...]]]] = {
    "attribute_groups": ("Student's t by attribute group, one value a participant", ATTRIBUTE_TEST_COLUMNS),
    "emotion_aus": (
        "Tests by action unit and emotion, one value a participant: Mann-Whitney, permutations, Welch's t",
        EMOTION_TEST_COLUMNS,
    ),
    "attribute_readings": (
        "Three readings of the t-test of an attribute group (Li et al. 2019, figure 3c)",
        ATTRIBUTE_READING_COLUMNS,
    ),
    "emotion_rates": (
        "Share of frames with each action unit active, by participant and emotion",
        RATE_COLUMNS,
    ),
    "emotion_frames": (
        "Mann-Whitney tests over frames as in Ji et al. (2025), table IV: PSEUDO-REPLICATED; beside them tests over participants",
        FRAME_TEST_COLUMNS,
    ),
    "emotion_models": (
        "Regression of each action unit on group within an emotion, participants as clusters (GEE)",
        MODEL_COLUMNS,
    ),
    "complexity": (
        "Distinct combinations of action units by complexity (Ji et al. 2025, figure 4), groups brought to equal frames",
        COMPLEXITY_COLUMNS,
    ),
    "diversity": ("Tests of complexity and diversity of combinations, one value a participant", DIVERSITY_COLUMNS),
}
"""Table of `tasks.comparison.Comparison` -> what it is, and its data dictionary."""


def describe_comparison(comparison: Comparison, facts: Mapping[str, Any]) -> dict[str, MadeTable]:
    """Give each table of a comparison its description, dictionary and facts."""
    made = {}
    for name, rows in comparison._asdict().items():
        description, columns = TABLES[name]
        described = (*columns, *rate_columns(EMOTIONET_AUS)) if name == "emotion_rates" else columns
        made[name] = MadeTable(rows, description, described, facts)
    return made


def rate_columns(signals: Sequence[str]) -> tuple[Column, ...]:
    """Dictionary of shares of frames."""
    return tuple(
        Column(name, "float64", f"Share of frames with {name} ({action_name(name)}) active", low=0, high=1)
        for name in signals
    )
