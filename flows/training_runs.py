"""What a flow on a training folder does first and last: open the folder, and account for what was done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

from prefect import State
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.states import Completed, Failed

from flows.artifacts import EXIT_MEANINGS
from flows.disclosure import UnsuccessfulRunError, describe_error, do_step
from flows.runs import find_study
from tasks.errors import ExitCode, FacetraceError
from tasks.progress import Reporter, show_progress
from tasks.provenance import describe_action, software_versions, write_json_atomic
from tasks.run_lock import hold_run_lock
from tasks.settings import Settings
from tasks.storage import remove_leftovers
from tasks.training_folder import RESULTS, read_training_settings

LOGS: Final = "logs"
TRAINING_KEY: Final = "facetrace-training"
_SECONDS_BETWEEN_UPDATES: Final = 10.0


@dataclass
class TrainingRun:
    """A run of a flow on a training folder.

    Attributes
    ----------
    folder, settings
        The training folder and its settings.
    n_ok, n_skipped
        Images that were used, and that were left out.
    actions
        What each step did, in order.
    notes
        Lines that the command line prints when the run ends; they do not reach Prefect.
    """

    folder: Path
    settings: Settings
    n_ok: int = 0
    n_skipped: int = 0
    actions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def step(self, name: str, work: Callable[[], str | None]) -> None:
        """Do `work` as a Prefect task and note what it did; it returns why it had to, None where its results still held."""
        self.actions[name] = describe_action(do_step(name, work))

    def result_line(self, code: ExitCode) -> str:
        """The last line that the command prints; images are counted."""
        return f"RESULT ok={self.n_ok} failed=0 skipped={self.n_skipped} exit={int(code)}"


def conduct_training(command: str, folder: str, config: str, work: Callable[[TrainingRun], object]) -> State[Any]:
    """Open a training folder, work on it and account for it; errors end in the state, not in Prefect's database.

    Parameters
    ----------
    command
        Name of the flow.
    folder
        Training folder, relative to ``FACETRACE_STUDIES``.
    config
        Settings file, relative to the training folder; empty for its config.yaml.
    work
        The steps.

    Returns
    -------
    State
        Final state of the flow; its data is the summary of the run, or the error that ended it.
    """
    root: Path | None = None
    try:
        root = find_study(folder)
        settings = do_step("check", lambda: read_training_settings(root, root / config if config else None))
        run = TrainingRun(root, settings)
        with hold_run_lock(root / RESULTS, command=command):
            remove_leftovers(root / RESULTS)
            with _interruptions_noted(command, run):
                work(run)
            return _close(command, run)
    except Exception as error:  # noqa: BLE001  (whoever called the flow gets it as the state's data)
        code = error.exit_code if isinstance(error, FacetraceError) else ExitCode.UNEXPECTED
        line = f"RESULT ok=0 failed=0 skipped=0 exit={int(code)}"
        summary = {"result": line, "exit_code": int(code), "problems": [], "report": ""}
        if root is not None and (root / RESULTS).is_dir():
            _write_log(root, {"command": command, "result": line, "problem": describe_error(error)})
        return Failed(message=line, data=UnsuccessfulRunError(summary, error))


def _close(command: str, run: TrainingRun) -> State[Any]:
    line = run.result_line(ExitCode.OK)
    _write_log(run.folder, {"command": command, "result": line, "steps": run.actions, "notes": run.notes})
    rows = [f"| {name} | {action.partition(':')[0]} |" for name, action in run.actions.items()]
    page = [f"# {line}", "", EXIT_MEANINGS[ExitCode.OK], "", "| step | |", "|---|---|", *rows, ""]
    create_markdown_artifact(key=TRAINING_KEY, markdown="\n".join(page), description=line)
    actions = [f"{name}: {action}" for name, action in run.actions.items()]
    summary = {"result": line, "exit_code": 0, "actions": actions, "problems": [], "report": "", "notes": run.notes}
    return Completed(message=line, data=summary)


@contextmanager
def _interruptions_noted(command: str, run: TrainingRun) -> Iterator[None]:
    """Log ctrl-C, and Prefect's signal to end; the command prints the note that it leaves on the exception."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception):
            line = run.result_line(ExitCode.INTERRUPTED)
            _write_log(run.folder, {"command": command, "result": line, "steps": run.actions})
            error.add_note(line)
        raise


def _write_log(folder: Path, log: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    stamp = now.strftime("%Y%m%dT%H%M%S.%fZ")
    write_json_atomic(
        folder / RESULTS / LOGS / f"run-{stamp}.json",
        log | {"finished": now.isoformat(timespec="seconds"), "software": software_versions()},
    )


@contextmanager
def report_progress(key: str, description: str) -> Iterator[Reporter]:
    """A reporter that shows progress here, and the share of the work in thousandths as a Prefect artifact.

    Parameters
    ----------
    key, description
        Of the artifact.

    Yields
    ------
    Reporter
    """
    artifact = cast("UUID", create_progress_artifact(progress=0.0, key=key, description=description))
    with show_progress() as show:
        last = time.monotonic()

        def report(name: str, done: int, total: int) -> None:
            nonlocal last
            show(name, done, total)
            if done >= total or time.monotonic() - last >= _SECONDS_BETWEEN_UPDATES:
                update_progress_artifact(artifact_id=artifact, progress=100 * done / max(1, total))
                last = time.monotonic()

        yield report
