"""How often each action occurs, and how far experts and tools agree: Table III of Ji et al. (2025) for a lab's own data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd

from features.facs import JAW, JAW_UNITS, action_name
from features.frame_table import Column
from stats.reliability import f1_against, icc
from tasks.errors import InvalidInputError
from tasks.labels import binarise, list_actions

MATCH: Final = ("participant_id", "session", "task", "frame")
"""What matches a frame of one rater with that of another."""

OCCURRENCE_COLUMNS: Final[tuple[Column, ...]] = (
    Column("action", "string", "Action unit or descriptor"),
    Column("name", "string", "Its FACS name"),
    Column("group", "string", "Group; all for every participant"),
    Column("n_frames", "int32", "Labelled frames", low=0),
    Column("n_active", "int32", "Frames with the action", low=0),
    Column("share", "float64", "n_active over n_frames", low=0, high=1),
    Column("n_one_sided", "int32", "Of n_active, frames with a laterality code", low=0),
    Column("n_participants", "int32", "Participants who show it", low=0),
)
"""Data dictionary of ``desc-occurrence_labels``."""

AGREEMENT_COLUMNS: Final[tuple[Column, ...]] = (
    Column("action", "string", "Action unit or descriptor"),
    Column("name", "string", "Its FACS name"),
    Column("rater_a", "string", "First rater; the truth of F1"),
    Column("rater_b", "string", "Second rater"),
    Column("n_frames", "int32", "Frames that both have", low=0),
    Column("n_a", "int32", "Of these, frames in which the first sees the action", low=0),
    Column("n_b", "int32", "The same for the second", low=0),
    Column("icc", "float64", "ICC(3,1): two-way mixed effects, consistency, single rater", low=-1, high=1),
    Column("ci_low", "float64", "Lower end of its interval"),
    Column("ci_high", "float64", "Upper end of its interval"),
    Column(
        "p",
        "float64",
        "p-value of the F-test that it is 0; frames of a participant are alike, so read it as description",
        low=0,
        high=1,
    ),
    Column("f1", "float64", "F1 of the second rater with the first as truth", low=0, high=1),
    Column("note", "string", "Why there is no number"),
)
"""Data dictionary of ``desc-agreement_labels``."""


def count_occurrences(labels: pd.DataFrame) -> pd.DataFrame:
    """Count the frames in which each action occurs, by group and in all.

    Parameters
    ----------
    labels
        From `tasks.labels.read_labels`.

    Returns
    -------
    DataFrame
        ``desc-occurrence_labels``.
    """
    parts = []
    actions = list_actions(labels)
    for group, rows in [("all", labels), *labels.groupby("group")]:
        codes = rows[actions]
        active = codes > 0
        parts.append(
            pd.DataFrame(
                {
                    "action": actions,
                    "name": [action_name(name) for name in actions],
                    "group": str(group),
                    "n_frames": len(rows),
                    "n_active": active.sum().to_numpy(),
                    "share": active.mean().to_numpy(),
                    "n_one_sided": (codes > 1).sum().to_numpy(),
                    "n_participants": active.groupby(rows["participant_id"]).any().sum().to_numpy(),
                }
            )
        )
    counts = dict.fromkeys(("n_frames", "n_active", "n_one_sided", "n_participants"), "int32")
    return pd.concat(parts, ignore_index=True).astype(counts)


def prepare_tool(frames: pd.DataFrame, *, threshold: float = 0.5) -> pd.DataFrame:
    """Make the frame table of a tool comparable with experts' labels.

    Parameters
    ----------
    frames
        A frame table, whichever importer made it: `participant_id`, `session`, `task`, `frame`, `valid`, and probabilities or
        presences ``AU..``.
    threshold
        Above which (strictly) an action counts as there.

    Returns
    -------
    DataFrame
        Valid frames with 0 and 1; AU26 and AU27 become AU2X.
    """
    valid = frames[frames["valid"].astype(bool)]
    units = [str(name) for name in valid.columns if str(name).startswith("AU") and valid[name].notna().any()]
    active = (valid[units] > threshold).astype(np.uint8)
    jaw = [name for name in (JAW, *JAW_UNITS) if name in active]
    if jaw:
        active = active.drop(columns=jaw).assign(**{JAW: active[jaw].max(axis=1)})
    return pd.concat([valid[list(MATCH)].fillna({"session": "", "task": ""}), active], axis=1).reset_index(drop=True)


def compare_raters(
    experts: Mapping[str, pd.DataFrame], tools: Mapping[str, pd.DataFrame], *, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Compare experts with each other and tools with each expert, action by action, on the frames that both have.

    Parameters
    ----------
    experts
        Name -> labels from `tasks.labels.read_labels`.
    tools
        Name -> frames from `prepare_tool`.
    confidence_level
        Level of intervals.

    Returns
    -------
    DataFrame
        ``desc-agreement_labels``: one row a pair and action of the first expert. Where a rater does not know the action, or neither
        sees it, there is no number and `note` says why.

    Raises
    ------
    InvalidInputError
        If two raters have no frame in common.
    """
    raters = {**experts, **tools}
    pairs = [*combinations(experts, 2), *((expert, tool) for tool in tools for expert in experts)]
    actions = list_actions(next(iter(experts.values())))
    parts = [
        _compare_pair((one, raters[one]), (other, raters[other]), actions, confidence_level) for one, other in pairs
    ]
    names = [column.name for column in AGREEMENT_COLUMNS]
    if not parts:
        return pd.DataFrame(columns=names)
    table = pd.concat(parts, ignore_index=True).reindex(columns=names)
    return table.astype({"n_frames": "int32", "n_a": "int32", "n_b": "int32"})


