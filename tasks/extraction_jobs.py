"""What the extraction of each recording needs, as plain values: they go to other processes and machines.

Light: PyTorch is imported where a recording has to be extracted, not on a night on which nothing changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tasks.checking import CheckedStudy
from tasks.errors import WeightsError
from tasks.interruption import raise_if_interrupted
from tasks.progress import Reporter, silent
from tasks.provenance import Step, why_stale
from tasks.recordings import SessionVideo
from tasks.step_plans import ExtractionSettings, plan_extraction
from tasks.weights import Weights

REFERENCE_SUFFIXES: Final = (".jpg", ".jpeg", ".png")


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
    device
        The setting run.device; ``auto`` is settled where the job runs.
    threads
        CPU threads of the networks; 0 for all cores of the machine that runs the job, divided by `workers`.
    workers
        Jobs that run beside each other on one machine.
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
    workers: int = 1
    recognition: Path | None = None
    reference_image: Path | None = None

    @property
    def step(self) -> Step:
        """What decides the frame table."""
        return plan_extraction(
            self.video,
            video_sha256=self.video_sha256,
            settings=self.settings,
            weights=self.weights,
            reference_files=[path for path in (self.recognition, self.reference_image) if path is not None],
        )


def prepare_jobs(checked: CheckedStudy) -> list[ExtractionJob]:
    """A job for every recording of a checked study that can be read."""
    settings = checked.settings
    sections = ExtractionSettings(
        settings.video, settings.detection, settings.target, settings.quality, settings.attributes
    )
    recognition = _find_recognition(checked)
    return [
        ExtractionJob(
            video=video,
            video_sha256=checked.probes[video.label].sha256,
            rendered=checked.rendered[video.label],
            output=checked.frame_table(video),
            settings=sections,
            weights=checked.located_weights(),
            device=settings.run.device,
            threads=settings.run.threads,
            workers=settings.run.workers,
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
    OutputError
        If the table cannot be written.
    WeightsError
        If the weights do not fit.
    RunInterruptedError
        If the run was interrupted.
    """
    raise_if_interrupted()
    step = job.step
    why = why_stale(job.output, step)
    if why is not None:
        from tasks.extraction_step import extract_job  # noqa: PLC0415

        extract_job(job, step, progress=progress)
    return why


def find_reference_image(study_folder: Path, participant_id: str) -> Path | None:
    """The image ``sub-<id>/sub-<id>_reference.<jpg, jpeg or png>``, if there is one."""
    name = f"sub-{participant_id}"
    places = (study_folder / name / f"{name}_reference{suffix}" for suffix in REFERENCE_SUFFIXES)
    return next((path for path in places if path.is_file()), None)


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
