"""Coverage of every recording as rows of text, for the morning's look at a run."""

from __future__ import annotations

from tasks.bids_names import Derivatives, is_label
from tasks.provenance import find_damage
from tasks.reports.formatting import duration, integer, is_missing, percent
from tasks.tables import read_table

_COLUMNS = ("participant_id", "session", "task", "n_frames", "valid_fraction", "longest_gap_s", "included")


def list_coverage(derivatives: Derivatives) -> list[dict[str, str]]:
    """Rows for people: how much of each recording was measured, and whether it counts in tests; the lowest coverage first.

    Parameters
    ----------
    derivatives
        Of the study.

    Returns
    -------
    list of dict
        Empty where there is no participant table, or it is not as its step wrote it. Ids only, and numbers: what a lab wrote into
        other columns is not repeated.
    """
    path = derivatives.group_table("features", "participants")
    if find_damage(path) is not None:
        return []
    table = read_table(path, only=_COLUMNS).sort_values(["valid_fraction", "participant_id"], kind="stable")
    return [
        {
            "participant": f"sub-{row['participant_id']}",
            "session": "" if is_missing(row["session"]) else str(row["session"]),
            "task": "" if is_missing(row["task"]) else str(row["task"]),
            "frames": integer(row["n_frames"]),
            "valid": percent(row["valid_fraction"]),
            "longest gap": duration(row["longest_gap_s"]),
            "in tests": "yes" if row["included"] else "no",
        }
        for row in table.to_dict("records")
        if is_label(str(row["participant_id"]))
    ]
