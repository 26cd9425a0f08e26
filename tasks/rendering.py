"""A rendered study on disk: videos, tables and ground truth of simulated participants.

The sidecar of each video states that it was rendered, with the video's hash: only such videos may be measured with demo weights.
"""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from features.synthetic.cohort import ParticipantPlan, plan_cohort
from features.synthetic.rendered_ratings import (
    BASE_ATYPICALITY,
    JUDGE_SD,
    JUDGES,
    PERSON_SD,
    RENDERED_WEIGHTS,
    rate_session,
)
from features.synthetic.sessions import FRAME_RATE_HZ, SessionTruth, default_script, render_session, simulate_session
from tasks.progress import Reporter, silent
from tasks.provenance import (
    Step,
    sha256_file,
    why_stale,
    write_atomic,
    write_json_atomic,
    write_sidecar,
    write_text_atomic,
)
from tasks.step_plans import RATINGS_TABLE
from tasks.tables import read_table, write_table

CODE_VERSION: Final = 1
TASK: Final = "clips"
"""Task label of the rendered stimulus."""

_NOTE: Final = (
    "Rendered by facetrace. Nobody was recorded; the group differences were planted as test values "
    "and say nothing about autism."
)


def encode_video(path: Path, frames: Iterable[NDArray[np.uint8]], *, rate: float = FRAME_RATE_HZ) -> int:
    """Write RGB frames as H.264 in MP4, atomically.

    Parameters
    ----------
    path
        The video.
    frames
        uint8 (H, W, 3), even sizes.
    rate
        Frames per second.

    Returns
    -------
    int
        Number of frames.
    """
    n_frames = 0
    with write_atomic(path) as temporary, av.open(str(temporary), "w") as container:
        stream: Any = None
        for pixels in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "20", "preset": "veryfast", "threads": "1"}
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
            n_frames += 1
        if stream is not None:
            for packet in stream.encode():
                container.mux(packet)
    return n_frames


def simulate_participant(plan: ParticipantPlan) -> SessionTruth:
    """The session of a planned participant, before rendering."""
    return simulate_session(
        plan.identity,
        seed=plan.seed,
        temperament=plan.temperament,
        script=plan.script,
        second_person=plan.second_person,
    )


def render_participant_frames(plan: ParticipantPlan, *, seconds: float | None = None) -> Iterator[NDArray[np.uint8]]:
    """Frames of a planned participant's session, RGB (360, 640, 3); the first `seconds` where given."""
    wanted = None if seconds is None else round(seconds * FRAME_RATE_HZ)
    for pixels, _ in islice(render_session(simulate_participant(plan)), wanted):
        yield pixels


def render_study(
    folder: Path,
    *,
    n_per_group: int,
    seconds: float,
    seed: int,
    workers: int,
    progress: Reporter = silent,
) -> list[ParticipantPlan]:
    """Render a study of two groups into `folder`; participants that are there already are not rendered again.

    Parameters
    ----------
    folder
        Study folder.
    n_per_group
        Participants in each group.
    seconds
        Length of each session.
    seed
        Seed of the cohort.
    workers
        Processes.
    progress
        Told after each participant.

    Returns
    -------
    list of ParticipantPlan
        Who was planned.
    """
    plans = plan_cohort(n_per_group, seed, script=default_script(seconds))
    _write_study_files(folder, plans)
    step_settings = {"n_per_group": n_per_group, "seconds": seconds, "seed": seed}
    missing = [plan for plan in plans if why_stale(video_path(folder, plan), _step(plan, step_settings))]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=max(1, min(workers, len(missing))), mp_context=context) as pool:
        futures: list[Future[None]] = [
            pool.submit(_render_participant, folder, plan, step_settings) for plan in missing
        ]
        progress("rendering", len(plans) - len(missing), len(plans))
        for done, future in enumerate(as_completed(futures), start=len(plans) - len(missing) + 1):
            future.result()
            progress("rendering", done, len(plans))
    write_ratings(folder, plans)
    return plans


