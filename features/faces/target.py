"""Which of the faces in a frame is the participant's, frame by frame.

A face stays the participant's while it moves as a face can. A face that appears elsewhere, be it the experimenter's or
a parent's, does not take over as long as the participant is seen or has only just been lost; one that was seen beside
the participant is known to be somebody else while it stays in view. After a longer loss the participant is looked for
again, first around the usual place; any other face is taken only after a long wait, and given up as soon as one is back
at the usual place. Every such change of mind is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.faces.alignment import align_face
from features.faces.evaluation import box_iou
from features.faces.postprocessing import Detections

Descriptor = NDArray[np.floating]
Embedder = Callable[[NDArray[np.uint8]], Descriptor]
"""Turns an RGB crop (112, 112, 3), aligned to the ArcFace template, into a vector that tells people apart."""

Box = tuple[float, float, float, float]

EMBEDDING_CROP = 112
MAX_SPEED = 2.0
"""Face widths per second that a face may move between two sightings without being taken for another."""
MAX_REACH = 1.5
"""Face widths that it may move at most, however long the gap."""
MAX_SIZE_RATIO = 1.5
HOME_REACH = 3.0
"""Face widths from the usual place within which a lost participant is taken back at once."""
HOME_SIZE_RATIO = 2.0
ELSEWHERE_WAIT = 5.0
"""A face away from the usual place is accepted after this many times ``max_gap_s``."""


@dataclass(frozen=True, slots=True)
class TargetSwitch:
    """A frame where the participant's face was not followed but chosen anew.

    Attributes
    ----------
    frame, time_s
        Where the new face is first used.
    from_box, to_box
        Last box before and first box after, ``x1 y1 x2 y2`` in pixels.
    reason
        ``reacquired`` (near the usual place, after a loss), ``elsewhere`` (away from it, after a long loss),
        ``returned`` (a face is back at the usual place) or ``recognised`` (by its descriptor).
    """

    frame: int
    time_s: float
    from_box: Box
    to_box: Box
    reason: str


class TargetTracker:
    """Follows the participant's face through a recording.

    Parameters
    ----------
    min_iou
        Overlap with the last box from which a face is the same face, 0 to 1.
    max_gap_s
        Seconds without the participant after which faces elsewhere are considered.
    embed
        Descriptor of faces; without it, place and size decide alone.
    reference
        Descriptor of the participant, as from `describe_reference`. Without it, the first face followed becomes the
        reference.
    min_similarity
        Cosine similarity to the reference from which a face is recognised, -1 to 1; depends on `embed`.

    Attributes
    ----------
    switches : list of TargetSwitch
        Every change that was not plain following, in order.

    Raises
    ------
    ValueError
        If a setting is outside its range, or a reference is given without a descriptor function.
    """

    def __init__(
        self,
        *,
        min_iou: float = 0.3,
        max_gap_s: float = 2.0,
        embed: Embedder | None = None,
        reference: Descriptor | None = None,
        min_similarity: float = 0.35,
    ) -> None:
        if not 0 < min_iou < 1 or max_gap_s <= 0 or not -1 <= min_similarity <= 1:
            raise ValueError(
                "Expected min_iou between 0 and 1, max_gap_s above 0 and min_similarity from -1 to 1, "
                f"got {min_iou}, {max_gap_s} and {min_similarity}."
            )
        if reference is not None and embed is None:
            raise ValueError(
                "Expected a descriptor function with the reference image: RetinaFace finds faces but cannot tell "
                "people apart. Install a recognition model, or leave the reference image out."
            )
        self.switches: list[TargetSwitch] = []
        self._min_iou = min_iou
        self._max_gap_s = max_gap_s
        self._embed = embed
        self._reference = reference
        self._min_similarity = min_similarity
        self._box: NDArray[np.float64] | None = None
        self._seen_s = -math.inf
        self._home: _Place | None = None
        self._elsewhere: _Place | None = None
        self._others: list[tuple[NDArray[np.float64], float]] = []

    def update(
        self, detections: Detections, *, frame: int, time_s: float, frame_pixels: NDArray[np.uint8] | None = None
    ) -> int | None:
        """Say which of a frame's faces is the participant's.

        Parameters
        ----------
        detections
            Faces of the frame.
        frame, time_s
            Index and presentation time of the frame; frames come in order.
        frame_pixels
            RGB frame (H, W, 3). Needed for descriptors; without it the first choice is by size alone, with it also
            by nearness to the middle.

        Returns
        -------
        int or None
            Index into `detections`, or None where the participant is not seen.

        Raises
        ------
        ValueError
            If a descriptor function is set and the frame's pixels are missing.
        """
        if self._embed is not None and frame_pixels is None:
            raise ValueError("Expected the frame's pixels, because faces are told apart by a descriptor of them.")
        boxes = detections.boxes.astype(np.float64).reshape(-1, 4)
        chosen = self._choose(detections, boxes, frame, time_s, frame_pixels) if len(boxes) else None
        self._remember_others(boxes, chosen, time_s)
        if chosen is not None:
            self._box, self._seen_s = boxes[chosen], time_s
            self._remember_place(boxes[chosen])
        return chosen

    def _choose(
        self,
        detections: Detections,
        boxes: NDArray[np.float64],
        frame: int,
        time_s: float,
        pixels: NDArray[np.uint8] | None,
    ) -> int | None:
        if self._box is None or self._home is None:
            return self._choose_first(detections, boxes, pixels)
        gap_s = time_s - self._seen_s
        chosen = self._follow(detections, boxes, gap_s, pixels) if gap_s <= self._max_gap_s else None
        if chosen is not None:
            back = _best_overlap(boxes, self._home.box, self._min_iou)
            if back is None or self._home.is_near(boxes[chosen]) or self._embed is not None:
                return chosen
            chosen, reason = back, "returned"
        elif gap_s > self._max_gap_s and self._embed is not None:
            chosen, reason = self._recognise(detections, np.arange(len(boxes)), pixels), "recognised"
        elif gap_s > self._max_gap_s:
            chosen, reason = self._search(boxes, self._home, gap_s)
        if chosen is not None:
            self.switches.append(TargetSwitch(frame, time_s, _as_box(self._box), _as_box(boxes[chosen]), reason))
        return chosen

    def _search(self, boxes: NDArray[np.float64], home: _Place, gap_s: float) -> tuple[int | None, str]:
        """Find the participant by place alone after a loss; return the face and why."""
        near = [i for i, box in enumerate(boxes) if home.is_near(box) and not self._is_other(box)]
        if near:
            return min(near, key=lambda i: home.distance(boxes[i])), "reacquired"
        if gap_s > ELSEWHERE_WAIT * self._max_gap_s:
            return int(_sides(boxes).argmax()), "elsewhere"
        return None, ""

    def _remember_place(self, box: NDArray[np.float64]) -> None:
        """Learn the usual place; a new one replaces it once the participant has been there for longer."""
        if self._home is None:
            self._home = _Place(box)
        elif self._home.is_near(box):
            self._home.learn(box)
        elif self._elsewhere is None or not self._elsewhere.is_near(box):
            self._elsewhere = _Place(box)
        else:
            self._elsewhere.learn(box)
            if self._elsewhere.n_seen > self._home.n_seen:
                self._home, self._elsewhere = self._elsewhere, None

    def _remember_others(self, boxes: NDArray[np.float64], chosen: int | None, time_s: float) -> None:
        """Keep track of the faces that are not the participant's: seen beside it, and followed since."""
        seen = [i for i in range(len(boxes)) if i != chosen and (chosen is not None or self._is_other(boxes[i]))]
        current = boxes[seen + ([] if chosen is None else [chosen])]
        unseen = [
            (box, since)
            for box, since in self._others
            if time_s - since <= self._max_gap_s and _best_overlap(current, box, self._min_iou) is None
        ]
        self._others = [(boxes[i], time_s) for i in seen] + unseen

    def _is_other(self, box: NDArray[np.float64]) -> bool:
        return any(_best_overlap(box[None], other, self._min_iou) is not None for other, _since in self._others)

    def _choose_first(
        self, detections: Detections, boxes: NDArray[np.float64], pixels: NDArray[np.uint8] | None
    ) -> int | None:
        if self._reference is not None:
            return self._recognise(detections, np.arange(len(boxes)), pixels)
        sides = _sides(boxes)
        weights = sides / sides.max()
        if pixels is not None:
            height, width = pixels.shape[:2]
            away = np.abs(_centres(boxes) - np.array([width, height]) / 2) / np.array([width, height])
            # A face at the very edge counts half as much as one of the same size in the middle.
            weights = weights * (1 - np.clip(away.max(axis=1), 0, 0.5))
        chosen = int(weights.argmax())
        if self._embed is not None and pixels is not None:
            self._reference = self._describe(detections, chosen, pixels)
        return chosen

    def _follow(
        self, detections: Detections, boxes: NDArray[np.float64], gap_s: float, pixels: NDArray[np.uint8] | None
    ) -> int | None:
        """Find the face that the last one can have become by moving."""
        last = np.asarray(self._box)
        overlap = box_iou(boxes, last[None])[:, 0]
        side = _sides(last[None])[0]
        ratio = _ratio(_sides(boxes), side)
        distance = np.linalg.norm(_centres(boxes) - _centres(last[None]), axis=1) / side
        reach = min(0.5 + MAX_SPEED * gap_s, MAX_REACH)
        moved = (distance <= reach) & (ratio <= MAX_SIZE_RATIO) & ~np.array([self._is_other(box) for box in boxes])
        possible = np.flatnonzero((overlap >= self._min_iou) | moved)
        if possible.size == 0:
            return None
        if possible.size > 1 and self._embed is not None:
            return self._recognise(detections, possible, pixels)
        return int(possible[np.argmax(overlap[possible] + 1 / ratio[possible] - distance[possible])])

    def _recognise(
        self, detections: Detections, among: NDArray[np.integer], pixels: NDArray[np.uint8] | None
    ) -> int | None:
        if pixels is None or self._reference is None:
            return None
        similarity = [cosine_similarity(self._describe(detections, int(i), pixels), self._reference) for i in among]
        best = int(np.argmax(similarity))
        return int(among[best]) if similarity[best] >= self._min_similarity else None

    def _describe(self, detections: Detections, index: int, pixels: NDArray[np.uint8]) -> Descriptor:
        if self._embed is None:
            raise ValueError("Expected a descriptor function.")
        return self._embed(align_face(pixels, detections.landmarks[index], size=EMBEDDING_CROP, scale=1.0))


