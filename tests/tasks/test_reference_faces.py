"""Reference images, with a real ONNX model that is simple enough to reason about: it describes a face by its mean colour."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from features.synthetic.identity import sample_identity
from features.synthetic.renderer import FaceState, render_frame
from features.synthetic.scene import sample_scene_look
from tasks.errors import InvalidInputError, WeightsError
from tasks.extraction_jobs import find_reference_image
from tasks.reference_faces import load_embedder, read_reference
from tasks.weights import load_detector, locate


@pytest.fixture(scope="module")
def mean_colour_model(tmp_path_factory):
    """(n, 3, 112, 112) -> (n, 3): the mean of each channel."""
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["face"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["descriptor"]),
        ],
        "mean colour",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 3, 112, 112])],
        [helper.make_tensor_value_info("descriptor", TensorProto.FLOAT, ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path_factory.mktemp("models") / "recognition.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def detector():
    return load_detector(
        locate("demo-retinaface", "detector"), long_side=640, confidence=0.5, nms_iou=0.4, device="cpu"
    )


def picture(n_people: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    places = [0.3, 0.7][:n_people]
    people = [(sample_identity(rng), FaceState(centre_x=x, height_fraction=0.5)) for x in places]
    return render_frame(people, sample_scene_look(rng), width=640, height=360, rng=rng).pixels


def save(path, pixels):
    cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return path


def test_the_model_sees_rgb_scaled_as_arcface_expects(mean_colour_model):
    # ArcFace input: RGB, (pixel - 127.5) / 127.5.
    crop = np.zeros((112, 112, 3), dtype=np.uint8)
    crop[..., 0] = 255
    np.testing.assert_allclose(load_embedder(mean_colour_model)(crop), [1, -1, -1], atol=1e-6)


def test_a_reference_image_of_one_face_is_described(mean_colour_model, detector, tmp_path):
    image = save(tmp_path / "sub-001_reference.png", picture(1))
    reference = read_reference(mean_colour_model, image, detector=detector)
    assert reference.descriptor is not None
    assert reference.descriptor.shape == (3,)


@pytest.mark.parametrize("n_people", [0, 2])
def test_an_image_of_none_or_two_is_refused(mean_colour_model, detector, tmp_path, n_people):
    image = save(tmp_path / "sub-001_reference.png", picture(n_people))
    with pytest.raises(InvalidInputError, match=r"sub-001_reference\.png: Expected one face"):
        read_reference(mean_colour_model, image, detector=detector)


def test_without_an_image_only_the_descriptor_function_is_there(mean_colour_model, detector):
    assert read_reference(mean_colour_model, None, detector=detector).descriptor is None


def test_what_is_no_image_is_refused(mean_colour_model, detector, tmp_path):
    image = tmp_path / "sub-001_reference.jpg"
    image.write_bytes(b"text")
    with pytest.raises(InvalidInputError, match="JPEG or PNG"):
        read_reference(mean_colour_model, image, detector=detector)


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "recognition.onnx"
    path.write_bytes(b"text")
    with pytest.raises(WeightsError, match=r"recognition\.onnx"):
        load_embedder(path)


def test_the_image_is_found_by_its_name(tmp_path):
    assert find_reference_image(tmp_path, "001") is None
    (tmp_path / "sub-001").mkdir()
    (tmp_path / "sub-001" / "sub-001_reference.png").touch()
    assert find_reference_image(tmp_path, "001") == tmp_path / "sub-001" / "sub-001_reference.png"
