"""Problems of a study: what is wrong, in which file and line, for whom, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a study.

    Attributes
    ----------
    severity
        An ``error`` keeps a participant, or the study, from being analysed; a ``warning`` does not.
    code
        Short name of the kind of problem, such as ``duplicate_id``; stable between versions.
    file
        Path relative to the study folder.
    line
        Line in that file, from 1, or None.
    participant_id
        Whom it concerns, without ``sub-``; None when it concerns the whole study.
    message
        "Expected ..., got ...".
    action
        What to do about it.
    """

    severity: Severity
    code: str
    file: str
    line: int | None
    participant_id: str | None
    message: str
    action: str

    @property
    def stops_study(self) -> bool:
        """Whether nothing can be analysed before it is solved."""
        return self.severity == "error" and self.participant_id is None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        whom = f" (sub-{self.participant_id})" if self.participant_id else ""
        return f"{self.severity}: {place}{whom}: {self.message} {self.action}"


def failed_participants(problems: Iterable[Problem]) -> dict[str, str]:
    """Participants with an error, and what the errors say.

    Parameters
    ----------
    problems
        Problems of a study.

    Returns
    -------
    dict
        participant_id -> messages joined by spaces, in order of appearance.
    """
    reasons: dict[str, list[str]] = {}
    for problem in problems:
        if problem.severity == "error" and problem.participant_id is not None:
            reasons.setdefault(problem.participant_id, []).append(problem.message)
    return {participant_id: " ".join(messages) for participant_id, messages in reasons.items()}


def list_problems(problems: Iterable[Problem]) -> str:
    """All problems, errors first, one a line."""
    ordered = sorted(problems, key=lambda problem: (problem.severity, problem.file, problem.line or 0, problem.code))
    return "\n".join(map(str, ordered))
