"""The manifest of a run: how every input ended, and the RESULT line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from tasks.bids_names import OfRecording
from tasks.errors import ExitCode
from tasks.provenance import software_versions, write_json_atomic

Status = Literal["ok", "failed", "skipped"]

SKIPPED_NOT_ASKED: Final = "not among --participant-label"
SKIPPED_WITHDRAWN: Final = "withdrawn"
SKIPPED_INTERRUPTED: Final = "the run was interrupted before it came to an end here"


@dataclass(frozen=True)
class Outcome(OfRecording):
    """How one recording, or one participant without a recording, ended.

    Attributes
    ----------
    participant_id, session, task
        Which recording; session and task may be empty.
    status
        ``ok``, ``failed`` or ``skipped``.
    reason
        Why it is not ok; empty otherwise.
    exit_code
        The code that this failure alone would give.
    action
        What extraction did: ``up to date``, ``computed`` or ``recomputed: ...``; empty where it did not come to it.
    """

    participant_id: str
    session: str
    task: str
    status: Status
    reason: str = ""
    exit_code: ExitCode = ExitCode.OK
    action: str = ""


@dataclass
class RunManifest:
    """Collects outcomes while a run goes on, and decides its exit code.

    Attributes
    ----------
    run_id
        Time stamp of the start in UTC.
    outcomes
        One per recording.
    step_errors
        Analyses that could not run, with their code and reason; they do not stop the others.
    actions
        What each step on the whole study did, in order.
    interrupted
        Whether the run was stopped, as by ctrl-C.
    """

    command: str
    run_id: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ"))
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    outcomes: list[Outcome] = field(default_factory=list)
    step_errors: list[dict[str, Any]] = field(default_factory=list)
    actions: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Add outcomes."""
        self.outcomes.extend(outcomes)

    def add_step_error(self, step: str, code: ExitCode, reason: str) -> None:
        """Note that an analysis could not run."""
        self.step_errors.append({"step": step, "exit_code": int(code), "reason": reason})

    def note_interruption(self, recordings: Iterable[OfRecording]) -> None:
        """Note that the run was stopped; those of its recordings that are not accounted for count as skipped."""
        self.interrupted = True
        known = {outcome.key for outcome in self.outcomes}
        left = [item.key for item in recordings if item.key not in known]
        self.add([Outcome(*key, "skipped", SKIPPED_INTERRUPTED) for key in left])

    def describe_actions(self) -> Iterator[str]:
        """Lines that say what was computed and why, recordings of the same fate together."""
        recordings = Counter(outcome.action for outcome in self.outcomes if outcome.action)
        if recordings:
            yield "extract: " + "; ".join(f"{count} {action}" for action, count in recordings.most_common())
        yield from (f"{step}: {action}" for step, action in self.actions.items())

    def count(self, status: Status) -> int:
        """Number of inputs that ended with `status`."""
        return Counter(outcome.status for outcome in self.outcomes)[status]

    @property
    def exit_code(self) -> ExitCode:
        """Code of the whole run: failed participants weigh more than an analysis that lacks participants."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        failed = [outcome for outcome in self.outcomes if outcome.status == "failed"]
        if failed and not self.count("ok"):
            codes = {outcome.exit_code for outcome in failed}
            return codes.pop() if len(codes) == 1 else ExitCode.INVALID_INPUT
        if failed:
            return ExitCode.SOME_PARTICIPANTS_FAILED
        if self.step_errors:
            return ExitCode(self.step_errors[0]["exit_code"])
        return ExitCode.OK

    def result_line(self) -> str:
        """The last line that a run prints."""
        counts = " ".join(f"{status}={self.count(status)}" for status in ("ok", "failed", "skipped"))
        return f"RESULT {counts} exit={int(self.exit_code)}"

    def write(self, folder: Path) -> Path:
        """Write the manifest into the log folder of the derivatives."""
        path = folder / f"run-{self.run_id}.json"
        write_json_atomic(
            path,
            {
                "run_id": self.run_id,
                "command": self.command,
                "started": self.started,
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "result": self.result_line(),
                "exit_code": int(self.exit_code),
                "inputs": [
                    {
                        "participant_id": outcome.participant_id,
                        "session": outcome.session,
                        "task": outcome.task,
                        "status": outcome.status,
                        "reason": outcome.reason,
                        "action": outcome.action,
                    }
                    for outcome in self.outcomes
                ],
                "step_errors": self.step_errors,
                "steps": self.actions,
                "software": software_versions(),
            },
        )
        return path


def read_last_run(folder: Path) -> RunManifest | None:
    """The manifest of the latest run that finished; None without one. Damaged manifests are passed over."""
    for path in sorted(folder.glob("run-*.json"), reverse=True):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            outcomes = [Outcome(**item) for item in found["inputs"]]
            return RunManifest(
                found["command"], found["run_id"], found["started"], outcomes, found["step_errors"], found["steps"]
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
