"""What probing found, kept between runs: a video that was not touched since is neither read nor hashed again.

Touched means that size, time of change, time of the inode's change or inode differ. The second of these times is set by the
operating system alone, so putting an old date back does not hide a change. Extraction hashes what it reads in any case.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tasks.probing import VideoProbe
from tasks.provenance import write_json_atomic
from tasks.recordings import SessionVideo

CACHE_NAME: Final = "probes.json"
_FORMAT: Final = 1

_SETTLING_S: Final = 2.0
"""A file that changed so shortly before may change again without its times showing it (FAT counts in 2 s)."""


class ProbeCache:
    """Probes of earlier runs, by the file's study-relative name.

    Parameters
    ----------
    entries
        Name -> signature and probe, as `write` keeps them.
    """

    def __init__(self, entries: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._entries = dict(entries or {})
        self._used: dict[str, Mapping[str, Any]] = {}

    @classmethod
    def read(cls, folder: Path) -> ProbeCache:
        """The cache of a derivatives folder; empty where there is none, it is damaged, or other software made it."""
        try:
            content = json.loads((folder / CACHE_NAME).read_text(encoding="utf-8"))
            if {key: content[key] for key in _maker()} != _maker():
                return cls()
            return cls(content["videos"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def probe(self, video: SessionVideo, probe: Callable[[Path], VideoProbe]) -> VideoProbe:
        """The kept probe of a video that was not touched since, else a new one.

        Parameters
        ----------
        video
            The recording.
        probe
            Looks at a file; what it raises is raised, and nothing is kept.
        """
        signature = _signature(video.path)
        entry = self._entries.get(video.file)
        if entry is not None and entry.get("signature") == signature:
            try:
                found = VideoProbe(**{**entry["probe"], "notes": tuple(entry["probe"]["notes"])})
            except (KeyError, TypeError):
                entry = None
            else:
                self._used[video.file] = entry
                return found
        found = probe(video.path)
        if _is_settled(signature) and _signature(video.path) == signature:
            self._used[video.file] = {"signature": signature, "probe": asdict(found)}
        return found

    def write(self, folder: Path, *, study_folder: Path) -> None:
        """Keep the probes for the next run, but for those of files that are no longer there.

        Parameters
        ----------
        folder
            The derivatives folder.
        study_folder
            What the names are relative to.
        """
        there = {name: entry for name, entry in self._entries.items() if (study_folder / name).is_file()}
        kept = {**there, **self._used}
        if kept != self._entries:
            write_json_atomic(folder / CACHE_NAME, {**_maker(), "videos": dict(sorted(kept.items()))})


def _maker() -> dict[str, Any]:
    return {"format": _FORMAT, "av": version("av")}


def _is_settled(signature: Mapping[str, int] | None) -> bool:
    if signature is None:
        return False
    touched_s = max(signature["mtime_ns"], signature["ctime_ns"]) / 1e9
    return time.time() - touched_s > _SETTLING_S


def _signature(path: Path) -> dict[str, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return {
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
        "inode": found.st_ino,
    }
