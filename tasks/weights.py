"""Weights: the manifest, where files lie, fetching them, and loading them into networks after checking their hash.

Nothing here runs by itself: a flow that misses a file stops with exit code 6 and says which command fetches it.
"""

from __future__ import annotations

import os
import pickle
import shutil
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import platformdirs

from tasks.attribute_checkpoints import (
    CHECKPOINT_SUFFIXES,
    checkpoint_is_demo,
    load_model,
    require_all_tasks,
    require_frame_vocabulary,
)
from tasks.errors import WeightsError
from tasks.provenance import make_folder, sha256_file

if TYPE_CHECKING:
    from features.attributes.model import AttributeModel
    from features.faces.detector import FaceDetector

MODELS_FOLDER: Final = Path(__file__).resolve().parent.parent / "models"
"""The project's manifest and demo weights."""

_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class WeightsEntry:
    """One weights file of the manifest."""

    name: str
    kind: Literal["detector", "attributes"]
    architecture: str
    file: str
    licence: str
    intended_use: str
    citation: str
    input: str = ""
    url: str = ""
    sha256: str = ""
    sha256_prefix: str = ""
    size_bytes: int = 0
    demo: bool = False
    figures: str = ""
    """Page of the project that holds its measured figures."""

    @property
    def path(self) -> Path:
        """Where the file belongs: in the project for demo weights, else in the cache folder."""
        return MODELS_FOLDER / self.file if self.demo else weights_folder() / self.file

    def accepts(self, digest: str) -> bool:
        """Whether `digest` is the hash that the manifest states."""
        return digest == self.sha256 if self.sha256 else digest.startswith(self.sha256_prefix)


@dataclass(frozen=True)
class Weights:
    """A weights file that is there, checked."""

    name: str
    path: Path
    sha256: str
    demo: bool
    architecture: str
    licence: str = ""
    citation: str = ""


def weights_folder() -> Path:
    """Cache folder of weights: ``FACETRACE_WEIGHTS`` where it is set, else the user's cache folder."""
    named = os.environ.get("FACETRACE_WEIGHTS")
    return Path(named) if named else platformdirs.user_cache_path("facetrace") / "weights"


def read_manifest(path: Path = MODELS_FOLDER / "weights.toml") -> dict[str, WeightsEntry]:
    """Entries of the manifest by name."""
    entries = [WeightsEntry(**values) for values in tomllib.loads(path.read_text(encoding="utf-8")).values()]
    return {entry.name: entry for entry in entries}


def find_entry(name: str) -> WeightsEntry:
    """Entry of the manifest.

    Raises
    ------
    WeightsError
        If the manifest has no such name.
    """
    manifest = read_manifest()
    if name not in manifest:
        raise WeightsError(f"Expected one of the weights {', '.join(manifest)}, got {name!r}. See models/weights.toml.")
    return manifest[name]


def describe_status(entry: WeightsEntry) -> str:
    """``present``, ``missing`` or ``altered``."""
    if not entry.path.is_file():
        return "missing"
    return "present" if entry.accepts(sha256_file(entry.path)) else "altered"


def locate(name: str, kind: Literal["detector", "attributes"], *, study_folder: Path | None = None) -> Weights:
    """Find weights by manifest name, or a checkpoint of the lab's own by its path.

    Parameters
    ----------
    name
        Name in the manifest or, for attributes, a path ending in ``.safetensors`` or ``.onnx``, relative to the study folder.
    kind
        What they are for.
    study_folder
        Folder against which a relative path is resolved.

    Raises
    ------
    WeightsError
        If the file is missing, altered or of the wrong kind.
    """
    if kind == "attributes" and name.endswith(CHECKPOINT_SUFFIXES):
        path = (study_folder or Path()) / name
        if not path.is_file():
            raise WeightsError(
                f"Expected the checkpoint {name} (setting attributes.weights) in the study, it is missing."
            )
        return Weights(path.stem, path, sha256_file(path), demo=checkpoint_is_demo(path), architecture="attributes")
    entry = find_entry(name)
    if entry.kind != kind:
        raise WeightsError(f"Expected weights of kind {kind}, got {name}, which is a {entry.kind}. Change the setting.")
    if not entry.path.is_file():
        raise WeightsError(
            f"Weights {name} are missing. Source: {entry.url or 'the project'}; folder: {entry.path.parent}. "
            f"Run `facetrace weights fetch {name}`, or with `--from-dir FOLDER` where there is no internet."
        )
    digest = sha256_file(entry.path)
    if not entry.accepts(digest):
        raise WeightsError(
            f"Weights {name}: expected SHA-256 {entry.sha256 or entry.sha256_prefix + '...'}, got {digest}. The file was altered "
            f"or is another one; delete {entry.file} and run `facetrace weights fetch {name}`."
        )
    return Weights(name, entry.path, digest, entry.demo, entry.architecture, entry.licence, entry.citation)


