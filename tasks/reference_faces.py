"""Reference images: a picture of the participant and a face-recognition model, to tell the participant from others.

The model is an ONNX file of the lab's own, such as the ArcFace models of insightface (their weights are for non-commercial
research); it is run by insightface.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from features.faces.detector import FaceDetector
from features.faces.target import Descriptor, Embedder, describe_reference
from tasks.errors import InvalidInputError, WeightsError


@dataclass(frozen=True)
class ReferenceFace:
    """Who the participant is.

    Attributes
    ----------
    embed
        Descriptor function of the recognition model.
    descriptor
        Descriptor of the participant; None without an image, when the first face followed becomes the reference.
    """

    embed: Embedder
    descriptor: Descriptor | None


def load_embedder(model: Path) -> Embedder:
    """Descriptor function of a face-recognition model.

    Parameters
    ----------
    model
        ONNX file that maps 112x112 faces to vectors.

    Raises
    ------
    WeightsError
        If the file is no such model.
    """
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX  # noqa: PLC0415  (slow to import, rarely needed)
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        recognition = ArcFaceONNX(model_file=str(model), session=session)
    except (Fail, InvalidGraph, InvalidProtobuf, ValueError, AssertionError) as error:
        raise WeightsError(
            f"Expected a face-recognition model in ONNX form in {model.name} (target.recognition), got: {error}"
        ) from error

    def embed(crop: NDArray[np.uint8]) -> Descriptor:
        bgr = np.ascontiguousarray(crop[:, :, ::-1])
        return np.asarray(recognition.get_feat([bgr])[0], dtype=np.float64)

    return embed


def read_reference(model: Path, image: Path | None, *, detector: FaceDetector) -> ReferenceFace:
    """Load the recognition model and describe the participant's reference image.

    Raises
    ------
    InvalidInputError
        If the image cannot be read or does not show exactly one face.
    WeightsError
        If the model cannot be used.
    """
    embed = load_embedder(model)
    if image is None:
        return ReferenceFace(embed, None)
    bgr = cv2.imdecode(np.frombuffer(image.read_bytes(), dtype=np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InvalidInputError(
            f"Expected a JPEG or PNG image in {image.name}, but it cannot be read. Replace the file."
        )
    pixels = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    try:
        return ReferenceFace(embed, describe_reference(pixels, detector.detect([pixels])[0], embed=embed))
    except ValueError as error:
        raise InvalidInputError(f"{image.name}: {error}") from error
