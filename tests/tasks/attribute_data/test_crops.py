"""Face crops of a data set: pixels, what is skipped and why, what is kept when something changes, and what a stop leaves."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from features.attributes.labels import AttributeLabels
from features.faces.alignment import align_face
from features.faces.detector import FaceDetector
from tasks.attribute_data import crops as crops_module
from tasks.attribute_data.crops import PreparedCrops, prepare_crops, read_prepared
from tasks.attribute_data.labelled import LabelledImages
from tasks.attribute_data.pictures import read_picture
from tasks.errors import InvalidInputError, OutputError
from tasks.rendered_faces import render_labelled_faces
from tasks.settings import Settings
from tasks.weights import load_detector, locate

BOXES = Settings.model_validate({"training": {"crops": "boxes", "input_size": 32}})
FACES = Settings.model_validate({"training": {"input_size": 64}, "detection": {"weights": "demo-retinaface"}})


def make_data(
    folder: Path, names: list[str], boxes: np.ndarray | None = None, name: str = "Own data!"
) -> LabelledImages:
    n = len(names)
    unknown = np.full(n, np.nan, dtype=np.float32)
    labels = AttributeLabels(np.arange(n, dtype=np.int64) % 8, unknown, unknown, np.empty((n, 0), dtype=np.float32))
    if boxes is None:
        boxes = np.tile(np.array([10, 10, 20, 20], dtype=np.float32), (n, 1))
    return LabelledImages(name, tuple(names), folder, boxes, labels, np.full(n, "train"), (), {})


def prepare(images: LabelledImages, out: Path, settings: Settings = BOXES, **more) -> tuple[Path, PreparedCrops]:
    folder = prepare_crops(images, out, settings=settings, **more)
    return folder, read_prepared(images, folder, settings=settings, detector_sha256=more.get("detector_sha256", ""))


def skipped_rows(folder: Path) -> list[tuple[str, str]]:
    with (folder / "skipped.csv").open() as file:
        return [(row["image"], row["reason"]) for row in csv.DictReader(file)]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Noise of 60 x 50 pixels in loss-free files 0.png to 9.png."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for number in range(10):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (50, 60, 3), dtype=np.uint8))
    return folder


def test_crops_by_boxes_are_rgb_and_those_of_the_window(pictures: Path, tmp_path: Path) -> None:
    # Box of 20 x 20 at (15, 12), 6 more on each side: window 9..41 x 6..38, 32 pixels, so pixels are taken as they are.
    boxes = np.tile(np.array([15, 12, 35, 32], dtype=np.float32), (3, 1))
    names = ["2.png", "0.png", "1.png"]
    folder, got = prepare(make_data(pictures, names, boxes), tmp_path / "crops")
    assert folder.name.startswith("own-data-")
    assert got.rows.tolist() == [0, 1, 2]
    for number, name in enumerate(names):
        bgr = cv2.imread(str(pictures / name))
        np.testing.assert_array_equal(got.crops[np.array([number])][0], bgr[6:38, 9:41, ::-1])
    assert skipped_rows(folder) == []
    assert (folder.stat().st_mode & 0o777) == 0o700


def test_images_without_crops_are_counted_and_named(pictures: Path, tmp_path: Path) -> None:
    good = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))[1].tobytes()
    (pictures / "cut.jpg").write_bytes(good[: len(good) // 2])
    (pictures / "text.jpg").write_text("not found")
    (pictures / "empty.jpg").touch()
    (pictures / "cut.png").write_bytes((pictures / "3.png").read_bytes()[:-40])
    names = ["0.png", "cut.jpg", "1.png", "text.jpg", "empty.jpg", "cut.png", "gone.png", "2.png", "4.png", "5.png"]
    boxes = np.tile(np.array([10, 10, 20, 20], dtype=np.float32), (10, 1))
    boxes[7] = np.nan
    boxes[8] = [100, 100, 120, 120]
    folder, got = prepare(make_data(pictures, names, boxes), tmp_path / "crops")
    assert got.rows.tolist() == [0, 2, 9]
    assert got.skipped == {"damaged image": 4, "file cannot be read": 1, "no usable face box": 2}
    assert dict(skipped_rows(folder)) == {
        "cut.jpg": "damaged image",
        "text.jpg": "damaged image",
        "empty.jpg": "damaged image",
        "cut.png": "damaged image",
        "gone.png": "file cannot be read",
        "2.png": "no usable face box",
        "4.png": "no usable face box",
    }
    assert got.crops[np.array([1])][0].any()


def test_a_jpeg_with_a_thumbnail_is_no_exception(tmp_path: Path) -> None:
    """The thumbnail in the header ends like a JPEG, so its end must not be taken for the picture's."""
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = cv2.imencode(".jpg", picture)[1].tobytes()
    thumbnail = cv2.imencode(".jpg", picture[:8, :8])[1].tobytes()
    block = b"Exif\x00\x00" + thumbnail
    marker = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    data = whole[:2] + marker + whole[2:]
    (tmp_path / "whole.jpg").write_bytes(data)
    (tmp_path / "cut.jpg").write_bytes(data[:-200])
    decoded = read_picture(tmp_path / "whole.jpg")
    assert not isinstance(decoded, str)
    assert decoded.shape == (64, 64, 3)
    assert read_picture(tmp_path / "cut.jpg") == "damaged image"


