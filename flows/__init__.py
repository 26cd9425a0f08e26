"""Prefect flows and the command line: which steps run, in which order, on which participants.

Importing this package settles how Prefect runs here: no analytics, and patience with its local server on a busy machine.
"""

import os

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
