"""The `facetrace` command: every step of a study on a study folder.

Heavy packages are imported inside the commands, so that ``--help``, ``check`` and ``--dry-run`` answer at once.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from tasks.errors import ExitCode, FacetraceError

app = typer.Typer(
    name="facetrace",
    help="Facial affect of recorded stimulus sessions: frame tables, 58 features, classifiers, tests, reports. "
    "Research software, not a diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
weights_app = typer.Typer(
    help="Weights of the networks: what is there, and fetching what is not.", no_args_is_help=True
)
app.add_typer(weights_app, name="weights")

StudyFolder = Annotated[Path, typer.Argument(help="Folder of the study.", show_default=False)]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings; by default config.yaml in the study folder, if there is one.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--participant-label", help="Only this participant (with or without sub-); may be repeated."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and what it needs; do nothing.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print what Prefect does, and why each step runs.")]


@app.command()
def check(study: StudyFolder, config: ConfigFile = None, participant_label: Labels = None) -> None:
    """Check settings, tables, videos and weights; list all problems at once. Decodes nothing."""
    from tasks.checking import check_study  # noqa: PLC0415

    checked = check_study(study, config=config, participant_labels=participant_label or ())
    for line in checked.describe():
        print(line)  # noqa: T201
    raise typer.Exit(int(checked.exit_code))


@app.command()
def run(
    study: StudyFolder,
    config: ConfigFile = None,
    participant_label: Labels = None,
    dry_run: DryRun = False,
    verbose: Verbose = False,
) -> None:
    """Run the whole study: extract, summarize, classify, compare, report. Only what changed is computed."""
    _run_flow("study", study, config, participant_label, dry_run=dry_run, verbose=verbose)


@app.command()
def extract(
    study: StudyFolder,
    config: ConfigFile = None,
    participant_label: Labels = None,
    dry_run: DryRun = False,
    verbose: Verbose = False,
) -> None:
    """Videos to frame tables."""
    _run_flow("extract", study, config, participant_label, dry_run=dry_run, verbose=verbose)


@app.command()
def summarize(
    study: StudyFolder,
    config: ConfigFile = None,
    participant_label: Labels = None,
    dry_run: DryRun = False,
    verbose: Verbose = False,
) -> None:
    """Frame tables to the 58 features of each participant."""
    _run_flow("summarize", study, config, participant_label, dry_run=dry_run, verbose=verbose)


@app.command()
def classify(study: StudyFolder, config: ConfigFile = None, dry_run: DryRun = False, verbose: Verbose = False) -> None:
    """Seven classifiers, leaving one participant out."""
    _run_flow("classify", study, config, None, dry_run=dry_run, verbose=verbose)


@app.command()
def compare(study: StudyFolder, config: ConfigFile = None, dry_run: DryRun = False, verbose: Verbose = False) -> None:
    """Tests of group differences."""
    _run_flow("compare", study, config, None, dry_run=dry_run, verbose=verbose)


@app.command()
def report(study: StudyFolder, config: ConfigFile = None, dry_run: DryRun = False, verbose: Verbose = False) -> None:
    """The HTML reports from the tables that exist."""
    _run_flow("report", study, config, None, dry_run=dry_run, verbose=verbose)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="New folder for the rendered study.")] = Path("demo"),
    participants_per_group: Annotated[int, typer.Option(min=3, help="Participants in each of the two groups.")] = 12,
    seconds: Annotated[float, typer.Option(min=8, help="Length of each session.")] = 15.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the cohort.")] = 58,
    verbose: Verbose = False,
) -> None:
    """Render participants with planted effects, run the study on them, and compare what was planted with what was found."""
    os.environ["FACETRACE_STUDIES"] = str(folder.resolve().parent)
    _prepare_prefect(verbose=verbose)
    from flows.demo import demo as flow  # noqa: PLC0415  (after Prefect's environment is settled)

    summary = _finish(
        flow(
            study=folder.resolve().name,
            participants_per_group=participants_per_group,
            seconds=seconds,
            seed=seed,
            return_state=True,
        )
    )
    if summary.get("report"):
        print(f"Report: {os.path.relpath(folder / summary['report'])}")  # noqa: T201
    _leave(summary)


@app.command()
def settings() -> None:
    """Print a config.yaml with every setting, its default and what it means."""
    from tasks.settings import document_settings  # noqa: PLC0415

    sys.stdout.write(document_settings())


@weights_app.command("list")
def list_weights() -> None:
    """Names, state, licence and use of all known weights."""
    from tasks.weights import describe_status, read_manifest, weights_folder  # noqa: PLC0415

    for entry in read_manifest().values():
        use = f"{entry.intended_use} ({entry.licence})"
        print(f"{entry.name:28s} {describe_status(entry):8s} {use}")  # noqa: T201
    print(f"Folder: {weights_folder()}")  # noqa: T201


@weights_app.command("fetch")
def fetch_weights(
    name: Annotated[str, typer.Argument(help="Name as `facetrace weights list` prints it.")],
    from_dir: Annotated[
        Path | None, typer.Option(help="Take the file from this folder instead of the internet.")
    ] = None,
) -> None:
    """Download weights, or copy them from a folder, and check their SHA-256."""
    from tasks.progress import show_progress  # noqa: PLC0415
    from tasks.weights import fetch  # noqa: PLC0415

    with show_progress() as reporter:
        path = fetch(name, from_dir=from_dir, progress=lambda done, total: reporter(name, done, total))
    print(f"{name}: {path}")  # noqa: T201


def _run_flow(
    name: str, study: Path, config: Path | None, labels: list[str] | None, *, dry_run: bool, verbose: bool
) -> None:
    if dry_run:
        _print_plan(study, config, labels)
        return
    os.environ["FACETRACE_STUDIES"] = str(study.resolve().parent)
    _prepare_prefect(verbose=verbose)
    from flows import registry  # noqa: PLC0415  (after Prefect's environment is settled)

    summary = _finish(
        registry.FLOWS[name](
            study=study.resolve().name,
            config=os.path.relpath(config, study) if config else "",
            participants=list(labels or ()),
            return_state=True,
        )
    )
    if summary.get("report"):
        print(f"Report: {os.path.relpath(study / summary['report'])}")  # noqa: T201
    _leave(summary)


def _print_plan(study: Path, config: Path | None, labels: list[str] | None) -> None:
    from tasks.checking import check_study  # noqa: PLC0415
    from tasks.planning import plan_run  # noqa: PLC0415

    checked = check_study(study, config=config, participant_labels=labels or ())
    for line in (*checked.describe(), *plan_run(checked)):
        print(line)  # noqa: T201
    raise typer.Exit(int(checked.exit_code))


def _prepare_prefect(*, verbose: bool) -> None:
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO" if verbose else "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _finish(state: Any) -> dict[str, Any]:
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return dict(result)


def _leave(summary: dict[str, Any]) -> NoReturn:
    for line in summary.get("problems", ()):
        print(line, file=sys.stderr)  # noqa: T201
    print(summary["result"])  # noqa: T201
    raise typer.Exit(int(summary["exit_code"]))


def main() -> None:
    """Entry point: runs the command and turns errors into one message and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.INTERRUPTED))
    try:
        app(standalone_mode=True)
    except FacetraceError as error:
        print(f"ERROR {error}", file=sys.stderr)  # noqa: T201
        print(f"RESULT ok=0 failed=0 skipped=0 exit={int(error.exit_code)}")  # noqa: T201
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        print("Interrupted. What was finished is kept; run the same command again to go on.", file=sys.stderr)  # noqa: T201
        sys.exit(ExitCode.INTERRUPTED)
