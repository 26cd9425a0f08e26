"""The flows of a study by the name of their command."""

from __future__ import annotations

from typing import Any, Final

from prefect import Flow

from flows.classify import classify
from flows.compare import compare
from flows.extract import extract
from flows.report import report
from flows.study import study
from flows.summarize import summarize

FLOWS: Final[dict[str, Flow[..., Any]]] = {
    "study": study,
    "extract": extract,
    "summarize": summarize,
    "classify": classify,
    "compare": compare,
    "report": report,
}
