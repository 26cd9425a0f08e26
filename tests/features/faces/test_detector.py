"""Detection on frames: contracts with random weights, published facts with real ones."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from features.faces.detector import FaceDetector, normalise_pixels, shrink_frame
from features.faces.retinaface import SPECS, build_network

MOBILENET = "retinaface-mobilenet0.25"


@pytest.fixture(scope="module")
def published(real_media: Path) -> dict[str, torch.Tensor]:
    # Saved from a GPU.
    path = real_media / "weights" / "retinaface_mobilenet0.25_Final.pth"
    return torch.load(path, weights_only=True, map_location="cpu")


@pytest.fixture(scope="module")
def detector(published: dict[str, torch.Tensor]) -> FaceDetector:
    # Half of the usual size: a quarter of the time, and the published facts hold there too.
    return FaceDetector.from_state_dict(published, name=MOBILENET, long_side=320)


def read_image(path: Path) -> NDArray[np.uint8]:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def sample_frames(path: Path, *, every: int) -> tuple[list[NDArray[np.uint8]], int]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames[::every]], len(frames)


@pytest.mark.real_media
@pytest.mark.parametrize("long_side", [1000, 640, 320])
@pytest.mark.parametrize(("image", "n_faces"), [("multi_face.jpg", 5), ("single_face.jpg", 1)])
def test_the_faces_of_the_images_are_found(
    published: dict[str, torch.Tensor], real_media: Path, image: str, n_faces: int, long_side: int
) -> None:
    detector = FaceDetector.from_state_dict(published, name=MOBILENET, long_side=long_side)
    faces = detector.detect([read_image(real_media / "image" / image)])[0]
    assert len(faces) == n_faces
    assert faces.scores.min() > 0.99
    left_eye, right_eye, nose, left_mouth, right_mouth = faces.landmarks.transpose(1, 0, 2)
    assert (left_eye[:, 0] < right_eye[:, 0]).all()
    assert (left_mouth[:, 0] < right_mouth[:, 0]).all()
    assert (left_eye[:, 1] < nose[:, 1]).all()
    assert (nose[:, 1] < right_mouth[:, 1]).all()
    inside = (faces.landmarks > faces.boxes[:, None, :2]) & (faces.landmarks < faces.boxes[:, None, 2:])
    assert inside.all()


@pytest.mark.real_media
def test_the_one_face_of_the_clip_is_found_throughout(detector: FaceDetector, real_media: Path) -> None:
    frames, n_frames = sample_frames(real_media / "video" / "WolfgangLanger_Pexels.mp4", every=24)
    assert n_frames == 472
    found = detector.detect(frames)
    assert [len(faces) for faces in found] == [1] * 20
    # All 472 frames have one face, the lowest score 0.99 when measured; every 24th is looked at here.
    assert min(faces.scores[0] for faces in found) > 0.98


@pytest.mark.real_media
def test_no_face_is_seen_where_there_is_none(detector: FaceDetector, real_media: Path) -> None:
    frames, _ = sample_frames(real_media / "video" / "no_face.mp4", every=16)
    assert all(len(faces) == 0 for faces in detector.detect(frames))


@pytest.mark.real_media
def test_a_batch_gives_what_single_frames_give(detector: FaceDetector, real_media: Path) -> None:
    frames, _ = sample_frames(real_media / "video" / "single_face.mp4", every=36)
    frames = [*frames, read_image(real_media / "image" / "multi_face.jpg")]
    together = detector.detect(frames)
    for alone, batched in zip((detector.detect([frame])[0] for frame in frames), together, strict=True):
        # Batch size changes the order of float32 sums; coordinates in pixels.
        np.testing.assert_allclose(batched.boxes, alone.boxes, rtol=0, atol=2e-2)
        np.testing.assert_allclose(batched.landmarks, alone.landmarks, rtol=0, atol=2e-2)


@pytest.mark.real_media
def test_coordinates_do_not_depend_on_the_detectors_input_size(
    published: dict[str, torch.Tensor], real_media: Path
) -> None:
    image = read_image(real_media / "image" / "multi_face.jpg")
    fine, coarse = (
        FaceDetector.from_state_dict(published, name=MOBILENET, long_side=side).detect([image])[0]
        for side in (1000, 500)
    )
    order = np.argsort(fine.boxes[:, 0]), np.argsort(coarse.boxes[:, 0])
    # Faces are about 100 pixels wide: a twentieth on average.
    assert np.abs(fine.landmarks[order[0]] - coarse.landmarks[order[1]]).mean() < 5


@pytest.fixture(scope="module")
def untrained() -> FaceDetector:
    torch.manual_seed(0)
    return FaceDetector(build_network(MOBILENET), name=MOBILENET, long_side=96)


def test_every_frame_gets_an_answer_in_its_place(untrained: FaceDetector) -> None:
    rng = np.random.default_rng(0)
    sizes = [(48, 64), (1, 1), (48, 64), (200, 300)]
    frames = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    together = untrained.detect(frames)
    assert len(together) == len(frames)
    for frame, batched in zip(frames, together, strict=True):
        alone = untrained.detect(frame[None])[0]
        np.testing.assert_allclose(batched.scores, alone.scores, atol=1e-4)


def test_no_frames_give_no_answers(untrained: FaceDetector) -> None:
    assert untrained.detect(np.zeros((0, 48, 64, 3), np.uint8)) == []


@pytest.mark.parametrize(
    "frame",
    [np.zeros((48, 64, 3), np.float32), np.zeros((48, 64), np.uint8), np.zeros((0, 64, 3), np.uint8)],
    ids=["float", "grey", "empty"],
)
def test_a_frame_that_is_no_rgb_picture_is_refused(untrained: FaceDetector, frame: NDArray) -> None:
    with pytest.raises(ValueError, match="Expected RGB frames"):
        untrained.detect([frame])


@pytest.mark.parametrize("setting", [{"long_side": 8}, {"confidence": 0.0}, {"confidence": 1.0}, {"nms_iou": 1.5}])
def test_settings_outside_their_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        FaceDetector(build_network(MOBILENET), name=MOBILENET, **setting)  # type: ignore[arg-type]


def test_the_network_given_is_not_touched() -> None:
    network = build_network(MOBILENET)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    FaceDetector(network, name=MOBILENET)
    assert network.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_pixels_reach_the_networks_as_each_was_trained() -> None:
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).repeat(1, 4, 5, 1)
    bgr = normalise_pixels(red, SPECS[MOBILENET])
    assert bgr.shape == (1, 3, 4, 5)
    assert bgr[0, :, 0, 0].tolist() == [-104.0, -117.0, 255.0 - 123.0]
    # torchvision's convention for ImageNet: (value / 255 - mean) / std, RGB.
    rgb = normalise_pixels(red, SPECS["retinaface-resnet50"])
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    np.testing.assert_allclose(rgb[0, :, 0, 0], expected, rtol=1e-5)


def test_frames_are_shrunk_but_never_enlarged() -> None:
    assert shrink_frame(np.zeros((720, 1280, 3), np.uint8), long_side=640).shape == (360, 640, 3)
    assert shrink_frame(np.zeros((1280, 721, 3), np.uint8), long_side=640).shape == (640, 360, 3)
    small = np.zeros((120, 160, 3), np.uint8)
    assert shrink_frame(small, long_side=640) is small
