"""The extraction of one recording: with which networks, and running it."""

from __future__ import annotations

import os
from functools import lru_cache

import torch

from tasks.attribute_checkpoints import choose_checkpoint_device, require_crops
from tasks.extraction import LOW_SCORE_FLOOR, Networks, extract_video
from tasks.extraction_jobs import ExtractionJob
from tasks.progress import Reporter, silent
from tasks.provenance import Step
from tasks.reference_faces import ReferenceFace, read_reference
from tasks.weights import Weights, load_attribute_model, load_detector


def extract_job(job: ExtractionJob, step: Step, *, progress: Reporter = silent) -> None:
    """Extract a recording; errors as of `tasks.extraction_jobs.run_job`.

    Parameters
    ----------
    job
        What to extract, and how.
    step
        ``job.step``, for the sidecar.
    progress
        Told after each batch.
    """
    threads = job.threads or max(1, (os.cpu_count() or 1) // job.workers)
    torch.set_num_threads(threads)
    detection = job.settings.detection
    networks = _load_networks(
        job.weights,
        width=detection.width,
        confidence=min(LOW_SCORE_FLOOR, detection.confidence),
        nms_iou=detection.nms_iou,
        device=choose_device(job.device),
        mode=detection.mode,
        attributes_device=choose_checkpoint_device(job.weights[1].path, job.device),
        threads=threads,
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
    weights: tuple[Weights, Weights],
    *,
    width: int,
    confidence: float,
    nms_iou: float,
    device: str,
    mode: str,
    attributes_device: str,
    threads: int,
) -> Networks:
    detector, attributes = weights
    model = load_attribute_model(attributes, device=attributes_device, threads=threads)
    require_crops(attributes.name, model.metadata, mode)
    return Networks(
        load_detector(detector, long_side=width, confidence=confidence, nms_iou=nms_iou, device=device), model, weights
    )
