"""Following the participant: scenes of boxes whose right answer is plain."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from features.faces.postprocessing import Detections
from features.faces.target import TargetTracker, cosine_similarity, describe_reference

FPS = 10.0
CHILD = (300.0, 160.0, 100.0)
ADULT = (560.0, 120.0, 90.0)
"""Centre x, centre y and side of a face."""


def faces(*places: tuple[float, float, float]) -> Detections:
    boxes = [(x - side / 2, y - side / 2, x + side / 2, y + side / 2) for x, y, side in places]
    landmarks = [
        [(x + dx * side, y + dy * side) for dx, dy in ((-0.2, -0.1), (0.2, -0.1), (0, 0.1), (-0.15, 0.3), (0.15, 0.3))]
        for x, y, side in places
    ]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.linspace(0.99, 0.9, len(places), dtype=np.float32),
        np.array(landmarks, np.float32).reshape(-1, 5, 2),
    )


def play(tracker: TargetTracker, frames: list[Detections], *, begin: int = 0) -> list[int | None]:
    return [tracker.update(item, frame=begin + i, time_s=(begin + i) / FPS) for i, item in enumerate(frames)]


def shifted(place: tuple[float, float, float], dx: float) -> tuple[float, float, float]:
    return place[0] + dx, place[1], place[2]


def test_a_moving_face_is_followed_without_a_switch() -> None:
    tracker = TargetTracker()
    frames = [faces(shifted(CHILD, 8.0 * i)) for i in range(40)]
    assert play(tracker, frames) == [0] * 40
    assert tracker.switches == []


@pytest.mark.parametrize("adult", [(560.0, 120.0, 60.0), (560.0, 120.0, 100.0), (560.0, 120.0, 250.0)])
def test_another_face_never_takes_over_while_the_participant_is_seen(adult: tuple[float, float, float]) -> None:
    tracker = TargetTracker()
    frames = [faces(CHILD)] * 10 + [faces(adult, CHILD)] * 100
    assert play(tracker, frames) == [0] * 10 + [1] * 100
    assert tracker.switches == []


def test_two_faces_that_pass_each_other_are_not_exchanged() -> None:
    tracker = TargetTracker()
    frames = [faces((100.0 + 8 * i, 160, 100), (900.0 - 8 * i, 290, 80)) for i in range(100)]
    chosen = play(tracker, frames)
    assert chosen == [chosen[0]] * 100


def test_a_short_loss_is_bridged() -> None:
    tracker = TargetTracker()
    frames = [faces(CHILD)] * 10 + [faces()] * 5 + [faces(shifted(CHILD, 60))] * 10
    assert play(tracker, frames) == [0] * 10 + [None] * 5 + [0] * 10
    assert tracker.switches == []


def test_a_bystander_is_not_taken_during_a_short_loss() -> None:
    tracker = TargetTracker()
    beside = shifted(CHILD, 120)
    frames = [faces(CHILD, beside)] * 10 + [faces(beside)] * 15 + [faces(beside, CHILD)] * 5
    assert play(tracker, frames) == [0] * 10 + [None] * 15 + [1] * 5
    assert tracker.switches == []


def test_after_a_long_loss_the_participant_is_taken_back_near_the_usual_place() -> None:
    tracker = TargetTracker(max_gap_s=2.0)
    back = shifted(CHILD, -150)
    frames = [faces(CHILD)] * 10 + [faces()] * 30 + [faces(ADULT, back)] * 5
    assert play(tracker, frames) == [0] * 10 + [None] * 30 + [1] * 5
    (switch,) = tracker.switches
    assert (switch.frame, switch.time_s, switch.reason) == (40, 4.0, "reacquired")
    assert switch.from_box == (250, 110, 350, 210)
    assert switch.to_box == (100, 110, 200, 210)


def test_a_known_bystander_is_not_mistaken_for_a_participant_who_left() -> None:
    tracker = TargetTracker(max_gap_s=2.0)
    frames = [faces(CHILD, ADULT)] * 10 + [faces(ADULT)] * 90 + [faces(ADULT, CHILD)] * 5
    assert play(tracker, frames) == [0] * 10 + [None] * 90 + [1] * 5
    assert [switch.reason for switch in tracker.switches] == ["reacquired"]


def test_a_face_elsewhere_is_taken_after_a_long_wait_and_given_up_on_return() -> None:
    tracker = TargetTracker(max_gap_s=1.0)
    far = (900.0, 150.0, 95.0)
    frames = [faces(CHILD)] * 20 + [faces(far)] * 60 + [faces(far, CHILD)] * 5
    chosen = play(tracker, frames)
    # The last sighting is frame 19; five times one second later is frame 69.
    assert chosen[20:70] == [None] * 50
    assert chosen[70:80] == [0] * 10
    assert chosen[80:] == [1] * 5
    assert [(switch.frame, switch.reason) for switch in tracker.switches] == [(70, "elsewhere"), (80, "returned")]


def test_a_new_place_becomes_the_usual_one_in_time() -> None:
    tracker = TargetTracker(max_gap_s=1.0)
    far = (900.0, 150.0, 95.0)
    frames = [faces(CHILD)] * 10 + [faces(far)] * 80 + [faces(far, CHILD)] * 5
    assert play(tracker, frames)[-5:] == [0] * 5
    assert [switch.reason for switch in tracker.switches] == ["elsewhere"]


def test_the_first_choice_weighs_size_and_nearness_to_the_middle() -> None:
    pixels = np.zeros((360, 640, 3), np.uint8)
    middle, edge = (320.0, 180.0, 90.0), (60.0, 180.0, 100.0)
    both = faces(edge, middle)
    assert TargetTracker().update(both, frame=0, time_s=0.0, frame_pixels=pixels) == 1
    assert TargetTracker().update(both, frame=0, time_s=0.0) == 0
    far_larger = faces((60.0, 180.0, 240.0), middle)
    assert TargetTracker().update(far_larger, frame=0, time_s=0.0, frame_pixels=pixels) == 0


def test_nothing_is_chosen_where_nothing_is_seen() -> None:
    tracker = TargetTracker()
    assert play(tracker, [faces()] * 3) == [None] * 3
    assert tracker.switches == []


def painted(*places: tuple[tuple[float, float, float], tuple[int, int, int]]) -> NDArray[np.uint8]:
    pixels = np.zeros((360, 1000, 3), np.uint8)
    for (x, y, side), colour in places:
        pixels[int(y - side) : int(y + side), int(x - side) : int(x + side)] = colour
    return pixels


def mean_colour(crop: NDArray[np.uint8]) -> NDArray[np.floating]:
    """Stands in for a recognition network: people here are their colour."""
    assert crop.shape == (112, 112, 3)
    return crop.reshape(-1, 3).mean(axis=0)


RED, BLUE = (250, 0, 0), (0, 0, 250)


def test_with_a_reference_the_participant_is_recognised_and_the_experimenter_is_not() -> None:
    reference = describe_reference(painted((CHILD, RED)), faces(CHILD), embed=mean_colour)
    tracker = TargetTracker(embed=mean_colour, reference=reference, min_similarity=0.5, max_gap_s=1.0)
    adult_alone = painted((ADULT, BLUE))
    for frame in range(5):
        assert tracker.update(faces(ADULT), frame=frame, time_s=frame / FPS, frame_pixels=adult_alone) is None
    both = painted((ADULT, BLUE), (CHILD, RED))
    assert tracker.update(faces(ADULT, CHILD), frame=5, time_s=0.5, frame_pixels=both) == 1
    # Gone for two seconds, then back far away, while the experimenter sits at the usual place.
    far = (880.0, 170.0, 60.0)
    seats = painted((CHILD, BLUE), (far, RED))
    assert tracker.update(faces(CHILD, far), frame=30, time_s=3.0, frame_pixels=seats) == 1


def test_after_a_loss_the_descriptor_decides_not_the_place() -> None:
    tracker = TargetTracker(embed=mean_colour, min_similarity=0.5, max_gap_s=1.0)
    assert tracker.update(faces(CHILD), frame=0, time_s=0.0, frame_pixels=painted((CHILD, RED))) == 0
    near, far = shifted(CHILD, 180), (800.0, 180.0, 70.0)
    seats = painted((near, BLUE), (far, RED))
    assert tracker.update(faces(near), frame=30, time_s=3.0, frame_pixels=painted((near, BLUE))) is None
    assert tracker.update(faces(near, far), frame=31, time_s=3.1, frame_pixels=seats) == 1
    assert [switch.reason for switch in tracker.switches] == ["recognised"]


def test_a_reference_without_descriptor_function_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot tell people apart"):
        TargetTracker(reference=np.ones(3))


def test_a_descriptor_function_needs_pixels() -> None:
    with pytest.raises(ValueError, match="pixels"):
        TargetTracker(embed=mean_colour).update(faces(CHILD), frame=0, time_s=0.0)


def test_a_reference_image_shows_one_face() -> None:
    with pytest.raises(ValueError, match="got 2"):
        describe_reference(painted((CHILD, RED)), faces(CHILD, ADULT), embed=mean_colour)


@pytest.mark.parametrize("setting", [{"min_iou": 0.0}, {"max_gap_s": 0.0}, {"min_similarity": 2.0}])
def test_settings_outside_their_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Expected min_iou"):
        TargetTracker(**setting)  # type: ignore[arg-type]


def test_cosine_similarity() -> None:
    assert cosine_similarity(np.array([1.0, 0]), np.array([3.0, 0])) == pytest.approx(1)
    assert cosine_similarity(np.array([1.0, 0]), np.array([-1.0, 0])) == pytest.approx(-1)
    assert cosine_similarity(np.zeros(2), np.ones(2)) == 0
