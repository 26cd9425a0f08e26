"""Errors that end a step or a run, each with the exit code of the command line."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of every ``facetrace`` command."""

    OK = 0
    UNEXPECTED = 1
    SETTINGS = 2
    INVALID_INPUT = 3
    SOME_PARTICIPANTS_FAILED = 4
    TOO_FEW_PARTICIPANTS = 5
    WEIGHTS = 6
    INTERRUPTED = 130


class FacetraceError(Exception):
    """An error whose message tells an analyst what was expected, what was found and what to do next."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNEXPECTED


class SettingsError(FacetraceError):
    """A setting or a command-line option that cannot be used."""

    exit_code = ExitCode.SETTINGS


class InvalidInputError(FacetraceError):
    """A study, table or video that cannot be read."""

    exit_code = ExitCode.INVALID_INPUT


class StalledError(InvalidInputError):
    """A recording of which nothing more could be read, though no error was reported."""


class OutputError(FacetraceError):
    """An output that cannot be written: the disk is full, the folder is read-only."""


class StudyBusyError(FacetraceError):
    """Another run is at work on the study."""


class RunInterruptedError(FacetraceError):
    """The run was interrupted by its user or by the system."""

    exit_code = ExitCode.INTERRUPTED


class SomeParticipantsFailed(FacetraceError):  # noqa: N818  (the name of the Prefect state, fixed by the design)
    """The run finished; some participants failed."""

    exit_code = ExitCode.SOME_PARTICIPANTS_FAILED


class TooFewParticipantsError(FacetraceError):
    """An analysis has fewer valid participants than it needs."""

    exit_code = ExitCode.TOO_FEW_PARTICIPANTS


class WeightsError(FacetraceError):
    """Weights that are missing, altered, of the wrong kind, or not allowed on this study."""

    exit_code = ExitCode.WEIGHTS
