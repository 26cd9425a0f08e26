"""Kill the extraction and the summary of a recording at chosen points, run them again, and print what stands on disk.

``python kill_points.py STUDY SEED`` prints a JSON list: first an uninterrupted run, then one entry for each kill. Networks are
loaded once; each run is a fork of this process, so that a kill -9 costs the run and not seconds of imports. The points are

- before and after each call of ``mkstemp``, ``fsync`` and ``Path.replace``, which are the steps of an atomic write, and
- ten lines of the packages ``tasks`` and ``features``, drawn from all that an uninterrupted run executes in any thread.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import cv2
import torch

import tasks
from tasks.checking import check_study
from tasks.extraction_jobs import prepare_jobs, run_job
from tasks.group_steps import update_features
from tasks.provenance import sha256_file
from tasks.run_lock import hold_run_lock
from tasks.storage import remove_leftovers

N_LINES = 10
ROOT = Path(tasks.__file__).parent.parent
WATCHED = (str(ROOT / "tasks"), str(ROOT / "features"))
CALLS = ((tempfile, "mkstemp"), (os, "fsync"), (Path, "replace"))

Killer = Callable[[str], None]


def work(study: Path) -> None:
    """What a run does for the first participant: lock, clean up, extract, summarize."""
    checked = check_study(study, participant_labels=["001"])
    derivatives = checked.study.derivatives
    with hold_run_lock(derivatives.folder, command="kill_points"):
        remove_leftovers(derivatives.folder)
        run_job(prepare_jobs(checked)[0])
        update_features(
            derivatives,
            checked.frame_tables(),
            checked.study.participants_table(),
            settings=checked.settings.summarize,
        )


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wrap_calls(reach: Killer) -> None:
    for owner, name in CALLS:
        genuine = getattr(owner, name)

        def wrapped(*arguments, _genuine=genuine, _name=name, **options):
            reach(f"before {_name}")
            result = _genuine(*arguments, **options)
            reach(f"after {_name}")
            return result

        setattr(owner, name, wrapped)


def trace_lines(reach: Callable[[], None]) -> None:
    def local(frame, event, argument):
        if event == "line":
            reach()
        return local

    def trace(frame, event, argument):
        # Waiting for another thread executes lines by the clock, so they cannot be counted.
        file = frame.f_code.co_filename
        return local if file.startswith(WATCHED) and not file.endswith("pipelining.py") else None

    threading.settrace(trace)
    sys.settrace(trace)


def run_fork(study: Path, *, step: int | None = None, line: int | None = None) -> tuple[int, dict[str, object]]:
    """Run in a fork, killed at a write step or line if one is given: wait status, and what was counted till the end."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        status = 1
        try:
            steps: list[str] = []
            lines = 0
            lock = threading.Lock()

            def reach_step(name: str) -> None:
                steps.append(name)
                if len(steps) - 1 == step:
                    die()

            def reach_line() -> None:
                nonlocal lines
                with lock:
                    lines += 1
                    if lines == line:
                        die()

            wrap_calls(reach_step)
            if step is None:
                trace_lines(reach_line)
            work(study)
            sys.settrace(None)
            os.write(writer, json.dumps({"steps": steps, "lines": lines}).encode())
            status = 0
        finally:
            if status:
                traceback.print_exc()
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        counted = json.loads(pipe.read() or b"{}")
    return os.waitpid(process, 0)[1], counted


def describe(study: Path) -> dict[str, object]:
    """Tables by hash, sidecars without their times, and the names of files that belong to nothing."""
    folder = study / "derivatives" / "facetrace"
    tables, sidecars, strays = {}, {}, []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".parquet" and not path.name.startswith("."):
            tables[name] = sha256_file(path)
        elif path.suffix == ".json" and not path.name.startswith("."):
            value = json.loads(path.read_text())
            sidecars[name] = {key: item for key, item in value.items() if key not in {"started", "finished"}}
        elif path.name != ".run.lock":
            strays.append(name)
    return {"tables": tables, "sidecars": sidecars, "strays": strays}


def main(study: Path, seed: int) -> list[dict[str, object]]:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    job = prepare_jobs(check_study(study, participant_labels=["001"]))[0]
    run_job_networks(job)
    derivatives = study / "derivatives" / "facetrace"
    status, counted = run_fork(study)
    results = [{"point": "none", "status": status, "steps": counted["steps"], **describe(study)}]
    draw = random.Random(seed)
    points = [{"step": k} for k in range(len(counted["steps"]))]
    points += [{"line": draw.randrange(1, int(0.8 * counted["lines"]))} for _ in range(N_LINES)]
    for point in points:
        # Kills within the summary find the frame table finished, as in a run: its steps are the first that are left.
        half = len(counted["steps"]) // 2
        summary = point.get("step", 0) >= half
        shutil.rmtree(derivatives / "group" if summary else derivatives)
        status, _ = run_fork(study, **({"step": point["step"] - half} if summary else point))
        killed = describe(study) if derivatives.exists() else {"strays": []}
        again, _ = run_fork(study, step=-1)
        name = f"{counted['steps'][point['step']]} ({point['step']})" if "step" in point else f"line {point['line']}"
        results.append({"point": name, "status": status, "left": killed["strays"], "again": again, **describe(study)})
    return results


def run_job_networks(job) -> None:
    """Load the networks in this process, without a single inference: threads would not survive the fork."""
    from tasks import extraction_step

    genuine = extraction_step.extract_video
    extraction_step.extract_video = lambda *arguments, **options: {}
    run_job(job)
    extraction_step.extract_video = genuine


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
