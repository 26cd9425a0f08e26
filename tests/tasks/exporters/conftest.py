"""A study folder with a participant table as `summarize` writes it, two imported frame tables, and covariates that make trouble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.vector_58 import SIGNALS
from tasks.bids_names import Derivatives
from tasks.checking import CheckedStudy, check_study
from tasks.group_steps import update_features
from tasks.importing import ImportJob, run_import
from tasks.provenance import read_sidecar, sha256_file, write_json_atomic
from tasks.settings import ImportSettings
from tasks.tables import read_table, write_table

PARTICIPANTS = (
    "participant_id\tgroup\tage\tsex\tiq.total\tIQ_total\tnote\n"
    '001\tASD\t5.25\tF\t101\t1\t=HYPERLINK("http://x")\n'
    "002\tTD\t6.5\tM\t99\t2\t<script>alert(1)</script>\n"
    "003\tASD\tn/a\tn/a\tn/a\t3\tn/a\n"
    "004\tTD\t7\tF\t110\t4\tplain\n"
)
DESCRIPTIONS = {
    "sex": {"Description": "Sex at birth", "Levels": {"M": "male", "F": "female"}},
    "age": {"Description": "Age at the first session", "Units": "years"},
    "note": {"Description": "Remark <b>by hand</b>"},
}


def write_study(folder: Path) -> CheckedStudy:
    """Four participants with all 22 signals; frames are formulas, so that features are known."""
    folder.mkdir()
    (folder / "participants.tsv").write_text(PARTICIPANTS)
    (folder / "participants.json").write_text(json.dumps(DESCRIPTIONS))
    derivatives = Derivatives.of_study(folder)
    csv = folder / "lf.csv"
    rows = ["frame_idx,frame_time_in_ms,au_1,au_1_intensity", *(f"{i},{i * 40},{i % 2},{i % 5}" for i in range(200))]
    csv.write_text("\n".join(rows) + "\n")
    for number, name in enumerate(("001", "002", "003", "004"), start=1):
        run_import(
            ImportJob(name, "", "clips", csv),
            derivatives=derivatives,
            settings=ImportSettings(),
            known={name},
            filmed=(),
        )
        path = derivatives.frame_table(name, "", "clips")
        frames = read_table(path)
        rng = np.random.default_rng(number)
        signals = {signal: rng.random(len(frames)).astype(np.float32) for signal in SIGNALS}
        sidecar = read_sidecar(path)
        write_table(frames.assign(**signals), path)
        write_json_atomic(path.with_suffix(".json"), {**sidecar, "output_sha256": sha256_file(path)})
    checked = check_study(folder)
    update_features(
        derivatives,
        checked.frame_tables(),
        checked.study.participants_table(),
        settings=checked.settings.summarize,
    )
    return check_study(folder)


@pytest.fixture(scope="session")
def exported_study(tmp_path_factory) -> CheckedStudy:
    """The study, checked."""
    return write_study(tmp_path_factory.mktemp("export") / "study")


@pytest.fixture(scope="session")
def features(exported_study) -> pd.DataFrame:
    """Its participant table."""
    return read_table(exported_study.study.derivatives.group_table("features", "participants"))


@pytest.fixture(scope="session")
def exported(exported_study) -> Path:
    """Folder of its exports in all formats, frames too."""
    from tasks.exporting import export_tables

    export_tables(exported_study, formats=("parquet", "csv", "csv2", "sav"), tables=("features", "frames"))
    return exported_study.study.derivatives.folder / "export"


@pytest.fixture
def dictionary(exported) -> dict[str, Any]:
    """Columns of the exported participant table, as its dictionary says."""
    return json.loads((exported / "features.json").read_text())["columns"]