def test_nothing_is_opened_again_and_only_what_changed_is(
    pictures: Path, tmp_path: Path, opened: list[str], parts_of
) -> None:
    parts_of(4)
    names = [f"{number}.png" for number in range(10)]
    data = make_data(pictures, names)
    folder, first = prepare(data, tmp_path / "crops")
    assert len(opened) == 10
    opened.clear()
    other = replace(data, split=np.full(10, "test"), labels=data.labels.take(np.arange(10)[::-1]))
    again, second = prepare(other, tmp_path / "crops")
    assert (again, opened) == (folder, [])
    np.testing.assert_array_equal(first.crops[:], second.crops[:])

    cv2.imwrite(str(pictures / "5.png"), np.zeros((50, 60, 3), dtype=np.uint8))  # another size in bytes
    _, third = prepare(data, tmp_path / "crops")
    assert sorted(opened) == ["4.png", "5.png", "6.png", "7.png"]
    assert not third.crops[np.array([5])].any()
    assert len(list(folder.glob("crops-*.npy"))) == 3  # the outdated part is gone

    opened.clear()
    larger = Settings.model_validate({"training": {"crops": "boxes", "input_size": 48}})
    elsewhere, fourth = prepare(data, tmp_path / "crops", larger)
    assert elsewhere != folder
    assert fourth.crops.shape == (10, 48, 48, 3)
    moved = replace(data, boxes=data.boxes + np.float32(1))
    opened.clear()
    prepare(moved, tmp_path / "crops")
    assert len(opened) == 10


