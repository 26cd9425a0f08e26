"""Rendered face sessions with ground truth for every frame: a test instrument and the data of the demo."""
