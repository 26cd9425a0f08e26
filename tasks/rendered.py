"""Whether a video shows rendered faces: what its sidecar says, held to the video's hash."""

from __future__ import annotations

from pathlib import Path

from tasks.provenance import read_sidecar


def is_rendered(video: Path, sha256: str) -> bool:
    """Whether a video is one that facetrace rendered, unchanged."""
    sidecar = read_sidecar(video)
    return sidecar is not None and sidecar.get("step") == "render" and sidecar.get("output_sha256") == sha256
