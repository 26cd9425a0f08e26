"""The nightly deployment for real: a server on loopback, a process work pool, a worker, and a study with one broken video.

The same server's database and logs are then read for what must not be in them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from flows.registry import FLOWS
from tasks.bids_names import Derivatives
from tasks.provenance import sha256_file

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
STUDY = "emotions"
VIDEOS = {
    "001": "Anna_Smith_2014-03-02.mp4",
    "002": "Bertil_Lindqvist_2013-11-23.mp4",
    "003": "Chiyo_Tanaka_2015-07-14.mp4",
    "004": "Dolores_Ortega_2012-01-31.mp4",
}
BROKEN = "003"
SECRETS = [
    *(part for name in VIDEOS.values() for part in Path(name).stem.split("_")),
    "incoming-from-camera",
    "lab-share",
    "7.8125",
    "Rosenhuegel",
]
"""Names, dates of birth, folders of the study, an age and a covariate: none may reach Prefect."""


@dataclass
class Night:
    """One run of the deployment: what the command said, and what it left."""

    returncode: int
    output: str
    state: dict[str, str]
    manifest: dict[str, Any]
    tables: dict[str, str]
    files: set[str]


@dataclass
class Nights:
    study: Path
    home: Path
    logs: list[Path]
    deployments: list[dict[str, Any]] = field(default_factory=list)
    nights: list[Night] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    scheduled: list[dict[str, Any]] = field(default_factory=list)
    analytics: bool | None = None


def make_study(rendered: Path, folder: Path) -> None:
    """Four rendered participants whose videos bear names, as cameras and people give them."""
    shutil.copytree(rendered, folder, ignore=shutil.ignore_patterns("sub-*", "derivatives"))
    camera = folder / "incoming-from-camera"
    camera.mkdir()
    rows = ["participant_id,session,task,video"]
    for participant_id, name in VIDEOS.items():
        video = next((rendered / f"sub-{participant_id}" / "beh").glob("*.mp4"))
        shutil.copy(video, camera / name)
        # The sidecar that says that nobody was recorded.
        shutil.copy(video.with_suffix(".json"), (camera / name).with_suffix(".json"))
        rows.append(f"{participant_id},,clips,{camera.name}/{name}")
    (folder / "sessions.csv").write_text("\n".join(rows) + "\n")
    table = pd.read_csv(folder / "participants.tsv", sep="\t").head(len(VIDEOS))
    table["age"] = 7.8125
    table["site"] = "Rosenhuegel"
    table.to_csv(folder / "participants.tsv", sep="\t", index=False)
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    settings["classify"] = {
        "classifiers": ["logistic"],
        "ablation": False,
        "permutations": 0,
        "min_participants_per_group": 2,
    }
    (folder / "ratings.csv").unlink()  # four participants are too few to predict ratings
    settings["compare"] = {"min_participants_per_group": 2}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))


def free_port() -> int:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError as error:
            pytest.skip(f"no port can be opened on loopback: {error}")
        return int(probe.getsockname()[1])


def request(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


PREFECT_THAT_HEEDS_INTERRUPTS = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("prefect", run_name="__main__")
"""
"""Shells start background jobs with interrupts ignored, and a worker, which turns SIGTERM into SIGINT, would not stop."""


