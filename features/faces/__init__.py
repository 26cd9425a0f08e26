"""Faces in frames: detection, alignment, pose, quality, and which face is the participant's."""
