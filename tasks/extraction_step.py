"""The extraction step of one recording: whether it has to run, with which networks, and running it."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from tasks.checking import CheckedStudy
from tasks.errors import WeightsError
from tasks.extraction import LOW_SCORE_FLOOR, ExtractionSettings, Networks, extract_video, extraction_step
from tasks.progress import Reporter, silent
from tasks.provenance import why_stale
from tasks.recordings import SessionVideo
from tasks.reference_faces import ReferenceFace, find_reference_image, read_reference
from tasks.weights import Weights, load_attribute_model, load_detector

_log = logging.getLogger("facetrace")


@dataclass(frozen=True)
class ExtractionJob:
    """All that the extraction of one recording needs, as plain values that can go to another process.

    Attributes
    ----------
    video
        The recording.
    video_sha256
        Its hash.
    rendered
        Whether it shows rendered faces.
    output
        Frame table to write.
    settings
        Sections that extraction uses.
    weights
        Located weights of the detector and of the attribute network.
    device, threads
        Where the networks run, and on how many CPU threads.
    recognition, reference_image
        Face-recognition model and picture of the participant, where the study has them.
    """

    video: SessionVideo
    video_sha256: str
    rendered: bool
    output: Path
    settings: ExtractionSettings
    weights: tuple[Weights, Weights]
    device: str
    threads: int
    recognition: Path | None = None
    reference_image: Path | None = None


def prepare_jobs(checked: CheckedStudy) -> list[ExtractionJob]:
    """A job for every recording of a checked study that can be read."""
    settings = checked.settings
    sections = ExtractionSettings(
        settings.video, settings.detection, settings.target, settings.quality, settings.attributes
    )
    recognition = _find_recognition(checked)
    threads = settings.run.threads or max(1, (os.cpu_count() or 1) // settings.run.workers)
    return [
        ExtractionJob(
            video=video,
            video_sha256=checked.probes[video.label].sha256,
            rendered=checked.rendered[video.label],
            output=checked.study.derivatives.frame_table(video.participant_id, video.session, video.task),
            settings=sections,
            weights=checked.located_weights(),
            device=choose_device(settings.run.device),
            threads=threads,
            recognition=recognition,
            reference_image=find_reference_image(checked.study.folder, video.participant_id) if recognition else None,
        )
        for video in checked.study.videos
    ]


def run_job(job: ExtractionJob, *, progress: Reporter = silent) -> str | None:
    """Bring the frame table of a recording up to date.

    Returns
    -------
    str or None
        Why it was extracted; None where the table still held.

    Raises
    ------
    InvalidInputError
        If the recording cannot be read.
    WeightsError
        If the weights do not fit.
    """
    step = extraction_step(
        job.video,
        video_sha256=job.video_sha256,
        settings=job.settings,
        weights=job.weights,
        reference_files=[path for path in (job.recognition, job.reference_image) if path is not None],
    )
    why = why_stale(job.output, step)
    if why is None:
        _log.info("%s: up to date", job.video.label)
        return None
    _log.info("%s: extracts, because %s", job.video.label, why)
    torch.set_num_threads(job.threads)
    detection = job.settings.detection
    networks = _load_networks(
        job.weights,
        width=detection.width,
        confidence=min(LOW_SCORE_FLOOR, detection.confidence),
        nms_iou=detection.nms_iou,
        device=job.device,
    )
    extract_video(
        job.video,
        output=job.output,
        step=step,
        settings=job.settings,
        networks=networks,
        rendered=job.rendered,
        reference=_read_reference(job, networks),
        progress=progress,
    )
    return why


def _find_recognition(checked: CheckedStudy) -> Path | None:
    name = checked.settings.target.recognition
    if not name:
        return None
    path = checked.study.folder / name
    if not path.is_file():
        raise WeightsError(
            f"Expected the model {name} (setting target.recognition) in the study folder, it is missing."
        )
    return path


def _read_reference(job: ExtractionJob, networks: Networks) -> ReferenceFace | None:
    if job.recognition is None:
        return None
    return read_reference(job.recognition, job.reference_image, detector=networks.detector)


def choose_device(setting: str) -> str:
    """The torch device that the setting names; ``auto`` is a GPU where there is one."""
    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"


@lru_cache(maxsize=1)
def _load_networks(
    weights: tuple[Weights, Weights], *, width: int, confidence: float, nms_iou: float, device: str
) -> Networks:
    detector, attributes = weights
    return Networks(
        load_detector(detector, long_side=width, confidence=confidence, nms_iou=nms_iou, device=device),
        load_attribute_model(attributes, device=device),
        weights,
    )
