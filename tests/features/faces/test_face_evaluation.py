"""Scores of a detector on hand-made detections."""

from __future__ import annotations

import numpy as np
import pytest

from features.faces.evaluation import box_iou, match_detections, score_detections
from features.faces.postprocessing import Detections

BOX = np.array([[10.0, 10, 50, 50]])
POINTS = np.array([[[20.0, 20], [40, 20], [30, 30], [22, 40], [38, 40]]])
ALL = np.ones(1, bool)


def found(boxes: np.ndarray, landmarks: np.ndarray | None = None) -> Detections:
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    points = np.zeros((len(boxes), 5, 2)) if landmarks is None else landmarks
    return Detections(boxes, np.linspace(1, 0.9, len(boxes), dtype=np.float32), points.astype(np.float32))


def test_iou_of_boxes() -> None:
    others = np.array([[10, 10, 50, 50], [30, 10, 70, 50], [60, 60, 70, 70], [20, 20, 20, 20]])
    np.testing.assert_allclose(box_iou(BOX, others), [[1, 1 / 3, 0, 0]])


def test_perfect_detections_score_perfectly() -> None:
    score = score_detections([found(BOX, POINTS)], [BOX], [POINTS], [ALL])
    assert (score.recall, score.false_positives_per_frame, score.landmark_error, score.mean_iou) == (1, 0, 0, 1)
    assert (score.n_frames, score.n_faces) == (1, 1)


def test_a_second_box_on_one_face_is_a_false_positive() -> None:
    twice = found(np.concatenate((BOX, BOX + 1)), np.concatenate((POINTS, POINTS)))
    score = score_detections([twice], [BOX], [POINTS], [ALL])
    assert score.recall == 1
    assert score.false_positives_per_frame == 1


def test_missed_and_misplaced_faces_lower_recall() -> None:
    away = found(BOX + 30)
    score = score_detections([found(BOX, POINTS), away, found(np.zeros((0, 4)))], [BOX] * 3, [POINTS] * 3, [ALL] * 3)
    assert score.recall == pytest.approx(1 / 3)
    assert score.false_positives_per_frame == pytest.approx(1 / 3)


def test_hidden_faces_are_neither_missed_nor_false() -> None:
    nobody = np.zeros(1, bool)
    for detections in (found(BOX, POINTS), found(np.zeros((0, 4)))):
        score = score_detections([detections], [BOX], [POINTS], [nobody])
        assert score.n_faces == 0
        assert score.false_positives_per_frame == 0
        assert np.isnan(score.recall)


def test_landmark_error_is_relative_to_the_distance_between_the_eyes() -> None:
    score = score_detections([found(BOX, POINTS + (3, 4))], [BOX], [POINTS], [ALL])
    assert score.landmark_error == pytest.approx(5 / 20)
    assert score.landmark_error_p95 == pytest.approx(5 / 20)


def test_each_detection_takes_the_face_that_it_overlaps_most() -> None:
    boxes = np.array([[0.0, 0, 20, 20], [4, 0, 24, 20]])
    pairs, n_left = match_detections(boxes[::-1] + 0.5, boxes, iou=0.5)
    assert [(detection, face) for detection, face, _ in pairs] == [(0, 1), (1, 0)]
    assert n_left == 0
