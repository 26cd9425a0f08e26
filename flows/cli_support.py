"""What the commands share: their options, and running a flow from the command line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from tasks.errors import ExitCode, SettingsError

_FINISHED: Final = (ExitCode.OK, ExitCode.SOME_PARTICIPANTS_FAILED)

StudyFolder = Annotated[Path, typer.Argument(help="Folder of the study.", show_default=False)]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings; by default config.yaml in the study folder, if there is one.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--participant-label", help="Only this participant (with or without sub-); may be repeated."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and what it needs; do nothing.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print what Prefect does.")]


def run_flow(
    name: str,
    study: Path,
    config: Path | None,
    labels: list[str] | None,
    *,
    dry_run: bool,
    verbose: bool,
    present: Callable[[], None] | None = None,
    **more: object,
) -> None:
    """Run a flow of `flows.registry` on a study, or print its plan; print its result and leave with its exit code.

    Where the flow finished, for all participants or some, `present` prints its tables before the result.
    """
    if dry_run:
        _print_plan(study, config, labels)
        return
    os.environ["FACETRACE_STUDIES"] = str(study.resolve().parent)
    prepare_prefect(verbose=verbose)
    with say_how_far_it_came():
        from flows import registry  # noqa: PLC0415  (after Prefect's environment is settled)

        state = registry.FLOWS[name](
            study=study.resolve().name,
            config=os.path.relpath(config, study) if config else "",
            **more,
            return_state=True,
            **({"participants": list(labels)} if labels else {}),
        )
    summary = finish(state)
    if summary.get("report"):
        print(f"Report: {os.path.relpath(study / summary['report'])}")  # noqa: T201
    if present is not None and summary["exit_code"] in _FINISHED:
        present()
    leave(summary)


def _print_plan(study: Path, config: Path | None, labels: list[str] | None) -> None:
    from tasks.checking import check_study  # noqa: PLC0415
    from tasks.planning import plan_run  # noqa: PLC0415

    checked = check_study(study, config=config, participant_labels=labels or ())
    for line in (*checked.describe(), *plan_run(checked)):
        print(line)  # noqa: T201
    raise typer.Exit(int(checked.exit_code))


def prepare_prefect(*, verbose: bool) -> None:
    """Settle Prefect's environment; to be called before Prefect is imported."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO" if verbose else "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


@contextmanager
def say_how_far_it_came() -> Iterator[None]:
    """Print the RESULT line of a flow that is interrupted in this block, and leave."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        nothing_done = f"RESULT ok=0 failed=0 skipped=0 exit={int(ExitCode.INTERRUPTED)}"
        print(next(_notes(interruption), nothing_done))  # noqa: T201
        raise typer.Exit(int(ExitCode.INTERRUPTED)) from interruption


def _notes(error: BaseException | None) -> Iterator[str]:
    """Notes of an error and of those behind it: a run that had begun notes how far it came, on Prefect's signal to end too."""
    while error is not None:
        yield from getattr(error, "__notes__", ())
        error = error.__context__


def finish(state: Any) -> dict[str, Any]:
    """Summary of a flow that has ended."""
    from flows.disclosure import read_summary  # noqa: PLC0415  (after Prefect's environment is settled)

    return read_summary(state)


def leave(summary: dict[str, Any]) -> NoReturn:
    """Print what a flow did and its RESULT line; leave with its exit code."""
    for line in (*summary.get("actions", ()), *summary.get("notes", ())):
        print(line)  # noqa: T201
    for line in summary.get("problems", ()):
        print(line, file=sys.stderr)  # noqa: T201
    print(summary["result"])  # noqa: T201
    raise typer.Exit(int(summary["exit_code"]))


def name_paths(pairs: list[str]) -> dict[str, Path]:
    """Paths of options NAME=PATH by their names.

    Raises
    ------
    SettingsError
        If one has no name or no path, or a name is given twice.
    """
    named = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path) or name in named:
            raise SettingsError(f"Expected NAME=PATH, each name once, got {pair!r}.")
        named[name] = Path(path)
    return named
