"""Classifiers of participants and the protocol that validates them, leaving one participant out at a time."""
