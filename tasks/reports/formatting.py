"""How numbers, p-values, intervals and texts are written on reports."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from typing import Any, Final

MINUS: Final = "\N{MINUS SIGN}"
NO_VALUE: Final = "\N{EN DASH}"

_FOLDERS = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:[\\/]|\\\\|~?/)(?:[^\s/\\'\"<>|]+[\\/])*(?=[^\s/\\])")

CLASSIFIER_LABELS: Final[dict[str, str]] = {
    "logistic": "Logistic regression",
    "lasso": "LASSO",
    "lda": "LDA",
    "qda": "QDA",
    "svm_rbf": "SVM (RBF)",
    "xgboost": "XGBoost",
    "neural_network": "Neural network",
}

METRIC_LABELS: Final[dict[str, str]] = {
    "f1": "F1",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "accuracy": "Accuracy",
    "auc": "AUC",
    "mcc": "MCC",
}

REASON_LABELS: Final[dict[str, str]] = {
    "ok": "valid",
    "no_face": "no face found",
    "low_score": "detection score too low",
    "not_target": "other person's face",
    "too_small": "face too small",
    "extreme_pose": "head turned too far",
    "blurred": "blurred",
    "decode_error": "not decodable",
}

LANE_LABELS: Final[dict[str, str]] = {
    "ok": "valid",
    "no_face": "no face",
    "low_score": "low score",
    "not_target": "other's face",
    "too_small": "too small",
    "extreme_pose": "turned away",
    "blurred": "blurred",
    "decode_error": "undecodable",
}
"""Shorter than `REASON_LABELS`, for charts that are read on a telephone."""


def is_missing(value: Any) -> bool:
    """Whether `value` is None, NaN or NA."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in {"NAType", "NaTType"}


def number(value: Any, digits: int = 2, *, signed: bool = False) -> str:
    """A number with a fixed count of decimals and a true minus sign; a dash where it is missing."""
    if is_missing(value) or not math.isfinite(float(value)):
        return NO_VALUE
    text = f"{float(value):{'+' if signed else ''},.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def integer(value: Any) -> str:
    """A count with thousands separators; a dash where it is missing."""
    return number(value, 0)


def percent(value: Any, digits: int = 0) -> str:
    """A fraction of 0 to 1 as percent; never rounded up to 100 or down to 0."""
    if is_missing(value):
        return NO_VALUE
    fraction = float(value)
    if fraction in {0.0, 1.0}:
        return f"{fraction:.0%}"
    text = f"{100 * fraction:.{digits}f}"
    if fraction < 1 and float(text) == 100:
        return f"> {100 - 10**-digits:.{digits}f}%"
    if fraction > 0 and float(text) == 0:
        return f"< {10**-digits:.{digits}f}%"
    return f"{text}%"


def p_value(value: Any) -> str:
    """A p-value without its leading zero: ``.012``, ``< .001``."""
    if is_missing(value):
        return NO_VALUE
    p = float(value)
    if p < 0.001:
        return "< .001"
    text = f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
    return "1" if float(text) >= 1 else text.removeprefix("0")


def level(alpha: float) -> str:
    """A significance level without its leading zero: ``.05``."""
    return f"{alpha:g}".removeprefix("0")


def p_equals(value: Any) -> str:
    """A p-value within a sentence: ``p = .012``, ``p < .001``."""
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def interval(low: Any, high: Any, digits: int = 2) -> str:
    """An interval in brackets; a dash where an end is missing."""
    if is_missing(low) or is_missing(high):
        return NO_VALUE
    return f"[{number(low, digits)}, {number(high, digits)}]"


def estimate(value: Any, low: Any, high: Any, digits: int = 2) -> str:
    """An estimate with its interval; the estimate alone where there is none."""
    text = number(value, digits)
    return text if is_missing(low) or is_missing(high) else f"{text} {interval(low, high, digits)}"


def duration(seconds: Any) -> str:
    """Seconds as ``48.2 s`` or ``6 min 35 s``."""
    if is_missing(seconds):
        return NO_VALUE
    total = float(seconds)
    if total < 60:
        return f"{total:.1f} s"
    minutes, rest = divmod(round(total), 60)
    return f"{minutes} min {rest:02d} s"


def file_size(n_bytes: Any) -> str:
    """Bytes as kB, MB or GB (powers of ten)."""
    if is_missing(n_bytes):
        return NO_VALUE
    size = float(n_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def plural(count: int, singular: str, several: str | None = None) -> str:
    """A count with its noun: ``1 participant``, ``3 participants``."""
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"


def listing(items: Iterable[str]) -> str:
    """Items in a sentence: ``a, b and c``."""
    values = list(items)
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} and {values[-1]}" if values else "none"


def without_folders(text: Any) -> str:
    """`text` with absolute paths reduced to their file names; where a lab keeps its data is nobody's business."""
    return "" if is_missing(text) else _FOLDERS.sub("", str(text))


def full_stop(text: str) -> str:
    """`text` as a sentence: with a full stop where it ends without a mark."""
    return f"{text}." if text and text[-1] not in ".!?" else text


def chart_text(value: Any) -> str:
    """Text for a chart, which reads a little HTML of its own: everything is shown as it is written."""
    return html.escape(str(value), quote=False)


def classifier_label(name: str) -> str:
    """Name of a classifier as people write it."""
    return CLASSIFIER_LABELS.get(name, name)


def recording_label(participant_id: str, session: str, n_tasks: int, task: str) -> str:
    """Short name of a recording: as much of participant, session and task as is needed to tell it from others."""
    parts = [participant_id, session, task if n_tasks > 1 else ""]
    return " / ".join(part for part in parts if part and not is_missing(part))
