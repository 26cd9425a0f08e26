"""Prefect flows and the command line: which steps run, in which order, on which participants."""
