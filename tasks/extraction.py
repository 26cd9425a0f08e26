"""From a session video to its frame table, in one pass.

Each recording is decoded in batches, the participant's face is found and cut out of the full-resolution frame, the attribute
network reads it, and rows go to Parquet in row groups. Decoding, detection and attributes run in three threads that are at most two
batches apart, so memory does not depend on the length of the recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.attributes.model import AttributeModel
from features.faces.alignment import align_face
from features.faces.detector import FaceDetector
from features.faces.face_crops import cut_face
from features.faces.pose import head_pose
from features.faces.postprocessing import Detections
from features.faces.quality import brightness, sharpness
from features.faces.target import TargetTracker
from features.frame_table import BOX, LANDMARKS, POSE, columns, empty_rows
from tasks.errors import InvalidInputError
from tasks.interruption import raise_if_interrupted
from tasks.pipelining import Watch, prefetch
from tasks.progress import Reporter, silent
from tasks.provenance import Step, sha256_file, write_sidecar
from tasks.recordings import SessionVideo
from tasks.reference_faces import ReferenceFace
from tasks.step_plans import ExtractionSettings
from tasks.tables import frame_table_writer
from tasks.videos import FrameBatch, VideoReader
from tasks.weights import Weights

LOW_SCORE_FLOOR: Final = 0.5
"""Faces that score between this and detection.confidence make a frame ``low_score`` instead of ``no_face``. The real recording
without a face reaches 0.495 (RetinaFace MobileNet-0.25), those with one stay above 0.99."""

QUALITY_CROP: Final = 224
"""Side in pixels of the aligned crop on which sharpness and brightness are measured."""


@dataclass(frozen=True)
class Networks:
    """The two networks of extraction with the weights that they hold."""

    detector: FaceDetector
    attributes: AttributeModel
    weights: tuple[Weights, Weights]

    @property
    def demo(self) -> bool:
        """Whether one of them holds demo weights."""
        return any(item.demo for item in self.weights)


@dataclass(frozen=True)
class _Measured:
    rows: pd.DataFrame
    crops: NDArray[np.uint8]


def extract_video(
    video: SessionVideo,
    *,
    output: Path,
    step: Step,
    settings: ExtractionSettings,
    networks: Networks,
    rendered: bool,
    reference: ReferenceFace | None = None,
    progress: Reporter = silent,
) -> dict[str, Any]:
    """Write the frame table of one recording and its sidecar.

    Parameters
    ----------
    video
        The recording.
    output
        Where the table goes.
    step
        From `tasks.step_plans.plan_extraction`.
    settings
        Sections that this step uses.
    networks
        Loaded networks.
    rendered
        Whether the recording shows rendered faces.
    reference
        Who the participant is, where a recognition model is set.
    progress
        Told after each batch.

    Returns
    -------
    dict
        Facts of the pass: rows, rows by reason, reader and its notes, target switches.

    Raises
    ------
    InvalidInputError
        If the recording cannot be read at all, stalls, or is another file when it was read than when it was checked.
    OutputError
        If the table cannot be written.
    RunInterruptedError
        If the run was interrupted.
    """
    started = datetime.now(UTC)
    reasons: Counter[str] = Counter()
    aus = networks.attributes.aus
    reader = VideoReader(video.path, reader=settings.video.reader)
    read = _read_frames(reader, video, sha256=step.inputs[video.label], n=settings.video.batch_frames)
    watch = Watch(video.path.name, settings.video.stall_timeout_s)
    with frame_table_writer(output, aus) as writer:
        measurer = FaceMeasurer(video, settings=settings, networks=networks, reference=reference)
        with prefetch(read, watch=watch) as batches, prefetch(map(measurer.measure, batches)) as measured:
            for item in measured:
                raise_if_interrupted()
                rows = _read_attributes(item, networks.attributes)
                writer.append(rows)
                reasons.update(rows["invalid_reason"])
                progress(f"sub-{video.participant_id}", writer.n_rows, len(reader.clock))
        facts = {
            "n_frames": writer.n_rows,
            "frames_by_reason": dict(sorted(reasons.items())),
            "reader": reader.reader_used,
            "reader_notes": list(reader.notes),
            "frame_size": [reader.width, reader.height],
            "target_switches": [
                {"frame": item.frame, "time_s": round(item.time_s, 3), "reason": item.reason}
                for item in measurer.tracker.switches
            ],
            "demo_weights": networks.demo,
            "rendered": rendered,
            "aus": list(aus),
        }
    write_sidecar(
        output,
        step,
        description="One row for every frame of the recording: the participant's face and its attributes",
        columns=columns(aus),
        started=started,
        facts=facts,
    )
    return facts


def _read_frames(reader: VideoReader, video: SessionVideo, *, sha256: str, n: int) -> Iterator[FrameBatch]:
    """All of a recording, opened, read and hashed again in the thread that iterates."""
    with reader:
        yield from reader.batches(n)
    if not video.path.is_file():
        problem = "it was deleted"
    elif sha256_file(video.path) != sha256:
        problem = "its content changed, as when it is still being copied"
    else:
        return
    raise InvalidInputError(
        f"Expected {video.path.name} to stay as it is while it is read, but {problem}. Put the whole recording in its place, then "
        "run again."
    )


class FaceMeasurer:
    """Finds the participant's face in batches of frames, in order, and cuts it out.

    Parameters
    ----------
    video
        Names for the rows.
    settings, networks, reference
        As in `extract_video`.
    """

    def __init__(
        self,
        video: SessionVideo,
        *,
        settings: ExtractionSettings,
        networks: Networks,
        reference: ReferenceFace | None = None,
    ) -> None:
        self._video = video
        self._settings = settings
        self._detector = networks.detector
        self._aus = networks.attributes.aus
        self._crop_size = networks.attributes.input_size
        self.tracker = TargetTracker(
            max_gap_s=settings.target.max_gap_s,
            min_iou=settings.target.min_iou,
            embed=reference.embed if reference else None,
            reference=reference.descriptor if reference else None,
            min_similarity=settings.target.min_similarity,
        )

    def measure(self, batch: FrameBatch) -> _Measured:
        """Rows of a batch without signals, and a crop for each valid row."""
        rows = _begin_rows(batch, self._video, self._aus)
        values = {name: rows[name].to_numpy().copy() for name in rows.columns}
        decoded = np.flatnonzero(batch.decoded)
        found = self._detector.detect(batch.pixels[decoded]) if decoded.size else []
        crops = []
        for row, detections in zip(decoded.tolist(), found, strict=True):
            crop = self._measure_frame(values, row, detections, batch)
            if crop is not None:
                crops.append(crop)
        size = self._crop_size
        stacked = np.stack(crops) if crops else np.zeros((0, size, size, 3), dtype=np.uint8)
        return _Measured(pd.DataFrame(values).astype(rows.dtypes), stacked)

    def _measure_frame(
        self, values: dict[str, Any], row: int, detections: Detections, batch: FrameBatch
    ) -> NDArray[np.uint8] | None:
        sure = detections.scores >= self._settings.detection.confidence
        values["n_faces"][row] = int(sure.sum())
        faces = detections.select(sure)
        target = self.tracker.update(
            faces, frame=int(batch.index[row]), time_s=float(batch.time_s[row]), frame_pixels=batch.pixels[row]
        )
        if target is None:
            values["invalid_reason"][row] = _why_no_target(detections, found=bool(sure.any()))
            return None
        box, landmarks = faces.boxes[target], faces.landmarks[target]
        pixels = batch.pixels[row]
        aligned = align_face(pixels, landmarks, size=QUALITY_CROP)
        pose = head_pose(landmarks)
        _set(values, row, BOX, box)
        _set(values, row, LANDMARKS, landmarks.ravel())
        _set(values, row, POSE, pose)
        values["face_score"][row] = faces.scores[target]
        values["sharpness"][row] = sharpness(aligned)
        values["brightness"][row] = brightness(aligned)
        reason = self._why_invalid(box, pose, values["sharpness"][row])
        values["invalid_reason"][row] = reason
        values["valid"][row] = reason == "ok"
        if reason != "ok":
            return None
        return self._cut(pixels, box, landmarks, aligned)

    def _why_invalid(self, box: NDArray[np.float32], pose: tuple[float, float, float], sharp: float) -> str:
        quality = self._settings.quality
        if min(box[2] - box[0], box[3] - box[1]) < quality.min_face_px:
            return "too_small"
        if abs(pose[0]) > quality.max_yaw_deg or abs(pose[1]) > quality.max_pitch_deg:
            return "extreme_pose"
        return "blurred" if sharp < quality.min_sharpness else "ok"

    def _cut(
        self,
        pixels: NDArray[np.uint8],
        box: NDArray[np.float32],
        landmarks: NDArray[np.float32],
        aligned: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        side = self._crop_size
        mode = self._settings.detection.mode
        if mode == "aligned" and side == QUALITY_CROP:
            return aligned
        return cut_face(pixels, box, landmarks, mode=mode, size=side)


def _why_no_target(detections: Detections, *, found: bool) -> str:
    if found:
        return "not_target"
    return "low_score" if len(detections.scores) else "no_face"


def _begin_rows(batch: FrameBatch, video: SessionVideo, aus: tuple[str, ...]) -> pd.DataFrame:
    rows = empty_rows(len(batch.index), aus)
    rows["participant_id"] = video.participant_id
    rows["session"] = video.session
    rows["task"] = video.task
    rows["frame"] = batch.index.astype(np.int32)
    rows["time_s"] = batch.time_s
    rows.loc[~batch.decoded, "invalid_reason"] = "decode_error"
    return rows


def _set(values: dict[str, Any], row: int, names: tuple[str, ...], numbers: Any) -> None:
    for name, number in zip(names, numbers, strict=True):
        values[name][row] = number


def _read_attributes(measured: _Measured, attributes: AttributeModel) -> pd.DataFrame:
    rows = measured.rows
    if len(measured.crops):
        signals = attributes.predict(measured.crops)
        rows.loc[rows["valid"].to_numpy(), list(attributes.signals)] = signals
    return rows
