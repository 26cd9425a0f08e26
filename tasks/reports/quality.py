"""Quality of the recordings: how large, sharp and bright the faces are, how often the camera looked, and which stand out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from tasks.reports.blocks import Block, Cell, Findings, Heading, Subheading, Table, number_cell, numeric
from tasks.reports.formatting import NO_VALUE, duration, is_missing, number, percent, plural, recording_label
from tasks.reports.inputs import GroupReportInputs

COLUMNS: Final = (
    "time_s", "valid", "face_x1", "face_y1", "face_x2", "face_y2", "face_score", "yaw_deg", "sharpness", "brightness",
)  # fmt: skip
"""Columns of a frame table that `measure_quality` reads."""

MIN_RECORDINGS: Final = 5
"""Recordings from which quartiles tell something about one that stands out."""

_KEY: Final = ["participant_id", "session", "task"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of quality: its label, how it is written, and on which side it is unusual (-1 low, 1 high, 0 either)."""

    label: str
    write: Callable[[float], str]
    side: int


MEASURES: Final[dict[str, Measure]] = {
    "valid_fraction": Measure("Valid frames", percent, -1),
    "longest_gap_s": Measure("Longest gap", duration, 1),
    "frames_per_s": Measure("Frames a second", lambda value: number(value, 1), 0),
    "face_px": Measure("Face, shorter side", lambda value: f"{number(value, 0)} px", -1),
    "face_score": Measure("Detection score", lambda value: number(value, 2), -1),
    "sharpness": Measure("Sharpness", lambda value: number(value, 0), -1),
    "brightness": Measure("Brightness (0 to 255)", lambda value: number(value, 0), 0),
    "turn_deg": Measure("Head turn to either side", lambda value: f"{number(value, 0)}°", 1),
}


def measure_quality(frames: pd.DataFrame) -> dict[str, float]:
    """Medians over the valid frames of a recording.

    Parameters
    ----------
    frames
        Frame table, or its columns `COLUMNS`.

    Returns
    -------
    dict
        `frames_per_s` (over all frames), `face_px` (shorter side of the box), `face_score`, `sharpness`, `brightness`, `turn_deg`
        (size of the yaw); NaN where the tool that measured does not say.
    """
    valid = frames[frames["valid"].astype(bool)]
    width, height = (valid[f"face_{axis}2"] - valid[f"face_{axis}1"] for axis in "xy")
    times = frames["time_s"].to_numpy(dtype=np.float64)
    span = float(times.max() - times.min()) if len(times) > 1 else 0.0
    found = {
        "frames_per_s": (len(times) - 1) / span if span > 0 else float("nan"),
        "face_px": width.where(width < height, height).median(),
        "face_score": valid["face_score"].median(),
        "sharpness": valid["sharpness"].median(),
        "brightness": valid["brightness"].median(),
        "turn_deg": valid["yaw_deg"].abs().median(),
    }
    return {name: float(value) for name, value in found.items()}


def find_outliers(table: pd.DataFrame) -> pd.DataFrame:
    """Recordings that lie more than 1.5 interquartile ranges outside the quartiles of all recordings (Tukey's fences).

    Parameters
    ----------
    table
        A row a recording with columns of `MEASURES`.

    Returns
    -------
    DataFrame
        `index` (row of `table`), `measure`, `value`, `median`, `distance` (in interquartile ranges), the farthest first.
    """
    rows = []
    for name in (name for name in MEASURES if name in table):
        values = table[name].astype("float64")
        low, middle, high = values.quantile([0.25, 0.5, 0.75])
        # Identical cameras differ by rounding alone: a spread of less than 1 % is none.
        spread = max(high - low, 0.01 * abs(middle), 1e-9)
        if values.notna().sum() < MIN_RECORDINGS:
            continue
        below, above = (low - values) / spread, (values - high) / spread
        distance = {-1: below, 1: above, 0: np.maximum(below, above)}[MEASURES[name].side]
        rows += [
            {"index": index, "measure": name, "value": values[index], "median": middle, "distance": distance[index]}
            for index in table.index[distance > 1.5]
        ]
    found = pd.DataFrame(rows, columns=["index", "measure", "value", "median", "distance"])
    return found.sort_values("distance", ascending=False, ignore_index=True)


def describe_quality(inputs: GroupReportInputs) -> list[Block]:
    """Blocks on the quality of the recordings: what stands out, and the groups side by side."""
    if inputs.quality is None or inputs.quality.empty or inputs.features is None:
        return []
    coverage = inputs.features[[*_KEY, "group", "valid_fraction", "longest_gap_s"]].fillna({"session": "", "task": ""})
    table = coverage.merge(inputs.quality.fillna({"session": "", "task": ""}), on=_KEY, how="left")
    if table.empty:
        return []
    outliers = find_outliers(table)
    blocks: list[Block] = [Subheading("Quality of the recordings")]
    if outliers.empty:
        few = len(table) < MIN_RECORDINGS
        reason = f"{MIN_RECORDINGS} recordings are needed to say which stands out" if few else "No recording stands out"
        blocks.append(Findings([f"{reason}."]))
    else:
        blocks.append(_tabulate_outliers(outliers, table, inputs))
    blocks.append(_tabulate_groups(table, inputs))
    return blocks


def _tabulate_outliers(outliers: pd.DataFrame, table: pd.DataFrame, inputs: GroupReportInputs) -> Table:
    n_tasks = table["task"].nunique()
    rows = []
    for item in outliers.to_dict("records"):
        row, measure = table.loc[item["index"]], MEASURES[item["measure"]]
        name = str(row["participant_id"])
        rows.append(
            [
                Cell(
                    recording_label(name, row["session"], n_tasks, row["task"]), href=inputs.report_links.get(name, "")
                ),
                Cell("" if is_missing(row["group"]) else str(row["group"])),
                Cell(measure.label),
                number_cell(measure.write(item["value"]), item["value"]),
                number_cell(measure.write(item["median"]), item["median"]),
            ]
        )
    recordings = outliers["index"].nunique()
    headings = [
        Heading("Recording"), Heading("Group"), Heading("Measure"), numeric("Value"), numeric("Median of all"),
    ]  # fmt: skip
    return Table(
        "quality-outliers",
        f"{plural(recordings, 'recording')} with something unusual",
        headings,
        rows,
        note="More than 1.5 interquartile ranges outside the quartiles of all recordings of the study. Look at these recordings "
        "before trusting their numbers; nothing is left out for this.",
        tall=len(rows) > 16,
    )


def _tabulate_groups(table: pd.DataFrame, inputs: GroupReportInputs) -> Table:
    samples = {group: table[table["group"] == group] for group in inputs.facts.groups}
    rows = []
    for name, measure in MEASURES.items():
        cells = [Cell(measure.label)]
        for part in samples.values():
            low, middle, high = part[name].astype("float64").quantile([0.25, 0.5, 0.75])
            text = NO_VALUE if is_missing(middle) else measure.write(middle)
            spread = "" if is_missing(middle) else f"{measure.write(low)} to {measure.write(high)}"
            cells.append(number_cell(text, middle, detail=spread))
        rows.append(cells)
    headings = [Heading("Measure"), *(numeric(f"{group}, n = {len(part)}") for group, part in samples.items())]
    return Table(
        "quality-groups",
        "Quality by group: median over recordings, and quartiles",
        headings,
        rows,
        sortable=False,
        note="Medians over the valid frames of each recording. Groups that were recorded differently cannot be told from groups "
        "that behave differently.",
    )
