"""Coverage as rows of text."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from tasks.bids_names import Derivatives
from tasks.coverage_rows import list_coverage
from tasks.provenance import Step, write_sidecar
from tasks.tables import write_table


def test_the_lowest_coverage_comes_first_and_other_columns_stay_out(tmp_path):
    derivatives = Derivatives.of_study(tmp_path)
    assert list_coverage(derivatives) == []
    rows = pd.DataFrame(
        {
            "participant_id": ["001", "002", "A. Name"],
            "session": [None, "2", None],
            "task": "clips",
            "name_of_parent": "somebody",
            "n_frames": [1200, 1000, 10],
            "valid_fraction": [0.97, 0.4, 0.1],
            "longest_gap_s": [1.5, 75.0, 0.0],
            "included": [True, False, False],
        }
    ).astype({"session": "str"})
    path = derivatives.group_table("features", "participants")
    columns = write_table(rows, path)
    assert list_coverage(derivatives) == []  # without its sidecar it is no table to rely on
    write_sidecar(path, Step("summarize", 1), description="Rows", columns=columns, started=datetime.now(UTC))
    assert list_coverage(derivatives) == [
        {"participant": "sub-002", "session": "2", "task": "clips", "frames": "1,000", "valid": "40%", "longest gap": "1 min 15 s",
         "in tests": "no"},
        {"participant": "sub-001", "session": "", "task": "clips", "frames": "1,200", "valid": "97%", "longest gap": "1.5 s",
         "in tests": "yes"},
    ]  # fmt: skip
