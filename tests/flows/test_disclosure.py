"""What Prefect learns of errors, and what is tried again: real flows, real errors of the operating system."""

from __future__ import annotations

import errno
import pickle
import time
from pathlib import Path

import pytest

from flows import disclosure
from flows.disclosure import WithheldError, describe_error, is_transient, withheld_errors
from tasks.errors import ExitCode, InvalidInputError

NAMED = "/lab-share/Anna_Smith_2014-03-02.mp4"
UNREADABLE = Path("/proc/self/mem")
"""Its first page is mapped nowhere: reading it fails with EIO, as a disk or a share does."""


@pytest.fixture
def seen_by_prefect(prefect_home, monkeypatch):
    """Run a step in a flow; the error that reached the flow, and all that Prefect stored of it."""
    monkeypatch.setitem(disclosure.TASK_OPTIONS, "retry_delay_seconds", [0, 0])

    def run(work) -> tuple[Exception | None, str, int]:
        from prefect import flow, get_client
        from prefect.client.schemas.filters import FlowRunFilter
        from prefect.context import FlowRunContext

        met: dict[str, object] = {}

        @flow(name="step alone")
        def step_alone() -> None:
            met["id"] = FlowRunContext.get().flow_run.id
            try:
                disclosure.do_step("step", work)
            except Exception as error:  # noqa: BLE001  (handed to the test)
                met["error"] = error

        step_alone()
        with get_client(sync_client=True) as client:
            # The server stores states of tasks a moment after they happened.
            for _ in range(300):
                runs = client.read_task_runs(flow_run_filter=FlowRunFilter(id={"any_": [met["id"]]}))
                if runs and runs[0].state.is_final():
                    break
                time.sleep(0.2)
            states = client.read_task_run_states(runs[0].id)
        text = "\n".join([*(state.model_dump_json() for state in states), runs[0].model_dump_json()])
        return met.get("error"), text, runs[0].run_count

    return run


def read_unreadable() -> bytes:
    with UNREADABLE.open("rb") as file:
        return file.read(1)


def test_input_that_fails_twice_is_read_at_the_third_attempt(seen_by_prefect):
    attempts = []

    def read() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            read_unreadable()

    error, _, run_count = seen_by_prefect(read)
    assert error is None
    assert (len(attempts), run_count) == (3, 3)


def test_input_that_fails_for_good_ends_as_its_own_error(seen_by_prefect):
    error, text, run_count = seen_by_prefect(read_unreadable)
    assert isinstance(error, OSError)
    assert error.errno == errno.EIO
    assert run_count == 3
    assert "OSError EIO" in text


@pytest.mark.parametrize(
    "error",
    [
        InvalidInputError(f"Expected a video, got 0 bytes in {NAMED}."),
        FileNotFoundError(errno.ENOENT, "No such file", NAMED),
        ValueError(f"no frames in {NAMED}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_cannot_succeed_is_tried_once_and_its_message_withheld(seen_by_prefect, capfd, error):
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise error

    met, text, run_count = seen_by_prefect(fail)
    assert met is error
    assert (len(attempts), run_count) == (1, 1)
    assert type(error).__name__ in text
    printed = capfd.readouterr()
    for place in (text, printed.out, printed.err):
        assert "Anna" not in place


def test_withheld_errors_keep_what_they_know_between_processes():
    with pytest.raises(WithheldError) as caught, withheld_errors():
        read_unreadable()
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (copy.transient, copy.exit_code) == (True, ExitCode.UNEXPECTED)
    assert copy.reason == caught.value.reason
    assert "Input/output error" in copy.reason


@pytest.mark.parametrize(
    ("number", "again"),
    [("EIO", True), ("ESTALE", True), ("ETIMEDOUT", True), ("EAGAIN", True), ("ENOSPC", False), ("ENOENT", False),
     ("EACCES", False), ("EROFS", False)],
)  # fmt: skip
def test_only_input_and_output_that_may_recover_is_tried_again(number, again):
    assert is_transient(OSError(getattr(errno, number), "text")) is again
    assert is_transient(InvalidInputError(number)) is False


def test_a_description_names_the_file_without_its_folder():
    text = describe_error(FileNotFoundError(errno.ENOENT, "No such file or directory", NAMED))
    assert text == "unexpected FileNotFoundError: No such file or directory (Anna_Smith_2014-03-02.mp4)"
