"""The nightly parent: check, extract, summarize, classify, compare, atypicality, export, report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import State, flow

from flows.atypicality import atypicality_all
from flows.classify import classify_all
from flows.compare import compare_all
from flows.export import export_all
from flows.extract import extract_all
from flows.parameters import EVERYBODY, ConfigName, Participants, StudyName
from flows.report import report_all
from flows.runs import Run, conduct
from flows.summarize import summarize_all


def run_all(run: Run, *, before_report: Callable[[], None] | None = None) -> None:
    """Every step in order; an analysis that lacks its table or participants is noted, the others and the report go on."""
    extract_all(run)
    if run.manifest.count("ok") and summarize_all(run):
        classify_all(run)
        compare_all(run)
        atypicality_all(run)
        if before_report is not None:
            before_report()
        export_all(run)
    report_all(run)


@flow(name="study", persist_result=False)
def study(study: StudyName, config: ConfigName = "", participants: Participants = EVERYBODY) -> State[Any]:
    """Run a study from its videos to its reports; only what changed is computed.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    participants
        Only these participants; empty for all.
    """
    return conduct("study", study, config, participants, run_all, weights=True)
