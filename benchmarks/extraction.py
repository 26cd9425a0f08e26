"""Frames per second of each extraction stage alone and of the whole chain, and peak memory.

Usage: python -m benchmarks.extraction [--seconds 20] [--width 1280] [--height 720]

A rendered session is encoded at the asked size; detection runs at 640 pixels, attributes with the demo network.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.memory import peak_memory_mib
from features.faces.alignment import align_face
from features.faces.pose import head_pose
from features.faces.quality import brightness, sharpness
from features.synthetic.cohort import plan_cohort
from tasks.extraction import Networks, extract_video
from tasks.provenance import sha256_file
from tasks.recordings import SessionVideo
from tasks.rendering import encode_video, render_participant_frames
from tasks.settings import Settings, VideoSettings
from tasks.step_plans import ExtractionSettings, plan_extraction
from tasks.videos import VideoReader
from tasks.weights import load_attribute_model, load_detector, locate

BATCH = VideoSettings().batch_frames


def measure(n_frames: int, work: Callable[[], object]) -> float:
    """Frames per second of `work`, after one run that does not count."""
    work()
    begun = time.perf_counter()
    work()
    return n_frames / (time.perf_counter() - begun)


def make_clip(path: Path, *, seconds: float, width: int, height: int) -> None:
    """Encode a rendered session, enlarged to the asked size."""
    plan = plan_cohort(1, seed=1)[0]
    frames = (
        cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC)
        for frame in render_participant_frames(plan, seconds=seconds)
    )
    encode_video(path, frames, rate=24)


def load_networks(settings: Settings) -> Networks:
    """The demo networks."""
    detector = locate("demo-retinaface", "detector")
    attributes = locate("demo-attributes", "attributes")
    return Networks(
        load_detector(detector, long_side=settings.detection.width, confidence=0.3, nms_iou=0.4, device="cpu"),
        load_attribute_model(attributes, device="cpu"),
        (detector, attributes),
    )


def decode(path: Path) -> int:
    """Read the whole clip."""
    with VideoReader(path) as reader:
        return sum(len(batch.index) for batch in reader.batches(BATCH))


def bench_stages(path: Path, networks: Networks) -> dict[str, float]:
    """Each stage alone."""
    with VideoReader(path) as reader:
        total = len(reader.clock.times_s)
        batch = next(reader.batches(96))
    frames = batch.pixels
    faces = networks.detector.detect(frames[:BATCH])
    pairs = [(frame, face.landmarks[0]) for frame, face in zip(frames[:BATCH], faces, strict=True) if len(face.scores)]
    crops = np.stack([align_face(frame, landmarks) for frame, landmarks in pairs])

    def detect() -> None:
        for start in range(0, len(frames), BATCH):
            networks.detector.detect(frames[start : start + BATCH])

    def align() -> None:
        for frame, landmarks in pairs:
            crop: NDArray[np.uint8] = align_face(frame, landmarks)
            sharpness(crop)
            brightness(crop)
            head_pose(landmarks)

    def attributes() -> None:
        for _ in range(6):
            networks.attributes.predict(crops)

    return {
        "decode": measure(total, lambda: decode(path)),
        "detect (640 wide)": measure(len(frames), detect),
        "align, pose, quality": measure(len(pairs), align),
        "attributes (224)": measure(6 * len(crops), attributes),
    }


def bench_chain(path: Path) -> tuple[float, float]:
    """Extract one video from end to end: frames per second, and peak memory of this process in MiB."""
    settings = Settings()
    networks = load_networks(settings)
    video = SessionVideo(participant_id="bench", session="", task="bench", path=path)
    sections = ExtractionSettings(
        settings.video, settings.detection, settings.target, settings.quality, settings.attributes
    )
    step = plan_extraction(video, video_sha256=sha256_file(path), settings=sections, weights=networks.weights)
    begun = time.perf_counter()
    facts = extract_video(
        video,
        output=path.with_suffix(".parquet"),
        step=step,
        settings=sections,
        networks=networks,
        rendered=True,
    )
    seconds = time.perf_counter() - begun
    return float(facts["n_frames"]) / seconds, peak_memory_mib()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    asked = parser.parse_args()
    settings = Settings()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        make_clip(path, seconds=asked.seconds, width=asked.width, height=asked.height)
        networks = load_networks(settings)
        print(
            f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
        )
        print(f"{asked.width}x{asked.height}, {asked.seconds:g} s at 24 frames/s, batches of {BATCH}")
        print(f"{'stage':24s} frames/s")
        for name, rate in bench_stages(path, networks).items():
            print(f"{name:24s} {rate:8.1f}")
        # In a process of its own, so that its peak memory is that of extraction alone.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            rate, peak = pool.submit(bench_chain, path).result()
    print(f"{'whole chain':24s} {rate:8.1f}")
    print(f"peak memory of extraction: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
