"""`config.yaml`: read into the schema with every problem at once, and written out from it with its documentation."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tasks.errors import SettingsError
from tasks.settings import Settings


def read_settings(path: Path | None) -> Settings:
    """Settings of a YAML file; defaults where it is silent, all defaults where there is no file.

    Parameters
    ----------
    path
        A `config.yaml`, or None.

    Raises
    ------
    SettingsError
        If the file is no YAML mapping or a setting is unknown or out of range. All problems are listed, each with its line, the
        value found, what is accepted, and the nearest known name.
    """
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"Expected settings in {path.name}, but it cannot be read: {error.strerror}.") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"Expected YAML in {path.name}, got: {error}. Check indentation and colons.") from error
    if values is None:
        return Settings()
    if not isinstance(values, dict):
        raise SettingsError(f"Expected sections such as 'study:' in {path.name}, got a {type(values).__name__}.")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_describe(error, node, path.name)) from error


def _describe(error: ValidationError, node: yaml.Node | None, file: str) -> str:
    problems = []
    for item in error.errors():
        names = [str(part) for part in item["loc"]]
        line = _line_of(node, names)
        where = f"{file}, line {line}" if line else file
        if item["type"] == "extra_forbidden":
            problems.append(f"{where}: unknown setting {'.'.join(names)}.{_suggest(names)}")
        elif item["type"] == "value_error":
            problems.append(f"{where}: {item['msg'].removeprefix('Value error, ')}.")
        else:
            problems.append(f"{where}: {'.'.join(names)} is {item['input']!r}. {item['msg']}.")
    return "\n".join(problems)


def _line_of(node: yaml.Node | None, names: list[str]) -> int | None:
    line = None
    for name in names:
        if isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            node = node.value[int(name)]
            line = node.start_mark.line + 1
            continue
        if not isinstance(node, yaml.MappingNode):
            return line
        for key, value in node.value:
            if key.value == name:
                line, node = key.start_mark.line + 1, value
                break
        else:
            return line
    return line


def _suggest(names: list[str]) -> str:
    known = known_settings()
    near = difflib.get_close_matches(".".join(names), known, n=1, cutoff=0.6)
    if not near:
        near = [name for name in known if name.rpartition(".")[2] == names[-1]][:1]
    if near:
        return f" Did you mean {near[0]}?"
    section = [name for name in known if name.startswith(f"{names[0]}.")]
    return f" Known are {', '.join(section or sorted(Settings.model_fields))}."


def known_settings() -> list[str]:
    """Every setting as ``section.name``, and the names of the sections."""
    names = list(Settings.model_fields)
    return [*names, *(f"{section}.{field}" for section, field, *_ in _fields())]


def _fields() -> Iterator[tuple[str, str, str, Any]]:
    for name, section in Settings.model_fields.items():
        model = section.default
        for field, info in type(model).model_fields.items():
            yield name, field, info.description or "", getattr(model, field)


def document_settings(settings: Settings | None = None) -> str:
    """Text of a `config.yaml` that holds every setting with its documentation.

    Parameters
    ----------
    settings
        Values to write; the defaults where None.
    """
    values = (settings or Settings()).model_dump(mode="json")
    lines = ["# Settings of a facetrace study. Every value below is the default unless it was changed.", ""]
    for name, info in Settings.model_fields.items():
        section = type(info.default)
        lines += [f"# {section.__doc__}", f"{name}:"]
        for field, meta in section.model_fields.items():
            lines += [f"  # {line.strip()}" for line in (meta.description or "").splitlines()]
            written = yaml.safe_dump(values[name][field], default_flow_style=True, width=10_000).strip()
            lines.append(f"  {field}: {written.removesuffix('...').strip()}")
        lines.append("")
    return "\n".join(lines)
