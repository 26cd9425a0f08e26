"""How well a detector finds labelled faces: recall, false alarms, landmark error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.faces.postprocessing import Detections


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """Figures of a detector on labelled frames.

    Attributes
    ----------
    n_frames, n_faces
        Frames judged and faces that counted in them.
    recall
        Share of counted faces found with IoU 0.5 or more, 0 to 1; NaN without faces.
    false_positives_per_frame
        Detections that match no face, counted or not, per frame.
    landmark_error
        Mean distance of the five landmarks from the truth over the distance between the eyes, over the faces found;
        NaN when none was.
    landmark_error_p95
        95th percentile of the same, over faces.
    mean_iou
        Mean IoU of the boxes found.
    """

    n_frames: int
    n_faces: int
    recall: float
    false_positives_per_frame: float
    landmark_error: float
    landmark_error_p95: float
    mean_iou: float


def box_iou(boxes: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union of boxes (n, 4) with others (m, 4), ``x1 y1 x2 y2``; (n, m), 0 to 1.

    Examples
    --------
    >>> box_iou(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    first, second = np.asarray(boxes, dtype=float)[:, None], np.asarray(others, dtype=float)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    areas = np.prod(first[..., 2:] - first[..., :2], axis=-1) + np.prod(second[..., 2:] - second[..., :2], axis=-1)
    union = areas - shared
    ratio: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def score_detections(
    found: Sequence[Detections],
    boxes: Sequence[NDArray[np.floating]],
    landmarks: Sequence[NDArray[np.floating]],
    counted: Sequence[NDArray[np.bool_]],
    *,
    iou: float = 0.5,
) -> DetectionScore:
    """Compare detections with labels, frame by frame.

    Parameters
    ----------
    found
        Detections of each frame.
    boxes, landmarks, counted
        Labels of each frame: (faces, 4), (faces, 5, 2) and (faces,). Faces not counted need not be found.
    iou
        Overlap from which a detection is the face, 0 to 1.

    Returns
    -------
    DetectionScore

    Notes
    -----
    Detections are taken in order of score; each takes the free face that it overlaps most.
    """
    n_faces = n_found = n_false = 0
    errors: list[float] = []
    overlaps: list[float] = []
    for detections, frame_boxes, points, counts in zip(found, boxes, landmarks, counted, strict=True):
        pairs, n_unmatched = match_detections(detections.boxes, frame_boxes, iou=iou)
        n_false += n_unmatched
        n_faces += int(np.sum(counts))
        for index, face, overlap in pairs:
            if counts[face]:
                n_found += 1
                overlaps.append(overlap)
                errors.append(_landmark_error(detections.landmarks[index], points[face]))
    return DetectionScore(
        n_frames=len(found),
        n_faces=n_faces,
        recall=n_found / n_faces if n_faces else float("nan"),
        false_positives_per_frame=n_false / len(found) if found else float("nan"),
        landmark_error=float(np.mean(errors)) if errors else float("nan"),
        landmark_error_p95=float(np.percentile(errors, 95)) if errors else float("nan"),
        mean_iou=float(np.mean(overlaps)) if overlaps else float("nan"),
    )


def match_detections(
    detected: NDArray[np.floating], boxes: NDArray[np.floating], *, iou: float
) -> tuple[list[tuple[int, int, float]], int]:
    """Pair detections, best first, with faces; return (detection, face, IoU) triples and the number left over."""
    if len(boxes) == 0:
        return [], len(detected)
    overlap = box_iou(detected, boxes)
    pairs = []
    for index in range(len(detected)):
        face = int(overlap[index].argmax())
        if overlap[index, face] >= iou:
            pairs.append((index, face, float(overlap[index, face])))
            overlap[:, face] = -1.0
    return pairs, len(detected) - len(pairs)


def _landmark_error(found: NDArray[np.floating], true: NDArray[np.floating]) -> float:
    between_eyes = float(np.linalg.norm(true[1] - true[0]))
    return float(np.linalg.norm(found - true, axis=1).mean()) / max(between_eyes, 1e-6)
