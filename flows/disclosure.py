"""What Prefect may see of an error: its kind. The message names files and paths, and stays in the run log of the study.

Prefect stores the message of an exception in its database, and logs the representation of a failed state with all it carries.
Tasks therefore raise `WithheldError`, and errors reach the flow beside Prefect.
"""

from __future__ import annotations

import errno
import logging
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from prefect import State, Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun

from tasks.errors import ExitCode, FacetraceError

T = TypeVar("T")

RETRY_DELAYS_S: Final = (10, 120)
"""Seconds before the second and the third attempt. A share that remounts is back within seconds; a server that restarts within
two minutes. What is away for longer is away until morning, and then the next run takes it up."""

_TRANSIENT: Final = frozenset(
    getattr(errno, name)
    for name in (
        "EIO", "EAGAIN", "EINTR", "EBUSY", "ESTALE", "ETIMEDOUT", "EREMOTEIO", "ENOLINK", "ENETDOWN", "ENETUNREACH",
        "ENETRESET", "ECONNRESET", "ECONNABORTED", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN",
    )
    if hasattr(errno, name)
)  # fmt: skip

# ERROR_BAD_NETPATH, UNEXP_NET_ERR, NETNAME_DELETED, SEM_TIMEOUT, NETWORK_UNREACHABLE of Windows' winerror.h.
_TRANSIENT_WINDOWS: Final = frozenset({53, 59, 64, 121, 1231})

_PROJECT: Final = Path(__file__).resolve().parent.parent
_log = logging.getLogger("facetrace")


class WithheldError(Exception):
    """An error as Prefect may print and store it.

    Attributes
    ----------
    kind
        Name of the error's class, and of its errno where it has one.
    reason
        What it says, for the run log. Not part of the message.
    exit_code
        The code that it gives a run.
    transient
        Whether another attempt may succeed.
    """

    def __init__(self, kind: str, reason: str, exit_code: ExitCode, transient: bool) -> None:
        super().__init__(f"{kind}; the run log in the study's derivatives says why")
        self.kind = kind
        self.reason = reason
        self.exit_code = exit_code
        self.transient = transient

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the attributes on the way from a worker process."""
        return type(self), (self.kind, self.reason, self.exit_code, self.transient)


class UnsuccessfulRunError(Exception):
    """How a run ended that did not succeed, as Prefect may print and store it: the RESULT line.

    Attributes
    ----------
    summary
        The summary of the run. Not part of the message.
    error
        What ended the run, where it did not come to its end.
    """

    def __init__(self, summary: dict[str, Any], error: Exception | None = None) -> None:
        super().__init__(summary["result"])
        self.summary = summary
        self.error = error


def read_summary(state: State[Any]) -> dict[str, Any]:
    """Summary of a run of this process from the final state of its flow.

    Raises
    ------
    Exception
        What ended the run, where it did not come to its end.
    """
    result = state.result(raise_on_failure=False)
    if isinstance(result, UnsuccessfulRunError):
        if result.error is not None:
            raise result.error
        return result.summary
    if isinstance(result, BaseException):
        raise result
    return dict(result)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed in a while: input and output that failed, not input that is wrong."""
    if not isinstance(error, OSError):
        return False
    return error.errno in _TRANSIENT or getattr(error, "winerror", None) in _TRANSIENT_WINDOWS


def describe_error(error: Exception) -> str:
    """What the run log says of an error; an unexpected one also tells where in the code it happened."""
    if isinstance(error, FacetraceError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror} ({Path(str(error.filename)).name})" if error.filename else error.strerror
    else:
        text = str(error)
    place = _find_place(error)
    return f"unexpected {type(error).__name__}: {text}{f' [{place}]' if place else ''}"


def withhold(error: Exception) -> WithheldError:
    """The form of an error that Prefect may see."""
    if isinstance(error, WithheldError):
        return error
    number = error.errno if isinstance(error, OSError) else None
    kind = type(error).__name__ + (f" {errno.errorcode.get(number, number)}" if number is not None else "")
    code = error.exit_code if isinstance(error, FacetraceError) else ExitCode.UNEXPECTED
    return WithheldError(kind, describe_error(error), code, is_transient(error))


@contextmanager
def withheld_errors() -> Iterator[None]:
    """Raise every error of the block as a `WithheldError`.

    Raises
    ------
    WithheldError
        In place of any other exception; interruptions pass.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001  (raised again, without its message)
        _log.info("%s", type(error).__name__, exc_info=error)
        raise withhold(error) from None


def may_succeed_again(step: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Prefect's `retry_condition_fn`: only what is transient is tried again."""
    del step, run
    return isinstance(state.data, WithheldError) and state.data.transient


TASK_OPTIONS: Final[dict[str, Any]] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": len(RETRY_DELAYS_S),
    "retry_delay_seconds": list(RETRY_DELAYS_S),
    "retry_condition_fn": may_succeed_again,
}
"""Of every task: nothing of its work is kept by Prefect, and only what is transient is tried again."""


def do_step(name: str, work: Callable[[], T]) -> T:
    """Do `work` as a Prefect task, again after a while where its input or output failed.

    Parameters
    ----------
    name
        Name of the task.
    work
        Called without arguments, and its result kept here, so that nothing but names and states reaches Prefect's database.

    Returns
    -------
    object
        What `work` returned.

    Raises
    ------
    Exception
        What `work` raised in its last attempt.
    """
    done: list[T] = []
    failures: list[Exception] = []

    @task(name=name, **TASK_OPTIONS)
    def run_step() -> None:
        with withheld_errors():
            try:
                done.append(work())
            except Exception as error:
                failures.append(error)
                raise

    state = run_step(return_state=True)
    if done:
        return done[-1]
    if failures:
        raise failures[-1]
    raise RuntimeError(f"the task '{name}' ended as {state.name} before it began")


def _find_place(error: Exception) -> str:
    """File and line of the innermost call in the project's own code."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(os.path.abspath(frame.filename))  # noqa: PTH100  (not resolved: links stay what they are)
        if path.is_relative_to(_PROJECT) and "site-packages" not in path.parts:
            return f"{path.relative_to(_PROJECT).as_posix()}, line {frame.lineno}"
    return ""
