"""Parameters of the flows as Prefect's form shows them: title, what to enter, and what is refused before a run begins.

The server holds values against these schemas when a run is asked for. A path or a name typed in the wrong field is so refused
before it is stored.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

# Without "[/", which the terminal output of `prefect deployment run` would take for markup when it prints a refusal.
_NOT_ABSOLUTE: Final = r"^(?!/|~|\\|\{|[A-Za-z]:)"


def _described(title: str, description: str, **schema: Any) -> Any:
    # Prefect overwrites `title` and `description` of a Field by the parameter's name and a Google-style docstring.
    return Field(json_schema_extra={"title": title, "description": description, **schema})


StudyName = Annotated[
    str,
    _described(
        "Study",
        "Name of the study folder inside the folder that FACETRACE_STUDIES names on the worker. Not a whole path.",
        pattern=_NOT_ABSOLUTE + ".+$",
        examples=["my-study"],
    ),
]
TrainingFolderName = Annotated[
    str,
    _described(
        "Training folder",
        "Name of the training folder inside the folder that FACETRACE_STUDIES names on the worker. Not a whole path.",
        pattern=_NOT_ABSOLUTE + ".+$",
        examples=["my-faces"],
    ),
]
ConfigName = Annotated[
    str,
    _described(
        "Settings file",
        "Relative to the study folder; empty for its own config.yaml, or the defaults where it has none.",
        pattern=_NOT_ABSOLUTE + ".*$",
        examples=["config.yaml"],
    ),
]
Participants = Annotated[
    list[Annotated[str, _described("Participant", "Id, with or without sub-.", pattern=r"^(sub-)?[A-Za-z0-9]+$")]],
    _described("Only these participants", "Ids of participants.tsv; leave empty for all.", examples=[["001", "002"]]),
]
EVERYBODY: Final[list[str]] = []

ExportFormats = Annotated[
    list[Literal["parquet", "csv", "csv2", "sav"]],
    _described(
        "Formats", "csv2 is the CSV of countries with a decimal comma; leave empty for the setting export.formats."
    ),
]
ExportTables = Annotated[
    list[str], _described("Tables", "Such as features or frames; leave empty for the setting export.tables.")
]
AS_SET: Final[list[Any]] = []

ParticipantsPerGroup = Annotated[
    int, Field(ge=3), _described("Participants in each group", "Two groups of as many are rendered; at least 3.")
]
SessionSeconds = Annotated[float, Field(ge=8), _described("Length of each session", "Seconds; at least 8.")]
CohortSeed = Annotated[
    int, Field(ge=0), _described("Seed of the cohort", "The same seed renders the same participants.")
]
