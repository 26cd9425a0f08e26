"""The participants table of a study: who takes part, in which group, with which covariates."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tasks.bids_names import LABEL_RULE, PARTICIPANTS_DICTIONARY, PARTICIPANTS_TABLE, bare_id, is_label
from tasks.delimited import MISSING, Row, TextTable, is_decimal_comma, parse_number, read_text_table
from tasks.problems import Problem

_IDENTIFYING: Final = (
    "name", "first_name", "last_name", "surname", "date_of_birth", "birth_date", "birthdate", "dob", "address", "email",
    "phone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Participant:
    """A row of participants.tsv.

    Attributes
    ----------
    participant_id
        Without ``sub-``.
    group
        Such as ``ASD`` or ``TD``; empty where it is missing.
    covariates
        The other columns in order: numbers where the whole column holds numbers, else text; None where missing.
    line
        Line in participants.tsv.
    """

    participant_id: str
    group: str
    covariates: Mapping[str, str | float | None] = field(default_factory=dict)
    line: int | None = None


def read_participants(
    folder: Path, *, groups: Sequence[str] | None
) -> tuple[tuple[Participant, ...], dict[str, Any], list[Problem]]:
    """Read participants.tsv and participants.json.

    Parameters
    ----------
    folder
        Study folder.
    groups
        Groups that may occur, besides those that participants.json lists as levels of `group`; None for any.

    Returns
    -------
    participants : tuple of Participant
        In the order of the table; a repeated id only once.
    descriptions : dict
        Contents of participants.json; empty without one.
    problems : list of Problem
    """
    path = folder / PARTICIPANTS_TABLE
    if not path.is_file():
        message = f"Expected a table of participants, got no {PARTICIPANTS_TABLE}."
        action = "Make one: tab-separated, with the columns participant_id, group, and any covariates."
        return (), {}, [_problem("no_participants_table", None, None, message, action)]
    table = read_text_table(
        path, file=path.name, delimiter="\t", required=("participant_id", "group"), id_column="participant_id"
    )
    descriptions, problems = _read_descriptions(folder, table.columns)
    problems = [*table.problems, *problems, *_check_columns(table), *_check_ids(table)]
    levels = descriptions.get("group", {}).get("Levels", {}) if descriptions else {}
    allowed = None if groups is None else [*groups, *(name for name in levels if name not in groups)]
    numeric = _numeric_columns(table)
    participants: dict[str, Participant] = {}
    for row in table.rows:
        participant = _make_participant(row, table.columns, numeric)
        problems += _check_row(row, participant, allowed)
        if participant.participant_id:
            participants.setdefault(participant.participant_id, participant)
    if table.columns and not table.rows and not table.problems:
        message, action = "Expected at least one participant, got none.", "Add a row for each participant."
        problems.append(_problem("no_participants", None, None, message, action))
    return tuple(participants.values()), descriptions, problems


def _problem(
    code: str, line: int | None, participant_id: str | None, message: str, action: str, *, warning: bool = False
) -> Problem:
    severity = "warning" if warning else "error"
    return Problem(severity, code, PARTICIPANTS_TABLE, line, participant_id, message, action)  # type: ignore[arg-type]


def _make_participant(row: Row, columns: Sequence[str], numeric: frozenset[str]) -> Participant:
    covariates: dict[str, str | float | None] = {}
    for name in columns:
        text = row.cells[name]
        if name in {"participant_id", "group"}:
            continue
        if text == MISSING:
            covariates[name] = None
        else:
            covariates[name] = parse_number(text) if name in numeric else text
    identifier = row.cells["participant_id"]
    group = row.cells["group"]
    return Participant(
        "" if identifier == MISSING else bare_id(identifier), "" if group == MISSING else group, covariates, row.line
    )


def _numeric_columns(table: TextTable) -> frozenset[str]:
    found = {"age"}
    for name in table.columns:
        cells = [row.cells[name] for row in table.rows if row.cells[name] != MISSING]
        if cells and all(parse_number(text) is not None for text in cells):
            found.add(name)
    return frozenset(found)


def _check_row(row: Row, participant: Participant, groups: Sequence[str] | None) -> list[Problem]:
    whom = participant.participant_id
    if not whom:
        message, action = "Expected a participant_id, got n/a.", "Give every participant an id."
        return [_problem("missing_id", row.line, None, message, action)]
    found = []
    if not is_label(whom):
        message = f"Expected {LABEL_RULE} in a participant_id, got '{whom}'."
        action = "Rename the participant here, in folders and in file names."
        found.append(_problem("bad_id", row.line, whom, message, action))
    if not participant.group:
        message, action = "Expected a group, got n/a.", "Fill it, or take the participant out of the table."
        found.append(_problem("missing_group", row.line, whom, message, action))
    elif groups is not None and participant.group not in groups:
        near = difflib.get_close_matches(participant.group.upper(), [name.upper() for name in groups], n=1)
        hint = next((f" Did you mean '{name}'?" for name in groups if near and name.upper() == near[0]), "")
        message = f"Expected the group {' or '.join(groups)}, got '{participant.group}'.{hint}"
        action = f"Correct it, or list it under group, Levels in {PARTICIPANTS_DICTIONARY}."
        found.append(_problem("unknown_group", row.line, whom, message, action))
    return found + _check_numbers(row, whom)


def _check_numbers(row: Row, whom: str) -> list[Problem]:
    found = []
    for name, text in row.cells.items():
        if name in {"participant_id", "group"} or text == MISSING:
            continue
        if is_decimal_comma(text):
            message = f"Expected a decimal point in {name}, got '{text}'."
            action = "Write a point. Excel writes commas where the country's settings say so."
            found.append(_problem("decimal_comma", row.line, whom, message, action))
        elif name == "age" and parse_number(text) is None:
            message = f"Expected age as a number of years, got '{text}'."
            found.append(_problem("bad_age", row.line, whom, message, "Correct it, or write n/a."))
        elif name == "age" and not 0 <= float(text) <= 120:
            message = f"Expected age in years, 0 to 120, got {text}."
            action = "Check the unit: months and days are not years."
            found.append(_problem("bad_age", row.line, whom, message, action, warning=True))
    return found


def _check_ids(table: TextTable) -> list[Problem]:
    ids = [bare_id(row.cells["participant_id"]) for row in table.rows]
    counts = Counter(ids)
    first = {name: table.rows[ids.index(name)].line for name in counts}
    return [
        _problem(
            "duplicate_id", row.line, None,
            f"Expected each participant once, got '{name}' again (first in line {first[name]}; sub- does not count).",
            "Keep one row. Sessions belong into folder names or sessions.csv.",
        )
        for name, row in zip(ids, table.rows, strict=True)
        if counts[name] > 1 and row.line != first[name] and name != MISSING
    ]  # fmt: skip


def _check_columns(table: TextTable) -> list[Problem]:
    return [
        _problem(
            "identifying_column", 1, None,
            f"Expected no column that identifies a person, got '{name}'.",
            "Take it out: what it holds would reach tables and reports.", warning=True,
        )
        for name in table.columns
        if name.lower() in _IDENTIFYING
    ]  # fmt: skip


def _read_descriptions(folder: Path, columns: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    path = folder / PARTICIPANTS_DICTIONARY
    if not path.is_file():
        return {}, []

    def problem(code: str, line: int | None, message: str, action: str) -> Problem:
        return Problem("warning", code, PARTICIPANTS_DICTIONARY, line, None, message, action)

    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        message = f"Expected JSON, got: {error.msg}."
        return {}, [problem("bad_json", error.lineno, message, "Correct it; until then descriptions are missing.")]
    except UnicodeDecodeError:
        return {}, [problem("encoding", None, "Expected UTF-8 text, got another encoding.", "Save it as UTF-8.")]
    if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
        message = "Expected an object with an object for each column."
        return {}, [problem("bad_json", None, message, 'Write {"group": {"Description": "...", "Levels": {...}}}.')]
    unknown = [name for name in value if columns and name not in columns]
    return value, [
        problem("unknown_column", None, f"Expected columns of {PARTICIPANTS_TABLE}, got '{name}'.", "Correct the name.")
        for name in unknown
    ]