def refuse_demo_weights(weights: Iterable[Weights], *, rendered: bool, allowed: bool) -> None:
    """Stop where demo weights would measure recordings of people.

    Raises
    ------
    WeightsError
        If demo weights are used, the recordings are not rendered, and `allowed` is false.
    """
    demo = [item.name for item in weights if item.demo]
    if demo and not rendered and not allowed:
        raise WeightsError(
            f"{' and '.join(demo)} were trained on rendered faces and are refused on recordings of people. Name weights of your "
            "own (attributes.weights, detection.weights), or set attributes.allow_demo_weights: true to try the pipeline; every "
            "table and report will then say so."
        )


def fetch(name: str, *, from_dir: Path | None = None, progress: Callable[[int, int], None] | None = None) -> Path:
    """Put weights into the cache folder, from their URL or from a folder, and check their hash.

    An interrupted download resumes where it stopped.

    Parameters
    ----------
    name
        Name in the manifest.
    from_dir
        Folder that holds the file, for labs behind a firewall.
    progress
        Called with bytes done and bytes in all (0 where unknown).

    Raises
    ------
    WeightsError
        If the source cannot be read or the hash is not the manifest's.
    """
    entry = find_entry(name)
    if entry.demo or describe_status(entry) == "present":
        return entry.path
    make_folder(entry.path.parent)
    partial = entry.path.with_suffix(entry.path.suffix + ".part")
    try:
        if from_dir is not None:
            shutil.copyfile(from_dir / entry.file, partial)
        else:
            _download(entry.url, partial, progress)
    except OSError as error:
        source = f"{from_dir.name}/{entry.file}" if from_dir else entry.url
        raise WeightsError(
            f"Weights {name}: {source} cannot be read ({error}). Download the file elsewhere and run "
            f"`facetrace weights fetch {name} --from-dir FOLDER`."
        ) from error
    digest = sha256_file(partial)
    if not entry.accepts(digest):
        partial.unlink()
        raise WeightsError(
            f"Weights {name}: expected SHA-256 {entry.sha256 or entry.sha256_prefix + '...'}, got {digest}. The file is not the "
            "published one; nothing was kept."
        )
    partial.replace(entry.path)
    return entry.path


def _download(url: str, partial: Path, progress: Callable[[int, int], None] | None) -> None:
    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310  (manifest)
    try:
        response = urllib.request.urlopen(request, timeout=60)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return
        raise
    with response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT
        done = done if resumed else 0
        total = done + int(response.headers.get("Content-Length", 0))
        with partial.open("ab" if resumed else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)


def load_state_dict(weights: Weights) -> Mapping[str, Any]:
    """Tensors of a detector's weights file: safetensors, a PyTorch file, or a zip that holds one.

    Raises
    ------
    WeightsError
        If the file is none of these.
    """
    import safetensors  # noqa: PLC0415
    import safetensors.torch  # noqa: PLC0415  (torch is slow to import and not needed to plan a run)
    import torch  # noqa: PLC0415

    if weights.path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(weights.path)
        except safetensors.SafetensorError as error:
            raise WeightsError(f"Expected a safetensors file in {weights.path.name}, got: {error}.") from error
    data = weights.path.read_bytes()
    if zipfile.is_zipfile(BytesIO(data)):
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.namelist()
            if len(members) == 1:
                data = archive.read(members[0])
    try:
        state: Mapping[str, Any] = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, LookupError, pickle.UnpicklingError) as error:
        raise WeightsError(f"Expected a PyTorch state dict in {weights.path.name}, got: {error}.") from error
    return state


def load_detector(weights: Weights, *, long_side: int, confidence: float, nms_iou: float, device: str) -> FaceDetector:
    """Face detector with its weights loaded.

    Raises
    ------
    WeightsError
        If the tensors do not fit the architecture.
    """
    from features.faces.detector import FaceDetector  # noqa: PLC0415
    from features.faces.retinaface import build_network, load_published_state  # noqa: PLC0415

    network = build_network(weights.architecture)
    try:
        load_published_state(network, load_state_dict(weights))
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"Weights {weights.name} do not fit {weights.architecture}: {error}") from error
    return FaceDetector(
        network, name=weights.architecture, long_side=long_side, confidence=confidence, nms_iou=nms_iou, device=device
    )


def load_attribute_model(weights: Weights, *, device: str, threads: int = 0) -> AttributeModel:
    """Attribute network with its weights and vocabulary, from a safetensors checkpoint or an ONNX export.

    Parameters
    ----------
    weights
        Located weights.
    device
        ``cpu``, ``cuda`` or ``cuda:1``.
    threads
        CPU threads of an ONNX export; 0 for one a core.

    Raises
    ------
    WeightsError
        If the file is no checkpoint of an attribute network, did not learn all tasks, or its outputs have no column in a frame
        table.
    """
    model = load_model(weights.path, device=device, threads=threads)
    require_frame_vocabulary(weights.name, model.aus, model.expressions)
    require_all_tasks(weights.name, model.metadata.untrained_tasks)
    return model