class _Place:
    """Where a face usually is: a running mean of its boxes."""

    _LONGEST_MEMORY = 3000

    def __init__(self, box: NDArray[np.float64]) -> None:
        self.box = box.copy()
        self.n_seen = 1

    def learn(self, box: NDArray[np.float64]) -> None:
        self.n_seen += 1
        self.box += (box - self.box) / min(self.n_seen, self._LONGEST_MEMORY)

    def distance(self, box: NDArray[np.float64]) -> float:
        """Face widths from this place, plus the difference in size on a logarithmic scale."""
        side = _sides(self.box[None])[0]
        shift = np.linalg.norm(_centres(box[None]) - _centres(self.box[None])) / side
        return float(shift + math.log(_ratio(_sides(box[None]), side)[0]))

    def is_near(self, box: NDArray[np.float64]) -> bool:
        side = _sides(self.box[None])[0]
        shift = np.linalg.norm(_centres(box[None]) - _centres(self.box[None])) / side
        return bool(shift <= HOME_REACH and _ratio(_sides(box[None]), side)[0] <= HOME_SIZE_RATIO)


def describe_reference(pixels: NDArray[np.uint8], detections: Detections, *, embed: Embedder) -> Descriptor:
    """Return the descriptor of the one face in a reference image.

    Parameters
    ----------
    pixels
        RGB image (H, W, 3).
    detections
        Its faces.
    embed
        Descriptor function.

    Raises
    ------
    ValueError
        If the image does not show exactly one face.
    """
    if len(detections) != 1:
        raise ValueError(
            f"Expected one face in the reference image, got {len(detections)}. Crop it to the participant."
        )
    return embed(align_face(pixels, detections.landmarks[0], size=EMBEDDING_CROP, scale=1.0))


def cosine_similarity(first: Descriptor, second: Descriptor) -> float:
    """Cosine of the angle between two vectors, -1 to 1; 0 where one has no length."""
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.dot(first, second)) / lengths if lengths > 0 else 0.0


def _sides(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Geometric mean of width and height."""
    sizes = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    return np.asarray(np.sqrt(sizes[:, 0] * sizes[:, 1]))


def _centres(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2)


def _ratio(sides: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """How many times larger or smaller, 1 or more."""
    return np.asarray(np.maximum(sides / side, side / sides))


def _best_overlap(boxes: NDArray[np.float64], box: NDArray[np.float64], min_iou: float) -> int | None:
    """Index of the box that overlaps `box` most, or None where none reaches `min_iou`."""
    if len(boxes) == 0:
        return None
    overlap = box_iou(boxes, box[None])[:, 0]
    best = int(overlap.argmax())
    return best if overlap[best] >= min_iou else None


def _as_box(box: NDArray[np.float64] | None) -> Box:
    x1, y1, x2, y2 = np.full(4, np.nan) if box is None else box
    return float(x1), float(y1), float(x2), float(y2)
