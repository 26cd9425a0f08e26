"""What the morning shows in Prefect: how the run ended, a row for every recording, and how much of each was measured.

Paths are relative to the study folder and made of participant ids; reasons name files, so they stay in the run log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.bids_names import Derivatives, is_label
from tasks.coverage_rows import list_coverage
from tasks.errors import ExitCode
from tasks.manifest import Outcome, RunManifest

INPUTS_KEY: Final = "facetrace-inputs"
SUMMARY_KEY: Final = "facetrace-run"
COVERAGE_KEY: Final = "facetrace-coverage"

EXIT_MEANINGS: Final = {
    ExitCode.OK: "Everything is done.",
    ExitCode.UNEXPECTED: "An error that nobody expected; the run log says where.",
    ExitCode.SETTINGS: "A setting or an option cannot be used.",
    ExitCode.INVALID_INPUT: "The study cannot be read.",
    ExitCode.SOME_PARTICIPANTS_FAILED: "Finished; some participants failed.",
    ExitCode.TOO_FEW_PARTICIPANTS: "Too few valid participants for an analysis.",
    ExitCode.WEIGHTS: "Weights are missing, altered or not allowed.",
    ExitCode.INTERRUPTED: "Interrupted; the next run goes on.",
}

_NO_ID: Final = "(not an id)"


def publish_run(manifest: RunManifest, run_log: Path, derivatives: Derivatives) -> None:
    """Publish the summary of a run, the table of its inputs and their coverage as artifacts of the flow run.

    Parameters
    ----------
    manifest
        The finished manifest.
    run_log
        Where it was written.
    derivatives
        Of the study.
    """
    create_markdown_artifact(
        key=SUMMARY_KEY, markdown=summarize_run(manifest, run_log, derivatives), description=manifest.result_line()
    )
    create_table_artifact(
        key=INPUTS_KEY,
        table=[describe_input(outcome, derivatives) for outcome in manifest.outcomes],
        description=f"Inputs of {run_log.name}; paths are relative to the study folder",
    )
    coverage = list_coverage(derivatives)
    if coverage:
        create_table_artifact(
            key=COVERAGE_KEY,
            table=coverage,
            description="Coverage of the recordings, the lowest first; reasons are in the reports",
        )


def summarize_run(manifest: RunManifest, run_log: Path, derivatives: Derivatives) -> str:
    """The run in Markdown: its result, analyses that were not done, and where reports and tables are.

    Parameters
    ----------
    manifest
        The finished manifest.
    run_log
        Where it was written.
    derivatives
        Of the study.
    """
    study = derivatives.study
    code = manifest.exit_code
    lines = [f"# {manifest.result_line()}", "", EXIT_MEANINGS[code], ""]
    lines += [f"- Not done: {error['step']} (exit {error['exit_code']})" for error in manifest.step_errors]
    failed = sorted({_public_id(item.participant_id) for item in manifest.outcomes if item.status == "failed"})
    if failed:
        lines += [f"- Failed: {', '.join(failed)}", "- Why: `facetrace status`, or the run log"]
    pages = [derivatives.group_report, derivatives.comparison_page, derivatives.figures, derivatives.exports]
    files = [*pages, run_log, *sorted((derivatives.folder / "group").glob("*.parquet"))]
    rows = [f"| `{path.relative_to(study).as_posix()}` |" for path in files if path.exists()]
    return "\n".join([*lines, "", "| in the study folder |", "|---|", *rows, ""])


def describe_input(outcome: Outcome, derivatives: Derivatives) -> dict[str, str]:
    """A row of the table of inputs.

    Parameters
    ----------
    outcome
        How the recording ended.
    derivatives
        Of the study, from whose folder paths are counted.
    """
    labels = (outcome.participant_id, outcome.session or "none", outcome.task or "none")
    row = {
        "participant": _public_id(outcome.participant_id),
        "session": "",
        "task": "",
        "status": outcome.status,
        "frames": "",
        "report": "",
    }
    if not all(map(is_label, labels)):
        return row
    study = derivatives.study
    frames = derivatives.frame_table(*outcome.key)
    report = derivatives.participant_report(outcome.participant_id)
    return row | {
        "session": outcome.session,
        "task": outcome.task,
        "frames": frames.relative_to(study).as_posix() if frames.exists() else "",
        "report": report.relative_to(study).as_posix() if report.exists() else "",
    }


def _public_id(participant_id: str) -> str:
    """The id as ``sub-<id>``; what stands in its place in a faulty table may be a name, and is not repeated."""
    return f"sub-{participant_id}" if is_label(participant_id) else _NO_ID
