"""Tests of the four attributes of Li et al. (2019, figure 3c): action units, expressions, arousal, valence.

References
----------
Li et al. (2019). https://doi.org/10.1109/ICIP.2019.8803604
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.frame_table import Column
from features.vector_58 import ATTRIBUTE_GROUPS
from stats.corrections import adjust_p_values
from stats.group_tests import composite_score, student_t
from tasks.emotion_columns import GROUP_COLUMNS
from tasks.emotion_tests import describe_too_few, set_types

ATTRIBUTE_TEST_COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        "attribute_group",
        "string",
        "Attribute, as one number a participant: the mean of its z-scored features",
        levels={name: f"{len(names)} features" for name, names in ATTRIBUTE_GROUPS.items()},
    ),
    *GROUP_COLUMNS,
    Column("mean_a", "float64", "Mean of the first group", "z-score"),
    Column("mean_b", "float64", "Mean of the second group", "z-score"),
    Column("t", "float64", "Student's t"),
    Column("df", "float64", "Degrees of freedom", low=0),
    Column("p", "float64", "Two-sided p-value", low=0, high=1),
    Column("p_bh", "float64", "p adjusted for the four attributes (Benjamini-Hochberg)", low=0, high=1),
    Column("hedges_g", "float64", "Standardised mean difference"),
    Column("ci_low", "float64", "Lower end of the 95 % interval of hedges_g"),
    Column("ci_high", "float64", "Upper end of the 95 % interval of hedges_g"),
    Column("note", "string", "Why there is no number, or what to mind"),
)
"""Data dictionary of ``desc-attributegroups_tests``."""

READINGS: Final[dict[str, str]] = {
    "composite": "one number a participant: the mean of its z-scored features (also desc-attributegroups_tests)",
    "smallest": "each feature by itself; the smallest p, times the number of features (Bonferroni)",
    "pooled": "all z-scored features of all participants as if each were a participant: pseudo-replicated",
}
"""What "the t-test of an attribute" of Li et al. (2019, figure 3c) may mean."""

ATTRIBUTE_READING_COLUMNS: Final[tuple[Column, ...]] = (
    Column("attribute_group", "string", "Attribute"),
    Column("reading", "string", "How several features become one test", levels=READINGS),
    *GROUP_COLUMNS,
    Column("n_features", "int32", "Features of the attribute", low=1),
    Column("feature", "string", "Feature with the smallest p, in that reading"),
    Column("t", "float64", "Student's t, of that feature in the reading smallest"),
    Column("df", "float64", "Degrees of freedom", low=0),
    Column("p", "float64", "Two-sided p-value, in the reading smallest times the number of features", low=0, high=1),
    Column(
        "p_bh", "float64", "Smallest p after Benjamini-Hochberg over the features; p in other readings", low=0, high=1
    ),
    Column("pseudo_replicated", "bool", "Whether the reading counts a participant more than once"),
    Column("note", "string", "Why there is no number, or what to mind"),
)
"""Data dictionary of ``desc-attributereadings_tests``."""


def compare_attributes(
    people: pd.DataFrame, *, group_a: str = "ASD", group_b: str = "TD", min_participants: int = 3
) -> pd.DataFrame:
    """Test each attribute of Li et al. (2019, figure 3c) by Student's t.

    Parameters
    ----------
    people
        One row a participant: `group` and the 58 features.
    group_a, group_b
        The two groups.
    min_participants
        Participants that each group needs.

    Returns
    -------
    DataFrame
        ``desc-attributegroups_tests``: one row an attribute. `mean_a` and `mean_b` are means of the composite, in units of
        z-scores over the participants of both groups. Where there is no number `note` says why.
    """
    in_test = people[people["group"].isin([group_a, group_b])]
    is_a = (in_test["group"] == group_a).to_numpy()
    records = []
    for attribute, names in ATTRIBUTE_GROUPS.items():
        record: dict[str, object] = {
            "attribute_group": attribute,
            **_describe_groups(group_a, group_b, int(is_a.sum()), int((~is_a).sum())),
            "note": describe_too_few(int(is_a.sum()), int((~is_a).sum()), min_participants),
        }
        if not record["note"]:
            composite = composite_score(in_test[list(names)]).to_numpy()
            a, b = composite[is_a], composite[~is_a]
            test = student_t(a, b)
            record |= {"mean_a": a.mean(), "mean_b": b.mean(), "t": test.t, "df": test.df, "p": test.p}
            record |= {"hedges_g": test.hedges_g, "ci_low": test.ci_low, "ci_high": test.ci_high}
            if np.isnan(test.t):
                record["note"] = "no variation within the groups"
        records.append(record)
    table = pd.DataFrame(records, columns=[column.name for column in ATTRIBUTE_TEST_COLUMNS])
    table["p_bh"] = adjust_p_values(table["p"])
    return set_types(table, ATTRIBUTE_TEST_COLUMNS)


def compare_attribute_readings(
    people: pd.DataFrame, *, group_a: str = "ASD", group_b: str = "TD", min_participants: int = 3
) -> pd.DataFrame:
    """Test each attribute of Li et al. (2019, figure 3c) in the three ways that the paper may mean.

    Parameters
    ----------
    people
        One row a participant: `group` and the 58 features.
    group_a, group_b
        The two groups.
    min_participants
        Participants that each group needs.

    Returns
    -------
    DataFrame
        ``desc-attributereadings_tests``: one row an attribute and reading, see `READINGS`. Published p-values are .223 (AU), .007
        (arousal), .001 (valence) and .006 (expression).
    """
    in_test = people[people["group"].isin([group_a, group_b])]
    is_a = (in_test["group"] == group_a).to_numpy()
    too_few = describe_too_few(int(is_a.sum()), int((~is_a).sum()), min_participants)
    records = []
    for attribute, names in ATTRIBUTE_GROUPS.items():
        values = in_test[list(names)].astype(np.float64)
        for reading in READINGS:
            record: dict[str, object] = {
                "attribute_group": attribute, "reading": reading, "n_features": len(names), "feature": "",
                **_describe_groups(group_a, group_b, int(is_a.sum()), int((~is_a).sum())),
                "pseudo_replicated": reading == "pooled", "note": too_few,
            }  # fmt: skip
            records.append(record if too_few else record | _read_attribute(values, is_a, reading))
    table = pd.DataFrame(records, columns=[column.name for column in ATTRIBUTE_READING_COLUMNS])
    return set_types(table, ATTRIBUTE_READING_COLUMNS)


def _read_attribute(values: pd.DataFrame, is_a: npt.NDArray[np.bool_], reading: str) -> dict[str, object]:
    if reading == "smallest":
        a, b = values[is_a], values[~is_a]
        tests = {str(name): student_t(a[name], b[name]) for name in values}
        p = pd.Series({name: test.p for name, test in tests.items()})
        if p.isna().all():
            return {"note": "no variation within the groups"}
        best = str(p.idxmin())
        smallest = min(float(p[best]) * int(p.notna().sum()), 1.0)
        adjusted = float(adjust_p_values(p).min())
        return {"feature": best, "t": tests[best].t, "df": tests[best].df, "p": smallest, "p_bh": adjusted}
    if reading == "composite":
        composite = composite_score(values).to_numpy()
        test = student_t(composite[is_a], composite[~is_a])
    else:
        spread = values.std().where(lambda sd: sd > 0, 1.0)
        scores = ((values - values.mean()) / spread).to_numpy()
        test = student_t(scores[is_a].ravel(), scores[~is_a].ravel())
    if np.isnan(test.t):
        return {"note": "no variation within the groups"}
    return {"t": test.t, "df": test.df, "p": test.p, "p_bh": test.p}


def _describe_groups(group_a: str, group_b: str, n_a: int, n_b: int) -> dict[str, object]:
    return {"group_a": group_a, "group_b": group_b, "n_a": n_a, "n_b": n_b}
