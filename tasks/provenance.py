"""Atomic writing, hashes, and the sidecar that says where an output came from and whether it still holds.

A step's key is a hash over what decides its result: the settings it uses, its inputs, its weights and the version of its code. It
holds no paths, times or host names, so a study that moved to another folder or machine keeps its state.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from features.frame_table import Column
from tasks.pipelining import beat
from tasks.storage import TEMPORARY_INFIX, explain_write_errors

MISSING: Final = "missing"
"""Why a step runs for the first time."""

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

_CHUNK: Final = 1 << 20
_MOST_NAMED: Final = 3

_RECORDED_PACKAGES: Final = (
    "facetrace", "av", "decord", "insightface", "numpy", "onnxruntime", "opencv-python", "pandas", "prefect", "pyarrow",
    "scikit-learn", "scipy", "statsmodels", "torch", "torchvision", "xgboost",
)  # fmt: skip


def make_folder(folder: Path) -> Path:
    """Create a folder and its missing parents, readable by its owner alone."""
    with explain_write_errors(folder):
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        with explain_write_errors(path):
            path.mkdir(mode=FOLDER_MODE, exist_ok=True)
    return folder


@contextmanager
def write_atomic(path: Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`; on success it is flushed to disk and takes its name, on failure it is removed.

    Parameters
    ----------
    path
        Where the finished file shall stand. Its folder is created where it is missing.

    Yields
    ------
    Path
        The file to write to; same suffix as `path`. A process that is killed leaves it; `tasks.storage.remove_leftovers`
        removes it at the next run.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written. Errors of the block itself pass as they are.
    """
    make_folder(path.parent)
    suffix = f"{TEMPORARY_INFIX}{path.suffix}"
    with explain_write_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:80]}.", suffix=suffix)
        os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with explain_write_errors(path):
            temporary.chmod(FILE_MODE)
            with temporary.open("r+b") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomic(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with write_atomic(path) as temporary, explain_write_errors(path, needs_bytes=len(text)):
        temporary.write_text(text, encoding="utf-8")


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Write `data`, atomically."""
    with write_atomic(path) as temporary, explain_write_errors(path, needs_bytes=len(data)):
        temporary.write_bytes(data)


def write_json_atomic(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN is refused."""
    write_text_atomic(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            beat()
    return digest.hexdigest()


def hash_json(value: Any) -> str:
    """Hexadecimal SHA-256 of a JSON value, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def software_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide numbers."""
    versions = {"python": platform.python_version()}
    for package in _RECORDED_PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True)
class Step:
    """What decides the result of one step.

    Attributes
    ----------
    name
        Name of the step, such as ``extract``.
    code_version
        Raised whenever a change of the code changes the step's numbers.
    settings
        The settings that this step uses, as JSON values.
    inputs
        Study-relative name of each input -> its SHA-256.
    weights
        Name of each weights file -> its SHA-256.
    """

    name: str
    code_version: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """The step as JSON values, in a fixed order."""
        return {
            "step": self.name,
            "code_version": self.code_version,
            "settings": json.loads(json.dumps(self.settings, sort_keys=True, default=str)),
            "inputs": dict(sorted(self.inputs.items())),
            "weights": dict(sorted(self.weights.items())),
        }

    @property
    def key(self) -> str:
        """SHA-256 over `described`."""
        return hash_json(self.described())


def sidecar_path(output: Path) -> Path:
    """The sidecar of an output: the same name with ``.json``; a PDF keeps its ending, because an SVG of its name lies beside it."""
    return output.with_name(f"{output.name}.json") if output.suffix == ".pdf" else output.with_suffix(".json")


def write_sidecar(
    output: Path,
    step: Step,
    *,
    description: str,
    columns: Sequence[Column] = (),
    started: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write beside `output` what it is, what made it, and its own hash.

    Parameters
    ----------
    output
        A finished output file.
    step
        The step that made it.
    description
        What the output is, in a sentence.
    columns
        Its data dictionary, where it is a table.
    started
        When the step began, with time zone.
    facts
        Further facts, such as which reader was used.
    """
    dictionary = {
        column.name: {
            key: value
            for key, value in {
                "description": column.description,
                "dtype": column.dtype,
                "unit": column.unit or None,
                "range": [column.low, column.high] if (column.low, column.high) != (None, None) else None,
                "levels": column.levels or None,
            }.items()
            if value is not None
        }
        for column in columns
    }
    write_json_atomic(
        sidecar_path(output),
        {
            "description": description,
            "columns": dictionary,
            "step_key": step.key,
            **step.described(),
            "output_sha256": sha256_file(output),
            "facts": dict(facts or {}),
            "software": software_versions(),
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def read_sidecar(output: Path) -> dict[str, Any] | None:
    """The sidecar of `output`; None where it is missing or damaged, so that the step runs again."""
    try:
        value = json.loads(sidecar_path(output).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def describe_action(why: str | None) -> str:
    """What a step did, given the reason that `why_stale` gave for it.

    Examples
    --------
    >>> describe_action("detection.confidence 0.7 -> 0.8")
    'recomputed: detection.confidence 0.7 -> 0.8'
    """
    if why is None:
        return "up to date"
    return "computed" if why == MISSING else f"recomputed: {why}"


def why_stale(output: Path, step: Step) -> str | None:
    """Why a step has to run, or None where its output still holds.

    Parameters
    ----------
    output
        Output of the step.
    step
        The step as it would run now.

    Returns
    -------
    str or None
        `MISSING`, what is wrong with the output, or what changed, such as ``detection.confidence 0.7 -> 0.8``.
    """
    if not output.exists():
        return MISSING
    sidecar = read_sidecar(output)
    if sidecar is None:
        return "its sidecar is missing or damaged"
    if sidecar.get("step_key") != step.key:
        return describe_differences(sidecar, step.described()) or "changed"
    if sidecar.get("output_sha256") != sha256_file(output):
        return "the output was altered"
    return None


def find_damage(output: Path) -> str | None:
    """Why a finished output cannot be relied on, or None where it is as its step wrote it.

    Parameters
    ----------
    output
        Output of a step.

    Returns
    -------
    str or None
        `MISSING`, or what is wrong with it.
    """
    if not output.exists():
        return MISSING
    sidecar = read_sidecar(output)
    if sidecar is None:
        return "its sidecar is missing or damaged"
    return None if sidecar.get("output_sha256") == sha256_file(output) else "the output was altered"


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What of a step, as `Step.described` gives it, changed; such as ``detection.confidence 0.7 -> 0.8``."""
    changes = []
    for part in ("code_version", "settings", "inputs", "weights"):
        before, after = _flatten(old.get(part), part), _flatten(new.get(part), part)
        differ = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
        if part in {"code_version", "settings"}:
            changes += [f"{name.removeprefix('settings.')} {before.get(name)} -> {after.get(name)}" for name in differ]
        else:
            # A step on a whole study has an input for each recording.
            changes += [f"{name.partition('.')[2]} changed" for name in differ[:_MOST_NAMED]]
            changes += [f"{len(differ) - _MOST_NAMED} more changed"] if len(differ) > _MOST_NAMED else []
    return ", ".join(changes)


def _flatten(value: Any, prefix: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        flat: dict[str, Any] = {}
        for name, item in value.items():
            flat |= _flatten(item, f"{prefix}.{name}")
        return flat
    return {prefix: value}
