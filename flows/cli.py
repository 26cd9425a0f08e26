"""The `facetrace` command: every step of a study on a study folder.

Heavy packages are imported inside the commands, so that ``--help``, ``check`` and ``--dry-run`` answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from flows.cli_attribute_export import describe_attributes, export_attributes, import_attributes
from flows.cli_attributes import attributes_app
from flows.cli_support import (
    ConfigFile,
    DryRun,
    Labels,
    StudyFolder,
    Verbose,
    finish,
    leave,
    name_paths,
    prepare_prefect,
    run_flow,
    say_how_far_it_came,
)
from flows.cli_weights import weights_app
from tasks.bids_names import Derivatives
from tasks.errors import ExitCode, FacetraceError

app = typer.Typer(
    name="facetrace",
    help="Facial affect of recorded stimulus sessions: frame tables, 58 features, classifiers, tests, reports. "
    "Research software, not a diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(weights_app, name="weights")
app.add_typer(attributes_app)
for command in (export_attributes, import_attributes, describe_attributes):
    app.command()(command)


@app.command()
def check(study: StudyFolder, config: ConfigFile = None, participant_label: Labels = None) -> None:
    """Check settings, tables, videos and weights; list all problems at once. Decodes nothing."""
    from tasks.checking import check_study  # noqa: PLC0415

    checked = check_study(study, config=config, participant_labels=participant_label or ())
    for line in checked.describe():
        print(line)  # noqa: T201
    raise typer.Exit(int(checked.exit_code))


@app.command()
def status(study: StudyFolder, config: ConfigFile = None, participant_label: Labels = None) -> None:
    """How every step of every participant stands: up to date, stale (why), missing, failed (why). Runs nothing."""
    from tasks.checking import check_study  # noqa: PLC0415
    from tasks.status import find_orphans, read_status  # noqa: PLC0415

    checked = check_study(study, config=config, participant_labels=participant_label or ())
    checked.raise_if_unusable(needs_weights=False)
    for item in read_status(checked):
        print(item.describe())  # noqa: T201
    for name in find_orphans(checked):
        print(f"sub-{name}: has derivatives but no row in participants.tsv; see `facetrace withdraw`")  # noqa: T201


@app.command()
def withdraw(
    study: StudyFolder,
    participant: Annotated[
        str, typer.Argument(help="Id of the participant, with or without sub-.", show_default=False)
    ],
) -> None:
    """Delete all that was derived from a participant; later runs leave the participant out. Videos are not touched."""
    from tasks.withdrawal import find_other_trees, withdraw_participant  # noqa: PLC0415

    for name in withdraw_participant(study, participant):
        print(f"deleted {name}")  # noqa: T201
    for tree in find_other_trees(study, participant):
        print(f"NOT deleted: {tree} also holds the participant, and tables made from it may. Delete it yourself.")  # noqa: T201
    print(  # noqa: T201
        "Withdrawn. The next run makes the tables and reports of the study again. "
        "The participant's videos and row in participants.tsv are still there: delete them as your protocol says."
    )


@app.command()
def run(
    study: StudyFolder,
    config: ConfigFile = None,
    participant_label: Labels = None,
    dry_run: DryRun = False,
    verbose: Verbose = False,
) -> None:
    """Run the whole study: extract, summarize, classify, compare, export, report. Only what changed is computed."""
    run_flow("study", study, config, participant_label, dry_run=dry_run, verbose=verbose)


@app.command()
def extract(
    study: StudyFolder,
    config: ConfigFile = None,
    participant_label: Labels = None,
    dry_run: DryRun = False,
    verbose: Verbose = False,
) -> None:
    """Videos to frame tables."""
    run_flow("extract", study, config, participant_label, dry_run=dry_run, verbose=verbose)


@app.command("import")
def import_table(
    study: StudyFolder,
    file: Annotated[
        Path | None,
        typer.Argument(help="Table of OpenFace, py-feat, LibreFace or iMotions; without it, all of imports.csv."),
    ] = None,
    participant: Annotated[str, typer.Option(help="Whose table it is, with or without sub-.")] = "",
    session: Annotated[str, typer.Option(help="Session label, where the study has sessions.")] = "",
    task: Annotated[str, typer.Option(help="Label of the stimulus.")] = "imported",
    dialect: Annotated[str, typer.Option(help="Dialect of the table; auto recognises it by its columns.")] = "auto",
    stimulus: Annotated[str, typer.Option(help="Which stimulus, where an iMotions table holds several.")] = "",
    frame_rate: Annotated[float, typer.Option(min=0, help="Frames a second, where the table does not tell.")] = 0.0,
    config: ConfigFile = None,
    verbose: Verbose = False,
) -> None:
    """Tables of other tools to frame tables. One file is also noted in the study's imports.csv."""
    from tasks.importing import make_job, remember_job  # noqa: PLC0415

    if file is not None:
        if not participant:
            raise typer.BadParameter("Expected --participant with a file, got none.")
        job = make_job(
            study,
            participant=participant,
            session=session,
            task=task,
            file=str(file.resolve()),
            dialect=dialect,
            stimulus=stimulus,
            frame_rate_hz=frame_rate,
        )
        remember_job(study, job)
    run_flow("import", study, config, [participant] if participant else None, dry_run=False, verbose=verbose)


