"""One data dictionary for every format: what each column is, its variable name in SPSS, its codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pandas as pd

from tasks.exporters.spss_names import spss_names
from tasks.tables import infer_columns

Measure = Literal["nominal", "ordinal", "scale"]

MISSING_CODE: Final = -9
"""Code of a category that was not recorded; declared as missing in SPSS."""

_CATEGORICAL: Final = ("group", "sex", "truth", "prediction")
_GROUP_LIKE: Final = ("group", "truth", "prediction")


@dataclass(frozen=True)
class ExportColumn:
    """A column of an exported table.

    Attributes
    ----------
    name
        In Parquet and CSV.
    variable
        In SPSS.
    dtype
        ``int32``, ``float32``, ``float64``, ``bool`` or ``string``.
    description, unit
        As in the sidecar of the table, or in participants.json.
    low, high
        Admissible values; None where open.
    levels
        Value -> meaning.
    codes
        Value -> number in SPSS, of categories; empty otherwise.
    """

    name: str
    variable: str
    dtype: str
    description: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, int] = field(default_factory=dict)

    @property
    def measure(self) -> Measure:
        """Measurement level in SPSS."""
        return "nominal" if self.codes or self.dtype in ("bool", "string") else "scale"

    @property
    def spss_format(self) -> str:
        """Print format in SPSS; empty for text, whose width its values decide."""
        if self.dtype == "string":
            return "F4.0" if self.codes else ""
        if self.dtype == "bool":
            return "F1.0"
        if self.dtype == "int32":
            return "F8.0"
        return "F12.6" if self.unit == "s" else "F10.4"

    @property
    def label(self) -> str:
        """Description with unit, as a variable label."""
        text = self.description or self.name
        return f"{text} [{self.unit}]" if self.unit else text

    @property
    def range_text(self) -> str:
        """Range for people, such as ``0 to 1`` or ``0 or more``; empty where it is open."""
        if self.low is None:
            return "" if self.high is None else f"{self.high:g} or less"
        return f"{self.low:g} or more" if self.high is None else f"{self.low:g} to {self.high:g}"

    def described(self) -> dict[str, Any]:
        """As JSON values, without what is empty."""
        values = {
            "description": self.description,
            "dtype": self.dtype,
            "unit": self.unit,
            "range": [self.low, self.high] if (self.low, self.high) != (None, None) else None,
            "levels": dict(self.levels),
            "spss_name": self.variable,
            "spss_codes": dict(self.codes),
            "measure": self.measure,
        }
        return {key: value for key, value in values.items() if value not in (None, "", {})}


@dataclass(frozen=True)
class ExportTable:
    """A table to export.

    Attributes
    ----------
    name
        File name without ending.
    description
        What it is, in a sentence; says so where demo weights are behind it.
    rows
        The table.
    columns
        Its dictionary, in order.
    """

    name: str
    description: str
    rows: pd.DataFrame
    columns: tuple[ExportColumn, ...]


def describe_table(
    name: str,
    rows: pd.DataFrame,
    sidecar: Mapping[str, Any],
    *,
    participants_json: Mapping[str, Any],
    positive_group: str,
    comparison_group: str,
) -> ExportTable:
    """Make the dictionary of a table.

    Parameters
    ----------
    name
        File name without ending.
    rows
        The table.
    sidecar
        Contents of its sidecar.
    participants_json
        Contents of participants.json, which describes the covariates.
    positive_group, comparison_group
        Groups that are coded 1 and 0; others follow in the order of the alphabet.

    Returns
    -------
    ExportTable
    """
    variables = spss_names([str(column) for column in rows])
    inferred = {item.name: item.dtype for item in infer_columns(rows)}
    columns = []
    for column, variable in variables.items():
        known = dict(sidecar.get("columns", {}).get(column, {}))
        own = participants_json.get(column, {})
        levels = known.get("levels") or _texts(own.get("Levels", {}))
        low, high = known.get("range") or (None, None)
        dtype = known.get("dtype", inferred[column])
        columns.append(
            ExportColumn(
                name=column,
                variable=variable,
                dtype=dtype,
                description=known.get("description") or str(own.get("Description", "")),
                unit=known.get("unit") or str(own.get("Units", "")),
                low=low,
                high=high,
                levels=levels,
                codes=_number(rows[column], levels, (comparison_group, positive_group)) if dtype == "string" else {},
            )
        )
    notice = " Made with demo weights: numbers mean nothing." if sidecar.get("facts", {}).get("demo_weights") else ""
    return ExportTable(name, f"{sidecar.get('description', name)}.{notice}", rows, tuple(columns))


def _number(values: pd.Series, levels: Mapping[str, str], groups: Sequence[str]) -> dict[str, int]:
    """Codes of a column of categories; none for other text."""
    if values.name not in _CATEGORICAL and not levels:
        return {}
    present = sorted({str(value) for value in values.dropna() if str(value)})
    if values.name in _GROUP_LIKE:
        return {value: code for code, value in enumerate(dict.fromkeys([*groups, *levels, *present]))}
    return {value: code for code, value in enumerate(dict.fromkeys([*levels, *present]), start=1)}


def _texts(levels: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in levels.items()} if isinstance(levels, Mapping) else {}
