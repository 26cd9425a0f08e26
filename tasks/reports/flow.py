"""Flow of participants from enrolment to analysis: counts at every step, and why others did not reach it.

References
----------
.. [1] Bossuyt, P. M. et al. (2015). STARD 2015: an updated list of essential items for reporting diagnostic accuracy studies.
   BMJ 351, h5527; item 19. https://doi.org/10.1136/bmj.h5527
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import pandas as pd

from tasks.reports.blocks import Flow, FlowLoss, FlowStep
from tasks.reports.cohort import list_participants, why_lost
from tasks.reports.inputs import GroupReportInputs

ANALYSED: Final = "Analysed"
SHOWN_NAMES: Final = 4
"""Ids are named where a reason concerns no more participants than this."""

_NEEDED: Final = (
    (re.compile(r"^[\d.]+ % of frames are valid, ([\d.]+ %) are needed"), r"fewer than \1 of frames valid"),
    (re.compile(r"^\d+ frames are valid, (\d+) are needed"), r"fewer than \1 valid frames"),
)
_FILE: Final = re.compile(r"^\S*\.\w+(, line \d+)?: ")
_SENTENCE: Final = re.compile(r"(?<=[.;!?])\s")
_WORDS: Final = 160


def reached_steps(inputs: GroupReportInputs) -> list[tuple[str, set[str]]]:
    """Label of each step and who reached it; nobody reaches a step without the one before.

    Returns
    -------
    list
        Steps whose tables are there. Without predictions "analysed" means that the participant entered the tests.
    """
    steps: list[tuple[str, set[str]]] = [("Enrolled", set(list_participants(inputs)))]
    measured = set() if inputs.features is None else _names(inputs.features[inputs.features["n_frames"] > 0])
    if inputs.triage is not None:
        # An imported table stands for a recording that was readable; it is not among the videos.
        steps.append(
            ("Recorded", _names(inputs.triage) | measured | {o.participant_id for o in inputs.outcomes if o.task})
        )
        steps.append(("Readable", _names(inputs.triage[inputs.triage["status"] == "ok"]) | measured))
    if inputs.features is not None:
        gated = inputs.features[inputs.features["included"].astype(bool) & (inputs.features["n_frames"] > 0)]
        steps += [("Measured", measured), ("Valid", _names(gated))]
        analysed = _names(gated[gated["group"].isin(inputs.facts.groups)])
        if inputs.predictions is not None:
            analysed = _names(inputs.predictions)
        steps.append((ANALYSED, analysed))
    for index in range(1, len(steps)):
        steps[index] = (steps[index][0], steps[index][1] & steps[index - 1][1])
    return steps


def _names(table: pd.DataFrame) -> set[str]:
    return {str(name) for name in table["participant_id"]}


def build_flow(inputs: GroupReportInputs) -> Flow:
    """Participant flow, per group; what each step lost stands with the step before it, with reasons."""
    groups = list_participants(inputs)
    order = [*inputs.facts.groups, *sorted({group for group in groups.values() if group not in inputs.facts.groups})]
    reached = reached_steps(inputs)
    steps = []
    for (label, names), (after, kept) in zip(reached, [*reached[1:], ("", reached[-1][1])], strict=True):
        by_group = [(group or "no group", sum(groups[name] == group for name in names)) for group in order]
        shown = [(group, count) for group, count in by_group if count or group in inputs.facts.groups]
        steps.append(FlowStep(label, len(names), shown, _count_reasons(inputs, sorted(names - kept), after)))
    return Flow(steps)


def _count_reasons(inputs: GroupReportInputs, lost: Iterable[str], step: str) -> list[FlowLoss]:
    """Reasons for which participants did not reach `step`, the most frequent first; each counts once."""
    known, groups = why_lost(inputs), list_participants(inputs)
    texts: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    for name in lost:
        reason = known.get(name, "")
        if step == ANALYSED and not reason:
            outside = groups[name] not in inputs.facts.groups
            reason = f"not of the two groups that are compared ({groups[name] or 'no group'})" if outside else ""
        text = generalise(reason) or "no reason was recorded"
        # Reasons that differ in numbers only are one reason.
        key = re.sub(r"[\d.,]+", "#", text)
        texts.setdefault(key, text)
        names.setdefault(key, []).append(name)
    losses = [
        FlowLoss(texts[key], len(found), found if len(found) <= SHOWN_NAMES else ()) for key, found in names.items()
    ]
    return sorted(losses, key=lambda loss: -loss.count)


def generalise(reason: str) -> str:
    """The first sentence of a reason without the file and the numbers of one participant.

    Examples
    --------
    >>> generalise("41.3 % of frames are valid, 50.0 % are needed")
    'fewer than 50.0 % of frames valid'
    """
    text = _FILE.sub("", reason.strip())
    for pattern, general in _NEEDED:
        if match := pattern.match(text):
            return match.expand(general)
    first = _SENTENCE.split(text, maxsplit=1)[0].rstrip(".;")
    return first if len(first) <= _WORDS else f"{first[: _WORDS - 1]}…"
