"""The atypicality step on a simulated study: tables, resumption at the fold, ratings that cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.synthetic.rated_sequences import simulate_rated_frames
from features.windows import sliding_windows
from tasks.atypicality import collect_windows
from tasks.atypicality_checkpoints import FoldStore
from tasks.atypicality_folds import make_recipe
from tasks.atypicality_inputs import assign_recordings, deal_folds, find_signals, read_frame_tables
from tasks.atypicality_step import CHECKPOINTS, update_atypicality
from tasks.bids_names import Derivatives
from tasks.errors import InvalidInputError, TooFewParticipantsError
from tasks.provenance import Step, read_sidecar, write_sidecar
from tasks.settings import AtypicalitySettings
from tasks.tables import read_table, write_table

QUICK = AtypicalitySettings(
    models=("gru",), repeats=2, stride_frames=4, learning_rates=(3e-3,), epochs=2, permutations=1, bootstrap_samples=100,
    workers=1,
)  # fmt: skip
UNITS = ["AU09", "AU12", "AU17"]


def write_study(folder: Path) -> tuple[Derivatives, list[Path], Path, pd.DataFrame]:
    """Four participants with ASD and two TD: frame tables with three units, and what five judges would say."""
    derivatives = Derivatives.of_study(folder)
    frames = simulate_rated_frames(4, 2, segments=4, seed=3)
    lines, tables = ["participant_id,start_frame,end_frame,judge,rating"], []
    for name, own in frames.groupby("participant_id"):
        table = own[["participant_id", "frame", *UNITS]].assign(session="", task="clips", valid=True)
        table["time_s"] = table["frame"] / 30
        path = derivatives.frame_table(name, "", "clips")
        columns = write_table(table, path)
        write_sidecar(path, Step("extract", 1), description="frames", columns=columns, started=datetime.now(UTC))
        tables.append(path)
        for _, segment in own.groupby("segment"):
            start, end = segment["frame"].iloc[[0, -1]]
            rating = segment["rating"].iloc[0]
            lines += [
                f"sub-{name},{start},{end},{judge},{round(rating + shift)}" for judge, shift in (("a", 0), ("b", 0.3))
            ]
    ratings = folder / "ratings.csv"
    ratings.write_text("\n".join(lines).replace(",6\n", ",5\n") + "\n")
    groups = frames.groupby("participant_id")["group"].first().reset_index()
    return derivatives, tables, ratings, groups


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    study = write_study(tmp_path_factory.mktemp("rated"))
    said: list[tuple[str, int, int]] = []
    why = update_atypicality(*study, settings=QUICK, progress=lambda *words: said.append(words))
    assert why == "missing"
    return study, said


def table_of(derivatives: Derivatives, name: str) -> pd.DataFrame:
    return read_table(derivatives.group_table(name, "atypicality"))


def test_all_tables_are_written_and_hold(finished) -> None:
    study, said = finished
    performance = table_of(study[0], "performance")
    assert set(performance["model"]) == {"gru", "median", "mean", "ridge", "boosting"}
    assert set(performance["n_participants"]) == {6}
    own = performance.set_index(["model", "measure"])
    assert own.loc[("gru", "rmse"), "estimate"] == pytest.approx(np.sqrt(own.loc[("gru", "mse"), "estimate"]), rel=0.05)
    assert own.loc[("median", "mae"), "less_constant"] == 0
    assert set(performance["verdict"]) <= {
        "n/a", "better than the constant", "worse than the constant", "no difference shown",
    }  # fmt: skip
    folds = table_of(study[0], "folds")
    assert folds.groupby("repeat")["participant_id"].nunique().tolist() == [6, 6]
    assert table_of(study[0], "signals")["signal"].tolist() == UNITS
    assert table_of(study[0], "moments")["position"].tolist() == list(range(15))
    assert said[-1] == ("atypicality gru", 12, 12)
    sidecar = read_sidecar(study[0].group_table("performance", "atypicality"))
    assert sidecar["facts"]["signals"] == UNITS
    assert sidecar["columns"]["verdict"]["description"]
    assert update_atypicality(*study, settings=QUICK) is None


def track_of(derivatives: Derivatives, tables: list[Path]) -> pd.DataFrame:
    """Tracks of all recordings, beside their frame tables."""
    return pd.concat(
        [read_table(path.with_name(path.name.replace("desc-frames", "desc-atypicality"))) for path in tables]
    )


def test_track_of_a_recording_is_the_mean_of_the_windows_that_hold_the_frame(finished) -> None:
    (derivatives, tables, *_), _ = finished
    track = track_of(derivatives, tables)
    assert not track.duplicated(["model", "participant_id", "frame"]).any()
    assert np.isfinite(track[["prediction", "sd_repeats"]]).all(axis=None)
    frames = read_table(tables[0])
    own = track[track["participant_id"] == frames["participant_id"].iloc[0]]
    # windows of 15 frames every 4, in each run of frames: all but the rest at the end, rated or not
    runs = (frames["frame"].diff() != 1).cumsum()
    sizes = frames.groupby(runs).size()
    assert len(own) == sum(15 + 4 * ((size - 15) // 4) for size in sizes if size >= 15)
    first = own[own["frame"] < frames["frame"].iloc[0] + 4]
    assert np.ptp(first["prediction"]) == 0  # only the first window holds them


def test_segments_say_what_became_of_them(finished) -> None:
    (derivatives, *_), _ = finished
    segments, runs = table_of(derivatives, "segments"), table_of(derivatives, "runs")
    assert len(segments) == 24
    assert (
        segments["n_windows"].sum()
        == runs["n_windows"].sum()
        == 0 + sum(max(0, (size - 15) // 4 + 1) for size in segments["n_frames"])
    )
    short = segments["end_frame"] - segments["start_frame"] + 1 < 15
    assert set(segments.loc[short, "status"]) <= {"shorter than a window"}
    assert set(segments.loc[~short, "status"]) == {"used"}


def test_a_lost_fold_is_the_only_one_that_is_trained_again(finished) -> None:
    (derivatives, tables, ratings, groups), _ = finished
    output = derivatives.group_table("performance", "atypicality")
    before = read_table(output)
    checkpoints = sorted((output.parent / CHECKPOINTS).glob("*/*.safetensors"))
    assert [path.name for path in checkpoints][:2] == [
        "gru_repeat-0_fold-0.safetensors", "gru_repeat-0_fold-1.safetensors",
    ]  # fmt: skip
    kept = {path: path.stat().st_mtime_ns for path in checkpoints[2:]}
    checkpoints[0].unlink()
    checkpoints[1].write_bytes(checkpoints[1].read_bytes()[:-7])
    output.unlink()
    said: list[tuple[str, int, int]] = []
    update_atypicality(derivatives, tables, ratings, groups, settings=QUICK, progress=lambda *words: said.append(words))
    assert [done for _, done, _ in said] == [9, 10, 11, 12]
    assert {path: path.stat().st_mtime_ns for path in checkpoints[2:]} == kept
    pd.testing.assert_frame_equal(read_table(output), before)


def test_folds_of_other_settings_are_not_taken(finished, tmp_path) -> None:
    (derivatives, *_), _ = finished
    output = derivatives.group_table("performance", "atypicality")
    key = read_sidecar(output)["step_key"]
    root = output.parent / CHECKPOINTS
    assert FoldStore(root, key, tuple(UNITS)).read("gru", 0, 0) is not None
    same_folder = key[:16] + "0" * 48
    assert FoldStore(root, same_folder, tuple(UNITS)).read("gru", 0, 0) is None
    assert FoldStore(root, key, tuple(UNITS)).read("bilstm", 0, 0) is None


def test_as_published_adds_the_batch_means(tmp_path) -> None:
    derivatives, tables, ratings, groups = write_study(tmp_path)
    settings = QUICK.model_copy(update={"protocol": "as_published", "repeats": 1, "epochs": 1, "stride_frames": 8})
    update_atypicality(derivatives, tables, ratings, groups, settings=settings)
    found = table_of(derivatives, "performance").set_index(["model", "measure"])
    assert set(found["protocol"]) == {"as_published"}
    assert found.loc[("gru", "batch_rmse"), "estimate"] <= np.sqrt(found.loc[("gru", "batch_mse"), "estimate"])
    median = found.loc[("median", "mae"), "estimate"]
    assert median * found.loc[("median", "mae"), "n_windows"] == pytest.approx(
        round(median * found.loc[("median", "mae"), "n_windows"])
    )  # whole labels, so errors of the median are whole


def make_frames(name: str, n: int = 40, task: str = "clips", session: str = "") -> pd.DataFrame:
    values = np.random.default_rng(0).random((n, 2))
    frames = pd.DataFrame(values, columns=["AU09", "AU12"])
    return frames.assign(participant_id=name, session=session, task=task, frame=np.arange(n), valid=True)


def make_segments(names: str, **columns: str) -> pd.DataFrame:
    rows = [(name, start, start + 19, 3, 1.0 + start / 20) for name in names for start in (0, 20)]
    table = pd.DataFrame(rows, columns=["participant_id", "start_frame", "end_frame", "n_judges", "mean"])
    return table.assign(**columns)


GROUPS = pd.DataFrame({"participant_id": list("abcdef"), "group": ["ASD", "TD"] * 3})


def collect(frames: list[pd.DataFrame], segments: pd.DataFrame, settings: AtypicalitySettings | None = None):
    recordings = read_frame_tables(frames)
    assigned = assign_recordings(segments, recordings, list(GROUPS["participant_id"]), file="ratings.csv")
    return collect_windows(recordings, assigned, GROUPS, settings or AtypicalitySettings())


def test_windows_stay_in_their_segment_and_carry_its_rating() -> None:
    frames = [make_frames(name) for name in "abcdef"]
    frames[0].loc[25, "valid"] = False
    rated = collect(frames, make_segments("abcdef"))
    where = rated.index.provenance.assign(label=rated.index.labels)
    own = where[where["participant_id"] == "b"]
    assert own["start"].tolist() == [*range(6), *range(20, 26)]
    assert own["label"].tolist() == [1.0] * 6 + [2.0] * 6
    # frame 25 is invalid: every window of the second segment that holds it is gone
    assert where.loc[where["participant_id"] == "a", "start"].tolist() == [*range(6)]
    assert rated.segments["status"].tolist() == ["used", "no window without a missing signal", *["used"] * 10]
    assert rated.groups.to_dict() == dict(zip("abcdef", ["ASD", "TD"] * 3, strict=True))
    direct = sliding_windows(frames[1], ["AU09", "AU12"], pd.Series(np.repeat([1.0, 2.0], 20)), label="segment")
    np.testing.assert_array_equal(rated.index.windows()[where["participant_id"] == "b"], direct[0])


@pytest.mark.parametrize("rule", ["mode", "mean"])
def test_other_labels_run_on_into_adjoining_segments_only(rule) -> None:
    segments = make_segments("abcdef")
    segments.loc[1, "start_frame"] = 21  # frame 20 of the first participant is not rated
    rated = collect([make_frames(name) for name in "abcdef"], segments, AtypicalitySettings(label=rule))
    where = rated.index.provenance.assign(label=rated.index.labels)
    assert where.loc[where["participant_id"] == "a", "start"].tolist() == [*range(6), *range(21, 26)]
    own = where[where["participant_id"] == "b"]
    direct = sliding_windows(make_frames("b"), ["AU09"], pd.Series(np.repeat([1.0, 2.0], 20)), label=rule)
    assert own["start"].tolist() == list(range(26))
    np.testing.assert_array_equal(own["label"], direct[1])


def test_ratings_choose_among_recordings_by_session_and_task() -> None:
    frames = [make_frames(name, session=session) for name in "abcdef" for session in ("1", "2")]
    with pytest.raises(InvalidInputError, match="one recording of sub-a for its segments, got 2") as error:
        collect(frames, make_segments("abcdef"))
    assert len(str(error.value).splitlines()) == 6
    rated = collect(frames, make_segments("abcdef", session="2"))
    assert set(rated.index.provenance["session"]) == {"2"}
    # both recordings are predicted
    assert set(rated.recordings.provenance["session"]) == {"1", "2"}
    rated = collect(frames, make_segments("abcdef", session="2").replace({"session": {0: "9"}}))
    with pytest.raises(TooFewParticipantsError):
        collect(frames, make_segments("abcdef", session="9"))


def test_strangers_and_segments_past_the_end_are_listed() -> None:
    frames = [make_frames(name) for name in "abcdef"]
    segments = make_segments("abcdefxy")
    segments.loc[1, "end_frame"] = 40
    with pytest.raises(InvalidInputError) as error:
        collect(frames, segments)
    lines = str(error.value).splitlines()
    assert lines[0].startswith("ratings.csv: expected participants of the study, got sub-x.")
    assert "whose last frame is 39, got one of 20 to 40" in lines[2]
    assert len(lines) == 3


def test_ratings_of_those_who_withdrew_are_left_out_and_of_those_without_recording_listed() -> None:
    recordings = read_frame_tables([make_frames(name) for name in "abcde"])
    assigned = assign_recordings(make_segments("abcdefx"), recordings, list("abcdef"), file="r", withdrawn=["x"])
    assert "x" not in set(assigned["participant_id"])
    rated = collect_windows(recordings, assigned, GROUPS, AtypicalitySettings(min_participants=5))
    assert rated.segments["status"].tolist() == [*["used"] * 10, *["no recording that can be used"] * 2]


def test_a_segment_shorter_than_a_window_or_without_ratings_is_listed() -> None:
    segments = make_segments("abcdef")
    segments.loc[0, "end_frame"] = 13
    segments.loc[2, "mean"] = np.nan
    rated = collect([make_frames(name) for name in "abcdef"], segments)
    assert rated.segments["status"].tolist()[:4] == ["shorter than a window", "used", "no judge rated it", "used"]
    assert rated.index.runs["too_short"].sum() == 1


def test_too_few_rated_participants_are_refused() -> None:
    with pytest.raises(TooFewParticipantsError, match="got 2"):
        collect([make_frames("a"), make_frames("b")], make_segments("ab"))
    with pytest.raises(TooFewParticipantsError, match="got 1"):
        collect([make_frames("a"), make_frames("b")], make_segments("a"))
    with pytest.raises(TooFewParticipantsError, match="got none"):
        collect([make_frames("a")], make_segments("b"))


def test_settings_reach_folds_and_recipe() -> None:
    groups = GROUPS.set_index("participant_id")["group"]
    alone = deal_folds(groups, AtypicalitySettings(folds=0))
    assert alone["fold"].tolist() == list(range(6))
    assert not alone["one_group"].any()
    assert deal_folds(groups, AtypicalitySettings(repeats=4))["repeat"].nunique() == 4
    assert make_recipe(AtypicalitySettings(protocol="as_published")).learning_rates == (1e-6,)
    assert make_recipe(AtypicalitySettings(windows_per_epoch=64)).windows_per_epoch == 64
    assert find_signals(["participant_id", "AU01", "arousal", "AU12"]) == ("AU01", "AU12")
    with pytest.raises(ValueError, match="leave one participant out"):
        AtypicalitySettings(folds=1)
