"""The flows by the name of their command."""

from __future__ import annotations

from typing import Any, Final

from prefect import Flow

from flows.atypicality import atypicality
from flows.classify import classify
from flows.compare import compare
from flows.export import export
from flows.extract import extract
from flows.imports import import_tables
from flows.report import report
from flows.study import study
from flows.summarize import summarize
from flows.train_attributes import train_attributes

FLOWS: Final[dict[str, Flow[..., Any]]] = {
    "study": study,
    "extract": extract,
    "import": import_tables,
    "summarize": summarize,
    "classify": classify,
    "compare": compare,
    "atypicality": atypicality,
    "export": export,
    "report": report,
    "train-attributes": train_attributes,
}
