"""HTML reports of a study: pure functions from tables to pages, and the assets that the pages share.

`build_group_report` and `build_participant_report` return complete documents; whoever calls them writes these, and the
files of `report_assets` into the folder that `ReportFacts.assets` names beside them. Pages open from disk, without a network.
"""

from tasks.reports.group import build_group_report
from tasks.reports.inputs import (
    GroupReportInputs,
    ParticipantReportInputs,
    ReportFacts,
    SessionRecord,
    count_invalid_reasons,
)
from tasks.reports.pages import report_assets
from tasks.reports.participant import build_participant_report

__all__ = [
    "GroupReportInputs",
    "ParticipantReportInputs",
    "ReportFacts",
    "SessionRecord",
    "build_group_report",
    "build_participant_report",
    "count_invalid_reasons",
    "report_assets",
]