@contextmanager
def running(*arguments: str, log: Path, env: dict[str, str], cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `prefect` process that is stopped, and waited for, at the end."""
    with log.open("wb") as output:
        command = [sys.executable, "-c", PREFECT_THAT_HEEDS_INTERRUPTS, *arguments]
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=env, cwd=cwd, start_new_session=True
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=60)
                pytest.fail(f"prefect {arguments[0]} did not stop: {log.read_text()[-2000:]}")


def await_health(api: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if server.poll() is not None:
            pytest.fail(f"the server ended with {server.returncode}: {log.read_text()[-2000:]}")
        try:
            if request(f"{api}/health") is True:
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    pytest.fail(f"the server did not answer: {log.read_text()[-2000:]}")


def prefect(*arguments: str, env: dict[str, str], timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout,
    )  # fmt: skip


def await_scheduled_runs(api: str) -> list[dict[str, Any]]:
    """Runs that the server made by the deployment's own schedule; it looks once a minute."""
    for _ in range(180):
        runs = request(f"{api}/flow_runs/filter", {"flow_runs": {"state": {"name": {"any_": ["Scheduled"]}}}})
        if runs:
            return runs
        time.sleep(1)
    return []


def run_night(study: Path, api: str, env: dict[str, str]) -> Night:
    done = prefect("deployment", "run", "study/nightly", "--param", f"study={STUDY}", "--watch", env=env, timeout=1500)
    runs = request(f"{api}/flow_runs/filter", {"sort": "EXPECTED_START_TIME_DESC"})
    newest = max((run for run in runs if run["start_time"]), key=lambda run: run["start_time"])
    folder = Derivatives.of_study(study).folder
    manifest = max((folder / "logs").glob("run-*.json"), key=lambda path: path.name)
    return Night(
        returncode=done.returncode,
        output=done.stdout + done.stderr,
        state=newest["state"],
        manifest=json.loads(manifest.read_text()),
        tables={path.name.split("_")[0]: sha256_file(path) + str(path.stat().st_mtime_ns) for path in folder.glob("sub-*/beh/*.parquet")},
        files={path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()},
    )  # fmt: skip


@pytest.fixture(scope="module")
def nights(rendered_study, tmp_path_factory) -> Nights:
    """Two nights: one with a broken video, one after it was replaced."""
    folder = tmp_path_factory.mktemp("nightly")
    study = folder / "lab-share" / STUDY
    make_study(rendered_study, study)
    video = study / "incoming-from-camera" / VIDEOS[BROKEN]
    good = video.read_bytes()
    video.write_bytes(good[: len(good) // 3])

    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    home = folder / "prefect"
    # Nothing of the flow tests' own Prefect may come along.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    env |= {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "DO_NOT_TRACK": "1",
        "FACETRACE_STUDIES": str(study.parent),
    }
    record = Nights(study, home, [folder / "server.log", folder / "worker.log"])
    server_log, worker_log = record.logs
    with running(
        "server", "start", "--host", "127.0.0.1", "--port", str(port), log=server_log, env=env, cwd=folder
    ) as server:
        await_health(api, server, server_log)
        for command in (("work-pool", "create", "facetrace", "--type", "process"), ("deploy", "--all")):
            done = prefect(*command, env=env)
            assert done.returncode == 0, done.stdout + done.stderr
        record.deployments = request(f"{api}/deployments/filter", {})
        record.analytics = request(f"{api}/admin/settings")["server"]["analytics_enabled"]
        with running("worker", "start", "--pool", "facetrace", log=worker_log, env=env, cwd=folder):
            record.nights.append(run_night(study, api, env))
            video.write_bytes(good)
            record.nights.append(run_night(study, api, env))
            record.scheduled = await_scheduled_runs(api)
            for parameters in ({"study": str(study)}, {"study": STUDY, "participants": ["Anna Smith"]}):
                record.refused.append(ask_for_run(api, record.deployments, parameters))
    return record


def ask_for_run(api: str, deployments: list[dict[str, Any]], parameters: dict[str, Any]) -> int:
    nightly = next(item["id"] for item in deployments if item["name"] == "nightly")
    try:
        request(f"{api}/deployments/{nightly}/create_flow_run", {"parameters": parameters})
    except urllib.error.HTTPError as error:
        return error.code
    return 201


def test_a_broken_video_fails_its_participant_and_the_run_says_so(nights):
    night = nights.nights[0]
    assert night.returncode != 0, night.output
    assert (night.state["type"], night.state["name"]) == ("FAILED", "SomeParticipantsFailed"), night.output
    assert night.state["message"] == night.manifest["result"] == "RESULT ok=3 failed=1 skipped=0 exit=4"
    assert night.manifest["exit_code"] == 4
    assert {item["participant_id"]: item["status"] for item in night.manifest["inputs"]} == {
        name: "failed" if name == BROKEN else "ok" for name in VIDEOS
    }
    assert set(night.tables) == {f"sub-{name}" for name in VIDEOS if name != BROKEN}
    assert {"group.html", "sub-001/sub-001_report.html", "group/desc-features_participants.parquet"} <= night.files


def test_the_replaced_video_is_all_that_the_next_night_extracts(nights):
    first, second = nights.nights
    assert second.returncode == 0, second.output
    assert (second.state["type"], second.state["message"]) == ("COMPLETED", "RESULT ok=4 failed=0 skipped=0 exit=0")
    assert second.manifest["exit_code"] == 0
    assert set(second.tables) - set(first.tables) == {f"sub-{BROKEN}"}
    assert {name: second.tables[name] for name in first.tables} == first.tables


def test_every_flow_is_deployed_with_a_form_that_explains_itself(nights):
    names = {item["name"]: item for item in nights.deployments if item["name"] == "nightly"}
    declared = yaml.safe_load((Path(__file__).parents[2] / "prefect.yaml").read_text())["deployments"]
    assert len(nights.deployments) == len(declared) == len(FLOWS) + 1, "every flow of a study, and the demo"
    nightly = names["nightly"]
    assert nightly["schedules"][0]["schedule"]["cron"] == "0 1 * * *"
    assert nightly["global_concurrency_limit"]["limit"] == 1
    assert nightly["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    for deployment in nights.deployments:
        assert deployment["enforce_parameter_schema"] is True
        assert deployment["pull_steps"] == []
        schema = deployment["parameter_openapi_schema"]
        assert set(deployment["parameters"]) <= set(schema["properties"])
        for name, entry in schema["properties"].items():
            assert entry["title"] != name
            assert entry["description"].endswith(".")
            assert entry["type"] in {"string", "array", "integer", "number"}
            assert "default" in entry or name in schema["required"]


def test_the_server_schedules_the_nights(nights):
    # It did not with SQLAlchemy 2.1, and said so nowhere but in its own output.
    assert {run["expected_start_time"][11:19] for run in nights.scheduled} == {"01:00:00"}
    assert {run["parameters"]["study"] for run in nights.scheduled} == {"my-study"}
    # A heartbeat of the worker that meets a locked SQLite on a busy machine is an error, too; it is sent again.
    errors = [line for line in nights.logs[0].read_text().splitlines() if "| ERROR" in line]
    assert [line for line in errors if "heartbeat persistence" not in line] == []


def test_the_server_sends_no_analytics(nights):
    assert nights.analytics is False


def test_paths_and_names_are_refused_as_parameters(nights):
    assert nights.refused == [409, 409]


def texts_of_database(path: Path) -> Iterator[tuple[str, str]]:
    """Every value of every table, as text."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            cursor = database.execute(f'select * from "{table}"')  # noqa: S608
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    yield f"{table}.{column}", text


def test_prefect_knows_participants_by_id_only(nights):
    texts = list(texts_of_database(nights.home / "prefect.db"))
    places = {place.partition(".")[0] for place, _ in texts}
    assert {"flow_run", "task_run", "log", "artifact", "deployment", "events"} <= places
    everything = "\n".join(text for _, text in texts)
    for expected in ("extract sub-001_task-clips", "RESULT ok=3 failed=1", f"Failed: sub-{BROKEN}"):
        assert expected in everything
    found = {(place, secret) for place, text in texts for secret in SECRETS if secret in text}
    assert found == set()
    others = [path for path in nights.home.rglob("*") if path.is_file() and not path.name.startswith("prefect.db")]
    for path in [*others, *nights.logs]:
        text = path.read_bytes().decode("utf-8", "replace")
        assert [secret for secret in SECRETS if secret in text] == [], path.name


def test_the_run_log_holds_no_absolute_path_and_no_covariate(nights):
    for night in nights.nights:
        text = json.dumps(night.manifest)
        assert [secret for secret in ("lab-share", "7.8125", "Rosenhuegel") if secret in text] == []


def test_all_results_are_readable_by_their_owner_alone(nights):
    folder = Derivatives.of_study(nights.study).folder
    paths = [folder, *folder.rglob("*")]
    assert len(paths) > 30
    assert {oct(path.stat().st_mode & 0o7777) for path in paths if path.is_dir()} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o7777) for path in paths if path.is_file()} == {"0o600"}
