"""What every flow does first and last: open the study, and account for every input."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import State
from prefect.states import Completed, Failed

from flows.artifacts import publish_run
from flows.disclosure import UnsuccessfulRunError, describe_error, do_step
from tasks.bids_names import PARTICIPANTS_TABLE, Derivatives
from tasks.checking import CheckedStudy, check_study, write_triage
from tasks.errors import ExitCode, FacetraceError, InvalidInputError, OutputError
from tasks.manifest import Outcome, RunManifest
from tasks.provenance import describe_action, find_damage
from tasks.run_lock import hold_run_lock
from tasks.storage import remove_leftovers

STATE_SOME_FAILED = "SomeParticipantsFailed"


class StudyNotFoundError(InvalidInputError):
    """There is no study where one was asked for. The message names no file of a study, so that Prefect may show it."""


Check = Callable[[Path, Path | None, Sequence[str]], CheckedStudy]
"""Study folder, settings file, participants -> the checked study."""


def check_recordings(folder: Path, config: Path | None, participants: Sequence[str]) -> CheckedStudy:
    """Check all of a study and write its triage table, unless nothing can be analysed."""
    checked = check_study(folder, config=config, participant_labels=participants)
    checked.raise_if_unusable(needs_weights=False)
    write_triage(checked)
    return checked


@dataclass
class Run:
    """A run of a flow on a checked study.

    Attributes
    ----------
    checked
        The study with its settings.
    manifest
        Collects how every input ended.
    report
        Study-relative path of the group report, once there is one.
    notes
        Lines about participants that the command line prints when the run ends; they are not kept.
    """

    checked: CheckedStudy
    manifest: RunManifest
    report: str = ""
    notes: list[str] = field(default_factory=list)

    def step(self, name: str, work: Callable[[], str | None]) -> bool:
        """Do `work` as a Prefect task and note what it did; where it cannot be done, note why and let the other steps go on.

        Parameters
        ----------
        name
            Name of the task, and of the step in messages.
        work
            The step. Returns why it had to run, None where its outputs still held.

        Returns
        -------
        bool
            Whether it was done.
        """
        try:
            self.manifest.actions[name] = describe_action(do_step(name, work))
        except FacetraceError as error:
            self.manifest.add_step_error(name, error.exit_code, str(error))
        except Exception as error:  # noqa: BLE001  (noted with its place in the code; the report is written all the same)
            self.manifest.add_step_error(name, ExitCode.UNEXPECTED, describe_error(error))
        else:
            return True
        return False

    def note_existing_tables(self) -> None:
        """Count recordings by whether their frame table is there and whole, in flows that do not extract."""
        for video in self.checked.study.videos:
            damage = find_damage(self.checked.frame_table(video))
            reason = f"frame table: {damage}; run `facetrace extract`" if damage else ""
            code = ExitCode.INVALID_INPUT if damage else ExitCode.OK
            self.manifest.add([Outcome(*video.key, "failed" if damage else "ok", reason, code)])

    def frame_tables(self) -> list[Path]:
        """Frame tables of the recordings that did not fail in this run: an older table of one that failed does not count."""
        failed = {item.key for item in self.manifest.outcomes if item.status == "failed"}
        recordings = self.checked.study.recordings
        return [self.checked.frame_table(item) for item in recordings if item.key not in failed]

    def close(self) -> State[Any]:
        """Write the manifest, publish the table of inputs, and give the final state of the flow."""
        derivatives = self.checked.study.derivatives
        try:
            path = self.manifest.write(derivatives.logs)
        except OutputError as error:
            self.manifest.add_step_error("run log", error.exit_code, str(error))
        else:
            publish_run(self.manifest, path, derivatives)
        code = self.manifest.exit_code
        summary = {
            "result": self.manifest.result_line(),
            "exit_code": int(code),
            "actions": list(self.manifest.describe_actions()),
            "problems": list(self._problems()),
            "report": self.report,
            "notes": self.notes,
        }
        if code == ExitCode.OK:
            return Completed(message=self.manifest.result_line(), data=summary)
        name = STATE_SOME_FAILED if code == ExitCode.SOME_PARTICIPANTS_FAILED else "Failed"
        return Failed(name=name, message=self.manifest.result_line(), data=UnsuccessfulRunError(summary))

    def _problems(self) -> Iterable[str]:
        for outcome in self.manifest.outcomes:
            if outcome.status == "failed":
                yield f"FAILED sub-{outcome.participant_id}: {outcome.reason}"
        for error in self.manifest.step_errors:
            yield f"NOT DONE {error['step']}: {error['reason']}"


def conduct(
    command: str,
    study: str,
    config: str,
    participants: Sequence[str],
    work: Callable[[Run], object],
    *,
    prepare: Callable[[Path], object] | None = None,
    weights: bool = False,
    check: Check = check_recordings,
) -> State[Any]:
    """Open a study, work on it, and account for it; errors end in the state and in the run log, not in Prefect's database.

    Parameters
    ----------
    command, study, config, participants, weights, check
        As of `open_run`.
    work
        The steps.
    prepare
        Called with the study folder before it is checked.

    Returns
    -------
    State
        Final state of the flow; its data is the summary of the run, or the error that ended it.
    """
    folder: Path | None = None
    try:
        folder = find_study(study, must_exist=prepare is None)
        if prepare is not None:
            prepare(folder)
        with open_run(command, study, config, participants, weights=weights, check=check) as run:
            work(run)
            return run.close()
    except Exception as error:  # noqa: BLE001  (whoever called the flow gets it as the state's data)
        return _end_early(command, folder, error)


def on_existing_tables(work: Callable[[Run], object]) -> Callable[[Run], None]:
    """`work` for flows that do not extract: recordings count by whether their frame table is there."""

    def count_and_work(run: Run) -> None:
        run.note_existing_tables()
        work(run)

    return count_and_work


def find_study(study: str, *, must_exist: bool = True) -> Path:
    """Folder of a study that is named relative to ``FACETRACE_STUDIES``.

    Raises
    ------
    StudyNotFoundError
        If the variable is not set where the flow runs, the study is named by a whole path, or is not there though it
        `must_exist`.
    """
    root = os.environ.get("FACETRACE_STUDIES", "")
    if not root or "{{" in root:
        raise StudyNotFoundError(
            "Expected the environment variable FACETRACE_STUDIES to name the folder that holds the study folders, got "
            f"{'a template that nothing filled in' if root else 'nothing'}. "
            "Set it where the worker starts, as docs/operations.md shows."
        )
    if not study or Path(study).is_absolute():
        raise StudyNotFoundError(
            f"Expected the name of a study folder inside FACETRACE_STUDIES, got {'a whole path' if study else 'nothing'}."
        )
    folder = Path(root) / study
    if must_exist and not folder.is_dir():
        raise StudyNotFoundError(
            f"Expected the study folder {study} inside the folder that FACETRACE_STUDIES names, got no such folder."
        )
    return folder


@contextmanager
def open_run(
    command: str,
    study: str,
    config: str,
    participants: Sequence[str],
    *,
    weights: bool = False,
    check: Check = check_recordings,
) -> Iterator[Run]:
    """Check the study and begin a run on it; no other run may work on it until the block ends.

    Parameters
    ----------
    command
        Name of the flow, for the manifest.
    study
        Study folder relative to ``FACETRACE_STUDIES``.
    config
        Settings file relative to the study folder; empty for its config.yaml.
    participants
        Only these; empty for all.
    weights
        Whether the flow needs the networks.
    check
        Gives the checked study.

    Yields
    ------
    Run

    Raises
    ------
    StudyBusyError
        If another run is at work on the study.
    FacetraceError
        If nothing can be analysed: settings, participants.tsv, or weights.
    """
    folder = find_study(study)
    derivatives = Derivatives.of_study(folder).folder
    # A folder that is no study gets no derivatives: checking it says why.
    lock = hold_run_lock(derivatives, command=command) if (folder / PARTICIPANTS_TABLE).is_file() else nullcontext()
    with lock:
        remove_leftovers(derivatives)
        checked = do_step("check", lambda: check(folder, folder / config if config else None, participants))
        checked.raise_if_unusable(needs_weights=weights)
        manifest = RunManifest(command)
        manifest.add(checked.outcomes)
        try:
            yield Run(checked, manifest)
        except BaseException as error:
            if not isinstance(error, Exception):  # ctrl-C, or Prefect's signal to end
                manifest.note_interruption(checked.study.videos)
                error.add_note(manifest.result_line())
                _write_log(manifest, folder, error)
            raise


def _end_early(command: str, folder: Path | None, error: Exception) -> State[Any]:
    """The state of a run that could not be opened or finished; its log is written where there is a study."""
    manifest = RunManifest(command)
    code = error.exit_code if isinstance(error, FacetraceError) else ExitCode.UNEXPECTED
    manifest.add_step_error(command, code, describe_error(error))
    if folder is not None and folder.is_dir():
        _write_log(manifest, folder, error)
    summary = {"result": manifest.result_line(), "exit_code": int(code), "problems": [], "report": ""}
    message = f"{manifest.result_line()}: {error}" if isinstance(error, StudyNotFoundError) else manifest.result_line()
    return Failed(message=message, data=UnsuccessfulRunError(summary, error))


def _write_log(manifest: RunManifest, folder: Path, error: BaseException) -> None:
    """Write the log of a run that `error` ended; where that cannot be done, the error says so and stays what it is."""
    try:
        manifest.write(Derivatives.of_study(folder).logs)
    except (OSError, FacetraceError) as unwritten:
        error.add_note(f"The run log could not be written: {describe_error(unwritten)}")