def test_a_stopped_run_goes_on_after_its_last_whole_part(
    pictures: Path, tmp_path: Path, opened: list[str], parts_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts_of(4)
    data = make_data(pictures, [f"{number}.png" for number in range(10)])

    def stop(name: str, done: int, total: int) -> None:
        if done > 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_crops(data, tmp_path / "crops", settings=BOXES, progress=stop)
    opened.clear()
    told: list[tuple[int, int]] = []
    folder = prepare_crops(
        data, tmp_path / "crops", settings=BOXES, progress=lambda _name, done, total: told.append((done, total))
    )
    assert sorted(opened) == ["8.png", "9.png"]
    assert told[-1] == (10, 10)
    _, whole = prepare(data, tmp_path / "other")
    got = read_prepared(data, folder, settings=BOXES)
    np.testing.assert_array_equal(got.crops[:], whole.crops[:])
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_damaged_parts_are_cut_again(pictures: Path, tmp_path: Path, opened: list[str], parts_of) -> None:
    parts_of(2)
    data = make_data(pictures, [f"{number}.png" for number in range(8)])
    folder, before = prepare(data, tmp_path / "crops")
    kept = before.crops[:]
    crops, lists = sorted(folder.glob("crops-*.npy")), sorted(folder.glob("list-*.npz"))
    crops[0].write_bytes(crops[0].read_bytes()[:5000])
    crops[1].unlink()
    keys = {crops[0].stem.removeprefix("crops-"), crops[1].stem.removeprefix("crops-")}
    third = next(path for path in lists if path.stem.removeprefix("list-") not in keys)
    third.write_bytes(b"PK")
    opened.clear()
    _, after = prepare(data, tmp_path / "crops")
    assert len(opened) == 6
    np.testing.assert_array_equal(after.crops[:], kept)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that were opened."""
    names: list[str] = []
    monkeypatch.setattr(crops_module, "read_picture", lambda path: (names.append(path.name), read_picture(path))[1])
    return names


@pytest.fixture
def parts_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda n: monkeypatch.setattr(crops_module, "IMAGES_PER_PART", n)


def test_a_full_disk_is_said_before_the_work(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 5000})
    monkeypatch.setattr(crops_module.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(OutputError, match="Expected room for face crops"):
        prepare_crops(make_data(pictures, ["0.png", "1.png"]), tmp_path / "crops", settings=BOXES)


def test_a_data_set_without_any_crop_is_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected face crops of 1 images, got none: 1 file cannot be read"):
        prepare(make_data(pictures, ["gone.png"]), tmp_path / "crops")


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    weights = locate("demo-retinaface", "detector")
    return load_detector(weights, long_side=640, confidence=0.7, nms_iou=0.4, device="cpu")


def test_found_faces_are_aligned_and_the_largest_is_taken(tmp_path: Path, detector: FaceDetector) -> None:
    """Two drawn faces in a picture, one twice as large: the crop is that of the picture with the large face alone."""
    render_labelled_faces(tmp_path, n_images=3, n_people=3, size=112, seed=4)
    files = sorted((tmp_path / "images").rglob("*.jpg"))
    large, small = (cv2.imread(str(file)) for file in files[:2])
    large = cv2.resize(large, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    alone, both = np.full((2, 260, 460, 3), 128, dtype=np.uint8)
    alone[: large.shape[0], : large.shape[1]] = both[: large.shape[0], : large.shape[1]] = large
    both[: small.shape[0], 280 : 280 + small.shape[1]] = small
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, picture in (
        ("alone", alone),
        ("both", both),
        ("mirrored", both[:, ::-1]),
        ("none", np.full_like(both, 90)),
    ):
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    data = make_data(folder, ["alone.png", "both.png", "mirrored.png", "none.png"])
    made, got = prepare(data, tmp_path / "crops", FACES, open_detector=lambda: detector, detector_sha256="x")
    assert got.rows.tolist() == [0, 1, 2]
    assert got.skipped == {"no face found": 1}
    assert skipped_rows(made) == [("none.png", "no face found")]
    first, second, third = got.crops[:].astype(float)
    assert np.abs(first - second).mean() < 4  # the detector sees the same face in another picture
    assert np.abs(first - third[:, ::-1]).mean() < np.abs(first - third).mean()


def test_without_a_detector_it_says_so(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="Expected a face detector"):
        prepare_crops(make_data(pictures, ["0.png"]), tmp_path / "crops", settings=FACES)


def test_files_are_private(pictures: Path, tmp_path: Path) -> None:
    folder, _ = prepare(make_data(pictures, ["0.png", "1.png"]), tmp_path / "crops")
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert "pictures of faces" in (folder.parent / "README.md").read_text()


@pytest.mark.real_media
def test_real_faces_stand_upright_where_the_template_says(real_media: Path, tmp_path: Path) -> None:
    """Found again in its crop, a face has its eyes where ArcFace's template at the project's scale puts them.

    The published template for 112 pixels has the eyes at (38.29, 51.70) and (73.53, 51.50); scaled by 0.70 about (0.5, 0.35) of
    the side they belong at (0.389, 0.428) and (0.609, 0.427).
    """
    state = torch.load(
        real_media / "weights" / "retinaface_mobilenet0.25_Final.pth", weights_only=True, map_location="cpu"
    )
    detector = FaceDetector.from_state_dict(state, name="retinaface-mobilenet0.25", long_side=640, confidence=0.7)
    settings = Settings.model_validate({"training": {"input_size": 224}})
    data = make_data(real_media / "image", ["multi_face.jpg", "single_face.jpg"])
    _, got = prepare(data, tmp_path / "crops", settings, open_detector=lambda: detector, detector_sha256="y")
    assert got.rows.tolist() == [0, 1]
    for crop in got.crops[:]:
        faces = detector.detect([crop])[0]
        eyes = faces.landmarks[0, :2] / 224
        np.testing.assert_allclose(eyes, [[0.389, 0.428], [0.609, 0.427]], atol=0.04)  # of the side: about 9 pixels
    frame = cv2.cvtColor(cv2.imread(str(real_media / "image" / "multi_face.jpg")), cv2.COLOR_BGR2RGB)
    found = detector.detect([frame])[0]
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in found.boxes.tolist()]
    assert len(areas) == 5
    largest = align_face(frame, found.landmarks[areas.index(max(areas))], size=224)
    np.testing.assert_array_equal(got.crops[np.array([0])][0], largest)