def write_ratings(folder: Path, plans: Sequence[ParticipantPlan]) -> None:
    """Write what judges would say of the rendered sessions, and beside the ground truth what they were made of.

    Parameters
    ----------
    folder
        Study folder with the ground truth of its participants.
    plans
        Participants; their seeds fix the ratings.
    """
    parts = []
    for plan in plans:
        path = truth_path(folder, plan)
        truth = read_table(path) if path.exists() else simulate_participant(plan).frames
        parts.append(
            rate_session(truth, plan.script, seed=plan.seed).assign(participant_id=f"sub-{plan.participant_id}")
        )
    rated = pd.concat(parts, ignore_index=True)
    key = ["participant_id", "start_frame", "end_frame"]
    truth_table = folder / "derivatives" / "ground-truth" / "atypicality.tsv"
    write_text_atomic(truth_table, _tsv(rated[[*key, "atypicality"]].round(4)))
    long = rated.melt(id_vars=key, value_vars=list(JUDGES), var_name="judge", value_name="rating")
    long = long.sort_values([*key, "judge"])
    write_text_atomic(folder / RATINGS_TABLE, long.to_csv(index=False, lineterminator="\n"))
    write_json_atomic(
        (folder / RATINGS_TABLE).with_suffix(".json"),
        {
            "Description": _NOTE,
            "RatingsSha256": sha256_file(folder / RATINGS_TABLE),
            "rating": {"Description": "1 natural to 5 highly atypical, drawn from a known atypicality of the segment"},
            "Atypicality": {
                "Base": BASE_ATYPICALITY,
                "Weights": RENDERED_WEIGHTS,
                "PersonSD": PERSON_SD,
                "JudgeSD": JUDGE_SD,
            },
        },
    )


def write_demo_settings(folder: Path) -> None:
    """Write the settings of the demo: demo weights, few permutations, short trainings; a file that is there already stays."""
    path = folder / "config.yaml"
    if path.exists():
        return
    settings = {
        "study": {"name": "facetrace demo: rendered participants"},
        "detection": {"weights": "demo-retinaface", "width": 320},
        "attributes": {"weights": "demo-attributes"},
        "classify": {"permutations": 20},
        "atypicality": {
            "repeats": 1,
            "epochs": 3,
            "windows_per_epoch": 1000,
            "learning_rates": [0.003],
            "permutations": 2,
            "explained_windows": 300,
            "bootstrap_samples": 500,
        },
        "report": {"show_covariates": True},
    }
    note = "# Settings of the demo; everything else has the default that `facetrace settings` prints.\n"
    write_text_atomic(path, note + yaml.safe_dump(settings, sort_keys=False))


def video_path(folder: Path, plan: ParticipantPlan) -> Path:
    """Where the video of a rendered participant stands."""
    name = f"sub-{plan.participant_id}"
    return folder / name / "beh" / f"{name}_task-{TASK}_recording-face_video.mp4"


def truth_path(folder: Path, plan: ParticipantPlan) -> Path:
    """Where the ground truth of a rendered participant stands: one row a frame."""
    name = f"sub-{plan.participant_id}"
    return folder / "derivatives" / "ground-truth" / name / "beh" / f"{name}_task-{TASK}_desc-truth_beh.parquet"


def _step(plan: ParticipantPlan, settings: dict[str, Any]) -> Step:
    return Step("render", CODE_VERSION, {**settings, "participant": plan.participant_id})


def _render_participant(folder: Path, plan: ParticipantPlan, settings: dict[str, Any]) -> None:
    started = datetime.now(UTC)
    session = simulate_participant(plan)
    truth = session.frames.drop(columns=[name for name in session.frames if str(name).startswith("second_")])
    write_table(truth, truth_path(folder, plan))
    path = video_path(folder, plan)
    encode_video(path, (pixels for pixels, _ in render_session(session)))
    write_sidecar(path, _step(plan, settings), description=_NOTE, started=started)


def _write_study_files(folder: Path, plans: Sequence[ParticipantPlan]) -> None:
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{plan.participant_id}" for plan in plans],
            "group": [plan.group for plan in plans],
            "age": [plan.age_years for plan in plans],
            "sex": [plan.sex for plan in plans],
            "nonverbal_iq": [plan.nonverbal_iq for plan in plans],
        }
    )
    write_text_atomic(folder / "participants.tsv", _tsv(table))
    write_json_atomic(
        folder / "participants.json",
        {
            "group": {
                "Description": "Group",
                "Levels": {"ASD": "autistic children", "TD": "typically developing children"},
            },
            "age": {"Description": "Age at the session", "Units": "years"},
            "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male"}},
            "nonverbal_iq": {"Description": "Non-verbal IQ; simulated, without any effect"},
        },
    )
    segments = plans[0].script
    events = pd.DataFrame(
        {
            "onset": [segment.onset_s for segment in segments],
            "duration": [segment.duration_s for segment in segments],
            "trial_type": [segment.trial_type for segment in segments],
            "stim_id": [segment.stim_id for segment in segments],
        }
    )
    write_text_atomic(folder / f"task-{TASK}_events.tsv", _tsv(events))
    write_json_atomic(
        folder / "dataset_description.json",
        {
            "Name": "facetrace demo: rendered participants",
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "GeneratedBy": [{"Name": "facetrace", "Description": _NOTE}],
        },
    )


def _tsv(table: pd.DataFrame) -> str:
    text = io.StringIO()
    table.to_csv(text, sep="\t", index=False, na_rep="n/a", lineterminator="\n")
    return text.getvalue()
