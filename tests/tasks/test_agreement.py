"""Occurrence counts, and the agreement of experts and tools on frames that both have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from features.facs import HRM_ACTIONS
from stats.reliability import icc
from tasks.agreement import (
    AGREEMENT_COLUMNS,
    OCCURRENCE_COLUMNS,
    compare_raters,
    count_occurrences,
    lay_out_agreement,
    prepare_tool,
)
from tasks.errors import InvalidInputError
from tasks.tables import write_table


def make_labels(seed: int = 0, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    active = rng.random((n, len(HRM_ACTIONS))) < 0.2
    labels = pd.DataFrame((active * rng.integers(1, 4, size=active.shape)).astype(np.uint8), columns=list(HRM_ACTIONS))
    labels["AD33"] = np.uint8(0)
    people = np.arange(n) * 6 // n
    labels.insert(0, "participant_id", [f"{k}" for k in people])
    labels.insert(1, "session", "")
    labels.insert(2, "task", "")
    labels.insert(3, "group", np.where(people < 4, "ASD", "TD"))
    labels.insert(4, "frame", np.arange(n))
    labels.insert(5, "emotion", pd.Series([None] * n, dtype="str"))
    return labels


def blur(labels: pd.DataFrame, share: float, seed: int = 1) -> pd.DataFrame:
    """The same labels with a share of them turned."""
    rng = np.random.default_rng(seed)
    table = labels.copy()
    actions = [name for name in HRM_ACTIONS if name != "AD33"]
    turned = rng.random((len(table), len(actions))) < share
    table[actions] = np.where(turned, np.where(table[actions] > 0, 0, 1), table[actions]).astype(np.uint8)
    return table


@pytest.fixture(scope="module")
def tool() -> pd.DataFrame:
    """A frame table of a tool that knows three units, with probabilities; every tenth frame has no face."""
    labels = blur(make_labels(), 0.3, seed=2)
    frames = labels[["participant_id", "session", "task", "frame"]].copy()
    frames["valid"] = np.arange(len(frames)) % 10 > 0
    for unit, source in (("AU01", "AU01"), ("AU12", "AU12"), ("AU26", "AU2X")):
        frames[unit] = np.where(labels[source] > 0, 0.8, 0.2)
    return frames


def test_occurrences_by_hand(tmp_path) -> None:
    labels = make_labels()
    table = count_occurrences(labels)
    assert table.columns.tolist() == [column.name for column in OCCURRENCE_COLUMNS]
    row = table[(table["action"] == "AU12") & (table["group"] == "TD")].iloc[0]
    td = labels.loc[labels["group"] == "TD", "AU12"]
    assert (row["n_frames"], row["n_active"], row["n_one_sided"], row["n_participants"]) == (
        100,
        (td > 0).sum(),
        (td > 1).sum(),
        2,
    )
    assert table.loc[table["action"] == "AD33", "n_active"].sum() == 0
    write_table(table, tmp_path / "t.parquet", described=OCCURRENCE_COLUMNS)


def test_agreement_of_experts_and_a_tool(tool, tmp_path) -> None:
    labels = make_labels()
    second = blur(labels, 0.05).iloc[100:]
    prepared = prepare_tool(tool)
    table = compare_raters({"A": labels, "B": second}, {"O": prepared})
    assert table.columns.tolist() == [column.name for column in AGREEMENT_COLUMNS]
    write_table(table, tmp_path / "t.parquet", described=AGREEMENT_COLUMNS)
    rows = table.set_index(["rater_a", "rater_b", "action"])
    assert set(rows.index.droplevel("action")) == {("A", "B"), ("A", "O"), ("B", "O")}
    a, b = (labels["AU12"] > 0).astype(int), (second["AU12"] > 0).astype(int)
    expected = icc(np.column_stack([a.iloc[100:], b]))
    row = rows.loc[("A", "B", "AU12")]
    assert (row["n_frames"], row["icc"], row["ci_low"]) == (
        200,
        pytest.approx(expected.estimate),
        pytest.approx(expected.ci_low),
    )
    valid = tool["valid"].to_numpy()
    jaw = rows.loc[("A", "O", "AU2X")]  # AU26 of the tool
    assert jaw["n_frames"] == valid.sum() == 270
    assert jaw["f1"] == pytest.approx(f1_score(labels.loc[valid, "AU2X"] > 0, tool.loc[valid, "AU26"] > 0.5))
    assert rows.loc[("A", "O", "AU04"), "note"] == "O does not know this action"
    assert rows.loc[("A", "B", "AD33"), "note"] == "neither sees it"
    assert np.isnan(rows.loc[("A", "B", "AD33"), "icc"])


def test_layout_of_table_three(tool) -> None:
    labels = make_labels()
    agreement = compare_raters({"A": labels, "B": blur(labels, 0.05)}, {"O": prepare_tool(tool)})
    table = lay_out_agreement(agreement, count_occurrences(labels), ["A", "B"])
    assert table.columns.tolist() == ["AU/AD", "Name", "ICC(A-B)", "ICC(A-O)", "ICC(B-O)", "F1(A-O)", "Occurrence"]
    assert table["AU/AD"].tolist() == [*HRM_ACTIONS, "Average"]
    average = table.iloc[-1]
    assert average["ICC(A-O)"] == pytest.approx(table["ICC(A-O)"].iloc[:-1].dropna().mean())
    assert np.isnan(average["Occurrence"])
    assert table.loc[table["AU/AD"] == "AU2X", "Name"].item() == "jaw drop or mouth stretch"


def test_raters_without_common_frames_are_an_error(tool) -> None:
    labels = make_labels()
    with pytest.raises(InvalidInputError, match="A and B both have, got none"):
        compare_raters({"A": labels, "B": labels.assign(frame=labels["frame"] + 1000)}, {})
    with pytest.raises(InvalidInputError, match="once from B"):
        compare_raters({"A": labels, "B": pd.concat([labels, labels.iloc[:1]])}, {})
    assert compare_raters({"A": labels}, {}).empty