@app.command()
def summarize(
    study: StudyFolder,
    config: ConfigFile = None,
    participant_label: Labels = None,
    dry_run: DryRun = False,
    verbose: Verbose = False,
) -> None:
    """Frame tables to the 58 features of each participant."""
    run_flow("summarize", study, config, participant_label, dry_run=dry_run, verbose=verbose)


@app.command()
def classify(
    study: StudyFolder,
    config: ConfigFile = None,
    label: Annotated[str, typer.Option(help="Name of this study's attribute network; by default of its weights.")] = "",
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FOLDER of a study, or tree of derivatives, that was classified with another network on the same "
            "participants; may be repeated."
        ),
    ] = None,
    dry_run: DryRun = False,
    verbose: Verbose = False,
) -> None:
    """Seven classifiers, leaving one participant out; beside those of other networks and the published rows."""
    others = name_paths(also or [])

    def present() -> None:
        from flows.cli_tables import print_table  # noqa: PLC0415
        from tasks.classifier_networks import compare_networks, name_network  # noqa: PLC0415

        for table in compare_networks(label or name_network(study, config), Derivatives.of_study(study), others):
            print_table(table)

    run_flow("classify", study, config, None, dry_run=dry_run, verbose=verbose, present=present)


@app.command()
def compare(study: StudyFolder, config: ConfigFile = None, dry_run: DryRun = False, verbose: Verbose = False) -> None:
    """Tests of group differences."""
    run_flow("compare", study, config, None, dry_run=dry_run, verbose=verbose)


@app.command()
def atypicality(
    study: StudyFolder, config: ConfigFile = None, dry_run: DryRun = False, verbose: Verbose = False
) -> None:
    """Networks that predict the judges' ratings from windows of action units; needs ratings.csv in the study."""
    run_flow("atypicality", study, config, None, dry_run=dry_run, verbose=verbose)


@app.command()
def export(
    study: StudyFolder,
    config: ConfigFile = None,
    participant_label: Labels = None,
    formats: Annotated[
        str,
        typer.Option("--format", help="Of parquet, csv, csv2, sav, with commas between; by default export.formats."),
    ] = "",
    table: Annotated[
        str, typer.Option(help="Such as features or frames, with commas between; by default export.tables.")
    ] = "",
    verbose: Verbose = False,
) -> None:
    """Tables for R, SPSS and spreadsheets, with a codebook."""
    run_flow(
        "export",
        study,
        config,
        participant_label,
        dry_run=False,
        verbose=verbose,
        formats=[name.strip() for name in formats.split(",") if name.strip()],
        tables=[name.strip() for name in table.split(",") if name.strip()],
    )


@app.command()
def report(study: StudyFolder, config: ConfigFile = None, dry_run: DryRun = False, verbose: Verbose = False) -> None:
    """The HTML reports from the tables that exist."""
    run_flow("report", study, config, None, dry_run=dry_run, verbose=verbose)


@app.command()
def labels(
    expert: Annotated[
        list[str],
        typer.Argument(help="NAME=PATH of an expert's labels: a folder with one folder a group, or a long CSV."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the tables.")],
    tool: Annotated[
        list[str] | None, typer.Option(help="NAME=PATH of a tool's frame tables, matched by frame; may be repeated.")
    ] = None,
    ratings: Annotated[
        Path | None, typer.Option(help="CSV of judges' ratings: participant_id, start_frame, end_frame, judge, rating.")
    ] = None,
    raw_codes: Annotated[
        bool, typer.Option("--raw-codes", help="Test laterality codes as they are, not 0 and 1.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Labels of experts: occurrence, agreement of experts and tools, ratings of judges, tests by labelled expression."""
    from tasks.label_step import LabelSources, analyse_labels  # noqa: PLC0415
    from tasks.settings_file import read_settings  # noqa: PLC0415

    sources = LabelSources(name_paths(expert), name_paths(tool or []), ratings, raw_codes)
    for path in analyse_labels(sources, out, read_settings(config)):
        print(os.path.relpath(path))  # noqa: T201


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
    prepare_prefect(verbose=verbose)
    with say_how_far_it_came():
        from flows.demo import demo as flow  # noqa: PLC0415  (after Prefect's environment is settled)

        state = flow(
            study=folder.resolve().name,
            participants_per_group=participants_per_group,
            seconds=seconds,
            seed=seed,
            return_state=True,
        )
    summary = finish(state)
    if summary.get("report"):
        print(f"Report: {os.path.relpath(folder / summary['report'])}")  # noqa: T201
    leave(summary)


@app.command()
def settings() -> None:
    """Print a config.yaml with every setting, its default and what it means."""
    from tasks.settings_file import document_settings  # noqa: PLC0415

    sys.stdout.write(document_settings())


def _interrupt(number: int, _frame: object) -> NoReturn:
    """Say so at once, and end the work at hand; a second signal ends the process where it stands."""
    signal.signal(number, signal.SIG_DFL)
    print("Interrupted. What was finished is kept; run the same command again to go on.", file=sys.stderr)  # noqa: T201
    raise KeyboardInterrupt


def main() -> None:
    """Entry point: runs the command and turns errors into one message and an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        app(standalone_mode=True)
    except FacetraceError as error:
        print(f"ERROR {error}", file=sys.stderr)  # noqa: T201
        print(f"RESULT ok=0 failed=0 skipped=0 exit={int(error.exit_code)}")  # noqa: T201
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