def _compare_pair(
    one: tuple[str, pd.DataFrame], other: tuple[str, pd.DataFrame], actions: Sequence[str], confidence_level: float
) -> pd.DataFrame:
    known = [name for name in actions if name in one[1] and name in other[1]]
    left, right = (binarise(table, known)[[*MATCH, *known]] for _, table in (one, other))
    for name, table in ((one[0], left), (other[0], right)):
        if table.duplicated(list(MATCH)).any():
            raise InvalidInputError(f"Expected each frame once from {name}, got some twice.")
    both = left.merge(right, on=list(MATCH), suffixes=("_1", "_2"))
    if both.empty:
        raise InvalidInputError(
            f"Expected frames that {one[0]} and {other[0]} both have, got none: participants, sessions, tasks and frame numbers "
            "must be the same."
        )
    first = both[[f"{name}_1" for name in known]].set_axis(known, axis=1)
    second = both[[f"{name}_2" for name in known]].set_axis(known, axis=1)
    f1 = f1_against(first, second)
    records: list[dict[str, object]] = []
    for name in actions:
        record: dict[str, object] = {
            "action": name, "name": action_name(name), "rater_a": one[0], "rater_b": other[0], "n_frames": len(both),
            "n_a": 0, "n_b": 0, "note": "",
        }  # fmt: skip
        if name not in known:
            record["note"] = f"{other[0]} does not know this action"
        else:
            record |= {"n_a": int(first[name].sum()), "n_b": int(second[name].sum()), "f1": f1[name]}
            if len(both) < 2:
                record["note"] = "one frame in common"
            else:
                result = icc(np.column_stack([first[name], second[name]]), confidence_level=confidence_level)
                note = "neither sees it" if result.note and not first[name].any() else result.note
                record |= {
                    "icc": result.estimate,
                    "ci_low": result.ci_low,
                    "ci_high": result.ci_high,
                    "p": result.p,
                    "note": note,
                }
        records.append(record)
    return pd.DataFrame(records)


def lay_out_agreement(agreement: pd.DataFrame, occurrences: pd.DataFrame, experts: Sequence[str]) -> pd.DataFrame:
    """Lay agreement out as Table III of Ji et al. (2025): a row an action, a column a pair, averages below.

    Parameters
    ----------
    agreement
        From `compare_raters`.
    occurrences
        From `count_occurrences`.
    experts
        Names of the experts; F1 is printed for tools against the first.

    Returns
    -------
    DataFrame
        Columns ``AU/AD``, ``Name``, ``ICC(A-B)`` ..., ``F1(A-tool)`` ..., ``Occurrence``; NaN where there is no number. The last
        row averages each column over the actions that have a number.
    """
    counts = occurrences[occurrences["group"] == "all"].set_index("action")
    table = pd.DataFrame({"AU/AD": counts.index, "Name": counts["name"].to_numpy()}, index=counts.index)
    pairs = list(agreement[["rater_a", "rater_b"]].drop_duplicates().itertuples(index=False, name=None))
    for one, other in pairs:
        rows = agreement[(agreement["rater_a"] == one) & (agreement["rater_b"] == other)].set_index("action")
        table[f"ICC({one}-{other})"] = rows["icc"]
    for one, other in pairs:
        if one == experts[0] and other not in experts:
            rows = agreement[(agreement["rater_a"] == one) & (agreement["rater_b"] == other)].set_index("action")
            table[f"F1({one}-{other})"] = rows["f1"]
    averages = table.drop(columns=["AU/AD", "Name"]).mean()
    table["Occurrence"] = counts["n_active"].astype("float64")
    below = pd.DataFrame([{"AU/AD": "Average", "Name": "", **averages}])
    return pd.concat([table, below], ignore_index=True)[table.columns]
