"""How much memory a process took."""

from __future__ import annotations

from pathlib import Path


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far, MiB; ``ru_maxrss`` would count that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024
