"""What every flow does first and last: open the study, and account for every input."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import State, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed

from tasks.checking import CheckedStudy, check_study, write_triage
from tasks.errors import ExitCode, FacetraceError
from tasks.manifest import Outcome, RunManifest

STATE_SOME_FAILED = "SomeParticipantsFailed"


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
    """

    checked: CheckedStudy
    manifest: RunManifest
    report: str = ""

    def step(self, name: str, work: Callable[[], object]) -> bool:
        """Do `work` as a Prefect task; where it cannot be done, note why and let the other steps go on.

        Parameters
        ----------
        name
            Name of the task, and of the step in messages.
        work
            Called without arguments, so that nothing but names and states reaches Prefect's database.

        Returns
        -------
        bool
            Whether it was done.
        """

        @task(name=name, cache_policy=NO_CACHE)
        def run_step() -> Any:
            try:
                work()
            except FacetraceError as error:
                return Failed(message="not done; the run log says why", data=error)
            return Completed(data=None)

        result = run_step(return_state=True).result(raise_on_failure=False)
        if isinstance(result, FacetraceError):
            self.manifest.add_step_error(name, result.exit_code, str(result))
        elif isinstance(result, BaseException):
            raise result
        return result is None

    def note_existing_tables(self) -> None:
        """Count recordings by whether their frame table is there, in flows that do not extract."""
        for video in self.checked.study.videos:
            there = self.checked.frame_table(video).exists()
            reason = "" if there else "no frame table yet: run `facetrace extract`"
            code = ExitCode.OK if there else ExitCode.INVALID_INPUT
            self.manifest.add(
                [Outcome(video.participant_id, video.session, video.task, "ok" if there else "failed", reason, code)]
            )

    def close(self) -> State[Any]:
        """Write the manifest, publish the table of inputs, and give the final state of the flow."""
        derivatives = self.checked.study.derivatives
        path = self.manifest.write(derivatives.logs)
        create_table_artifact(
            key="facetrace-inputs",
            table=[_public(outcome) for outcome in self.manifest.outcomes],
            description=path.name,
        )
        code = self.manifest.exit_code
        summary = {
            "result": self.manifest.result_line(),
            "exit_code": int(code),
            "problems": list(self._problems()),
            "report": self.report,
        }
        if code == ExitCode.OK:
            return Completed(message=summary["result"], data=summary)
        name = STATE_SOME_FAILED if code == ExitCode.SOME_PARTICIPANTS_FAILED else "Failed"
        return Failed(name=name, message=summary["result"], data=summary)

    def _problems(self) -> Iterable[str]:
        for outcome in self.manifest.outcomes:
            if outcome.status == "failed":
                yield f"FAILED sub-{outcome.participant_id}: {outcome.reason}"
        for error in self.manifest.step_errors:
            yield f"NOT DONE {error['step']}: {error['reason']}"


def find_study(study: str) -> Path:
    """Folder of a study that is named relative to ``FACETRACE_STUDIES`` (the working folder where it is not set)."""
    return Path(os.environ.get("FACETRACE_STUDIES", ".")) / study


def open_run(command: str, study: str, config: str, participants: Sequence[str], *, weights: bool = False) -> Run:
    """Check the study and begin a run on it.

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

    Raises
    ------
    FacetraceError
        If nothing can be analysed: settings, participants.tsv, or weights.
    """
    folder = find_study(study)
    checked = check_study(folder, config=folder / config if config else None, participant_labels=participants)
    checked.raise_if_unusable(needs_weights=weights)
    write_triage(checked)
    manifest = RunManifest(command)
    manifest.add(checked.outcomes)
    return Run(checked, manifest)


def _public(outcome: Outcome) -> dict[str, str]:
    """What may stand in Prefect's database: reasons name files, so they stay in the run log."""
    return {
        "participant": f"sub-{outcome.participant_id}",
        "session": outcome.session,
        "task": outcome.task,
        "status": outcome.status,
    }
