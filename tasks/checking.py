"""Check a study before anything is decoded: settings, tables, videos, weights. All problems at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pandas as pd

from tasks.bids_names import Derivatives, bare_id
from tasks.errors import ExitCode, FacetraceError, InvalidInputError, SettingsError, WeightsError
from tasks.events import read_events
from tasks.expression_votes import VoteTables, find_vote_tables
from tasks.manifest import SKIPPED_NOT_ASKED, SKIPPED_WITHDRAWN, Outcome
from tasks.participants import read_participants
from tasks.probe_cache import ProbeCache
from tasks.probing import TRIAGE_COLUMNS, VideoProbe, probe_study, probe_video
from tasks.problems import Problem, list_problems
from tasks.provenance import Step, write_sidecar
from tasks.rendered import is_rendered
from tasks.settings import Settings
from tasks.settings_file import read_settings
from tasks.study import Recording, Study, read_study
from tasks.tables import write_table
from tasks.weights import Weights, locate, refuse_demo_weights
from tasks.withdrawal import read_withdrawn

CONFIG_NAME: Final = "config.yaml"
TRIAGE_VERSION: Final = 1


@dataclass(frozen=True)
class CheckedStudy:
    """A study folder after all checks.

    Attributes
    ----------
    study
        Participants and the recordings that can be analysed.
    settings
        Its settings; the defaults where they could not be read.
    problems
        Everything that is wrong with tables and videos.
    triage
        ``desc-triage_videos``: one row a recording.
    probes, rendered
        Recording label -> what the video is; whether it shows rendered faces.
    weights
        The weights that were found: detector, attributes.
    settings_error, weights_error
        Why settings or weights cannot be used.
    probe_cache
        Probes to keep for the next run.
    """

    study: Study
    settings: Settings
    problems: tuple[Problem, ...] = ()
    triage: pd.DataFrame = field(default_factory=pd.DataFrame)
    probes: dict[str, VideoProbe] = field(default_factory=dict)
    rendered: dict[str, bool] = field(default_factory=dict)
    weights: tuple[Weights, ...] = ()
    settings_error: SettingsError | None = None
    weights_error: WeightsError | None = None
    probe_cache: ProbeCache = field(default_factory=ProbeCache)

    @property
    def outcomes(self) -> list[Outcome]:
        """Inputs that ended here: participants who failed a check, withdrew or were not asked for, and imported tables."""
        failed = [
            Outcome(name, "", "", "failed", reason, ExitCode.INVALID_INPUT)
            for name, reason in sorted(self.study.failed.items())
        ]
        skipped = [Outcome(name, "", "", "skipped", SKIPPED_NOT_ASKED) for name in self.study.not_chosen]
        skipped += [Outcome(name, "", "", "skipped", SKIPPED_WITHDRAWN) for name in self.study.withdrawn]
        imported = [Outcome(*item.key, "ok") for item in self.study.imported]
        return failed + skipped + imported

    @property
    def exit_code(self) -> ExitCode:
        """What ``facetrace check`` exits with."""
        for error in self._fatal(needs_weights=True):
            return error.exit_code
        if self.study.failed:
            usable = self.study.videos or self.study.imported
            return ExitCode.SOME_PARTICIPANTS_FAILED if usable else ExitCode.INVALID_INPUT
        return ExitCode.OK

    def raise_if_unusable(self, *, needs_weights: bool) -> None:
        """Stop where nothing can be analysed.

        Raises
        ------
        FacetraceError
            The first of: settings, study, weights.
        """
        for error in self._fatal(needs_weights=needs_weights):
            raise error

    def located_weights(self) -> tuple[Weights, Weights]:
        """Weights of the detector and of the attribute network.

        Raises
        ------
        WeightsError
            If one of them cannot be used.
        """
        if self.weights_error is not None:
            raise self.weights_error
        detector, attributes = self.weights
        return detector, attributes

    def frame_table(self, video: Recording) -> Path:
        """Where the frame table of a recording stands."""
        return self.study.derivatives.frame_table(*video.key)

    def frame_tables(self) -> list[Path]:
        """Frame tables of the recordings that can be analysed, as far as they exist, and those that were imported."""
        extracted = [path for path in map(self.frame_table, self.study.videos) if path.exists()]
        return sorted([*extracted, *(item.path for item in self.study.imported)])

    def events(self) -> dict[tuple[str, str, str], pd.DataFrame]:
        """Stimulus segments of each recording that has some, by participant, session and task."""
        found = self.study.recordings
        return {item.key: read_events(item.events_path) for item in found if item.events_path is not None}

    def vote_tables(self) -> VoteTables:
        """Tables of other expression models by recording, where the settings name such models.

        Raises
        ------
        InvalidInputError
            If one is missing.
        """
        return find_vote_tables(self.study.folder, self.settings.compare.vote_models, self.study.recordings)

    def describe(self) -> Iterator[str]:
        """Lines for a terminal: what was found, and everything that is wrong."""
        participants = len(self.study.participants)
        imported = f" {len(self.study.imported)} imported tables." if self.study.imported else ""
        yield f"{participants} participants, {len(self.triage)} videos, {len(self.study.videos)} of them ready.{imported}"
        if self.settings_error is not None:
            yield from (f"error: {line}" for line in str(self.settings_error).splitlines())
        if self.problems:
            yield from list_problems(self.problems).splitlines()
        if self.weights_error is not None:
            yield f"error: {self.weights_error}"
        if not (self.settings_error or self.problems or self.weights_error):
            yield "No problems found."

    def _fatal(self, *, needs_weights: bool) -> Iterator[FacetraceError]:
        if self.settings_error is not None:
            yield self.settings_error
        stopping = [problem for problem in self.problems if problem.stops_study]
        if stopping:
            yield InvalidInputError(list_problems(stopping))
        if needs_weights and self.weights_error is not None:
            yield self.weights_error


def check_study(folder: Path, *, config: Path | None = None, participant_labels: Sequence[str] = ()) -> CheckedStudy:
    """Check settings, participants.tsv, names, events, videos and weights of a study.

    Parameters
    ----------
    folder
        Study folder.
    config
        Settings; where None the study's own config.yaml, if it has one.
    participant_labels
        Only these participants; empty for all.
    """
    settings, settings_error = _read_settings(folder, config)
    groups = (settings.study.positive_group, settings.study.comparison_group)
    study, problems = read_study(
        folder, tasks=settings.study.tasks, participant_labels=participant_labels or None, groups=groups
    )
    kept = Derivatives.of_study(folder).folder
    cache = ProbeCache.read(kept) if settings.run.trust_file_times else ProbeCache()
    probed = probe_study(
        study,
        problems,
        min_duration_s=settings.video.min_duration_s,
        stall_timeout_s=settings.video.stall_timeout_s,
        probe=lambda video: cache.probe(video, probe_video),
    )
    rendered = {
        video.label: is_rendered(video.path, probed.probes[video.label].sha256)
        for video in study.videos
        if video.label in probed.probes
    }
    study = study.without(probed.problems)
    weights, weights_error = _find_weights(study, settings, rendered)
    return CheckedStudy(
        study=study,
        settings=settings,
        problems=(*problems, *probed.problems),
        triage=probed.table,
        probes=dict(probed.probes),
        rendered=rendered,
        weights=weights,
        settings_error=settings_error,
        weights_error=weights_error,
        probe_cache=cache,
    )


def open_for_import(
    folder: Path, *, config: Path | None = None, participant_labels: Sequence[str] = ()
) -> CheckedStudy:
    """Settings and participants of a study; videos are not looked at, because a study of imports may have none.

    Parameters
    ----------
    folder
        Study folder.
    config
        Settings; where None the study's own config.yaml, if it has one.
    participant_labels
        Only these participants; empty for all.

    Raises
    ------
    FacetraceError
        If the settings or participants.tsv cannot be used.
    """
    settings, settings_error = _read_settings(folder, config)
    if not folder.is_dir():
        raise InvalidInputError(f"Expected a study folder, got nothing at {folder.name}. Check the path.")
    groups = (settings.study.positive_group, settings.study.comparison_group)
    participants, descriptions, problems = read_participants(folder, groups=groups)
    withdrawn = read_withdrawn(folder)
    taking_part = tuple(person for person in participants if person.participant_id not in withdrawn)
    chosen = {bare_id(label) for label in participant_labels}
    left_out = tuple(item.participant_id for item in taking_part if chosen and item.participant_id not in chosen)
    study = Study(folder, participants=taking_part, not_chosen=left_out, withdrawn=withdrawn, descriptions=descriptions)
    checked = CheckedStudy(study, settings, tuple(problems), settings_error=settings_error)
    checked.raise_if_unusable(needs_weights=False)
    return checked


def write_triage(checked: CheckedStudy) -> Path:
    """Write the triage table of a study: one row a recording, and what is wrong with it; keep the probes for the next run."""
    output = checked.study.derivatives.group_table("triage", "videos")
    started = datetime.now(UTC)
    settings = {"video.min_duration_s": checked.settings.video.min_duration_s}
    inputs = {label: probe.sha256 for label, probe in checked.probes.items()}
    checked.probe_cache.write(checked.study.derivatives.folder, study_folder=checked.study.folder)
    columns = write_table(checked.triage, output, described=TRIAGE_COLUMNS)
    write_sidecar(
        output,
        Step("check", TRIAGE_VERSION, settings, inputs),
        description="Every recording of the study: what it is, and whether it can be analysed",
        columns=columns,
        started=started,
    )
    return output


def _read_settings(folder: Path, config: Path | None) -> tuple[Settings, SettingsError | None]:
    own = folder / CONFIG_NAME
    try:
        return read_settings(config or (own if own.exists() else None)), None
    except SettingsError as error:
        return Settings(), error


def _find_weights(
    study: Study, settings: Settings, rendered: dict[str, bool]
) -> tuple[tuple[Weights, ...], WeightsError | None]:
    if study.imported and not study.videos:
        return (), None
    try:
        weights = (
            locate(settings.detection.weights, "detector"),
            locate(settings.attributes.weights, "attributes", study_folder=study.folder),
        )
        refuse_demo_weights(
            weights,
            rendered=all(rendered.get(video.label, False) for video in study.videos),
            allowed=settings.attributes.allow_demo_weights,
        )
    except WeightsError as error:
        return (), error
    return weights, None
